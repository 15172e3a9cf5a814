r"""Printed tables beside published records: means, effects with intervals, verdicts.

The *effect* of a row is its mean minus that of its reference row in the same setting, known within
the margin of :mod:`nclib.papers`' rule. It is *reproduced* where that interval lies wholly on the
side of zero that is printed, *contradicted* where it lies wholly on the other, and *undecided*
otherwise, which it always is where no group has two seeds. Where a printed effect is zero, an
interval without zero contradicts it and nothing reproduces it. A *value* is compared at the paper
profile alone: where the printed one is more than :math:`t_{.975,\nu}\,s\sqrt{1/n+1/m}` from ours
(the printed numbers are means of m runs), *higher* or *lower* says what ours is; where it is not,
the value is *reproduced*, unless that interval is wider than :data:`RESOLUTION` to either side and
therefore tells nothing: *undecided*.
"""

from __future__ import annotations

import html
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, Literal, get_args

from nclib._profiles import Profile
from nclib.papers._claim import Evidence
from nclib.papers._effects import Effect, Setting, margin_in, squares
from nclib.papers._myst import to_html
from nclib.papers._tables import Cell, S, Table
from nclib.runs import RunConfig, RunRecord, ledger

PROFILES: tuple[Profile, ...] = ("laptop", "paper")  # those that train on the papers' data
RESOLUTION = 3.0  #: points; a value that is known less well is not called reproduced

EffectVerdict = Literal["reproduced", "contradicted", "undecided", "not run"]
_MARKS = {"reproduced": "✓", "contradicted": "✗", "undecided": "?"}


@dataclass(frozen=True)
class Measured:
    """A number of published records, seed by seed, in per cent."""

    profile: str
    values: tuple[float, ...]
    setting: str = ""  # in words

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
        n = len(self.values)
        spread = f" ± {self.std:.1f}" if n > 1 else ""
        words = ["1 seed" if n == 1 else f"{n} seeds", self.profile, self.setting]
        return f"{self.mean:.1f}{spread} ({', '.join(filter(None, words))})"


@dataclass(frozen=True, eq=False)
class Comparison(Generic[S]):
    """The tables of a paper beside the published records of its networks."""

    tables: Mapping[int, Table[S]]
    config: Callable[[S, Profile, int], RunConfig | None]  # the run behind a number, by seed
    setting: Callable[[RunConfig], Setting]  # whose spread over seeds a run has
    seeds: Mapping[Profile, Sequence[int]]
    printed_runs: int  # of which the printed numbers are means

    @cached_property
    def cells(self) -> tuple[Cell[S], ...]:
        """Every cell of the tables."""
        return tuple(cell for table in self.tables.values() for cell in table.cells())

    @cached_property
    def _by_networks(self) -> dict[S, list[Cell[S]]]:
        groups: dict[S, list[Cell[S]]] = {}
        for cell in self.cells:
            groups.setdefault(cell.source.networks, []).append(cell)
        return groups

    # ------------------------------------------------------------------------------ what is printed

    def same(self, cell: Cell[S]) -> list[Cell[S]]:
        """Cells with a number for the same networks, itself included, whatever the setting."""
        return self._by_networks[cell.source.networks]

    def also_printed(self, cell: Cell[S]) -> list[Cell[S]]:
        """Cells that print another number for the same networks."""
        if cell.printed is None:
            return []
        return [other for other in self.same(cell) if other.printed not in (None, cell.printed)]

    def disagreements(self) -> list[str]:
        """Networks for which the paper prints more than one number, one line each."""
        lines: dict[S, str] = {}
        for cell in self.cells:
            if not self.also_printed(cell):
                continue
            tables: dict[float, list[str]] = {}
            for other in self.same(cell):
                numbers = tables.setdefault(other.printed or 0.0, [])
                numbers += [] if str(other.table) in numbers else [str(other.table)]
            values = (
                f"{value:.1f} (Table{'s' * (len(numbers) > 1)} {', '.join(sorted(numbers))})"
                for value, numbers in tables.items()
            )
            line = f"{cell.row} on {cell.column}: {' and '.join(values)}"
            lines.setdefault(cell.source.networks, line)
        return list(lines.values())

    # ------------------------------------------------------------------------ what the records have

    def records(self, source: S, profile: Profile) -> list[RunRecord]:
        """The published records behind a number, seed by seed; a cache does not count."""
        configs = (self.config(source, profile, seed) for seed in self.seeds[profile])
        published = (ledger.published(config) for config in configs if config is not None)
        return [record for record in published if record is not None]

    def measured(self, source: S, profile: Profile) -> Measured | None:
        """What published records say of a number; None without any."""
        values = map(source.value, self.records(source, profile))
        numbers = tuple(value for value in values if value is not None)
        return Measured(profile, numbers, source.setting(profile)) if numbers else None

    def _margin(self, source: S, profile: Profile, *counts: int) -> float:
        config = self.config(source, profile, self.seeds[profile][0])
        assert config is not None, "what has a record has a configuration"
        return margin_in(self.setting(config), source.value, *counts)

    def difference(self, source: S, other: S, profile: Profile) -> Effect | None:
        """The mean of one number minus that of another in its setting; None if either lacks."""
        a, b = self.measured(source, profile), self.measured(other, profile)
        if a is None or b is None:
            return None
        half = self._margin(source, profile, len(a.values), len(b.values))
        return Effect(a.mean - b.mean, half)

    def above(self, source: S, other: S, profile: Profile, quantity: str) -> Evidence | None:
        """Evidence that one number is above another; None if either lacks."""
        effect = self.difference(source, other, profile)
        if effect is None:
            return None
        return Evidence(effect.value, 0.0, 2, quantity, ">=", effect.margin)

    # ------------------------------------------------------------------------------------- verdicts

    def effect(self, cell: Cell[S], profile: Profile) -> Effect | None:
        """The effect of a cell against its reference row; None without records or reference."""
        reference = cell.reference
        return None if reference is None else self.difference(cell.source, reference, profile)

    def effect_verdict(self, cell: Cell[S], profile: Profile) -> EffectVerdict | None:
        """Whether the records have the printed effect; None without a reference or a number."""
        printed = cell.printed_effect
        if printed is None:
            return None
        effect = self.effect(cell, profile)
        if effect is None:
            return "not run"
        if effect.sign == 0:
            return "undecided"
        return "reproduced" if effect.sign * printed > 0 else "contradicted"

    def value_verdict(self, cell: Cell[S]) -> str | None:
        """Whether the paper profile has the printed value; None without records or number."""
        ours = self.measured(cell.source, "paper")
        if ours is None or cell.printed is None:
            return None
        half = self._margin(cell.source, "paper", len(ours.values), self.printed_runs)
        if abs(ours.mean - cell.printed) <= half:
            return "reproduced" if half <= RESOLUTION else "undecided"
        return "higher" if ours.mean > cell.printed else "lower"

    def verdict_counts(self, profile: Profile) -> dict[str, int]:
        """How many printed effects of the tables have which verdict at a profile."""
        counts = Counter(self.effect_verdict(cell, profile) for cell in self.cells)
        return {verdict: counts[verdict] for verdict in get_args(EffectVerdict)}

    def effects(
        self, number: int, column: str, profile: Profile
    ) -> list[tuple[str, float | None, Effect]]:
        """Rows of a table with records: title, printed effect in points, and ours.

        Raises:
            KeyError: if there is no such table or column.
        """
        cells = [self.tables[number].cell(row.title, column) for row in self.tables[number].rows]
        effects = ((cell, self.effect(cell, profile)) for cell in cells)
        return [(cell.row, cell.printed_effect, ours) for cell, ours in effects if ours is not None]

    def table(self, number: int) -> ShownTable[S]:
        """A table with our records beside it, to end a notebook's cell with.

        Raises:
            ValueError: if the paper has no such table of results.
        """
        if number not in self.tables:
            raise ValueError(f"table {number} is not one of {', '.join(map(str, self.tables))}")
        return ShownTable(self, self.tables[number])


