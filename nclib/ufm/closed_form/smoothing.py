"""Label smoothing with cross-entropy (with squared error it is an SSETF encoding)."""

from __future__ import annotations

import math

import torch

from nclib.ufm.closed_form._common import Optimum, centring, shrinkage


def smoothed_cross_entropy(
    num_classes: int, count: float, *, smoothing: float, lam_w: float, lam_h: float
) -> Optimum:
    r"""Cross-entropy with labels :math:`(1-\delta)I + (\delta/K)J`, any :math:`\lambda_b`.

    .. math:: W\bar H = zC, \quad z = \log\Bigl(1 + \frac{K(1-q)}{q}\Bigr), \quad q = c + \delta,

    zero for q at least 1, and b = 0: smoothing acts as regularisation does, through the sum alone.
    (For ``mse`` the centred means shrink by the same sum: ``ssetf`` with
    :math:`\alpha = 1 - \delta`.)

    Source: Guo et al. (2025, arXiv 2402.03979); the sum for both losses: this book, smoothing is
    regularisation.
    """
    if not 0 <= smoothing <= 1:
        raise ValueError(f"smoothing must lie in [0, 1], got {smoothing}")
    k = num_classes
    q = shrinkage(k, count, lam_w=lam_w, lam_h=lam_h) + smoothing
    z = math.log1p(k * (1 - q) / q) if q < 1 else 0.0
    scores = z * centring(k)
    gram = math.sqrt(lam_w / (count * lam_h)) * scores
    return Optimum(scores, gram, torch.zeros(k, dtype=torch.float64))
