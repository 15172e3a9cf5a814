"""Canvases as data sets with options: how many of each label set, and where the tiles stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import torch

from nclib._options import Option, Value
from nclib.data._canvases import PLACEMENTS, Canvases, canvases, check_fit
from nclib.data._fitted_supports import HeadTail, fit_supports
from nclib.data._info import DatasetInfo, Tensors
from nclib.data._label_lists import label_list
from nclib.data._label_statistics import HEAD, TAIL
from nclib.data._long_tail import long_tail_counts, long_tail_sizes
from nclib.data._supports import SupportTable, all_supports, support_table, tabulate

_COUNTS = ("single", "pair", "triple")  # options, by size of the label set
#: Options that say how many canvases have which labels, by the rule that asks for them.
_RULES = {
    "counted": (*_COUNTS, *(f"test_{name}" for name in _COUNTS), "single_ratio", "pair_ratio"),
    "long-tailed": ("canvases", "test_canvases", "labels", "label_ratio", "head_tail"),
    "voc-lt": ("canvases", "test_canvases"),
}
#: What ``test_ratios`` may be, by the rule.
_TESTS = {
    "counted": ("balanced", "training"),
    "long-tailed": ("balanced", "training"),
    "voc-lt": ("natural", "training"),
}
_TWO_TILES: dict[str, Value] = {
    "height": 32,
    "placement": "grid",
    "shift": 0,
    "pair": 20,
    "test_single": 110,
    "test_pair": 20,
}

_LONG_TAILED: dict[str, Value] = {
    "label_sets": "long-tailed",
    "canvases": 2000,
    "test_canvases": 2000,
    "placement": "free",
    "shift": 0,
}
_DIALLED: dict[str, dict[str, Value]] = {  # none, half, all of the canvases with a tail label
    f"head-tail-{rate}": {"head_tail": rate / 100} for rate in (0, 50, 100)
}

#: Options of the published constructions and of this book's, by data set; what is not named has
#: its default. ``two-tiles`` are 2,000 canvases of 32×64 pixels, two CIFAR images side by side or
#: one in either place, and 2,000 of test images: small enough for 50 epochs of a ``convnet`` of
#: width 32 in a few minutes of one core. ``two-tiles-imbalanced``: 2,001, 270 to 27 singles.
#: ``head-tail-R``: two labels a canvas, long-tailed; R % of the canvases with a label of the tail
#: have one of the head. ``voc-lt``: the label sets of VOC-LT, and of VOC 2012 for testing.
CANVAS_PRESETS: dict[str, dict[str, dict[str, Value]]] = {
    "canvas-digits": {
        "ml-mnist": {},
        "imbalanced-pairs": {"single": 60, "pair": 20, "pair_ratio": 16},  # 20, 5 and 1
        "imbalanced-singles": {"single": 95, "single_ratio": 10},
        **{
            name: {**_LONG_TAILED, "canvases": 400, "test_canvases": 200, "label_ratio": 50, **rate}
            for name, rate in _DIALLED.items()
        },
    },
    "canvas-cifar10": {
        "ml-cifar10": {},
        "imbalanced-pairs": {"pair": 500, "pair_ratio": 100},  # 500, 50 and 5
        "imbalanced-singles": {"single_ratio": 10},
        "two-tiles": {**_TWO_TILES, "single": 110},
        "two-tiles-imbalanced": {**_TWO_TILES, "single": 270, "single_ratio": 10},
    },
    "canvas-cifar100-coarse": {
        "voc-lt": {},
        **{
            name: {"label_sets": "long-tailed", "test_ratios": "balanced", **rate}
            for name, rate in _DIALLED.items()
        },
    },
}


def _options(side: int, defaults: Mapping[str, Value]) -> dict[str, Option]:
    """What the canvases of images of so many pixels a side leave open."""
    ranges = {
        **{name: Option(0, whole=True) for name in _COUNTS},
        "single_ratio": Option(1, low=1),
        "pair_ratio": Option(1, low=1),
        **{f"test_{name}": Option(0, whole=True) for name in _COUNTS},
        "test_ratios": Option("balanced", choices=("balanced", "training", "natural")),
        "tile": Option(side, low=1, high=side, whole=True),
        "height": Option(2 * side, low=1, high=1024, whole=True),
        "width": Option(2 * side, low=1, high=1024, whole=True),
        "placement": Option("corners", choices=PLACEMENTS),
        "shift": Option(0, high=1024, whole=True),
        "canvas_seed": Option(0, high=2**32 - 2, whole=True),
        "label_sets": Option("counted", choices=tuple(_RULES), added=True),
        "canvases": Option(2000, low=1, whole=True, added=True),
        "test_canvases": Option(2000, low=1, whole=True, added=True),
        "labels": Option(2, low=1, whole=True, added=True),
        "label_ratio": Option(100, low=1, added=True),
        "head_tail": Option(1, high=1, added=True),
        "distractors": Option(0, whole=True, added=True),
        "shrink": Option(1, low=1, whole=True, added=True),
    }
    return {name: replace(o, default=defaults.get(name, o.default)) for name, o in ranges.items()}


def canvas_set(base: DatasetInfo, title: str, **defaults: Value) -> DatasetInfo:
    """The entry of the canvases of a single-label set that fits on the device.

    It is configured where it is asked for, since label sets are read and fitted then. Its
    statistics are those of the single-label set: a network sees a tile as it would see the image
    alone, and the black ground as −mean/std.
    """
    entry = replace(
        base,
        name=f"canvas-{base.name}",
        title=title,
        task="multi_label",
        options=_options(base.shape[1], defaults),
        configure=lambda values: _configured(entry, base, values),
    )
    return entry


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
    _check_rule(entry, values)
    tables = {split: _table(options, split, base.num_classes) for split in ("train", "test")}
    for table in tables.values():
        check_fit(
            table,
            (tile, tile),
            size,
            options["placement"],
            options["shift"],
            options["distractors"],
        )

    def compose(root: Path | None, device: torch.device | str) -> dict[str, Canvases]:
        assert base.read is not None
        return {
            split: canvases(
                images.to(device),
                labels,
                *tables[split],
                size=size,
                tile=(tile, tile),
                placement=options["placement"],
                shift=options["shift"],
                distractors=options["distractors"],
                shrink=options["shrink"],
                seed=options["canvas_seed"] + (split == "test"),
            )
            for split, (images, labels) in base.read(root).items()
        }

    def read(root: Path | None) -> Tensors:
        made = compose(root, "cpu")
        return {split: (images, layout.labels) for split, (images, layout) in made.items()}

    pairs = (tables["train"].supports * tables["train"].counts[:, None]).sum(0)
    if pairs.min() == 0:
        raise ValueError(f"class {int(pairs.argmin())} would be on no canvas for training")
    return replace(
        entry,
        shape=(base.shape[0], *size),
        train_per_class=(int(pairs.min()), int(pairs.max())),
        read=read,
        compose=compose,
        train_supports=tables["train"],
    )


def _check_rule(entry: DatasetInfo, values: Mapping[str, Value]) -> None:
    """Refuse what nothing depends on, and a test split that the rule does not have."""
    rule = str(values["label_sets"])
    for name in {name: None for names in _RULES.values() for name in names}:
        default = entry.options[name].default
        if name not in _RULES[rule] and values[name] != default:
            raise ValueError(
                f"option {name} is {values[name]:g}, but label_sets is {rule!r}, so nothing "
                f"depends on it: expected {default:g}"
            )
    if values["test_ratios"] not in _TESTS[rule]:
        raise ValueError(
            f"option test_ratios is {values['test_ratios']!r}, but label_sets is {rule!r}: "
            f"expected {' or '.join(_TESTS[rule])}"
        )
    if rule == "voc-lt" and entry.num_classes != 20:
        raise ValueError(
            f"option label_sets is 'voc-lt', which has 20 classes, but {entry.title} have "
            f"{entry.num_classes}"
        )


def _table(options: Mapping[str, Any], split: str, num_classes: int) -> SupportTable:
    """The label sets of a split, and how many canvases have each."""
    rule, as_training = (
        options["label_sets"],
        split == "train" or options["test_ratios"] == "training",
    )
    canvases = options["canvases" if split == "train" else "test_canvases"]
    if rule == "voc-lt":
        return _listed("voc-lt" if as_training else "voc2012", canvases)
    if rule == "long-tailed":
        tail = (options["label_ratio"], options["head_tail"]) if as_training else (1.0, None)
        return _long_tailed(num_classes, canvases, options["labels"], *tail)
    names = [name if split == "train" else f"test_{name}" for name in _COUNTS]
    single, pair, triple = (options[name] for name in names)
    if not single + pair + triple:
        raise ValueError(f"options {', '.join(names)} are 0: there are no canvases")
    ratios = (options["single_ratio"], options["pair_ratio"]) if as_training else (1, 1)
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


@cache
def _long_tailed(
    num_classes: int, canvases: int, labels: int, ratio: float, head_tail: float | None
) -> SupportTable:
    """So many labels on every canvas, exponential class counts, a rate of head beside tail."""
    shares = long_tail_sizes(num_classes, ratio)
    shares = labels * shares / shares.sum()
    counts = (canvases * shares).round()
    groups = [group.nonzero()[:, 0].tolist() for group in (counts >= HEAD, counts < TAIL)]
    try:
        if head_tail is None:
            return fit_supports(canvases, shares, {labels: 1.0})
        if not all(groups):
            raise ValueError(
                f"classes have {int(counts.max())} to {int(counts.min())}, expected some with at "
                f"least {HEAD}, the head, and some with fewer than {TAIL}, the tail"
            )
        return fit_supports(canvases, shares, {labels: 1.0}, head_tail=HeadTail(head_tail, *groups))
    except ValueError as error:
        raise ValueError(
            f"options canvases {canvases}, labels {labels}, label_ratio {ratio:g} and head_tail "
            f"{head_tail}: {error}"
        ) from error


@cache
def _listed(name: str, canvases: int) -> SupportTable:
    """The label sets of a real set, in its proportions.

    Counts are rounded along the sets in the order of their rarest label, so that those of rare
    classes are met best.
    """
    table = tabulate(label_list(name).labels)
    images = (table.supports * table.counts[:, None]).sum(0)
    rarest = torch.where(table.supports, images, images.max() + 1).min(1).values
    order = rarest.argsort(stable=True)
    edges = (canvases * table.counts[order].cumsum(0) / table.counts.sum() + 0.5).floor().long()
    counts = torch.empty_like(table.counts)
    counts[order] = edges.diff(prepend=torch.zeros(1, dtype=torch.int64))
    return support_table(table.supports, counts)
