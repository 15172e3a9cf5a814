"""What a long tail of labels looks like: counts, co-occurrence, head and tail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from nclib import _check

#: Training images from which on a class is of the head, and below which it is of the tail.
HEAD, TAIL = 100, 20


@dataclass(frozen=True)
class LabelStatistics:
    """Counts over images with several labels.

    Attributes:
        images: N.
        class_counts: images of each class.
        alone: images of each class that have no other label.
        sizes: images with 0, 1, 2, … labels; the first are those without a label.
        cooccurrence: images with both of two classes; the diagonal is ``class_counts``.
        head: classes with at least 100 training images, or of the head of given groups.
        medium: classes with 20 to 99.
        tail: classes with fewer than 20.
        absent: classes without an image here; they are of the tail too, if training has as few.
        tail_images: images with a label of the tail.
        tail_images_with_head: those of them that have a label of the head too.
    """

    images: int
    class_counts: Int64[Tensor, " K"]
    alone: Int64[Tensor, " K"]
    sizes: Int64[Tensor, " M"]
    cooccurrence: Int64[Tensor, "K K"]
    head: tuple[int, ...]
    medium: tuple[int, ...]
    tail: tuple[int, ...]
    absent: tuple[int, ...]
    tail_images: int
    tail_images_with_head: int

    @property
    def unlabelled(self) -> int:
        """Images without a label."""
        return int(self.sizes[0])

    @property
    def labels_per_image(self) -> float:
        """Mean over all images, those without a label too."""
        return int(self.class_counts.sum()) / self.images

    @property
    def head_tail_rate(self) -> float | None:
        """Share of the images with a tail label that have one of the head too, or None."""
        if self.tail_images == 0:
            return None
        return self.tail_images_with_head / self.tail_images


def label_statistics(
    labels: Any,
    *,
    train_counts: _check.Counts | None = None,
    groups: Mapping[str, Sequence[int]] | None = None,
) -> LabelStatistics:
    """Long-tail statistics of images with several labels, in time linear in the labels.

    Args:
        labels: (N, K) zeros and ones: a tensor, an array or a scipy sparse matrix. Rows without a
            label and columns without an image are counted and named.
        train_counts: training images of each class, which say whether it is of head or tail; None:
            those of ``labels``.
        groups: the classes of ``head``, ``medium`` and ``tail``, instead of those by count, such as
            ``DatasetInfo.groups``.

    Raises:
        ValueError: if labels is no matrix with rows, an entry is neither 0 nor 1, the counts are
            not K numbers of at least 0, or the groups do not divide the classes.

    Source: Wu et al. (2020): the split at 100 and 20 images.

    >>> labels = torch.tensor([[1, 0, 0]] * 100 + [[1, 1, 0]] * 3 + [[0, 1, 0], [0, 0, 0]])
    >>> found = label_statistics(labels)
    >>> found.class_counts.tolist(), found.head, found.tail, found.absent, found.unlabelled
    ([103, 4, 0], (0,), (1, 2), (2,), 1)
    >>> found.head_tail_rate
    0.75
    """
    rows = _check.sparse_multi_hot("labels", labels).astype(np.int64)
    if 0 in rows.shape:
        raise ValueError(f"labels must have rows and columns, got shape {rows.shape}")
    counts = torch.from_numpy(rows.sum(0)).long()
    per_image = torch.from_numpy(rows.sum(1)).long()
    split_by = counts
    if train_counts is not None:
        split_by = _check.counts(train_counts, len(counts), least=0, name="train_counts").cpu()
    head, tail = split_by >= HEAD, split_by < TAIL
    if groups is not None:
        head, tail = _of_groups(groups, len(counts))
    in_tail = rows[:, tail.numpy()].sum(1) > 0
    in_head = rows[:, head.numpy()].sum(1) > 0
    one = rows[(per_image == 1).numpy()]
    return LabelStatistics(
        images=rows.shape[0],
        class_counts=counts,
        alone=torch.from_numpy(one.sum(0)).long(),
        sizes=per_image.bincount(),
        cooccurrence=torch.from_numpy((rows.T @ rows).toarray()).long(),
        head=_classes(head),
        medium=_classes(~head & ~tail),
        tail=_classes(tail),
        absent=_classes(counts == 0),
        tail_images=int(in_tail.sum()),
        tail_images_with_head=int((in_tail & in_head).sum()),
    )


def _of_groups(groups: Mapping[str, Sequence[int]], num_classes: int) -> tuple[Tensor, Tensor]:
    """Whether a class is of the head, and of the tail."""
    names = ("head", "medium", "tail")
    listed = sorted(k for classes in groups.values() for k in classes)
    if set(groups) != set(names) or listed != list(range(num_classes)):
        raise ValueError(
            f"groups are {', '.join(groups)} with {len(listed)} classes, expected "
            f"{', '.join(names)} with each of {num_classes} once"
        )
    chosen = torch.zeros(3, num_classes, dtype=torch.bool)
    for row, name in zip(chosen, names, strict=True):
        row[list(groups[name])] = True
    return chosen[0], chosen[2]


def _classes(chosen: Tensor) -> tuple[int, ...]:
    return tuple(chosen.nonzero()[:, 0].tolist())
