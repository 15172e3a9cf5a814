"""Runs in words, as pages and lists name them."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from nclib.runs._config import RunConfig


def described(configs: Sequence[RunConfig]) -> list[str]:
    """What sets each run apart from the others, but for paper, profile and seed.

    Data, network, what is trained and for how long; where runs agree in all that, also every field
    and option in which they differ.

    >>> fields = {"paper": "x", "profile": "smoke", "dataset": "digits", "method": "ce"}
    >>> slow, fast = (RunConfig(**fields, epochs=5, lr=lr) for lr in (0.01, 0.1))
    >>> described([slow, fast])
    ['digits, mlp, ce, 5 epochs, lr 0.01', 'digits, mlp, ce, 5 epochs, lr 0.1']
    """
    alike = defaultdict(list)
    for place, config in enumerate(configs):
        alike[config.paper, config.profile, _shortly(config)].append(place)
    texts = [""] * len(configs)
    for (_, _, text), places in alike.items():
        choices = [_choices(configs[place]) for place in places]
        counts = Counter(item for choice in choices for item in choice.items())
        for place, choice in zip(places, choices, strict=True):
            differences = [f"{k} {v}" for k, v in choice.items() if counts[k, v] < len(places)]
            texts[place] = ", ".join([text, *differences])
    return texts


def _shortly(config: RunConfig) -> str:
    parts = [config.dataset, config.model, config.trains]
    if config.imbalance > 1:
        parts.insert(1, f"ratio {config.imbalance:g}")
    if config.method == "plain":
        parts += [f"{name} {value:g}" for name, value in config.encoding_options]
        parts += ["no bias" if math.isinf(config.lam_b) else f"λ_b = {config.lam_b:g}"]
        if config.feature_layer != "linear":
            parts.append(f"{config.feature_layer} features")
    if config.precision != "32-true":
        parts.append(config.precision)
    return ", ".join([*parts, f"{config.epochs} epochs"])


def _choices(config: RunConfig) -> dict[str, Any]:
    fields = config.model_dump(exclude={"seed", "dataset_options", "method_options", "plugins"})
    added = {f"{plugin} {k}": v for plugin, options in config.plugins for k, v in options}
    return {**fields, **dict(config.dataset_options), **config.options, **added}
