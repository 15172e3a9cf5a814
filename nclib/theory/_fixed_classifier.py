"""Binary cross-entropy of several labels under a fixed simplex classifier without a bias."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import scipy
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nclib import _check


class TwoLogits(NamedTuple):
    """The logits of an image at its optimum, which take two values."""

    positive: float  # of its labels; 0 if it has none
    negative: float  # of the other classes; 0 if it has all
    loss: float  # the cross-entropy, summed over the classes, without the penalty


class UnitBlocks(NamedTuple):
    """The best unit features of an image, one a class, with a certificate."""

    features: Float[Tensor, "K B"]  # μ_k, unit rows
    logits: Float[Tensor, " K"]
    loss: float  # summed over the classes
    gap: float  # loss less a lower bound over all unit features


def fixed_classifier_logits(num_classes: int, num_labels: int, *, lam_h: float) -> TwoLogits:
    r"""The optimal logits of an image with m labels, for free features with a ridge.

    .. math:: \min_h \sum_c \log(1 + e^{-s_c\langle v_c, h\rangle}) + \frac{\lambda_H}2\|h\|^2,
       \qquad s_c = \pm 1

    for a simplex ETF of unit rows :math:`v_c`. As they add up to zero, so do the logits. The
    optimum is :math:`(K - m)t` on the labels and :math:`-mt` off them, with

    .. math:: \lambda_H (K - 1)\, t = \sigma(-(K - m)t) + \sigma(-mt)

    for :math:`1 \le m \le K - 1`, and 0 for m = 0 and m = K. Neither the dimension of the features
    nor other images matter.

    Args:
        num_classes: K, at least 2.
        num_labels: m, from 0 to K.
        lam_h: :math:`\lambda_H > 0`, of one image.

    Raises:
        TypeError: if K or m is no whole number, or the ridge no number.
        ValueError: if an argument is out of range.

    Source: this book; the classifier is that of MLC-NC (Tao et al., AAAI 2025), equation (10).

    >>> one = fixed_classifier_logits(80, 1, lam_h=0.01)
    >>> round(one.positive, 1), round(one.negative, 2)
    (38.2, -0.48)
    >>> fixed_classifier_logits(80, 80, lam_h=0.01).positive
    0.0
    """
    _check_labels(num_classes, num_labels)
    _check.number("lam_h", lam_h, above=0)
    m, others = num_labels, num_classes - num_labels
    if m * others == 0:
        return TwoLogits(0.0, 0.0, num_classes * math.log(2))

    def slope(t: float) -> float:
        return lam_h * (num_classes - 1) * t - _sigmoid(-others * t) - _sigmoid(-m * t)

    return _two_logits(
        num_classes, m, scipy.optimize.brentq(slope, 0.0, 1 / (lam_h * (num_classes - 1)))
    )


def fixed_norm_logits(num_classes: int, num_labels: int, *, length: float) -> TwoLogits:
    r"""The optimal logits of an image with m labels, for features of at most a given length.

    As :func:`fixed_classifier_logits` with :math:`\|h\| \le R` in the place of the ridge:
    :math:`t = R/\sqrt{(K - 1)\,m\,(K - m)}`.

    K unit features, one a class, concatenated and scaled by γ, have the length
    :math:`\gamma\sqrt K`. So their loss is at least the one of :math:`R = \gamma\sqrt K`, whatever
    the rotation of the classifier. It is that loss if all blocks of the classifier have the same
    Gram matrix. It is at most the one of :math:`R = \gamma` if the features may be shorter than 1.

    Args:
        num_classes: K, at least 2.
        num_labels: m, from 0 to K.
        length: R ≥ 0.

    Raises:
        TypeError: if K or m is no whole number, or the length no number.
        ValueError: if an argument is out of range.

    Source: this book.

    >>> best = fixed_norm_logits(4, 1, length=10.0)
    >>> round(best.positive, 3), round(best.negative, 3), round(best.loss, 3)
    (10.0, -3.333, 0.105)
    """
    _check_labels(num_classes, num_labels)
    _check.number("length", length, least=0)
    m, others = num_labels, num_classes - num_labels
    if m * others == 0:
        return TwoLogits(0.0, 0.0, num_classes * math.log(2))
    return _two_logits(num_classes, m, length / math.sqrt((num_classes - 1) * m * others))


def unit_block_optimum(
    classifier: Float[Tensor, "K D"], labels: Bool[Tensor, " K"], *, scale: float
) -> UnitBlocks:
    r"""The best unit features :math:`\mu_1, \dots, \mu_K` of an image for a given classifier.

    .. math:: \min_{\|\mu_k\| = 1} \sum_c \log(1 + e^{-s_c z_c}),\qquad
       z_c = \gamma \langle v_c, (\mu_1, \dots, \mu_K)\rangle

    over D = K·B coordinates in blocks of B. With :math:`v_c^k` for the block k of a row, weak
    duality gives for all :math:`g \in [0, 1]^K`

    .. math:: \min \ge \sum_c \operatorname{Ent}(g_c)
       - \gamma\sum_k \Bigl\|\sum_c g_c s_c v_c^k\Bigr\| ,

    the entropy being that of a coin. The right side is maximised, and the features are the
    normalised sums inside the norms. Where none of these vanishes the two sides meet.

    Args:
        classifier: (K, D), any rows, D a multiple of K.
        labels: (K,), whether the image has each class.
        scale: γ > 0.

    Raises:
        TypeError: if the classifier is no floating-point matrix, or the scale no number.
        ValueError: if D is no multiple of K, the labels are not one a class, or γ ≤ 0.

    Source: this book; the model is that of MLC-NC (Tao et al., AAAI 2025), equations (7) and (10).

    >>> from nclib.geometry import simplex_etf
    >>> etf = simplex_etf(4, 12, generator=torch.Generator().manual_seed(0))
    >>> best = unit_block_optimum(etf, torch.arange(4) < 1, scale=5.0)
    >>> best.gap < 1e-9, best.loss > fixed_norm_logits(4, 1, length=10.0).loss
    (True, True)
    """
    rows = _check.matrix("classifier", classifier).detach().double()
    num_classes, width = rows.shape
    labels = torch.as_tensor(labels, dtype=torch.bool)
    if width % num_classes:
        raise ValueError(f"classifier has {width} columns, expected a multiple of {num_classes}")
    if labels.shape != (num_classes,):
        raise ValueError(
            f"labels must have shape ({num_classes},), one a class, got {tuple(labels.shape)}"
        )
    _check.number("scale", scale, above=0)
    blocks = rows.reshape(num_classes, num_classes, -1)  # class, block, coordinate
    signs = torch.where(labels, 1.0, -1.0).to(rows)

    def sums(u: Tensor) -> Tensor:
        return torch.einsum("c,ckb->kb", signs * u.sigmoid(), blocks)

    def bound(u: Tensor) -> Tensor:
        softplus = torch.nn.functional.softplus
        entropy = softplus(u) - u * u.sigmoid()
        return entropy.sum() - scale * sums(u).norm(dim=1).sum()

    def negative(x: np.ndarray) -> tuple[float, np.ndarray]:
        u = torch.from_numpy(x).requires_grad_()
        value = bound(u)
        if not value > 0:
            return math.inf, np.zeros_like(x)
        (slope,) = torch.autograd.grad(-value.log(), u)  # so that small losses are exact too
        return -math.log(float(value.detach())), slope.numpy()

    start = -torch.ones(num_classes, dtype=rows.dtype)
    while not bound(start) > 0:
        start *= 2
    reached = scipy.optimize.minimize(
        negative, start.numpy(), jac=True, method="BFGS", options=_PRECISE
    )
    u = torch.from_numpy(reached.x)
    features = torch.nn.functional.normalize(sums(u), dim=1)
    logits = scale * torch.einsum("ckb,kb->c", blocks, features)
    loss = float(torch.nn.functional.softplus(-signs * logits, threshold=40).sum())
    return UnitBlocks(features, logits, loss, loss - float(bound(u)))


_PRECISE = {"gtol": 1e-12, "maxiter": 2000}


def _check_labels(num_classes: int, num_labels: int) -> None:
    _check.whole("num_classes", num_classes, least=2)
    _check.whole("num_labels", num_labels, least=0)
    if num_labels > num_classes:
        raise ValueError(f"num_labels is {num_labels}, expected at most {num_classes} classes")


def _sigmoid(x: float) -> float:
    return math.exp(x) / (1 + math.exp(x)) if x < 0 else 1 / (1 + math.exp(-x))


def _two_logits(num_classes: int, m: int, t: float) -> TwoLogits:
    positive, negative = (num_classes - m) * t, -m * t
    loss = m * math.log1p(math.exp(-positive))
    loss += (num_classes - m) * math.log1p(math.exp(negative))
    return TwoLogits(positive, negative, loss)
