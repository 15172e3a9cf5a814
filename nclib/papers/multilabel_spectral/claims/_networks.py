"""Claims about trained networks, from the published records of the grid."""

from __future__ import annotations

from functools import partial

from nclib._profiles import Profile
from nclib.papers._cases import at_least, at_most
from nclib.papers._claim import Check, Claim, Evidence
from nclib.papers.multilabel_spectral import networks
from nclib.papers.multilabel_spectral.grid import imbalanced
from nclib.runs import RunRecord

_CHAPTER = "multilabel_spectral/experiments"


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


def _nearest_as_certified(profile: Profile) -> Evidence | None:
    """The rule that is nearest at the optimum is the nearest in the network."""
    records = [r for r in _plain(profile) if imbalanced(r.config)]
    if not records:
        return None
    wrong = 0
    for record in records:
        table = networks.table_of(record.config)
        ours = networks.trained(record).cosines(table)
        best = networks.certified(record.config).cosines(table)
        wrong += max(networks.TAG_WISE, key=ours.__getitem__) != max(
            networks.TAG_WISE, key=best.__getitem__
        )
    return Evidence(wrong, 0, len(records), "networks in which another rule is nearest")


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
        (
            Check(
                "the nearest of five rules is the one that is nearest at the certified optimum",
                partial(_nearest_as_certified, profile),
            ),
        ),
        _CHAPTER,
        profile=profile,
    )


def _above(profile: Profile) -> Evidence | None:
    records = _plain(profile)
    if not records:
        return None
    gaps = [r.final["objective"] / networks.optimum(r.config).objective - 1 for r in records]
    return at_least(gaps, "smallest objective over the optimum, less one", 0.0)


def _grams(profile: Profile) -> Evidence | None:
    records = _plain(profile)
    if not records:
        return None
    return at_most(
        map(networks.gram_misfit, records), "largest relative distance of the Gram matrices", 0.1
    )


def _shapes(profile: Profile) -> Evidence | None:
    records = _plain(profile)
    if not records:
        return None
    misfits = [networks.gram_misfit(record, shape=True) for record in records]
    return at_most(misfits, "largest distance of the Gram matrices at equal norms", 0.1)


def book_claim(profile: Profile) -> Claim:
    """The certified optimum predicts the trained network."""
    return Claim(
        f"book/pal-networks-{profile}",
        f"The optimum of several labels predicts the network ({profile})",
        "Networks that are trained with the pick-all-label model's objective have the prototypes "
        "of the certified optimum of their labels and penalties, up to a rotation.",
        (
            Check("their objectives are above the optimum", partial(_above, profile)),
            Check("the Gram matrices of the prototypes agree to 10 %", partial(_grams, profile)),
            Check("their shapes agree to 10 %", partial(_shapes, profile)),
        ),
        chapter=_CHAPTER,
        profile=profile,
    )
