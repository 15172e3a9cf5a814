"""Claims about trained networks, from the published records of the grid."""

from __future__ import annotations

from functools import partial
from itertools import permutations

from nclib._profiles import Profile
from nclib.papers._claim import Check, Claim, Evidence
from nclib.papers._effects import Effect, weakest
from nclib.papers.multilabel_spectral import networks
from nclib.runs import RunRecord

_CHAPTER = "multilabel_spectral/experiments"
_WEIGHTED = ("uniform", "frequency", "root_count", "count")  # sums with some weight a class


def _plain(profile: Profile) -> list[RunRecord]:
    """Networks with the model's own objective."""
    return networks.published(profile, method="plain")


def _evidence(lead: Effect) -> Evidence:
    return Evidence(lead.value, 0.0, 1, "least lead, in mean cosines", ">=", lead.margin)


def _nearer(profile: Profile, rule: str) -> Evidence | None:
    """Whether a weighted sum is nearer than the uniform one."""
    return weakest(_evidence(lead) for _, lead in networks.leads(profile, rule, "uniform"))


def text_claim(profile: Profile) -> Claim:
    """The synthesis rule of the abstract, in networks of a profile."""
    return Claim(
        f"multilabel-spectral/synthesis-{profile}",
        f"Abstract, sentence 4, in networks ({profile})",
        "Under multiplicity-one imbalance, prototypes of higher multiplicity obey a "
        "class-frequency-weighted synthesis rule rather than uniform averaging.",
        (
            Check(
                r"$\sum_{k\in S}n_kh_k$ (singleton counts) is nearer than $\sum_{k\in S}h_k$",
                partial(_nearer, profile, "count"),
            ),
            Check(
                r"$\sum_{k\in S}\pi_kh_k$ (class frequencies) is nearer than $\sum_{k\in S}h_k$",
                partial(_nearer, profile, "frequency"),
            ),
        ),
        chapter=_CHAPTER,
        profile=profile,
    )


def _above(profile: Profile) -> Evidence | None:
    records = _plain(profile)
    if not records:
        return None
    below = sum(r.final["objective"] < networks.optimum(r.config).objective for r in records)
    return Evidence(below, 0, len(records), "objectives below the optimum")


def _order(profile: Profile) -> Evidence | None:
    """Whether of every two rules that one is nearer in networks which is so at the optimum."""
    comparisons = []
    for one, other in permutations(_WEIGHTED, 2):
        for config, lead in networks.leads(profile, one, other):
            best = networks.certified(config).cosines(networks.table_of(config))
            if best[one] > best[other]:
                comparisons.append(_evidence(lead))
    return weakest(comparisons)


def book_claim(profile: Profile) -> Claim:
    """What the certified optimum says of networks with the model's objective."""
    return Claim(
        f"book/pal-networks-{profile}",
        f"Several labels: the optimum and the network ({profile})",
        "Networks that are trained with the pick-all-label model's objective rank the uniform and "
        "the weighted sums as the certified optimum of their labels and penalties does.",
        (
            Check("their objectives are above the optimum", partial(_above, profile)),
            Check(
                "uniform sum, and sums weighted by frequencies, roots of counts and counts: every "
                "two are in the same order",
                partial(_order, profile),
            ),
        ),
        chapter=_CHAPTER,
        profile=profile,
    )
