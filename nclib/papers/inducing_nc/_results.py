r"""The cells of Tables 2–7 beside published records: means, effects with intervals, verdicts.

The rule, for every cell alike. Runs that differ in nothing but their method (one data set, ratio,
network, metric and profile) have one standard deviation over seeds, s, pooled over those methods
with :math:`\nu=\sum(n_m-1)` degrees of freedom. The *effect* of a row is its mean accuracy minus
that of its reference row in the same setting, known within
:math:`t_{.975,\nu}\,s\sqrt{1/n_a+1/n_b}`. It is *reproduced* where that interval lies wholly on the
side of zero that is printed, *contradicted* where it lies wholly on the other, and *undecided*
otherwise, which one seed alone always is. Where a printed effect is zero, an interval without zero
contradicts it and nothing reproduces it. A *value* is compared at the paper profile alone: it is
*reproduced* where the printed one is within :math:`t_{.975,\nu}\,s\sqrt{1/n+1/3}` of ours (the
paper's own numbers are means of three), else *higher* or *lower* says what ours is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from nclib.papers.inducing_nc import runs
from nclib.papers.inducing_nc._tables import TABLES, Cell, Source, cells, reference
from nclib.runs import RunRecord, ledger

PROFILES = ("laptop", "paper")  # those that train on the paper's data
EffectVerdict = Literal["reproduced", "contradicted", "undecided", "not run"]


@dataclass(frozen=True)
class Ours:
    """Accuracies of one method, in per cent."""

    profile: str
    seeds: tuple[int, ...]
    values: tuple[float, ...]

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
        return f"{self.mean:.1f}{spread} ({seeds}, {self.profile})"


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


@cache
def ours(source: Source, profile: str) -> Ours | None:
    """What published records say of a source; None without any."""
    if not published(profile):
        return None
    found = {}
    for seed in runs.SEEDS[profile]:
        run = runs.of(source, profile, seed)
        record = published(profile).get(run.id) if run is not None else None
        value = None if record is None else record.final.get(source.metric)
        if value is not None:
            found[seed] = 100 * float(value)
    return Ours(profile, tuple(found), tuple(found.values())) if found else None


@cache
def _groups(source: Source, profile: str) -> list[tuple[float, ...]]:
    """Accuracies of every method of the tables in the setting of a source, for the pooled s."""
    settings = {
        other
        for cell in cells()
        for other in (cell.source, reference(cell))
        if other is not None and other[1:5] == source[1:5]
    }
    values = {}
    for other in sorted(settings | {source}):
        mixup = other.mixup if profile == "paper" else False
        found = ours(other, profile)
        if found is not None:
            values[other._replace(mixup=mixup)] = found.values
    return list(values.values())


def difference(source: Source, other: Source, profile: str) -> Effect | None:
    """The mean of one source minus that of another in the same setting; None if either lacks."""
    a, b = ours(source, profile), ours(other, profile)
    if a is None or b is None:
        return None
    half = margin(_groups(source, profile), len(a.values), len(b.values))
    return Effect(a.mean - b.mean, half)


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
    half = margin(_groups(cell.source, "paper"), len(found.values), 3)
    if not math.isfinite(half):
        return "undecided"
    if abs(found.mean - cell.printed) <= half:
        return "reproduced"
    return "higher" if found.mean > cell.printed else "lower"
