"""Which papers and claims there are."""

from __future__ import annotations

from dataclasses import dataclass

from nclib._names import unknown
from nclib.papers._book import CLAIMS as _BOOK
from nclib.papers._claim import Claim, Verdict
from nclib.papers.class_encoding._claims import CLAIMS as _CLASS_ENCODING
from nclib.papers.inducing_nc._claims import CLAIMS as _INDUCING_NC

_PAPER_WORDS: dict[Verdict, str] = {
    "reproduced": "reproduced",
    "partly": "partly",
    "contradicted": "contradicted",
    "undecided": "undecided",
    "not run": "not run",
}
# A result of this book is verified whole or not at all.
_BOOK_WORDS: dict[Verdict, str] = {
    "reproduced": "verified",
    "partly": "not verified",
    "contradicted": "not verified",
    "undecided": "not verified",
    "not run": "not run",
}


@dataclass(frozen=True)
class Paper:
    """A source of claims: a paper, or this book with its own results."""

    id: str
    title: str
    note: str  # one line under the title, MyST
    words: dict[Verdict, str]
    claims: tuple[Claim, ...]


PAPERS = {
    paper.id: paper
    for paper in (
        Paper(
            "class-encoding",
            "The role of class encoding in neural collapse",
            "{cite:t}`classencoding2026`, all of it: {doc}`/notebooks/class_encoding/theory` "
            "states and proves, {doc}`/notebooks/class_encoding/conjecture` settles its "
            "conjecture.",
            _PAPER_WORDS,
            _CLASS_ENCODING,
        ),
        Paper(
            "inducing-nc",
            "Inducing neural collapse in deep long-tailed learning",
            "{cite:t}`liu2023inducing`, all of it: {doc}`/notebooks/inducing_nc/theory` states "
            "and proves, {doc}`/notebooks/inducing_nc/method` shows the two terms at work, "
            "{doc}`/notebooks/inducing_nc/experiments` holds every table against our records.",
            _PAPER_WORDS,
            _INDUCING_NC,
        ),
        Paper(
            "book",
            "Results of this book",
            "Each is a theorem block with a complete proof where the table says. The chapter says "
            "which part of it the literature has, and what is added.",
            _BOOK_WORDS,
            _BOOK,
        ),
    )
}


def claims(paper: str) -> tuple[Claim, ...]:
    """The claims of a paper, in its order.

    Raises:
        ValueError: if no such paper is known; near matches are listed.
    """
    if paper not in PAPERS:
        raise unknown("paper", paper, PAPERS)
    return PAPERS[paper].claims


def claim(claim_id: str) -> Claim:
    """The claim with that id, e.g. ``"class-encoding/thm-iii-1"``.

    Raises:
        ValueError: if there is none; near matches are listed.
    """
    known = {claim.id: claim for paper in PAPERS.values() for claim in paper.claims}
    if claim_id not in known:
        raise unknown("claim", claim_id, known)
    return known[claim_id]
