"""Centres of classes that a contrastive loss pushes apart, and the angles that centres can have."""

from __future__ import annotations

import math

import scipy

from nclib import _check


def simplex_prototype_loss(num_classes: int, *, temperature: float = 0.5) -> float:
    r"""The cross-entropy of a feature that lies at its own centre, the centres being a simplex.

    .. math:: \log\bigl(1 + (K - 1)\, e^{-K/((K - 1)\tau)}\bigr)

    No feature has less for these centres. Nor do collapsed features and their centres have less on
    average over equally frequent classes, in any dimension.

    Args:
        num_classes: K, at least 2.
        temperature: τ > 0.

    Raises:
        TypeError: if an argument is no number.
        ValueError: if one is out of range.

    Source: MLC-NC (Tao et al., AAAI 2025), equation (9) at τ₁ = τ₂. For equally frequent classes
    the optimum is that of Graf et al. (2021), arXiv 2102.08817.

    >>> round(simplex_prototype_loss(20), 3)
    1.198
    """
    _check.whole("num_classes", num_classes, least=2)
    _check.number("temperature", temperature, above=0)
    lead = num_classes / ((num_classes - 1) * temperature)
    return math.log1p((num_classes - 1) * math.exp(-lead))


def least_mean_angle(num_classes: int) -> float:
    r"""A lower bound of the mean angle between K centred vectors of equal length, in degrees.

    Their cosines have the mean −1/(K − 1) exactly. The angle is no linear function of the cosine,
    so its mean may differ from :math:`\arccos(-1/(K-1))`. It is at least

    .. math:: \frac{K}{K - 1} \cdot \frac{\theta}{1 - \cos\theta},\qquad \tan(\theta/2) = \theta,

    the line that touches the arc cosine from below and passes through (1, 0).

    Args:
        num_classes: K, at least 2.

    Raises:
        TypeError: if K is no whole number.
        ValueError: if it is below 2.

    Source: this book.

    >>> round(least_mean_angle(20), 1)
    83.2
    """
    _check.whole("num_classes", num_classes, least=2)
    theta = scipy.optimize.brentq(lambda x: math.tan(x / 2) - x, 2.0, 2.6)
    slope = theta / (1 - math.cos(theta))
    return math.degrees(slope * num_classes / (num_classes - 1))
