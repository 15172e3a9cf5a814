"""Divergences of label distributions, and of the features that they mix."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Real
from torch import Tensor

from nclib import _check

_REACH = 8.0  # standard deviations beyond the means at which a Gaussian ends for the quadrature


def jensen_shannon(first: Real[Tensor, " K"], second: Real[Tensor, " K"]) -> float:
    r"""Jensen-Shannon divergence of two discrete distributions, in nats.

    .. math:: \tfrac12\sum_k p_k\log\frac{2p_k}{p_k+q_k}
        + \tfrac12\sum_k q_k\log\frac{2q_k}{p_k+q_k} \in [0, \log 2]

    The Jensen-Shannon *distance* of equation (12) is its square root (Endres and Schindelin 2003).
    Distributions that nearly agree keep their relative accuracy.

    Args:
        first: (K,), non-negative weights; only their proportions matter.
        second: (K,), likewise.

    Raises:
        ValueError: if shapes differ, a weight is negative or not finite, or all are zero.

    >>> round(jensen_shannon(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])), 6)
    0.693147
    """
    p, q = _distribution("first", first), _distribution("second", second)
    if p.shape != q.shape:
        raise ValueError(f"expected as many weights, got {tuple(p.shape)} and {tuple(q.shape)}")
    return float(_divergence(p, q).sum())


def mixture_jensen_shannon(
    means: Float[Tensor, "K P"],
    deviation: float,
    source: Real[Tensor, " K"],
    target: Real[Tensor, " K"],
    *,
    per_deviation: float = 2.0,
) -> float:
    r"""Jensen-Shannon divergence, in nats, of the features of two domains under label shift.

    The class-conditional distributions are :math:`\mathcal N(\mu_k, \sigma^2 I)` in both domains,
    which differ in their class weights alone. By quadrature on a grid over the features, hence
    for at most three dimensions; the trapezoidal rule is exact there to about 1e-8.

    Args:
        means: (K, P), P at most 3.
        deviation: σ > 0.
        source: (K,), class weights of the source domain (their proportions).
        target: (K,), of the target domain.
        per_deviation: grid points a σ.

    Raises:
        ValueError: if P > 3, σ is not positive, or the weights are none.

    Source: Liu et al. (2023), arXiv 2302.12453, equation (12).

    >>> far = torch.tensor([[-50.0], [50.0]])
    >>> source, target = torch.tensor([9.0, 1.0]), torch.tensor([1.0, 1.0])
    >>> of_features = mixture_jensen_shannon(far, 1.0, source, target)
    >>> abs(of_features - jensen_shannon(source, target)) < 1e-9
    True
    """
    means = _check.matrix("means", means).double()
    if not 1 <= means.shape[1] <= 3:
        raise ValueError(f"expected (K, P) means with P from 1 to 3, got {tuple(means.shape)}")
    if not (math.isfinite(deviation) and deviation > 0):
        raise ValueError(f"deviation must be positive and finite, got {deviation}")
    priors = [_distribution("source", source), _distribution("target", target)]
    for prior in priors:
        if len(prior) != len(means):
            raise ValueError(f"expected {len(means)} class weights, got {len(prior)}")
    scaled = means / deviation
    low, high = scaled.amin(0) - _REACH, scaled.amax(0) + _REACH
    # exp(−‖z − μ‖²/2) is a product over the coordinates: one small table an axis.
    density = torch.ones(len(means), 1, dtype=torch.float64)
    volume = 1.0
    for start, stop, place in zip(low.tolist(), high.tolist(), scaled.T, strict=True):
        points = torch.linspace(
            start, stop, math.ceil((stop - start) * per_deviation) + 1, dtype=torch.float64
        )
        axis = torch.exp(-(points - place[:, None]).square() / 2) / math.sqrt(2 * math.pi)
        density = (density[:, :, None] * axis[:, None, :]).flatten(1)
        volume *= float(points[1] - points[0])
    p, q = torch.stack(priors) @ density
    return volume * float(_divergence(p, q).sum())


def _distribution(name: str, weights: Tensor) -> Float[Tensor, " K"]:
    weights = _check.numbers(name, weights).double()
    if (
        weights.ndim != 1
        or not bool((weights.isfinite() & (weights >= 0)).all())
        or not bool(weights.any())
    ):
        raise ValueError(f"{name} must be non-negative weights (K,), got {weights.tolist()}")
    weights = weights / weights.max()  # so that the sum cannot overflow
    return weights / weights.sum()


def _divergence(p: Float[Tensor, " n"], q: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    r"""The integrand of the Jensen-Shannon divergence; 0 log 0 is 0.

    With :math:`h = (p + q)/2` and :math:`t = (p - q)/(p + q)` it is
    :math:`\tfrac h2((1+t)\log(1+t) + (1-t)\log(1-t))`.
    """
    half = (p + q) / 2
    t = torch.where(half > 0, (p - q) / (2 * half), 0.0)
    large = (torch.special.xlogy(1 + t, 1 + t) + torch.special.xlogy(1 - t, 1 - t)) / 2
    # The same for small t, where the two logarithms above would cancel.
    small = t.clamp(-0.5, 0.5)
    small = torch.log1p(-small.square()) / 2 + small * small.atanh()
    return half * torch.where(t.abs() < 0.5, small, large)
