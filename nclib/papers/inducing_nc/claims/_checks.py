"""Evidence on the propositions of "Inducing neural collapse in deep long-tailed learning".

One function a check, named after the statement it tests; ``…_instead`` tests what the theory
chapter proves where the printed statement fails.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import combinations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize, one_hot

from nclib.geometry import pairwise_angles, simplex_etf
from nclib.metrics import measure
from nclib.papers._cases import at_least, at_most, gaussian, misfit
from nclib.papers._claim import Evidence
from nclib.theory import (
    LeastSquares,
    cdnv_bound,
    jensen_shannon,
    least_squares_classifier,
    mixture_jensen_shannon,
    spread_means,
)

_COUNTS = torch.tensor([500.0, 100.0, 30.0, 8.0, 2.0], dtype=torch.float64)
_EVEN = torch.ones(5, dtype=torch.float64)
_DELTA = 0.05
_EXACT = 1e-8  # linear algebra with counts this unequal keeps at least eight digits


def _etf(num_classes: int, dim: int, seed: int = 0) -> Tensor:
    return simplex_etf(num_classes, dim, generator=torch.Generator().manual_seed(seed))


def _counted(wrong: list[bool], quantity: str) -> Evidence:
    return Evidence(float(sum(wrong)), 0, len(wrong), quantity)


def _duality(weight: Tensor, means: Tensor) -> float:
    """Cosine of the classifier and the centred means, as matrices: 1 at NC3."""
    return float(cosine_similarity(weight.flatten(), (means - means.mean(0)).flatten(), dim=0))


# --- Proposition 1: the least-squares classifier --------------------------------------------------


@cache
def _regressions() -> list[tuple[LeastSquares, Tensor, Tensor]]:
    """Equations (8) and (9) on random features, with the features and one-hot labels."""
    cases = []
    for seed, dim in enumerate((2, 4, 7, 60)):
        labels = torch.arange(5).repeat_interleave(torch.tensor([20, 10, 6, 3, 1]))
        noise = gaussian(40, dim, seed=seed)
        features = gaussian(5, dim, seed=seed + 10)[labels] + 0.5 * noise
        targets = one_hot(labels).double()
        counts = targets.sum(0)
        means = targets.T @ features / counts[:, None]
        centre = features.mean(0)
        scatter = (features - centre).T @ (features - centre)
        weight = torch.linalg.pinv(scatter, hermitian=True) @ (means - centre).T * counts
        bias = targets.mean(0) - centre @ weight
        cases.append((LeastSquares(weight.T, bias), features, targets))
    return cases


def prop_1_formula() -> Evidence:
    """(8) and (9) minimise the squared error: against a generic least-squares solver."""
    misfits = []
    for classifier, features, targets in _regressions():
        design = torch.cat([features, torch.ones(len(features), 1).double()], 1)
        fitted = design @ torch.linalg.lstsq(design, targets, driver="gelsd").solution
        misfits.append(misfit(features @ classifier.weight.T + classifier.bias, fitted))
    return at_most(misfits, "relative misfit of the scores", _EXACT)


def prop_1_unique() -> Evidence:
    """(8) is the shortest minimiser: another one is longer wherever there is another."""
    misfits = []
    for classifier, features, targets in _regressions():
        centred = features - features.mean(0)
        weight = torch.linalg.lstsq(centred, targets - targets.mean(0), driver="gelsd").solution
        misfits.append(misfit(classifier.weight, weight.T))
    return at_most(misfits, "relative misfit of the minimum-norm minimiser", _EXACT)


def prop_1_skew() -> Evidence:
    """The conclusion as printed: unequal counts make the majority's weights longer (under NC1)."""
    ratios = []
    for dim in (4, 10):
        norms = least_squares_classifier(_etf(5, dim), _COUNTS).weight.norm(dim=1)
        ratios.append(float(norms[0] / norms[1:].max()) - 1)
    return at_least(ratios, "excess of the largest class's weight norm, collapsed simplex ETF")


def _fitted(means: Tensor, counts: Tensor) -> Tensor:
    """Weights that a generic solver fits to collapsed samples: no formula of ours in it."""
    labels = torch.arange(len(means)).repeat_interleave(counts.long())
    features, targets = means[labels], one_hot(labels).double()
    centred = features - features.mean(0)
    cut = 1e-10  # above the rounding of the mean, far below what the means differ by
    fit = torch.linalg.lstsq(centred, targets - targets.mean(0), driver="gelsd", rcond=cut)
    return fit.solution.T


