"""The running mean of a network's weights."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn


class AveragedWeights:
    """Exponential moving average of weights and batch-norm statistics (EMA).

    The first update copies, each later one keeps ``decay`` of the mean. Nothing in it waits for an
    accelerator; torch's ``AveragedModel`` does in every step, since its count is on the CPU.

    Args:
        network: whose weights are averaged.
        decay: in [0, 1).

    Attributes:
        network: with the mean.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network: Any = copy.deepcopy(network).requires_grad_(False)
        self._mean, self._source = list(_floating(self.network)), list(_floating(network))
        self._keep = 0.0  # the first step's
        self._decay = decay

    @torch.no_grad()
    def update(self) -> None:
        """After a step of the optimiser."""
        torch._foreach_lerp_(self._mean, self._source, 1 - self._keep)
        self._keep = self._decay

    def state_dict(self) -> dict[str, Any]:
        """All that updates change."""
        return {"network": self.network.state_dict(), "keep": self._keep}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state_dict` gave."""
        self.network.load_state_dict(state["network"])
        self._keep = state["keep"]


def _floating(network: nn.Module) -> Iterator[Tensor]:
    """Parameters and statistics; counts of batches have no mean."""
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.is_floating_point():
            yield tensor.detach()
