r"""The cells of Tables 2–7 beside published records: means, effects with intervals, verdicts.

The rule, for every comparison alike. Runs of one *setting* (data set, ratio, network, length of
training and profile) have one standard deviation over seeds, s: it is pooled over all groups of
them that differ in nothing but the seed, with :math:`\nu=\sum(n_g-1)` degrees of freedom. The
*effect* of a row is its mean accuracy minus that of its reference row, with mixup both or neither,
known within :math:`t_{.975,\nu}\,s\sqrt{1/n_a+1/n_b}`. It is *reproduced* where that interval lies
wholly on the side of zero that is printed, *contradicted* where it lies wholly on the other, and
*undecided* otherwise, which it always is where no group has two seeds. Where a printed effect is
zero, an interval without zero contradicts it and nothing reproduces it. A *value* is compared at
the paper profile alone: where the printed one is more than
:math:`t_{.975,\nu}\,s\sqrt{1/n+1/3}` from ours (the paper's own numbers are means of three),
*higher* or *lower* says what ours is; where it is not, the value is *reproduced*, unless that
interval is wider than :data:`RESOLUTION` to either side and therefore tells nothing: *undecided*.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

from nclib.methods import METHODS
from nclib.papers.inducing_nc import runs
from nclib.papers.inducing_nc._tables import TABLES, Cell, Source, reference
from nclib.runs import RunConfig, RunRecord, ledger

PROFILES = ("laptop", "paper")  # those that train on the paper's data
EffectVerdict = Literal["reproduced", "contradicted", "undecided", "not run"]
RESOLUTION = 3.0  #: points; a value that is known less well is not called reproduced


@dataclass(frozen=True)
class Ours:
    """Accuracies of one method, in per cent."""

    profile: str
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    mixup: bool = False

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return sum(self.values) / len(self.values)

    @property
    def std(self) -> float:
        """Over the seeds, with n − 1; nan for one seed."""
        n = len(self.values)
        return math.sqrt(squares(self.values) / (n - 1)) if n > 1 else math.nan

    def __str__(self) -> str:
        spread = f" ± {self.std:.1f}" if len(self.values) > 1 else ""
        seeds = "1 seed" if len(self.seeds) == 1 else f"{len(self.seeds)} seeds"
        mixup = ", with mixup" if self.mixup else ""
        return f"{self.mean:.1f}{spread} ({seeds}, {self.profile}{mixup})"


class Setting(NamedTuple):
    """What the runs have in common whose spread over seeds is pooled."""

    profile: str
    dataset: str = "cifar10"
    imbalance: float = 100.0
    model: str = "resnet32"
    epochs: int | None = None  # None: what a method has in the tables


@dataclass(frozen=True)
class Effect:
    """A difference of two means, known within ``margin`` (inf: single runs, no interval)."""

    value: float
    margin: float

    @property
    def sign(self) -> int:
        """+1 or −1 where the whole interval is on that side of zero, else 0."""
        return 0 if abs(self.value) <= self.margin else int(math.copysign(1, self.value))

    def __str__(self) -> str:
        within = f" ± {self.margin:.1f}" if math.isfinite(self.margin) else ""
        return f"{self.value:+.1f}{within}".replace("-", "−")


def squares(values: Sequence[float]) -> float:
    """Sum of squared deviations from the mean."""
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values)


def margin(groups: Iterable[Sequence[float]], *counts: int) -> float:
    r"""Half of the 95 % interval of a difference of means with those counts.

    :math:`t_{.975,\nu}\, s \sqrt{\sum_i 1/n_i}`, s the standard deviation pooled over the groups;
    inf if no group has two values.

    >>> round(margin([(1.0, 3.0), (5.0, 7.0)], 2, 2), 3)  # s² = 2 with 2 degrees of freedom
    6.085
    """
    from scipy.special import stdtrit

    groups = list(groups)
    freedom = sum(len(group) - 1 for group in groups)
    if freedom == 0:
        return math.inf
    deviation = math.sqrt(sum(map(squares, groups)) / freedom)
    return float(stdtrit(freedom, 0.975)) * deviation * math.sqrt(sum(1 / n for n in counts))


@cache
def published(profile: str) -> dict[str, RunRecord]:
    """Published records of the paper's runs at a profile, by id."""
    return {record.id: record for record in ledger.records("inducing-nc", profile=profile)}


def _setting(config: RunConfig) -> Setting:
    network = config.model.partition("-")[0]  # with experts or branches or without
    return Setting(config.profile, config.dataset, config.imbalance, network, config.epochs)


