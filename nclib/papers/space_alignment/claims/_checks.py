"""The checks: exponents of classifiers, certified optima, and what theory says of them.

A formula is tested against errors that are integrated in the plane, against searches that know no
formula, or at certified optima.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise

import numpy as np
import scipy
import torch
from jaxtyping import Float
from torch import Tensor

from nclib import theory
from nclib.data import long_tail_sizes
from nclib.papers import _cases
from nclib.papers._cases import at_least, at_most, etf_misfit
from nclib.papers._claim import Evidence
from nclib.papers.space_alignment import classifiers
from nclib.papers.space_alignment.classifiers import Classifier, make_classifier

ROUNDING = 1e-9
_DEGREES = (0, 20, 45, 70, 89)
_SIZES = (2, 3, 5, 10, 30)
_SIGMAS = (0.3, 0.1, 0.03, 0.005)


def exponent(classifier: Classifier) -> float:
    """β, of all the classifiers here."""
    return theory.error_exponent(*classifier).overall


def _around_nearest_mean(num_classes: int, dim: int, *, noise: float, seed: int) -> Classifier:
    """Random means, and a classifier that is not quite that of the nearest mean."""
    means = _cases.gaussian(num_classes, dim, seed=seed)
    change = noise * _cases.gaussian(num_classes, dim + 1, seed=seed + 1)
    _, weight, bias = classifiers.nearest_mean(means)
    return Classifier(means, weight + change[:, :-1], bias + change[:, -1])


@cache
def planar() -> list[Classifier]:
    """Random classifiers of three to five means in the plane, none of them misclassified."""
    drawn = (_around_nearest_mean(3 + s % 3, 2, noise=0.1, seed=2 * s) for s in range(10))
    return [c for c in drawn if not bool(c.exponents.misclassified.any())]


@cache
def exact_errors() -> list[tuple[Classifier, float, float]]:
    """They with a noise and the logarithm of their error, integrated."""
    return [(c, s, classifiers.planar_log_error(c, s)) for c in planar() for s in _SIGMAS]


def random_simplex(num_classes: int, dim: int, seed: int) -> Float[Tensor, "K P"]:
    """A simplex ETF in a random position."""
    rotation = _cases.orthogonal(dim, seed)[: num_classes - 1]
    return classifiers.simplex(num_classes) @ rotation


# --- The exponent and the bounds -----------------------------------------------------------------


def exponent_of_exact_errors() -> Evidence:
    """−σ² log P_e is as near β as the two bounds of the theorem put it."""
    excesses = []
    for classifier, sigma, log_error in exact_errors():
        beta, k = exponent(classifier), len(classifier.means)
        reached = -(sigma**2) * log_error
        ratio = max(math.sqrt(2 * beta), 1e-300) / sigma
        above = math.log(k) + math.log(math.sqrt(2 * math.pi) * (ratio + 1 / ratio))
        below = math.log((k - 1) / 2)
        excesses += [beta - sigma**2 * below - reached, reached - beta - sigma**2 * above]
    return at_most(excesses, "excess over the bounds", ROUNDING)


def two_sided_bound() -> Evidence:
    excesses = []
    for classifier, sigma, log_error in exact_errors():
        chance = theory.error_probability(*classifier, sigma=sigma, samples=2)
        excesses += [chance.log_lower - log_error, log_error - chance.log_upper]
    return at_most(excesses, "excess over the bounds, logarithms", ROUNDING)


def sampled_errors() -> Evidence:
    """Against the integral, at noise at which samples with two rivals are frequent."""
    misses = []
    generator = torch.Generator().manual_seed(0)
    for classifier in planar():
        exact = math.exp(classifiers.planar_log_error(classifier, 1.0))
        chance = theory.error_probability(*classifier, sigma=1.0, samples=2000, generator=generator)
        spread = chance.standard_error + ROUNDING * exact
        misses.append(abs(chance.estimate - exact) / spread)
    return at_most(misses, "distance in standard errors", 5.0)


def truncated_bound_fails() -> Evidence:
    """Two means on the wrong sides: the sum of Q over truncated distances is half."""
    means = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    exponents = theory.error_exponent(means, -means)
    distances = (2 * exponents.per_class).sqrt()
    truncated = float((0.5 * torch.special.erfc(distances / 0.3 / math.sqrt(2))).mean())
    errors = theory.error_probability(means, -means, sigma=0.3, samples=2).estimate
    return at_least([errors - truncated], "excess of the error over that sum", 0.4)


# --- The optimum ---------------------------------------------------------------------------------


def simplex_attains() -> Evidence:
    misfits = []
    for k in _SIZES:
        means = classifiers.simplex(k)
        misfits.append(abs(exponent(make_classifier(means, means)) - k / (4 * (k - 1))))
    return at_most(misfits, "misfit of the exponent", ROUNDING)


@cache
def widest(num_classes: int, dim: int) -> Float[Tensor, "K P"]:
    """Means in the unit ball with the largest least distance that a search reaches."""
    upper = np.triu_indices(num_classes, 1)

    def points(x: np.ndarray) -> np.ndarray:
        return x[:-1].reshape(num_classes, dim)

    def slack(x: np.ndarray) -> np.ndarray:
        p = points(x)
        pairs = ((p[upper[0]] - p[upper[1]]) ** 2).sum(1) - x[-1]
        return np.concatenate([pairs, 1 - (p**2).sum(1)])

    best = np.zeros(num_classes * dim + 1)
    for seed in range(4):
        start = np.append(0.5 * np.random.default_rng(seed).normal(size=num_classes * dim), 0.0)
        limits = {"type": "ineq", "fun": slack}
        result = scipy.optimize.minimize(
            lambda x: -x[-1], start, constraints=limits, method="SLSQP"
        )
        if slack(result.x).min() > -1e-8 and result.x[-1] > best[-1]:
            best = result.x
    return torch.from_numpy(points(best).copy())


def searches_reach_no_more() -> Evidence:
    """With K − 1 dimensions the formula, with fewer a quarter; each is reached and not exceeded."""
    misfits = []
    for k, dim, optimum in ((3, 2, 3 / 8), (4, 3, 1 / 3), (4, 2, 1 / 4), (5, 3, 1 / 4)):
        reached = exponent(classifiers.nearest_mean(widest(k, dim)))
        misfits.append(abs(reached - optimum))
    return at_most(misfits, "difference of the optimum and what a search reaches", 1e-5)


def circle_of_ten() -> Evidence:
    """Ten means on a circle fall short of the formula of ten classes."""
    turns = 2 * math.pi * torch.arange(10, dtype=torch.float64) / 10
    means = torch.stack([turns.cos(), turns.sin()], 1)
    reached = exponent(make_classifier(means, means))
    expected = math.sin(math.pi / 10) ** 2 / 2
    return at_most([abs(reached - expected)], r"misfit of $\frac12\sin^2(\pi/10)=.048$", ROUNDING)


def simplex_distances() -> Evidence:
    misfits = []
    for k in _SIZES:
        means = random_simplex(k, k + 1, seed=k)
        apart = torch.pdist(means) - math.sqrt(2 * k / (k - 1))
        exponents = theory.error_exponent(means, means).per_class
        halves = (2 * exponents).sqrt() - math.sqrt(k / (2 * (k - 1)))
        misfits += [float(apart.abs().max()), float(halves.abs().max())]
    return at_most(misfits, "misfit of a distance", ROUNDING)


def nearest_mean_is_optimal() -> Evidence:
    """The formula, and classifiers near it and far from it, none of which exceeds it."""
    excesses = []
    for seed in range(30):
        k, dim = 3 + seed % 4, 2 + seed % 3
        best = exponent(_around_nearest_mean(k, dim, noise=0.0, seed=seed))
        means = _cases.gaussian(k, dim, seed=seed)
        excesses.append(abs(best - float(torch.pdist(means).min()) ** 2 / 8))
        for noise in (1.0, 0.1, 0.01):
            rival = _around_nearest_mean(k, dim, noise=noise, seed=seed)
            excesses.append(exponent(rival) - best)
    return at_most(excesses, "excess over the classifier of the nearest mean", ROUNDING)


def nearest_mean_is_not_unique() -> Evidence:
    """Means at 0, 1 and 4: the boundary of the last two may move, and the middle one gains none."""
    means = torch.tensor([[0.0], [1.0], [4.0]], dtype=torch.float64)
    best = classifiers.nearest_mean(means)
    moved = best._replace(bias=best.bias + torch.tensor([0.0, 0.0, 3.0]).double())
    before, after = (theory.error_exponent(*classifier) for classifier in (best, moved))
    gain = float(after.per_class[2] - before.per_class[2])
    return at_least([gain - abs(after.overall - before.overall)], "gain of the last class", 0.5)


def power_diagram_is_optimal() -> Evidence:
    """The formula, and classifiers near it and far from it, none of which exceeds it."""
    excesses = []
    for seed in range(30):
        k, dim = 3 + seed % 4, 1 + seed % 4
        means, sizes = _cases.gaussian(k, dim, seed=seed), _cases.gaussian(k, seed=seed + 1).exp()
        pairs = torch.triu_indices(k, k, 1)
        tau = float((torch.pdist(means) / sizes[pairs].sum(0)).min())
        bias = (tau**2 * sizes.square() - means.square().sum(1)) / 2
        for noise in (0.0, 0.01, 0.1, 1.0):
            change = noise * _cases.gaussian(k, dim + 1, seed=seed + 2)
            rival = means + change[:, :-1], bias + change[:, -1]
            reached = theory.error_exponent(means, *rival, within=sizes.square()).overall
            excess = 2 * reached / tau**2 - 1
            excesses.append(excess if noise else abs(excess))
    return at_most(excesses, "excess over half the square, relative", ROUNDING)


# --- Misalignment --------------------------------------------------------------------------------


def tilts_have_the_formula() -> Evidence:
    misfits = [
        exponent(classifiers.tilted(k, math.radians(degrees)))
        - math.cos(math.radians(degrees)) ** 2 * k / (4 * (k - 1))
        for k in _SIZES
        for degrees in _DEGREES
    ]
    return at_most(map(abs, misfits), "misfit of the exponent", ROUNDING)


def mean_cosine_bounds() -> Evidence:
    """Random simplex classifiers of random simplex means, with random biases."""
    excesses = []
    for seed in range(60):
        k = 2 + seed % 4
        dim = k - 1 + seed % 5
        means, other = (random_simplex(k, dim, seed=2 * seed + i) for i in range(2))
        # Between the means and a random position, made a simplex ETF again.
        mixed = (seed % 3) * means + other
        left, _, right = torch.linalg.svd(mixed, full_matrices=False)
        rank = k - 1
        weight = math.sqrt(k / (k - 1)) * left[:, :rank] @ right[:rank]
        bias = 0.1 * (seed % 2) * _cases.gaussian(k, seed=seed)
        cosine = float((weight * means).sum(1).mean())
        reached = exponent(Classifier(means, weight, bias))
        excesses.append(reached - max(cosine, 0.0) ** 2 * k / (4 * (k - 1)))
    return at_most(excesses, "excess over the bound", ROUNDING)


def rotations_in_the_plane() -> Evidence:
    misfits = []
    for degrees in (0, 20, 45, 59, 75):
        reached = exponent(classifiers.turned(3, math.radians(degrees)))
        misfits.append(abs(reached - max(math.cos(math.radians(degrees + 30)), 0.0) ** 2 / 2))
    return at_most(misfits, r"misfit of $\frac12\cos^2(\varphi+30°)$", ROUNDING)


def best_rotations() -> Evidence:
    """Those of Paley's tournaments have the formula, and no rotation in a random position more."""
    misfits = []
    for degrees in (20, 45, 80):
        angle = math.radians(degrees)
        for k in (3, 7, 11, 19):
            share = max(math.cos(angle) - math.sin(angle) / math.sqrt(k), 0.0) ** 2
            bound = share * k / (4 * (k - 1))
            misfits.append(abs(exponent(classifiers.evenly_turned(k, angle)) - bound))
            for seed in range(4):
                turned = classifiers.turned(k, angle, seed=seed)
                misfits.append(exponent(turned) - bound)
    return at_most(misfits, "misfit of the best, and excess of the others", ROUNDING)


