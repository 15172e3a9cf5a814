"""Mixed precision in bfloat16, on processors without instructions for it too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map_only


def is_rounded(precision: str, device: str) -> bool:
    """Whether a run computes the products of bfloat16 in float32.

    Args:
        precision: of the run's configuration.
        device: ``cpu`` or ``cuda``.
    """
    if precision != "bf16-mixed" or device != "cpu":
        return False
    # oneDNN's own question before it takes a kernel: without AVX-512 (or AVX-NE-CONVERT) it has
    # none for bfloat16, and its reference code is an order of magnitude slower than float32.
    return not (
        torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    )


class RoundedProducts(TorchFunctionMode):
    """Convolutions and linear layers of CPU autocast in float32, of and to bfloat16.

    What bfloat16 instructions do: operands and result are bfloat16, the sums are float32. Here the
    operands are rounded, multiplied and summed in float32, and the result is rounded; so are the
    gradients on their way back, those of the weights included. Everything else is autocast's, on
    tensors of bfloat16; where autocast is off, this is too.
    """

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Call a function of torch."""
        named = kwargs or {}
        if function not in _PRODUCTS or not torch.is_autocast_enabled("cpu"):
            return function(*args, **named)
        with torch.autocast("cpu", enabled=False):
            args, named = tree_map_only(Tensor, _rounded, (args, named))
            return function(*args, **named).bfloat16()


_PRODUCTS = {torch.conv1d, torch.conv2d, torch.conv3d, functional.linear}


def _rounded(values: Tensor) -> Tensor:
    """To bfloat16 and back, as the gradient goes too."""
    return values.bfloat16().float()


@contextmanager
def rounded() -> Iterator[None]:
    """CPU autocast to bfloat16 with :class:`RoundedProducts`."""
    with torch.autocast("cpu", torch.bfloat16), RoundedProducts():
        yield


def plugin() -> Any:
    """Lightning Fabric's ``bf16-mixed`` on the CPU with :func:`rounded` for autocast."""
    from lightning.fabric.plugins import MixedPrecision  # slow to import

    class Rounded(MixedPrecision):
        def forward_context(self) -> Any:
            return rounded()

    return Rounded("bf16-mixed", "cpu")
