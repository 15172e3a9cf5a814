"""Error exponents of linear classifiers, against loops, quadratic programs and quadrature."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from generators import noisy, random_rotation, seeded
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import integrate, optimize, stats

from nclib import ufm
from nclib.geometry import simplex_etf
from nclib.methods import project, slerp
from nclib.metrics import measure
from nclib.theory import _error_exponent_distances as distances
from nclib.theory import _error_exponent_sampling as sampling
from nclib.theory import (
    class_covariances,
    error_exponent,
    error_probability,
    head_medium_tail,
    misaligned_exponent,
    optimal_exponent,
)

SEEDS = st.integers(0, 2**31)


def gaussian(*shape, seed):
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def double(values):
    return torch.tensor(values, dtype=torch.float64)


def by_loops(means, weight, bias, covariances=None):
    """The formula with a loop over pairs."""
    num_classes, dim = means.shape
    values = [math.inf] * num_classes
    for k in range(num_classes):
        for j in range(num_classes):
            if j != k:
                normal = weight[k] - weight[j]
                lead = float(normal @ means[k] + bias[k] - bias[j])
                noise = torch.eye(dim).double() if covariances is None else covariances[k]
                values[k] = min(values[k], max(lead, 0) ** 2 / float(2 * normal @ noise @ normal))
    return double(values)


def tilted_simplex(num_classes, angle, *, seed=0):
    """Means, and a classifier tilted out of their span."""
    means, away = (
        simplex_etf(num_classes, num_classes - 1, generator=seeded(seed + i)) for i in range(2)
    )
    nothing = torch.zeros_like(means)
    means, away = torch.cat([means, nothing], 1), torch.cat([nothing, away], 1)
    return means, math.cos(angle) * means + math.sin(angle) * away


def rotated_simplex(angle):
    """Three means in the plane, and a classifier turned within it."""
    means = simplex_etf(3, 2, generator=seeded(0))
    turn = double([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return means, means @ turn


def nearest_mean(means):
    return means, -means.square().sum(1) / 2


def good_classifier(num_classes, dim, *, seed):
    """Near that of the nearest mean, so that no mean is misclassified."""
    means = gaussian(num_classes, dim, seed=seed)
    noise = 0.05 * gaussian(num_classes, dim + 1, seed=seed + 1)
    weight, bias = nearest_mean(means)
    return means, weight + noise[:, :-1], bias + noise[:, -1]


# ------------------------------------------------------------------ the exponent


@given(st.integers(2, 7), st.integers(1, 6), SEEDS)
def test_exponents_are_those_of_loops_over_pairs(num_classes, dim, seed):
    means, weight = gaussian(2, num_classes, dim, seed=seed)
    weight, bias = weight + 2 * means, gaussian(num_classes, seed=seed + 1)
    exponents = error_exponent(means, weight, bias)
    expected = by_loops(means, weight, bias)
    assert torch.allclose(exponents.per_class, expected, atol=1e-12)
    assert exponents.overall == float(exponents.per_class.min())
    k, j = exponents.binding
    pair = [k, j]
    alone = by_loops(means[pair], weight[pair], bias[pair])
    assert abs(float(alone[0]) - exponents.overall) < 1e-12


@given(st.integers(2, 5), st.integers(1, 4), SEEDS)
def test_the_exponent_is_half_the_squared_distance_to_the_nearest_error(num_classes, dim, seed):
    """A quadratic program for each class and rival, which knows no formula of distance."""
    means, weight = gaussian(2, num_classes, dim, seed=seed).numpy()
    weight, bias = weight + 3 * means, gaussian(num_classes, seed=seed + 1).numpy()
    exponents = error_exponent(*map(torch.from_numpy, (means, weight, bias)))
    for k in range(num_classes):
        rivals = [
            nearest_point(means[k], weight[j] - weight[k], bias[j] - bias[k])
            for j in range(num_classes)
            if j != k
        ]
        assert abs(float(exponents.per_class[k]) - min(rivals)) < 1e-7 * (1 + min(rivals))


def nearest_point(mean, normal, offset):
    """min ½‖h − μ‖² over the half-space ⟨n, h⟩ + c ≥ 0."""
    wins = {"type": "ineq", "fun": lambda h: normal @ h + offset, "jac": lambda h: normal}
    point = optimize.minimize(
        lambda h: ((h - mean) ** 2).sum() / 2,
        mean,
        jac=lambda h: h - mean,
        constraints=wins,
        method="SLSQP",
        options={"ftol": 1e-14},
    )
    return point.fun


def test_the_exponent_is_the_limit_of_what_sampling_says():
    means, weight, bias = good_classifier(4, 3, seed=1)
    beta = error_exponent(means, weight, bias).overall
    assert beta > 0.01
    for sigma in (1e-2, 1e-3):
        chance = error_probability(means, weight, bias, sigma=sigma, samples=2000)
        assert abs(-(sigma**2) * chance.log_estimate / beta - 1) < 20 * sigma


@given(SEEDS)
def test_common_shifts_of_the_classifier_are_harmless(seed):
    means, weight = gaussian(2, 6, 4, seed=seed)
    weight, shift = weight + means, gaussian(4, seed=seed + 1)
    before, after = error_exponent(means, weight), error_exponent(means, weight + shift)
    assert torch.allclose(before.per_class, after.per_class, atol=1e-12)
    # A common shift of the means is one if the bias makes up for it.
    moved = error_exponent(means + shift, weight, -(weight @ shift))
    assert torch.allclose(before.per_class, moved.per_class, atol=1e-12)


def test_a_shift_hides_alignment_from_the_raw_cosine():
    means = simplex_etf(10, 9, generator=seeded(0))
    means = torch.cat([means, torch.zeros(10, 1)], 1).double()
    weight = means + torch.eye(10)[9]
    cosines = torch.cosine_similarity(weight, means)
    assert torch.allclose(cosines, torch.full_like(cosines, math.sqrt(0.5)))
    assert abs(error_exponent(means, weight).overall - optimal_exponent(10)) < 1e-12


@pytest.mark.parametrize("of_means", [1e-150, 1e-20, 1e150])
@pytest.mark.parametrize("of_weight", [1e-150, 1e150])
def test_no_scale_changes_a_digit(of_means, of_weight):
    means, weight, bias = good_classifier(6, 4, seed=5)
    before = error_exponent(means, weight, bias)
    scaled = (of_means * means, of_weight * weight, of_means * of_weight * bias)
    after = error_exponent(*scaled)
    assert before.overall > 0
    assert after.binding == before.binding
    assert torch.allclose(after.per_class / of_means / of_means, before.per_class, rtol=1e-12)
    sampled = [
        error_probability(*parts, sigma=sigma, samples=50, generator=seeded(0))
        for parts, sigma in (((means, weight, bias), 0.3), (scaled, 0.3 * of_means))
    ]
    assert sampled[0].estimate == pytest.approx(sampled[1].estimate, rel=1e-9)


def exact_square(means, weight, bias, k, j):
    """2 β of a pair of classes as a fraction of the numbers as they are."""
    normal = [Fraction(a) - Fraction(b) for a, b in zip(weight[k], weight[j], strict=True)]
    lead = sum(n * Fraction(m) for n, m in zip(normal, means[k], strict=True))
    lead += Fraction(bias[k]) - Fraction(bias[j])
    return max(lead, Fraction(0)) ** 2 / sum(n * n for n in normal)


@pytest.mark.parametrize("closeness", [1e-3, 1e-8, 1e-13, 1e-170])
def test_rows_that_nearly_agree_lose_no_digit(closeness):
    """Half of the rows are within ``closeness`` of each other; fractions are exact."""
    apart = double([1.0, -2.0, 0.5])
    means = gaussian(8, 3, seed=7) + 3 * torch.cat([-apart.expand(4, 3), apart.expand(4, 3)])
    weight, bias = nearest_mean(means)
    weight = torch.cat([weight[:4], closeness * weight[4:]])
    bias = torch.cat([bias[:4], closeness * bias[4:]])
    if closeness > 1e-100:
        weight[4:] += apart
    exponents = error_exponent(means, weight, bias)
    lists = means.tolist(), weight.tolist(), bias.tolist()
    assert not exponents.misclassified.any()
    for k in range(8):
        squares = [exact_square(*lists, k, j) for j in range(8) if j != k]
        assert float(exponents.per_class[k]) == pytest.approx(float(min(squares) / 2), rel=1e-12)


def test_blocks_change_nothing(monkeypatch):
    means, weight = gaussian(2, 9, 4, seed=9)
    weight[5:] = weight[4] + 1e-5 * weight[5:]
    whole = error_exponent(means, weight + 2 * means)
    monkeypatch.setattr(distances, "BLOCK", 20)
    parts = error_exponent(means, weight + 2 * means)
    assert torch.allclose(whole.per_class, parts.per_class, rtol=1e-13)
    assert whole.binding == parts.binding


def test_between_equal_rows_the_bias_decides():
    means = double([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    weight = double([[1.0, 1.0], [1.0, 1.0], [-1.0, -1.0]])
    exponents = error_exponent(means, weight, double([0.5, 0.0, 0.0]))
    # Class 0 is at distance 2.5/√8 of the only other boundary; class 1 is always taken for it.
    assert torch.allclose(exponents.per_class, double([2.5**2 / 16, 0.0, 3.5**2 / 16]))
    assert exponents.binding == (1, 0)
    assert exponents.misclassified.tolist() == [False, True, False]
    tie = error_exponent(means, weight)
    assert tie.per_class[:2].tolist() == [0.0, 0.0]
    assert tie.misclassified.tolist() == [True, True, False]
    chance = error_probability(means, weight, double([0.5, 0.0, 0.0]), sigma=0.1, samples=100)
    assert chance.estimate == pytest.approx(1 / 3)


def test_misclassified_means_are_said_to_be():
    means = double([[1.0, 0.0], [-1.0, 0.0], [0.0, 3.0]])
    exponents = error_exponent(means, means.roll(1, 0))
    assert exponents.overall == 0
    assert exponents.misclassified.all()
    k, j = exponents.binding
    scores = means @ means.roll(1, 0).T
    assert scores[k, j] > scores[k, k]


# ------------------------------------------------------------------ the optimum


@given(st.integers(2, 6), st.integers(1, 5), SEEDS)
def test_no_classifier_beats_the_nearest_mean(num_classes, dim, seed):
    means = gaussian(num_classes, dim, seed=seed)
    best = error_exponent(means, *nearest_mean(means)).overall
    assert best == pytest.approx(float(torch.pdist(means).min()) ** 2 / 8, rel=1e-9)
    for i in range(4):
        noise = gaussian(num_classes, dim + 1, seed=seed + i + 1) * 0.3**i
        weight, bias = means + noise[:, :-1], nearest_mean(means)[1] + noise[:, -1]
        assert error_exponent(means, weight, bias).overall <= best * (1 + 1e-9)


def widest_squared_distance(num_classes, dim, *, starts, seed=0):
    """Of points in the unit ball: max r subject to ‖p_k − p_j‖² ≥ r, from random starts."""
    upper = np.triu_indices(num_classes, 1)

    def points(x):
        return x[:-1].reshape(num_classes, dim)

    def slack(x):
        p = points(x)
        pairs = ((p[upper[0]] - p[upper[1]]) ** 2).sum(1) - x[-1]
        return np.concatenate([pairs, 1 - (p**2).sum(1)])

    random, best = np.random.default_rng(seed), 0.0
    for _ in range(starts):
        start = random.normal(size=(num_classes, dim))
        start *= random.random((num_classes, 1)) / np.linalg.norm(start, axis=1, keepdims=True)
        result = optimize.minimize(
            lambda x: -x[-1],
            np.append(start, 0.1),
            jac=lambda x: np.append(np.zeros(len(x) - 1), -1.0),
            constraints={"type": "ineq", "fun": slack},
            method="SLSQP",
            options={"maxiter": 200},
        )
        if result.success:
            best = max(best, result.x[-1])
    return best


@pytest.mark.parametrize(
    ("num_classes", "dim"), [(2, 1), (4, 1), (3, 2), (4, 2), (5, 2), (6, 2), (7, 2), (4, 3), (6, 3)]
)
def test_the_optimum_is_that_of_the_widest_points_in_the_ball(num_classes, dim):
    best = widest_squared_distance(num_classes, dim, starts=8)
    assert best / 8 == pytest.approx(optimal_exponent(num_classes, dim), rel=1e-5)


@pytest.mark.parametrize("num_classes", [2, 3, 10])
def test_a_simplex_is_its_own_optimal_classifier(num_classes):
    means = simplex_etf(num_classes, num_classes + 2, generator=seeded(1))
    assert error_exponent(means, means).overall == pytest.approx(optimal_exponent(num_classes))


def test_an_orthoplex_reaches_a_quarter():
    corners = torch.cat([torch.eye(4), -torch.eye(4)]).double()[:7]
    assert error_exponent(corners, corners).overall == pytest.approx(optimal_exponent(7, 4))
    assert optimal_exponent(100, 64) == 0.25 < optimal_exponent(100)


def test_ten_unit_means_on_a_circle_reach_a_sixth_of_the_formula():
    angles = torch.arange(10).double() * 2 * math.pi / 10
    circle = torch.stack([angles.cos(), angles.sin()], 1)
    assert error_exponent(circle, circle).overall == pytest.approx(0.0477, abs=5e-5)
    # The circle is not the best of the disc: one mean at the centre of nine is better.
    angles = torch.arange(9).double() * 2 * math.pi / 9
    other = torch.stack([angles.cos(), angles.sin()], 1)
    other = torch.cat([other, torch.zeros(1, 2).double()])
    assert error_exponent(other, *nearest_mean(other)).overall > 0.058


@pytest.mark.parametrize(("num_classes", "dim"), [(8, 2), (7, 3), (100, 49)])
def test_what_is_not_known_is_refused(num_classes, dim):
    with pytest.raises(ValueError, match="no optimum is known for num_classes"):
        optimal_exponent(num_classes, dim)


# ------------------------------------------------------------------ the misaligned simplex


@pytest.mark.parametrize("degrees", [0, 20, 45, 70, 90, 120])
@pytest.mark.parametrize("num_classes", [2, 3, 10])
def test_a_tilted_simplex_has_the_misaligned_exponent(num_classes, degrees):
    angle = math.radians(degrees)
    means, weight = tilted_simplex(num_classes, angle)
    expected = misaligned_exponent(num_classes, angle, 2 * (num_classes - 1))
    assert error_exponent(means, weight).overall == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("num_classes", "degrees", "value"),
    [
        (3, 0, 0.37500),
        (3, 20, 0.33113),
        (3, 45, 0.18750),
        (3, 70, 0.04387),
        (10, 0, 0.27778),
        (10, 45, 0.13889),
    ],
)
def test_misaligned_exponents_in_numbers(num_classes, degrees, value):
    assert misaligned_exponent(num_classes, math.radians(degrees)) == pytest.approx(value, abs=5e-6)


@pytest.mark.parametrize("degrees", [0, 20, 45, 60, 100])
def test_a_rotation_within_the_span_costs_more(degrees):
    angle = math.radians(degrees)
    expected = max(math.cos(angle + math.pi / 6), 0) ** 2 / 2
    assert error_exponent(*rotated_simplex(angle)).overall == pytest.approx(expected, abs=1e-12)


@given(st.integers(2, 5), st.integers(0, 6), SEEDS)
def test_no_simplex_classifier_beats_its_mean_cosine(num_classes, more, seed):
    """Any two simplices, at unequal angles, with any bias."""
    dim = num_classes - 1 + more
    means, weight = (simplex_etf(num_classes, dim, generator=seeded(seed + i)) for i in range(2))
    weight = weight + 2 * means
    left, _, right = torch.linalg.svd(weight, full_matrices=False)
    weight = left[:, : num_classes - 1] @ right[: num_classes - 1]  # a simplex near the means
    weight = weight / weight.norm(dim=1).mean()
    assume(torch.allclose(weight.norm(dim=1), torch.ones(num_classes).double()))
    cosines = (weight * means).sum(1)
    optimum = optimal_exponent(num_classes)
    equal_bias = error_exponent(means, weight).overall
    assert equal_bias <= max(float(cosines.min()), 0) ** 2 * optimum * (1 + 1e-9)
    for i in range(3):
        bias = 0.3 * gaussian(num_classes, seed=seed + i)
        any_bias = error_exponent(means, weight, bias).overall
        assert any_bias <= max(float(cosines.mean()), 0) ** 2 * optimum * (1 + 1e-9)


def test_with_unequal_biases_the_least_cosine_bounds_nothing():
    """Every simplex classifier of these cosines: W = M (A, B)ᵀ, the symmetric part of A given."""
    cosines, bias = double([0.737, 0.813, 0.285]), double([0.0, -0.115, 0.131])
    means = simplex_etf(3, 2, generator=seeded(0))
    x, y = means.T
    (a, b, c) = torch.linalg.solve(torch.stack([x * x, 2 * x * y, y * y], 1), cosines)
    best = 0.0
    for skew in torch.linspace(-0.25, 0.25, 51).double():
        block = torch.stack([torch.stack([a, b - skew]), torch.stack([b + skew, c])])
        values, vectors = torch.linalg.eigh(torch.eye(2) - block.T @ block)
        if values[0] >= 0:
            weight = means @ torch.cat([block, values.sqrt()[:, None] * vectors.T]).T
            assert torch.allclose(torch.pdist(weight).square(), double([3.0, 3.0, 3.0]))
            padded = torch.cat([means, torch.zeros_like(means)], 1)
            assert torch.allclose((weight * padded).sum(1), cosines)
            best = max(best, error_exponent(padded, weight, bias).overall)
    assert best == pytest.approx(0.0631, abs=1e-4)
    assert best > 0.285**2 * optimal_exponent(3) * 2


def test_with_less_room_the_misaligned_exponent_is_not_reached():
    """In three dimensions every simplex at 20° from the three means is a rotation of them."""
    angle = math.radians(20)
    means = np.pad(simplex_etf(3, 2, generator=seeded(0)).numpy(), ((0, 0), (0, 1)))

    def misfit(x):
        frame = x.reshape(3, 2)
        weight = means[:, :2] @ frame.T
        gram = frame.T @ frame - np.eye(2)
        return np.concatenate([gram[np.triu_indices(2)], (weight * means).sum(1) - math.cos(angle)])

    reached = []
    for seed in range(12):
        start = np.random.default_rng(seed).normal(size=6)
        result = optimize.least_squares(misfit, start, xtol=1e-15, ftol=1e-15, gtol=1e-15)
        if result.cost < 1e-20:
            weight = torch.from_numpy(means[:, :2] @ result.x.reshape(3, 2).T)
            reached.append(error_exponent(torch.from_numpy(means), weight).overall)
    assert len(reached) >= 4
    assert reached == pytest.approx([0.20659] * len(reached), abs=1e-5)
    with pytest.raises(ValueError, match="dim=3 has no room for the tilted simplex"):
        misaligned_exponent(3, angle, 3)


# ------------------------------------------------------------------ the probability of error


@pytest.mark.parametrize(
    ("case", "value"),
    [
        (tilted_simplex(3, 0.0), 0.3827),
        (tilted_simplex(3, math.radians(20)), 0.3387),
        (tilted_simplex(3, math.radians(45)), 0.1943),
        (tilted_simplex(3, math.radians(70)), 0.0489),
        (rotated_simplex(math.radians(20)), 0.2153),
        (rotated_simplex(math.radians(45)), 0.0400),
        (tilted_simplex(10, 0.0), 0.2813),
        (tilted_simplex(10, math.radians(45)), 0.1416),
    ],
)
def test_sampled_probabilities_in_numbers(case, value):
    chance = error_probability(*case, sigma=0.05, samples=2000, generator=seeded(0))
    assert -0.0025 * chance.log_estimate == pytest.approx(value, abs=5.1e-5)


def test_convergence_to_the_exponent_is_slow():
    means = simplex_etf(3, 2, generator=seeded(0))
    for sigma, value in ((0.1, 0.399), (0.07, 0.3885), (0.05, 0.3827)):
        chance = error_probability(means, means, sigma=sigma, samples=1000, generator=seeded(0))
        assert -(sigma**2) * chance.log_estimate == pytest.approx(value, abs=5.1e-4)
    assert -(sigma**2) * chance.log_lower == pytest.approx(0.3872, abs=5e-5)


def exact_error_of_three(sigma):
    """Of three aligned classes in the plane: 2 Q(a) − Pr(both rivals win), by quadrature."""
    depth, correlation = math.sqrt(0.75) / sigma, 0.5
    both, _ = integrate.quad(
        lambda x: (
            math.exp(stats.norm.logpdf(x) - stats.norm.logpdf(depth))
            * stats.norm.sf((depth - correlation * x) / math.sqrt(1 - correlation**2))
        ),
        depth,
        depth + 40 / depth + 8,
        epsabs=0,
        epsrel=1e-11,
        limit=500,
    )
    return 2 * stats.norm.sf(depth) - both * stats.norm.pdf(depth)


@pytest.mark.parametrize("sigma", [4.0, 1.0, 0.4, 0.075])
def test_the_estimate_is_right_within_its_standard_error(sigma):
    means = simplex_etf(3, 2, generator=seeded(0))
    chance = error_probability(means, means, sigma=sigma, samples=20_000, generator=seeded(1))
    exact = exact_error_of_three(sigma)
    assert chance.lower <= exact <= chance.upper * (1 + 1e-9)
    assert abs(chance.estimate - exact) <= 3.5 * chance.standard_error + 1e-9 * exact
    assert chance.standard_error < 0.01 * exact
    if sigma == 0.075:
        assert exact < 1e-29


@given(st.integers(2, 6), st.integers(1, 4), SEEDS)
def test_the_estimate_agrees_with_plain_sampling(num_classes, dim, seed):
    """Any classifier, also wrong ones, at large noise."""
    means, weight = gaussian(2, num_classes, dim, seed=seed)
    bias, generator = gaussian(num_classes, seed=seed + 1), seeded(seed + 2)
    chance = error_probability(means, weight, bias, sigma=0.8, samples=4000, generator=generator)
    noise = torch.randn(4000, num_classes, dim, generator=generator, dtype=torch.float64)
    decisions = ((means + 0.8 * noise) @ weight.T + bias).argmax(2)
    share = float((decisions != torch.arange(num_classes)).double().mean())
    spread = math.sqrt(share * (1 - share) / (4000 * num_classes) + chance.standard_error**2)
    assert abs(chance.estimate - share) < 4.5 * spread + 1e-3
    assert chance.lower <= chance.estimate + 4 * chance.standard_error
    assert chance.estimate <= chance.upper + 4 * chance.standard_error + 1e-12


def test_bounds_are_those_of_signed_distances():
    """With distances cut off at 0 the upper bound would be a half."""
    means = double([[1.0, 0.0], [-1.0, 0.0]])
    chance = error_probability(means, -means, sigma=0.3, samples=10)
    expected = stats.norm.cdf(1 / 0.3)
    assert expected == pytest.approx(0.9996, abs=5e-5)
    assert (chance.estimate, chance.upper) == pytest.approx((expected, expected))
    assert chance.lower == pytest.approx(expected / 2)
    assert error_exponent(means, -means).overall == 0


def test_logarithms_go_on_where_numbers_end():
    means = double([[1.0], [-1.0]])
    chance = error_probability(means, means, sigma=1e-3, samples=2)
    assert chance.estimate == chance.lower == chance.upper == 0
    assert chance.log_estimate == pytest.approx(stats.norm.logsf(1e3), rel=1e-12)
    deep = simplex_etf(3, 2, generator=seeded(0))
    chance = error_probability(deep, deep, sigma=1e-3, samples=500, generator=seeded(0))
    assert chance.log_lower <= chance.log_estimate <= chance.log_upper


def test_the_generator_decides_the_numbers_and_batches_do_not_end_early(monkeypatch):
    case = tilted_simplex(5, 0.3)
    first, second = (
        error_probability(*case, sigma=1.0, samples=1001, generator=seeded(3)) for _ in range(2)
    )
    assert first == second
    monkeypatch.setattr(sampling, "BLOCK", 800)
    parts = error_probability(*case, sigma=1.0, samples=1001, generator=seeded(3))
    assert abs(parts.estimate - first.estimate) < 5 * first.standard_error
    assert parts.standard_error == pytest.approx(first.standard_error, rel=0.2)


# ------------------------------------------------------------------ noise of a model


@given(SEEDS)
def test_the_mahalanobis_form_is_that_of_loops(seed):
    data = noisy([9, 7, 5, 8], 3, noise=0.4, seed=seed)
    weight = data.weight / 2 + data.means
    covariances = class_covariances(data.features, data.labels, data.means)
    exponents = error_exponent(data.means, weight, data.bias, within=covariances)
    expected = by_loops(data.means, weight, data.bias, covariances)
    assert torch.allclose(exponents.per_class, expected, atol=1e-10)


@given(SEEDS)
def test_mahalanobis_exponents_are_those_of_whitened_features(seed):
    """One covariance for all: features and classifier in coordinates of unit noise."""
    means, weight = gaussian(2, 4, 3, seed=seed)
    root = gaussian(3, 3, seed=seed + 1) + 2 * torch.eye(3)
    covariances = (root @ root.T).expand(4, 3, 3)
    plain = error_exponent(torch.linalg.solve(root, means.T).T, weight @ root)
    form = error_exponent(means, weight, within=covariances)
    assert torch.allclose(form.per_class, plain.per_class, rtol=1e-6, atol=1e-9)


def test_isotropic_noise_is_both_forms():
    means, weight = gaussian(2, 4, 3, seed=1)
    weight, variances = weight + 3 * means, double([0.1, 1.0, 2.0, 30.0])
    plain = error_exponent(means, weight)
    short = error_exponent(means, weight, within=variances)
    full = error_exponent(means, weight, within=variances[:, None, None] * torch.eye(3).double())
    assert torch.allclose(short.per_class, plain.per_class / variances)
    assert torch.allclose(full.per_class, short.per_class)
    assert short.binding == full.binding


def test_a_boundary_that_no_noise_reaches_is_infinitely_far():
    means, weight = gaussian(2, 3, 2, seed=2)
    flat = torch.zeros(3, 2, 2).double()
    flat[0] = torch.eye(2)
    exponents = error_exponent(means, weight + 5 * means, within=flat)
    assert exponents.per_class[0].isfinite()
    assert exponents.per_class[1:].isinf().all()
    assert exponents.binding[0] == 0


def test_exponents_of_a_report_have_no_scale():
    data = noisy([30, 20, 10], 4, noise=0.2, seed=3)
    report = measure(data.features, data.labels)
    within = report.variances / data.features.shape[1]
    traces = class_covariances(data.features, data.labels, report.class_means)
    assert torch.allclose(traces.diagonal(dim1=1, dim2=2).mean(1), within)
    first = error_exponent(report.class_means, data.means, within=within)
    second = error_exponent(1e60 * report.class_means, data.means, within=1e120 * within)
    assert torch.allclose(first.per_class, second.per_class)


def test_thirds_are_of_the_class_sizes():
    counts = torch.tensor([5, 100, 20, 1, 50, 10, 70, 2, 30, 3])
    values = 1 / counts.double()
    head, medium, tail = head_medium_tail(values, counts)
    assert head == pytest.approx((1 / 100 + 1 / 70 + 1 / 50) / 3)
    assert medium == pytest.approx((1 / 30 + 1 / 20 + 1 / 10 + 1 / 5) / 4)
    assert tail == pytest.approx((1 / 3 + 1 / 2 + 1) / 3)


# ------------------------------------------------------------------ the imbalanced optimum


@pytest.fixture(scope="module")
def imbalanced():
    """Ten classes of ratio 100, without a bias and with a free one; penalties without halves."""
    counts = 100 ** (-torch.arange(10).double() / 9)
    solutions = {}
    for lam_b in (math.inf, 0.0):
        solution = ufm.solve(
            torch.eye(10),
            counts,
            lam_w=2 * 0.03,
            lam_h=2 * 0.03 / float(counts.sum()),
            lam_b=lam_b,
            loss="ce",
            tol=1e-11,
        )
        scale = solution.means.norm(dim=1).max()
        solutions[lam_b] = (solution.means / scale, solution.weight, solution.bias / scale)
    return counts, solutions


def rounded(numbers):
    return [round(float(number), 4) for number in numbers]


def centred(rows):
    return rows - rows.mean(0)


@pytest.mark.unchecked
def test_alignment_of_the_imbalanced_optimum(imbalanced):
    counts, solutions = imbalanced
    means, weight, _ = solutions[math.inf]
    cosines = torch.cosine_similarity(centred(weight), centred(means))
    assert [round(float(cosines[k]), 3) for k in (0, 9)] == [0.983, 0.883]
    classifiers = [weight, slerp(weight, means, 0.5), slerp(weight, means, 1.0)]
    classifiers.append(project(weight, means))
    per_class = [error_exponent(means, rows).per_class for rows in classifiers]
    tails = [head_medium_tail(values, counts).tail for values in per_class]
    assert rounded(tails) == [0.0451, 0.0605, 0.0767, 0.0741]
    unit = slerp(weight, means, 0.5, norm="unit")
    assert round(error_exponent(means, unit).overall, 3) == 0.105
    # Norms that are kept and differ: the rows do not sum to zero, and the cosine follows less.
    turned = centred(classifiers[2])
    assert round(float(torch.cosine_similarity(turned, centred(means))[9]), 3) == 0.894
    angles = [
        float(torch.cosine_similarity(centred(rows), centred(means))[9].acos())
        for rows in classifiers[:2]
    ]
    assert [round(angle, 3) for angle in angles] == [0.488, 0.466]


@pytest.mark.unchecked
def test_directions_norms_and_bias_give_back_what_the_optimum_loses(imbalanced):
    means, weight, _ = imbalanced[1][math.inf]
    chain = [
        error_exponent(means, weight),
        error_exponent(means, slerp(weight, means, 1.0)),
        error_exponent(means, centred(means)),
        error_exponent(means, *nearest_mean(means)),
    ]
    assert rounded(step.overall for step in chain) == [0.0177, 0.0377, 0.0657, 0.1201]
    assert chain[-1].overall == pytest.approx(float(torch.pdist(means).min()) ** 2 / 8)


@pytest.mark.unchecked
def test_a_free_bias_costs_the_tail(imbalanced):
    counts, solutions = imbalanced
    means, weight, bias = solutions[0.0]
    cases = [
        (error_exponent(means, weight, bias), [0.0418, 0.0294, 0.0075, 0.0]),
        (error_exponent(means, weight), [0.0466, 0.1022, 0.0857, 0.0284]),
        (error_exponent(means, slerp(weight, means, 0.5)), [0.0445, 0.1104, 0.1057, 0.0266]),
    ]
    for exponents, expected in cases:
        thirds = head_medium_tail(exponents.per_class, counts)
        assert rounded([*thirds, exponents.overall]) == expected


@pytest.mark.parametrize("t", [0.0, 0.3, 1.0])
def test_slerp_of_a_tilted_simplex_leaves_the_exponent_of_the_rest_of_the_angle(t):
    angle = math.radians(50)
    means, weight = tilted_simplex(4, angle)
    overall = error_exponent(means, slerp(weight, means, t)).overall
    assert overall == pytest.approx(misaligned_exponent(4, (1 - t) * angle))


# ------------------------------------------------------------------ bad input


@pytest.mark.unchecked
def test_bad_input_is_refused_by_name():
    means, weight = gaussian(2, 4, 3, seed=0)
    refused = [
        ((means, weight[:1].expand(4, -1)), "all 4 rows of weight are equal"),
        ((means, weight[:3]), "one shape"),
        ((means[:1], weight[:1]), "K >= 2"),
        ((means, weight, means[:, 0][:3]), "bias must have shape"),
        ((means * math.nan, weight), "means must be finite"),
        ((means, weight, means[:, 0] * math.inf), "bias must be finite"),
    ]
    for arguments, message in refused:
        with pytest.raises(ValueError, match=message):
            error_exponent(*arguments)
        with pytest.raises(ValueError, match=message):
            error_probability(*arguments, sigma=1.0, samples=10)
    with pytest.raises(TypeError, match="weight must be floating point"):
        error_exponent(means, weight.long())


@pytest.mark.unchecked
def test_bad_noise_is_refused_by_name():
    means, weight = gaussian(2, 4, 3, seed=0)
    for sigma in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match=f"sigma is {sigma}"):
            error_probability(means, weight, sigma=sigma, samples=10)
    with pytest.raises(ValueError, match="samples 1 must be at least 2"):
        error_probability(means, weight, sigma=1.0, samples=1)
    skew = torch.ones(4, 3, 3).double().triu()
    refused = [
        (double([1.0, 0.0, 1.0, 1.0]), "variance 0.0 for class 1"),
        (skew, "class 0 is not"),
        (-torch.eye(3).double().expand(4, 3, 3), "class 0 has a negative variance"),
        (torch.eye(3).double(), "within must have shape"),
    ]
    for within, message in refused:
        with pytest.raises(ValueError, match=message):
            error_exponent(means, weight, within=within)
    labels = torch.tensor([0, 0, 2, 3])
    with pytest.raises(ValueError, match=r"classes without samples: \[1\]"):
        class_covariances(means, labels, means)
    with pytest.raises(ValueError, match="at least three classes"):
        head_medium_tail(double([1.0, 2.0]), torch.tensor([1, 2]))


def test_sizes_and_angles_out_of_range_are_refused_by_name():
    with pytest.raises(ValueError, match="num_classes 1 must be"):
        optimal_exponent(1)
    with pytest.raises(ValueError, match="dim 0 must be"):
        optimal_exponent(3, 0)
    for angle in (-0.1, 3.2, math.nan):
        with pytest.raises(ValueError, match=f"angle is {angle}"):
            misaligned_exponent(3, angle)
    with pytest.raises(ValueError, match="dim=3 has no room"):
        misaligned_exponent(5, 0.0, 3)
    assert misaligned_exponent(5, 0.0, 4) == optimal_exponent(5)
    assert misaligned_exponent(5, math.pi / 2, 4) == 0


def test_exponents_follow_a_rotation():
    means, weight, rotation = *gaussian(2, 5, 4, seed=1), random_rotation(4, seed=2)
    first, second = (
        error_exponent(means, weight),
        error_exponent(means @ rotation, weight @ rotation),
    )
    assert torch.allclose(first.per_class, second.per_class, atol=1e-12)
