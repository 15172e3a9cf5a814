"""What a contrastive loss compares: queries, keys that a slower network makes, and their queue."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import get_ema_multi_avg_fn

from nclib import geometry, losses
from nclib.methods import Contrast, Embedded, Value
from nclib.train import _processes
from nclib.train._centres import ClassCentres


class MomentumContrast(nn.Module):
    """The slower network, both projections, the queue, and the targets of a contrast.

    A step calls :meth:`embed` for its second views, then the module for its features, and after the
    loss :meth:`enqueue`.

    Over several processes each embeds its part of the second views, with its own batch norm, whose
    batches are not shuffled among them as MoCo's are; all of them keep the same queue. So without
    batch norm they train as one process does.

    Args:
        declared: of the method.
        options: of the method.
        network: what the slower one starts as, on its device.
        num_classes: K.
        dim: P, of the features.
        generator: of the projection's first weights, the first queue, and the vertices.
    """

    queue: Tensor
    queue_labels: Tensor
    place: Tensor
    vertices: Tensor

    def __init__(
        self,
        declared: Contrast,
        options: Mapping[str, Value],
        network: nn.Module,
        num_classes: int,
        dim: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        first, second = nn.Linear(dim, dim), nn.Linear(dim, declared.dim)
        for layer in (first, second):
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(layer.bias)
        self.projection = nn.Sequential(first, nn.ReLU(), second)
        self.key_projection = copy.deepcopy(self.projection).requires_grad_(False)
        self.encoder = copy.deepcopy(network).requires_grad_(False)
        self.average = get_ema_multi_avg_fn(float(options["key_decay"]))
        length = int(options["queue_length"])
        queue = torch.randn(length, declared.dim, generator=generator)
        self.register_buffer("queue", functional.normalize(queue))
        self.register_buffer("queue_labels", torch.full((length,), -1))
        self.register_buffer("place", torch.zeros((), dtype=torch.int64))  # of the next key
        self.targets_from: int | None = None
        if declared.targets:
            self.targets_from = int(options["target_epoch"])
            spread = geometry.uniform_directions(num_classes, declared.dim, generator=generator)
            self.register_buffer("vertices", spread.float())
            self.centres = ClassCentres("ema", num_classes, declared.dim, generator)
        device = next(network.parameters()).device
        self.to(device)
        self.draws = torch.Generator(device)
        self.views = self.queue[:0]

    @torch.no_grad()
    def embed(
        self, network: nn.Module, images: Float[Tensor, "b C H W"], draws: torch.Generator
    ) -> None:
        """Follow the network, and keep the keys of second views, for the loss of this step.

        Args:
            network: that learns.
            images: this process's part of the second views.
            draws: gives the seed of what the loss draws.
        """
        for slow, fast in ((self.encoder, network), (self.key_projection, self.projection)):
            self.average(list(slow.parameters()), list(fast.parameters()), None)
        features = _processes.gather(self.encoder(images).features.float())
        with torch.autocast(features.device.type, enabled=False):
            self.views = functional.normalize(self.key_projection(features))
        self.draws.manual_seed(int(torch.randint(2**62, (), generator=draws)))

    def forward(
        self, features: Float[Tensor, "B P"], labels: Int64[Tensor, " B"], epoch: int
    ) -> Embedded:
        """What the loss compares in an epoch, counted from 0."""
        queries = functional.normalize(self.projection(features))
        targets = None
        if self.targets_from is not None:
            centres = self.centres(queries.detach(), labels).centres
            if epoch >= self.targets_from:
                targets = losses.assigned_targets(centres, self.vertices)
        keys, key_labels = self.queue, self.queue_labels
        return Embedded(queries, self.views, keys, key_labels, targets, self.draws)

    @torch.no_grad()
    def enqueue(self, labels: Int64[Tensor, " B"]) -> None:
        """Put the keys of this step in the places of the oldest."""
        length = len(self.queue)
        places = (self.place + torch.arange(len(labels), device=labels.device)) % length
        self.queue[places[-length:]] = self.views[-length:]
        self.queue_labels[places[-length:]] = labels[-length:]
        self.place.add_(len(labels)).remainder_(length)
