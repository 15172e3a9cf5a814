"""The learning rate at every step."""

from __future__ import annotations

import math

from nclib.runs import RunConfig


def learning_rate(config: RunConfig, step: int, steps_per_epoch: int) -> float:
    """Linear warm-up to ``lr``, then constant, in steps, or a half cosine that ends at zero.

    Args:
        config: its ``lr``, ``warmup_epochs``, ``warmup_by``, ``epochs``, ``schedule`` and
            ``milestones`` count; at each milestone, that many epochs done, the rate of ``step`` is
            divided by ten, once for each time that the milestone is listed. A warm-up by ``epoch``
            has the rate ``lr`` times e over ``warmup_epochs`` in all of epoch e, counted from 1.
        step: from 0.
        steps_per_epoch: batches an epoch.
    """
    warmup = config.warmup_epochs * steps_per_epoch
    if step < warmup:
        if config.warmup_by == "epoch":
            return config.lr * (step // steps_per_epoch + 1) / config.warmup_epochs
        return config.lr * (step + 1) / warmup
    if config.schedule == "constant":
        return config.lr
    if config.schedule == "step":
        drops = sum(step >= milestone * steps_per_epoch for milestone in config.milestones)
        return config.lr / 10**drops
    share = (step - warmup) / max(1, config.epochs * steps_per_epoch - warmup)
    return config.lr * 0.5 * (1 + math.cos(math.pi * share))
