"""Training: one function from a configuration to its record."""

from nclib.train._fit import DivergedError, fit
from nclib.train._schedule import learning_rate

__all__ = ["DivergedError", "fit", "learning_rate"]
