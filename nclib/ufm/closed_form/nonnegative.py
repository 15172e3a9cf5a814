"""Features without negative entries, as a ReLU gives them."""

from __future__ import annotations

import math

import torch

from nclib.ufm._problem import whole
from nclib.ufm.closed_form._common import Optimum, bias_share, centring, shrinkage


def nonnegative_one_hot(
    num_classes: int, count: float, *, lam_w: float, lam_h: float, lam_b: float
) -> Optimum:
    r"""The optimum over features without negative entries: one-hot labels, n samples a class.

    For every :math:`\lambda_b` the means are an orthogonal frame, each coordinate of the features
    being active for one class alone. With :math:`g = \lambda_b/(1+\lambda_b)` (1 without a bias),

    .. math:: \bar H^\top\bar H = \sqrt{\tfrac{\lambda_W}{n\lambda_H}}\,rI, \qquad
       W\bar H = xC + y\tfrac{J}{K}, \quad x = \frac{r}{r+c},\ y = \frac{gr}{gr+c},

    where :math:`\tfrac{K-1}{(r+c)^2} + \tfrac{g^2}{(gr+c)^2} = K`, which has a positive root
    exactly for :math:`Kc^2 < K-1+g^2`; otherwise everything is zero. The width must be at least K.
    The scores are unique but for K = 2 with a free bias, where two lengths may differ.

    Source: this book, non-negative features.

    >>> import math
    >>> nonnegative_one_hot(2, 1, lam_w=0.1, lam_h=0.1, lam_b=math.inf).gram  # without a bias: 1-c
    tensor([[0.8000, 0.0000],
            [0.0000, 0.8000]], dtype=torch.float64)
    """
    k = whole("num_classes", num_classes, least=2)
    c = shrinkage(k, count, lam_w=lam_w, lam_h=lam_h)
    share = bias_share(lam_b)
    size = _column_norm(k, c, 1 - share)
    across, along = (size / (size + c), (1 - share) * size / ((1 - share) * size + c))
    eye = torch.eye(k, dtype=torch.float64)
    scores = across * centring(k) + along / k
    bias = torch.full((k,), share * (1 - along) / k, dtype=torch.float64)
    return Optimum(scores, math.sqrt(lam_w / (count * lam_h)) * size * eye, bias)


def _column_norm(k: int, c: float, g: float) -> float:
    """The length r of a column of the scores: the root of a decreasing function, by bisection."""

    def excess(r: float) -> float:
        return (k - 1) / (r + c) ** 2 + (g / (g * r + c)) ** 2 - k

    low, high = 0.0, 1.0
    if excess(low) <= 0:
        return 0.0
    while low < (middle := 0.5 * (low + high)) < high:
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return high
