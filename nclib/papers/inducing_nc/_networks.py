"""Claims about trained networks of "Inducing neural collapse", from published records."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

from nclib import geometry
from nclib.methods import METHODS
from nclib.papers._claim import Check, Claim, Evidence
from nclib.papers.inducing_nc import runs
from nclib.papers.inducing_nc._results import Setting, difference, margin_in, ours, published
from nclib.papers.inducing_nc._tables import TABLES, Cell, Source
from nclib.runs import RunRecord

_CHAPTER = "inducing_nc/experiments"
OPTIMUM = math.degrees(math.acos(-1 / 9))  # of the angles between ten class means
_NOISES = ("0.1", "0.2", "0.3", "0.4")
_MAIN = {"laptop": ("CIFAR10-LT, 100",), "paper": tuple(TABLES[3].columns)}


def records(profile: str, method: str, *, mixup: bool = False) -> list[RunRecord]:
    """Published records of a method on CIFAR-10-LT at ratio 100, as its tables have it, by seed."""
    source = Source(method, "cifar10", 100.0, mixup=mixup)
    wanted = (runs.of(source, profile, seed) for seed in runs.SEEDS[profile])
    known = published(profile)
    return [known[run.id] for run in wanted if run is not None and run.id in known]


Measure = Callable[[RunRecord], float | None]


def _measured(measure: Measure, group: Sequence[RunRecord]) -> list[float]:
    """A number of those records that have it."""
    return [value for record in group if (value := measure(record)) is not None]


def _compare(
    measure: Measure,
    first: Sequence[RunRecord],
    second: Sequence[RunRecord],
    found: str,
    *,
    retrained: bool = False,
) -> Evidence | None:
    """That a number is larger for the first; the spread over seeds is that of the tables' rule."""
    a, b = _measured(measure, first), _measured(measure, second)
    if not a or not b:
        return None
    setting = Setting(first[0].config.profile)
    half = margin_in(setting, measure, len(a), len(b), retrained=retrained)
    value = sum(a) / len(a) - sum(b) / len(b)
    return Evidence(value, 0.0, len(a) + len(b), found, ">=", half)


def _at_most(
    measure: Measure, group: Sequence[RunRecord], found: str, bound: float
) -> Evidence | None:
    """That a number of the features is below a bound, known as well as its spread tells."""
    values = _measured(measure, group)
    if not values:
        return None
    half = margin_in(Setting(group[0].config.profile), measure, len(values), retrained=False)
    return Evidence(sum(values) / len(values), bound, len(values), found, margin=half)


def _above(first: Cell, second: Cell, profile: str) -> Evidence | None:
    """That a cell's accuracy is above another's of the same table, in the setting of the first."""
    other = first.source._replace(method=second.source.method)
    change = difference(first.source, other, profile)
    if change is None:
        return None
    found = f"{first.row} less {second.row}, {first.column}, in points"
    return Evidence(change.value, 0.0, 2, found, ">=", change.margin)


def _least(found: Sequence[Evidence | None]) -> Evidence | None:
    """The comparison that speaks most against the claim: the least value in units of its margin."""
    known = [evidence for evidence in found if evidence is not None]
    if not known:
        return None
    return min(known, key=lambda e: e.value - (e.margin if math.isfinite(e.margin) else 0))


def _pairs(profile: str, table: int, *pairs: tuple[str, str]) -> Evidence | None:
    columns = _MAIN[profile] if table in (3, 7) else tuple(TABLES[table].columns)
    return _least(
        [
            _above(TABLES[table].cell(first, column), TABLES[table].cell(second, column), profile)
            for column in columns
            for first, second in pairs
        ]
    )


