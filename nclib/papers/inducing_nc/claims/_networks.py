"""Claims about trained networks of "Inducing neural collapse", from published records."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from nclib import geometry
from nclib._profiles import Profile
from nclib.methods import METHODS
from nclib.papers._claim import Check, Claim, Evidence
from nclib.papers._effects import mean_at_most, mean_larger, weakest
from nclib.papers.inducing_nc._comparison import Setting, comparison
from nclib.papers.inducing_nc.tables import TABLES, Source
from nclib.runs import RunRecord

_CHAPTER = "inducing_nc/experiments"
OPTIMUM = math.degrees(math.acos(-1 / 9))  # of the angles between ten class means
_NOISES = ("0.1", "0.2", "0.3", "0.4")
_MAIN = {"laptop": ("CIFAR10-LT, 100",), "paper": tuple(TABLES[3].columns)}


def records(profile: Profile, method: str, *, mixup: bool = False) -> list[RunRecord]:
    """Published records of a method on CIFAR-10-LT at ratio 100, as its tables have it, by seed."""
    source = Source(method=method, dataset="cifar10", imbalance=100.0, mixup=mixup)
    return comparison.records(source, profile)


def _pairs(profile: Profile, table: int, *pairs: tuple[str, str]) -> Evidence | None:
    """That a row is above another in every column, in the setting of the first."""
    columns = _MAIN[profile] if table in (3, 7) else tuple(TABLES[table].columns)
    comparisons = []
    for column in columns:
        for first, second in pairs:
            source = TABLES[table].cell(first, column).source
            other = source.replace(method=TABLES[table].cell(second, column).source.method)
            quantity = f"{first} less {second}, {column}, in points"
            comparisons.append(comparison.above(source, other, profile, quantity))
    return weakest(comparisons)


def _best(profile: Profile) -> Evidence | None:
    """NC-DRW-cRT against whichever other row is best in a column, in the setting of NC-DRW-cRT."""
    # What shows two views of an image has no mixup, and no run in that setting.
    others = [
        row
        for row in TABLES[3].rows
        if not row.title.startswith("NC-") and METHODS[row.method].second_view is None
    ]
    comparisons = []
    for column in _MAIN[profile]:
        source = TABLES[3].cell("NC-DRW-cRT", column).source
        rivals = []
        for row in others:
            rival = source.replace(method=row.method)
            ours = comparison.measured(rival, profile)
            if ours is not None:
                rivals.append((ours.mean, row.title, rival))
        if rivals:
            _, title, best = max(rivals, key=lambda rival: rival[:2])
            quantity = f"NC-DRW-cRT less {title}, the best other row with records, {column}"
            comparisons.append(comparison.above(source, best, profile, f"{quantity}, in points"))
    return weakest(comparisons)


def _noisy(record: RunRecord) -> float | None:
    """Mean test accuracy over the noise levels, in per cent; None in the first records, whose noise
    is of another scale."""
    accuracies = [record.final.get(f"noisy_test_accuracy_{std}", math.nan) for std in _NOISES]
    mean = 25 * sum(accuracies)
    return mean if math.isfinite(mean) else None


def _noise(profile: Profile) -> Evidence | None:
    mixup = profile == "paper"
    terms, plain = (records(profile, name, mixup=mixup) for name in ("nc-drw", "ce-drw"))
    quantity = "CE‡ less CE under noise, CIFAR10-LT, ResNet-32, mean over four levels, in points"
    return mean_larger(Setting(profile), _noisy, terms, plain, quantity, retrained=True)


def _angles(record: RunRecord) -> list[float]:
    means = record.tensor("class_means")
    angles = geometry.pairwise_angles(means)
    return [float(angles[i, j]) for i in range(len(means)) for j in range(i)]


def _smallest(record: RunRecord) -> float:
    return min(_angles(record))


def _with_terms(profile: Profile) -> list[RunRecord]:
    return records(profile, "nc-drw", mixup=profile == "paper")


def _farthest(record: RunRecord) -> float:
    return max(abs(angle - OPTIMUM) for angle in _angles(record))


def _plain_angle(profile: Profile) -> Evidence | None:
    plain, quantity = records(profile, "ce"), "smallest angle, in degrees"
    return mean_at_most(Setting(profile), _smallest, plain, quantity, OPTIMUM - 20)


def _close_angles(profile: Profile) -> Evidence | None:
    quantity = "largest distance of an angle from 96.4°, in degrees"
    return mean_at_most(Setting(profile), _farthest, _with_terms(profile), quantity, 10.0)


def _wider(profile: Profile, *methods: str, mixup: bool = False) -> Evidence | None:
    mixed = mixup and profile == "paper"
    plain = records(profile, "ce", mixup=mixed)
    return weakest(
        mean_larger(
            Setting(profile),
            _smallest,
            records(profile, method, mixup=mixed),
            plain,
            f"smallest angle with {METHODS[method].title} less that with CE, in degrees",
        )
        for method in methods
    )


def _norm_cv(record: RunRecord) -> float:
    return record.report("train").nc2_norm_cv


def _equal_norms(profile: Profile) -> Evidence | None:
    quantity = "standard deviation over mean of the norms"
    return mean_at_most(Setting(profile), _norm_cv, _with_terms(profile), quantity, 0.1)


def _more_equal_norms(profile: Profile) -> Evidence | None:
    quantity = "spread of the norms with CE less that with NC-DRW"
    plain = records(profile, "ce", mixup=profile == "paper")
    return mean_larger(Setting(profile), _norm_cv, plain, _with_terms(profile), quantity)


def _lower(metric: str, profile: Profile, *, logarithm: bool = False) -> Evidence | None:
    def measured(record: RunRecord) -> float:
        value = float(getattr(record.report("train"), metric))
        return math.log10(value) if logarithm else value

    mixup = profile == "paper"
    plain = records(profile, "ce-drw", mixup=mixup)
    name = rf"$\log_{{10}}$ {metric}" if logarithm else metric
    quantity = f"{name} on training data with CE-DRW less that with NC-DRW"
    return mean_larger(Setting(profile), measured, plain, _with_terms(profile), quantity)


def _retrained(profile: Profile) -> Evidence | None:
    def measured(record: RunRecord) -> float | None:
        return record.report("train").nc3

    again = records(profile, "nc-drw-crt", mixup=profile == "paper")
    quantity = "nc3 with NC-DRW less that with NC-DRW-cRT"
    return mean_larger(
        Setting(profile), measured, _with_terms(profile), again, quantity, retrained=True
    )


def network_claims(profile: Profile) -> tuple[Claim, ...]:
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

    listed = [
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
            "With $L_W$ and $L_B$, NC1 and NC2 happen although the training set is imbalanced, and "
            "re-training the classifier brings NC3.",
            Check("NC1 is less", partial(_lower, "nc1", profile, logarithm=True)),
            Check("NC2 (directions) is less", partial(_lower, "nc2_angle", profile)),
            check("NC3 is less after re-training", _retrained),
        ),
        claim(
            "figure-2",
            "Figure 2",
            "On CIFAR10-LT a plain network has angles between class means far below the optimum "
            "of 96°; with $L_W$ and $L_B$ all angles remain close to it.",
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
            "With $L_W$ and $L_B$ the centred class means have equal norms, although no term "
            "forces them to.",
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
        listed += [
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
                "Each term improves the accuracy alone, their combination is best, $L_W$ is better "
                "than center loss, and $L_B$ is more useful than $L_W$.",
                check("$L_W$ above CE", _pairs, 7, ("+ $L_W$", "CE")),
                check("$L_B$ above CE", _pairs, 7, ("+ $L_B$", "CE")),
                check(
                    "both above each alone",
                    _pairs,
                    7,
                    ("+ $L_W$ & $L_B$", "+ $L_W$"),
                    ("+ $L_W$ & $L_B$", "+ $L_B$"),
                ),
                check("$L_W$ above center loss", _pairs, 7, ("+ $L_W$", "+ center loss")),
                check("$L_B$ above $L_W$", _pairs, 7, ("+ $L_B$", "+ $L_W$")),
            ),
            claim(
                "resampling",
                "Figure 2, text",
                "Re-sampling and re-weighting give more distinguishable features.",
                check("the smallest angle is larger", _wider, "ce-rs", "ce-rw"),
            ),
        ]
    return tuple(listed)
