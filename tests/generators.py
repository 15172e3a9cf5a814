"""Features whose collapse is known in closed form, or built to be awkward."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from nclib.geometry import orthogonal_frame, simplex_etf


class FeatureSet(NamedTuple):
    features: Tensor  # (N, P)
    labels: Tensor  # (N,)
    means: Tensor  # (K, P), the exact class means
    weight: Tensor  # (K, P), a classifier
    bias: Tensor  # (K,)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def collapsed(counts: Sequence[int], dim: int, *, scale: float = 1.0, seed: int = 0) -> FeatureSet:
    """Features exactly at the vertices of a simplex ETF about a random centre, W dual to it."""
    generator = seeded(seed)
    etf = scale * simplex_etf(len(counts), dim, generator=generator)
    centre = torch.randn(dim, generator=generator, dtype=torch.float64)
    means = etf + centre
    labels = _labels(counts, generator)
    return FeatureSet(means[labels], labels, means, 2 * etf, -2 * etf @ centre)


def isotropic(
    num_classes: int, dim: int, *, scale: float, radius: float, seed: int = 0
) -> FeatureSet:
    r"""A simplex ETF of means with 2P samples a class, at ± radius along every axis.

    The class covariances are exactly (radius²/P) I, so that every variant of NC1 is known.
    """
    generator = seeded(seed)
    etf = scale * simplex_etf(num_classes, dim, generator=generator)
    axes = radius * orthogonal_frame(dim, dim, generator=generator)
    cloud = torch.cat([axes, -axes])
    labels = torch.arange(num_classes).repeat_interleave(2 * dim)
    features = etf[labels] + cloud.repeat(num_classes, 1)
    return FeatureSet(features, labels, etf, etf, torch.zeros(num_classes).double())


def noisy(
    counts: Sequence[int],
    dim: int,
    *,
    noise: float = 0.5,
    offset: float = 0.0,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
) -> FeatureSet:
    """Gaussian means about an offset, Gaussian scatter about them, a random classifier."""
    generator = seeded(seed)
    shape = (len(counts), dim)
    means = offset + torch.randn(shape, generator=generator, dtype=torch.float64)
    labels = _labels(counts, generator)
    scatter = torch.randn(len(labels), dim, generator=generator, dtype=torch.float64)
    features = (means[labels] + noise * scatter).to(dtype)
    weight = torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)
    bias = torch.randn(len(counts), generator=generator, dtype=torch.float64).to(dtype)
    return FeatureSet(features, labels, means, weight, bias)


def long_tailed(num_classes: int, largest: int, ratio: float) -> list[int]:
    """Exponential class sizes from ``largest`` down to ``largest / ratio``."""
    return [max(1, round(largest * ratio ** (-k / (num_classes - 1)))) for k in range(num_classes)]


def minority_collapse(
    majority: int, minority: int, dim: int, *, noise: float = 0.0, seed: int = 0
) -> FeatureSet:
    """Majority classes at an ETF with one more vertex, where all the minority classes lie."""
    generator = seeded(seed)
    etf = simplex_etf(majority + 1, dim, generator=generator)
    means = torch.cat([etf[:-1], etf[-1:].expand(minority, dim)])
    labels = _labels([20] * majority + [3] * minority, generator)
    scatter = torch.randn(len(labels), dim, generator=generator, dtype=torch.float64)
    for k in range(len(means)):  # exactly centred, so that the means are exactly equal
        scatter[labels == k] -= scatter[labels == k].mean(0)
    bias = torch.zeros(len(means), dtype=torch.float64)
    return FeatureSet(means[labels] + noise * scatter, labels, means, means, bias)


def random_rotation(dim: int, *, seed: int = 0) -> Tensor:
    return orthogonal_frame(dim, dim, generator=seeded(seed))


def _labels(counts: Sequence[int], generator: torch.Generator) -> Tensor:
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    return labels[torch.randperm(len(labels), generator=generator)]