def rotations_cost_more() -> Evidence:
    """By how much less a rotation leaves, in shares of the tilt's exponent."""
    losses = []
    for k in (3, 5, 11):
        for degrees in (20, 45):
            tilt = exponent(classifiers.tilted(k, math.radians(degrees)))
            turn = exponent(classifiers.turned(k, math.radians(degrees)))
            losses.append(1 - turn / max(tilt, 1e-300))
    return at_least(losses, "share lost beyond that of a tilt", 0.1)


@cache
def simplices_at(degrees: float) -> list[Classifier]:
    """Three classes in space: every simplex classifier at that angle that searches reach."""
    cosine = math.cos(math.radians(degrees))
    means = torch.cat([classifiers.simplex(3), torch.zeros(3, 1)], 1).double()
    flat = means[:, :2].numpy()

    def misfit(x: np.ndarray) -> np.ndarray:
        frame = x.reshape(3, 2)
        gram = frame.T @ frame - np.eye(2)
        angles = (flat @ frame.T * means.numpy()).sum(1) - cosine
        return np.concatenate([gram[np.triu_indices(2)], angles])

    reached = []
    for seed in range(6):
        start = np.random.default_rng(seed).normal(size=6)
        result = scipy.optimize.least_squares(misfit, start, xtol=1e-15, ftol=1e-15, gtol=1e-15)
        if result.cost < 1e-20:
            weight = torch.from_numpy(flat @ result.x.reshape(3, 2).T)
            reached.append(make_classifier(means, weight))
    return reached


