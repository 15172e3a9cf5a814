"""The balanced multi-label optimum in closed form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import scipy
from scipy.special import logsumexp, xlog1py, xlogy

from nclib import _check


class BalancedOptimum(NamedTuple):
    r"""The optimum of supports that are balanced within every multiplicity.

    :math:`WW^\top = s^2 P`, a simplex ETF, and :math:`h_S = c_m W^\top(y_S - \tfrac mK 1)` with
    :math:`c_m = \gamma_m/(N\,lam_h)`.
    """

    scale_squared: float  # s²; 0 where all is zero (the trivial case)
    gamma: dict[int, float]  # γ_m by multiplicity m, in (0, 1]; 1 in the trivial case
    objective: float  # f*

    @property
    def coefficients(self) -> dict[int, float]:
        r""":math:`C_m = \gamma_m/\gamma_1`, with which :math:`h_S = C_m\sum_{k\in S} h_k`.

        Raises:
            ValueError: if no support is a singleton.
        """
        if 1 not in self.gamma:
            raise ValueError(
                f"no support is a singleton (multiplicities {sorted(self.gamma)}), whose means "
                "the coefficients multiply"
            )
        return {m: gamma / self.gamma[1] for m, gamma in self.gamma.items()}


def balanced_optimum(
    num_classes: int, support_counts: Mapping[int, float], *, lam_w: float, lam_h: float
) -> BalancedOptimum:
    r"""The global optimum of the pick-all-label model, every support of a size equally frequent.

    The model is ``ufm.solve(loss="pal")`` without a bias (in balance the optimal bias is zero).
    With :math:`N_m = \binom Km n_m`, :math:`\kappa_m = m(K-m)/(K(K-1))` and the penalties
    :math:`\lambda_W` (``lam_w``), :math:`\lambda_H` (``lam_h``), weighed by one half, the scale
    is the root of

    .. math:: \sum_m N_m\kappa_m\gamma_m^2 = N^2\lambda_W\lambda_H, \qquad
        \gamma_m = \frac{K}{K - m + m\,e^{s^2\gamma_m/(N\lambda_H)}},

    and :math:`f^* = \sum_m \tfrac{N_m}N\,m H_m(\gamma_m\tfrac{K-m}K)`, where
    :math:`H_m(\delta) = \delta\log\tfrac{K-m}\delta + (1-\delta)\log\tfrac m{1-\delta}`. Where
    :math:`\sum_m N_m\kappa_m \le N^2\lambda_W\lambda_H`, all is zero and
    :math:`f^* = \bar m\log K`. Roots are right to 1e-12.

    Args:
        num_classes: K, at least 2.
        support_counts: ``{m: n_m}``, the samples of each of the :math:`\binom Km` supports of
            size m; any positive numbers.
        lam_w: :math:`\lambda_W > 0`.
        lam_h: :math:`\lambda_H > 0`.

    Raises:
        ValueError: for a multiplicity outside 1 to K, or numbers out of range.
        TypeError: for what is no number.

    Source: this book; that the classifier is a simplex ETF and the means of larger supports are
    scaled tag-wise averages is Li et al. (2023), arXiv 2310.15903.

    >>> best = balanced_optimum(6, {1: 10, 2: 3, 3: 2}, lam_w=2e-3, lam_h=2e-4)
    >>> round(best.scale_squared, 4), round(best.objective, 12)
    (9.8077, 1.455995454393)
    >>> {m: round(c, 4) for m, c in best.coefficients.items()}
    {1: 1.0, 2: 0.9, 3: 0.8424}
    """
    _check.whole("num_classes", num_classes, least=2)
    if not support_counts:
        raise ValueError("support_counts must have a multiplicity, got none")
    samples = {}
    for m, count in sorted(support_counts.items()):
        _check.whole("multiplicity", m, least=1)
        if m > num_classes:
            raise ValueError(f"multiplicity {m} must be at most num_classes, {num_classes}")
        _check.number(f"support_counts[{m}]", count, above=0)
        samples[int(m)] = math.comb(num_classes, m) * count
    return balanced_samples(num_classes, samples, lam_w=lam_w, lam_h=lam_h)


def balanced_samples(
    num_classes: int, samples: Mapping[int, float], *, lam_w: float, lam_h: float
) -> BalancedOptimum:
    """``balanced_optimum`` with the number of samples :math:`N_m` of each multiplicity."""
    _check.number("lam_w", lam_w, above=0)
    _check.number("lam_h", lam_h, above=0)
    size = np.array(list(samples), dtype=np.float64)
    total = math.fsum(samples.values())
    shares = np.array(list(samples.values()), dtype=np.float64) / total
    kappa = size * (num_classes - size) / (num_classes * (num_classes - 1))

    # in logarithms no penalty is too small or too large
    log_level = math.log(total) + math.log(lam_w) + math.log(lam_h)

    def excess(log_u: float) -> float:
        logs = log_gamma(np.full_like(size, log_u), num_classes, size)
        return float(logsumexp(2 * logs, b=shares * kappa)) - log_level

    low, high = -80.0, 1.0
    scale_squared, gamma = 0.0, np.ones_like(size)
    if shares @ kappa > 0 and excess(low) > 0:
        while excess(high) > 0:
            high *= 2
        log_u = scipy.optimize.brentq(excess, low, high, xtol=1e-14, rtol=4 * np.finfo(float).eps)
        gamma = np.exp(log_gamma(np.full_like(size, log_u), num_classes, size))
        scale_squared = math.exp(log_u + math.log(total) + math.log(lam_h))
    value = float(shares @ tangent_entropy(gamma, num_classes, size))
    by_multiplicity = dict(zip(samples, gamma.tolist(), strict=True))
    return BalancedOptimum(scale_squared, by_multiplicity, value)


def log_gamma(log_u: np.ndarray, num_classes: int, size: np.ndarray) -> np.ndarray:
    r"""log γ at the root of :math:`\gamma(K - m + m e^{u\gamma}) = K` in (0, 1], for each u and m.

    In :math:`\log\gamma` the logarithm of the equation is increasing and convex, so that Newton's
    steps from the right of the root fall to it monotonically.
    """
    others = num_classes - size
    # to the right of the root: uγ exp(uγ) <= uK/m, and w exp(w) <= x implies w <= log(1 + x)
    reach = np.logaddexp(0, log_u + np.log(num_classes / size))
    logs = np.minimum(0, np.log(reach) - log_u)
    for _ in range(100):
        exponent = np.exp(log_u + logs)
        off = others * np.exp(logs)
        value = np.log(size) + logs + exponent - np.log(num_classes - off)
        step = value / (1 + exponent + off / (num_classes - off))
        logs = np.minimum(logs - step, 0)
        if not (step > 1e-15 * np.maximum(1, np.abs(logs))).any():
            break
    return logs


def tangent_entropy(gamma: np.ndarray, num_classes: int, size: np.ndarray) -> np.ndarray:
    r""":math:`m H_m(\gamma(K-m)/K)`: m times the entropy of mass δ spread off S, the rest on S."""
    off = gamma * (num_classes - size) / num_classes
    spread = xlogy(off, np.maximum(num_classes - size, 1)) - xlogy(off, off)
    return size * (spread + (1 - off) * np.log(size) - xlog1py(1 - off, -off))
