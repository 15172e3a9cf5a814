r"""Turning the rows of a classifier towards the class means.

The two adjustments are our reconstructions: the formulas of SpA-SLERP and SpA-Proj in "Space
alignment matters" (arXiv 2512.07844) are not public.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nclib import _check, _names
from nclib._scale import rescaled


class _Rows(NamedTuple):
    """Vectors in float64, in a unit in which their squares are ordinary."""

    vectors: Float[Tensor, "K P"]
    lengths: Float[Tensor, "K 1"]
    directions: Float[Tensor, "K P"]
    near_zero: Bool[Tensor, "K 1"]  # those without a direction but rounding's
    unit: float


def slerp(
    weight: Float[Tensor, "K P"],
    means: Float[Tensor, "K P"],
    t: float,
    *,
    centre: bool = True,
    norm: str = "keep",
) -> Float[Tensor, "K P"]:
    r"""Each row of a classifier, turned towards its class mean by a share t of the angle between.

    With unit vectors :math:`\hat w_k, \hat\mu_k` at the angle :math:`\Omega_k`, spherical
    interpolation moves on the great circle through both:

    .. math:: \frac{\sin((1-t)\Omega_k)\,\hat w_k + \sin(t\Omega_k)\,\hat\mu_k}{\sin\Omega_k} ,

    which leaves the angle :math:`(1-t)\Omega_k`. Rows whose norms are kept and differ do not sum to
    zero any more: the angle between vectors that are centred once more follows less.

    A row opposite to its mean has no shortest way. It turns in the plane of itself and of the
    coordinate axis to which it is most nearly orthogonal, the first of several. A row that is zero
    but for rounding, or whose mean is, has no direction and stays as it is.

    Args:
        weight: (K, P), :math:`w`.
        means: (K, P), :math:`\mu`.
        t: from 0 (nothing is turned) to 1 (every row is along its mean).
        centre: act on :math:`w_k - \bar w` and :math:`\mu_k - \bar\mu`, the averages over classes;
            :math:`\bar w` is not added back, which changes no decision where there is no bias.
        norm: of the result, ``"keep"`` for that of the row that was turned, or ``"unit"``.

    Returns:
        (K, P), of the type and on the device of ``weight``, without a gradient.

    Raises:
        TypeError: if a tensor is none of floating-point numbers, or t no number.
        ValueError: if shapes differ, a number is not finite, t is outside [0, 1], ``norm`` is
            unknown, all rows of ``weight`` are equal and to be centred, or a row is opposite to its
            mean in one dimension.

    Source: Shoemake (1985) for the interpolation; see the chapter for its use here.

    >>> slerp(torch.eye(2), torch.eye(2).flip(0), 0.5, centre=False)
    tensor([[0.7071, 0.7071],
            [0.7071, 0.7071]])
    """
    if norm not in ("keep", "unit"):
        raise _names.unknown("norm", norm, ("keep", "unit"))
    rows, targets = _prepared(weight, means, t, centre)
    start = rows.directions
    cosine = (start * targets.directions).sum(1, keepdim=True)
    across = targets.directions - cosine * start
    sine = across.norm(dim=1, keepdim=True)
    rounding = 8 * torch.finfo(start.dtype).eps
    opposite = (sine <= rounding) & (cosine < 0) & ~(rows.near_zero | targets.near_zero)
    if bool(opposite.any()):
        if start.shape[1] == 1:
            k = int(opposite.nonzero()[0, 0])
            raise ValueError(f"row {k} is opposite to its mean: one dimension has no way between")
        across = torch.where(opposite, _least_axis(start), across)
    angle = torch.atan2(sine, cosine)
    across = across / across.norm(dim=1, keepdim=True).clamp(min=torch.finfo(start.dtype).tiny)
    turned = (t * angle).cos() * start + (t * angle).sin() * across
    if norm == "keep":
        turned = turned * rows.lengths * rows.unit
    return _unless(rows.near_zero | targets.near_zero, rows, turned).to(weight.dtype)


def project(
    weight: Float[Tensor, "K P"],
    means: Float[Tensor, "K P"],
    t: float = 1.0,
    *,
    centre: bool = True,
    negative: str = "skip",
) -> Float[Tensor, "K P"]:
    r"""Each row of a classifier, projected on the direction of its class mean by a share t.

    .. math:: (1 - t)\,w_k + t\,\frac{\langle w_k, \mu_k\rangle}{\|\mu_k\|^2}\,\mu_k ,

    at t = 1 of norm :math:`\|w_k\|\cos\theta_k`: a row far from its mean becomes short. (With its
    norm kept it would be :func:`slerp` at t = 1.)

    Args:
        weight: (K, P), :math:`w`.
        means: (K, P), :math:`\mu`.
        t: from 0 to 1.
        centre: as in :func:`slerp`.
        negative: a row at an obtuse angle to its mean is left (``"skip"``), or projected on the
            direction of :math:`-\mu_k` (``"flip"``), where it stays opposite to its mean.

    Returns:
        (K, P), of the type and on the device of ``weight``, without a gradient. A row that is zero
        but for rounding, or whose mean is, stays as it is.

    Raises:
        TypeError: if a tensor is none of floating-point numbers, or t no number.
        ValueError: if shapes differ, a number is not finite, t is outside [0, 1], ``negative`` is
            unknown, or all rows of ``weight`` are equal and to be centred.

    >>> project(torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 2.0]]), centre=False)
    tensor([[0., 4.]])
    """
    if negative not in ("skip", "flip"):
        raise _names.unknown("treatment of negative cosines", negative, ("skip", "flip"))
    rows, targets = _prepared(weight, means, t, centre)
    along = (rows.vectors * targets.directions).sum(1, keepdim=True)
    moved = ((1 - t) * rows.vectors + t * along * targets.directions) * rows.unit
    stays = rows.near_zero | targets.near_zero
    if negative == "skip":
        stays = stays | (along < 0)
    return _unless(stays, rows, moved).to(weight.dtype)


def _unless(
    stays: Bool[Tensor, "K 1"], rows: _Rows, moved: Float[Tensor, "K P"]
) -> Float[Tensor, "K P"]:
    """The rows where they moved, but those that stay."""
    return torch.where(stays, rows.vectors * rows.unit, moved)


def _prepared(weight: Tensor, means: Tensor, t: float, centre: bool) -> tuple[_Rows, _Rows]:
    """Both as directions and lengths, in float64, if all makes sense."""
    _check.number("t", t)
    if not 0 <= t <= 1:
        raise ValueError(f"t is {t}, expected a share from 0 to 1")
    weight, means = _check.matrix("weight", weight), _check.matrix("means", means)
    if weight.shape != means.shape:
        raise ValueError(
            "expected weight and means of one shape (K, P), "
            f"got {tuple(weight.shape)} and {tuple(means.shape)}"
        )
    for name, values in (("weight", weight), ("means", means)):
        if not bool(values.isfinite().all()):
            raise ValueError(f"{name} must be finite, got NaN or infinity")
    if centre and bool((weight == weight[0]).all()):
        raise ValueError(f"all {len(weight)} rows of weight are equal: centred, none is left")
    return _rows(weight, weight.device, centre), _rows(means, weight.device, centre)


def _rows(vectors: Tensor, device: torch.device, centre: bool) -> _Rows:
    rounding = 4 * torch.finfo(vectors.dtype).eps
    vectors, unit = rescaled(vectors.detach().to(device, torch.float64))
    largest = vectors.norm(dim=1).max()
    if centre:
        vectors = vectors - vectors.mean(0)
    lengths = vectors.norm(dim=1, keepdim=True)
    near_zero = lengths <= rounding * largest
    directions = vectors / torch.where(lengths > 0, lengths, 1.0)
    return _Rows(vectors, lengths, directions, near_zero, unit)


def _least_axis(directions: Float[Tensor, "K P"]) -> Float[Tensor, "K P"]:
    """The coordinate axis most nearly orthogonal to each, less its part along it."""
    least = directions.abs().argmin(1, keepdim=True)
    axes = torch.zeros_like(directions).scatter_(1, least, 1.0)
    return axes - directions.gather(1, least) * directions
