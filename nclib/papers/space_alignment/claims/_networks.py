"""What the abstract says of trained networks, from published records."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from nclib import theory
from nclib._profiles import Profile
from nclib.methods import METHODS
from nclib.papers._claim import Check, Claim, Evidence
from nclib.papers._effects import Measure, margin_in, measured, weakest
from nclib.papers.inducing_nc import Setting
from nclib.papers.space_alignment import grid, networks
from nclib.runs import RunRecord

_CHAPTER = "space_alignment/experiments"
# A simplex at the angle φ keeps at most the share cos²φ of its exponent.
LOSS = 0.1
COSINE = math.sqrt(1 - LOSS)
_NAMES = {"cifar10": "CIFAR-10-LT", "cifar100": "CIFAR-100-LT"}


def cells(profile: Profile) -> list[tuple[str, float]]:
    """Data sets and ratios of a profile."""
    return [(name, ratio) for name, ratios in grid.DATA[profile].items() for ratio in ratios]


def _of_plain(profile: Profile, measure: Measure, bound: float, quantity: str) -> Evidence | None:
    """That a number of plain networks is at least a bound, on every data set with records."""
    comparisons = []
    for dataset, ratio in cells(profile):
        where: dict[str, Any] = {"dataset": dataset, "imbalance": ratio}
        values = measured(measure, networks.records(profile, "ce", **where))
        if values:
            setting = Setting(profile, dataset=dataset, imbalance=ratio)
            half = margin_in(setting, measure, len(values), retrained=False)
            mean, name = sum(values) / len(values), f"{quantity}, {_NAMES[dataset]}, {ratio:g}"
            comparisons.append(Evidence(mean, bound, len(values), name, ">=", half))
    return weakest(comparisons)


def misaligned(profile: Profile, centre: bool) -> Evidence | None:
    """CE: the mean cosine is so small that a simplex loses a tenth of its exponent."""

    def missing(record: RunRecord) -> float:
        return 1 - networks.mean_cosine(record, centre=centre)

    return _of_plain(profile, missing, 1 - COSINE, "one less the mean cosine")


def rare_classes_suffer(profile: Profile) -> Evidence | None:
    """CE: classes of the largest third are recognised more often than those of the smallest."""

    def gap(record: RunRecord) -> float:
        accuracies, counts = record.tensor("per_class_accuracy"), record.tensor("counts")
        parts = theory.head_medium_tail(accuracies, counts)
        return 100 * (parts.head - parts.tail)

    return _of_plain(profile, gap, 0.0, "accuracy of the head less that of the tail, in points")


def effects(
    profile: Profile, strategy: str, dataset: str, measure: Measure = networks.accuracy
) -> list[tuple[str, float, Evidence]]:
    """What a strategy changes for each method with records: method, ratio, evidence of a gain."""
    found = []
    for ratio in grid.DATA[profile].get(dataset, ()):
        where: dict[str, Any] = {"dataset": dataset, "imbalance": ratio}
        for method in grid.METHODS_OF_TABLES:
            effect = networks.effect(profile, method, strategy, measure, **where)
            if effect is not None:
                title = f"{METHODS[method].title}, {_NAMES[dataset]}, {ratio:g}, in points"
                evidence = Evidence(effect.value, 0.0, 1, title, ">=", effect.margin)
                found.append((method, ratio, evidence))
    return found


def boosts(profile: Profile, strategy: str, dataset: str) -> Evidence | None:
    """That a strategy raises the accuracy of every method with records."""
    return weakest(evidence for *_, evidence in effects(profile, strategy, dataset))


def control(profile: Profile) -> Evidence | None:
    """That negative SpA-Reg lowers the accuracy of plain networks, on every data set."""
    lowered = []
    for dataset in grid.DATA[profile]:
        for method, ratio, evidence in effects(profile, "negative", dataset):
            if method == "ce":
                name = f"accuracy without less with, {_NAMES[dataset]}, {ratio:g}, in points"
                lowered.append(Evidence(-evidence.value, 0.0, 1, name, ">=", evidence.margin))
    return weakest(lowered)


def _lowered(profile: Profile, metric: str, strategy: str) -> Evidence | None:
    """That a measure of collapse of plain networks is lower with a strategy."""

    def value(record: RunRecord) -> float:
        return float(getattr(record.report("train"), metric))

    fields = grid.main(profile)
    effect = networks.effect(profile, "ce", strategy, value, **fields)
    if effect is None:
        return None
    name = f"{metric} without less with {grid.STRATEGIES[strategy].title}"
    return Evidence(-effect.value, 0.0, 1, name, ">=", effect.margin)


def lowers(profile: Profile, *metrics: str) -> Evidence | None:
    """That SpA-Reg lowers measures of collapse on the training set of the main setting."""
    return weakest(_lowered(profile, metric, "reg") for metric in metrics)


def decision_space(profile: Profile) -> Evidence | None:
    """That the rows come closer to a simplex ETF with SpA-Reg."""

    def value(record: RunRecord) -> float:
        rows = record.tensor("weight")
        rows = rows - rows.mean(0)
        gram, size = rows @ rows.T, len(rows)
        ideal = (gram.new_ones(size).diag() - 1 / size) / math.sqrt(size - 1)
        return float((gram / gram.norm() - ideal).norm())

    effect = networks.effect(profile, "ce", "reg", value, **grid.main(profile))
    if effect is None:
        return None
    quantity = "distance of the rows' Gram matrix from a simplex, without less with SpA-Reg"
    return Evidence(-effect.value, 0.0, 1, quantity, ">=", effect.margin)


def takes(strategy: str) -> Evidence:
    """In how many of the paper's five base methods a strategy cannot act."""
    refused = sum(not grid.accepts(method, strategy) for method in grid.METHODS_OF_TABLES)
    return Evidence(refused, 0.0, len(grid.METHODS_OF_TABLES), "methods that leave no room for it")


