"""What a run minimises, and what the loop asks it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nclib.methods import SecondView
from nclib.metrics import CollapseReport
from nclib.models import Classifier, Outputs
from nclib.tasks import StepLabels
from nclib.train._processes import local_rows

Measure = Callable[..., CollapseReport]
Share = Float[Tensor, ""] | float


class Targets(NamedTuple):
    """The labels of a batch: one set, or two sets of which each has a share in the loss."""

    first: StepLabels
    second: StepLabels | None = None
    share: Share = 1.0  # of the first set; the second has the rest

    def sets(self) -> list[tuple[StepLabels, Share]]:
        """Each set with its share."""
        if self.second is None:
            return [(self.first, self.share)]
        return [(self.first, self.share), (self.second, 1 - self.share)]

    def heavier_first(self) -> list[tuple[StepLabels, Share]]:
        """The same, the larger share first; nothing waits for an accelerator."""
        if self.second is None:
            return self.sets()
        (first, share), (second, rest) = self.sets()
        keep = torch.as_tensor(share >= rest, device=first.device)
        return [
            (torch.where(keep, first, second), torch.where(keep, share, rest)),
            (torch.where(keep, second, first), torch.where(keep, rest, share)),
        ]

    def tensors(self) -> list[Tensor]:
        """Its tensors, in order."""
        return [part for part in self if isinstance(part, Tensor)]

    def with_tensors(self, tensors: Iterable[Tensor]) -> Targets:
        """The same, with others in place of :meth:`tensors`."""
        rest = iter(tensors)
        first = next(rest)
        second = None if self.second is None else next(rest)
        return Targets(first, second, next(rest) if isinstance(self.share, Tensor) else self.share)

    @torch.no_grad()
    def hits(self, count: Callable[[StepLabels], Tensor]) -> Float[Tensor, ""]:
        """How many hits there are; with two sets, each counts by its share.

        Args:
            count: the hits with a set of labels.
        """
        if self.second is None:
            return count(self.first).float()
        return torch.stack([count(labels) * share for labels, share in self.sets()]).sum()


class Views(NamedTuple):
    """The images of a step."""

    images: Float[Tensor, "B C H W"]  # mixed, where the run mixes
    unmixed: Float[Tensor, "B C H W"] | None = None  # where it does: as they were
    second: Float[Tensor, "B C H W"] | None = None  # what stands beside each image

    def local(self) -> Views:
        """The part of this process."""
        unmixed = None if self.unmixed is None else local_rows(self.unmixed)
        second = None if self.second is None else local_rows(self.second)
        return Views(local_rows(self.images), unmixed, second)


class Objective(nn.Module):
    """A loss, with all that it keeps from one step to the next, and what is read off the scores.

    Its parameters and persistent buffers are what training changes: checkpoints have them. The
    network is not a part of it. Epochs count from 0.

    Attributes:
        plugins: terms that are added to the loss, whatever it is.
    """

    def __init__(self) -> None:
        super().__init__()
        self.plugins: Any = nn.ModuleList()

    #: Whether a constant that is added to an image's scores changes nothing, as with a softmax.
    shift_invariant: bool = True
    second_view: SecondView | None = None  #: What stands beside each image of a batch.

    def extra_parameters(self) -> list[nn.Parameter]:
        """Those of its parameters that the network's optimiser trains too."""
        return []

    def optimizers(self) -> list[torch.optim.Optimizer]:
        """Of its other parameters; a step of training is one of each."""
        return []

    def phase(self, epoch: int) -> Hashable:
        """What of the loss is in force: in two epochs with one phase, it is one function."""
        return None

    def begin_epoch(self, network: Classifier, epoch: int) -> None:
        """Prepare itself and the network for the steps of an epoch."""

    def second_share(self, epoch: int) -> float | None:
        """The share of the second view's labels; None: the labels are those of the images."""
        return None

    def shown(
        self, network: Classifier, views: Views, epoch: int, draws: torch.Generator
    ) -> list[Float[Tensor, "b C H W"]]:
        """What the network passes in a step, one after the other; called before that.

        What the objective needs of the other images, it computes here and keeps.

        Args:
            network: that learns.
            views: this process's part of the step's.
            epoch: the step's.
            draws: the epoch's random numbers.
        """
        return [views.images]

    def forward(
        self, outputs: Sequence[Outputs], targets: Targets, head: nn.Module, epoch: int
    ) -> Float[Tensor, ""]:
        """The loss of a batch and the plug-ins' terms, with the arguments of :meth:`loss`."""
        loss = self.loss(outputs, targets, head, epoch)
        for term in self.plugins:
            if term.in_force(epoch):
                loss = loss + term(outputs[0].features, targets, head)
        return loss

    def loss(
        self, outputs: Sequence[Outputs], targets: Targets, head: nn.Module, epoch: int
    ) -> Float[Tensor, ""]:
        """The loss of a batch; over several processes, of the batches of all of them.

        Args:
            outputs: of the network, in float32: for as many images as there are labels, once or, as
                :meth:`shown` asked for, several times.
            targets: the labels.
            head: of the network.
            epoch: the step's.
        """
        raise NotImplementedError

    def class_scores(self, scores: Float[Tensor, "B K"]) -> Float[Tensor, "B K"]:
        """One score a class, the larger the likelier; network scores may be of something else."""
        return scores

    def probabilities(self, scores: Float[Tensor, "B K"]) -> Float[Tensor, "B K"] | None:
        """Of the classes, which sum to 1; None: the scores are no logits of a softmax."""
        return None

    def final(self, outputs: Outputs, labels: StepLabels, head: nn.Module) -> dict[str, float]:
        """The loss of the whole training set, in the record's names."""
        raise NotImplementedError

    def report(
        self, measure: Measure, weight: Float[Tensor, "K P"], bias: Float[Tensor, " K"]
    ) -> CollapseReport:
        """Collapse with the classifier that decides; ``measure`` takes ``weight`` and ``bias``."""
        return measure(weight=weight, bias=bias)


def weight_and_bias(head: nn.Module) -> tuple[Float[Tensor, "K P"], Float[Tensor, " K"]]:
    """A head as the linear classifier that decides alike."""
    weight = head.weight
    assert isinstance(weight, Tensor)
    bias = head.bias if isinstance(head.bias, Tensor) else weight.new_zeros(len(weight))
    return weight.detach(), bias.detach()
