"""How far trained networks are aligned, and what a strategy changes, from their records."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from nclib import theory, train
from nclib._profiles import Profile
from nclib.methods import METHODS
from nclib.papers._effects import Effect, Measure, margin
from nclib.papers.space_alignment import grid
from nclib.runs import RunConfig, RunRecord, ledger

Find = Callable[[RunConfig], RunRecord | None]  # such as nclib.runs.ledger.published


class Alignment(NamedTuple):
    """Cosines of a network's rows and class means, class by class."""

    raw: Float[Tensor, " K"]  # as they are
    rows_centred: Float[Tensor, " K"]  # without the rows' common shift, which changes no decision
    means_centred: Float[Tensor, " K"]  # without the means' common shift, which acts as a bias
    centred: Float[Tensor, " K"]  # without both: what is left


class Correlation(NamedTuple):
    """A rank correlation with its 95 % interval."""

    value: float
    low: float
    high: float
    points: int


def alignment(record: RunRecord) -> Alignment:
    """The cosines of the finished network, with the means of its training features.

    Args:
        record: of the network.
    """
    rows, means = record.tensor("weight"), record.tensor("class_means")
    about_rows, about_means = rows - rows.mean(0), means - means.mean(0)
    pairs = ((rows, means), (about_rows, means), (rows, about_means), (about_rows, about_means))
    return Alignment(*(torch.cosine_similarity(w, m) for w, m in pairs))


def mean_cosine(record: RunRecord, *, centre: bool = True) -> float:
    """The mean over classes of the cosines, centred or raw."""
    cosines = alignment(record)
    return float((cosines.centred if centre else cosines.raw).mean())


def exponents(record: RunRecord, *, at: str = "train") -> theory.ErrorExponent:
    r"""Error exponents of a network with its own noise, the isotropic estimate by class.

    Args:
        record: of the network.
        at: ``"train"``: noise is how test features differ from the means of training features,
            :math:`v_k = v_k^{test} + \|\mu_k^{test} - \mu_k\|^2`; ``"test"``: from their own.

    Raises:
        ValueError: if ``at`` is neither.
    """
    if at not in ("train", "test"):
        raise ValueError(f"at is {at!r}, expected 'train' or 'test'")
    test_means, variances = record.tensor("test_class_means"), record.report("test").variances
    means = record.tensor("class_means") if at == "train" else test_means
    noise = variances.double() + (test_means - means).square().sum(1)
    within = noise / means.shape[1]
    return theory.error_exponent(
        means, record.tensor("weight"), record.tensor("bias"), within=within
    )


def mahalanobis_exponents(record: RunRecord, network: Path) -> theory.ErrorExponent:
    """Error exponents of a network whose weights are kept, with the covariance of each class.

    The noise is how test features differ from the means of training features.

    Args:
        record: of the network.
        network: its weights.

    Raises:
        FileNotFoundError: if there are no weights.
    """
    features, labels = train.features(record, network)
    means = record.tensor("class_means")
    within = theory.class_covariances(features, labels, means)
    return theory.error_exponent(
        means, record.tensor("weight"), record.tensor("bias"), within=within
    )


def mean_exponent(record: RunRecord) -> float:
    """The mean over classes of the exponents about the training means."""
    return float(exponents(record).per_class.mean())


def accuracy(record: RunRecord) -> float:
    """The test accuracy in per cent."""
    return 100 * record.score


def tail_accuracy(record: RunRecord) -> float:
    """The test accuracy of the smallest third of the classes, in per cent."""
    by_class = record.tensor("per_class_accuracy")
    return 100 * theory.head_medium_tail(by_class, record.tensor("counts")).tail


def records(
    profile: Profile,
    method: str = "ce",
    strategy: str | None = None,
    *,
    find: Find = ledger.published,
    seeds: Sequence[int] | None = None,
    **changes: Any,
) -> list[RunRecord]:
    """Records of a method with a strategy, seed by seed; empty without any.

    Args:
        profile: ``smoke``, ``laptop`` or ``paper``.
        method: a key of ``nclib.methods.METHODS``.
        strategy: as :func:`nclib.papers.space_alignment.grid.config` takes it.
        find: where a run's record is; published ones alone.
        seeds: None: those of the profile.
        changes: of the configuration, such as ``dataset``.
    """
    chosen = grid.SEEDS[profile] if seeds is None else seeds
    configs = [_config(profile, method, strategy, **{**changes, "seed": s}) for s in chosen]
    return [record for config in configs if (record := find(config)) is not None]


