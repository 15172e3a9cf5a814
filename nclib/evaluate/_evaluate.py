"""Accuracy by frequency of the class, and the expected calibration error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nclib import _check


class ShotAccuracy(NamedTuple):
    """Fractions of test samples that are classified right, each None where there is no sample."""

    all: float | None  #: Of every class.
    many: float | None  #: Of classes with more than 100 training images.
    medium: float | None  #: Of classes with 20 to 100.
    few: float | None  #: Of classes with fewer than 20.


def shot_accuracy(
    predictions: Int[Tensor, " N"],
    labels: Int[Tensor, " N"],
    train_counts: Tensor | Sequence[int],
) -> ShotAccuracy:
    """Accuracy on all test samples, and on those of frequent, less frequent and rare classes.

    Every test sample counts the same; with a balanced test set, as is usual, that is the mean over
    the group's classes too.

    Args:
        predictions: class ids, one a test sample.
        labels: the true ones.
        train_counts: training images of each class.

    Raises:
        TypeError: if predictions or labels are no integers, such as scores.
        ValueError: if shapes do not fit, a class id is out of range, or a count is negative.

    Source: Liu et al. (2019), the split of ImageNet-LT.

    >>> shot_accuracy(torch.tensor([0, 0, 2]), torch.tensor([0, 1, 2]), [101, 100, 19])
    ShotAccuracy(all=0.6666666666666666, many=1.0, medium=0.0, few=1.0)
    """
    counts = _check.counts(train_counts, least=0, name="train_counts")
    labels = _check.class_ids("labels", labels, len(counts))
    predictions = _check.class_ids("predictions", predictions, len(counts)).to(labels.device)
    if labels.shape != predictions.shape:
        raise ValueError(f"{len(predictions)} predictions but {len(labels)} labels")
    right = (predictions == labels).double()
    counts = counts.to(labels.device)[labels]

    def accuracy(group: Tensor) -> float | None:
        return right[group].mean().item() if bool(group.any()) else None

    return ShotAccuracy(
        all=accuracy(torch.ones_like(counts, dtype=torch.bool)),
        many=accuracy(counts > 100),
        medium=accuracy((counts >= 20) & (counts <= 100)),
        few=accuracy(counts < 20),
    )


def expected_calibration_error(
    probabilities: Float[Tensor, "N K"], labels: Int[Tensor, " N"], bins: int = 15
) -> float:
    r"""Mean gap between confidence and accuracy, over bins of equal confidence.

    .. math:: \sum_b \frac{|B_b|}{N} \,|\operatorname{acc}(B_b) - \operatorname{conf}(B_b)|

    The confidence of a sample is its largest probability; bin b holds those in
    :math:`(\tfrac{b-1}{m}, \tfrac{b}{m}]` for m bins.

    Args:
        probabilities: rows that sum to 1, such as a softmax.
        labels: class ids.
        bins: m.

    Raises:
        TypeError: if probabilities are not floating point or labels are no integers.
        ValueError: if shapes do not fit, there is no sample, a row is no distribution (to 1e-2), a
            label is out of range, or ``bins < 1``.

    Source: Guo et al. (2017), equation 3.

    >>> sure = torch.tensor([[0.75, 0.25], [0.75, 0.25]])
    >>> expected_calibration_error(sure, torch.tensor([0, 1]))  # |1/2 − 3/4|
    0.25
    """
    _check.number("bins", bins, least=1)
    probabilities = _check.matrix("probabilities", probabilities)
    labels = _check.class_ids("labels", labels, probabilities.shape[1]).to(probabilities.device)
    if len(labels) != len(probabilities):
        raise ValueError(f"{len(probabilities)} rows of probabilities but {len(labels)} labels")
    probabilities = probabilities.double()
    sums = probabilities.sum(1)
    wrong = ((sums - 1).abs() <= 1e-2).logical_not() | (probabilities < 0).any(1)
    if bool(wrong.any()):
        sample = int(wrong.nonzero()[0])
        raise ValueError(
            f"probabilities of sample {sample} are no distribution: their sum is "
            f"{float(sums[sample]):.6g}, the least is {float(probabilities[sample].min()):.6g}"
        )
    confidence, chosen = probabilities.max(1)
    edges = torch.arange(1, bins, dtype=torch.float64, device=confidence.device) / bins
    index = torch.bucketize(confidence, edges)
    gap = (chosen == labels).double() - confidence
    sums = gap.new_zeros(bins).index_add(0, index, gap)
    return float(sums.abs().sum() / len(labels))
