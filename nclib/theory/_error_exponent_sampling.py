"""Probabilities of error, however small: two bounds, and an estimate by importance sampling."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.special import log_ndtr, ndtri

from nclib import _check
from nclib._scale import rescaled
from nclib.theory._error_exponent_distances import BLOCK, all_distances, checked

_DEEP = -600.0  # the logarithm of a tail probability below which float64 comes to its end


class ErrorProbability(NamedTuple):
    """A probability of error (:func:`error_probability`).

    The numbers underflow to 0 below 1e-308, their logarithms do not.
    """

    estimate: float  # unbiased, of P_e
    standard_error: float  # of the estimate
    lower: float  # max_{k≠j} Q(δ_kj/σ) / K
    upper: float  # Σ_{k≠j} Q(δ_kj/σ) / K, at most 1
    log_estimate: float
    log_lower: float
    log_upper: float


def error_probability(
    means: Float[Tensor, "K P"],
    weight: Float[Tensor, "K P"],
    bias: Float[Tensor, " K"] | None = None,
    *,
    sigma: float,
    samples: int,
    generator: torch.Generator | None = None,
) -> ErrorProbability:
    r"""The probability that a linear classifier errs on Gaussian features, by importance sampling.

    Classes are equally likely, :math:`h = \mu_k + \sigma\varepsilon` with
    :math:`\varepsilon \sim \mathcal N(0, I)`, and a tie counts as an error. With the signed
    distances :math:`\delta_{kj}` of :math:`\mu_k` to its boundary with j, and Q the Gaussian tail,

    .. math:: \frac1K \max_{k \ne j} Q(\delta_{kj}/\sigma) \le P_e(\sigma)
        \le \frac1K \sum_{k \ne j} Q(\delta_{kj}/\sigma) .

    The estimate samples errors alone: a pair (k, j) in proportion to :math:`Q(\delta_{kj}/\sigma)`,
    then a feature of class k given that j beats k, and counts the classes S that beat k there. The
    mean of 1/S times the upper bound is unbiased and lies between the upper bound and its (K − 1)th
    part, so that the relative standard error is small at any noise, without tuning. Where no sample
    has two rivals the error is 0, and the estimate is the upper bound.

    Args:
        means: (K, P), :math:`\mu`.
        weight: (K, P).
        bias: (K,); None: zeros.
        sigma: σ, positive.
        samples: how many, at least 2.
        generator: of the random numbers, on any device, so that results do not depend on the device
            of the means; None: the global generator of their device.

    Raises:
        TypeError: if a tensor is no floating-point tensor, or a number none.
        ValueError: as for :func:`error_exponent`; if sigma is not positive or there are fewer than
            two samples.

    Source: the sampler is ALOE of Owen, Maximov and Chertkov (2019), "Importance sampling the union
    of rare events", after Adler, Blanchet and Liu (2012).

    >>> means = torch.tensor([[1.0], [-1.0]])
    >>> f"{error_probability(means, means, sigma=0.1, samples=2).estimate:.4g}"  # Q(10)
    '7.62e-24'
    """
    _check.number("sigma", sigma, above=0.0)
    _check.whole("samples", samples, least=2)
    classifier = checked(means, weight, bias)
    num_classes, device = classifier.weight.shape[0], classifier.weight.device
    depths = all_distances(classifier) / (sigma / classifier.mean_unit)
    log_tails = log_ndtr(-depths)
    log_lower = float(log_tails.max()) - math.log(num_classes)
    log_sum = float(log_tails.flatten().logsumexp(0)) - math.log(num_classes)
    if log_sum == -math.inf:  # no noise reaches a boundary
        return ErrorProbability(0.0, 0.0, 0.0, 0.0, log_sum, log_sum, log_sum)

    # Only the components of the noise in the span of the rows count.
    rows = rescaled(classifier.weight - classifier.weight.mean(0))[0]
    rows = torch.linalg.qr(rows.T, mode="r").R.T.contiguous()
    lengths = torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist")
    thresholds = torch.where(depths.isinf(), -depths, -depths * lengths)
    shares = (log_tails - log_tails.max()).exp().flatten().cumsum(0)
    last = int(torch.searchsorted(shares, shares[-1]))
    seat = torch.empty(0, device=device if generator is None else generator.device).double()

    inverses = []
    for size in _batches(samples, max(rows.shape)):
        chance, tail = seat.new_empty(2, size).uniform_(generator=generator).to(rows)
        noise = seat.new_empty(size, rows.shape[1]).normal_(generator=generator).to(rows)
        pairs = torch.searchsorted(shares, chance * shares[-1], right=True).clamp(max=last)
        k, j = pairs // num_classes, pairs % num_classes
        normals = torch.nn.functional.normalize(rows[j] - rows[k], eps=0.0).nan_to_num(0.0)
        along = _normal_beyond(depths[k, j], tail) - (noise * normals).sum(1)
        scores = (noise + along[:, None] * normals) @ rows.T
        beaten = scores.gather(1, k[:, None]) - scores <= thresholds[k]
        beaten.scatter_(1, j[:, None], True)  # whatever rounding says
        inverses.append(1 / beaten.sum(1).double())
    values = torch.cat(inverses)
    mean, deviation = float(values.mean()), float(values.std())
    log_estimate = log_sum + math.log(mean)
    log_upper = min(log_sum, 0.0)
    return ErrorProbability(
        math.exp(log_estimate),
        math.exp(log_sum) * deviation / math.sqrt(samples),
        math.exp(log_lower),
        math.exp(log_upper),
        log_estimate,
        log_lower,
        log_upper,
    )


def _batches(samples: int, width: int) -> list[int]:
    """Sizes of batches whose tables are blocks."""
    size = max(1, BLOCK // width)
    return [min(size, samples - start) for start in range(0, samples, size)]


def _normal_beyond(least: Float[Tensor, " n"], uniform: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Standard normal numbers given that they are at least ``least``, from uniform ones."""
    smallest = torch.finfo(uniform.dtype).eps
    log_tail = log_ndtr(-least) + uniform.clamp(min=smallest).log()
    plain = -ndtri(log_tail.exp())
    # Newton's method, from above, on the logarithm of the tail, which is concave.
    deep = (-2 * log_tail).sqrt()
    for _ in range(4):
        value = log_ndtr(-deep)
        hazard = (-deep.square() / 2 - math.log(2 * math.pi) / 2 - value).exp()
        deep = deep + (value - log_tail) / hazard
    return torch.where(log_tail > _DEEP, plain, deep)
