"""Streams of random numbers that a seed and an epoch fix."""

from __future__ import annotations

import torch


def generator(seed: int, epoch: int) -> torch.Generator:
    """A stream of its own for every epoch, so that a resumed run draws what it would have drawn."""
    return torch.Generator().manual_seed(seed * 1_000_003 + epoch)
