"""Methods as data: a row of a table is a loss and the steps around it, declared."""

from nclib.methods._method import (
    Batch,
    Centres,
    Loss,
    Method,
    Option,
    SecondStage,
    Term,
    Value,
)
from nclib.methods._registry import METHODS, known

__all__ = [
    "METHODS",
    "Batch",
    "Centres",
    "Loss",
    "Method",
    "Option",
    "SecondStage",
    "Term",
    "Value",
    "known",
]
