"""Positive pairs: every label of every sample, with the features that stand for it."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nclib import _check
from nclib._scale import magnitude
from nclib.metrics import _validate

_CHUNK = 4096


class Pairs(NamedTuple):
    """Features in rows, and the pairs (row, class) that count as samples."""

    features: Float[Tensor, "R P"]
    classes: Int[Tensor, " M"]
    rows: Int[Tensor, " M"] | None  # None: a pair a row, in order
    width: int  # rows a sample: K of class-wise features, else 1
    hot: Bool[Tensor, "R K"] | None  # with rows that several pairs share

    def take(self) -> Float[Tensor, "M P"]:
        """The features of every pair."""
        return self.features if self.rows is None else self.features[self.rows]

    def magnitude(self) -> float:
        """The largest magnitude of the features of the pairs; nan if anything is."""
        if self.rows is None:
            return magnitude(self.features)
        largest = [magnitude(self.features[rows]) for rows in self.rows.split(_CHUNK)]
        return float(torch.tensor(largest, dtype=torch.float64).max()) if largest else 0.0

    def nonfinite_error(self) -> ValueError:
        """Which sample is the first that is not finite."""
        chunks = (self.features if self.rows is None else self.rows).split(_CHUNK)
        finite = [
            (chunk if self.rows is None else self.features[chunk]).isfinite().all(1)
            for chunk in chunks
        ]
        pair = int((~torch.cat(finite)).nonzero()[0])
        row = pair if self.rows is None else int(self.rows[pair])
        return ValueError(f"features contain NaN or infinity, first in sample {row // self.width}")

    def of(self, present: Int[Tensor, " L"], num_classes: int) -> "Pairs":
        """The same pairs, the classes numbered among those that are present."""
        number = torch.full((num_classes,), -1, device=present.device)
        number[present] = torch.arange(len(present), device=present.device)
        hot = None if self.hot is None else self.hot[:, present]
        return self._replace(classes=number[self.classes], hot=hot)


def positive_pairs(features: Tensor, labels: Tensor, num_classes: int | None) -> tuple[Pairs, int]:
    """The pairs of features (N, P) or (N, K, P) and labels (N,) or (N, K); and K.

    They are checked but for what ``check_batch`` asks. Everything lies on the features' device.
    """
    if labels.ndim == 2:
        if num_classes is not None and labels.shape[1] != num_classes:
            raise ValueError(
                f"labels must have shape (N,), or (N, {num_classes}) if multi-hot,"
                f" got {tuple(labels.shape)}"
            )
        labels = _check.multi_hot("labels", labels).to(features.device)
        num_classes = labels.shape[1]
        if num_classes < 2:
            raise ValueError("labels must have at least 2 columns, one a class, got 1")
    else:
        labels = labels.to(features.device, torch.int64)
        if num_classes is None and features.ndim == 3:
            num_classes = features.shape[1]
        elif num_classes is None:
            num_classes = max(2, int(labels.max()) + 1) if len(labels) else 2
        _validate.check_labels(labels, num_classes)
    features = features.detach()
    width = 1
    if features.ndim == 3:
        width = num_classes
        if features.shape[1] != width:
            raise ValueError(
                f"class-wise features must have shape (N, {width}, P), got {tuple(features.shape)}"
            )
        features = features.flatten(0, 1)
    if labels.ndim == 2:
        rows, classes = labels.nonzero(as_tuple=True)
        if width == 1:
            return Pairs(features, classes, rows, width, labels), num_classes
        return Pairs(features, classes, width * rows + classes, width, None), num_classes
    if width == 1:
        return Pairs(features, labels, None, width, None), num_classes
    rows = width * torch.arange(len(labels), device=labels.device) + labels
    return Pairs(features, labels, rows, width, None), num_classes
