"""Critical points of an unconstrained features model, saddles included, by Newton's method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Real
from torch import Tensor

from nclib.ufm._descend import Flow
from nclib.ufm._problem import make_problem, positive, whole
from nclib.ufm._solve import ConvergenceError

MAX_DRAWS = 20  # random starts, until one leads to a critical point
MAX_NEWTON = 100


class CriticalPoint(NamedTuple):
    """Where the gradient of the objective vanishes: a minimum or, more often, a saddle."""

    weight: Float[Tensor, "K P"]  # classifier
    features: Float[Tensor, "N P"]  # one row a sample, samples of a column together
    bias: Float[Tensor, " K"]  # zeros without a bias
    objective: float
    gradient: float  # its norm, at most the tolerance
    curvature: float  # the Hessian's least eigenvalue in balanced units: negative at a saddle


def critical_point(
    targets: Real[Tensor, "K C"] | Sequence[Sequence[float]],
    counts: Real[Tensor, " C"] | Sequence[float],
    *,
    lam_w: float,
    lam_h: float,
    lam_b: float,
    loss: str = "mse",
    dim: int | None = None,
    samples: int = 1,
    init: float = 1.0,
    tol: float = 1e-11,
    start: tuple[Tensor, Tensor, Tensor] | None = None,
    generator: torch.Generator | None = None,
) -> CriticalPoint:
    r"""A critical point of the model near a random start: whatever Newton's method runs into.

    The variables are (W, H, b) themselves, one feature a sample, so neither the convex program nor
    variability collapse is assumed: what is claimed of every critical point is tested here.
    Levenberg and Marquardt's damped steps on :math:`\nabla = 0` do not care whether they go up or
    down, and so end at saddles of every kind. A start from which the gradient does not vanish is
    replaced by another.

    Args:
        targets: (K, C), as for ``solve``.
        counts: (C,), as for ``solve``; so are ``lam_w``, ``lam_h``, ``lam_b`` and ``loss``.
        dim: P; by default min(K, C).
        samples: features a column, each standing for an equal share of its count.
        init: standard deviation of the entries of the first weight and features; b starts at 0.
        tol: the largest norm of the gradient to return, in the units of ``descend(balanced=True)``.
        start: (weight, features, bias) to begin at, once, instead of random values.
        generator: of the starts; the global one if ``None``.

    Raises:
        ValueError: for data or options out of range.
        TypeError: as ``solve``.
        ConvergenceError: if no start leads to a critical point.

    >>> import torch
    >>> penalties = {"lam_w": 0.01, "lam_h": 0.01, "lam_b": 0.1}
    >>> nothing = torch.zeros(3, 2), torch.zeros(3, 2), torch.zeros(3)
    >>> point = critical_point(torch.eye(3), [4, 3, 2], **penalties, dim=2, start=nothing)
    >>> bool(point.weight.norm() < 1e-9), point.curvature < 0  # a saddle, with a bias
    (True, True)
    """
    init, tol = positive("init", init), positive("tol", tol)
    samples = whole("samples", samples, least=1)
    collapsed = make_problem(targets, counts, lam_w=lam_w, lam_h=lam_h, lam_b=lam_b, loss=loss)
    problem = make_problem(
        collapsed.targets.repeat_interleave(samples, 1),
        collapsed.counts.repeat_interleave(samples) / samples,
        lam_w=lam_w,
        lam_h=lam_h,
        lam_b=lam_b,
        loss=loss,
    )
    width = min(collapsed.targets.shape) if dim is None else whole("dim", dim, least=1)
    flow = Flow(problem, width, balanced=True)
    draws = MAX_DRAWS if start is None else 1
    for _ in range(draws):
        first = flow.start(init, generator) if start is None else flow.join(*start)
        point = _newton(flow, first, tol)
        value, gradient = flow.value_and_gradient(point)
        if float(gradient.norm()) <= tol:
            curvature = float(torch.linalg.eigvalsh(flow.hessian(point))[0])
            return CriticalPoint(*flow.variables(point), value, float(gradient.norm()), curvature)
    raise ConvergenceError(f"no critical point to within tol = {tol:.3g} from {draws} starts")


def _newton(flow: Flow, point: Float[Tensor, " M"], tol: float) -> Float[Tensor, " M"]:
    """Damped Newton steps on the gradient; the best point when they end."""
    gradient = flow.value_and_gradient(point)[1]
    damping = 1e-2 * float(gradient.norm())
    for _ in range(MAX_NEWTON):
        if float(gradient.norm()) <= tol:
            break
        values, vectors = torch.linalg.eigh(flow.hessian(point))
        along = vectors.T @ gradient
        for _ in range(30):
            trial = point - vectors @ (values / (values.square() + damping**2) * along)
            new = flow.value_and_gradient(trial)[1]
            if float(new.norm()) < float(gradient.norm()):
                break
            damping *= 4
        else:
            break
        point, gradient, damping = trial, new, min(0.25 * damping, float(new.norm()))
    return point
