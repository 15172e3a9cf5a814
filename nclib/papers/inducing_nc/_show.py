"""Tables 2–7 as they are shown: what is printed, what the records say, and the verdict."""

from __future__ import annotations

import html
from collections import Counter
from dataclasses import dataclass
from typing import get_args

from nclib.papers._symbols import with_indices
from nclib.papers.inducing_nc._results import (
    PROFILES,
    EffectVerdict,
    effect,
    effect_verdict,
    ours,
    value_verdict,
)
from nclib.papers.inducing_nc._tables import TABLES, Cell, Source, Table, also_printed, cells, same

_MARKS = {"reproduced": "✓", "contradicted": "✗", "undecided": "?"}


def _printed(cell: Cell) -> str:
    if cell.printed is None:
        return "–"
    text = f"{cell.printed:.1f}" if round(cell.printed, 1) == cell.printed else str(cell.printed)
    where: dict[float | None, list[int]] = {}
    for other in also_printed(cell):
        where.setdefault(other.printed, []).append(other.table)
    also = "; ".join(
        f"{value:.1f} in {'Table' if len(tables) == 1 else 'Tables'} "
        + ", ".join(map(str, sorted(tables)))
        for value, tables in where.items()
    )
    return text + (f" ({also})" if also else "")


def _ours(cell: Cell) -> list[str]:
    """One line a profile that has records, or that it was not run."""
    lines = []
    for profile in PROFILES:
        found = ours(cell.source, profile)
        if found is None:
            continue
        line = str(found)
        verdict, change = effect_verdict(cell, profile), effect(cell, profile)
        if verdict is not None and change is not None:
            line += f"; {change} {_MARKS[verdict]}"
        elif verdict == "not run":
            line += "; effect not run"
        if profile == "paper" and (value := value_verdict(cell)) is not None:
            line += f"; value {value}"
        lines.append(line)
    return lines or ["not run"]


@dataclass(frozen=True)
class ShownTable:
    """A table of the paper with ours beside it, as HTML in a notebook, as text elsewhere."""

    table: Table

    def __repr__(self) -> str:
        lines = [f"Table {self.table.number}. {self.table.title}"]
        for row in self.table.rows:
            lines.append(row.title)
            for column in self.table.columns:
                cell = self.table.cell(row.title, column)
                lines.append(f"  {column:16} {_printed(cell)} | {' | '.join(_ours(cell))}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        table = self.table
        head = "".join(f"<th>{html.escape(column)}</th>" for column in table.columns)
        body = []
        for row in table.rows:
            entries = []
            for column in table.columns:
                cell = table.cell(row.title, column)
                found = "<br>".join(html.escape(line) for line in _ours(cell))
                entries.append(
                    f"<td><strong>{html.escape(_printed(cell))}</strong>"
                    f"<br><small>{found}</small></td>"
                )
            name = with_indices(html.escape(row.title))
            body.append(f'<tr><th scope="row">{name}</th>{"".join(entries)}</tr>')
        caption = f"Table {table.number}. {table.title}. Bold: printed; below: ours."
        return (
            f'<p>{html.escape(caption)}</p><div style="overflow-x:auto">'
            f'<table style="text-align:left"><thead><tr><th>Method</th>{head}</tr></thead>'
            f"<tbody>{''.join(body)}</tbody></table></div>"
        )


def table(number: int) -> ShownTable:
    """A table of "Inducing neural collapse" with our records beside it, to end a cell with.

    Raises:
        ValueError: if the paper has no such table of results.
    """
    if number not in TABLES:
        raise ValueError(f"table {number} is not one of {', '.join(map(str, TABLES))}")
    return ShownTable(TABLES[number])


def disagreements() -> list[str]:
    """Networks for which the paper prints more than one accuracy, one line each."""
    lines: dict[Source, str] = {}
    for cell in cells():
        if also_printed(cell):
            printed: dict[float, list[str]] = {}
            for other in same(cell):
                tables = printed.setdefault(other.printed or 0.0, [])
                tables += [] if str(other.table) in tables else [str(other.table)]
            values = (
                f"{v:.1f} (Table{'s' * (len(t) > 1)} {', '.join(sorted(t))})"
                for v, t in printed.items()
            )
            name = cell.source._replace(mixup=False)
            lines.setdefault(name, f"{cell.row} on {cell.column}: {' and '.join(values)}")
    return list(lines.values())


def verdict_counts(profile: str) -> dict[str, int]:
    """How many printed effects of Tables 2–7 have which verdict at a profile."""
    found = Counter(effect_verdict(cell, profile) for cell in cells())
    return {word: found[word] for word in get_args(EffectVerdict)}
