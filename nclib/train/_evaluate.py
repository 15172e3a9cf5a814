"""What a network is worth: passes over a split, accuracies, collapse, and a record's results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from nclib import evaluate
from nclib.metrics import CollapseReport, measure
from nclib.models import Outputs
from nclib.train._objective import Objective, weight_and_bias
from nclib.train._processes import gather, world_size


class SplitOutputs(NamedTuple):
    """What a network gives for a split in evaluation mode, and what is decided there."""

    outputs: Outputs  # of this process's part, in float32
    labels: Int64[Tensor, " n"]
    predictions: Int64[Tensor, " N"]  # of all parts
    truth: Int64[Tensor, " N"]

    def whole(self) -> SplitOutputs:
        """All parts in every process."""
        outputs = Outputs(*map(gather, self.outputs))
        return self._replace(outputs=outputs, labels=gather(self.labels))

    @property
    def correct(self) -> Bool[Tensor, " N"]:
        """Which predictions are right."""
        return self.predictions == self.truth

    @property
    def accuracy(self) -> float:
        """The share of right predictions."""
        return self.correct.double().mean().item()


Batches = Iterable[tuple[Float[Tensor, "B C H W"], Int64[Tensor, " B"]]]


def noisy(
    batches: Batches, noise: float, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Gaussian noise of that standard deviation on normalised images."""
    for images, labels in batches:
        drawn = torch.randn(images.shape, generator=generator).to(images.device)
        yield images + noise * drawn, labels


@torch.inference_mode()
def outputs(
    network: nn.Module, batches: Batches, objective: Objective, *, part: bool
) -> SplitOutputs:
    """Pass images through the network, which is put in evaluation mode.

    Args:
        network: gives features and scores.
        batches: normalised images and labels.
        objective: predicts.
        part: whether these are this process's part of the images, or all.
    """
    network.eval()
    rows: list[Outputs] = []
    all_labels = []
    for images, labels in batches:
        given = network(images.contiguous(memory_format=torch.channels_last))
        rows.append(Outputs(*(tensor.float() for tensor in given)))
        all_labels.append(labels)
    whole = Outputs(*map(torch.cat, zip(*rows, strict=True)))
    truth = torch.cat(all_labels)
    predictions = objective.predict(whole.scores)
    if part:
        return SplitOutputs(whole, truth, gather(predictions), gather(truth))
    return SplitOutputs(whole, truth, predictions, truth)


@torch.no_grad()
def collapse(split: SplitOutputs, head: nn.Module, objective: Objective) -> dict[str, Any]:
    """The measurement of a split, as a record keeps it."""
    weight, bias = weight_and_bias(head)
    report = objective.report(partial(_report, split), weight, bias)
    by_class = _class_means(split.correct[:, None], split.truth, len(weight))[:, 0]
    entry: dict[str, Any] = {
        "accuracy": split.accuracy,
        "per_class_accuracy": [round(share, 6) for share in by_class.tolist()],
    }
    probabilities = objective.probabilities(split.outputs.scores)
    if probabilities is not None:
        entry["ece"] = evaluate.expected_calibration_error(gather(probabilities), split.truth)
    return {**entry, "report": report.to_dict()}


def _report(split: SplitOutputs, weight: Tensor, bias: Tensor) -> CollapseReport:
    """The report of all processes' parts; no process sees another's features."""
    features, labels = split.outputs.features, split.labels
    if world_size() == 1:
        return measure(features, labels, weight=weight, bias=bias)
    from nclib.metrics import CollapseMetric  # slow to import

    metric = CollapseMetric(*weight.shape, weight=weight, bias=bias).to(weight.device)
    for some, theirs in zip(features.split(1000), labels.split(1000), strict=True):
        metric.update(some, theirs)
    return metric.compute()


def accuracy_by_frequency(
    split: SplitOutputs, counts: Int64[Tensor, " K"], name: Literal["train", "test"] = "test"
) -> dict[str, float]:
    """Accuracy on a split, of all and of each group of classes that has an image there."""
    accuracy = evaluate.shot_accuracy(split.predictions, split.truth, counts)
    groups = {"accuracy": accuracy.all, **accuracy._asdict()}
    del groups["all"]
    return {f"{name}_{group}": value for group, value in groups.items() if value is not None}


@torch.no_grad()
def final_metrics(
    train: SplitOutputs,
    test: SplitOutputs,
    counts: Int64[Tensor, " K"],
    head: nn.Module,
    objective: Objective,
) -> dict[str, float]:
    """The final metrics, but for those of the history of training."""
    final = {
        "train_accuracy": train.accuracy,
        **accuracy_by_frequency(test, counts),
        **objective.final(train.outputs, train.labels, head),
    }
    probabilities = objective.probabilities(test.outputs.scores)
    if probabilities is not None:
        final["ece"] = evaluate.expected_calibration_error(probabilities, test.labels)
    return final


@torch.no_grad()
def arrays(
    train: SplitOutputs, test: SplitOutputs, counts: Int64[Tensor, " K"], head: nn.Module
) -> dict[str, Any]:
    """The small arrays of a record."""
    classes = len(counts)
    weight, bias = weight_and_bias(head)
    pairs = test.labels * classes + test.predictions
    tensors = {
        "class_means": _class_means(train.outputs.features, train.labels, classes),
        "global_mean": train.outputs.features.double().mean(0),
        "test_class_means": _class_means(test.outputs.features, test.labels, classes),
        "weight": weight,
        "bias": bias,
        "per_class_accuracy": _class_means(test.correct[:, None], test.labels, classes)[:, 0],
        "counts": counts,
        "confusion": pairs.bincount(minlength=classes**2).view(classes, classes),
    }
    if classes > 100:
        del tensors["confusion"]
    return {name: tensor.cpu().numpy() for name, tensor in tensors.items()}


def _class_means(
    values: Tensor, labels: Int64[Tensor, " N"], num_classes: int
) -> Float[Tensor, "K P"]:
    sums = values.new_zeros(num_classes, values.shape[1], dtype=torch.float64)
    sums.index_add_(0, labels, values.double())
    return sums / labels.bincount(minlength=num_classes)[:, None]
