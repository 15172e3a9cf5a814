r"""Differences of means over seeds, and how well they are known.

The rule, for every comparison alike. Runs of one *setting* have one standard deviation over seeds,
s: it is pooled over all groups of them that differ in nothing but the seed, with
:math:`\nu=\sum(n_g-1)` degrees of freedom. A difference of two means is known within
:math:`t_{.975,\nu}\,s\sqrt{1/n_a+1/n_b}`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from nclib.methods import METHODS
from nclib.papers._claim import Evidence
from nclib.runs import RunConfig, RunRecord, ledger


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


class Setting(Protocol):
    """What the runs of a paper have in common whose spread over seeds is pooled."""

    @property
    def paper(self) -> str:
        """Its id."""

    @property
    def profile(self) -> str:
        """Of the runs."""

    def covers(self, config: RunConfig) -> bool:
        """Whether a run of the paper and profile is one of them."""


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


Measure = Callable[[RunRecord], float | None]  # a number of a record; None where it lacks it


def measured(measure: Measure, records: Iterable[RunRecord]) -> list[float]:
    """A number of those records that have it."""
    return [value for record in records if (value := measure(record)) is not None]


def margin_in(setting: Setting, measure: Measure, *counts: int, retrained: bool = True) -> float:
    """:func:`margin` with the spread over seeds that a number of published records has.

    Args:
        setting: whose records are pooled.
        measure: the number.
        counts: of the runs in the means that are compared.
        retrained: count networks whose classifier alone is trained anew, too. Their features are
            those of another group, so that a number of the features would be counted twice.
    """
    groups = []
    for group in ledger.groups(setting.paper, setting.profile):
        config = group[0].config
        if setting.covers(config) and (retrained or METHODS[config.method].base is None):
            values = measured(measure, group)
            groups += [values] if values else []
    return margin(groups, *counts)


def mean_larger(
    setting: Setting,
    measure: Measure,
    first: Sequence[RunRecord],
    second: Sequence[RunRecord],
    quantity: str,
    *,
    retrained: bool = False,
) -> Evidence | None:
    """Evidence that a number is larger for the first records; None where either lack it."""
    a, b = measured(measure, first), measured(measure, second)
    if not a or not b:
        return None
    half = margin_in(setting, measure, len(a), len(b), retrained=retrained)
    value = sum(a) / len(a) - sum(b) / len(b)
    return Evidence(value, 0.0, len(a) + len(b), quantity, ">=", half)


def mean_at_most(
    setting: Setting, measure: Measure, records: Sequence[RunRecord], quantity: str, bound: float
) -> Evidence | None:
    """Evidence that the mean of a number of the features is at most a bound; None without it."""
    values = measured(measure, records)
    if not values:
        return None
    half = margin_in(setting, measure, len(values), retrained=False)
    return Evidence(sum(values) / len(values), bound, len(values), quantity, margin=half)


def weakest(comparisons: Iterable[Evidence | None]) -> Evidence | None:
    """The comparison that speaks most against a claim: the least value in units of its margin."""
    run = [evidence for evidence in comparisons if evidence is not None]
    return min(
        run,
        key=lambda e: e.value - (e.margin if math.isfinite(e.margin) else 0),
        default=None,
    )