def _best(profile: str) -> Evidence | None:
    """NC-DRW-cRT against whichever other row is best in a column, in the setting of NC-DRW-cRT."""
    found = []
    # What shows two views of an image has no mixup, and no run in that setting.
    others = [
        row
        for row in TABLES[3].rows
        if not row.title.startswith("NC-") and METHODS[row.method].second_view is None
    ]
    for column in _MAIN[profile]:
        own = TABLES[3].cell("NC-DRW-cRT", column).source
        rivals = [(row.title, own._replace(method=row.method)) for row in others]
        known = [(r.mean, title, s) for title, s in rivals if (r := ours(s, profile)) is not None]
        if not known:
            continue
        _, title, best = max(known)
        change = difference(own, best, profile)
        if change is not None:
            name = f"NC-DRW-cRT less {title}, the best other row with records, {column}, in points"
            found.append(Evidence(change.value, 0.0, 2, name, ">=", change.margin))
    return _least(found)


def _noisy(record: RunRecord) -> float | None:
    """Mean test accuracy over the noise levels, in per cent; None in the first records, whose noise
    is of another scale."""
    found = [record.final.get(f"noisy_test_accuracy_{std}", math.nan) for std in _NOISES]
    mean = 25 * sum(found)
    return mean if math.isfinite(mean) else None


def _noise(profile: str) -> Evidence | None:
    mixup = profile == "paper"
    terms, plain = (records(profile, name, mixup=mixup) for name in ("nc-drw", "ce-drw"))
    found = "CE‡ less CE under noise, CIFAR10-LT, ResNet-32, mean over four levels, in points"
    return _compare(_noisy, terms, plain, found, retrained=True)


def _angles(record: RunRecord) -> list[float]:
    means = record.tensor("class_means")
    angles = geometry.pairwise_angles(means)
    return [float(angles[i, j]) for i in range(len(means)) for j in range(i)]


def _smallest(record: RunRecord) -> float:
    return min(_angles(record))


def _with_terms(profile: str) -> list[RunRecord]:
    return records(profile, "nc-drw", mixup=profile == "paper")


def _farthest(record: RunRecord) -> float:
    return max(abs(angle - OPTIMUM) for angle in _angles(record))


def _plain_angle(profile: str) -> Evidence | None:
    return _at_most(_smallest, records(profile, "ce"), "smallest angle, in degrees", OPTIMUM - 20)


def _close_angles(profile: str) -> Evidence | None:
    found = "largest distance of an angle from 96.4°, in degrees"
    return _at_most(_farthest, _with_terms(profile), found, 10.0)


def _wider(profile: str, *methods: str, mixup: bool = False) -> Evidence | None:
    mixed = mixup and profile == "paper"
    plain = records(profile, "ce", mixup=mixed)
    return _least(
        [
            _compare(
                _smallest,
                records(profile, method, mixup=mixed),
                plain,
                f"smallest angle with {METHODS[method].title} less that with CE, in degrees",
            )
            for method in methods
        ]
    )


def _norm_cv(record: RunRecord) -> float:
    return record.report("train").nc2_norm_cv


def _equal_norms(profile: str) -> Evidence | None:
    found = "standard deviation over mean of the norms"
    return _at_most(_norm_cv, _with_terms(profile), found, 0.1)


def _more_equal_norms(profile: str) -> Evidence | None:
    found = "spread of the norms with CE less that with NC-DRW"
    plain = records(profile, "ce", mixup=profile == "paper")
    return _compare(_norm_cv, plain, _with_terms(profile), found)


def _lower(metric: str, profile: str, *, logarithm: bool = False) -> Evidence | None:
    def measured(record: RunRecord) -> float:
        value = float(getattr(record.report("train"), metric))
        return math.log10(value) if logarithm else value

    mixup = profile == "paper"
    plain = records(profile, "ce-drw", mixup=mixup)
    name = f"log₁₀ {metric}" if logarithm else metric
    found = f"{name} on training data with CE-DRW less that with NC-DRW"
    return _compare(measured, plain, _with_terms(profile), found)


def _retrained(profile: str) -> Evidence | None:
    def measured(record: RunRecord) -> float | None:
        return record.report("train").nc3

    again = records(profile, "nc-drw-crt", mixup=profile == "paper")
    found = "nc3 with NC-DRW less that with NC-DRW-cRT"
    return _compare(measured, _with_terms(profile), again, found, retrained=True)


