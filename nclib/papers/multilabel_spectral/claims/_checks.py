"""The checks: label tables, their certified optima, and what theory says of them.

What a theorem predicts is a closed form or a bound of :mod:`nclib.theory`; what it is compared
with is the certified optimum.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache
from itertools import pairwise, product
from statistics import fmean
from typing import Any, NamedTuple

import scipy
import torch
from jaxtyping import Float
from torch import Tensor

from nclib import theory
from nclib.metrics import synthesis_fits
from nclib.papers import _cases
from nclib.papers._cases import Decay, at_least, at_most, etf_misfit, misfit
from nclib.papers._claim import Evidence
from nclib.papers._effects import margin
from nclib.papers.multilabel_spectral import label_tables
from nclib.papers.multilabel_spectral.label_tables import LabelTable, Optimum

_INF = math.inf
_BIASES = (_INF, 0.0)
LAM = 6e-3  # λ_W = Nλ_H of the examples


class Case(NamedTuple):
    """A label table with its penalties and the certified optimum."""

    table: LabelTable
    lam_w: float
    lam_h: float
    lam_b: float
    optimum: Optimum

    @property
    def theta(self) -> float:
        """θ = N√(λ_Wλ_H)."""
        return self.table.samples * math.sqrt(self.lam_w * self.lam_h)

    @property
    def moment(self) -> Float[Tensor, "K K"]:
        """Σ n_S g_S g_Sᵀ."""
        g = self.optimum.residuals
        return (g.T * self.table.counts) @ g


def case_of(table: LabelTable, lam: float = LAM, lam_b: float = _INF) -> Case:
    """The optimum at λ_W = Nλ_H = lam."""
    lam_h = lam / table.samples
    best = label_tables.optimum(table, lam_w=lam, lam_h=lam_h, lam_b=lam_b)
    return Case(table, lam, lam_h, lam_b, best)


@cache
def random_tables() -> list[LabelTable]:
    """Random tables of three to five classes."""
    generator = torch.Generator().manual_seed(0)
    return [label_tables.random_table(generator, largest=5) for _ in range(16)]


@cache
def random_cases(lam_b: float = _INF) -> list[Case]:
    """Their optima, λ_W from 0.1 to 0.001."""
    tables = random_tables()
    return [
        case_of(table, 10 ** (-1 - 2 * place / len(tables)), lam_b)
        for place, table in enumerate(tables)
    ]


@cache
def tails(lam_b: float) -> list[Case]:
    """Long-tailed singletons and equal pairs of five classes: ratios 10 and 100."""
    settings = ((10, 20.0), (100, 20.0), (100, 2.0))
    return [
        case_of(label_tables.long_tailed(5, ratio, pairs=pairs), 2e-3, lam_b)
        for ratio, pairs in settings
    ]


@cache
def couples(lam_b: float) -> list[Case]:
    """Four classes, singletons 10 each, the pairs {0, 1} and {2, 3} 50 each."""
    table = label_tables.coupled(4, singletons=10, pairs=50)
    return [case_of(table, lam, lam_b) for lam in (2e-2, 2e-3)]


@cache
def designs(lam_b: float) -> list[Case]:
    """Isotropic tables: complete designs, and the Fano plane."""
    return [
        case_of(label_tables.complete(6, {1: 10, 2: 3, 3: 2}), 2e-3, lam_b),
        case_of(label_tables.complete(4, {1: 10, 2: 30}), 2e-3, lam_b),
        case_of(label_tables.fano(singletons=10, lines=25), 2e-3, lam_b),
    ]


def _misses(cases: Iterable[Case], rule: str = "uniform") -> list[float]:
    """One less the mean cosine of the rule with the prototypes of several labels, a case each."""
    misses = []
    for case in cases:
        cosines = label_tables.tag_wise_cosines(case.table, case.optimum.prototypes, rule=rule)
        misses.append(1 - sum(cosines) / len(cosines))
    return misses


def _worst_misses(cases: Iterable[Case]) -> list[float]:
    """One less the least cosine of the uniform rule, a case each."""
    return [
        1 - min(label_tables.tag_wise_cosines(case.table, case.optimum.prototypes))
        for case in cases
    ]


def _both(cases) -> list[Case]:  # type: ignore[no-untyped-def]
    return [case for lam_b in _BIASES for case in cases(lam_b)]


def _gram(case: Case) -> Float[Tensor, "K K"]:
    return case.optimum.weight @ case.optimum.weight.T


# --- The abstract --------------------------------------------------------------------------------


def balanced_is_tag_wise() -> Evidence:
    return at_most(_worst_misses(_both(designs)), "one less the least cosine", 1e-6)


def imbalanced_is_not() -> Evidence:
    return at_least(_worst_misses(_both(tails)), "one less the least cosine", 1e-4)


def imbalance_bends() -> Evidence:
    return at_least((etf_misfit(_gram(c)) for c in _both(tails)), "smallest ETF misfit of $W$", 0.1)


def correlation_bends() -> Evidence:
    misfits = (etf_misfit(_gram(case)) for case in _both(couples))
    return at_least(misfits, "smallest ETF misfit of $W$", 0.1)


def weighted_by_counts() -> Evidence:
    return at_most(_misses(_both(tails), "count"), "one less the mean cosine", 1e-2)


def weighted_by_frequencies() -> Evidence:
    return at_most(_misses(_both(tails), "frequency"), "one less the mean cosine", 1e-2)


def uniform_without_bias() -> Evidence:
    return at_most(_misses(tails(_INF)), "one less the mean cosine", 2e-3)


def not_uniform_without_bias() -> Evidence:
    return at_least(_misses(tails(_INF)), "one less the mean cosine", 2e-3)


def not_uniform_with_bias() -> Evidence:
    return at_least(_misses(tails(0.0)), "one less the mean cosine", 2e-3)


def centred_with_bias() -> Evidence:
    cases = tails(0.0)
    pairs = zip(_misses(cases, "frequency_centred"), _misses(cases), strict=True)
    return at_most(
        (centred / uniform for centred, uniform in pairs), "miss, in uniform misses", 0.2
    )


def _pooled(table: LabelTable) -> theory.LabelMoment:
    return theory.label_spectrum(table.labels, table.counts).pooled


def weakest_contrast() -> Evidence:
    """No contrast has a smaller second moment than κ^min, and one has just that."""
    misfits = []
    for seed, table in enumerate(random_tables()):
        kappa, (v, _) = _pooled(table).kappa_min, label_tables.extreme_contrasts(table)
        weights = table.counts / table.samples
        reached = float(weights @ (table.labels @ v).square())
        contrasts = _cases.centring(len(v)) @ _cases.gaussian(len(v), 200, seed=seed)
        others = (weights @ (table.labels @ contrasts).square()) / contrasts.square().sum(0)
        misfits.append(max(kappa - float(others.min()), abs(reached - kappa)))
    return at_most(misfits, "misfit of the least second moment")


def kappa_min_in_the_bound() -> Evidence:
    wrong = 0
    for case in random_cases():
        kappa = _pooled(case.table).kappa_min
        bound = label_tables.one_level_bound(case.table, kappa, lam_w=case.lam_w, lam_h=case.lam_h)
        wrong += bound > case.optimum.objective + 1e-9
    return Evidence(wrong, 0, len(random_cases()), "optima below it")


def kappa_max_in_the_bound() -> Evidence:
    gaps = []
    for case in random_cases():
        kappa = _pooled(case.table).kappa_max
        bound = label_tables.one_level_bound(case.table, kappa, lam_w=case.lam_w, lam_h=case.lam_h)
        gaps.append(bound - case.optimum.objective)
    return at_most(gaps, "largest excess over the optimum", 1e-9)


def kappa_min_bounds_the_logits() -> Evidence:
    """E|Wᵀỹ|² ≥ κ^min |W|² for centred W, in shares of the left side."""
    ratios = []
    for seed, table in enumerate(random_tables()):
        k, weights = table.labels.shape[1], table.counts / table.samples
        weight = _cases.centring(k) @ _cases.gaussian(k, k, seed=seed)
        power = weights @ (table.labels @ weight).square().sum(1)
        ratios.append(float(_pooled(table).kappa_min * weight.square().sum() / power))
    return at_most(ratios, "largest share of the bound", 1 + 1e-9)


@cache
def variations() -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """How the Gram matrix varies at an even table (κ̂ = 1) and at a Zipf one (κ̂ = 0.17)."""
    generator = torch.Generator().manual_seed(0)
    even, skewed = (
        label_tables.gram_deviations(
            label_tables.zipf(5, exponent), samples=600, draws=40, lam=LAM, generator=generator
        )
        for exponent in (0.0, 2.4)
    )
    return even, skewed


def _variation_grows(name: str) -> Evidence:
    groups = even, skewed = [deviations[name] for deviations in variations()]
    # Without any deviation there is nothing to compare.
    growth = fmean(skewed) - fmean(even) if any(even) else math.nan
    half = margin(groups, len(even), len(skewed))
    what = r"mean deviation at $\hat\kappa=0.17$ less that at $\hat\kappa=1$"
    return Evidence(growth, 0.0, len(even) + len(skewed), what, ">=", half)


def whole_gram_is_controlled() -> Evidence:
    return _variation_grows("whole")


def weakest_contrast_is_controlled() -> Evidence:
    return _variation_grows("weakest")


def stability_bound() -> Evidence:
    """Two random maps and random prototypes: their distance in units of the bound."""
    ratios = []
    for seed, table in enumerate(random_tables()):
        k, weights = table.labels.shape[1], table.counts / table.samples
        centred = table.labels @ _cases.centring(k)
        shared = _cases.gaussian(k, k, seed=3 * seed)
        maps = [shared + 0.1 * _cases.gaussian(k, k, seed=3 * seed + i) for i in (1, 2)]
        h = centred @ shared.T
        errors = [float((weights @ (h - centred @ u.T).square().sum(1)).sqrt()) for u in maps]
        gap = float(((maps[0] - maps[1]) @ _cases.centring(k)).norm())
        ratios.append(gap / theory.stability_bound(errors[0], errors[1], _pooled(table).kappa_min))
    return at_most(ratios, "largest distance in units of the bound", 1 + 1e-9)


def stability_attained() -> Evidence:
    """Prototypes at zero, halfway between ±vᵀ with the weakest contrast v."""
    misfits = []
    for table in random_tables():
        v, _ = label_tables.extreme_contrasts(table)
        weights = table.counts / table.samples
        error = float((weights @ (table.labels @ v).square()).sqrt())
        bound = theory.stability_bound(error, error, _pooled(table).kappa_min)
        misfits.append(abs(2 / bound - 1))
    return at_most(misfits, "relative distance from the bound")


def couples_are_tag_wise() -> Evidence:
    return at_most(_worst_misses(_both(couples)), "one less the least cosine", 1e-9)


def _with_singletons(num_classes: int, supports: Iterable[tuple[int, ...]]) -> LabelTable:
    counts = {(k,): 10.0 for k in range(num_classes)} | dict.fromkeys(supports, 40.0)
    return label_tables.make_table(num_classes, counts)


@cache
def symmetric_tables(lam_b: float) -> list[Case]:
    """Three couples, two triples, and the pairs across two halves, of six classes each."""
    couples = [(0, 1), (2, 3), (4, 5)]
    triples = [(0, 1, 2), (3, 4, 5)]
    across = list(product(range(3), range(3, 6)))
    return [
        case_of(_with_singletons(6, supports), 2e-3, lam_b)
        for supports in (couples, triples, across)
    ]


def symmetric_tables_are_tag_wise() -> Evidence:
    cases = [*_both(symmetric_tables), *symmetric_tables(0.05)]
    return at_most(_worst_misses(cases), "one less the least cosine", 1e-9)


def rings_are_not_tag_wise() -> Evidence:
    """Five and six classes, each paired with the next: the rest of a pair has two orbits."""
    rings = [[tuple(sorted((i, (i + 1) % k))) for i in range(k)] for k in (5, 6)]
    cases = [
        case_of(_with_singletons(len(ring), ring), 2e-3, lam_b)
        for ring, lam_b in product(rings, _BIASES)
    ]
    return at_least(_worst_misses(cases), "one less the least cosine", 1e-6)


@cache
def hyperplanes(num_classes: int, lam_b: float = _INF) -> list[Case]:
    """Equal singletons, and hyperplanes of any counts; of four classes these are all pairs."""
    generator = torch.Generator().manual_seed(0)
    points, cases = range(num_classes), []
    planes = [
        tuple(x for x in points if (x & c).bit_count() % 2 == side)
        for c in points[1:]
        for side in (0, 1)
    ]
    for lam in (2e-2, 2e-3, 2e-4):
        table = _with_singletons(num_classes, planes)
        uniform = torch.rand(len(planes), generator=generator, dtype=torch.float64)
        table.counts[num_classes:] = 1 + 100 * uniform**3
        cases.append(case_of(table, lam, lam_b))
    return cases


def pairs_of_four_are_tag_wise() -> Evidence:
    return at_most(_worst_misses(hyperplanes(4)), "one less the least cosine", 1e-9)


def hyperplanes_of_eight_are_tag_wise() -> Evidence:
    return at_most(_worst_misses(hyperplanes(8)), "one less the least cosine", 1e-9)


def hyperplanes_with_bias_are_not() -> Evidence:
    cases = hyperplanes(4, 0.0) + hyperplanes(8, 0.0)
    return at_least(_worst_misses(cases), "one less the least cosine", 1e-3)


def anisotropic_is_not_tag_wise() -> Evidence:
    cases = [*_both(couples), *_both(tails)]
    return at_least(_worst_misses(cases), "smallest miss where no isotropy is", 1e-6)


def bounds_of_synthetic_tables() -> Evidence:
    """Four to eight classes, supports of one to three labels, even and uneven."""
    excess, sizes = [], (1, 2, 3)
    for k in (4, 6, 8):
        tables = [label_tables.zipf(k, 1.5, sizes=sizes)]
        tables += [label_tables.dirichlet(k, 0.2, seed=k)]
        for table, lam_b in product(tables, _BIASES):
            case = case_of(table, 1e-2, lam_b)
            lam_w, lam_h, value = case.lam_w, case.lam_h, case.optimum.objective
            low = theory.lower_bound(
                table.labels, table.counts, lam_w=lam_w, lam_h=lam_h, free_bias=lam_b == 0
            )
            high = theory.upper_bound(table.labels, table.counts, lam_w=lam_w, lam_h=lam_h)
            excess += [low - value, value - high]
    return at_most(excess, "largest violation", 1e-9)


# --- The results of the book ---------------------------------------------------------------------


def trace_identity() -> Evidence:
    misfits = []
    for table in random_tables():
        k = table.labels.shape[1]
        for moment in theory.label_spectrum(table.labels, table.counts):
            m = moment.multiplicity
            misfits.append(abs(float(moment.eigenvalues.sum()) - m * (k - m) / k))
    return at_most(misfits, "misfit of the sum of the eigenvalues")


def isotropic_designs() -> Evidence:
    """Fano lines and three pairs at one class: as few supports as can be."""
    star: dict[tuple[int, ...], float] = {(0, 1): 1.0, (0, 2): 1.0, (0, 3): 1.0}
    wrong = 0
    lines = label_tables.make_table(7, dict.fromkeys(label_tables.FANO_LINES, 1.0))
    for table in (lines, label_tables.make_table(4, star), label_tables.complete(5, {2: 3.0})):
        [moment] = theory.label_spectrum(table.labels, table.counts)
        wrong += not moment.kappa_max - moment.kappa_min < 1e-9
        wrong += not abs(moment.kappa_max - moment.kappa_balanced) < 1e-9
    return Evidence(wrong, 0, 6, "tables that are not isotropic")


def dual_value() -> Evidence:
    misfits = []
    for lam_b in (_INF, 0.0, 0.1):
        for case in random_cases(lam_b):
            p, size = case.optimum.softmax, case.table.multiplicities
            weights = case.table.counts / case.table.samples
            value = float(weights @ (size * -torch.xlogy(p, p).sum(1)))
            if 0 < lam_b < _INF:
                value -= float((weights @ case.optimum.residuals).square().sum()) / (2 * lam_b)
            misfits.append(abs(value / case.optimum.objective - 1))
    return at_most(misfits, "relative distance of dual and optimum")


def dual_feasible() -> Evidence:
    norms = []
    for case in random_cases():
        top = float(torch.linalg.eigvalsh(case.moment)[-1])
        norms.append(math.sqrt(top) / case.theta)
    return at_most(norms, r"largest norm in units of $\theta$", 1 + 1e-3)


def both_bounds() -> Evidence:
    excess = []
    for case in random_cases():
        lam = Decay(lam_w=case.lam_w, lam_h=case.lam_h)
        low = theory.lower_bound(case.table.labels, case.table.counts, **lam)
        high = theory.upper_bound(case.table.labels, case.table.counts, **lam)
        value = case.optimum.objective
        excess += [low - value, value - high]
    return at_most(excess, "largest violation", 1e-9)


def free_bias_bound() -> Evidence:
    excess = []
    for case in random_cases(0.0):
        lam = Decay(lam_w=case.lam_w, lam_h=case.lam_h)
        low = theory.lower_bound(case.table.labels, case.table.counts, **lam, free_bias=True)
        excess.append(low - case.optimum.objective)
    return at_most(excess, "largest violation", 1e-9)


def _gaps(case: Case) -> tuple[float, float]:
    """f* - L and f_bal - f*."""
    lam = Decay(lam_w=case.lam_w, lam_h=case.lam_h)
    value = case.optimum.objective
    low = theory.lower_bound(case.table.labels, case.table.counts, **lam)
    return value - low, theory.upper_bound(case.table.labels, case.table.counts, **lam) - value


def tight_designs() -> Evidence:
    gaps = (max(map(abs, _gaps(case))) for case in designs(_INF))
    return at_most(gaps, "largest gap of either bound", 1e-9)


def tight_only_together() -> Evidence:
    """With all singletons present, neither gap vanishes without the other."""
    gaps = (min(_gaps(case)) for case in tails(_INF))
    return at_least(gaps, "smallest gap of either bound", 1e-4)


def balanced_closed_form() -> Evidence:
    misfits = []
    tables = ((6, {1: 10, 2: 3, 3: 2}), (4, {1: 10, 2: 30}), (5, {2: 4, 4: 1}))
    for (k, sizes), lam, lam_b in product(tables, (2e-2, 2e-3), _BIASES):
        case = case_of(label_tables.complete(k, sizes), lam, lam_b)
        best = theory.balanced_optimum(k, sizes, lam_w=lam, lam_h=case.lam_h)
        centred = _cases.centring(k)
        misfits.append(abs(case.optimum.objective / best.objective - 1))
        misfits.append(misfit(_gram(case), best.scale_squared * centred))
        size = case.table.multiplicities.long().tolist()
        levels = torch.tensor([best.gamma[m] for m in size], dtype=torch.float64)
        expected = levels[:, None] * (case.table.labels @ centred)
        misfits.append(misfit(case.optimum.residuals, expected))
    return at_most(misfits, "relative misfit of the value, of $W$ and of the residuals", 1e-4)


def self_consistent() -> Evidence:
    misfits = []
    for case in random_cases() + random_cases(0.0):
        g, h = case.optimum.residuals, case.optimum.prototypes
        made = g @ (g.T * case.table.counts) @ h / case.theta**2
        misfits.append(misfit(made, h))
    return at_most(misfits, "relative misfit of the synthesis", 1e-3)


def residual_isotropy() -> Evidence:
    misfits = []
    for case in [*random_cases(), *tails(_INF), *tails(0.0)]:
        k = case.table.labels.shape[1]
        if case.optimum.rank == k - 1:
            misfits.append(misfit(case.moment, case.theta**2 * _cases.centring(k)))
    return at_most(misfits, r"relative misfit of $\theta^2 C$ where $W$ has rank $K - 1$", 1e-3)


def trivial_thresholds() -> Evidence:
    """Whether the optimum is zero, 1 % on either side of each threshold."""
    wrong, cases = 0, 0
    for place, lam_b in product(range(6), _BIASES):
        table = random_tables()[place]
        edge = theory.trivial_threshold(table.labels, table.counts, free_bias=lam_b == 0)
        for factor in (0.99, 1.01):
            lam = factor * math.sqrt(edge * table.samples)  # λ_Wλ_H = λ²/N
            zero = float(case_of(table, lam, lam_b).optimum.weight.norm()) < 1e-4
            wrong += zero != (factor > 1)
            cases += 1
    return Evidence(wrong, 0, cases, "optima on the wrong side")


def merging_thresholds() -> Evidence:
    """Exchangeable classes, 1 % on either side; no bias, a free and a penalised one."""
    counts: dict[tuple[int, ...], float] = {(k,): n for k, n in enumerate((100, 100, 60, 5, 5))}
    table = label_tables.make_table(5, counts | {(0, 3): 4.0, (0, 4): 4.0, (3, 4): 9.0})
    edge = float(theory.merging_thresholds(table.labels, table.counts)[3, 4])
    wrong, cases = 0, 0
    for lam_b, factor in product((_INF, 0.0, 0.1), (0.99, 1.01)):
        lam = factor * math.sqrt(edge * table.samples)
        weight = case_of(table, lam, lam_b).optimum.weight
        merged = float((weight[3] - weight[4]).norm()) < 1e-4 * float(weight.norm())
        wrong += merged != (factor > 1)
        cases += 1
    return Evidence(wrong, 0, cases, "optima on the wrong side")


def no_merging() -> Evidence:
    """At optima without a bias, N λ_W λ_H below κ^min: the least distance of two rows."""
    distances = []
    for case in random_cases():
        kappa = _pooled(case.table).kappa_min
        best = case_of(case.table, 0.9 * math.sqrt(kappa)).optimum
        gaps = torch.pdist(best.weight) / best.weight.norm()
        distances.append(float(gaps.min()))
    return at_least(distances, "smallest distance of two rows, relative", 1e-3)


def free_bias_merges() -> Evidence:
    """K = 2, counts 90 and 10, Nλ_Wλ_H = 0.3 < κ^min = 0.5."""
    table = label_tables.make_table(2, {(0,): 90.0, (1,): 10.0})
    weight = case_of(table, math.sqrt(0.3), 0.0).optimum.weight
    spectrum = _pooled(table)
    ratio = float(weight.norm()) if spectrum.kappa_min > 0.3 else math.nan
    return at_most([ratio], r"norm of $W$, $N\mu^2 = 0.6\,\kappa^{\min}$")


def _descend_to_prototype(
    weight: Float[Tensor, "K P"], label: Float[Tensor, " K"], penalty: float
) -> Float[Tensor, " P"]:
    """The feature of a support under a classifier that is held: ℓ(Wh) + penalty/2 |h|²."""
    size = label.sum()

    def value(point: Any) -> tuple[float, Any]:
        h = torch.from_numpy(point)
        z = weight @ h
        loss = size * z.logsumexp(0) - label @ z + penalty / 2 * h @ h
        slope = weight.T @ (size * z.softmax(0) - label) + penalty * h
        return float(loss), slope.numpy()

    end = scipy.optimize.minimize(
        value, torch.zeros(weight.shape[1]).double().numpy(), jac=True, tol=1e-14
    )
    return torch.from_numpy(end.x)


def fixed_etf() -> Evidence:
    """Prototypes descended to one by one, under a classifier that is held."""
    misses, weight = [], 3 * _cases.centring(5)
    for ratio, pairs in ((10, 20.0), (100, 2.0)):
        table = label_tables.long_tailed(5, ratio, pairs=pairs)
        rows = [_descend_to_prototype(weight, y, 1e-3 * table.samples) for y in table.labels]
        misses.append(1 - min(label_tables.tag_wise_cosines(table, torch.stack(rows))))
    return at_most(misses, "one less the least cosine", 1e-9)


def vanishing_no_bias() -> Evidence:
    return _vanishing(_INF, "uniform")


def vanishing_free_bias() -> Evidence:
    return _vanishing(0.0, "frequency_centred")


def _vanishing(lam_b: float, rule: str) -> Evidence:
    """Misses fall with the penalties; the largest ratio of one to the one before."""
    table = label_tables.long_tailed(5, 100, pairs=2)
    misses = _misses([case_of(table, lam, lam_b) for lam in (2e-2, 2e-3, 2e-4, 2e-5)], rule)
    falls = (after / before for before, after in pairwise(misses))
    return at_most(falls, "largest miss over the one at ten times the penalty", 0.9)


def vanishing_gram() -> Evidence:
    """WWᵀ against Γ^{1/2}: relative misfit at λ = 2e-5 over that at 2e-2."""
    ratios = []
    table = label_tables.long_tailed(5, 100, pairs=20)
    spectrum = _pooled(table)
    for lam_b in _BIASES:
        pi, centred = spectrum.frequencies, _cases.centring(5)
        about = torch.outer(pi, pi) if lam_b == 0 else torch.zeros(5, 5).double()
        limit = _cases.root(centred @ (spectrum.second_moment - about) @ centred)
        misfits = []
        for lam in (2e-2, 2e-5):
            gram = _gram(case_of(table, lam, lam_b))
            misfits.append(misfit(gram / gram.norm(), limit / limit.norm()))
        ratios.append(misfits[1] / misfits[0])
    return at_most(ratios, "misfit over that at a thousand times the penalty", 0.7)


# --- Synthesis -----------------------------------------------------------------------------------


def mean_feature() -> Evidence:
    misfits = []
    for case in random_cases(0.0) + random_cases(0.1):
        best = case.optimum
        mean = case.table.counts @ best.prototypes / case.table.samples
        expected = case.lam_b * (best.bias @ best.weight) / (case.table.samples * case.lam_h)
        length = float(best.prototypes.norm(dim=1).max())
        misfits.append(float((mean - expected).norm()) / length if length > 0 else 0.0)
    return at_most(misfits, "distance in lengths of a prototype", 1e-4)


def affine_is_close() -> Evidence:
    """At long tails without a bias, with a penalised and with a free one."""
    misses = []
    for case in tails(_INF) + tails(1e-3) + tails(0.0):
        h, labels = case.optimum.prototypes, case.table.labels
        fit = synthesis_fits(h, labels, counts=case.table.counts)["affine"]
        misses.append(1 - float(fit.cosines.mean()))
    return at_most(misses, "one less the mean cosine", 5e-3)


@cache
def symmetric_designs(lam_b: float) -> list[Case]:
    """The Fano plane, and the biplane of 11 points that the squares modulo 11 make."""
    squares = (1, 3, 4, 5, 9)
    blocks = [tuple(sorted((x + shift) % 11 for x in squares)) for shift in range(11)]
    counts: dict[tuple[int, ...], float] = {(k,): 5.0 for k in range(11)}
    biplane = label_tables.make_table(11, counts | dict.fromkeys(blocks, 30.0))
    plane = label_tables.fano(singletons=10, lines=30)
    return [case_of(table, LAM, lam_b) for table in (plane, biplane)]


def block_etfs() -> Evidence:
    misfits = []
    for case in _both(symmetric_designs):
        for part in case.optimum.prototypes.chunk(2):  # singletons, blocks
            gram = part @ part.T
            misfits.append(
                misfit(gram, gram.trace() / (len(gram) - 1) * _cases.centring(len(gram)))
            )
    return at_most(misfits, "relative misfit of a simplex ETF")


def blocks_are_tag_wise() -> Evidence:
    return at_most(_worst_misses(_both(symmetric_designs)), "one less the least cosine", 1e-9)
