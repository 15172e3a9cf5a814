"""Training: one function from a configuration to its record, and a queue of them."""

from nclib.train._fit import DivergedError, fit
from nclib.train._queue import train_missing
from nclib.train._schedule import learning_rate

__all__ = ["DivergedError", "fit", "learning_rate", "train_missing"]
