"""The papers as data: their claims, the evidence for each, and verdicts computed by one rule."""

from nclib.papers._claim import Check, Claim, Evidence, Verdict, judge
from nclib.papers._inducing_nc_results import Effect, Ours, margin, table_effects
from nclib.papers._inducing_nc_show import ShownTable, disagreements, table, verdict_counts
from nclib.papers._inducing_nc_tables import TABLES, Cell, Row, Source, Table
from nclib.papers._registry import PAPERS, Paper, claim, claims
from nclib.papers._show import Shown, scorecard_markdown, show

__all__ = [
    "PAPERS",
    "TABLES",
    "Cell",
    "Check",
    "Claim",
    "Effect",
    "Evidence",
    "Ours",
    "Paper",
    "Row",
    "Shown",
    "ShownTable",
    "Source",
    "Table",
    "Verdict",
    "claim",
    "claims",
    "disagreements",
    "judge",
    "margin",
    "scorecard_markdown",
    "show",
    "table",
    "table_effects",
    "verdict_counts",
]