def network_claims(profile: Profile) -> tuple[Claim, ...]:
    """What the abstract says that networks do, in networks of a profile."""

    def claim(name: str, where: str, statement: str, *checks: Check) -> Claim:
        title = f"{where} ({profile})"
        claim_id = f"space-alignment/{name}-{profile}"
        return Claim(claim_id, title, statement, checks, chapter=_CHAPTER, profile=profile)

    boost = [
        Check(
            f"{grid.STRATEGIES[strategy].title} raises every method with records, {title}",
            partial(boosts, profile, strategy, dataset),
        )
        for dataset, title in _NAMES.items()
        for strategy in grid.THREE
        if profile == "paper" or dataset == "cifar10" or strategy == "reg"
    ]
    if profile == "paper":
        boost.append(Check("ImageNet-LT, whose images are not ours to give", _no_record))
    return (
        claim(
            "generalisation",
            "Abstract, sentence 2",
            "... resulting in poor generalization performance.",
            Check("CE: the tail is recognised less often", partial(rare_classes_suffer, profile)),
        ),
        claim(
            "misalignment",
            "Abstract, sentence 3",
            "Current efforts overlook a critical problem: there is a pronounced misalignment "
            "between the feature and the classifier weight spaces. (Read as: cosines at which a "
            "simplex loses a tenth of its exponent.)",
            Check("CE, raw cosines", partial(misaligned, profile, False)),
            Check("CE, centred cosines", partial(misaligned, profile, True)),
        ),
        claim(
            "figure-1",
            "Figure 1, caption",
            "An aligned model (CE with SpA-Reg), a baseline (CE) and a misaligned one (negative "
            "SpA-Reg).",
            Check("the aligned one is above", partial(_aligned_is_above, profile)),
            Check("the misaligned one is below", partial(control, profile)),
        ),
        claim(
            "boost",
            "Abstract, sentence 6",
            "Extensive experiments on CIFAR-10-LT, CIFAR-100-LT and ImageNet-LT consistently boost "
            "examined baselines ...",
            *boost,
        ),
        claim(
            "recovery",
            "A public summary, not the paper's own text",
            "Recovery of neural collapse properties in both feature and decision spaces is "
            "observed.",
            Check("features: NC1 and NC2 are less", partial(lowers, profile, "nc1", "nc2_etf")),
            Check("decisions: rows nearer to a simplex", partial(decision_space, profile)),
            Check("both: NC3 is less", partial(lowers, profile, "nc3")),
        ),
    )


def _aligned_is_above(profile: Profile) -> Evidence | None:
    """That SpA-Reg raises the accuracy of plain networks, on every data set."""
    return weakest(
        evidence
        for dataset in grid.DATA[profile]
        for method, _, evidence in effects(profile, "reg", dataset)
        if method == "ce"
    )


def _no_record() -> Evidence | None:
    """Nobody but the owners of its images may give them on."""
    return None
