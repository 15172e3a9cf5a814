"""A claim inside a chapter, rendered from its evidence."""

from __future__ import annotations

from dataclasses import dataclass

from nclib.papers._claim import Check, Claim, Evidence
from nclib.papers._myst import to_html
from nclib.papers._registry import PAPERS
from nclib.papers._registry import claim as claim_of

# Class of the admonition in the book's theme, and the mark in a terminal or in greyscale.
LOOK = {
    "reproduced": ("tip", "✓"),
    "partly": ("important", "◐"),
    "contradicted": ("warning", "✗"),
    "undecided": ("note", "?"),
    "not run": ("note", "–"),
}


def mark(evidence: Evidence | None) -> str:
    """A sign for what an assertion's evidence says."""
    if evidence is None:
        return "–"
    return "✓" if evidence.ok else "?" if evidence.undecided else "✗"


def word(claim: Claim) -> str:
    """The verdict on a claim, as its paper's claims are judged."""
    return PAPERS[claim.paper].words[claim.verdict]


def quantity(check: Check) -> str:
    """What was measured, in words and a number."""
    evidence = check.evidence()
    return "no record yet" if evidence is None else str(evidence)


@dataclass(frozen=True)
class Shown:
    """A claim with its verdict, as HTML in a notebook or in the book, as text elsewhere."""

    claim: Claim

    def __repr__(self) -> str:
        claim = self.claim
        lines = [f"{claim.where}: {word(claim)} [{claim.profile}]"]
        lines += [f"  {mark(check.evidence())} {check.text}" for check in claim.printed]
        lines += [f"  instead {mark(check.evidence())} {check.text}" for check in claim.corrected]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        claim = self.claim
        kind, sign = LOOK[claim.verdict]
        rows = [(check, "") for check in claim.printed]
        rows += [(check, "<em>Instead:</em> ") for check in claim.corrected]
        items = "".join(
            f"<li>{mark(check.evidence())} {lead}{to_html(check.text)}"
            f"<br><small>{to_html(quantity(check))}</small></li>"
            for check, lead in rows
        )
        title = f"{claim.where}: {word(claim)} {sign}"
        return (
            f'<div class="admonition {kind} nc-claim"><p class="admonition-title">'
            f"{to_html(title)}</p><p>{to_html(claim.statement)}</p>"
            f'<ul style="list-style:none;padding-left:0">{items}</ul></div>'
        )


def show(claim_id: str) -> Shown:
    """A claim with its verdict, to end a notebook's cell with.

    Raises:
        ValueError: if there is no such claim; near matches are listed.
    """
    return Shown(claim_of(claim_id))


def observe(statement: str, holds: bool) -> None:
    """Print a statement about networks that a notebook has just trained, and whether it holds.

    The text around it describes the default parameters. With others, or with another processor's
    rounding, it may be false; then the chapter says so and goes on. What is proved is asserted.
    """
    print(f"✓ {statement}" if holds else f"✗ not in this run: {statement}")
