"""Unconstrained features models: certified optima, closed forms and gradient descent."""

from nclib.ufm import closed_form
from nclib.ufm._descend import Trajectory, descend
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
    "Trajectory",
    "UFMSolution",
    "closed_form",
    "descend",
    "first_order_residuals",
    "objective",
    "solve",
]
