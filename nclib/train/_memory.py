"""How much memory a run has taken at most."""

from __future__ import annotations

import resource
import sys

import torch


def peak_memory_mib(device: torch.device) -> int:
    """Of the accelerator since the process began; on the CPU, of the process."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 2**20)
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20)
