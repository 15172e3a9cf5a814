"""Claims about trained networks, from the published records of the class-encoding grid."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from torch import Tensor

from nclib._profiles import Profile
from nclib.papers._cases import at_least, at_most, etf_misfit, misfit
from nclib.papers._claim import Check, Claim, Evidence
from nclib.papers.class_encoding.grid import gram_misfit, grid
from nclib.runs import RunRecord, ledger

_ENCODINGS = ("one_hot", "smoothed", "rotated", "random")
_LAM_B = 0.4  # where the grid has every encoding
_CHAPTER = "class_encoding/trained_networks"


def _published(profile: Profile) -> list[RunRecord]:
    """Published records of the grid with signed features; a cache of one's own does not count."""
    signed = {config.id for config in grid(profile) if config.feature_layer == "linear"}
    return [r for r in ledger.records("class-encoding", profile=profile) if r.id in signed]


def _of(profile: Profile, *encodings: str) -> list[RunRecord] | None:
    """Records of these encodings at one λ_b; None unless each has at least one."""
    records = [
        record
        for record in _published(profile)
        if record.config.lam_b == _LAM_B and record.config.encoding in encodings
    ]
    return records if {r.config.encoding for r in records} == set(encodings) else None


def _matrices(record: RunRecord) -> tuple[Tensor, Tensor]:
    """Class means (K, P) and classifier (K, P)."""
    return record.tensor("class_means"), record.tensor("weight")


def _centred_misfit(record: RunRecord) -> float:
    means, _ = _matrices(record)
    return etf_misfit(means @ means.T)


def _cosine(record: RunRecord) -> float:
    means, weight = _matrices(record)
    return float((means * weight).sum() / (means.norm() * weight.norm()))


def _nc3_prime(record: RunRecord) -> float:
    means, weight = _matrices(record)
    return misfit(weight.T @ weight / weight.square().sum(), means.T @ means / means.square().sum())


def _nc1(profile: Profile) -> Evidence | None:
    records = _of(profile, *_ENCODINGS)
    if records is None:
        return None
    values = (r.report("train").nc1_ratio for r in records)
    return at_most(values, "largest variance within classes over variance between them", 0.05)


def _holds(
    measure: Callable[[RunRecord], float],
    quantity: str,
    encodings: tuple[str, ...],
    profile: Profile,
) -> Evidence | None:
    records = _of(profile, *encodings)
    return None if records is None else at_most(map(measure, records), quantity, 0.1)


def _fails(
    measure: Callable[[RunRecord], float],
    quantity: str,
    encodings: tuple[str, ...],
    profile: Profile,
) -> Evidence | None:
    records = _of(profile, *encodings)
    return None if records is None else at_least(map(measure, records), quantity, 0.2)


def _misalignment(record: RunRecord) -> float:
    return 1 - _cosine(record)


_NC2 = "relative misfit of the centred Gram matrix"
_NC3 = "$1 -$ cosine of classifier and class means"


def text_claim(profile: Profile) -> Claim:
    """Section I: which collapse properties depend on the encoding, in networks of a profile."""
    return Claim(
        f"class-encoding/networks-{profile}",
        f"Section I, text, in networks ({profile})",
        "Even if variability collapse does not depend on the encoding, this is not the case of "
        "other NC properties.",
        (
            Check("NC1 for one-hot, smoothed, rotated and random labels", partial(_nc1, profile)),
            Check(
                "NC2 holds for one-hot labels",
                partial(_holds, _centred_misfit, f"largest {_NC2}", ("one_hot",), profile),
            ),
            Check(
                "NC2 fails for random labels",
                partial(_fails, _centred_misfit, f"smallest {_NC2}", ("random",), profile),
            ),
            Check(
                "NC3 holds for one-hot labels",
                partial(_holds, _misalignment, f"largest {_NC3}", ("one_hot",), profile),
            ),
            Check(
                "NC3 fails for rotated labels",
                partial(_fails, _misalignment, f"smallest {_NC3}", ("rotated",), profile),
            ),
            Check(
                "NC3′ for all four",
                partial(_holds, _nc3_prime, "largest relative misfit of NC3′", _ENCODINGS, profile),
            ),
        ),
        chapter=_CHAPTER,
        profile=profile,
    )


def _gram(profile: Profile) -> Evidence | None:
    records = _published(profile)
    if not records:
        return None
    return at_most(map(gram_misfit, records), "largest relative distance of the Gram matrices", 0.1)


def _transition(profile: Profile) -> Evidence | None:
    """The shape t of the Gram matrix, C + tJ/K, at the smallest and the largest λ_b."""
    shapes: dict[float, list[float]] = {}
    for record in _published(profile):
        if record.config.encoding == "one_hot":
            means, _ = _matrices(record)
            spread = (means - means.mean(0)).square().sum() / (len(means) - 1)
            along = len(means) * means.mean(0).square().sum()
            shapes.setdefault(record.config.lam_b, []).append(float(along / spread))
    if not {0.0, math.inf} <= set(shapes):
        return None
    ends = [*shapes[0.0], *(1 - t for t in shapes[math.inf])]
    return at_most(ends, "largest distance of $t$ from 0 (free bias) and from 1 (no bias)", 0.1)


def book_claim(profile: Profile) -> Claim:
    """The certified optimum predicts the trained network."""
    return Claim(
        f"book/networks-{profile}",
        f"The optimum predicts the network ({profile})",
        "Networks with a linear feature layer, trained past zero error, have the class means of "
        "the certified optimum for their labels and penalties, up to a rotation.",
        (
            Check("the Gram matrices agree to 10 %", partial(_gram, profile)),
            Check(
                "one-hot: a simplex ETF with a free bias, a frame without one",
                partial(_transition, profile),
            ),
        ),
        chapter=_CHAPTER,
        profile=profile,
    )
