"""Matrix products at full precision, whatever the caller has switched on."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """No gradients, no autocast and no TF32 inside: a metric is not training."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def padded(columns: Float[Tensor, "P r"]) -> Float[Tensor, "P R"]:
    """With columns of zeros up to a multiple of 16, between which products are a quarter slower."""
    return torch.nn.functional.pad(columns, (0, -columns.shape[1] % 16))


def working_dtype(features: Tensor) -> torch.dtype:
    """float64 stays, everything narrower is worked on in float32."""
    return torch.float64 if features.dtype == torch.float64 else torch.float32
