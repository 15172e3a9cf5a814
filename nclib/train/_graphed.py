"""The network's forward and backward pass as CUDA graphs, where there is CUDA."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

Outputs = tuple[Float[Tensor, "B P"], Float[Tensor, "B K"]]


class _Called(nn.Module):
    """The network as a module of its own, since capturing replaces a module's forward.

    Autocast is for the forward pass alone, as in an eager step: around the capture it would round
    the backward pass of what a network computes in float32.
    """

    def __init__(self, network: nn.Module, mixed: bool) -> None:
        super().__init__()
        self.network, self.mixed = network, mixed

    def forward(self, images: Tensor) -> Outputs:
        """Features and scores."""
        # A cached cast would be missing from the graph.
        with torch.autocast("cuda", torch.bfloat16, enabled=self.mixed, cache_enabled=False):
            outputs: Outputs = self.network(images)
        return outputs


def graphed(
    network: nn.Module, eager: Callable[[Tensor], Outputs], shape: tuple[int, ...], precision: str
) -> Callable[[Tensor], Outputs]:
    """The network in training mode, replayed for batches of this shape and eager for others.

    A small network keeps the accelerator waiting for hundreds of kernel launches a step; a graph
    is one launch. The loss and the optimiser stay eager.

    Args:
        network: on a CUDA device, every parameter learning.
        eager: what is called for a batch of another shape.
        shape: of a full batch of images.
        precision: of the run's configuration.
    """
    kept = {name: value.clone() for name, value in network.state_dict().items()}
    device = next(network.parameters()).device
    sample = torch.zeros(shape, device=device).to(memory_format=torch.channels_last)
    called = _Called(network, precision == "bf16-mixed").train()
    replayed: Any = torch.cuda.make_graphed_callables(called, (sample,))
    network.load_state_dict(kept)  # the rehearsals moved batch norm's statistics
    network.zero_grad(set_to_none=True)

    def call(images: Tensor) -> Outputs:
        outputs: Outputs = replayed(images) if images.shape == shape else eager(images)
        return outputs

    return call