def prop_1_skew_instead() -> Evidence:
    """Under NC1 and affinely independent means the classifier does not depend on the counts."""
    misfits = []
    for seed in range(10):
        means = gaussian(5, 4 + seed % 3, seed=seed)
        dual = torch.linalg.pinv((means - means.mean(0)).T)
        for counts in (_COUNTS, _EVEN):
            classifier = least_squares_classifier(means, counts)
            misfits.append(misfit(_fitted(means, counts), dual))
            misfits.append(misfit(classifier.weight, dual))
            misfits.append(misfit(classifier.bias, 1 / 5 - dual @ means.mean(0)))
    return at_most(misfits, "relative distance of $W$ and $b$ from the pseudo-inverse's", _EXACT)


def _noisy_simplex(counts: Tensor, deviation: float) -> Tensor:
    """Rows of the classifier for a simplex ETF with isotropic noise, in closed form.

    With M⊤M = aC, p_k ∝ s_k = π_k/(π_k + σ²/a): w_k = (s_k/a)(m_k − Σ_l p_l m_l).
    """
    etf = _etf(len(counts), len(counts) - 1)
    square = len(counts) / (len(counts) - 1)  # a, at unit norms
    prior = counts / counts.sum()
    shares = prior / (prior + deviation**2 / square)
    return shares[:, None] / square * (etf - shares @ etf / shares.sum())


_LONG_TAILS = (
    _COUNTS,
    torch.tensor([40.0, 35.0, 25.0], dtype=torch.float64),
    torch.tensor([90.0, 1.2, 1.1, 1.0], dtype=torch.float64),
)


def prop_1_noise_formula() -> Evidence:
    """At a simplex ETF with isotropic noise the closed form minimises the penalised error."""
    slopes = []
    for counts in _LONG_TAILS:
        etf, prior = _etf(len(counts), len(counts) - 1), counts / counts.sum()
        for deviation in (0.1, 1.0, 30.0):
            weight = _noisy_simplex(counts, deviation).requires_grad_()
            errors = (etf - prior @ etf) @ weight.T - torch.eye(len(counts)) + prior
            fit = (prior[:, None] * errors.square()).sum() / 2
            loss = fit + deviation**2 / 2 * weight.square().sum()
            (slope,) = torch.autograd.grad(loss, weight)
            slopes.append(float(slope.norm()))
            solved = least_squares_classifier(etf, counts, within=deviation**2).weight
            slopes.append(misfit(solved, weight.detach()))
    return at_most(slopes, "slope at the closed form, and the misfit of the solver", _EXACT)


def prop_1_skew_noise() -> Evidence:
    """Isotropic noise at a simplex ETF, K > 2: the more frequent the class, the longer its row."""
    ratios = []
    for counts in _LONG_TAILS:
        for deviation in (0.1, 0.3, 1.0, 30.0):
            etf = _etf(len(counts), len(counts) - 1)
            norms = least_squares_classifier(etf, counts, within=deviation**2).weight.norm(dim=1)
            ratios.append(float((norms[:-1] / norms[1:]).min()) - 1)
    return at_least(
        ratios,
        r"excess of a class's weight norm over the next rarer one's, $\sigma = 0.1$ to $30$",
        1e-4,
    )