def too_little_room() -> Evidence:
    """K = 3, P = 3: none reaches the formula, each has the exponent of the rotation."""
    expected = math.cos(math.radians(50)) ** 2 / 2
    misfits = (abs(exponent(c) - expected) for c in simplices_at(20))
    return at_most(misfits, r"misfit of $\frac12\cos^2 50°=.20659$ (formula: $.33113$)", 1e-6)


def least_cosine_is_no_bound() -> Evidence:
    """Three simplex classes with unequal biases, and the best classifier of these cosines."""
    cosines = torch.tensor([0.737, 0.813, 0.285], dtype=torch.float64)
    bias = torch.tensor([0.0, -0.115, 0.131], dtype=torch.float64)
    candidates = [classifiers.three_at(cosines, 0.01 * skew) for skew in range(-25, 26)]
    reached = (exponent(c._replace(bias=bias)) for c in candidates if c is not None)
    best = max(reached, default=0.0)
    excess = best - 0.285**2 * 3 / 8
    return at_least([excess], r"excess over $[\min_k\cos\varphi_k]_+^2K/(4(K-1))$", 0.01)


# --- Common shifts -------------------------------------------------------------------------------


def _shifts() -> list[tuple[Classifier, Classifier]]:
    pairs = []
    for k in (3, 5, 10):
        means = torch.cat([classifiers.simplex(k), torch.zeros(k, 1)], 1).double()
        shift = torch.zeros(k, dtype=torch.float64)
        shift[-1] = 1.0
        aligned = make_classifier(means, means)
        pairs.append((aligned, aligned.shifted(shift)))
    return pairs


