"""What every room asks of the tensors, counts and class ids that it is given.

Each refusal names the argument, the value and what was expected. Nothing here converts precision.
"""

from __future__ import annotations

import math
import numbers as abstract
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

Counts = Tensor | Sequence[int]


def tensor(name: str, value: Any) -> Tensor:
    """A torch tensor, not an array or a list."""
    if not isinstance(value, Tensor):
        kind = type(value).__name__
        raise TypeError(f"{name} must be a torch.Tensor, got {kind}: torch.as_tensor makes it one")
    return value


def floating(name: str, value: Any) -> Tensor:
    """A tensor of floating-point numbers."""
    value = tensor(name, value)
    if not value.is_floating_point():
        raise TypeError(f"{name} must be floating point, got {value.dtype}")
    return value


def integers(name: str, value: Any) -> Tensor:
    """A tensor of integers, as class ids are."""
    value = tensor(name, value)
    if value.is_floating_point() or value.is_complex() or value.dtype == torch.bool:
        raise TypeError(f"{name} must be integers, got {value.dtype}")
    return value


def numbers(name: str, value: Any) -> Tensor:
    """A tensor of real numbers, from anything that torch makes one of."""
    try:
        value = torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"{name} must be numbers, got {value!r}") from None
    if value.is_complex() or value.dtype == torch.bool:
        raise TypeError(f"{name} must be numbers, got {value.dtype}")
    return value


def matrix(name: str, value: Any) -> Tensor:
    """A floating-point matrix with rows and columns."""
    value = floating(name, value)
    if value.ndim != 2 or 0 in value.shape:
        raise ValueError(f"{name} must be a matrix with rows, got shape {tuple(value.shape)}")
    return value


def same_dim(name: str, rows: Tensor, features: Tensor) -> None:
    """Rows (K, P) of the features' dimension."""
    if rows.shape[1] != features.shape[1]:
        raise ValueError(
            f"{name} must have shape (K, {features.shape[1]}), as the features, "
            f"got {tuple(rows.shape)}"
        )


def class_ids(name: str, value: Any, num_classes: int | float = math.inf) -> Tensor:
    """A vector of class ids, as int64; without ``num_classes`` any id from 0 on."""
    value = integers(name, torch.as_tensor(value))
    if value.ndim != 1:
        raise ValueError(f"{name} must be a vector of class ids, got shape {tuple(value.shape)}")
    sample = outside(value, num_classes)
    if sample is not None:
        most = f"0 to {num_classes - 1}" if math.isfinite(num_classes) else "0 or more"
        raise ValueError(f"{name} has class {int(value[sample])}, expected {most}")
    return value.long()


def multi_hot(name: str, value: Any, num_classes: int | None = None) -> Tensor:
    """A matrix of zeros and ones, a row a sample and a column a class, as booleans."""
    value = torch.as_tensor(value)
    if value.ndim != 2 or (num_classes is not None and value.shape[1] != num_classes):
        expected = f"(N, {'K' if num_classes is None else num_classes})"
        raise ValueError(
            f"{name} must be multi-hot, of shape {expected}, got shape {tuple(value.shape)}"
        )
    if value.dtype == torch.bool:
        return value
    hot = numbers(name, value) != 0
    if readable(value) and not bool((value == hot).all()):
        row, column = (value != hot).nonzero()[0].tolist()
        raise ValueError(
            f"{name} has {value[row, column].item()} in row {row}, column {column}: "
            "multi-hot labels are zeros and ones"
        )
    return hot


def sparse_multi_hot(name: str, labels: Any) -> Any:
    """A matrix of zeros and ones, tensor, array or scipy sparse, as a CSR array of float64."""
    from scipy import sparse  # slow to import

    if isinstance(labels, Tensor):
        if labels.layout is not torch.strided:
            raise TypeError(f"{name} is a sparse torch tensor: give a scipy.sparse one instead")
        labels = labels.detach().cpu()
        labels = labels.float() if labels.dtype == torch.bfloat16 else labels
    if not sparse.issparse(labels):
        try:
            labels = np.asarray(labels)
        except ValueError as error:  # rows of unequal length
            raise ValueError(f"{name} must be a multi-hot (N, K) matrix: {error}") from None
    if labels.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be zeros and ones, got {labels.dtype}")
    if labels.ndim != 2:
        raise ValueError(
            f"{name} must be multi-hot, of shape (N, K), got shape {tuple(labels.shape)}: "
            "torch.nn.functional.one_hot makes such rows of class ids"
        )
    rows = sparse.csr_array(labels, dtype=np.float64, copy=True)
    rows.sum_duplicates()  # a label that a sparse matrix has twice becomes a 2, which is refused
    rows.eliminate_zeros()
    wrong = np.flatnonzero(rows.data != 1)
    if len(wrong):
        row = int(np.searchsorted(rows.indptr, wrong[0], side="right")) - 1
        column, value = int(rows.indices[wrong[0]]), rows.data[wrong[0]]
        raise ValueError(
            f"{name} has {value:g} in row {row}, column {column}: multi-hot labels are zeros and "
            "ones"
        )
    return rows


def outside(ids: Tensor, num_classes: int | float) -> int | None:
    """The first position of an id that is no class, None if all are classes."""
    if len(ids) == 0:
        return None
    least, most = ids.aminmax()
    if least >= 0 and most < num_classes:
        return None
    return int(((ids < 0) | (ids >= num_classes)).nonzero()[0])


def per_class(name: str, value: Any, num_classes: int) -> Tensor:
    """A vector of one number for each of K classes."""
    value = numbers(name, value)
    if value.shape != (num_classes,):
        raise ValueError(
            f"{name} must have shape ({num_classes},), one for each class, got {tuple(value.shape)}"
        )
    return value


def counts(
    value: Any, num_classes: int | None = None, *, least: int = 1, name: str = "counts"
) -> Tensor:
    """The numbers of samples of the classes, each at least ``least``."""
    value = numbers(name, value)
    if num_classes is None:
        if value.ndim != 1 or len(value) == 0:
            raise ValueError(f"{name} must be a vector, got shape {tuple(value.shape)}")
        num_classes = len(value)
    value = per_class(name, value, num_classes)
    if readable(value):
        wrong = (~((value >= least) & value.isfinite())).nonzero()
        if len(wrong):
            k = int(wrong[0])
            raise ValueError(
                f"{name} has {value[k].item()} for class {k}, expected at least {least}"
            )
    return value


def number(name: str, value: Any, *, least: float = -math.inf, above: float = -math.inf) -> None:
    """A finite number, not below ``least`` and above ``above``."""
    if isinstance(value, bool) or not isinstance(value, abstract.Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not (math.isfinite(value) and float(value) >= least and float(value) > above):
        expected = f"at least {least:g}" if least > -math.inf else f"above {above:g}"
        raise ValueError(f"{name} is {value}, expected a finite number {expected}")


def whole(name: str, value: Any, *, least: int) -> None:
    """A whole number, not below ``least``."""
    if isinstance(value, bool) or not isinstance(value, abstract.Integral):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if value < least:
        raise ValueError(f"{name} {value} must be at least {least}")


def readable(value: Tensor) -> bool:
    """Whether the values can be read without waiting for an accelerator or breaking a graph."""
    return value.device.type == "cpu" and not torch.compiler.is_compiling()
