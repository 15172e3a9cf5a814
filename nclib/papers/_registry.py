"""Which papers and claims there are."""

from __future__ import annotations

from nclib._names import unknown
from nclib.papers import (
    class_encoding,
    inducing_nc,
    mlc_nc,
    multilabel_spectral,
    space_alignment,
)
from nclib.papers._claim import Claim, Verdict
from nclib.papers._paper import Paper
from nclib.papers.class_encoding.results import RESULTS as class_encoding_results
from nclib.papers.inducing_nc.results import RESULTS as inducing_nc_results
from nclib.papers.mlc_nc.results import RESULTS as mlc_nc_results
from nclib.papers.multilabel_spectral.results import RESULTS as multilabel_spectral_results
from nclib.papers.space_alignment.results import RESULTS as space_alignment_results

# A result of this book is verified whole or not at all.
_VERIFIED: dict[Verdict, str] = {
    "reproduced": "verified",
    "partly": "not verified",
    "contradicted": "not verified",
    "undecided": "not verified",
    "not run": "not run",
}
_BOOK = Paper(
    "book",
    "Results of this book",
    "Each is a theorem block with a complete proof where the table says. The chapter says which "
    "part of it the literature has, and what is added.",
    (
        *class_encoding_results,
        *inducing_nc_results,
        *space_alignment_results,
        *multilabel_spectral_results,
        *mlc_nc_results,
    ),
    words=_VERIFIED,
)

PAPERS: dict[str, Paper] = {
    paper.id: paper
    for paper in (
        class_encoding.PAPER,
        inducing_nc.PAPER,
        space_alignment.PAPER,
        multilabel_spectral.PAPER,
        mlc_nc.PAPER,
        _BOOK,
    )
}


def claims(paper: str) -> tuple[Claim, ...]:
    """The claims of a paper, in its order.

    Raises:
        ValueError: if there is no such paper; near matches are listed.
    """
    if paper not in PAPERS:
        raise unknown("paper", paper, PAPERS)
    return PAPERS[paper].claims


def claim(claim_id: str) -> Claim:
    """The claim with that id, e.g. ``"class-encoding/thm-iii-1"``.

    Raises:
        ValueError: if there is none; near matches are listed.
    """
    by_id = {claim.id: claim for paper in PAPERS.values() for claim in paper.claims}
    if claim_id not in by_id:
        raise unknown("claim", claim_id, by_id)
    return by_id[claim_id]
