"""Losses of the features: to their centres, between the centres, and to a fixed ETF."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nclib import _check
from nclib._scale import power_of_two
from nclib.losses import _arguments

_LARGEST_COSINE = 1 - 1e-6  # beyond it the slope of the arccosine grows without bound
_ROUNDING = 8  # units of it that the mean of the centres may be off


def class_means(
    features: Float[Tensor, "N P"],
    labels: Int[Tensor, " N"] | Float[Tensor, "N K"],
    num_classes: int,
) -> tuple[Float[Tensor, "K P"], Int[Tensor, " K"] | Float[Tensor, " K"]]:
    r"""Means :math:`\frac1{n_k}\sum_{y_i = k} h_i` and sizes :math:`n_k` of a batch's classes.

    The gradient flows to the features. A class that the batch lacks has the mean 0 and the count 0.
    Where an image has several labels, it counts in the mean of each.

    Args:
        features: of a batch.
        labels: class ids, or multi-hot (N, K).
        num_classes: K.

    Raises:
        ValueError: if shapes do not fit.

    >>> means, counts = class_means(torch.tensor([[1.0], [3.0]]), torch.tensor([2, 2]), 3)
    >>> means.flatten(), counts
    (tensor([0., 0., 2.]), tensor([0, 0, 2]))
    """
    if isinstance(labels, Tensor) and labels.ndim == 2:
        features = _arguments.matrix("features", features)
        pairs = _check.multi_hot("labels", labels, num_classes).to(features.dtype)
        if len(pairs) != len(features):
            raise ValueError(
                f"labels must have {len(features)} rows, one for each row of features, "
                f"got {len(pairs)}"
            )
        sizes = pairs.sum(0)
        return (pairs.T @ features) / sizes.clamp_min(1)[:, None], sizes
    features, labels = _arguments.batch("features", features, labels, num_classes)
    counts = _arguments.batch_counts(labels, num_classes)
    sums = features.new_zeros(num_classes, features.shape[1]).index_add(0, labels, features)
    return sums / counts.clamp_min(1)[:, None], counts


def within_class(
    features: Float[Tensor, "N P"], labels: Int[Tensor, " N"], centres: Float[Tensor, "K P"]
) -> Float[Tensor, ""]:
    r"""Mean squared distances to the class centres, summed over the classes, L_W.

    .. math:: L_W = \sum_k \frac1{n_k} \sum_{y_i = k} \|h_i - \mu_k\|^2

    with the counts :math:`n_k` of the batch. It is divided neither by K nor by the batch; a class
    that the batch lacks adds 0.

    Args:
        features: of a batch.
        labels: class ids.
        centres: μ_k: batch means, running means or learnt; the gradient flows to them as well.

    Raises:
        ValueError: if shapes do not fit.

    Source: Liu et al. (2023), equation 13.

    >>> features = torch.tensor([[0.0], [2.0], [5.0]])
    >>> within_class(features, torch.tensor([0, 0, 1]), torch.tensor([[1.0], [3.0], [9.0]]))
    tensor(5.)
    """
    squares, labels, num_classes = _squared_distances(features, labels, centres)
    return (squares / _arguments.batch_counts(labels, num_classes).index_select(0, labels)).sum()


def center_loss(
    features: Float[Tensor, "N P"], labels: Int[Tensor, " N"], centres: Float[Tensor, "K P"]
) -> Float[Tensor, ""]:
    r"""Mean squared distance of a batch to its class centres.

    .. math:: \frac1N \sum_i \|h_i - \mu_{y_i}\|^2

    The source has half the sum over the batch; Liu et al. (2023) state no normalisation.

    Args:
        features: of a batch.
        labels: class ids.
        centres: μ_k; the gradient flows to them as well.

    Raises:
        ValueError: if shapes do not fit.

    Source: Wen et al. (2016), equation 2, up to the factor.

    >>> features = torch.tensor([[0.0], [2.0], [5.0]])
    >>> center_loss(features, torch.tensor([0, 0, 1]), torch.tensor([[1.0], [3.0], [9.0]]))
    tensor(2.)
    """
    return _squared_distances(features, labels, centres)[0].mean()


def between_class(
    centres: Float[Tensor, "K P"], *, present: Bool[Tensor, " K"] | None = None
) -> Float[Tensor, ""]:
    r"""Minus the mean angle from a centred class centre to the nearest other one, L_B, in radians.

    .. math:: L_B = -\frac1K \sum_k \min_{l \ne k} \arccos
        \frac{\langle\mu_k - \mu_C, \mu_l - \mu_C\rangle}{\|\mu_k - \mu_C\|\,\|\mu_l - \mu_C\|},
        \qquad \mu_C = \frac1K\sum_k \mu_k

    It is free of the centres' scale. Cosines are clamped to ±(1 − 1e-6), so that the gradient is
    finite; a centre at the mean, up to rounding, has cosine 0 to all others and no gradient. With
    fewer than two centres there is no pair, and the value is 0.

    Args:
        centres: of the classes that take part; they are centred here.
        present: which rows those are, if not all: the same as ``centres[present]``, but the shapes
            stay fixed and nothing waits for an accelerator.

    Raises:
        ValueError: if shapes do not fit.

    Source: Liu et al. (2023), equation 15.

    >>> between_class(torch.eye(3))  # minus 120°
    tensor(-2.0944)
    """
    centres = _arguments.matrix("centres", centres)
    present = _present(present, centres)
    count = present.sum().clamp_min(1)
    unit = _unit_directions(centres, present, count)
    pairs = (present[:, None] & present).fill_diagonal_(False)
    with torch.autocast(centres.device.type, enabled=False):
        cosines = unit @ unit.T
    nearest = cosines.masked_fill(~pairs, -torch.inf).amax(1)
    angles = nearest.clamp(-_LARGEST_COSINE, _LARGEST_COSINE).arccos()
    return -(angles * pairs.any(1)).sum() / count


def misalignment(
    weight: Float[Tensor, "K P"],
    means: Float[Tensor, "K P"],
    *,
    centre: bool = True,
    present: Bool[Tensor, " K"] | None = None,
) -> Float[Tensor, ""]:
    r"""One minus the cosine between a class's row in the classifier and its mean, over the classes.

    .. math:: \frac1K \sum_k \Bigl(1 - \frac{\langle w_k - \bar w, \mu_k - \bar\mu\rangle}
        {\|w_k - \bar w\|\,\|\mu_k - \bar\mu\|}\Bigr) ,

    from 0 (aligned) to 2, free of both scales. The gradient flows to both. A row or a mean that is
    zero up to rounding, once centred if asked, has cosine 0 and no gradient; so has every class
    where there is one alone to centre.

    Args:
        weight: (K, P), :math:`w`.
        means: (K, P), :math:`\mu`.
        centre: subtract the averages over the classes that take part; otherwise nothing.
        present: which classes take part, if not all; K is their number.

    Raises:
        ValueError: if shapes do not fit.

    Source: our reconstruction of SpA-Reg, whose formula is not published to us.

    >>> misalignment(torch.eye(2), torch.tensor([[5.0, 0.0], [1.0, 0.0]]), centre=False)
    tensor(0.5000)
    """
    weight, means = _arguments.matrix("weight", weight), _arguments.matrix("means", means)
    if weight.shape != means.shape:
        raise ValueError(
            "expected weight and means of one shape (K, P), "
            f"got {tuple(weight.shape)} and {tuple(means.shape)}"
        )
    present = _present(present, means)
    count = present.sum().clamp_min(1)
    rows, directions = (
        _unit_directions(one, present, count if centre else None) for one in (weight, means)
    )
    cosines = (rows * directions).sum(1)
    return ((1 - cosines) * present).sum() / count


def dot_regression(
    features: Float[Tensor, "N P"], labels: Int[Tensor, " N"], etf: Float[Tensor, "K P"]
) -> Float[Tensor, ""]:
    r"""Half the mean squared shortfall of the cosine to the class's vertex.

    .. math:: \frac1{2N} \sum_i \bigl(\langle \hat h_i, m_{y_i} \rangle - 1\bigr)^2

    Features and the rows of the frame are scaled to unit norm, from any scale. Other classes do not
    appear: where the classifier is fixed, nothing needs to be repelled. A feature that is zero has
    cosine 0 and no gradient.

    Args:
        features: of a batch.
        labels: class ids.
        etf: a vector for each class, as :func:`nclib.geometry.simplex_etf` makes them.

    Raises:
        ValueError: if shapes do not fit.

    Source: Yang et al. (2022), the dot-regression loss with both norms 1.

    >>> dot_regression(torch.tensor([[0.0, 3.0]]), torch.tensor([0]), torch.eye(2))
    tensor(0.5000)
    """
    etf = _arguments.matrix("etf", etf)
    features, labels = _arguments.batch("features", features, labels, len(etf))
    _check.same_dim("etf", etf, features)
    cosines = (unit_rows(features) * unit_rows(etf).index_select(0, labels)).sum(1)
    return 0.5 * (cosines - 1).square().mean()


def _present(present: Tensor | None, centres: Tensor) -> Bool[Tensor, " K"]:
    """Which classes take part: all, if it is not said."""
    if present is None:
        return torch.ones(len(centres), dtype=torch.bool, device=centres.device)
    if not isinstance(present, Tensor):
        raise TypeError(f"present must be a torch.Tensor, got {type(present).__name__}")
    if present.dtype != torch.bool or present.shape != (len(centres),):
        raise ValueError(
            f"present must be boolean of shape ({len(centres)},), one for each centre, "
            f"got {present.dtype} of shape {tuple(present.shape)}"
        )
    return present


def _unit_directions(
    rows: Float[Tensor, "K P"], present: Bool[Tensor, " K"], count: Int[Tensor, ""] | None
) -> Float[Tensor, "K P"]:
    """The present rows at unit norm, zero where they are but for rounding; centred with a count."""
    present_rows = present[:, None]
    rows = rows.masked_fill(~present_rows, 0.0)
    rows = rows / power_of_two(rows.detach().abs().amax())
    if count is not None:
        rows = rows - rows.sum(0) / count
    rounding = _ROUNDING * torch.finfo(rows.dtype).eps  # the largest entry is 1 to 2
    near_zero = rows.detach().abs().amax(1, keepdim=True) <= rounding
    return unit_rows(rows.masked_fill(~present_rows | near_zero, 0.0))


def _squared_distances(
    features: Tensor, labels: Tensor, centres: Tensor
) -> tuple[Float[Tensor, " N"], Int[Tensor, " N"], int]:
    """‖h_i − μ_{y_i}‖², the checked labels, and K."""
    centres = _arguments.matrix("centres", centres)
    features, labels = _arguments.batch("features", features, labels, len(centres))
    _check.same_dim("centres", centres, features)
    return (features - centres.index_select(0, labels)).square().sum(1), labels, len(centres)


def unit_rows(rows: Float[Tensor, "N P"]) -> Float[Tensor, "N P"]:
    """The rows at unit norm, whatever their scale.

    A row that is zero stays so, and gets no gradient; entries below the smallest normal number are
    zero here, since a gradient of their size would overflow.
    """
    rows = rows / power_of_two(rows.detach().abs().amax(1, keepdim=True))
    norms = rows.norm(dim=1, keepdim=True)
    return rows / norms.masked_fill(norms < 1, torch.inf)
