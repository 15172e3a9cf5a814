"""Labels: a class of every image, or several; a positive pair of image and class is a sample."""

from __future__ import annotations

from jaxtyping import Bool, Int, Int64, Shaped
from torch import Tensor

from nclib import _check

Labels = Int64[Tensor, " N"] | Bool[Tensor, "N K"]
"""Class ids, or multi-hot: true where an image has the label."""

GivenLabels = Int[Tensor, " N"] | Shaped[Tensor, "N K"]
"""The same as public functions take them, which check that a matrix has zeros and ones alone."""


def checked(labels: GivenLabels) -> Labels:
    """Class ids as int64, or multi-hot labels as truth values.

    Raises:
        TypeError: if class ids are no integers.
        ValueError: if a class id is negative, or a matrix has anything but zeros and ones.
    """
    if labels.ndim == 2:
        return _check.multi_hot("labels", labels)
    return _check.class_ids("labels", labels)


def positive_pairs(labels: Labels) -> tuple[Int64[Tensor, " M"], Int64[Tensor, " M"]]:
    """Image and class of every positive pair of multi-hot labels, image by image."""
    images, classes = labels.nonzero(as_tuple=True)
    return images, classes


def class_counts(labels: GivenLabels, num_classes: int) -> Int64[Tensor, " K"]:
    """Positive pairs of each class: images that have the label.

    Args:
        labels: class ids (N,), or multi-hot (N, K).
        num_classes: K.

    Raises:
        TypeError: if class ids are no integers.
        ValueError: if a class id is not one of K, or a matrix has another number of columns, or
            anything but zeros and ones.

    >>> import torch
    >>> class_counts(torch.tensor([[True, True], [False, True], [False, False]]), 2).tolist()
    [1, 2]
    """
    if labels.ndim == 2:
        return _check.multi_hot("labels", labels, num_classes).sum(0)
    return _check.class_ids("labels", labels, num_classes).bincount(minlength=num_classes)
