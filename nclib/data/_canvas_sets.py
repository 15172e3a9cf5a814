"""Canvases as data sets with options: how many of each label set, and where the tiles stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from nclib._options import Option, Value
from nclib.data._canvases import PLACEMENTS, Canvases, canvases, check_fit
from nclib.data._info import DatasetInfo, Tensors
from nclib.data._long_tail import long_tail_counts
from nclib.data._supports import SupportTable, all_supports

_COUNTS = ("single", "pair", "triple")  # options, by size of the label set
_TWO_TILES: dict[str, Value] = {
    "height": 32,
    "placement": "grid",
    "shift": 0,
    "pair": 20,
    "test_single": 110,
    "test_pair": 20,
}

#: Options of the published constructions and of this book's, by data set; what is not named has
#: its default. ``two-tiles`` are 2,000 canvases of 32×64 pixels, two CIFAR images side by side or
#: one in either place, and 2,000 of test images: small enough for 50 epochs of a ``convnet`` of
#: width 32 in a few minutes of one core. ``two-tiles-imbalanced``: 2,001, 270 to 27 singles.
CANVAS_PRESETS: dict[str, dict[str, dict[str, Value]]] = {
    "canvas-digits": {
        "ml-mnist": {},
        "imbalanced-pairs": {"single": 60, "pair": 20, "pair_ratio": 16},  # 20, 5 and 1
        "imbalanced-singles": {"single": 95, "single_ratio": 10},
    },
    "canvas-cifar10": {
        "ml-cifar10": {},
        "imbalanced-pairs": {"pair": 500, "pair_ratio": 100},  # 500, 50 and 5
        "imbalanced-singles": {"single_ratio": 10},
        "two-tiles": {**_TWO_TILES, "single": 110},
        "two-tiles-imbalanced": {**_TWO_TILES, "single": 270, "single_ratio": 10},
    },
}


def _options(side: int, defaults: Mapping[str, Value]) -> dict[str, Option]:
    """What the canvases of images of so many pixels a side leave open."""
    ranges = {
        **{name: Option(0, whole=True) for name in _COUNTS},
        "single_ratio": Option(1, low=1),
        "pair_ratio": Option(1, low=1),
        **{f"test_{name}": Option(0, whole=True) for name in _COUNTS},
        "test_ratios": Option("balanced", choices=("balanced", "training")),
        "tile": Option(side, low=1, high=side, whole=True),
        "height": Option(2 * side, low=1, high=1024, whole=True),
        "width": Option(2 * side, low=1, high=1024, whole=True),
        "placement": Option("corners", choices=PLACEMENTS),
        "shift": Option(0, high=1024, whole=True),
        "canvas_seed": Option(0, high=2**32 - 2, whole=True),
    }
    return {name: replace(o, default=defaults.get(name, o.default)) for name, o in ranges.items()}


def canvas_set(base: DatasetInfo, title: str, **defaults: Value) -> DatasetInfo:
    """The entry of the canvases of a single-label set that fits on the device.

    Its statistics are those of the single-label set: a network sees a tile as it would see the
    image alone, and the black ground as −mean/std.
    """
    entry = replace(
        base,
        name=f"canvas-{base.name}",
        title=title,
        task="multi_label",
        options=_options(base.shape[1], defaults),
        configure=lambda values: _configured(entry, base, values),
    )
    return _configured(entry, base, entry.resolve({}))


def _configured(entry: DatasetInfo, base: DatasetInfo, values: Mapping[str, Value]) -> DatasetInfo:
    """The entry with the shape, the class sizes and the readers that its options give.

    Raises:
        ValueError: if the side of a tile is no divisor of the images', a split has no canvases, or
            its tiles do not fit.
    """
    options: dict[str, Any] = {
        name: int(value) if entry.options[name].whole else value for name, value in values.items()
    }
    side, tile, size = base.shape[1], options["tile"], (options["height"], options["width"])
    if side % tile:
        raise ValueError(f"option tile is {tile}, expected a divisor of {side}")
    tables = {split: _table(options, split, base.num_classes) for split in ("train", "test")}
    for table in tables.values():
        check_fit(table, (tile, tile), size, options["placement"], options["shift"])

    def compose(root: Path | None, device: torch.device | str) -> dict[str, Canvases]:
        assert base.read is not None
        return {
            split: canvases(
                _averaged(images.to(device), tile),
                labels,
                *tables[split],
                size=size,
                placement=options["placement"],
                shift=options["shift"],
                seed=options["canvas_seed"] + (split == "test"),
            )
            for split, (images, labels) in base.read(root).items()
        }

    def read(root: Path | None) -> Tensors:
        made = compose(root, "cpu")
        return {split: (images, layout.labels) for split, (images, layout) in made.items()}

    pairs = (tables["train"].supports * tables["train"].counts[:, None]).sum(0)
    return replace(
        entry,
        shape=(base.shape[0], *size),
        train_per_class=(int(pairs.min()), int(pairs.max())),
        read=read,
        compose=compose,
        train_supports=tables["train"],
    )


def _table(options: Mapping[str, Any], split: str, num_classes: int) -> SupportTable:
    """The label sets of a split, and how many canvases have each."""
    names = [name if split == "train" else f"test_{name}" for name in _COUNTS]
    single, pair, triple = (options[name] for name in names)
    if not single + pair + triple:
        raise ValueError(f"options {', '.join(names)} are 0: there are no canvases")
    ratios = options["single_ratio"], options["pair_ratio"]
    if split == "test" and options["test_ratios"] == "balanced":
        ratios = 1, 1
    return _counted(num_classes, single, pair, triple, *ratios)


@cache  # a configuration asks several times
def _counted(
    num_classes: int, single: int, pair: int, triple: int, single_ratio: float, pair_ratio: float
) -> SupportTable:
    singles = long_tail_counts(num_classes, single, single_ratio) if single else 0
    pairs = [
        int(pair * pair_ratio ** (-(sum(classes) % 3) / 2))
        for classes in combinations(range(num_classes), 2)
    ]
    return all_supports(num_classes, {1: singles, 2: pairs, 3: triple})


def _averaged(images: UInt8[Tensor, "N C h w"], side: int) -> UInt8[Tensor, "N C s s"]:
    """Images averaged down to a smaller side, a divisor of their own."""
    if images.shape[2] == side:
        return images
    parts = images.float().unflatten(3, (side, -1)).unflatten(2, (side, -1))
    return parts.mean((3, 5)).round().to(torch.uint8)
