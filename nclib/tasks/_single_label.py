"""One label an image."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from nclib import evaluate
from nclib.data import Labels
from nclib.tasks._task import Judged, StepLabels, Task


class SingleLabel(Task):
    """Every image has one class; a hit is an image whose class has the largest score."""

    name = "single_label"
    headline = "accuracy"
    title = "accuracy"
    hits = "accuracy"
    losses = ("mse", "ce")

    def targets(self, labels: Labels) -> StepLabels:
        """The class ids themselves."""
        return labels

    def predictions(self, scores: Float[Tensor, "B K"]) -> Int64[Tensor, " B"]:
        """The class of the largest score."""
        return scores.argmax(1)

    def count_hits(
        self, predictions: Tensor, targets: StepLabels, *, shift_invariant: bool
    ) -> Tensor:
        """Images whose class is right."""
        return (predictions == targets).sum()

    def metrics(self, judged: Judged, counts: Int64[Tensor, " K"], split: str) -> dict[str, float]:
        """Accuracy, of all and of each group of classes that has an image there."""
        accuracy = evaluate.shot_accuracy(judged.predictions, judged.labels, counts)
        groups = {"accuracy": accuracy.all, **accuracy._asdict()}
        del groups["all"]
        return {f"{split}_{group}": value for group, value in groups.items() if value is not None}

    def calibration(self, probabilities: Float[Tensor, "N K"], labels: Labels) -> dict[str, float]:
        """The expected calibration error."""
        return {"ece": evaluate.expected_calibration_error(probabilities, labels)}

    def summary(self, judged: Judged, num_classes: int) -> dict[str, Any]:
        """Accuracy, and that of each class."""
        by_class = _per_class_accuracy(judged, num_classes)
        return {
            "accuracy": _right(judged).mean().item(),
            "per_class_accuracy": [round(share, 6) for share in by_class.tolist()],
        }

    def means(
        self,
        features: Float[Tensor, "N P"] | Float[Tensor, "N K P"],
        labels: Labels,
        num_classes: int,
    ) -> tuple[Float[Tensor, "K P"], Float[Tensor, " P"]]:
        """Those of the images."""
        return _class_means(features, labels, num_classes), features.double().mean(0)

    def arrays(
        self,
        train: tuple[Float[Tensor, "N P"] | Float[Tensor, "N K P"], Labels],
        test: Judged,
        num_classes: int,
    ) -> dict[str, Tensor]:
        """Accuracy of each class and, up to 100 classes, the confusion matrix."""
        arrays = {"per_class_accuracy": _per_class_accuracy(test, num_classes)}
        if num_classes <= 100:
            pairs = test.labels * num_classes + test.predictions
            confusion = pairs.bincount(minlength=num_classes**2)
            arrays["confusion"] = confusion.view(num_classes, num_classes)
        return arrays


def _right(judged: Judged) -> Float[Tensor, " N"]:
    return (judged.predictions == judged.labels).double()


def _per_class_accuracy(judged: Judged, num_classes: int) -> Float[Tensor, " K"]:
    return _class_means(_right(judged)[:, None], judged.labels, num_classes)[:, 0]


def _class_means(
    values: Float[Tensor, "N P"], labels: Int64[Tensor, " N"], num_classes: int
) -> Float[Tensor, "K P"]:
    sums = values.new_zeros(num_classes, values.shape[1], dtype=torch.float64)
    sums.index_add_(0, labels, values.double())
    return sums / labels.bincount(minlength=num_classes)[:, None]


single_label = SingleLabel()
