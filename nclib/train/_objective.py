"""What a step minimises: the loss of encoded labels, or that of a declared method."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable
from typing import Protocol

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from nclib.metrics import CollapseReport
from nclib.runs import RunConfig

Report = Callable[..., CollapseReport]
Share = Tensor | float
Mixed = list[tuple[Int64[Tensor, " B"], Share]]


class Objective(Protocol):
    """How scores become a loss, predictions and, where they have them, probabilities."""

    def wants_clean(self, epoch: int) -> bool:
        """Whether the loss looks at the features of images before they were mixed, too."""

    def loss(
        self,
        features: Tensor,
        scores: Tensor,
        labels: Mixed,
        epoch: int,
        clean: Tensor | None = None,
    ) -> Tensor:
        """Of a batch with its label, or with two and their shares; epochs count from 0."""

    def phase(self, epoch: int) -> Hashable:
        """What of the loss is in force: the same in two epochs, the loss is the same function."""

    def predict(self, scores: Float[Tensor, "B K"]) -> Int64[Tensor, " B"]:
        """The classes that scores decide for."""

    def probabilities(self, scores: Float[Tensor, "B K"]) -> Float[Tensor, "B K"] | None:
        """Of the classes; None: the scores are no logits."""

    def final(self, features: Tensor, scores: Tensor, labels: Tensor) -> dict[str, float]:
        """The loss of the whole training set, in the record's names."""

    def report(self, report: Report, weight: Tensor, bias: Tensor) -> CollapseReport:
        """Collapse with the classifier that decides."""


def weight_and_bias(head: nn.Module) -> tuple[Float[Tensor, "K P"], Float[Tensor, " K"]]:
    """A head as the linear classifier that decides alike."""
    weight = head.weight
    assert isinstance(weight, Tensor)
    bias = head.bias if isinstance(head.bias, Tensor) else weight.new_zeros(len(weight))
    return weight.detach(), bias.detach()


class EncodedObjective:
    """Encoded labels, and the penalties on classifier, features and bias.

    Args:
        config: of the method ``plain``.
        head: the linear classifier.
        count: N, training images.
    """

    def __init__(self, config: RunConfig, head: nn.Module, count: int) -> None:
        self.config, self.head, self.count = config, head, count
        weight, _ = weight_and_bias(head)
        # One row a class from here on, as scores are.
        self.targets = config.targets().T.float().contiguous().to(weight.device)

    def wants_clean(self, epoch: int) -> bool:
        """Encoded labels are not mixed."""
        return False

    def loss(
        self,
        features: Tensor,
        scores: Tensor,
        labels: Mixed,
        epoch: int,
        clean: Tensor | None = None,
    ) -> Tensor:
        """The batch mean, and the penalties."""
        [(own, _)] = labels
        return self._fit_term(scores, own) + self._penalty(features, self.count / len(own))

    def phase(self, epoch: int) -> Hashable:
        """There is one."""
        return None

    def _fit_term(self, scores: Tensor, labels: Tensor) -> Tensor:
        r"""The batch mean of :math:`\ell(W h_i + b, \bar y_{c_i})`."""
        wanted = self.targets[labels]
        if self.config.loss == "ce":
            return functional.cross_entropy(scores, wanted)
        return 0.5 * (scores - wanted).square().sum(1).mean()

    def _penalty(self, features: Tensor, scale: float) -> Tensor:
        r"""The three squared norms; ``scale`` is N/B, so that the sum over features is unbiased."""
        config, head = self.config, self.head
        assert isinstance(head.weight, Tensor)
        penalty = 0.5 * config.lam_w * head.weight.square().sum()
        penalty = penalty + 0.5 * config.lam_h * scale * features.square().sum()
        if isinstance(head.bias, Tensor):
            penalty = penalty + 0.5 * config.lam_b * head.bias.square().sum()
        return penalty

    def decoder(self) -> tuple[Tensor, Tensor]:
        r"""Class scores from network scores :math:`z`: :math:`\bar y_k^\top z - \|\bar y_k\|^2/2`.

        The largest belongs to the nearest label (``mse``); for ``ce`` the label of the least
        cross-entropy wins, which has no second term. One-hot labels give the usual argmax.
        """
        offset = 0.5 * self.targets.square().sum(1)
        return self.targets, -offset if self.config.loss == "mse" else torch.zeros_like(offset)

    def predict(self, scores: Float[Tensor, "B K"]) -> Int64[Tensor, " B"]:
        """The class of the nearest label."""
        labels, offset = self.decoder()
        return (scores.float() @ labels.T + offset).argmax(1)

    def probabilities(self, scores: Float[Tensor, "B K"]) -> None:
        """Encoded labels have none."""
        return None

    def final(self, features: Tensor, scores: Tensor, labels: Tensor) -> dict[str, float]:
        """The loss, and the objective with its penalties."""
        term = self._fit_term(scores, labels)
        objective = term + self._penalty(features, 1.0)
        return {"train_loss": term.item(), "objective": objective.item()}

    def report(self, report: Report, weight: Tensor, bias: Tensor) -> CollapseReport:
        """NC4 compares the nearest class mean with the class predicted: after the decoder."""
        labels, offset = self.decoder()
        decoded = report(weight=labels @ weight, bias=labels @ bias + offset)
        return dataclasses.replace(report(weight=weight, bias=bias), nc4=decoded.nc4)
