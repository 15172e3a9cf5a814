"""The scorecard page: every claim with its verdict, rendered from evidence."""

from __future__ import annotations

from collections import Counter

from nclib.papers._myst import to_myst
from nclib.papers._paper import Paper
from nclib.papers._registry import PAPERS
from nclib.papers._show import LOOK, mark, quantity, word


def scorecard_markdown() -> str:
    """The scorecard page in MyST: counts, what the verdicts mean, then one table a paper."""
    parts = [_HEAD]
    for paper in PAPERS.values():
        counts = Counter(word(claim) for claim in paper.claims)
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
        lines += [f"* - **{claim.where}**", "", f"    {to_myst(claim.statement)}", ""]
        lines += [f"    `{claim.id.partition('/')[2]}`"]
        lines += [f"  - **{word(claim)}** {LOOK[claim.verdict][1]}", ""]
        lines += [f"    {claim.profile}"]
        checks = [(check, "") for check in claim.printed]
        checks += [(check, "*Instead:* ") for check in claim.corrected]
        entries = [
            f"{mark(check.evidence())} {lead}{to_myst(check.text)}: {to_myst(quantity(check))}"
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

_COMING = """## A paper whose chapters are to come

- MLC-NC: long-tailed multi-label image classification through the lens of neural collapse
  (AAAI 2025)
"""