@dataclass(frozen=True, eq=False)
class ShownTable(Generic[S]):
    """A table of a paper with ours beside it, as HTML in a notebook, as text elsewhere."""

    comparison: Comparison[S]
    table: Table[S]

    def __repr__(self) -> str:
        lines = [f"Table {self.table.number}. {self.table.title}"]
        for row in self.table.rows:
            lines.append(row.title)
            for column in self.table.columns:
                cell = self.table.cell(row.title, column)
                ours = " | ".join(self._ours(cell))
                lines.append(f"  {column:16} {self._printed(cell)} | {ours}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        table = self.table
        head = "".join(f"<th>{html.escape(column)}</th>" for column in table.columns)
        body = []
        for row in table.rows:
            entries = []
            for column in table.columns:
                cell = table.cell(row.title, column)
                ours = "<br>".join(html.escape(line) for line in self._ours(cell))
                entries.append(
                    f"<td><strong>{html.escape(self._printed(cell))}</strong>"
                    f"<br><small>{ours}</small></td>"
                )
            name = to_html(row.title)
            body.append(f'<tr><th scope="row">{name}</th>{"".join(entries)}</tr>')
        caption = f"Table {table.number}. {table.title}. Bold: printed; below: ours."
        return (
            f'<p>{html.escape(caption)}</p><div style="overflow-x:auto">'
            f'<table style="text-align:left"><thead><tr><th>Method</th>{head}</tr></thead>'
            f"<tbody>{''.join(body)}</tbody></table></div>"
        )

    def _printed(self, cell: Cell[S]) -> str:
        if cell.printed is None:
            return "–"
        one_digit = round(cell.printed, 1) == cell.printed
        text = f"{cell.printed:.1f}" if one_digit else str(cell.printed)
        tables: dict[float | None, list[int]] = {}
        for other in self.comparison.also_printed(cell):
            tables.setdefault(other.printed, []).append(other.table)
        also = "; ".join(
            f"{value:.1f} in {'Table' if len(numbers) == 1 else 'Tables'} "
            + ", ".join(map(str, sorted(numbers)))
            for value, numbers in tables.items()
        )
        return text + (f" ({also})" if also else "")

    def _ours(self, cell: Cell[S]) -> list[str]:
        """One line a profile that has records, or that it was not run."""
        lines = []
        for profile in PROFILES:
            ours = self.comparison.measured(cell.source, profile)
            if ours is None:
                continue
            line = str(ours)
            verdict = self.comparison.effect_verdict(cell, profile)
            effect = self.comparison.effect(cell, profile)
            if verdict is not None and effect is not None:
                line += f"; {effect} {_MARKS[verdict]}"
            elif verdict == "not run":
                line += "; effect not run"
            if profile == "paper" and (value := self.comparison.value_verdict(cell)) is not None:
                line += f"; value {value}"
            lines.append(line)
        return lines or ["not run"]
