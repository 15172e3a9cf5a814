"""Loss and gradients of a batch as a CUDA graph, where there is CUDA."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

_REHEARSALS = 3  # in which libraries choose their kernels and reserve their memory


class Graphed:
    """A function that leaves gradients in parameters, recorded once and replayed.

    A small network keeps the accelerator waiting for hundreds of kernel launches a step; a graph is
    one launch. It is recorded for arguments of these shapes and strides, and for the function as it
    is at that time: what the function decides without an accelerator is decided for all replays.

    Args:
        function: of tensors on a CUDA device, returns tensors. It clears the gradients and runs a
            backward pass, and never waits for the device.
        arguments: such as the function will be called with.
        parameters: that the backward pass reaches.
        moved: other tensors that the function changes in place; recording leaves them as they were.
    """

    def __init__(
        self,
        function: Callable[..., tuple[Tensor, ...]],
        arguments: Sequence[Tensor],
        parameters: Sequence[Tensor],
        moved: Sequence[Tensor],
    ) -> None:
        self.arguments = [argument.clone() for argument in arguments]
        before = [tensor.clone() for tensor in moved]
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(_REHEARSALS):
                function(*self.arguments)
            for parameter in parameters:
                parameter.grad = None  # the graph's own gradients live in its memory
        torch.cuda.current_stream().wait_stream(aside)
        self.graph = torch.cuda.CUDAGraph()
        # A loader's thread may pin memory meanwhile: that would end a "global" capture.
        with torch.cuda.graph(self.graph, capture_error_mode="thread_local"):
            self.outputs = function(*self.arguments)
        self.gradients = [(one, one.grad) for one in parameters if one.grad is not None]
        for tensor, value in zip(moved, before, strict=True):
            tensor.copy_(value)

    def __call__(self, *arguments: Tensor) -> tuple[Tensor, ...]:
        """The function's values; the gradients are in the parameters."""
        for recorded, argument in zip(self.arguments, arguments, strict=True):
            recorded.copy_(argument, non_blocking=True)
        self.graph.replay()
        for parameter, gradient in self.gradients:
            parameter.grad = gradient
        return tuple(output.clone() for output in self.outputs)
