"""What every loss asks of its arguments, each refusal naming what is wrong."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

Counts = Tensor | Sequence[int]


def matrix(name: str, value: Any) -> Tensor:
    """A floating-point matrix, in float32 at least."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, got {type(value).__name__}")
    if not value.is_floating_point():
        raise TypeError(f"{name} must be floating point, got {value.dtype}")
    if value.ndim != 2 or 0 in value.shape:
        raise ValueError(f"{name} must be a matrix with rows, got shape {tuple(value.shape)}")
    return value.float() if value.dtype.itemsize < 4 else value


def batch(
    name: str, rows: Any, labels: Any, num_classes: int | float | None = None
) -> tuple[Tensor, Tensor]:
    """The rows (N, ·) in float32 at least, and their labels as int64; K is as given, or columns."""
    rows = matrix(name, rows)
    if not isinstance(labels, Tensor):
        raise TypeError(f"labels must be a torch.Tensor, got {type(labels).__name__}")
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(f"labels must be integers, got {labels.dtype}")
    if labels.shape != rows.shape[:1]:
        raise ValueError(
            f"labels must have shape ({len(rows)},), one for each row of {name}, "
            f"got {tuple(labels.shape)}"
        )
    labels = labels.long()
    num_classes = rows.shape[1] if num_classes is None else num_classes
    if num_classes < 1:
        raise ValueError(f"num_classes is {num_classes}, expected at least 1")
    if _can_look(labels) and len(labels):
        least, most = labels.aminmax()
        if least < 0 or most >= num_classes:
            wrong = labels[(labels < 0) | (labels >= num_classes)]
            raise ValueError(
                f"label {int(wrong[0])} is out of range: expected 0 to {num_classes - 1}"
            )
    return rows, labels


def same_dim(name: str, rows: Tensor, features: Tensor) -> None:
    """Rows (K, P) of the features' dimension."""
    if rows.shape[1] != features.shape[1]:
        raise ValueError(
            f"{name} must have shape (K, {features.shape[1]}), as the features, "
            f"got {tuple(rows.shape)}"
        )


def per_class(name: str, value: Any, num_classes: int) -> Tensor:
    """A vector of one number for each of K classes."""
    value = _numbers(name, value)
    if value.shape != (num_classes,):
        raise ValueError(
            f"{name} must have shape ({num_classes},), one for each class, got {tuple(value.shape)}"
        )
    return value


def counts(value: Counts, num_classes: int | None = None) -> Tensor:
    """The numbers of training images of the classes, each at least 1."""
    value = _numbers("counts", value)
    if num_classes is None:
        if value.ndim != 1 or len(value) == 0:
            raise ValueError(f"counts must be a vector, got shape {tuple(value.shape)}")
        num_classes = len(value)
    value = per_class("counts", value, num_classes)
    if _can_look(value):
        wrong = (~(value >= 1)).nonzero()
        if len(wrong):
            k = int(wrong[0])
            raise ValueError(f"counts has {value[k].item()} for class {k}, expected at least 1")
    return value


def weights(value: Any, num_classes: int) -> Tensor:
    """A weight for each of K classes: none negative, and not all zero."""
    value = per_class("weight", value, num_classes)
    if _can_look(value):
        wrong = (~((value >= 0) & value.isfinite())).nonzero()
        if len(wrong):
            k = int(wrong[0])
            raise ValueError(f"weight has {value[k].item()} for class {k}, expected 0 or more")
        if not bool(value.any()):
            raise ValueError("weight is 0 for every class, expected a positive one")
    return value


def _numbers(name: str, value: Any) -> Tensor:
    """A tensor of real numbers."""
    try:
        value = torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"{name} must be numbers, got {value!r}") from None
    if value.is_complex() or value.dtype == torch.bool:
        raise TypeError(f"{name} must be numbers, got {value.dtype}")
    return value


def batch_counts(labels: Tensor, num_classes: int) -> Tensor:
    """Samples of each class in a batch; bincount would wait for the accelerator."""
    return labels.new_zeros(num_classes).index_add(0, labels, torch.ones_like(labels))


def number(name: str, value: float, *, least: float = -math.inf, above: float = -math.inf) -> None:
    """A finite number, not below ``least`` and above ``above``."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not (math.isfinite(value) and value >= least and value > above):
        expected = f"at least {least:g}" if least > -math.inf else f"above {above:g}"
        raise ValueError(f"{name} is {value}, expected a finite number {expected}")


def _can_look(value: Tensor) -> bool:
    """Whether the values can be read without waiting for an accelerator or breaking a graph."""
    return value.device.type == "cpu" and not torch.compiler.is_compiling()
