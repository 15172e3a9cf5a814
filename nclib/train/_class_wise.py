"""The objective of MLC-NC: a method's loss, and alignment and collapse of class-wise features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nclib import losses
from nclib.methods import Method, Value
from nclib.models import Classifier, Outputs
from nclib.train._declared import MethodObjective
from nclib.train._objective import Targets

_KEPT = 0.9  # of a centre that follows the batches


class EpochCentres(nn.Module):
    r"""Class centres of projected features, the means over positive pairs of the training set.

    - ``epoch``: the means of the last epoch, :math:`\mu_{t-1}^k`, as the network gave the features
      step by step;
    - ``running``: those of all epochs so far, recomputed when one ends, as in the released code;
    - ``ema``: nine tenths of the centre and one of the batch's mean, after every batch.

    A centre is 0 until its class has had a pair; it stays where the last epoch has none.

    Args:
        kind: one of these words.
        num_classes: K.
        dim: p.

    Source: MLC-NC (2025), equation 8.
    """

    centres: Tensor
    sums: Tensor
    counts: Tensor
    epoch: Tensor

    def __init__(self, kind: str, num_classes: int, dim: int) -> None:
        super().__init__()
        self.kind = kind
        self.register_buffer("centres", torch.zeros(num_classes, dim))
        self.register_buffer("sums", torch.zeros(num_classes, dim))
        self.register_buffer("counts", torch.zeros(num_classes))
        self.register_buffer("epoch", torch.zeros((), dtype=torch.int64))  # that the sums are of

    @torch.no_grad()
    def begin_epoch(self, epoch: int) -> None:
        """Take the sums of the epoch before; going on within an epoch changes nothing."""
        if self.kind == "ema" or epoch == int(self.epoch):
            return
        there = self.counts[:, None] > 0
        means = self.sums / self.counts.clamp_min(1)[:, None]
        self.centres.copy_(torch.where(there, means, self.centres))
        if self.kind == "epoch":
            self.sums.zero_()
            self.counts.zero_()
        self.epoch.fill_(epoch)

    @torch.no_grad()
    def add(self, features: Float[Tensor, "B K P"], labels: Float[Tensor, "B K"]) -> None:
        """Count the positive pairs of a batch."""
        sums, counts = (features * labels[:, :, None]).sum(0), labels.sum(0)
        if self.kind != "ema":
            self.sums += sums
            self.counts += counts
            return
        means = sums / counts.clamp_min(1)[:, None]
        moved = torch.where(self.counts[:, None] > 0, self.centres.lerp(means, 1 - _KEPT), means)
        self.centres.copy_(torch.where(counts[:, None] > 0, moved, self.centres))
        self.counts += counts


class ClassWiseObjective(MethodObjective):
    r"""A method's loss plus :math:`\alpha L_{\text{FLA}} + \beta L_{\text{FPC}}`.

    In the first ``alignment_epochs`` it is :math:`L_{\text{FLA}}` alone, with the weight 1; the
    features of those epochs count in the centres.

    Args:
        method: the declaration.
        options: every one of its options.
        network: gives class-wise features; its label embedding is that of the alignment.
        further: what else :class:`MethodObjective` takes.

    Source: MLC-NC (2025), equation 14.
    """

    def __init__(
        self, method: Method, options: Mapping[str, Value], network: Classifier, **further: Any
    ) -> None:
        super().__init__(method, options, network, **further)
        assert network.class_wise is not None
        self.label_embedding = (network.class_wise.embedding,)  # the network's own parameter
        self.alpha, self.beta = float(options["alpha"]), float(options["beta"])
        self.alone_until = int(options["alignment_epochs"])
        num_classes, dim = network.class_wise.bias.shape
        self.collapse = EpochCentres(str(options["centres"]), num_classes, dim)
        self.to(self.counts.device)

    def phase(self, epoch: int) -> tuple[bool, ...]:
        """Whether more than the alignment is in force, and what else the method says."""
        return (*super().phase(epoch), epoch >= self.alone_until)

    def begin_epoch(self, network: Classifier, epoch: int) -> None:
        """Take the centres of the last epoch."""
        super().begin_epoch(network, epoch)
        self.collapse.begin_epoch(epoch)

    def loss(
        self, outputs: Sequence[Outputs], targets: Targets, head: nn.Module, epoch: int
    ) -> Float[Tensor, ""]:
        """The batch's."""
        (features, scores, attended, _), labels = outputs[0], targets.first
        assert attended is not None
        total = features.new_zeros(())
        alone = epoch < self.alone_until
        if alone or self.alpha:
            (embedding,) = self.label_embedding
            aligned = losses.feature_label_alignment(attended, embedding, labels)
            # Every parameter has a gradient in every step, as several processes need.
            total = aligned + 0 * scores.sum() if alone else self.alpha * aligned
        if not alone:
            total = total + super().loss(outputs, targets, head, epoch)
        if not alone and self.beta:
            reduction: Any = {"images": "paper", "pairs": "pairs"}[str(self.options["collapse_by"])]
            tau = float(self.options["tau"])
            total = total + self.beta * losses.projected_collapse(
                features, self.collapse.centres.clone(), labels, tau=tau, reduction=reduction
            )
        self.collapse.add(features.detach(), labels)
        return total
