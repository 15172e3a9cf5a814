"""Cases that the checks share: labels, counts, and their certified optima."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cached_property
from typing import TypedDict

import torch
from jaxtyping import Float
from torch import Tensor

from nclib.papers._claim import Evidence
from nclib.ufm import CriticalPoint, UFMSolution, closed_form, critical_point, descend, solve

# Optima are certified to this relative duality gap; matrices are then right to about its root.
GAP = 1e-12
TOLERANCE = 1e-5
_STEPS = (120, 600)  # of descent; more where Newton's method then finishes at a saddle


class Decay(TypedDict):
    """Regularisation of classifier and features."""

    lam_w: float
    lam_h: float


class Penalties(Decay):
    """... and of the bias."""

    lam_b: float


def at_most(misfits: Iterable[float], quantity: str, bound: float = TOLERANCE) -> Evidence:
    """Evidence that every misfit is at most the bound; without cases it shows nothing."""
    values = list(misfits)
    return Evidence(max(values, default=math.nan), bound, len(values), quantity)


def at_least(effects: Iterable[float], quantity: str, bound: float = 1e-2) -> Evidence:
    """Evidence that every effect is at least the bound; without cases it shows nothing."""
    values = list(effects)
    return Evidence(min(values, default=math.nan), bound, len(values), quantity, ">=")


def misfit(value: Tensor, expected: Tensor) -> float:
    """Relative distance in the Frobenius norm; absolute where zero (to rounding) is expected."""
    scale = float(expected.norm())
    return float((value - expected).norm()) / (scale if scale > 1e-9 else 1.0)


def centring(num_classes: int) -> Float[Tensor, "K K"]:
    """C = I - J/K."""
    return torch.eye(num_classes, dtype=torch.float64) - 1 / num_classes


def averaging(num_classes: int) -> Float[Tensor, "K K"]:
    """J/K."""
    return torch.full((num_classes, num_classes), 1 / num_classes, dtype=torch.float64)


def etf_misfit(gram: Float[Tensor, "K K"]) -> float:
    """How far the centred Gram matrix is from a multiple of C (NC2 fails: about 0.1 or more).

    1 if the centred Gram matrix vanishes, since equal means are no simplex ETF.
    """
    k = len(gram)
    centred = centring(k) @ gram @ centring(k)
    if centred.trace() <= TOLERANCE * gram.trace():
        return 1.0
    return misfit(centred, centred.trace() / (k - 1) * centring(k))


def ssetf_misfit(gram: Float[Tensor, "K K"]) -> float:
    """How far a Gram matrix is from those of shifted simplex ETFs, α²(C + tJ/K), α > 0, t ≥ 0."""
    k = len(gram)
    along = averaging(k) @ gram @ averaging(k)
    across = (gram * centring(k)).sum() / (k - 1)
    if across * (k - 1) <= TOLERANCE * gram.trace():
        return 1.0
    return misfit(gram, across * centring(k) + along)


def root(gram: Float[Tensor, "K K"]) -> Float[Tensor, "K K"]:
    """The positive semi-definite square root of a symmetric matrix."""
    values, vectors = torch.linalg.eigh(gram)
    return vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T


def gaussian(*shape: int, seed: int) -> Tensor:
    """Standard normal entries from a generator of its own."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def orthogonal(size: int, seed: int) -> Float[Tensor, "K K"]:
    """A random orthogonal matrix."""
    return torch.linalg.qr(gaussian(size, size, seed=seed)).Q


def counts_of(*counts: float) -> Float[Tensor, " C"]:
    """Counts as the library takes them."""
    return torch.tensor(counts, dtype=torch.float64)


class Balanced:
    """A balanced model and its certified optimum, in the paper's symbols."""

    def __init__(self, labels: Float[Tensor, "L K"], c: float, lam_b: float, n: int = 4) -> None:
        self.labels, self.c, self.lam_b, self.n, self.k = labels, c, lam_b, n, labels.shape[1]
        mu = c / (self.k * math.sqrt(n))
        self.counts = counts_of(*[float(n)] * self.k)
        self.decay = Decay(lam_w=3 * mu, lam_h=mu / 3)  # c = K √(n λ_W λ_H)
        self.penalties = Penalties(**self.decay, lam_b=lam_b)
        self.scale = math.sqrt(self.decay["lam_w"] / (n * self.decay["lam_h"]))
        self.kappa = 1 / self.scale

    @cached_property
    def solution(self) -> UFMSolution:
        """The certified optimum."""
        return solve_to_gap(self.labels, self.counts, **self.penalties)

    @cached_property
    def scores(self) -> Float[Tensor, "L K"]:
        """Z* = W* H̄*."""
        return self.solution.weight @ self.solution.means.T

    @cached_property
    def gram(self) -> Float[Tensor, "K K"]:
        """The Gram matrix of the optimal means."""
        return self.solution.means @ self.solution.means.T

    @property
    def modulus(self) -> Float[Tensor, "K K"]:
        """The Gram matrix in units of √(λ_W/(nλ_H)): |Z*|."""
        return self.gram / self.scale

    def misfit(self, predicted: closed_form.Optimum) -> float:
        """The largest relative misfit of the optimum: scores, Gram matrix and bias."""
        return max(
            misfit(self.scores, predicted.scores),
            misfit(self.gram / self.scale, predicted.gram / self.scale),
            misfit(self.solution.bias, predicted.bias),
        )

    @cached_property
    def descended(self) -> CriticalPoint:
        """A minimiser that the convex solver had no part in."""
        return descended(self.labels, self.counts, **self.penalties)


def solve_to_gap(
    labels: Float[Tensor, "K C"],
    counts: Float[Tensor, " C"],
    *,
    lam_w: float,
    lam_h: float,
    lam_b: float,
    loss: str = "mse",
    dim: int | None = None,
) -> UFMSolution:
    """The certified optimum at the gap that the checks rely on."""
    return solve(labels, counts, lam_w=lam_w, lam_h=lam_h, lam_b=lam_b, loss=loss, tol=GAP, dim=dim)


def descended(
    labels: Float[Tensor, "K C"],
    counts: Float[Tensor, " C"],
    *,
    lam_w: float,
    lam_h: float,
    lam_b: float,
    dim: int | None = None,
    seed: int = 0,
) -> CriticalPoint:
    """Where gradient descent on (W, H, b) from a random start ends, to rounding.

    Neither the convex program nor its factorisation is used: what is claimed of minimisers is
    tested here, where nothing is true by construction.
    """
    penalties = Penalties(lam_w=lam_w, lam_h=lam_h, lam_b=lam_b)
    for steps in _STEPS:
        path = descend(
            labels,
            counts,
            **penalties,
            dim=dim,
            balanced=True,
            init=0.5,
            steps=steps,
            record_every=steps,
            generator=torch.Generator().manual_seed(seed),
        )
        end = path.weight[-1], path.features[-1], path.bias[-1]
        point = critical_point(labels, counts, **penalties, dim=dim, start=end)
        if point.curvature > -1e-9:
            break
    return point