@cache
def repeated(setting: Setting) -> tuple[tuple[RunRecord, ...], ...]:
    """Published records of a setting, those together that differ in nothing but their seed."""
    groups: dict[str, list[RunRecord]] = {}
    for record in published(setting.profile).values():
        config = record.config
        epochs = setting.epochs or runs.epochs_of(setting.profile, config.method, config.dataset)
        if _setting(config) == setting._replace(epochs=epochs):
            groups.setdefault(config.model_copy(update={"seed": 0}).id, []).append(record)
    return tuple(map(tuple, groups.values()))


def margin_in(
    setting: Setting,
    measure: Callable[[RunRecord], float | None],
    *counts: int,
    retrained: bool = True,
) -> float:
    """:func:`margin` with the spread over seeds that a number of records has in a setting.

    Args:
        setting: whose records are pooled.
        measure: the number; None where a record lacks it.
        counts: of the runs in the means that are compared.
        retrained: count networks whose classifier alone is trained anew, too. Their features are
            those of another group, so that a number of the features would be counted twice.
    """
    groups = []
    for group in repeated(setting):
        if retrained or METHODS[group[0].config.method].base is None:
            values = [value for record in group if (value := measure(record)) is not None]
            groups += [values] if values else []
    return margin(groups, *counts)


@cache
def ours(source: Source, profile: str) -> Ours | None:
    """What published records say of a source; None without any."""
    if not published(profile):
        return None
    found = {}
    for seed in runs.SEEDS[profile]:
        run = runs.of(source, profile, seed)
        record = published(profile).get(run.id) if run is not None else None
        value = None if record is None else _value(record, source.metric)
        if value is not None:
            found[seed] = value
    mixup = source.mixup and profile == "paper"
    return Ours(profile, tuple(found), tuple(found.values()), mixup) if found else None


def _value(record: RunRecord, metric: str) -> float | None:
    """A number of the finished network in per cent; None where it was not measured."""
    value = record.final.get(metric)
    return None if value is None else 100 * float(value)


def _margin(source: Source, profile: str, *counts: int) -> float:
    """Of the accuracies in the setting of a source."""
    run = runs.of(source, profile, 0)
    assert run is not None, "what has a record has a configuration"
    setting = _setting(run)._replace(epochs=None)
    return margin_in(setting, lambda record: _value(record, source.metric), *counts)


def difference(source: Source, other: Source, profile: str) -> Effect | None:
    """The mean of one source minus that of another in the same setting; None if either lacks."""
    a, b = ours(source, profile), ours(other, profile)
    if a is None or b is None:
        return None
    return Effect(a.mean - b.mean, _margin(source, profile, len(a.values), len(b.values)))


def effect(cell: Cell, profile: str) -> Effect | None:
    """The effect of a cell against its reference row; None without records or reference."""
    other = reference(cell)
    return None if other is None else difference(cell.source, other, profile)


def printed_effect(cell: Cell) -> float | None:
    """The effect as printed, in points; None where a number is missing or there is no reference."""
    if cell.against is None or cell.printed is None or cell.against.printed is None:
        return None
    return round(cell.printed - cell.against.printed, 2)


def effect_verdict(cell: Cell, profile: str) -> EffectVerdict | None:
    """Whether the printed effect is found; None for a row without reference or numbers."""
    wanted = printed_effect(cell)
    if wanted is None:
        return None
    found = effect(cell, profile)
    if found is None:
        return "not run"
    if found.sign == 0:
        return "undecided"
    return "reproduced" if found.sign * wanted > 0 else "contradicted"


def table_effects(number: int, column: str, profile: str) -> list[tuple[str, float | None, Effect]]:
    """Rows of a table with records: title, printed effect in points, and ours.

    Raises:
        KeyError: if there is no such table or column.
    """
    table = TABLES[number]
    found = []
    for row in table.rows:
        cell = table.cell(row.title, column)
        change = effect(cell, profile)
        if change is not None:
            found.append((row.title, printed_effect(cell), change))
    return found


def value_verdict(cell: Cell) -> str | None:
    """Whether the printed value is found at the paper profile; None without records or number."""
    found = ours(cell.source, "paper")
    if found is None or cell.printed is None:
        return None
    half = _margin(cell.source, "paper", len(found.values), 3)
    if abs(found.mean - cell.printed) <= half:
        return "reproduced" if half <= RESOLUTION else "undecided"
    return "higher" if found.mean > cell.printed else "lower"
