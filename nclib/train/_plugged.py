"""Plug-ins at work: terms of the loss, and adjustments of the classifier."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor, nn

from nclib import models
from nclib.methods import Plugin, Value, adjusted_bias
from nclib.train._centres import ClassCentres
from nclib.train._objective import Targets, weight_and_bias


class PluggedTerm(nn.Module):
    """The term of a plug-in, with the class means that it sees.

    Args:
        plugin: has a term.
        options: every one of its options.
        head: of the network; it says K and P.
        before: epochs before the stage in which it acts.
    """

    def __init__(
        self, plugin: Plugin, options: Mapping[str, Value], head: nn.Module, before: int
    ) -> None:
        super().__init__()
        assert plugin.term is not None
        self.function, self.options = plugin.term, options
        self.first_epoch = before + int(options["start_epoch"])
        kind = "ema-all" if options["means"] == "ema" else "batch"
        num_classes, dim = weight_and_bias(head)[0].shape
        self.means = ClassCentres(kind, num_classes, dim, torch.Generator())

    def in_force(self, epoch: int) -> bool:
        """Whether it counts in an epoch, counted from 0."""
        return epoch >= self.first_epoch

    def forward(
        self, features: Float[Tensor, "B P"], targets: Targets, head: nn.Module
    ) -> Float[Tensor, ""]:
        """Its value, times its strength; with two sets of labels, by their shares."""
        weight = head.weight
        assert isinstance(weight, Tensor)
        route, strength = self.options["route"], float(self.options["strength"])
        weight = weight.detach() if route == "features" else weight
        features = features.detach() if route == "classifier" else features
        parts = []
        for number, (labels, share) in enumerate(targets.heavier_first()):
            means, present = self.means(features, labels, update=number == 0)
            experts = models.by_expert(head, weight), models.by_expert(head, means)
            values = [
                self.function(w, m, present, self.options) for w, m in zip(*experts, strict=True)
            ]
            parts.append(share * torch.stack(values).mean())
        return strength * torch.stack(parts).sum()


def is_due(options: Mapping[str, Value], epochs: int) -> bool:
    """Whether it is the turn of an adjustment once so many epochs of its stage are done."""
    acted = epochs - int(options["start_epoch"])
    return acted >= 1 and acted % int(options["every"]) == 0


@torch.no_grad()
def adjust(
    head: nn.Module,
    means: Float64[Tensor, "K P"],
    present: Bool[Tensor, " K"],
    plugin: Plugin,
    options: Mapping[str, Value],
) -> None:
    """Let a plug-in adjust a classifier, in place.

    Args:
        head: of the network.
        means: of the training set's classes.
        present: which of them there are.
        plugin: has an adjustment.
        options: every one of its options.
    """
    assert plugin.adjust is not None
    weight, bias = weight_and_bias(head)
    experts = models.by_expert(head, weight), models.by_expert(head, means)
    rows = [plugin.adjust(w, m, present, options) for w, m in zip(*experts, strict=True)]
    weight = torch.cat(rows, 1)
    bias = adjusted_bias(bias, weight, means[present], str(options["bias"]))
    models.assign(head, weight, bias)
