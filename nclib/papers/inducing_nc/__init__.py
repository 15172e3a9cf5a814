"""Inducing neural collapse in deep long-tailed learning: its claims, tables and networks."""

from nclib.papers.inducing_nc._results import (
    Effect,
    Ours,
    Setting,
    difference,
    margin,
    margin_in,
    table_effects,
)
from nclib.papers.inducing_nc._show import ShownTable, disagreements, table, verdict_counts
from nclib.papers.inducing_nc._tables import TABLES, Cell, Row, Source, Table, also_printed

__all__ = [
    "TABLES",
    "Cell",
    "Effect",
    "Ours",
    "Row",
    "Setting",
    "ShownTable",
    "Source",
    "Table",
    "also_printed",
    "difference",
    "disagreements",
    "margin",
    "margin_in",
    "table",
    "table_effects",
    "verdict_counts",
]
