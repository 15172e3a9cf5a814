"""Losses of the logits, all of them softmax cross-entropies with something moved."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from nclib import _check
from nclib._check import Counts
from nclib._names import unknown
from nclib.losses import _arguments
from nclib.losses._weights import effective_number_weights

Normalisation = Literal["weight", "count"]


def ldam(
    logits: Float[Tensor, "N K"],
    labels: Int[Tensor, " N"],
    counts: Counts,
    *,
    max_margin: float = 0.5,
    scale: float = 30.0,
    weight: Float[Tensor, " K"] | None = None,
) -> Float[Tensor, ""]:
    r"""Label-distribution-aware margins: the rarer the class, the larger its margin.

    Cross-entropy of :math:`s\,(z_{ik} - \Delta_k [k = y_i])` with margins
    :math:`\Delta_k \propto n_k^{-1/4}`, the largest of them ``max_margin``.

    Args:
        logits: the cosines of a normalised layer, not yet scaled.
        labels: class ids.
        counts: training images of each class, n_k.
        max_margin: margin of the rarest class.
        scale: s.
        weight: of each class in the mean; None: equal.

    Raises:
        ValueError: if shapes do not fit, a count is below 1, ``max_margin`` is negative or
            ``scale`` is not positive.

    Source: Cao et al. (2019), the LDAM loss.

    >>> one = torch.tensor([[1.0, 0.0]])
    >>> ldam(one, torch.tensor([0]), [16, 1], max_margin=0.5, scale=4.0)  # log(1 + exp(-3))
    tensor(0.0486)
    """
    _check.number("max_margin", max_margin, least=0.0)
    _check.number("scale", scale, above=0.0)
    logits, labels = _arguments.batch("logits", logits, labels)
    relative = _check.counts(counts, logits.shape[1]).to(logits) ** -0.25
    margins = max_margin / relative.amax() * relative
    moved = logits.scatter_add(1, labels[:, None], -margins.index_select(0, labels)[:, None])
    return functional.cross_entropy(scale * moved, labels, weight=_weight(weight, logits))


def logit_adjusted(
    logits: Float[Tensor, "N K"],
    labels: Int[Tensor, " N"],
    counts: Counts,
    *,
    tau: float = 1.0,
    weight: Float[Tensor, " K"] | None = None,
) -> Float[Tensor, ""]:
    r"""Cross-entropy of :math:`z_{ik} + \tau\log\pi_k`, with the priors :math:`\pi_k = n_k/n`.

    Trained so, the unadjusted logits are those of balanced classes (τ = 1).

    Args:
        logits: unadjusted.
        labels: class ids.
        counts: training images of each class, n_k.
        tau: τ.
        weight: of each class in the mean; None: equal.

    Raises:
        ValueError: if shapes do not fit, a count is below 1, or ``tau`` is negative.

    Source: Menon et al. (2021), the logit-adjusted softmax cross-entropy.

    >>> logit_adjusted(torch.zeros(1, 2), torch.tensor([1]), [3, 1])  # log 4
    tensor(1.3863)
    """
    _check.number("tau", tau, least=0.0)
    logits, labels = _arguments.batch("logits", logits, labels)
    numbers = _check.counts(counts, logits.shape[1]).to(logits)
    moved = logits + tau * (numbers / numbers.sum()).log()
    return functional.cross_entropy(moved, labels, weight=_weight(weight, logits))


def balanced_softmax(
    logits: Float[Tensor, "N K"],
    labels: Int[Tensor, " N"],
    counts: Counts,
    *,
    weight: Float[Tensor, " K"] | None = None,
) -> Float[Tensor, ""]:
    r"""Cross-entropy of the softmax :math:`n_k e^{z_{ik}} / \sum_l n_l e^{z_{il}}`.

    It is :func:`logit_adjusted` at τ = 1, under the name by which it was found independently.

    Args:
        logits: unadjusted.
        labels: class ids.
        counts: training images of each class, n_k.
        weight: of each class in the mean; None: equal.

    Raises:
        ValueError: if shapes do not fit, or a count is below 1.

    Source: Ren et al. (2020), balanced softmax.
    """
    return logit_adjusted(logits, labels, counts, weight=weight)


def focal(
    logits: Float[Tensor, "N K"],
    labels: Int[Tensor, " N"],
    *,
    gamma: float = 2.0,
    weight: Float[Tensor, " K"] | None = None,
    normalisation: Normalisation = "weight",
) -> Float[Tensor, ""]:
    r"""Cross-entropy that discounts what is already right: :math:`-(1 - p_y)^\gamma\log p_y`.

    p is the softmax of the logits (the source, a detector, has a sigmoid a class). At γ = 0 it is
    the cross-entropy. With class weights the sum over the batch is divided in one of two ways:

    .. math:: \frac{\sum_i w_{y_i}\ell_i}{\sum_i w_{y_i}} \;(\texttt{"weight"}), \qquad
        \frac1N \sum_i w_{y_i}\ell_i \;(\texttt{"count"}) .

    The first is the weighted mean of :func:`torch.nn.functional.cross_entropy`; the second is that
    of Cui et al. (2019). On a batch that is drawn as the data are, the weights of its samples
    average far below 1, so that the first is several times the second under a long tail.

    Args:
        logits: of any size.
        labels: class ids.
        gamma: γ, the focusing parameter.
        weight: of each class in the mean; None: equal.
        normalisation: ``"weight"``: divided by the batch's sum of weights; ``"count"``: by the
            batch's size. Without weights they are one.

    Raises:
        ValueError: if shapes do not fit, ``gamma`` is negative, or the normalisation is unknown.

    Source: Lin et al. (2017).

    >>> focal(torch.zeros(1, 2), torch.tensor([0]))  # (1/2)² log 2
    tensor(0.1733)
    """
    _check.number("gamma", gamma, least=0.0)
    if normalisation not in get_args(Normalisation):
        raise unknown("normalisation", normalisation, get_args(Normalisation))
    logits, labels = _arguments.batch("logits", logits, labels)
    log_p = functional.log_softmax(logits, dim=1).gather(1, labels[:, None])[:, 0]
    # 1 − p without cancellation; the clamp keeps the power's slope finite where p is 1.
    wrong = (-log_p.expm1()).clamp_min(torch.finfo(log_p.dtype).tiny)
    losses = -(wrong**gamma) * log_p
    weights = _weight(weight, logits)
    if weights is None:
        return losses.mean()
    weights = weights.index_select(0, labels)
    divisor = weights.sum() if normalisation == "weight" else len(labels)
    return (weights * losses).sum() / divisor


def cb_focal(
    logits: Float[Tensor, "N K"],
    labels: Int[Tensor, " N"],
    counts: Counts,
    *,
    beta: float = 0.9999,
    gamma: float = 2.0,
    normalisation: Normalisation = "weight",
) -> Float[Tensor, ""]:
    r"""Focal loss weighted by the effective numbers of the classes.

    Args:
        logits: of any size.
        labels: class ids.
        counts: training images of each class, n_k.
        beta: β of :func:`effective_number_weights`.
        gamma: γ of :func:`focal`.
        normalisation: of :func:`focal`; the source has ``"count"``.

    Raises:
        ValueError: as those two.

    Source: Cui et al. (2019), the class-balanced focal loss, here of the softmax.
    """
    weight = effective_number_weights(counts, beta=beta)
    return focal(logits, labels, gamma=gamma, weight=weight, normalisation=normalisation)


def label_aware_smoothing(
    logits: Float[Tensor, "N K"],
    labels: Int[Tensor, " N"],
    counts: Counts,
    *,
    head: float = 0.4,
    tail: float = 0.1,
) -> Float[Tensor, ""]:
    r"""Cross-entropy of labels that are smoothed the more, the more frequent their class.

    The own class has the probability :math:`1 - \varepsilon_y`, every other one
    :math:`\varepsilon_y/(K-1)`, where

    .. math:: \varepsilon_k = \varepsilon_{\text{tail}} + (\varepsilon_{\text{head}}
        - \varepsilon_{\text{tail}}) \sin\frac{\pi (n_k - n_{\min})}{2 (n_{\max} - n_{\min})}

    (the source's concave shape). Where all counts are equal, every class is a head class. The
    released code of the source spreads :math:`\varepsilon_y` over all K classes instead.

    Args:
        logits: of any size.
        labels: class ids.
        counts: training images of each class, n_k.
        head: ε of the most frequent class, in [0, 1).
        tail: ε of the rarest class, in [0, 1).

    Raises:
        ValueError: if shapes do not fit, there is one class, a count is below 1, or an ε is not in
            [0, 1).

    Source: Zhong et al. (2021), MiSLAS, equations 5 and 6.

    >>> label_aware_smoothing(torch.zeros(1, 3), torch.tensor([0]), [9, 3, 1])  # log 3
    tensor(1.0986)
    """
    for name, value in (("head", head), ("tail", tail)):
        if not 0 <= value < 1:
            raise ValueError(f"{name} is {value}, expected in [0, 1)")
    logits, labels = _arguments.batch("logits", logits, labels)
    num_classes = logits.shape[1]
    if num_classes < 2:
        raise ValueError("label-aware smoothing needs at least 2 classes, got 1")
    numbers = _check.counts(counts, num_classes).to(logits)
    above, span = numbers - numbers.amin(), numbers.amax() - numbers.amin()
    place = torch.where(span > 0, above / span, 1.0)
    smoothing = tail + (head - tail) * (torch.pi / 2 * place).sin()
    others = smoothing.index_select(0, labels) / (num_classes - 1)
    log_p = functional.log_softmax(logits, dim=1)
    log_p_label = log_p.gather(1, labels[:, None])[:, 0]
    return -((1 - num_classes * others) * log_p_label + others * log_p.sum(1)).mean()


def arb(
    logits: Float[Tensor, "N K"], labels: Int[Tensor, " N"], counts: Counts | None = None
) -> Float[Tensor, ""]:
    r"""ARB-Loss: a softmax in which each class repels in proportion to its size.

    .. math:: -\log \frac{e^{z_y}}{\sum_k \frac{n_k}{n_y} e^{z_k}}

    With the counts of the training set it is :func:`balanced_softmax`, number for number. Without,
    :math:`n_k` counts the batch, and a class that the batch lacks does not repel.

    Args:
        logits: of any size.
        labels: class ids.
        counts: training images of each class, n_k; None: those of the batch.

    Raises:
        ValueError: if shapes do not fit, or a count is below 1.

    Source: Xie et al. (2023), the attraction-repulsion-balanced loss.

    >>> arb(torch.zeros(3, 2), torch.tensor([0, 0, 1]))  # (2 log 3/2 + log 3) / 3
    tensor(0.6365)
    """
    if counts is not None:
        return balanced_softmax(logits, labels, counts)
    logits, labels = _arguments.batch("logits", logits, labels)
    numbers = _arguments.batch_counts(labels, logits.shape[1])
    moved = logits + numbers.to(logits).log()  # −∞ where the batch has none
    return functional.cross_entropy(moved, labels)


def _weight(weight: Tensor | None, logits: Tensor) -> Tensor | None:
    """Class weights of the logits' type, on their device."""
    if weight is None:
        return None
    return _arguments.weights(weight, logits.shape[1]).to(logits)
