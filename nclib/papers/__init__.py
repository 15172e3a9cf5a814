"""The papers as data: their claims, the evidence for each, and verdicts computed by one rule.

A paper has a subpackage, with its printed tables where it has any, and ``runs``: the configurations
of its trained networks.
"""

from nclib.papers._claim import Check, Claim, Evidence, Verdict, judge
from nclib.papers._differences import differences_markdown
from nclib.papers._registry import PAPERS, Paper, claim, claims
from nclib.papers._show import Shown, observe, scorecard_markdown, show

__all__ = [
    "PAPERS",
    "Check",
    "Claim",
    "Evidence",
    "Paper",
    "Shown",
    "Verdict",
    "claim",
    "claims",
    "differences_markdown",
    "judge",
    "observe",
    "scorecard_markdown",
    "show",
]
