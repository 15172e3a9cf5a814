"""Unconstrained features models: certified optima, closed forms and gradient descent."""

from nclib.ufm import closed_form
from nclib.ufm._solve import (
    ConvergenceError,
    FirstOrderResiduals,
    UFMSolution,
    first_order_residuals,
    objective,
    solve,
)

__all__ = [
    "ConvergenceError",
    "FirstOrderResiduals",
    "UFMSolution",
    "closed_form",
    "first_order_residuals",
    "objective",
    "solve",
]
