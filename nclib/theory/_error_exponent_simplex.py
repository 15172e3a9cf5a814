"""The best error exponent of means in the unit ball, and of a misaligned simplex."""

from __future__ import annotations

import math

from nclib import _check


def optimal_exponent(num_classes: int, dim: int | None = None) -> float:
    r"""The largest error exponent of K class means in the unit ball of dimension P.

    Over all means with :math:`\|\mu_k\| \le 1` and all linear classifiers (unit noise), it is
    :math:`\beta^* = \tfrac18\max \min_{k \ne j}\|\mu_k - \mu_j\|^2`: the segment between two means
    crosses their boundary, so one of them is at most half its length away, and the nearest-mean
    classifier has both at just that. It is known exactly here:

    ===================  =======================================  =================================
    K and P              β*                                       attained by
    ===================  =======================================  =================================
    K ≤ P + 1            K / (4(K − 1))                           a simplex ETF
    P + 2 ≤ K ≤ 2P       1/4                                      part of an orthoplex
    P = 2, K = 5, 6      sin²(π/K) / 2                            a regular polygon
    P = 2, K = 7         1/8                                      a hexagon and its centre
    P = 1                1 / (2(K − 1)²)                          equal steps
    ===================  =======================================  =================================

    Proofs. K ≤ P + 1: :math:`\sum_{k<j}\|\mu_k - \mu_j\|^2 \le K^2`. K ≥ P + 2: two of the means
    have :math:`\langle\mu_k, \mu_j\rangle \ge 0` (Rankin), hence a squared distance of at most 2.
    P = 2: two means are seen from the centre at an angle of at most 2π/K, which is at most
    :math:`\max(1, 2\sin(\pi/K))` of distance; a mean at the centre is at most 1 from the others.
    From K = 7 on, a polygon is not the best any more.

    Args:
        num_classes: K, at least 2.
        dim: P, at least 1; None: large enough, P ≥ K − 1.

    Raises:
        TypeError: if an argument is no whole number.
        ValueError: if no optimum is known for K means in P dimensions, or an argument is too small.

    Source: Papyan, Han and Donoho (2020) for the simplex; Rankin (1955) for the orthoplex, which
    Jiang et al. (arXiv 2310.05351) brought to features of more classes than dimensions.

    >>> optimal_exponent(100), optimal_exponent(100, 64)
    (0.25252525252525254, 0.25)
    """
    _check_size(num_classes, dim)
    if dim is None or num_classes <= dim + 1:
        return num_classes / (4 * (num_classes - 1))
    if dim == 1:
        return 1 / (2 * (num_classes - 1) ** 2)
    if num_classes <= 2 * dim:
        return 0.25
    if dim == 2 and num_classes <= 7:
        return max(1.0, 2 * math.sin(math.pi / num_classes)) ** 2 / 8
    raise ValueError(
        f"no optimum is known for num_classes={num_classes} in dim={dim}: expected "
        f"dim >= {(num_classes + 1) // 2}, where it is 1/4 or that of a simplex"
    )


def misaligned_exponent(num_classes: int, angle: float, dim: int | None = None) -> float:
    r"""The largest error exponent of a simplex ETF whose classifier is tilted by an angle.

    Class means and classifier are simplex ETFs of unit vectors with
    :math:`\angle(w_k, \mu_k) = \theta` for every k, without a bias:

    .. math:: \beta(\theta) = [\cos\theta]_+^2\, \frac K{4(K - 1)} .

    No such classifier has a larger exponent. The value is attained by
    :math:`w_k = \cos\theta\,\mu_k + \sin\theta\,u_k` with a third simplex ETF in a space orthogonal
    to the means, and by nothing else if 0 < θ < π/2: it needs P ≥ 2(K − 1). With less room the
    formula is an upper bound that is not reached. A rotation within the span of the means costs
    more: :math:`\tfrac12\cos^2(\theta + \pi/6)` for K = 3, which is 0 from 60° on.

    Args:
        num_classes: K, at least 2.
        angle: θ in radians, from 0 to π.
        dim: P, refused where the value is not attained; None: large enough.

    Raises:
        TypeError: if K or P is no whole number, or the angle no number.
        ValueError: if an argument is out of range, or P too small.

    Source: "Space alignment matters" (arXiv 2512.07844), Theorems 4 and 5, whose statements are not
    public: the formula, its proof and the condition on P are those of the chapter.

    >>> round(misaligned_exponent(3, math.radians(20)), 5)
    0.33113
    """
    _check_size(num_classes, dim)
    _check.number("angle", angle)
    if not 0 <= angle <= math.pi:
        raise ValueError(f"angle is {angle}, expected radians from 0 to π")
    cosine = math.cos(angle) if angle < math.pi / 2 else 0.0
    least = 2 * (num_classes - 1) if 0 < angle < math.pi / 2 else num_classes - 1
    if dim is not None and dim < least:
        raise ValueError(
            f"dim={dim} has no room for the tilted simplex: expected dim >= {least} for "
            f"num_classes={num_classes} at angle={angle}; below, the value is an upper bound that "
            "is not attained"
        )
    return cosine**2 * num_classes / (4 * (num_classes - 1))


def _check_size(num_classes: int, dim: int | None) -> None:
    _check.whole("num_classes", num_classes, least=2)
    if dim is not None:
        _check.whole("dim", dim, least=1)
