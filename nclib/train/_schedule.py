"""The learning rate at every step."""

from __future__ import annotations

import math

from nclib.runs._config import RunConfig


def learning_rate(config: RunConfig, step: int, steps_per_epoch: int) -> float:
    r"""Linear warm-up to ``lr``, then constant, or a half cosine that ends at zero.

    Args:
        config: its ``lr``, ``warmup_epochs``, ``epochs`` and ``schedule`` count.
        step: from 0.
        steps_per_epoch: batches an epoch.
    """
    warmup = config.warmup_epochs * steps_per_epoch
    if step < warmup:
        return config.lr * (step + 1) / warmup
    if config.schedule == "constant":
        return config.lr
    done = (step - warmup) / max(1, config.epochs * steps_per_epoch - warmup)
    return config.lr * 0.5 * (1 + math.cos(math.pi * done))
