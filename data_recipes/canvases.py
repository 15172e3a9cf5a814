"""Images with several labels, composed of digits or of CIFAR's images: nothing else to fetch.

Besides the defaults, which are the published constructions, every other preset has a name:
``canvas-cifar10-two-tiles``, for one.
"""

from __future__ import annotations

from data_recipes import cifar
from data_recipes._recipe import Recipe, canvases
from data_recipes.long_tailed import BASES
from nclib import data

#: The presets by name: data set and options.
PRESETS = {
    f"{name}-{preset}": (name, options)
    for name, presets in data.CANVAS_PRESETS.items()
    for preset, options in presets.items()
    if options
}


def recipe(name: str) -> Recipe | None:
    """The recipe of canvases at their defaults, or of a preset; None where there is none."""
    dataset, options = PRESETS.get(name, (name, {}))
    bases = {**BASES, cifar.CIFAR100_COARSE.name: cifar.CIFAR100_COARSE}
    base = bases.get(dataset.removeprefix("canvas-"))
    if dataset not in data.CANVAS_PRESETS or base is None:
        return None
    choices = ", ".join(f"{key} {value}" for key, value in options.items()) or "the defaults"
    return Recipe(
        name=name,
        source=f"composed of {base.name}: {choices}",
        fetch=base.fetch,
        files=base.files,
        content=canvases(dataset, options),
        checksum=base.checksum,
    )
