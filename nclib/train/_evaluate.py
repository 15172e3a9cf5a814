"""What a network is worth: passes over a split, metrics, collapse, and a record's results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from nclib import data
from nclib.metrics import CollapseReport, measure
from nclib.models import Outputs
from nclib.tasks import Judged, Task
from nclib.train._objective import Objective, weight_and_bias
from nclib.train._processes import gather, world_size


class SplitOutputs(NamedTuple):
    """What a network gives for a split in evaluation mode, and how it is judged."""

    outputs: Outputs  # of this process's part, in float32
    labels: data.Labels
    judged: Judged  # of all parts
    attended: Float[Tensor, "K D"] | None = None  # this part's positive pairs, before projection

    def whole(self) -> SplitOutputs:
        """All parts in every process."""
        attended = None if self.attended is None else gather(self.attended[None]).sum(0)
        outputs, labels = self.outputs.map(gather), gather(self.labels)
        return self._replace(outputs=outputs, labels=labels, attended=attended)


Batches = Iterable[tuple[Float[Tensor, "B C H W"], data.Labels]]


def noisy(
    batches: Batches, noise: float, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Gaussian noise of that standard deviation on normalised images."""
    for images, labels in batches:
        drawn = torch.randn(images.shape, generator=generator).to(images.device)
        yield images + noise * drawn, labels


@torch.inference_mode()
def outputs(
    network: nn.Module, batches: Batches, objective: Objective, task: Task, *, part: bool
) -> SplitOutputs:
    """Pass images through the network, which is put in evaluation mode.

    Args:
        network: gives features and scores.
        batches: normalised images and labels.
        objective: says what the scores are.
        task: judges them.
        part: whether these are this process's part of the images, or all.
    """
    network.eval()
    rows: list[Outputs] = []
    all_labels = []
    attended: Tensor | None = None
    for images, labels in batches:
        given = network(images.contiguous(memory_format=torch.channels_last))
        # What attention takes is larger than all the rest: its sums are kept alone.
        rows.append(Outputs(given.features.float(), given.scores.float()))
        if given.attended is not None:
            with torch.autocast(images.device.type, enabled=False):
                sums = torch.einsum("nk,nkd->kd", labels.float(), given.attended.float()).double()
            attended = sums if attended is None else attended + sums
        all_labels.append(labels)
    features, scores, *_ = zip(*rows, strict=True)
    whole = Outputs(torch.cat(features), torch.cat(scores))
    labels = truth = torch.cat(all_labels)
    predictions = task.predictions(objective.class_scores(whole.scores))
    if part:
        predictions, truth = gather(predictions), gather(truth)
    judged = Judged(predictions, truth, objective.shift_invariant)
    return SplitOutputs(whole, labels, judged, attended)


@torch.no_grad()
def collapse(
    split: SplitOutputs, head: nn.Module, objective: Objective, task: Task
) -> dict[str, Any]:
    """The measurement of a split, as a record keeps it."""
    weight, bias = weight_and_bias(head)
    report = objective.report(partial(_report, split), weight, bias)
    entry = task.summary(split.judged, len(weight))
    probabilities = objective.probabilities(split.outputs.scores)
    if probabilities is not None:
        entry |= task.calibration(gather(probabilities), split.judged.labels)
    return {**entry, "report": report.to_dict()}


def _report(split: SplitOutputs, weight: Tensor, bias: Tensor) -> CollapseReport:
    """The report of all processes' parts; no process sees another's features."""
    features, labels = split.outputs.features, split.labels
    if world_size() == 1:
        return measure(features, labels, weight=weight, bias=bias)
    from nclib.metrics import CollapseMetric  # slow to import

    size = len(weight), features.shape[-1]
    metric = CollapseMetric(*size, weight=weight, bias=bias).to(weight.device)
    for some, theirs in zip(features.split(1000), labels.split(1000), strict=True):
        metric.update(some, theirs)
    return metric.compute()


@torch.no_grad()
def final_metrics(
    train: SplitOutputs,
    test: SplitOutputs,
    counts: Int64[Tensor, " K"],
    head: nn.Module,
    objective: Objective,
    task: Task,
) -> dict[str, float]:
    """The final metrics, but for those of the history of training."""
    headline = f"train_{task.headline}"
    final = {
        headline: task.metrics(train.judged, counts, "train")[headline],
        **task.metrics(test.judged, counts, "test"),
        **objective.final(train.outputs, task.targets(train.labels), head),
    }
    probabilities = objective.probabilities(test.outputs.scores)
    if probabilities is not None:
        final |= task.calibration(probabilities, test.labels)
    return final


@torch.no_grad()
def arrays(
    train: SplitOutputs,
    test: SplitOutputs,
    counts: Int64[Tensor, " K"],
    head: nn.Module,
    task: Task,
) -> dict[str, Any]:
    """The small arrays of a record; of class-wise features also the means before projection."""
    classes = len(counts)
    weight, bias = weight_and_bias(head)
    class_means, global_mean = task.means(train.outputs.features, train.labels, classes)
    test_class_means, _ = task.means(test.outputs.features, test.labels, classes)
    tensors = {
        "class_means": class_means,
        "global_mean": global_mean,
        "test_class_means": test_class_means,
        "weight": weight,
        "bias": bias,
        "counts": counts,
        **{
            f"{prefix}attended_means": split.attended / split.labels.sum(0)[:, None]
            for prefix, split in (("", train), ("test_", test))
            if split.attended is not None
        },
        **task.arrays((train.outputs.features, train.labels), test.judged, classes),
    }
    return {name: tensor.cpu().numpy() for name, tensor in tensors.items()}
