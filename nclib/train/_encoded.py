"""The objective with the penalties of the unconstrained features model, of the method ``plain``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from nclib import losses, tasks
from nclib.metrics import CollapseReport
from nclib.models import Outputs
from nclib.runs import RunConfig
from nclib.tasks import StepLabels
from nclib.train._objective import Measure, Objective, Targets


class EncodedObjective(Objective):
    """Encoded or multi-hot labels, and the penalties on classifier, features and bias.

    With ``bce`` the loss of an image is summed over the classes, with ``pal`` over its labels.

    Args:
        config: of the method ``plain``.
        count: N, training images.
    """

    codes: Tensor

    def __init__(self, config: RunConfig, count: int) -> None:
        super().__init__()
        self.config, self.count = config, count
        self.encoded = config.loss in tasks.single_label.losses
        self.shift_invariant = config.loss in ("ce", "pal")
        # One row a class from here on, as scores are.
        self.register_buffer("codes", config.targets().T.float().contiguous(), persistent=False)

    def loss(
        self, outputs: Sequence[Outputs], targets: Targets, head: nn.Module, epoch: int
    ) -> Float[Tensor, ""]:
        """The batch mean, and the penalties."""
        features, scores = outputs[0].features, outputs[0].scores
        labels = targets.first
        penalty = self._penalty(features, head, self.count / len(labels))
        return self._fit_term(scores, labels) + penalty

    def _fit_term(self, scores: Float[Tensor, "B K"], labels: StepLabels) -> Float[Tensor, ""]:
        r"""The batch mean of :math:`\ell(W h_i + b, \bar y_{c_i})`, or of the multi-hot labels."""
        if self.config.loss == "pal":
            return losses.pick_all_label(scores, labels)
        if self.config.loss == "bce":
            return losses.binary_cross_entropy(scores, labels)
        codes = self.codes[labels]
        if self.config.loss == "ce":
            return functional.cross_entropy(scores, codes)
        return 0.5 * (scores - codes).square().sum(1).mean()

    def _penalty(
        self, features: Float[Tensor, "B P"], head: nn.Module, scale: float
    ) -> Float[Tensor, ""]:
        r"""The three squared norms; ``scale`` is N/B, so that the sum over features is unbiased."""
        config = self.config
        assert isinstance(head.weight, Tensor)
        penalty = 0.5 * config.lam_w * head.weight.square().sum()
        penalty = penalty + 0.5 * config.lam_h * scale * features.square().sum()
        if isinstance(head.bias, Tensor):
            penalty = penalty + 0.5 * config.lam_b * head.bias.square().sum()
        return penalty

    def decoder(self) -> tuple[Float[Tensor, "K K"], Float[Tensor, " K"]]:
        r"""Class scores from network scores :math:`z`: :math:`\bar y_k^\top z - \|\bar y_k\|^2/2`.

        The largest belongs to the nearest label (``mse``); for ``ce`` the label of the least
        cross-entropy wins, which has no second term. One-hot labels give the usual argmax.
        """
        offset = 0.5 * self.codes.square().sum(1)
        return self.codes, -offset if self.config.loss == "mse" else torch.zeros_like(offset)

    def class_scores(self, scores: Float[Tensor, "B K"]) -> Float[Tensor, "B K"]:
        """The largest is that of the nearest label; multi-hot labels are not encoded."""
        if not self.encoded:
            return scores
        codes, offset = self.decoder()
        return scores.float() @ codes.T + offset

    def final(self, outputs: Outputs, labels: StepLabels, head: nn.Module) -> dict[str, float]:
        """The loss, and the objective with its penalties."""
        term = self._fit_term(outputs.scores, labels)
        objective = term + self._penalty(outputs.features, head, 1.0)
        return {"train_loss": term.item(), "objective": objective.item()}

    def report(
        self, measure: Measure, weight: Float[Tensor, "K P"], bias: Float[Tensor, " K"]
    ) -> CollapseReport:
        """NC4 compares the nearest class mean with the class predicted: after the decoder."""
        if not self.encoded:
            return measure(weight=weight, bias=bias)
        codes, offset = self.decoder()
        decoded = measure(weight=codes @ weight, bias=codes @ bias + offset)
        return dataclasses.replace(measure(weight=weight, bias=bias), nc4=decoded.nc4)
