"""Critical points that no solver made, for what is claimed of every critical point."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor

from nclib import encodings
from nclib.papers._cases import Decay, counts_of, misfit, solve_to_gap
from nclib.ufm import CriticalPoint, critical_point

_SAMPLES = 2  # features a class, each a variable: variability collapse is not assumed
_DECAY = Decay(lam_w=0.02, lam_h=0.005)
_COUNTS = ((4.0, 4, 4, 4), (7.0, 4, 2, 1))


@dataclass(frozen=True)
class Stationary:
    """A critical point of the model with four classes, and the data of the model."""

    point: CriticalPoint
    labels: Float[Tensor, "K K"]
    counts: Float[Tensor, " K"]
    lam_b: float
    dim: int

    @cached_property
    def excess(self) -> float:
        """The objective over the certified optimum, less one."""
        best = solve_to_gap(self.labels, self.counts, **_DECAY, lam_b=self.lam_b)
        return self.point.objective / best.objective - 1

    @property
    def means(self) -> Float[Tensor, "K P"]:
        """Class means, one row a class."""
        return self.point.features.view(len(self.counts), _SAMPLES, -1).mean(1)

    @property
    def spread(self) -> float:
        """Spread of the features within classes, relative to all features."""
        return misfit(self.means.repeat_interleave(_SAMPLES, 0), self.point.features)

    @property
    def imbalance(self) -> float:
        """Relative misfit of λ_W WᵀW = λ_H H̄DH̄ᵀ."""
        weight, means = self.point.weight, self.means
        return misfit(
            _DECAY["lam_w"] * weight.T @ weight,
            _DECAY["lam_h"] * means.T @ (self.counts[:, None] * means),
        )

    @property
    def bias_misfit(self) -> float:
        """Relative misfit of b = γ(I + (1 − γ)WWᵀ/(Nλ_H))⁻¹ȳ."""
        weight, samples, gamma = self.point.weight, float(self.counts.sum()), 1 / (1 + self.lam_b)
        mean = self.labels @ self.counts / samples
        excess = (1 - gamma) / (samples * _DECAY["lam_h"]) * weight @ weight.T
        shrunk = torch.linalg.solve(torch.eye(len(mean), dtype=mean.dtype) + excess, mean)
        return misfit(self.point.bias, gamma * shrunk)


@cache
def critical_points() -> list[Stationary]:
    """Points of width 1 to 5 for random labels, two sets of counts, three biases."""
    points = []
    cases = product(_COUNTS, (0.0, 0.5, math.inf), range(1, 6))
    for seed, (counts, lam_b, dim) in enumerate(cases):
        labels, n = encodings.random(4, seed=seed), counts_of(*counts)
        point = critical_point(
            labels,
            n,
            **_DECAY,
            lam_b=lam_b,
            dim=dim,
            samples=_SAMPLES,
            generator=torch.Generator().manual_seed(seed),
        )
        points.append(Stationary(point, labels, n, lam_b, dim))
    return points
