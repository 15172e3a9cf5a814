"""The papers as data: their claims, the evidence for each, and verdicts computed by one rule.

A paper has a subpackage: its claims, its printed tables where it has any, and ``grid``, the
configurations of its trained networks. What every paper needs stands here.
"""

from nclib.papers._claim import Check, Claim, Evidence, Verdict, judge
from nclib.papers._comparison import Comparison, EffectVerdict, Measured, ShownTable
from nclib.papers._differences import differences_markdown
from nclib.papers._effects import Effect, Setting, margin, margin_in
from nclib.papers._grid import read_grid
from nclib.papers._paper import Paper
from nclib.papers._registry import PAPERS, claim, claims
from nclib.papers._scorecard import scorecard_markdown
from nclib.papers._show import Shown, observe, show
from nclib.papers._tables import Cell, Row, Source, Table, rows_against, rows_in_pairs

__all__ = [
    "PAPERS",
    "Cell",
    "Check",
    "Claim",
    "Comparison",
    "Effect",
    "EffectVerdict",
    "Evidence",
    "Measured",
    "Paper",
    "Row",
    "Setting",
    "Shown",
    "ShownTable",
    "Source",
    "Table",
    "Verdict",
    "claim",
    "claims",
    "differences_markdown",
    "judge",
    "margin",
    "margin_in",
    "observe",
    "read_grid",
    "rows_against",
    "rows_in_pairs",
    "scorecard_markdown",
    "show",
]
