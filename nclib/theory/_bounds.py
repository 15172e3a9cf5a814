"""Bounds on what training samples say of new data."""

from __future__ import annotations

import math
from collections.abc import Sequence


def cdnv_bound(
    distance: float,
    variances: Sequence[float],
    counts: Sequence[int],
    *,
    radius: float,
    delta: float,
) -> float:
    r"""Upper bound of a class-distance normalised variance from samples, at level 1 − δ.

    For features of a fixed map with :math:`\|h\| \le R`, with
    :math:`\ell = \log(4/\delta)` and :math:`a_j = (1 + \sqrt{2\ell})/\sqrt{n_j}`: with probability
    at least 1 − δ over the samples,

    .. math:: \frac{\sigma_k^T + \sigma_{k'}^T}{2\|\mu_k^T - \mu_{k'}^T\|^2}
        \le \frac{V^S + B}{(1 - E/D^S)^2}, \qquad
        E = R\sum_j a_j, \qquad
        B = \frac{R^2}{2 (D^S)^2}\sum_j\Bigl(\sqrt{8\ell/n_j} + a_j^2\Bigr) .

    Args:
        distance: :math:`D^S` between the two sample means, positive.
        variances: the two mean squared distances to the sample mean, :math:`\sigma^S`.
        counts: the two sample sizes.
        radius: R, of a ball about the origin that holds all features.
        delta: δ in (0, 1).

    Returns:
        The bound; inf where :math:`E \ge D^S`.

    Raises:
        ValueError: if an argument is out of range, or there are not two variances and two counts.

    Source: a corrected Proposition 2 of Liu et al. (2023), arXiv 2302.12453, proved in the
    chapter; its form is Galanti et al. (2022).

    >>> cdnv_bound(1.0, (0.1, 0.1), (10**9, 10**9), radius=1.0, delta=0.1) < 0.1005
    True
    """
    if len(variances) != 2 or len(counts) != 2:
        raise ValueError(
            "expected two variances and two counts, "
            f"got {len(variances)} variances and {len(counts)} counts"
        )
    sizes = (distance, radius, *variances)
    if not (all(map(math.isfinite, sizes)) and min(variances) >= 0) or not (
        distance > 0 and radius > 0 and 0 < delta < 1 and min(counts) >= 1
    ):
        raise ValueError(
            "expected distance > 0, radius > 0, 0 < delta < 1, variances >= 0 and counts >= 1, "
            f"all finite, got {distance}, {radius}, {delta}, {list(variances)} and {list(counts)}"
        )
    level = math.log(4 / delta)
    shares = [(1 + math.sqrt(2 * level)) / math.sqrt(n) for n in counts]
    relative = radius / distance  # the bound is free of the unit of length
    error = relative * sum(shares)
    if error >= 1:
        return math.inf
    slack = sum(math.sqrt(8 * level / n) + a**2 for n, a in zip(counts, shares, strict=True))
    source = sum(variance / distance / distance for variance in variances)
    return (source + relative**2 * slack) / 2 / (1 - error) ** 2
