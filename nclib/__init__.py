"""Neural collapse under imbalance: geometry, metrics, exact solvers, training and evidence."""

__version__ = "0.1.0"
