"""How much memory a run takes, and that it keeps what it takes."""

from __future__ import annotations

import ctypes
import re
import resource
import sys
from contextlib import suppress
from pathlib import Path

import torch

_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def forget_peak_memory(device: torch.device) -> None:
    """Let :func:`peak_memory_mib` count from here, where the system can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with suppress(OSError):  # Linux's alone
        _CLEAR.write_text("5")


def peak_memory_mib(device: torch.device) -> int:
    """Of the accelerator; on the CPU, of the process."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 2**20)
    with suppress(OSError):
        if peak := re.search(r"VmHWM:\s+(\d+) kB", _STATUS.read_text()):
            return round(int(peak[1]) / 1024)
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20)


def keep_freed_memory() -> None:
    """Let glibc keep the memory of freed tensors for the next ones; without glibc, nothing.

    As it comes, glibc hands most of it back to the system, and a step of training on the CPU asks
    for as much again: up to a third of the time went to page faults, on some runs and not others.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, 2**25)  # bytes; glibc takes no more
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # their numbers in malloc.h