def shifts_change_no_exponent() -> Evidence:
    pairs = _shifts() + [
        (c, c.shifted(_cases.gaussian(2, seed=seed))) for seed, c in enumerate(planar())
    ]
    misfits = (abs(exponent(before) - exponent(after)) for before, after in pairs)
    return at_most(misfits, "change of the exponent", ROUNDING)


def shifts_change_the_raw_cosine() -> Evidence:
    falls = [
        float((c.cosines(centre=False) - moved.cosines(centre=False)).min())
        for c, moved in _shifts()
        if abs(exponent(moved) - exponent(c)) < ROUNDING
    ]
    return at_least(falls, "fall of the raw cosine at the same exponent", 0.25)


# --- Certified optima of unequal classes ---------------------------------------------------------


@cache
def trained(ratio: float, num_classes: int = 10, lam: float = 0.03) -> Classifier:
    """The certified optimum of cross-entropy in a long tail, without a bias; longest mean 1."""
    counts = long_tail_sizes(num_classes, ratio)
    best = _cases.solve_to_gap(
        torch.eye(num_classes, dtype=torch.float64),
        counts,
        lam_w=2 * lam,
        lam_h=2 * lam / float(counts.sum()),
        lam_b=math.inf,
        loss="ce",
    )
    unit = best.means.norm(dim=1).max()
    return make_classifier(best.means / unit, best.weight)


def balanced_is_aligned() -> Evidence:
    misfits = []
    for k, lam in ((3, 0.03), (5, 0.01), (10, 0.03)):
        means, weight, _ = classifier = trained(1.0, k, lam)
        misfits += [etf_misfit(means @ means.T), etf_misfit(weight @ weight.T)]
        misfits.append(1 - float(classifier.cosines().min()))
    return at_most(misfits, "misfit of the simplex ETF, and one less the cosine")


def imbalanced_is_no_simplex() -> Evidence:
    misfits = [etf_misfit(rows @ rows.T) for r in (10.0, 100.0) for rows in trained(r)[:2]]
    return at_least(misfits, "smallest misfit of the simplex ETF", 0.1)


