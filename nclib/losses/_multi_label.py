"""Losses of images with several labels: of the logits, and zeros and ones that say which."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from nclib import _check
from nclib._names import unknown
from nclib.losses import _arguments

TwoWayReduction = Literal["positives", "paper"]
Reduction = Literal["sum", "mean"]
MultiHot = Float[Tensor, "N K"] | Int[Tensor, "N K"] | Bool[Tensor, "N K"]


def pick_all_label(
    logits: Float[Tensor, "N K"], targets: MultiHot, *, normalise: Reduction = "sum"
) -> Float[Tensor, ""]:
    r"""Pick-all-label: the softmax cross-entropies of all labels of an image, summed.

    .. math:: \frac1N \sum_i \omega_i \sum_{k \in S_i} -\log\frac{e^{z_{ik}}}{\sum_l e^{z_{il}}}

    with the labels :math:`S_i` of image i. An image without a label adds 0, and counts in N. With
    one label an image it is the cross-entropy.

    Args:
        logits: z.
        targets: multi-hot: 1 where an image has the label, else 0.
        normalise: ``sum``: :math:`\omega_i = 1` (PAL); ``mean``: :math:`\omega_i = 1/|S_i|`
            (PAL-N), so that every image has the weight 1.

    Raises:
        TypeError: if logits are not floating point, or targets no tensor.
        ValueError: if shapes differ, a target is neither 0 nor 1, or ``normalise`` is unknown.

    Source: Menon et al. (2019), "Multilabel reductions: what is my loss optimising?", PAL and
    PAL-N; Li et al. (2024), "Neural collapse in multi-label learning with pick-all-label loss".

    >>> import torch
    >>> one = torch.tensor([[0.0, 0.0, 0.0]]), torch.tensor([[1, 1, 0]])
    >>> pick_all_label(*one), pick_all_label(*one, normalise="mean")  # 2 log 3, log 3
    (tensor(2.1972), tensor(1.0986))
    """
    _check_choice("normalise", normalise, get_args(Reduction))
    logits, targets = _arguments.multi_hot(logits, targets)
    if normalise == "mean":
        targets = targets / targets.sum(1, keepdim=True).clamp_min(1)
    # One product instead of the kernels of `functional.cross_entropy` with targets of this kind.
    return logits.log_softmax(1).flatten() @ targets.flatten() / -len(logits)


def binary_cross_entropy(
    logits: Float[Tensor, "N K"],
    targets: MultiHot,
    *,
    reduction: Reduction = "sum",
    weight: Float[Tensor, " K"] | None = None,
) -> Float[Tensor, ""]:
    r"""A logistic loss for each class, whether an image has its label.

    .. math:: \frac1N \sum_i \sum_k w_k \log\left(1 + e^{-t_{ik} z_{ik}}\right), \qquad
        t_{ik} = \pm 1

    with :math:`t_{ik} = 1` where image i has the label k. An image without a label is one that has
    none of them.

    Args:
        logits: z.
        targets: multi-hot: 1 where an image has the label, else 0.
        reduction: ``sum`` over the classes, or their ``mean``, which is 1/K of it.
        weight: w, of all entries of each class; None: 1.

    Raises:
        TypeError: if logits are not floating point, or targets no tensor.
        ValueError: if shapes differ, a target is neither 0 nor 1, a weight is negative or all are
            0, or ``reduction`` is unknown.

    >>> import torch
    >>> one = torch.tensor([[0.0, 0.0]]), torch.tensor([[1, 0]])
    >>> binary_cross_entropy(*one), binary_cross_entropy(*one, reduction="mean")  # 2 log 2, log 2
    (tensor(1.3863), tensor(0.6931))
    """
    _check_choice("reduction", reduction, get_args(Reduction))
    logits, targets = _arguments.multi_hot(logits, targets)
    if weight is not None:
        weight = _arguments.weights(weight, logits.shape[1]).to(logits)
    mean = functional.binary_cross_entropy_with_logits(logits, targets, weight)
    return mean * logits.shape[1] if reduction == "sum" else mean


def two_way(
    logits: Float[Tensor, "N K"],
    targets: MultiHot,
    *,
    t_pos: float = 4.0,
    t_neg: float = 1.0,
    reduction: TwoWayReduction = "positives",
) -> Float[Tensor, ""]:
    r"""Two-way loss: positives above negatives, within each image and within each class.

    With the positives P and the negatives Q of a row or a column z of the logits,

    .. math:: \ell(z) = \operatorname{softplus}\Bigl( T_- \log\sum_{q \in Q} e^{z_q/T_-}
        + T_+ \log\sum_{p \in P} e^{-z_p/T_+} \Bigr) ,

    and the loss is the mean over the rows that have a positive plus the mean over the columns that
    have one. Where there is no negative :math:`\ell` is 0, and counts. Without any positive the
    loss is 0.

    Args:
        logits: z.
        targets: multi-hot: 1 where an image has the label, else 0.
        t_pos: :math:`T_+`; the larger, the more alike all positives count.
        t_neg: :math:`T_-`.
        reduction: ``positives``: the means above; ``paper``: both sums are divided by N and by K,
            so that rows and columns without a positive count, with 0.

    Raises:
        TypeError: if logits are not floating point, or targets no tensor.
        ValueError: if shapes differ, a target is neither 0 nor 1, a temperature is not positive, or
            ``reduction`` is unknown.

    Source: Kobayashi (2023), "Two-way multi-label loss"; MLC-NC (2025), equations 11 to 13, for
    ``paper``.

    >>> import torch
    >>> one = torch.zeros(1, 2), torch.tensor([[1, 0]])
    >>> two_way(*one)  # the row has log 2; the first column no negative, the other no positive
    tensor(0.6931)
    """
    _check.number("t_pos", t_pos, above=0.0)
    _check.number("t_neg", t_neg, above=0.0)
    _check_choice("reduction", reduction, get_args(TwoWayReduction))
    logits, targets = _arguments.multi_hot(logits, targets)
    positive, parts = targets > 0, []
    # Not −∞, so that a sum of nothing has a gradient, which is 0.
    nothing = torch.finfo(logits.dtype).min
    above = (logits / t_neg).masked_fill(positive, nothing)
    below = (-logits / t_pos).masked_fill(~positive, nothing)
    for along in (1, 0):
        gap = t_neg * above.logsumexp(along) + t_pos * below.logsumexp(along)
        # Not softplus, which is rounded beyond 20.
        total = -functional.logsigmoid(-gap).sum()
        count = positive.any(along).sum().clamp_min(1)
        parts.append(total / (count if reduction == "positives" else len(gap)))
    return parts[0] + parts[1]


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise unknown(name, value, choices)
