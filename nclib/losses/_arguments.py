"""What every loss asks of its arguments, beyond what every room asks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nclib import _check


def matrix(name: str, value: Any) -> Tensor:
    """A floating-point matrix, in float32 at least."""
    value = _check.matrix(name, value)
    return value.float() if value.dtype.itemsize < 4 else value


def batch(
    name: str, rows: Any, labels: Any, num_classes: int | float | None = None
) -> tuple[Tensor, Tensor]:
    """The rows (N, ·) in float32 at least, and their labels as int64; K is as given, or columns."""
    rows = matrix(name, rows)
    labels = _check.integers("labels", labels)
    if labels.shape != rows.shape[:1]:
        raise ValueError(
            f"labels must have shape ({len(rows)},), one for each row of {name}, "
            f"got {tuple(labels.shape)}"
        )
    labels = labels.long()
    num_classes = rows.shape[1] if num_classes is None else num_classes
    if num_classes < 1:
        raise ValueError(f"num_classes is {num_classes}, expected at least 1")
    if _check.readable(labels):
        sample = _check.outside(labels, num_classes)
        if sample is not None:
            raise ValueError(
                f"label {int(labels[sample])} is out of range: expected 0 to {num_classes - 1}"
            )
    return rows, labels


def multi_hot(logits: Any, targets: Any) -> tuple[Tensor, Tensor]:
    """Logits (N, K) in float32 at least, and zeros and ones of their shape and type."""
    logits = matrix("logits", logits)
    return logits, _zeros_and_ones(targets, logits.shape, "the logits").to(logits.dtype)


def _zeros_and_ones(targets: Any, shape: torch.Size, owner: str) -> Tensor:
    """Targets of that shape, which is that of the owner's rows and classes."""
    targets = _check.tensor("targets", targets)
    if targets.shape != shape:
        raise ValueError(
            f"targets must have shape {tuple(shape)}, as {owner}, got {tuple(targets.shape)}"
        )
    if _check.readable(targets) and not torch.equal(targets.bool().to(targets.dtype), targets):
        _check.multi_hot("targets", targets)  # says where
    return targets


def class_wise(features: Any, name: str, rows: Any, targets: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Features (N, K, P), a row (K, P) a class, and targets (N, K), in float32 at least."""
    features, rows = _check.floating("features", features), matrix(name, rows)
    if features.ndim != 3 or 0 in features.shape or features.shape[1:] != rows.shape:
        raise ValueError(
            f"features must be class by class, of shape (N, {rows.shape[0]}, {rows.shape[1]}) for "
            f"{name} of shape {tuple(rows.shape)}, got {tuple(features.shape)}"
        )
    dtype = torch.promote_types(features.dtype, torch.promote_types(rows.dtype, torch.float32))
    targets = _zeros_and_ones(targets, features.shape[:2], "the features but for their dimension")
    return features.to(dtype), rows.to(dtype), targets.to(dtype)


def weights(value: Any, num_classes: int) -> Tensor:
    """A weight for each of K classes: none negative, and not all zero."""
    value = _check.per_class("weight", value, num_classes)
    if _check.readable(value):
        wrong = (~((value >= 0) & value.isfinite())).nonzero()
        if len(wrong):
            k = int(wrong[0])
            raise ValueError(f"weight has {value[k].item()} for class {k}, expected 0 or more")
        if not bool(value.any()):
            raise ValueError("weight is 0 for every class, expected a positive one")
    return value


def batch_counts(labels: Tensor, num_classes: int) -> Tensor:
    """Samples of each class in a batch; bincount would wait for the accelerator."""
    return labels.new_zeros(num_classes).index_add(0, labels, torch.ones_like(labels))