def network_claims(profile: str) -> tuple[Claim, ...]:
    """What the paper says that its networks do, in networks of a profile."""

    def claim(name: str, where: str, statement: str, *checks: Check) -> Claim:
        claim_id = f"inducing-nc/{name}-{profile}"
        title = f"{where}, in networks ({profile})"
        return Claim(claim_id, title, statement, checks, chapter=_CHAPTER, profile=profile)

    def check(text: str, function: Callable[..., Evidence | None], *arguments: object) -> Check:
        return Check(text, partial(function, profile, *arguments))

    def values(*checks: Check) -> tuple[Check, ...]:
        """Of the paper's setting: a shorter training decides about effects alone."""
        return checks if profile == "paper" else ()

    found = [
        claim(
            "table-3",
            "Table 3",
            "NC-DRW and NC-DRW-cRT surpass the existing methods.",
            check("NC-DRW above CE", _pairs, 3, ("NC-DRW", "CE")),
            check("NC-DRW above CE-DRW", _pairs, 3, ("NC-DRW", "CE-DRW")),
            check("NC-DRW-cRT above every other row with records", _best),
        ),
        claim(
            "induced",
            "Section 3.2",
            "With L_W and L_B, NC1 and NC2 happen although the training set is imbalanced, and "
            "re-training the classifier brings NC3.",
            Check("NC1 is less", partial(_lower, "nc1", profile, logarithm=True)),
            Check("NC2 (directions) is less", partial(_lower, "nc2_angle", profile)),
            check("NC3 is less after re-training", _retrained),
        ),
        claim(
            "figure-2",
            "Figure 2",
            "On CIFAR10-LT a plain network has angles between class means far below the optimum "
            "of 96°; with L_W and L_B all angles remain close to it.",
            *values(
                check("plain: some angle is 20° below", _plain_angle),
                check("with the terms: every angle within 10°", _close_angles),
            ),
            Check(
                "with the terms: the smallest angle is larger",
                partial(_wider, profile, "nc-drw", mixup=True),
            ),
        ),
        claim(
            "figure-3",
            "Figure 3",
            "With L_W and L_B the centred class means have equal norms, although no term forces "
            "them to.",
            *values(
                check("their standard deviation is at most a tenth of their mean", _equal_norms)
            ),
            check("their spread is less than with plain training", _more_equal_norms),
        ),
        claim(
            "table-6",
            "Table 6",
            "The terms improve the robustness against noise.",
            check("CE‡ above CE under noise", _noise),
        ),
    ]
    if profile == "paper":
        found += [
            claim(
                "table-2",
                "Table 2",
                "On balanced data the terms reduce the error with CE and with MSE.",
                check("CE + NC above CE", _pairs, 2, ("CE + NC", "CE")),
                check("MSE + NC above MSE", _pairs, 2, ("MSE + NC", "MSE")),
            ),
            claim(
                "table-5",
                "Table 5",
                "The terms increase the accuracy of LDAM-DRW and of logit adjustment.",
                check("LDAM-DRW", _pairs, 5, ("LDAM-DRW + NC", "LDAM-DRW")),
                check("logit adjustment", _pairs, 5, ("Logit Adjust + NC", "Logit Adjust")),
            ),
            claim(
                "table-7",
                "Table 7",
                "Each term improves the accuracy alone, their combination is best, L_W is better "
                "than center loss, and L_B is more useful than L_W.",
                check("L_W above CE", _pairs, 7, ("+ L_W", "CE")),
                check("L_B above CE", _pairs, 7, ("+ L_B", "CE")),
                check(
                    "both above each alone",
                    _pairs,
                    7,
                    ("+ L_W & L_B", "+ L_W"),
                    ("+ L_W & L_B", "+ L_B"),
                ),
                check("L_W above center loss", _pairs, 7, ("+ L_W", "+ center loss")),
                check("L_B above L_W", _pairs, 7, ("+ L_B", "+ L_W")),
            ),
            claim(
                "resampling",
                "Figure 2, text",
                "Re-sampling and re-weighting give more distinguishable features.",
                check("the smallest angle is larger", _wider, "ce-rs", "ce-rw"),
            ),
        ]
    return tuple(found)
