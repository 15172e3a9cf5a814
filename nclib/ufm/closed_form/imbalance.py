"""Unequal counts: lengths, spectra, merging, and labels that undo the imbalance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Real
from torch import Tensor

from nclib.ufm._problem import bias_penalty, positive_counts
from nclib.ufm.closed_form._common import columns, label_matrix, threshold


def bias_bound(samples: float, *, lam_w: float, lam_h: float, lam_b: float) -> float:
    r"""A bound of the norm of the optimal bias, for any labels and counts: infinite for a free one.

    :math:`\|b\| \le \sqrt{N\lambda_W\lambda_H}/\lambda_b` where the features are at least
    min(K, C) wide; narrower ones can break it. ``invertible`` labels attain it, and those of
    ``labels_for_gram``.

    Source: this book, size of the bias.
    """
    pull = threshold(samples, lam_w=lam_w, lam_h=lam_h) / math.sqrt(samples)
    return pull / lam_b if bias_penalty(lam_b) > 0 else math.inf


def bias_free_norms(
    counts: Real[Tensor, " K"] | Sequence[float], *, lam_w: float, lam_h: float
) -> Float[Tensor, " K"]:
    r"""Squared norms of the class means, one-hot labels, any counts, no bias.

    .. math:: \|\bar h_k\|^2 = \sqrt{\lambda_W/\lambda_H}\,(\sqrt{n_k} - \theta)_+ / n_k,

    the means being orthogonal. A class vanishes where :math:`\sqrt{n_k} \le \theta`; the norm peaks
    at :math:`\sqrt{n_k} = 2\theta`: rarer classes first get longer, then vanish.

    Source: Dang et al. (2023); the peak: this book, imbalance.
    """
    counts = positive_counts(counts)
    theta = threshold(float(counts.sum()), lam_w=lam_w, lam_h=lam_h)
    return math.sqrt(lam_w / lam_h) * (counts.sqrt() - theta).clamp(min=0) / counts


def free_bias_spectrum(
    counts: Real[Tensor, " K"] | Sequence[float],
) -> Float[Tensor, " M"]:
    r"""Squared singular values of the centred labels, one-hot, any counts, free bias; descending.

    The K - 1 non-zero eigenvalues of :math:`D - nn^\top/N`: the roots of the secular equation
    :math:`\sum_k n_k/(n_k - x) = 0`, one between each two neighbouring counts, and a count that
    occurs m times itself m - 1 times. The optimum has singular values
    :math:`(\sqrt x - \theta)_+`.

    Source: Liu (2024, arXiv 2411.17278) for the matrix, Golub (1973) for the secular equation.

    >>> [round(x, 12) for x in free_bias_spectrum([4, 4, 1]).tolist()]  # n_a, and K n_a n_b / N
    [4.0, 1.333333333333]
    """
    counts = positive_counts(counts)
    sizes, repeats = torch.unique(counts, return_counts=True)
    weights = sizes * repeats
    low, high = sizes[:-1].clone(), sizes[1:].clone()
    for _ in range(200):  # bisection to the last bit: the function increases from -inf to inf
        middle = 0.5 * (low + high)
        rising = (weights / (sizes - middle[:, None])).sum(1) > 0
        # at a pole (adjacent floats) either side will do
        low, high = torch.where(rising, low, middle), torch.where(rising, middle, high)
    roots = torch.cat([0.5 * (low + high), sizes.repeat_interleave(repeats - 1)])
    return roots.sort(descending=True).values


class TwoSizes(NamedTuple):
    """Spectrum and thresholds of k_a classes of n_a samples and k_b of n_b, free bias."""

    majority: float  # n_a: squared singular value of contrasts among the large classes
    between: float  # K n_a n_b / N: of the contrast between the two groups
    minority: float  # n_b: of contrasts among the small classes
    minorities_merge: float  # threshold theta from which the small classes share one mean
    minority_mean_vanishes: float  # ... from which that mean is zero
    majorities_merge: float  # ... from which the large classes share one mean too


def two_sizes(majority: tuple[int, float], minority: tuple[int, float]) -> TwoSizes:
    r"""One-hot labels, free bias, k_a classes of n_a samples and k_b of n_b < n_a.

    Squared singular values :math:`n_a` (:math:`k_a - 1` times), :math:`Kn_an_b/N` and :math:`n_b`
    (:math:`k_b - 1` times), each giving up where its root falls to :math:`\theta`: the minorities
    merge at :math:`\sqrt{n_b}`, their common mean is zero from :math:`\sqrt{Kn_an_b/N}` on, and
    everything from :math:`\sqrt{n_a}` on (for :math:`k_a \ge 2`).

    Args:
        majority: (k_a, n_a).
        minority: (k_b, n_b).

    Source: this book, imbalance.
    """
    (k_a, n_a), (k_b, n_b) = majority, minority
    if not (k_a >= 1 and k_b >= 1 and n_a > n_b > 0):
        raise ValueError(f"expected n_a > n_b > 0 and k_a, k_b >= 1, got {majority}, {minority}")
    between = (k_a + k_b) * n_a * n_b / (k_a * n_a + k_b * n_b)
    return TwoSizes(
        majority=n_a,
        between=between,
        minority=n_b,
        minorities_merge=math.sqrt(n_b),
        minority_mean_vanishes=math.sqrt(between),
        majorities_merge=math.sqrt(n_a),
    )


def merging_count(
    samples: float,
    *,
    lam_w: float,
    lam_h: float,
    smoothing: float = 0.0,
    loss_weight: float = 1.0,
) -> float:
    r"""The count up to which classes of that count have identical means.

    Classes of the same count m and loss weight :math:`\omega` merge exactly where
    :math:`(1-\delta)\,\omega\sqrt m \le \theta`, for cross-entropy and ``mse``, for any
    :math:`\lambda_b` and whatever the other counts (one-hot labels smoothed by :math:`\delta`, the
    loss of a class weighted by :math:`\omega`, or both). So weights
    :math:`\omega \propto 1/n_k` make the largest classes merge first, and
    :math:`\omega \propto 1/\sqrt{n_k}` equalise the thresholds.

    Raises:
        ValueError: if ``smoothing`` is outside [0, 1) or ``loss_weight`` is not positive.

    Source: this book, exact minority merging; for two clusters with cross-entropy, Hong
    and Ling (2023).
    """
    if not 0 <= smoothing < 1:
        raise ValueError(f"smoothing must be in [0, 1), got {smoothing}")
    if not loss_weight > 0:
        raise ValueError(f"loss_weight must be positive, got {loss_weight}")
    return (threshold(samples, lam_w=lam_w, lam_h=lam_h) / ((1 - smoothing) * loss_weight)) ** 2


def labels_for_gram(
    gram: Real[Tensor, "K K"],
    counts: Real[Tensor, " K"] | Sequence[float],
    *,
    lam_w: float,
    lam_h: float,
    lam_b: float,
    frame: Real[Tensor, "L K"] | None = None,
) -> Float[Tensor, "L K"]:
    r"""Labels whose optimal class means have the wished Gram matrix G, whatever the counts.

    .. math:: \bar Y = P(X + \theta M^{-1})D^{-1/2}, \quad
       X = \sqrt{\tfrac{\lambda_H}{\lambda_W}}\,D^{1/2}GD^{1/2}, \quad
       M^{-1} = I + \frac{\nu\nu^\top}{N\lambda_b},

    with :math:`D = \mathrm{diag}(n)` and :math:`\nu = (\sqrt{n_k})`. The optimum is
    :math:`W\bar HD^{1/2} = PX` and :math:`b = \sqrt{\lambda_W\lambda_H}P\nu/\lambda_b`. For
    invertible G these are all such labels; for singular G :math:`M^{-1}` may be replaced by
    :math:`RM^{-1}` with any R of norm at most 1 and RX = X. A free bias makes the weighted mean of
    the features vanish: then G must satisfy Gn = 0, R is :math:`I - \nu\nu^\top/N` instead of
    :math:`M^{-1}`, and one vector may be added to all labels.

    With ``G`` a simplex ETF these labels give neural collapse under any imbalance.

    Args:
        gram: G, symmetric and positive semidefinite.
        counts: n, samples of each class.
        frame: P, with orthonormal columns; the identity if ``None``.

    Raises:
        ValueError: if G is not symmetric or has a negative eigenvalue (beyond 1e-9 of the
            largest), if sizes disagree, or, for a free bias, if Gn is not zero.

    Source: this book, labels for any class means.

    >>> import torch
    >>> from nclib.ufm import solve
    >>> etf, counts = torch.eye(3).double() - 1 / 3, [900, 30, 1]
    >>> penalties = {"lam_w": 0.01, "lam_h": 0.001, "lam_b": 0.5}
    >>> labels = labels_for_gram(etf, counts, **penalties)
    >>> means = solve(labels, counts, **penalties, tol=1e-13).means
    >>> bool(((means @ means.T - etf).abs() < 1e-6).all())
    True
    """
    gram, counts = label_matrix(gram, "gram", square=True), positive_counts(counts)
    if counts.shape != gram.shape[:1]:
        raise ValueError(
            f"counts must have one entry a row of gram, {len(gram)}, got {len(counts)}"
        )
    counts = counts.to(gram)
    theta, scale = threshold(float(counts.sum()), lam_w=lam_w, lam_h=lam_h), float(gram.abs().max())
    asymmetry = float((gram - gram.T).abs().max())
    if asymmetry > 1e-9 * scale:
        raise ValueError(f"gram must be symmetric, but G - G^T has an entry of {asymmetry:.3g}")
    least = float(torch.linalg.eigvalsh(gram)[0])
    if least < -1e-9 * scale:
        raise ValueError(f"gram must be positive semidefinite, got the eigenvalue {least:.3g}")
    roots = counts.sqrt()
    eye = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    mean = torch.outer(roots, roots) / counts.sum()
    if bias_penalty(lam_b) == 0:
        pull = float((gram @ counts).abs().max() / counts.sum())
        if pull > 1e-9 * scale:
            raise ValueError(
                f"for a free bias gram @ counts must be zero, got {pull:.3g} a sample: no labels "
                "have these means"
            )
        inverse = eye - mean
    else:
        inverse = eye + mean / lam_b
    x = math.sqrt(lam_h / lam_w) * roots[:, None] * gram * roots
    return columns(frame, len(gram)) @ (x + theta * inverse) / roots