def steps_of_repair() -> Evidence:
    """Directions, norms and bias, in this order, at the ratio 100."""
    steps = [exponent(c) for c in classifiers.repaired(trained(100.0)).values()]
    gains = (after - before for before, after in pairwise(steps))
    return at_least(gains, "smallest gain of a step", 0.01)


def directions_are_a_part() -> Evidence:
    """At ratio 100 the means lose more of the optimum than the classifier loses of theirs."""
    steps = [exponent(c) for c in classifiers.repaired(trained(100.0)).values()]
    by_means, by_directions = theory.optimal_exponent(10) - steps[-1], steps[1] - steps[0]
    gains = [by_means / by_directions if by_directions > 0 else -1.0]
    return at_least(gains, "loss by the means over the gain by directions", 1.0)


@cache
def squared_error_cases() -> list[tuple[Classifier, Float[Tensor, " K"], float]]:
    """Certified optima of squared error without a bias, their class sizes and θ."""
    cases = []
    for seed in range(12):
        k = 3 + seed % 4
        counts = (4 * _cases.gaussian(k, seed=seed).abs() + 0.1).square()
        hurdle = 0.2 + 0.15 * (seed % 6)
        theta = hurdle * float(counts.sqrt().max())
        mu = theta / float(counts.sum())
        best = _cases.solve_to_gap(
            torch.eye(k, dtype=torch.float64), counts, lam_w=3 * mu, lam_h=mu / 3, lam_b=math.inf
        )
        unit = best.means.norm(dim=1).max()
        cases.append((make_classifier(best.means / unit, best.weight), counts, theta))
    return cases


def squared_error_formula() -> Evidence:
    misfits = []
    for classifier, counts, theta in squared_error_cases():
        predicted = classifiers.squared_error_exponents(counts, theta)
        reached = theory.error_exponent(*classifier).per_class
        misfits.append(float((reached - predicted).abs().max()))
    return at_most(misfits, "misfit of the exponents")


def raw_alignment_is_perfect() -> Evidence:
    """Squared error, no bias: every row is along its mean, and the exponent falls all the same."""
    misfits = []
    for classifier, counts, theta in squared_error_cases():
        kept = counts.sqrt() > 1.01 * theta
        misfits.append(1 - float(classifier.cosines(centre=False)[kept].min()))
    return at_most(misfits, "one less the least raw cosine")


def sign_condition() -> Evidence:
    """Off-diagonal entries of (CDC)^{-1/2} on the contrasts, class sizes up to 1 to a million."""
    wrong, cases = 0, 40
    for seed in range(cases):
        k = 3 + seed % 6
        counts = 10 ** (6 * torch.rand(k, generator=torch.Generator().manual_seed(seed)).double())
        centre = _cases.centring(k)
        # The inverse of CDC on the contrasts, by an equation rather than by eigenvalues.
        inverse = torch.linalg.solve(centre @ torch.diag(counts) @ centre + 1 / k, centre)
        wrong += bool((_cases.root(inverse).fill_diagonal_(-1) >= 0).any())
    return Evidence(wrong, 0, cases, "tables with an entry that is not negative")


def limit_is_half_way() -> Evidence:
    """Exponents of the limit, from the two Gram matrices as roots."""
    misfits = []
    for ratio in (2.0, 10.0, 100.0, 1000.0):
        counts = long_tail_sizes(10, ratio)
        roots, centre = counts.sqrt(), _cases.centring(10)
        rows = _cases.root(centre @ torch.diag(counts) @ centre)
        apart = rows.diag()[:, None] + rows.diag() - 2 * rows
        longest = (_cases.root(roots[:, None] * centre * roots).diag() / counts).max()
        predicted = 1 / (2 * apart.amax(1) * longest)
        reached = theory.error_exponent(*classifiers.vanishing_limit(counts)).per_class
        misfits.append(float((reached / predicted - 1).abs().max()))
    return at_most(misfits, "relative misfit of the exponents")


def optima_approach_the_limit() -> Evidence:
    """The distance of the exponent from the limit's shrinks as the regularisation does."""
    shares = []
    for ratio in (10.0, 100.0):
        limit = exponent(classifiers.vanishing_limit(long_tail_sizes(10, ratio)))
        strengths = (1e-3, 1e-4, 1e-5)
        gaps = [abs(exponent(trained(ratio, 10, lam)) - limit) for lam in strengths]
        shares += [after / before for before, after in pairwise(gaps)]
    return at_most(shares, "largest share of the distance that is left", 0.9)
