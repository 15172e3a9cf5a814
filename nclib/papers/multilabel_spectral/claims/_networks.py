"""Claims about trained networks, from the published records of the grid."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import permutations
from statistics import fmean

from nclib._profiles import Profile
from nclib.papers._claim import Check, Claim, Evidence
from nclib.papers._effects import margin, weakest
from nclib.papers.multilabel_spectral import networks
from nclib.papers.multilabel_spectral.grid import imbalanced
from nclib.runs import RunConfig, RunRecord

_CHAPTER = "multilabel_spectral/experiments"
_WEIGHTED = ("uniform", "frequency", "root_count", "count")  # sums with some weight a class


def _plain(profile: Profile) -> list[RunRecord]:
    """Networks with the model's own objective."""
    return networks.published(profile, method="plain")


def _leads(profile: Profile, one: str, other: str) -> list[tuple[RunConfig, Evidence]]:
    """By how much one rule is nearer than another, where singletons are imbalanced.

    A setting each, with the mean over its seeds and the interval that they leave.
    """
    settings: dict[str, list[RunRecord]] = {}
    for record in _plain(profile):
        if imbalanced(record.config):
            seedless = record.config.model_copy(update={"seed": 0})
            settings.setdefault(seedless.id, []).append(record)
    leads = []
    for records in settings.values():
        cosines = [networks.trained(r).cosines(networks.table_of(r.config)) for r in records]
        leads.append([c[one] - c[other] for c in cosines])
    what = "least lead, in mean cosines"
    return [
        (
            records[0].config,
            Evidence(fmean(lead), 0.0, len(lead), what, ">=", margin(leads, len(lead))),
        )
        for records, lead in zip(settings.values(), leads, strict=True)
    ]


def _nearer(profile: Profile, rule: str) -> Evidence | None:
    """Whether a weighted sum is nearer than the uniform one."""
    return weakest(evidence for _, evidence in _leads(profile, rule, "uniform"))


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


def _order(profile: Profile, rules: Sequence[str]) -> Evidence | None:
    """Whether of every two rules that one is nearer in networks which is so at the optimum."""
    comparisons = []
    for one, other in permutations(rules, 2):
        for config, evidence in _leads(profile, one, other):
            best = networks.certified(config).cosines(networks.table_of(config))
            if best[one] > best[other]:
                comparisons.append(evidence)
    return weakest(comparisons)


def book_claim(profile: Profile) -> Claim:
    """What the certified optimum says of networks with the model's objective."""
    return Claim(
        f"book/pal-networks-{profile}",
        f"Several labels: the optimum and the network ({profile})",
        "Networks that are trained with the pick-all-label model's objective rank the tag-wise "
        "rules of synthesis as the certified optimum of their labels and penalties does.",
        (
            Check("their objectives are above the optimum", partial(_above, profile)),
            Check(
                "uniform sum, and sums weighted by frequencies, roots of counts and counts: every "
                "two are in the same order",
                partial(_order, profile, _WEIGHTED),
            ),
            Check(
                "uniform and frequency-centred sum, no bias and a free one: in the same order",
                partial(_order, profile, ("uniform", "frequency_centred")),
            ),
        ),
        chapter=_CHAPTER,
        profile=profile,
    )
