r"""The trained networks of the chapter on experiments, as configurations.

The methods are those of "Inducing neural collapse in deep long-tailed learning", trained as that
chapter trains them (:mod:`nclib.papers.inducing_nc.grid`); a strategy is a plug-in. The formulas
and constants of the paper are not published to us: every option has the library's default, and no
strength was tuned.

A run without a plug-in is that chapter's, so that nobody trains it twice. One that only adjusts a
finished network belongs beside the network that it adjusts. What a plug-in changes in training is
filed under this paper.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from nclib._profiles import Profile
from nclib.methods import METHODS
from nclib.papers.inducing_nc import grid as long_tail
from nclib.runs import RunConfig


class Strategy(NamedTuple):
    """A plug-in with the options that differ from its defaults."""

    title: str
    plugin: str
    options: Mapping[str, float | str] = {}


#: By key; the paper's three, its control, and two of them within training.
STRATEGIES: dict[str, Strategy] = {
    "reg": Strategy("SpA-Reg", "spa-reg"),
    "slerp": Strategy("SpA-SLERP", "spa-slerp"),
    "proj": Strategy("SpA-Proj", "spa-proj"),
    "negative": Strategy("negative SpA-Reg", "spa-reg", {"strength": -1.0}),
    "slerp-training": Strategy("SpA-SLERP, each epoch", "spa-slerp", {"when": "training"}),
    "proj-training": Strategy("SpA-Proj, each epoch", "spa-proj", {"when": "training"}),
}
#: The paper's own.
THREE = ("reg", "slerp", "proj")
#: The paper's base methods.
METHODS_OF_TABLES = ("ce", "ldam-drw", "logit-adjust", "etf-dr", "nc-drw")
#: Data sets, the main one first, and their imbalance ratios.
DATA: dict[Profile, dict[str, tuple[float, ...]]] = {
    "smoke": {"digits": (20.0, 50.0)},
    "laptop": {"cifar10": (100.0,), "cifar100": (100.0, 200.0)},
    "paper": {"cifar100": (100.0, 200.0), "cifar10": (100.0, 200.0)},
}
SEEDS = long_tail.SEEDS


def config(
    profile: Profile,
    method: str = "ce",
    strategy: str | None = None,
    *,
    options: Mapping[str, float | str] = {},
    **changes: Any,
) -> RunConfig:
    """The run of a method with a strategy, or without one, at a profile.

    Args:
        profile: ``smoke``, ``laptop`` or ``paper``.
        method: a key of ``nclib.methods.METHODS``.
        strategy: a key of :data:`STRATEGIES`; None: none.
        options: of the plug-in, where they differ from the strategy's.
        changes: fields of the run; the schedule follows ``epochs``.

    Raises:
        ValueError: if the method leaves no room for the strategy, such as a fixed classifier for
            one that adjusts it.
    """
    if strategy is not None:
        chosen = STRATEGIES[strategy]
        given = {**chosen.options, **options}
        if METHODS[method].head == "etf" and chosen.plugin == "spa-reg":
            given["route"] = "features"  # the classifier is fixed
        changes["plugins"] = {chosen.plugin: given}
    run = long_tail.config(profile, method, **changes)
    return run.replace(paper="space-alignment") if run.plugins and not run.post_hoc else run


@cache
def accepts(method: str, strategy: str) -> bool:
    """Whether a method has room for a strategy."""
    try:
        config("laptop", method, strategy)
    except ValueError:
        return False
    return True


def main(profile: Profile) -> dict[str, Any]:
    """Data set and ratio at which a profile compares most."""
    dataset, (ratio, *_) = next(iter(DATA[profile].items()))
    return {"dataset": dataset, "imbalance": ratio}


def ablation(
    profile: Profile, *, seed: int = 0, **changes: Any
) -> dict[tuple[str, str], tuple[RunConfig, RunConfig]]:
    """CE with a strategy, one option of the reconstruction changed at a time: nine runs.

    Returns:
        by strategy and option in words: the run with the defaults, and the one with that option.
    """
    fields = {"seed": seed, **main(profile), **changes}
    half = long_tail.config(profile, "ce", **changes).epochs // 2
    others: dict[str, dict[str, Mapping[str, float | str]]] = {
        "reg": {
            "the classifier alone": {"route": "classifier"},
            "the features alone": {"route": "features"},
            "means of the batch": {"means": "batch"},
            "not centred": {"centre": "no"},
            "a tenth of the strength": {"strength": 0.1},
            "the second half alone": {"start_epoch": half},
        },
        "slerp": {
            "unit norms": {"norm": "unit"},
            "no bias": {"bias": "drop"},
            "bias recentred": {"bias": "recentre"},
        },
    }
    return {
        (strategy, words): (
            config(profile, "ce", strategy, **fields),
            config(profile, "ce", strategy, options=options, **fields),
        )
        for strategy, variants in others.items()
        for words, options in variants.items()
    }


def grid(
    profile: Profile, *, seeds: Sequence[int] | None = None, **changes: Any
) -> list[RunConfig]:
    """The runs that the chapter shows, in the order in which they are wanted.

    Args:
        profile: ``smoke``, ``laptop`` or ``paper``.
        seeds: None: those of the profile.
        changes: fields of every run, such as ``epochs``.
    """
    chosen = SEEDS[profile] if seeds is None else seeds
    rows = _paper() if profile == "paper" else _short(profile)
    runs = [
        config(profile, **{**row, **changes}, seed=seed)
        for row in rows
        for seed in (chosen[:1] if _is_control(profile, row) else chosen)
    ]
    if profile != "paper":
        for _, variant in ablation(profile, seed=chosen[0], **changes).values():
            runs.append(variant)
    return list({run.id: run for run in runs}.values())


def _is_control(profile: Profile, row: Mapping[str, Any]) -> bool:
    """Whether a row only shows the control on further data, for which one seed must do."""
    elsewhere = {name: row[name] for name in ("dataset", "imbalance")} != main(profile)
    return profile != "paper" and row["strategy"] == "negative" and elsewhere


def _row(method: str, strategy: str | None, dataset: str, ratio: float) -> dict[str, Any]:
    return {"method": method, "strategy": strategy, "dataset": dataset, "imbalance": ratio}


def _short(profile: Profile) -> Iterator[dict[str, Any]]:
    """CE and logit adjustment with everything, then what needs no training, then other data."""
    (first, ratios), *others = DATA[profile].items()
    for method in ("ce", "logit-adjust"):
        for strategy in (None, "reg", "negative"):
            yield _row(method, strategy, first, ratios[0])
    for strategy in (None, "slerp", "proj"):
        for method in ("ce", "logit-adjust", "ldam-drw", "nc-drw"):
            yield _row(method, strategy, first, ratios[0])
    for dataset, both in others or [(first, ratios[1:])]:
        for ratio in both:
            for strategy in (None, "reg", "negative"):
                yield _row("ce", strategy, dataset, ratio)
    for strategy in ("slerp-training", "proj-training"):
        yield _row("ce", strategy, first, ratios[0])


def _paper() -> Iterator[dict[str, Any]]:
    """Figures 1, 2 and 4 first, then the tables row by row, then adjustments in training."""
    cells = [(dataset, ratio) for dataset, ratios in DATA["paper"].items() for ratio in ratios]
    for cell in cells:
        for strategy in (None, "reg", "negative"):
            yield _row("ce", strategy, *cell)
    for method in METHODS_OF_TABLES:
        for cell in cells:
            for strategy in (None, *THREE):
                if strategy is None or accepts(method, strategy):
                    yield _row(method, strategy, *cell)
    for cell in cells:
        for strategy in ("slerp-training", "proj-training"):
            yield _row("ce", strategy, *cell)
