r"""Closed forms of the unconstrained features model: optima and thresholds.

Balanced results are in terms of :math:`c = K\sqrt{n\lambda_W\lambda_H}` (``shrinkage``), the
amount by which singular values shrink in the scale of the labels; imbalanced ones in terms of
:math:`\theta = N\sqrt{\lambda_W\lambda_H}` (``threshold``), to be compared with square roots of
counts. Every function raises ValueError for penalties, counts and sizes out of range.
:math:`C = I - J/K` centres, :math:`J = 11^\top`. The loss is ``mse`` unless a function says
otherwise; "paper" is the class-encoding paper, and what is not in it names this book.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Real
from torch import Tensor

from nclib.ufm._problem import (
    bias_penalty,
    make_problem,
    number,
    positive,
    positive_counts,
    real,
    whole,
)
from nclib.ufm._solve import RANK_CUT, balanced_factors


class Optimum(NamedTuple):
    """What is unique at a global optimum: the features themselves are so up to a rotation."""

    scores: Float[Tensor, "K C"]  # W* H*^T: logits without the bias, one column a target
    gram: Float[Tensor, "C C"]  # means @ means.T, the paper's H^T H
    bias: Float[Tensor, " K"]  # zeros without a bias


class TwoSizes(NamedTuple):
    """Spectrum and thresholds of k_a classes of n_a samples and k_b of n_b, free bias."""

    majority: float  # n_a: squared singular value of contrasts among the large classes
    between: float  # K n_a n_b / N: of the contrast between the two groups
    minority: float  # n_b: of contrasts among the small classes
    minorities_merge: float  # threshold theta from which the small classes share one mean
    minority_mean_vanishes: float  # ... from which that mean is zero
    majorities_merge: float  # ... from which the large classes share one mean too


# --------------------------------------------------------------------------- parameters


def shrinkage(num_classes: int, count: float, *, lam_w: float, lam_h: float) -> float:
    r""":math:`c = K\sqrt{n\lambda_W\lambda_H}` of K classes with n samples each.

    Source: paper, Theorem III.1.

    >>> shrinkage(10, 100, lam_w=1e-3, lam_h=1e-5)
    0.01
    """
    count, lam_w, lam_h = (
        positive("count", count),
        positive("lam_w", lam_w),
        positive("lam_h", lam_h),
    )
    return whole("num_classes", num_classes, least=1) * math.sqrt(count * lam_w * lam_h)


def threshold(samples: float, *, lam_w: float, lam_h: float) -> float:
    r""":math:`\theta = N\sqrt{\lambda_W\lambda_H}`, to be compared with square roots of counts."""
    samples = positive("samples", samples)
    return samples * math.sqrt(positive("lam_w", lam_w) * positive("lam_h", lam_h))


def factorise(
    scores: Float[Tensor, "K C"],
    counts: Real[Tensor, " C"] | Sequence[float],
    *,
    lam_w: float,
    lam_h: float,
    dim: int | None = None,
) -> tuple[Float[Tensor, "K P"], Float[Tensor, "C P"]]:
    r"""The cheapest weight and means with ``weight @ means.T = scores``.

    Balanced: :math:`\lambda_W W^\top W = \lambda_H \bar H D \bar H^\top`. ``dim`` is P, by default
    min(K, C).

    Raises:
        ValueError: if ``dim`` is below the rank of the scores (singular values above 1e-8 of the
            largest), or for data out of range.
    """
    scores, counts = _labels(scores, "scores"), positive_counts(counts)
    lam_w, lam_h = positive("lam_w", lam_w), positive("lam_h", lam_h)
    if counts.shape != scores.shape[1:]:
        raise ValueError(
            f"counts must have one entry a column of scores, {scores.shape[1]}, got {len(counts)}"
        )
    roots = counts.to(scores).sqrt()
    left, values, right = torch.linalg.svd(scores * roots, full_matrices=False)
    width = min(scores.shape) if dim is None else whole("dim", dim, least=1)
    rank = int((values > RANK_CUT * values.max()).sum())
    if width < rank:
        raise ValueError(f"dim must be at least the rank of the scores, {rank}, got {dim}")
    return balanced_factors(left, values, right.T, roots, lam_w, lam_h, width)


def _centring(size: int, like: Tensor | None = None) -> Float[Tensor, "K K"]:
    eye = torch.eye(size, dtype=torch.float64, device=None if like is None else like.device)
    return eye - 1 / size


def _soft(value: float, cut: float) -> float:
    return math.copysign(max(abs(value) - cut, 0.0), value)


def _mean_cut(c: float, lam_b: float) -> float:
    """The shrinkage of the common mean: c (1 + lam_b) / lam_b, c without a bias."""
    if lam_b == 0:
        return math.inf
    return c * (1 + 1 / lam_b)


def _bias_share(lam_b: float) -> float:
    """gamma = 1 / (1 + lam_b), zero without a bias."""
    return 1 / (1 + bias_penalty(lam_b))


def _labels(
    labels: Real[Tensor, "K C"], name: str = "labels", *, square: bool = False
) -> Float[Tensor, "K C"]:
    labels = real(name, labels)
    if labels.ndim != 2 or 0 in labels.shape:
        raise ValueError(f"{name} must be a (K, C) matrix, got shape {tuple(labels.shape)}")
    if square and labels.shape[0] != labels.shape[1]:
        raise ValueError(f"{name} must be square, got shape {tuple(labels.shape)}")
    return labels


def _columns(frame: Real[Tensor, "L K"] | None, size: int) -> Float[Tensor, "L K"]:
    """The frame P with K columns, by default the identity."""
    if frame is None:
        return torch.eye(size, dtype=torch.float64)
    frame = _labels(frame, "frame")
    if frame.shape[1] != size:
        raise ValueError(f"frame must have {size} columns, got shape {tuple(frame.shape)}")
    return frame


def _strength(c: float) -> float:
    c = number("c", c)
    if not (math.isfinite(c) and c >= 0):
        raise ValueError(f"c must be non-negative and finite, got {c}")
    return c


def _polar(matrix: Float[Tensor, "K C"]) -> tuple[Tensor, Tensor]:
    """Polar factors: an orthogonal U and the positive semidefinite |A| with A = U |A|."""
    left, values, right = torch.linalg.svd(matrix)
    return left @ right, (right.T * values) @ right


# ---------------------------------------------------------- balanced: Theorem III.1, result 1


def one_hot_transition(c: float) -> float:
    r"""The :math:`\lambda_b` up to which the means form a simplex ETF, :math:`c/(1-c)`.

    Infinite for c at least 1, where everything is zero. Source: paper, Theorem III.1.
    """
    c = _strength(c)
    return c / (1 - c) if c < 1 else math.inf


def one_hot(num_classes: int, count: float, *, lam_w: float, lam_h: float, lam_b: float) -> Optimum:
    r"""One-hot labels, n samples a class.

    .. math:: \bar H^\top\bar H = \sqrt{\tfrac{\lambda_W}{n\lambda_H}}\,(1-c)
       \Bigl(I - \beta\tfrac{J}{K}\Bigr), \qquad
       \beta = \begin{cases} 1 & \lambda_b \le c/(1-c)\\ c/(\lambda_b(1-c)) & \text{else}\end{cases}

    and :math:`b = 1/((1+\lambda_b)K)` or :math:`c/(\lambda_b K)` in every entry; zero means for
    c at least 1. Without a bias (``math.inf``) :math:`\beta = 0`: an orthogonal frame.

    Source: paper, Theorem III.1 (whose scale is said to depend on :math:`\lambda_b`; it does not).
    """
    k, c = num_classes, shrinkage(num_classes, count, lam_w=lam_w, lam_h=lam_h)
    share = _bias_share(lam_b)
    if lam_b <= one_hot_transition(c):
        beta, level = 1.0, share / k
    else:
        beta, level = c / (lam_b * (1 - c)), c / (lam_b * k)
    if math.isinf(lam_b):
        level = 0.0
    scores = max(1 - c, 0.0) * (torch.eye(k, dtype=torch.float64) - beta / k)
    gram = math.sqrt(lam_w / (count * lam_h)) * scores
    return Optimum(scores, gram, torch.full((k,), level, dtype=torch.float64))


def ssetf(
    num_classes: int,
    count: float,
    *,
    scale: float,
    shift: float,
    lam_w: float,
    lam_h: float,
    lam_b: float,
    frame: Real[Tensor, "L K"] | None = None,
) -> Optimum:
    r"""Labels that form a shifted simplex ETF, :math:`\bar Y = \alpha P(I - \beta J/K)`.

    .. math:: W\bar H = P\bigl(z_\perp C + z_1 \tfrac{J}{K}\bigr), \quad z_\perp = (\alpha - c)_+,
       \quad z_1 = \mathrm{soft}\bigl(\alpha(1-\beta),\ c\tfrac{1+\lambda_b}{\lambda_b}\bigr),

    :math:`\bar H^\top\bar H = \sqrt{\lambda_W/(n\lambda_H)}\,(z_\perp C + |z_1| J/K)`; without a
    bias the second cut is c, with a free one :math:`z_1 = 0`.

    Args:
        scale: :math:`\alpha > 0`.
        shift: :math:`\beta`; 0 is an orthogonal frame, 1 a simplex ETF, and smoothing by
            :math:`\delta` is :math:`\alpha = 1 - \delta,\ \beta = -\delta/(1-\delta)`.
        frame: P, with orthonormal columns; the identity if ``None``.

    Source: this book, SSETF encodings in closed form (one-hot is the paper's Theorem III.1).
    """
    scale = positive("scale", scale)
    if not math.isfinite(shift):
        raise ValueError(f"shift must be finite, got {shift}")
    k, c = num_classes, shrinkage(num_classes, count, lam_w=lam_w, lam_h=lam_h)
    share, mean = _bias_share(lam_b), scale * (1 - shift)
    across, along = max(scale - c, 0.0), _soft(mean, _mean_cut(c, lam_b))
    p = _columns(frame, k)
    ones = torch.full((k, k), 1 / k, dtype=torch.float64, device=p.device)
    centring = _centring(k, p)
    gram = math.sqrt(lam_w / (count * lam_h)) * (across * centring + abs(along) * ones)
    bias = share * (mean - along) / k * p.sum(1)
    return Optimum(p @ (across * centring + along * ones), gram, bias)


# --------------------------------------------------------------- balanced: results 2 and 3


def regime_margin(
    labels: Real[Tensor, "K K"], count: float, *, lam_w: float, lam_h: float, lam_b: float
) -> float:
    r"""The least eigenvalue of :math:`|\bar Y| - c(I + J/(K\lambda_b))`.

    Not negative exactly where ``invertible`` holds; the optimum is invertible where it is positive.
    Minus infinity for a free bias.

    Source: this book, invertible encodings.
    """
    labels = _labels(labels, square=True)
    k = len(labels)
    if bias_penalty(lam_b) == 0:
        return -math.inf
    c = shrinkage(k, count, lam_w=lam_w, lam_h=lam_h)
    _, size = _polar(labels)
    inverse = torch.eye(k, dtype=size.dtype, device=size.device) + 1 / (k * lam_b)
    return float(torch.linalg.eigvalsh(size - c * inverse)[0])


def invertible(
    labels: Real[Tensor, "K K"], count: float, *, lam_w: float, lam_h: float, lam_b: float
) -> Optimum:
    r"""Invertible labels with weak enough regularisation, n samples a class.

    With the polar decomposition :math:`\bar Y = U|\bar Y|`, exactly where
    :math:`|\bar Y| \succeq c(I + J/(K\lambda_b))`,

    .. math:: \bar H^\top\bar H = \sqrt{\tfrac{\lambda_W}{n\lambda_H}}
       \Bigl(|\bar Y| - c\bigl(I + \tfrac{J}{K\lambda_b}\bigr)\Bigr), \qquad
       b = \frac{c}{\lambda_b K} U 1 .

    Raises:
        ValueError: outside that regime (there is none for a free bias).

    Source: this book, invertible encodings.
    """
    labels = _labels(labels, square=True)
    margin = regime_margin(labels, count, lam_w=lam_w, lam_h=lam_h, lam_b=lam_b)
    if margin < 0:
        raise ValueError(
            "the closed form needs |Y| - c(I + J/(K lam_b)) positive semidefinite, but its least "
            f"eigenvalue is {margin:.3g}"
        )
    k = len(labels)
    c = shrinkage(k, count, lam_w=lam_w, lam_h=lam_h)
    rotation, size = _polar(labels)
    inverse = torch.eye(k, dtype=size.dtype, device=size.device) + 1 / (k * lam_b)
    shrunk = size - c * inverse
    bias = c / (lam_b * k) * rotation.sum(1)
    return Optimum(rotation @ shrunk, math.sqrt(lam_w / (count * lam_h)) * shrunk, bias)


def nc2_labels(
    num_classes: int,
    c: float,
    *,
    lam_b: float,
    scale: float,
    tilt: Real[Tensor, " K"],
    level: float | None = None,
    kink: float = 1.0,
    frame: Real[Tensor, "L K"] | None = None,
) -> Float[Tensor, "L K"]:
    r"""Labels whose optimal means satisfy NC2: for :math:`\lambda_b > 0`, all of them are these.

    .. math:: \bar Y = P(X + cTM^{-1}), \quad X = aC + u1^\top + 1u^\top + sJ \succeq 0, \quad
       M^{-1} = I + \tfrac{J}{K\lambda_b},

    with a > 0, u orthogonal to 1, :math:`T = I` for invertible X, else
    :math:`T = I - (1-t)\hat w\hat w^\top` with :math:`X\hat w = 0`. The optimum is
    :math:`W\bar H = PX`, so the Gram matrix is :math:`\sqrt{\lambda_W/(n\lambda_H)}X`, whose
    centred part is a C. It is a shifted simplex ETF only for u = 0.

    Args:
        c: the ``shrinkage``.
        scale: a.
        tilt: u; its mean is removed.
        level: s; at least :math:`\|u\|^2/a`, which is also the default (X singular).
        kink: t in [-1, 1]; used where X is singular.
        frame: P, the identity if ``None``.

    Raises:
        ValueError: for a scale that is not positive, a level too low, a kink out of range, a free
            bias.

    Source: this book, NC2 characterised.
    """
    k, c = whole("num_classes", num_classes, least=1), _strength(c)
    scale = positive("scale", scale)
    if not lam_b > 0:
        raise ValueError(f"lam_b must be positive, got {lam_b}")
    if not -1 <= kink <= 1:
        raise ValueError(f"kink must lie in [-1, 1], got {kink}")
    u = real("tilt", tilt)
    if u.shape != (k,):
        raise ValueError(f"tilt must have shape ({k},), got {tuple(u.shape)}")
    u = u - u.mean()
    least = float(u @ u) / scale
    if level is not None and not least <= level < math.inf:
        raise ValueError(f"level must be at least |u|^2/a = {least:.6g}, got {level}")
    ones = torch.ones_like(u)
    x = scale * _centring(k, u) + torch.outer(u, ones) + torch.outer(ones, u)
    x = x + (least if level is None else level)
    sign = torch.eye(k, dtype=u.dtype, device=u.device)
    if level is None or level == least:
        null = ones - (k / scale) * u
        null = null / null.norm()
        sign = sign - (1 - kink) * torch.outer(null, null)
    inverse = torch.eye(k, dtype=u.dtype, device=u.device) + 1 / (k * lam_b)
    labels = x + c * sign @ inverse
    return _columns(frame, k) @ labels


def means_coincide(
    labels: Real[Tensor, "K C"], count: float, *, lam_w: float, lam_h: float, lam_b: float
) -> bool:
    r"""Whether all optimal means are equal (possibly zero), n samples a class.

    Exactly where :math:`\|\bar YM\|_{op} \le c` with :math:`M = I - J/((1+\lambda_b)K)` (the means
    are zero), or :math:`(\bar YC)^\top\bar Y1 = 0` and :math:`\|\bar YC\|_{op} \le c`.

    Source: this book, NC2 characterised.
    """
    labels = _labels(labels)
    k = labels.shape[1]
    c = shrinkage(k, count, lam_w=lam_w, lam_h=lam_h) * (1 + 1e-12)
    total = labels.sum(1)
    centred = labels - total[:, None] / k
    partly = labels - _bias_share(lam_b) * total[:, None] / k
    if float(torch.linalg.matrix_norm(partly, 2)) <= c:
        return True
    scale = float(labels.norm() * total.norm())
    aligned = float((centred.T @ total).norm()) <= 1e-12 * scale
    return aligned and float(torch.linalg.matrix_norm(centred, 2)) <= c


def bias_bound(samples: float, *, lam_w: float, lam_h: float, lam_b: float) -> float:
    r"""A bound of the norm of the optimal bias, for any labels and counts.

    :math:`\|b\| \le \sqrt{N\lambda_W\lambda_H}/\lambda_b`. Source: this book, invertible encodings.
    """
    pull = threshold(samples, lam_w=lam_w, lam_h=lam_h) / math.sqrt(samples)
    return pull / lam_b if bias_penalty(lam_b) > 0 else math.inf


def rotated_alignment(num_classes: int, angle: float) -> float:
    r"""NC3's cosine for one-hot labels that are rotated in a coordinate plane.

    :math:`\langle W^\top, \bar H\rangle/(\|W\|\|\bar H\|) = (K - 2 + 2\cos\varphi)/K` with the
    angle in radians, for every :math:`\lambda_b` and every c < 1.

    Source: this book, from the paper's Proposition IV.3.
    """
    if not math.isfinite(angle):
        raise ValueError(f"angle must be finite, got {angle}")
    return (whole("num_classes", num_classes, least=2) - 2 + 2 * math.cos(angle)) / num_classes


# ------------------------------------------------------------------- imbalance: result 4


def bias_free_norms(
    counts: Real[Tensor, " K"] | Sequence[float], *, lam_w: float, lam_h: float
) -> Float[Tensor, " K"]:
    r"""Squared norms of the class means, one-hot labels, any counts, no bias.

    .. math:: \|\bar h_k\|^2 = \sqrt{\lambda_W/\lambda_H}\,(\sqrt{n_k} - \theta)_+ / n_k,

    the means being orthogonal. A class vanishes where :math:`\sqrt{n_k} \le \theta`; the norm peaks
    at :math:`\sqrt{n_k} = 2\theta`: rarer classes first get longer, then vanish.

    Source: this book, imbalance.
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

    Source: this book, imbalance; the secular equation is Golub's.

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


# -------------------------------------------------------- smoothing and merging: results 6, 7


def smoothed_cross_entropy(
    num_classes: int, count: float, *, smoothing: float, lam_w: float, lam_h: float
) -> Optimum:
    r"""Cross-entropy with labels :math:`(1-\delta)I + (\delta/K)J`, any :math:`\lambda_b`.

    .. math:: W\bar H = zC, \quad z = \log\Bigl(1 + \frac{K(1-q)}{q}\Bigr), \quad q = c + \delta,

    zero for q at least 1, and b = 0: smoothing acts as regularisation does, through the sum alone.
    (For ``mse`` the centred means shrink by the same sum: ``ssetf`` with
    :math:`\alpha = 1 - \delta`.)

    Source: this book, smoothing is regularisation.
    """
    if not 0 <= smoothing <= 1:
        raise ValueError(f"smoothing must lie in [0, 1], got {smoothing}")
    k = num_classes
    q = shrinkage(k, count, lam_w=lam_w, lam_h=lam_h) + smoothing
    z = math.log1p(k * (1 - q) / q) if q < 1 else 0.0
    scores = z * _centring(k)
    gram = math.sqrt(lam_w / (count * lam_h)) * scores
    return Optimum(scores, gram, torch.zeros(k, dtype=torch.float64))


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


# ------------------------------------------------------------------- narrow layers: result 8


def truncated(
    targets: Real[Tensor, "K C"],
    counts: Real[Tensor, " C"] | Sequence[float],
    dim: int,
    *,
    lam_w: float,
    lam_h: float,
    lam_b: float,
) -> Optimum:
    r"""The optimum with features of width d, however narrow, without or with a free bias.

    The best rank-d approximation: the d largest singular values of :math:`\bar YD^{1/2}`
    (:math:`\lambda_b = \infty`) or of the count-centred labels (:math:`\lambda_b = 0`), each less
    :math:`\theta`. It is unique where the d-th singular value exceeds the next.

    Raises:
        ValueError: for another :math:`\lambda_b` or a ``dim`` below 1.

    Source: this book, too narrow a layer.
    """
    problem = make_problem(targets, counts, lam_w=lam_w, lam_h=lam_h, lam_b=lam_b, loss="mse")
    if lam_b != 0 and not math.isinf(lam_b):
        raise ValueError(f"lam_b must be 0 or math.inf, got {lam_b}")
    dim = whole("dim", dim, least=1)
    bias = torch.zeros_like(problem.targets[:, 0])
    if lam_b == 0:
        bias = problem.targets @ problem.counts / problem.samples
    centred = (problem.targets - bias[:, None]) * problem.roots
    left, values, right = torch.linalg.svd(centred, full_matrices=False)
    values = (values - problem.threshold).clamp(min=0)
    values[dim:] = 0
    scores = (left * values) @ right / problem.roots
    half = right.T * values.sqrt() / problem.roots[:, None]
    return Optimum(scores, math.sqrt(lam_w / lam_h) * half @ half.T, bias)


def narrow_one_hot(
    projection: Real[Tensor, "K K"], count: float, *, lam_w: float, lam_h: float, lam_b: float
) -> Optimum:
    r"""A minimiser for one-hot labels in a width d < K, with a bias.

    With n samples a class the minimisers are exactly :math:`W\bar H = (1-c)\Pi`, :math:`\Pi` any
    rank-d projection with :math:`\Pi 1 = 0`, and :math:`b = 1/((1+\lambda_b)K)`. For d = K - 1 that
    is the simplex ETF for every finite :math:`\lambda_b`, without the transition of Theorem III.1;
    for d < K - 1 it is never NC2.

    Args:
        projection: :math:`\Pi`, whose rank is the width.

    Raises:
        ValueError: if it is no orthogonal projection or does not annihilate the ones, or without a
            bias.

    Source: this book, too narrow a layer.
    """
    projection = _labels(projection, "projection", square=True)
    k = len(projection)
    if math.isinf(lam_b):
        raise ValueError("lam_b must be finite; without a bias use truncated")
    defect = max(
        float((projection @ projection - projection).abs().max()),
        float((projection - projection.T).abs().max()),
        float(projection.sum(1).abs().max()),
    )
    if defect > 1e-9:
        raise ValueError(f"expected an orthogonal projection with P 1 = 0, off by {defect:.3g}")
    c = shrinkage(k, count, lam_w=lam_w, lam_h=lam_h)
    scores = max(1 - c, 0.0) * projection
    level = _bias_share(lam_b) / k
    gram = math.sqrt(lam_w / (count * lam_h)) * scores
    return Optimum(scores, gram, torch.full((k,), level, dtype=torch.float64))
