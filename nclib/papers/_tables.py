"""Tables of numbers as a paper prints them: rows, columns, and what each number is of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Self, TypeVar

from nclib.runs import RunRecord


@dataclass(frozen=True)
class Source:
    """What a number is of: a metric of the finished networks of a method on a data set.

    A paper adds what else its tables vary, such as the imbalance ratio.
    """

    method: str
    dataset: str
    metric: str = "test_accuracy"  # of the final metrics of a record

    def replace(self, **changes: Any) -> Self:
        """The same with some fields changed."""
        return replace(self, **changes)

    @property
    def networks(self) -> Self:
        """The same without the setting of its authors, in which tables may differ."""
        return self

    def value(self, record: RunRecord) -> float | None:
        """The number that a record has, in per cent; None where it was not measured."""
        value = record.final.get(self.metric)
        return None if value is None else 100 * float(value)

    def setting(self, profile: str) -> str:
        """The setting of its networks at a profile, in words; empty where there is one alone."""
        return ""


S = TypeVar("S", bound=Source)


@dataclass(frozen=True)
class Cell(Generic[S]):
    """One number of a table."""

    table: int
    row: str
    column: str
    printed: float | None  # per cent; None: the table has a dash
    source: S
    against: Cell[S] | None  # the row that the effect of this one is measured against

    @property
    def reference(self) -> S | None:
        """What its effect is measured against: the other row, in the setting of this one."""
        if self.against is None:
            return None
        return self.source.replace(method=self.against.source.method)

    @property
    def printed_effect(self) -> float | None:
        """The effect as printed, in points; None without a reference or a number."""
        if self.against is None or self.printed is None or self.against.printed is None:
            return None
        return round(self.printed - self.against.printed, 2)


@dataclass(frozen=True)
class Row:
    """A row: its name, the method behind it, and what is printed."""

    title: str
    method: str
    printed: tuple[float | None, ...]
    against: str | None = None  # title of the row that its effect is measured against
    fields: Mapping[str, Any] = field(default_factory=dict)  # of its sources


def rows_against(title: str, *rows: tuple[str, str, *tuple[float | None, ...]]) -> tuple[Row, ...]:
    """Rows of (title, method, numbers…); the one with that title is every other's reference."""
    return tuple(
        Row(name, method, tuple(numbers), None if name == title else title)
        for name, method, *numbers in rows
    )


def rows_in_pairs(*rows: tuple[str, str, *tuple[float | None, ...]]) -> tuple[Row, ...]:
    """Rows of (title, method, numbers…) in twos: the first of each two is the other's reference."""
    return tuple(
        row
        for pair in zip(rows[::2], rows[1::2], strict=True)
        for row in rows_against(pair[0][0], *pair)
    )


@dataclass(frozen=True)
class Table(Generic[S]):
    """A table of numbers in per cent."""

    number: int
    title: str
    columns: Mapping[str, Mapping[str, Any]]  # fields of the sources by title
    rows: tuple[Row, ...]
    source: Callable[..., S]  # of a row's method and the fields of row and column

    def cell(self, row: str, column: str) -> Cell[S]:
        """One cell.

        Raises:
            KeyError: if there is no such row or column.
        """
        line = {line.title: line for line in self.rows}[row]
        fields = {**self.columns[column], **line.fields}
        place = list(self.columns).index(column)
        against = self.cell(line.against, column) if line.against else None
        source = self.source(line.method, **fields)
        return Cell(self.number, row, column, line.printed[place], source, against)

    def cells(self) -> Iterator[Cell[S]]:
        """All cells, row by row."""
        for row in self.rows:
            for column in self.columns:
                yield self.cell(row.title, column)
