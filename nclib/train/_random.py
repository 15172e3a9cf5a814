"""Streams of random numbers that a seed fixes: one for each epoch and purpose."""

from __future__ import annotations

import torch

# What a run draws for, as the "epoch" of its stream; epochs themselves count from 1.
BEFORE = 0  # the subset of the training images; the objective's first state
LISTS = 250_000  # a sampler that goes on over the epochs
VIEWS = (500_000, 750_000)  # augmentation of streamed images, plus the epoch: one for each view
NOISE = 1_000_000  # noise on the test images, plus the number of its level


def generator(seed: int, epoch: int) -> torch.Generator:
    """A stream of its own for every epoch, so that a resumed run draws what it would have drawn."""
    return torch.Generator().manual_seed(seed * 1_000_003 + epoch)


def seed_weights(seed: int, stage: int) -> None:
    """Seed the global generator for the new weights of a stage, which counts from 0."""
    torch.manual_seed(seed + stage)
