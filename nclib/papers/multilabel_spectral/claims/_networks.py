"""Claims about trained networks, from the published records of the grid."""

from __future__ import annotations

from functools import partial
from itertools import permutations

from nclib._profiles import Profile
from nclib.papers._cases import at_least
from nclib.papers._claim import Check, Claim, Evidence
from nclib.papers.multilabel_spectral import networks
from nclib.papers.multilabel_spectral.grid import imbalanced
from nclib.runs import RunRecord

_CHAPTER = "multilabel_spectral/experiments"
_DIFFERENT = 0.01  # of mean cosines: less is below what networks miss the optimum by


def _plain(profile: Profile) -> list[RunRecord]:
    """Networks with the model's own objective."""
    return networks.published(profile, method="plain")


def _nearer(profile: Profile, rule: str) -> Evidence | None:
    """Whether a weighted sum is nearer than the uniform one, where singletons are imbalanced."""
    records = [r for r in _plain(profile) if imbalanced(r.config)]
    if not records:
        return None
    wrong = 0
    for record in records:
        cosines = networks.trained(record).cosines(networks.table_of(record.config))
        wrong += cosines["uniform"] >= cosines[rule]
    return Evidence(wrong, 0, len(records), "networks in which the uniform sum is nearer")


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
    gaps = [r.final["objective"] / networks.optimum(r.config).objective - 1 for r in records]
    return at_least(gaps, "smallest objective over the optimum, less one", 0.0)


def _order(profile: Profile) -> Evidence | None:
    """Pairs of rules that differ at the optimum, in all networks, and those in another order."""
    records = _plain(profile)
    if not records:
        return None
    wrong = cases = 0
    for record in records:
        table = networks.table_of(record.config)
        ours = networks.trained(record).cosines(table)
        best = networks.certified(record.config).cosines(table)
        for one, other in permutations(networks.TAG_WISE, 2):
            if best[one] > best[other] + _DIFFERENT:
                cases += 1
                wrong += ours[one] <= ours[other]
    return Evidence(wrong, 0, cases, "pairs of rules in another order")


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
                f"two rules whose mean cosines differ by more than {_DIFFERENT} at the optimum "
                "are in the same order",
                partial(_order, profile),
            ),
        ),
        chapter=_CHAPTER,
        profile=profile,
    )