def prop_1_skew_close() -> Evidence:
    """Other means: where the most frequent class stands in the middle, its row is the shortest."""
    means = torch.tensor([[0.0, 0.1], [1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    counts = torch.tensor([40.0, 30.0, 30.0], dtype=torch.float64)
    weight = least_squares_classifier(means, counts, within=30.0**2).weight
    side = 0.3 * math.hypot(1, 0.04)  # π_k‖μ_k − h̄‖, with h̄ = (0, 0.04)
    limit = torch.tensor([0.4 * 0.06, side, side], dtype=torch.float64)
    return at_most(
        [misfit(30.0**2 * weight.norm(dim=1), limit)],
        r"relative distance of $\sigma^2\|w_k\|$ from $(0.024, 0.3, 0.3)$, means $(0, 0.1)$, "
        r"$(\pm 1, 0)$, $\sigma = 30$",
        1e-2,
    )


# --- Proposition 2: class-distance normalised variance --------------------------------------------


def violations(count: int, trials: int, *, deviation: float = 0.5, seed: int = 0) -> float:
    """Share of samples with V^T > V^S where class k is known exactly and k′ has ``count`` samples.

    Two of four classes at a simplex ETF in three dimensions, isotropic Gaussian features. With
    n_k = ∞ the printed A and B vanish, so that (10) claims V^T ≤ V^S at every level δ.
    """
    means = _etf(4, 3)
    samples = means[1] + deviation * gaussian(trials, count, 3, seed=seed)
    centres = samples.mean(1)
    spread = (samples - centres[:, None]).square().sum(-1).mean(1)
    true = 3 * deviation**2
    source = (true + spread) / (means[0] - centres).square().sum(1)
    target = 2 * true / (means[0] - means[1]).square().sum()
    return float((target > source).double().mean())


def prop_2_printed() -> Evidence:
    """(10) with its n_k taken to infinity, n_k′ small."""
    return at_most(
        (violations(count, 4000) for count in (2, 5, 20)),
        r"share of samples that violate (10) at $\delta = 5\,\%$, $n_k = \infty$, "
        r"$n_{k'} = 2, 5, 20$: up to",
        _DELTA,
    )


# Two points on a line, ±1, the farther one with a share of (1 − √½)/2: of all variables in [−1, 1]
# this one's squared distance to its mean varies the most (its variance is 1).
_RARE = (1 - math.sqrt(0.5)) / 2
_PAIRS = ((1000, 1000), (1_000_000, 1000), (100_000, 100_000))


@cache
def _two_points(counts: tuple[int, int], trials: int = 2000) -> list[tuple[float, list[float]]]:
    """Distance of the sample means and the two variances, for classes that mirror each other."""
    draws = np.random.default_rng(counts[1]).binomial(counts, _RARE, (trials, 2)) / counts
    distances = 2 * (1 - draws.sum(1))
    return [
        (distance, variances)
        for distance, variances in zip(
            distances.tolist(), (4 * draws * (1 - draws)).tolist(), strict=True
        )
    ]


def _shares_above(scale: int) -> list[float]:
    """Share of samples with V^T above the bound that takes the counts for ``scale`` times larger.

    Every term of the bound goes as 1/√n or 1/n, so a scale of 100 makes them a tenth or less.
    """
    target = 4 * _RARE * (1 - _RARE) / (2 * (1 - 2 * _RARE)) ** 2
    shares = []
    for counts in _PAIRS:
        samples = _two_points(counts)
        larger = [scale * n for n in counts]
        wrong = sum(
            target > cdnv_bound(distance, variances, larger, radius=1.0, delta=_DELTA)
            for distance, variances in samples
        )
        shares.append(wrong / len(samples))
    return shares


def prop_2_instead() -> Evidence:
    """The corrected bound: exceeded in at most a share δ of the samples."""
    return at_most(
        _shares_above(1), r"share of samples above the corrected bound, $\delta = 5\,\%$", _DELTA
    )


def prop_2_constants() -> Evidence:
    """Its terms are needed: a tenth of them is exceeded in more than a share δ of the samples."""
    shares = zip(_shares_above(100), _shares_above(1), strict=True)
    return at_least(
        (tenth - whole for tenth, whole in shares),
        "rise of that share with terms a tenth as large",
        2 * _DELTA,
    )


# --- Equation (12): the divergence of the domains -------------------------------------------------


@cache
def _shifts() -> list[tuple[float, float]]:
    """Jensen-Shannon divergences over features and over labels, for mixtures under label shift."""
    pairs = []
    for weights in ((10.0, 10.0, 1.0, 1.0), (27.0, 9.0, 3.0, 1.0)):
        source, target = torch.tensor(weights).double(), torch.ones(4).double()
        for deviation in (3.0, 1.0, 0.5, 0.3):
            over_features = mixture_jensen_shannon(_etf(4, 3), deviation, source, target)
            pairs.append((over_features, jensen_shannon(source, target)))
    return pairs


def eq_12_printed() -> Evidence:
    """d_JS of the features at least that of the labels."""
    return _counted([z < y for z, y in _shifts()], "Gaussian mixtures that violate (12)")


def eq_12_instead() -> Evidence:
    """The other way round, by data processing."""
    return _counted([z > y for z, y in _shifts()], "Gaussian mixtures with $d_{JS}(Z) > d_{JS}(Y)$")


def eq_12_collapse() -> Evidence:
    """Collapse attains the maximum: the gap closes as σ → 0."""
    source, target = torch.tensor([27.0, 9.0, 3.0, 1.0]).double(), torch.ones(4).double()
    collapsed = mixture_jensen_shannon(_etf(4, 3), 0.1, source, target)
    gap = abs(collapsed - jensen_shannon(source, target))
    return at_most([gap], r"gap between $d_{JS}(Z)$ and $d_{JS}(Y)$ at $\sigma = 0.1$", 1e-6)


def eq_12_merged() -> Evidence:
    """Minority collapse attains it just as well: merged classes that share π^S/π^T."""
    means = _etf(4, 3)
    means[2:] = means[2:].mean(0)
    source, target = torch.tensor([10.0, 10.0, 1.0, 1.0]).double(), torch.ones(4).double()
    gap = abs(mixture_jensen_shannon(means, 0.1, source, target) - jensen_shannon(source, target))
    return at_most([gap], r"gap at $\sigma = 0.1$ with the two rare classes merged into one", 1e-6)


def eq_12_unlike() -> Evidence:
    """But not merged classes that differ in π^S/π^T: the divergence falls."""
    means = _etf(4, 3)
    means[2:] = means[2:].mean(0)
    source, target = torch.tensor([27.0, 9.0, 3.0, 1.0]).double(), torch.ones(4).double()
    gap = jensen_shannon(source, target) - mixture_jensen_shannon(means, 0.1, source, target)
    return at_least(
        [gap], r"gap at $\sigma = 0.1$ with the classes of 3 and of 1 merged into one", 1e-3
    )


# --- Proposition 3 and the regulariser L_B --------------------------------------------------------


@cache
def planar_best(points: int = 48) -> float:
    """No four vectors in the plane have a smaller largest cosine than this.

    The least one over all placements on a circle's grid, less what the grid can miss: rounded to
    it, two vectors turn by at most a step against each other, and the cosine's slope is at most 1.
    """
    step = 2 * math.pi / points
    others = torch.tensor(list(combinations(range(1, points), 3)))
    places = torch.cat([torch.zeros(len(others), 1), others], 1).double()
    cosines = (step * (places[:, :, None] - places[:, None, :])).cos()
    return float((cosines - 4 * torch.eye(4)).flatten(1).amax(1).min()) - step


@cache
def _widest(num_classes: int, dim: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    starts, steps = (2, 300) if num_classes > 20 else (8, 600)
    return spread_means(num_classes, dim, starts=starts, steps=steps, generator=generator)[0]


def _nearest(means: Tensor) -> Tensor:
    """Angle of each centred mean to its nearest other one, in degrees."""
    return pairwise_angles(means).fill_diagonal_(360.0).amin(1)


def _ideal(num_classes: int) -> float:
    return math.degrees(math.acos(-1 / (num_classes - 1)))


def prop_3_printed() -> Evidence:
    """For n vectors, whatever their dimension, −1/(n−1) can be reached."""
    return at_most(
        [planar_best() + 1 / 3], "least excess over $-1/3$, four vectors in the plane", 1e-3
    )


def prop_3_instead() -> Evidence:
    """With P ≥ n − 1: simplex ETFs reach it, and no vectors fall below it."""
    excess = []
    for size in range(3, 9):
        cosines = _etf(size, size - 1) @ _etf(size, size - 1).T - 2 * torch.eye(size)
        excess.append(abs(float(cosines.max()) + 1 / (size - 1)))
        for seed in range(40):  # any vectors, then others close to a simplex ETF
            noise = gaussian(size, size, seed=seed)
            vectors = noise if seed < 20 else _etf(size, size, seed) + 1e-4 * noise
            unit = normalize(vectors, dim=1)
            largest = float((unit @ unit.T - 2 * torch.eye(size)).max())
            excess.append(max(0.0, -1 / (size - 1) - largest))
    return at_most(excess, "misfit of the simplex ETF, or how far below it others fall", 1e-12)


def lb_optimum() -> Evidence:
    """P ≥ K − 1: at L_B's optimum every angle is arccos(−1/(K−1))."""
    misfits = []
    for size, dim in ((3, 2), (5, 4), (5, 7), (10, 9)):
        away = pairwise_angles(_widest(size, dim)) - _ideal(size)
        misfits.append(float(away.fill_diagonal_(0).abs().max()))
    return at_most(
        misfits, r"largest deviation of an angle from $\arccos(-1/(K-1))$, in degrees", 5e-4
    )


def _leaning(size: int, lean: float) -> Tensor:
    """One vector with the cosine −lean to all others, which are as wide as that leaves room for."""
    around = torch.cat([torch.zeros(size - 1, 1), _etf(size - 1, size - 2)], 1)
    others = math.sqrt(1 - lean**2) * around
    others[:, 0] = -lean
    first = torch.zeros(1, size - 1, dtype=torch.float64)
    first[0, 0] = 1
    return torch.cat([first, others])


def lb_bound() -> Evidence:
    """The average nearest angle is at most α_K − (largest − α_K)₊/(K − 2), whatever the vectors.

    Random ones, optimised ones, and those for which the bound is exact to first order.
    """
    wrong = []
    for size, dim in ((3, 2), (5, 3), (5, 4), (10, 7)):
        cases = [gaussian(size, dim, seed=seed) for seed in range(50)] + [_widest(size, dim)]
        nearest = [_nearest(means) for means in cases]
        for lean in (1e-4, 1e-3, 1e-2, 0.1):
            vectors = _leaning(size, 1 / (size - 1) + lean)
            angles = pairwise_angles(vectors, centre=False).fill_diagonal_(360.0)
            nearest.append(angles.amin(1))
        for angles in nearest:
            excess = max(0.0, float(angles.max()) - _ideal(size))
            wrong.append(float(angles.mean()) > _ideal(size) - excess / (size - 2) + 1e-6)
    return _counted(wrong, "configurations with a larger average than the bound")


def lb_narrow() -> Evidence:
    """L_B leads every pair to −1/(K−1), as printed; the paper uses it with K = 100, d = 64."""
    wrong = [
        float(_nearest(_widest(size, dim)).min()) < _ideal(size) - 0.1
        for size, dim in ((100, 64), (10, 7), (5, 3))
    ]
    return _counted(
        wrong, "optimised configurations $(K, P) = (100, 64), (10, 7), (5, 3)$ with a smaller angle"
    )


def lb_equal_norms() -> Evidence:
    """Centred means at L_B's optimum have equal norms (P ≥ K − 1)."""
    spreads = []
    for size, dim in ((3, 2), (5, 4), (5, 7), (10, 9)):
        norms = _widest(size, dim).norm(dim=1)
        spreads.append(float(norms.max() / norms.min()) - 1)
    return at_most(spreads, "relative difference of the largest and the smallest norm", 5e-4)


# --- Proposition 4: self-duality ------------------------------------------------------------------


def prop_4_printed() -> Evidence:
    """NC1, NC2 and class-balanced sampling: W is parallel to the centred means."""
    return at_most(
        (
            1 - _duality(least_squares_classifier(m, _EVEN).weight, m)
            for m in (_etf(5, dim, seed=dim) for dim in (4, 5, 9))
        ),
        "one minus the cosine of $W$ and the centred means",
        _EXACT,
    )


def prop_4_instead() -> Evidence:
    """The same without class-balanced sampling."""
    return at_most(
        (
            1 - _duality(least_squares_classifier(m, _COUNTS).weight, m)
            for m in (_etf(5, dim, seed=dim) for dim in (4, 5, 9))
        ),
        "one minus the cosine of $W$ and the centred means, counts 500 to 2",
        _EXACT,
    )


def prop_4_converse() -> Evidence:
    """Given NC1 and affinely independent means, no other means than a simplex ETF have NC3."""
    effects = []
    for seed in range(10):
        means = _etf(5, 6, seed=seed) + 0.3 * gaussian(5, 6, seed=seed)
        effects.append(1 - _duality(least_squares_classifier(means, _EVEN).weight, means))
    return at_least(effects, "one minus the cosine of $W$ and the means, off the simplex ETF", 1e-3)


def prop_4_factor() -> Evidence:
    """Its proof has W_r = (n/K)(M̄ᵀ)^†, since Σ_T is taken without the factor n/K."""
    means = 2 * _etf(5, 4)
    counts = torch.full((5,), 20.0, dtype=torch.float64)
    weight = least_squares_classifier(means, counts).weight
    printed = 20 * torch.linalg.pinv((means - means.mean(0)).T)
    return at_most([misfit(printed, weight)], "relative misfit of the printed factor, $n/K = 20$")


def _decisions(*, bias: bool) -> float:
    """Share of collapsed samples on which W (and b) decides as the nearest mean does."""
    etf = _etf(5, 4)
    means = etf + 3 * etf[-1]  # not centred: an ETF about another point
    labels = torch.arange(5).repeat_interleave(_COUNTS.long())
    weight, offset = least_squares_classifier(means, _COUNTS)
    nc4 = measure(means[labels], labels, weight=weight, bias=offset if bias else None).nc4
    return float("nan") if nc4 is None else nc4


def nc4_printed() -> Evidence:
    """(6) at NC1, NC2 and NC3: the classifier without a bias decides as the nearest mean."""
    return at_least([_decisions(bias=False)], "share of agreeing samples, means not centred", 0.999)


def nc4_instead() -> Evidence:
    """With b_LS, the decisions are those of the nearest class mean."""
    return at_least([_decisions(bias=True)], "share of agreeing samples with $b_{LS}$", 0.999)
