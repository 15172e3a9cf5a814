"""A claim inside a chapter, and the scorecard page: both are rendered from evidence."""

from __future__ import annotations

import html
from collections import Counter
from dataclasses import dataclass

from nclib.papers._claim import Check, Claim, Evidence
from nclib.papers._registry import PAPERS, Paper
from nclib.papers._registry import claim as find
from nclib.papers._symbols import with_indices

# Class of the admonition in the book's theme, and the mark in a terminal or in greyscale.
_LOOK = {
    "reproduced": ("tip", "✓"),
    "partly": ("important", "◐"),
    "contradicted": ("warning", "✗"),
    "undecided": ("note", "?"),
    "not run": ("note", "–"),
}


def _mark(evidence: Evidence | None) -> str:
    if evidence is None:
        return "–"
    return "✓" if evidence.ok else "?" if evidence.undecided else "✗"


def _word(claim: Claim) -> str:
    return PAPERS[claim.paper].words[claim.verdict]


def _plain(text: str) -> str:
    """Text as MyST that prints it: stars and underscores of formulas are no emphasis."""
    return with_indices(text).replace("*", r"\*").replace("_", r"\_")


def _html(text: str) -> str:
    return with_indices(html.escape(text))


def _found(check: Check) -> str:
    evidence = check.evidence()
    return "no record yet" if evidence is None else str(evidence)


@dataclass(frozen=True)
class Shown:
    """A claim with its verdict, as HTML in a notebook or in the book, as text elsewhere."""

    claim: Claim

    def __repr__(self) -> str:
        claim = self.claim
        lines = [f"{claim.where}: {_word(claim)} [{claim.profile}]"]
        lines += [f"  {_mark(check.evidence())} {check.text}" for check in claim.printed]
        lines += [f"  instead {_mark(check.evidence())} {check.text}" for check in claim.instead]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        claim = self.claim
        kind, mark = _LOOK[claim.verdict]
        rows = [(check, "") for check in claim.printed]
        rows += [(check, "<em>Instead:</em> ") for check in claim.instead]
        items = "".join(
            f"<li>{_mark(check.evidence())} {lead}{_html(check.text)}"
            f"<br><small>{_html(_found(check))}</small></li>"
            for check, lead in rows
        )
        title = f"{claim.where}: {_word(claim)} {mark}"
        return (
            f'<div class="admonition {kind} nc-claim"><p class="admonition-title">'
            f"{_html(title)}</p><p>{_html(claim.statement)}</p>"
            f'<ul style="list-style:none;padding-left:0">{items}</ul></div>'
        )


def show(claim_id: str) -> Shown:
    """A claim with its verdict, to end a notebook's cell with.

    Raises:
        ValueError: if there is no such claim; near matches are listed.
    """
    return Shown(find(claim_id))


def observe(statement: str, holds: bool) -> None:
    """Print a statement about networks that a notebook has just trained, and whether it holds.

    The text around it describes the default parameters. With others, or with another processor's
    rounding, it may be false; then the chapter says so and goes on. What is proved is asserted.
    """
    print(f"✓ {statement}" if holds else f"✗ not in this run: {statement}")


def scorecard_markdown() -> str:
    """The scorecard page in MyST: counts, what the verdicts mean, then one table a paper."""
    parts = [_HEAD]
    for paper in PAPERS.values():
        counts = Counter(_word(claim) for claim in paper.claims)
        total = ", ".join(
            f"**{counts[word]}** {word}" for word in dict.fromkeys(paper.words.values())
        )
        parts.append(f"- {paper.title}: {len(paper.claims)} claims; {total}.")
    parts += ["", _MEANING]
    for paper in PAPERS.values():
        parts += [f"## {paper.title}", "", paper.note, "", *_table(paper), ""]
    return "\n".join([*parts, _COMING])


def _table(paper: Paper) -> list[str]:
    lines = ["```{list-table}", ":header-rows: 1", ":widths: 30 18 52", ":class: nc-scorecard", ""]
    lines += ["* - Claim", "  - Verdict", "  - Evidence"]
    for claim in paper.claims:
        place = f"{{doc}}`/notebooks/{claim.chapter}`"
        if claim.label:
            place = f"{{prf:ref}}`{claim.label}` in {place}"
        lines += [f"* - **{claim.where}**", "", f"    {_plain(claim.statement)}", ""]
        lines += [f"    `{claim.id.partition('/')[2]}`"]
        lines += [f"  - **{_word(claim)}** {_LOOK[claim.verdict][1]}", ""]
        lines += [f"    {claim.profile}"]
        checks = [(check, "") for check in claim.printed]
        checks += [(check, "*Instead:* ") for check in claim.instead]
        entries = [
            f"{_mark(check.evidence())} {lead}{_plain(check.text)}: {_plain(_found(check))}"
            for check, lead in checks
        ]
        lines += [f"  - {entries[0]}", ""]
        lines += [line for entry in entries[1:] for line in (f"    {entry}", "")]
        lines += [f"    {place}; again: `nclib run {claim.chapter}`"]
    return [*lines, "```"]


_HEAD = """# Scorecard

Every claim of the papers with its verdict, computed from evidence when this page was built.
"""

_MEANING = """## What the verdicts mean

A claim is taken apart into the assertions that it prints; each is tested on the cases that its
row counts, and one counterexample is enough to make it fail (✗). The verdict follows by one rule,
{py:func}`nclib.papers.judge`:

- **reproduced**: every printed assertion holds;
- **partly**: some hold, and others fail, are undecided or have not been run;
- **contradicted**: some fail, and none holds;
- **undecided**: what has been run neither holds nor fails (?): the difference is inside its 95 %
  interval over seeds, or there is one seed alone;
- **not run**: there is no evidence yet.

*Instead* marks what this book shows in place of an assertion that fails; it never changes the
verdict. The word under the verdict says what the evidence is: *exact* means certified global
optima of the unconstrained features model ({py:func}`nclib.ufm.solve`) or plain linear algebra,
computed anew at each build; *smoke*, *laptop* and *paper* mean records of trained networks at
that profile. A residual is given by the bound that it obeys, an effect by its value. For the
results of this book, whose proofs stand in the chapters, the words are *verified* and *not
verified*: a test that found nothing is no proof, and a proof that fails a test is none.
"""

_COMING = """## Papers whose chapters are to come

- How label imbalance shapes geometry: a general spectral analysis of multi-label neural collapse
  (arXiv 2605.01897)
- Space alignment matters: the missing piece for inducing neural collapse in long-tailed learning
  (arXiv 2512.07844)
- MLC-NC: long-tailed multi-label image classification through the lens of neural collapse
  (AAAI 2025)
"""
