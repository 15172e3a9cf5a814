"""Training: one function from a configuration to its record."""

from nclib.train._fit import (
    DivergedError,
    StoppedError,
    features,
    fit,
    measure_again,
    trained_network,
)
from nclib.train._schedule import learning_rate

__all__ = [
    "DivergedError",
    "StoppedError",
    "features",
    "fit",
    "learning_rate",
    "measure_again",
    "trained_network",
]
