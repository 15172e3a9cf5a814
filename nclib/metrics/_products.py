"""Matrix products at full precision, whatever the caller has switched on."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
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


def working_dtype(features: Tensor) -> torch.dtype:
    """float64 stays, everything narrower is worked on in float32."""
    return torch.float64 if features.dtype == torch.float64 else torch.float32
