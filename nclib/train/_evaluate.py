"""What a network is worth: passes over a split, accuracies, collapse, and a record's results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from nclib import evaluate
from nclib.metrics import CollapseReport, measure
from nclib.train._objective import Objective, weight_and_bias
from nclib.train._processes import gather, world_size


class Passed(NamedTuple):
    """A split after a pass through the network in evaluation mode."""

    features: Float[Tensor, "n P"]  # of this process's part
    scores: Float[Tensor, "n K"]
    labels: Int64[Tensor, " n"]
    predictions: Int64[Tensor, " N"]  # of all parts
    truth: Int64[Tensor, " N"]

    def whole(self) -> Passed:
        """All parts in every process."""
        features, scores, labels = map(gather, self[:3])
        return self._replace(features=features, scores=scores, labels=labels)

    @property
    def accuracy(self) -> float:
        """The share of right predictions."""
        return (self.predictions == self.truth).double().mean().item()


Inputs = Iterable[tuple[Float[Tensor, "B C H W"], Int64[Tensor, " B"]]]


def noisy(
    inputs: Inputs, noise: float, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Gaussian noise of that standard deviation on normalised images."""
    for images, labels in inputs:
        drawn = torch.randn(images.shape, generator=generator).to(images.device)
        yield images + noise * drawn, labels


@torch.inference_mode()
def run_through(network: nn.Module, inputs: Inputs, objective: Objective, *, part: bool) -> Passed:
    """Pass images through the network, which is put in evaluation mode.

    Args:
        network: gives features and scores.
        inputs: normalised images and labels.
        objective: predicts.
        part: whether these are this process's part of the images, or all.
    """
    network.eval()
    features, scores, labels = [], [], []
    for images, own in inputs:
        found = network(images.contiguous(memory_format=torch.channels_last))
        features.append(found[0].float())
        scores.append(found[1].float())
        labels.append(own)
    passed = torch.cat(features), torch.cat(scores), torch.cat(labels)
    predictions, truth = objective.predict(passed[1]), passed[2]
    if part:
        predictions, truth = gather(predictions), gather(truth)
    return Passed(*passed, predictions, truth)


@torch.no_grad()
def collapse(passed: Passed, head: nn.Module, objective: Objective) -> dict[str, Any]:
    """The measurement of a split, as a record keeps it."""
    weight, bias = weight_and_bias(head)
    measured = objective.report(partial(_measured, passed), weight, bias)
    correct = (passed.predictions == passed.truth)[:, None]
    by_class = _class_means(correct, passed.truth, len(weight))[:, 0]
    found: dict[str, Any] = {
        "accuracy": passed.accuracy,
        "per_class_accuracy": [round(share, 6) for share in by_class.tolist()],
    }
    probabilities = objective.probabilities(passed.scores)
    if probabilities is not None:
        found["ece"] = evaluate.expected_calibration_error(gather(probabilities), passed.truth)
    return {**found, "report": measured.to_dict()}


def _measured(passed: Passed, weight: Tensor, bias: Tensor) -> CollapseReport:
    """The report of all processes' parts; no process sees another's features."""
    if world_size() == 1:
        return measure(passed.features, passed.labels, weight=weight, bias=bias)
    from nclib.metrics import CollapseMetric  # slow to import

    metric = CollapseMetric(*weight.shape, weight=weight, bias=bias).to(weight.device)
    for features, labels in zip(
        passed.features.split(1000), passed.labels.split(1000), strict=True
    ):
        metric.update(features, labels)
    return metric.compute()


def shots(
    passed: Passed, counts: Int64[Tensor, " K"], split: Literal["train", "test"] = "test"
) -> dict[str, float]:
    """Accuracy on a split, of all and of each group of classes that has an image there."""
    accuracy = evaluate.shot_accuracy(passed.predictions, passed.truth, counts)
    groups = {"accuracy": accuracy.all, **accuracy._asdict()}
    del groups["all"]
    return {f"{split}_{name}": value for name, value in groups.items() if value is not None}


@torch.no_grad()
def finals(
    train: Passed, test: Passed, counts: Int64[Tensor, " K"], objective: Objective
) -> dict[str, float]:
    """The final metrics, but for those of the course of training."""
    final = {
        "train_accuracy": train.accuracy,
        **shots(test, counts),
        **objective.final(train.features, train.scores, train.labels),
    }
    probabilities = objective.probabilities(test.scores)
    if probabilities is not None:
        final["ece"] = evaluate.expected_calibration_error(probabilities, test.labels)
    return final


@torch.no_grad()
def arrays(
    train: Passed, test: Passed, counts: Int64[Tensor, " K"], head: nn.Module
) -> dict[str, Any]:
    """The small arrays of a record."""
    classes = len(counts)
    weight, bias = weight_and_bias(head)
    correct = (test.predictions == test.labels)[:, None]
    pairs = test.labels * classes + test.predictions
    found = {
        "class_means": _class_means(train.features, train.labels, classes),
        "global_mean": train.features.double().mean(0),
        "test_class_means": _class_means(test.features, test.labels, classes),
        "weight": weight,
        "bias": bias,
        "per_class_accuracy": _class_means(correct, test.labels, classes)[:, 0],
        "counts": counts,
        "confusion": pairs.bincount(minlength=classes**2).view(classes, classes),
    }
    if classes > 100:
        del found["confusion"]
    return {name: array.cpu().numpy() for name, array in found.items()}


def _class_means(values: Tensor, labels: Tensor, num_classes: int) -> Float[Tensor, "K P"]:
    sums = values.new_zeros(num_classes, values.shape[1], dtype=torch.float64)
    sums.index_add_(0, labels, values.double())
    return sums / labels.bincount(minlength=num_classes)[:, None]
