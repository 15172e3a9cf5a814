"""Tables of label sets: which sets of labels there are, and how many images have each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from nclib import _check


class SupportTable(NamedTuple):
    """Label sets (supports), none of them twice, and the number of images that have each."""

    supports: Bool[Tensor, "S K"]
    counts: Int64[Tensor, " S"]


def label_set(support: Bool[Tensor, " K"]) -> str:
    """A support in words: ``{2, 7}``."""
    return f"{{{', '.join(str(k) for k in support.nonzero()[:, 0].tolist())}}}"


def support_table(supports: Any, counts: Any) -> SupportTable:
    """The table itself, checked.

    Args:
        supports: (S, K) zeros and ones, a label set a row.
        counts: (S,) images of each, whole numbers of at least 0.

    Returns:
        The table without the rows of count 0, on the CPU.

    Raises:
        TypeError: if counts are no whole numbers, as probabilities are not.
        ValueError: if a row has no label or stands twice, a count is negative or none is positive;
            the message names the label set.

    >>> support_table([[1, 0, 0], [0, 1, 1]], [5, 2]).counts.tolist()
    [5, 2]
    """
    supports = _check.multi_hot("supports", supports).cpu()
    counts = _check.numbers("counts", counts).cpu()
    if counts.shape != supports.shape[:1]:
        raise ValueError(
            f"counts must have shape ({len(supports)},), one for each support, "
            f"got {tuple(counts.shape)}"
        )
    if counts.is_floating_point():
        wrong = (counts != counts.round()).nonzero()
        if len(wrong):
            raise TypeError(
                f"counts has {counts[wrong[0]].item():g} for {label_set(supports[wrong[0, 0]])}, "
                f"expected images, a whole number: share times images, if it is a probability"
            )
    empty = (~supports.any(1)).nonzero()
    if len(empty):
        raise ValueError(f"supports has row {int(empty[0])} without a label")
    if len(counts) and counts.min() < 0:
        raise ValueError(
            f"counts has {int(counts.min())} for {label_set(supports[int(counts.argmin())])}, "
            f"expected at least 0"
        )
    distinct, place = supports.unique(dim=0, return_inverse=True)
    if len(distinct) < len(supports):
        twice = int((place.bincount() > 1).nonzero()[0])
        rows = (place == twice).nonzero()[:, 0].tolist()
        raise ValueError(
            f"supports has {label_set(distinct[twice])} in rows {', '.join(map(str, rows))}, "
            f"expected it once, with the sum of the counts"
        )
    present = counts > 0
    if not present.any():
        raise ValueError("counts must have a positive one, or there are no images")
    return SupportTable(supports[present], counts[present].long())


def all_supports(num_classes: int, counts: Mapping[int, int | Sequence[int]]) -> SupportTable:
    r"""All :math:`\binom{K}{m}` label sets of each size m that is given, in lexicographic order.

    Args:
        num_classes: K.
        counts: for each size m its images a label set: one number, or one for each of them.

    Raises:
        ValueError: if a size is not in 1 .. K, the counts are as many as there are no label sets,
            or as :func:`support_table` does.

    >>> table = all_supports(4, {1: [8, 4, 2, 1], 2: 3})
    >>> len(table.supports), int(table.counts.sum())
    (10, 33)
    """
    _check.whole("num_classes", num_classes, least=1)
    rows: list[tuple[int, ...]] = []
    images: list[int] = []
    for size, each in sorted(counts.items()):
        if not 1 <= size <= num_classes:
            raise ValueError(f"a label set of {size} labels, expected 1 to {num_classes}")
        sets = list(combinations(range(num_classes), size))
        listed = list(each) if isinstance(each, Sequence) else [each] * len(sets)
        if len(listed) != len(sets):
            raise ValueError(f"size {size} has {len(listed)} counts, expected {len(sets)}")
        rows, images = rows + sets, images + listed
    supports = torch.zeros(len(rows), num_classes, dtype=torch.bool)
    for row, labels in enumerate(rows):
        supports[row, list(labels)] = True
    return support_table(supports, images)


def tabulate(labels: Any) -> SupportTable:
    """The label sets that occur, and how many images have each.

    Args:
        labels: (N, K) zeros and ones; images without a label are left out.

    Returns:
        The table with smaller sets first, in lexicographic order within a size.

    Raises:
        ValueError: if labels is no matrix of zeros and ones, or no image has a label.

    >>> table = tabulate([[0, 1, 1], [1, 0, 0], [0, 0, 0], [0, 1, 1]])
    >>> table.supports.int().tolist(), table.counts.tolist()
    ([[1, 0, 0], [0, 1, 1]], [1, 2])
    """
    labels = _check.multi_hot("labels", labels).cpu()
    supports, counts = labels[labels.any(1)].unique(dim=0, return_counts=True)
    supports, counts = supports.flip(0), counts.flip(0)
    order = supports.sum(1).argsort(stable=True)
    return support_table(supports[order], counts[order])
