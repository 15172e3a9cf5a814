"""Unconstrained features models: certified optima, closed forms and gradient descent."""

from nclib.ufm import closed_form
from nclib.ufm._critical import CriticalPoint, critical_point
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
    "CriticalPoint",
    "FirstOrderResiduals",
    "Trajectory",
    "UFMSolution",
    "closed_form",
    "critical_point",
    "descend",
    "first_order_residuals",
    "objective",
    "solve",
]