@cache
def _config(profile: Profile, method: str, strategy: str | None, **changes: Any) -> RunConfig:
    return grid.config(profile, method, strategy, **changes)


def changes_by_seed(
    profile: Profile, method: str, strategy: str, measure: Measure, **where: Any
) -> list[float]:
    """What a strategy changes in a number, seed by seed.

    Two networks of one seed have the same first weights and batches, or are one network before
    and after an adjustment.

    Args:
        profile: of the runs.
        method: of both networks.
        strategy: of the second.
        measure: the number.
        where: arguments of :func:`records`.
    """
    if not grid.accepts(method, strategy):
        return []
    before = {r.config.seed: measure(r) for r in records(profile, method, **where)}
    differences = []
    for record in records(profile, method, strategy, **where):
        old, new = before.get(record.config.seed), measure(record)
        if old is not None and new is not None:
            differences.append(new - old)
    return differences


def effect(
    profile: Profile, method: str, strategy: str, measure: Measure = accuracy, **where: Any
) -> Effect | None:
    """The mean of what a strategy changes, and its 95 % interval; None without records.

    The spread of the differences over seeds is pooled over the methods that have the strategy in
    the same setting.

    Args:
        profile: of the runs.
        method: of both networks.
        strategy: what they differ in.
        measure: the number.
        where: arguments of :func:`records`.
    """
    groups = {
        name: changes_by_seed(profile, name, strategy, measure, **where)
        for name in grid.METHODS_OF_TABLES
    }
    ours = groups.get(method, [])
    if not ours:
        return None
    half = margin([group for group in groups.values() if group], len(ours))
    return Effect(sum(ours) / len(ours), half)


def table(profile: Profile, dataset: str, ratio: float, **where: Any) -> list[str]:
    """Test accuracies of the paper's base methods and what each strategy changes, as lines.

    Numbers of the paper are not published to us. A method or strategy without records is left out;
    without any, the one line says so.

    Args:
        profile: of the runs.
        dataset: of the runs.
        ratio: of their imbalance.
        where: further arguments of :func:`records`.
    """
    fields: dict[str, Any] = {**where, "dataset": dataset, "imbalance": ratio}
    title, lines = f"{profile}, {dataset}, ratio {ratio:g}", []
    for method in grid.METHODS_OF_TABLES:
        values = [accuracy(record) for record in records(profile, method, **fields)]
        if not values:
            continue
        cells = [f"{sum(values) / len(values):.1f} ({len(values)})"]
        for strategy in grid.THREE:
            change = effect(profile, method, strategy, **fields)
            room = grid.accepts(method, strategy)
            cells.append(str(change) if change else "not run" if room else "no room")
        lines.append(f"{METHODS[method].title:22}" + "".join(f"{cell:>16}" for cell in cells))
    if not lines:
        return [f"{title}: not run"]
    names = ["alone (seeds)", *(grid.STRATEGIES[strategy].title for strategy in grid.THREE)]
    return [title, " " * 22 + "".join(f"{name:>16}" for name in names), *lines]


def rank_correlation(first: Iterable[float], second: Iterable[float]) -> Correlation | None:
    r"""Spearman's rank correlation of two numbers; None of fewer than five points.

    The interval is Fisher's, :math:`\operatorname{artanh} r \pm 1.96\sqrt{1.06/(n - 3)}`.

    Args:
        first: a number of each point.
        second: the other.

    Source: Fieller, Hartley and Pearson (1957) for the variance.

    >>> rank_correlation(range(8), [0, 1, 2, 3, 4, 6, 5, 7]).value > 0.97
    True
    """
    from scipy.stats import spearmanr

    x, y = list(first), list(second)
    if len(x) < 5:
        return None
    value = float(spearmanr(x, y).statistic)
    inside = min(max(value, -1 + 1e-12), 1 - 1e-12)
    half = 1.96 * math.sqrt(1.06 / (len(x) - 3))
    low, high = (math.tanh(math.atanh(inside) + sign * half) for sign in (-1, 1))
    return Correlation(value, low, high, len(x))
