"""Cases that the checks share: labels, counts, and their certified optima."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from nclib.papers._claim import Evidence
from nclib.ufm import UFMSolution, solve

# Optima are certified to this relative duality gap; matrices are then right to about its root.
GAP = 1e-12
NEAR = 1e-5


def near(misfits: Iterable[float], found: str, bound: float = NEAR) -> Evidence:
    """Evidence that every misfit stays below the bound; without cases it shows nothing."""
    values = list(misfits)
    return Evidence(max(values, default=math.nan), bound, len(values), found)


def apart(effects: Iterable[float], found: str, bound: float = 1e-2) -> Evidence:
    """Evidence that every effect is at least the bound; without cases it shows nothing."""
    values = list(effects)
    return Evidence(min(values, default=math.nan), bound, len(values), found, ">=")


def misfit(value: Tensor, expected: Tensor) -> float:
    """Relative distance in the Frobenius norm; absolute where the expected matrix is zero."""
    scale = float(expected.norm())
    return float((value - expected).norm()) / (scale if scale > 0 else 1.0)


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
    if centred.trace() <= NEAR * gram.trace():
        return 1.0
    return misfit(centred, centred.trace() / (k - 1) * centring(k))


def ssetf_misfit(gram: Float[Tensor, "K K"]) -> float:
    """How far a Gram matrix is from those of shifted simplex ETFs, α²(C + tJ/K), α > 0, t ≥ 0."""
    k = len(gram)
    along = averaging(k) @ gram @ averaging(k)
    across = (gram * centring(k)).sum() / (k - 1)
    if across * (k - 1) <= NEAR * gram.trace():
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


def lambdas(c: float, num_classes: int, n: int) -> tuple[float, float]:
    """λ_W ≠ λ_H with K √(n λ_W λ_H) = c."""
    mu = c / (num_classes * math.sqrt(n))
    return 3 * mu, mu / 3


class Balanced:
    """A balanced model and its certified optimum, in the paper's symbols."""

    def __init__(self, labels: Float[Tensor, "K K"], c: float, lam_b: float, n: int = 4) -> None:
        self.labels, self.c, self.lam_b, self.n, self.k = labels, c, lam_b, n, len(labels)
        self.lam_w, self.lam_h = lambdas(c, self.k, n)
        counts = torch.full((self.k,), float(n), dtype=torch.float64)
        self.solution: UFMSolution = solve_to_gap(
            labels, counts, lam_w=self.lam_w, lam_h=self.lam_h, lam_b=lam_b
        )
        self.gram = self.solution.means @ self.solution.means.T
        self.scale = math.sqrt(self.lam_w / (n * self.lam_h))  # gram = scale · |Z|
        self.modulus = self.gram / self.scale
        self.kappa = math.sqrt(n * self.lam_h / self.lam_w)


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
    return solve(
        labels,
        counts,
        lam_w=lam_w,
        lam_h=lam_h,
        lam_b=lam_b,
        loss=loss,
        tol=GAP,
        dim=dim,
    )
