"""Balanced classes: the optimum for one-hot, shifted, invertible and other encodings."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Real
from torch import Tensor

from nclib.ufm._problem import bias_penalty, positive, real, whole
from nclib.ufm.closed_form._common import (
    Optimum,
    bias_share,
    centring,
    columns,
    label_matrix,
    shrinkage,
    strength,
)


def _soft(value: float, cut: float) -> float:
    return math.copysign(max(abs(value) - cut, 0.0), value)


def _mean_cut(c: float, lam_b: float) -> float:
    """The shrinkage of the common mean: c (1 + lam_b) / lam_b, c without a bias."""
    if lam_b == 0:
        return math.inf
    return c * (1 + 1 / lam_b)


def _polar(matrix: Float[Tensor, "K C"]) -> tuple[Tensor, Tensor]:
    """Polar factors: an orthogonal U and the positive semidefinite |A| with A = U |A|."""
    left, values, right = torch.linalg.svd(matrix)
    return left @ right, (right.T * values) @ right


def one_hot_transition(c: float) -> float:
    r"""The :math:`\lambda_b` up to which the means form a simplex ETF, :math:`c/(1-c)`.

    Infinite for c at least 1, where everything is zero. Source: paper, Theorem III.1.
    """
    c = strength(c)
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
    share = bias_share(lam_b)
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
    share, mean = bias_share(lam_b), scale * (1 - shift)
    across, along = max(scale - c, 0.0), _soft(mean, _mean_cut(c, lam_b))
    p = columns(frame, k)
    ones = torch.full((k, k), 1 / k, dtype=torch.float64, device=p.device)
    contrasts = across * centring(k, p)
    gram = math.sqrt(lam_w / (count * lam_h)) * (contrasts + abs(along) * ones)
    bias = share * (mean - along) / k * p.sum(1)
    return Optimum(p @ (contrasts + along * ones), gram, bias)


def regime_margin(
    labels: Real[Tensor, "K K"], count: float, *, lam_w: float, lam_h: float, lam_b: float
) -> float:
    r"""The least eigenvalue of :math:`|\bar Y| - c(I + J/(K\lambda_b))`.

    Not negative exactly where ``invertible`` holds; the optimum is invertible where it is positive.
    Minus infinity for a free bias.

    Source: this book, invertible encodings.
    """
    labels = label_matrix(labels, square=True)
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

    Source: this book, invertible encodings; Andriopoulos et al. (2024) have this form of the
    classifier's Gram matrix for regression.
    """
    labels = label_matrix(labels, square=True)
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
    k, c = whole("num_classes", num_classes, least=1), strength(c)
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
    x = scale * centring(k, u) + torch.outer(u, ones) + torch.outer(ones, u)
    x = x + (least if level is None else level)
    sign = torch.eye(k, dtype=u.dtype, device=u.device)
    if level is None or level == least:
        null = ones - (k / scale) * u
        null = null / null.norm()
        sign = sign - (1 - kink) * torch.outer(null, null)
    inverse = torch.eye(k, dtype=u.dtype, device=u.device) + 1 / (k * lam_b)
    labels = x + c * sign @ inverse
    return columns(frame, k) @ labels


def means_coincide(
    labels: Real[Tensor, "K C"], count: float, *, lam_w: float, lam_h: float, lam_b: float
) -> bool:
    r"""Whether all optimal means are equal (possibly zero), n samples a class.

    Exactly where :math:`\|\bar YM\|_{op} \le c` with :math:`M = I - J/((1+\lambda_b)K)` (the means
    are zero), or :math:`(\bar YC)^\top\bar Y1 = 0` and :math:`\|\bar YC\|_{op} \le c`.

    Source: this book, NC2 characterised.
    """
    labels = label_matrix(labels)
    k = labels.shape[1]
    c = shrinkage(k, count, lam_w=lam_w, lam_h=lam_h) * (1 + 1e-12)
    total = labels.sum(1)
    centred = labels - total[:, None] / k
    partly = labels - bias_share(lam_b) * total[:, None] / k
    if float(torch.linalg.matrix_norm(partly, 2)) <= c:
        return True
    scale = float(labels.norm() * total.norm())
    aligned = float((centred.T @ total).norm()) <= 1e-12 * scale
    return aligned and float(torch.linalg.matrix_norm(centred, 2)) <= c


def rotated_alignment(num_classes: int, angle: float) -> float:
    r"""NC3's cosine for one-hot labels that are rotated in a coordinate plane.

    :math:`\langle W^\top, \bar H\rangle/(\|W\|\|\bar H\|) = (K - 2 + 2\cos\varphi)/K` with the
    angle in radians, for every :math:`\lambda_b` and every c < 1.

    Source: this book, from the paper's Proposition IV.3.
    """
    if not math.isfinite(angle):
        raise ValueError(f"angle must be finite, got {angle}")
    return (whole("num_classes", num_classes, least=2) - 2 + 2 * math.cos(angle)) / num_classes
