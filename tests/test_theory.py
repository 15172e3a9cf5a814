"""Closed forms of the chapter on imbalance, against independent computations."""

import math
from decimal import Decimal, getcontext
from fractions import Fraction
from operator import mul

import pytest
import torch
from generators import random_rotation, seeded
from hypothesis import given
from hypothesis import strategies as st

from nclib.geometry import simplex_etf
from nclib.papers.inducing_nc.claims import _checks as checks
from nclib.theory import (
    cdnv_bound,
    jensen_shannon,
    least_squares_classifier,
    mixture_jensen_shannon,
    spread_means,
)

SEEDS = st.integers(0, 2**31)
UNIFORM = torch.ones(4)


def gaussian(*shape, seed):
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


@given(st.integers(2, 6), st.integers(1, 8), SEEDS)
def test_least_squares_is_the_minimum_norm_solution_for_the_samples(num_classes, dim, seed):
    counts = torch.randint(1, 9, (num_classes,), generator=seeded(seed))
    labels = torch.arange(num_classes).repeat_interleave(counts)
    features = gaussian(len(labels), dim, seed=seed)
    targets = torch.nn.functional.one_hot(labels).double()
    means = targets.T @ features / counts[:, None]
    residuals = features - means[labels]
    within = residuals.T @ residuals / len(labels)
    weight, bias = least_squares_classifier(means, counts, within=within)
    centre = features.mean(0)
    expected = torch.linalg.lstsq(
        features - centre, targets - targets.mean(0), driver="gelsd"
    ).solution
    assert torch.allclose(weight, expected.T, atol=1e-6)
    assert torch.allclose(bias, targets.mean(0) - centre @ expected, atol=1e-6)


def double(values):
    return torch.tensor(values, dtype=torch.float64)


def rational(matrix):
    return [[Fraction(value) for value in row] for row in matrix.tolist()]


def product(first, second):
    columns = list(zip(*second, strict=True))
    return [[sum(map(mul, row, column)) for column in columns] for row in first]


def reduced(rows):
    """The non-zero rows of the reduced echelon form."""
    rows, done = [list(row) for row in rows], 0
    for column in range(len(rows[0])):
        pivot = next((i for i in range(done, len(rows)) if rows[i][column]), None)
        if pivot is None:
            continue
        rows[done], rows[pivot] = rows[pivot], rows[done]
        rows[done] = [value / rows[done][column] for value in rows[done]]
        for i, row in enumerate(rows):
            if i != done and row[column]:
                rows[i] = [a - row[column] * b for a, b in zip(row, rows[done], strict=True)]
        done += 1
        if done == len(rows):
            break
    return rows[:done]


def exact_classifier(means, counts):
    """The minimum-norm least-squares classifier in rational arithmetic; no rounding, no cut-off."""
    rows, total = rational(means), sum(map(Fraction, counts))
    prior = [Fraction(n) / total for n in counts]
    centre = [sum(map(mul, prior, column)) for column in zip(*rows, strict=True)]
    centred = [[a - b for a, b in zip(row, centre, strict=True)] for row in rows]
    basis = reduced(centred)
    if not basis:
        return torch.zeros_like(means), double([float(p) for p in prior])
    # With w = Bᵀc: the normal equations of the coordinates, solved by elimination.
    places = product(centred, list(zip(*basis, strict=True)))
    weighted = [[p * z for z in row] for p, row in zip(prior, places, strict=True)]
    normal = product(list(zip(*weighted, strict=True)), places)
    right = list(zip(*weighted, strict=True))  # Zᵀ Π, as Zᵀ Π 1 = 0
    solved = reduced([[*left, *side] for left, side in zip(normal, right, strict=True)])
    weight = product(list(zip(*[row[len(basis) :] for row in solved], strict=True)), basis)
    bias = [p - sum(map(mul, row, centre)) for p, row in zip(prior, weight, strict=True)]
    floats = [[float(value) for value in row] for row in weight]
    return double(floats), double([float(b) for b in bias])


def assert_exact(means, counts, relative=1e-12):
    weight, bias = least_squares_classifier(means, double(counts))
    expected, offset = exact_classifier(means, counts)
    scale = float(expected.abs().max())
    torch.testing.assert_close(weight, expected, rtol=0, atol=relative * scale)
    # The bias is a difference of terms of this size.
    terms = 1 + float((expected.norm(dim=1) * means.norm(dim=1).max()).max())
    torch.testing.assert_close(bias, offset, rtol=0, atol=relative * terms)


def test_collapsed_means_off_the_origin_have_the_exact_classifier():
    for seed in range(200):
        assert_exact(gaussian(2, 4, seed=seed) + 3 * gaussian(4, seed=seed + 10**6), [100, 1])
        etf = simplex_etf(3, 4, generator=seeded(seed))
        assert_exact(etf + 3 * gaussian(4, seed=seed), [1000, 31, 1])


@given(st.integers(2, 5), st.integers(1, 5), st.floats(0, 1e6), st.floats(1, 1e8), SEEDS)
def test_the_classifier_is_exact_at_any_shape_offset_and_ratio(classes, dim, shift, ratio, seed):
    means = gaussian(classes, dim, seed=seed) + shift * gaussian(dim, seed=seed + 1)
    counts = [ratio ** (-k / (classes - 1)) for k in range(classes)]
    centred = means - means.mean(0)
    sizes = torch.linalg.svdvals(centred)[: min(classes - 1, dim)]
    condition = float(sizes[0] / sizes[-1])
    assert_exact(means, counts, relative=1e-13 * condition**2 * ratio**0.5)


@pytest.mark.parametrize("shift", [0.0, 1.0, 1e3])
@pytest.mark.parametrize(
    "means",
    [
        [[2.0, 1.0], [2.0, 1.0], [2.0, 1.0]],  # all equal: no direction at all
        [[1.0, 0.0, 3.0], [1.0, 0.0, 3.0], [0.0, 2.0, 1.0]],  # two are equal
        [[1.0, 2.0], [2.0, 4.0], [5.0, 10.0], [0.0, 0.0]],  # on a line
        [[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 2.0], [0.0, 0.0, 0.0]],  # in a plane
        [[1.0], [2.0], [7.0]],  # more classes than a line holds
    ],
)
def test_means_that_depend_on_each_other_have_the_exact_classifier(means, shift):
    means = double(means) + shift
    for counts in ([1] * len(means), [1000, 7, 3, 1][: len(means)]):
        assert_exact(means, counts)


@pytest.mark.parametrize("scale", [1e-100, 1e-25, 1e20, 1e100])
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_the_classifier_scales_as_one_over_the_means(scale, noise):
    means, counts = gaussian(4, 5, seed=0) + 3, torch.tensor([50, 9, 3, 1])
    expected = least_squares_classifier(means, counts, within=noise**2)
    variance = (noise * scale) ** 2
    for within in (variance, variance * torch.eye(5).double()):
        scaled = least_squares_classifier(scale * means, counts, within=within)
        torch.testing.assert_close(scale * scaled.weight, expected.weight, rtol=1e-10, atol=0)
        torch.testing.assert_close(scaled.bias, expected.bias, rtol=1e-10, atol=0)


def test_means_in_single_precision_that_lie_on_a_line_count_as_such():
    line = torch.tensor([[1.0], [2.0], [4.0]]) * torch.tensor([[0.1, 0.7]]) + 0.3
    expected, _ = exact_classifier(torch.tensor([[1.0], [2.0], [4.0]]).double(), [9, 3, 1])
    weight = least_squares_classifier(line, torch.tensor([9, 3, 1])).weight
    direction = torch.tensor([[0.1, 0.7]]).double() / 0.5
    torch.testing.assert_close(weight, expected * direction, rtol=1e-5, atol=1e-6)


@given(st.integers(2, 5), st.integers(1, 6), st.integers(0, 6), SEEDS)
def test_a_covariance_of_any_rank_gives_the_shortest_solution(classes, dim, rank, seed):
    means, counts = gaussian(classes, dim, seed=seed) + 5, torch.arange(1, classes + 1)
    factor = gaussian(rank, dim, seed=seed + 1)
    weight = least_squares_classifier(means, counts, within=factor.T @ factor).weight
    # Samples that have these means and this covariance, fitted by another solver.
    prior = counts.double() / counts.sum()
    rows = torch.cat([prior.sqrt()[:, None] * (means - prior @ means), factor])
    targets = torch.zeros(len(rows), classes).double()
    targets[:classes] = prior.sqrt()[:, None] * (torch.eye(classes).double() - prior)
    expected = torch.linalg.lstsq(rows, targets, driver="gelsd", rcond=1e-11).solution
    kept = torch.linalg.svdvals(rows)
    kept = kept[kept > 1e-11 * kept[0]]
    bound = 1e-13 * float(kept[0] / kept[-1]) ** 3 + 1e-9
    torch.testing.assert_close(weight, expected.T, rtol=0, atol=bound * float(expected.norm()))


def test_noise_outside_the_span_is_met_however_small_it_is():
    # Σ_W = ε[[1, ½], [½, 1]]: w₂ = −w₁/2 makes up for it, for every ε > 0.
    means, counts = torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), torch.tensor([1, 1])
    shape = torch.tensor([[1.0, 0.5], [0.5, 1.0]]).double()
    for size in (1e-6, 1e-20, 1e-60):
        weight = least_squares_classifier(means, counts, within=size * shape).weight
        expected = torch.tensor([[0.5, -0.25], [-0.5, 0.25]]).double()
        torch.testing.assert_close(weight, expected, rtol=0, atol=2 * size + 1e-12)


def test_vanishing_noise_leaves_the_collapsed_classifier():
    means, counts = gaussian(5, 3, seed=4) + 7, torch.tensor([90, 20, 5, 2, 1])
    collapsed = least_squares_classifier(means, counts).weight
    for within in (1e-30, 1e-30 * torch.eye(3).double()):
        noisy = least_squares_classifier(means, counts, within=within).weight
        torch.testing.assert_close(noisy, collapsed, rtol=1e-9, atol=1e-12)


@given(st.floats(1e-3, 10), SEEDS)
def test_ridge_solves_the_penalised_normal_equations(ridge, seed):
    means, counts = gaussian(4, 3, seed=seed), torch.tensor([9.0, 5.0, 2.0, 1.0])
    weight = least_squares_classifier(means, counts, within=ridge).weight.clone().requires_grad_()
    prior = counts.double() / counts.sum()
    centred = means - prior @ means
    errors = centred @ weight.T - (torch.eye(4).double() - prior)
    loss = (prior[:, None] * errors.square()).sum() / 2 + ridge / 2 * weight.square().sum()
    assert float(torch.autograd.grad(loss, weight)[0].abs().max()) < 1e-9


def test_collapsed_simplex_gives_equal_norms_whatever_the_counts():
    means = 3 * simplex_etf(5, 7, generator=seeded(0)) + gaussian(7, seed=1)
    weight, bias = least_squares_classifier(means, torch.tensor([500, 100, 30, 8, 2]))
    assert torch.allclose(weight, (means - means.mean(0)) / (9 * 5 / 4))
    assert torch.allclose(means @ weight.T + bias, torch.eye(5).double())


def test_weight_norm_is_the_inverse_height_over_the_other_means():
    means = torch.tensor([[0.0, 2.0], [1.0, 0.0], [-1.0, 0.0]])
    weight = least_squares_classifier(means, torch.tensor([1.0, 5.0, 9.0])).weight
    assert torch.allclose(weight[0], torch.tensor([0.0, 0.5]).double())


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("means", "counts", "within", "message"),
    [
        (torch.ones(3, 2), torch.ones(2), 0.0, r"\(3, 2\) and \(2,\)"),
        (torch.ones(2, 2), torch.tensor([1.0, 0.0]), 0.0, r"positive, got \[1.0, 0.0\]"),
        (torch.ones(2, 2), torch.ones(2), -1.0, "-1.0"),
        (torch.ones(2, 2), torch.ones(2), torch.eye(3), r"\(3, 3\)"),
        (torch.ones(2, 2), torch.ones(2), math.nan, "got nan"),
        (torch.ones(2, 2), torch.tensor([1.0, math.inf]), 0.0, r"positive, got \[1.0, inf\]"),
        (torch.tensor([[1.0], [math.nan]]), torch.ones(2), 0.0, "finite means"),
        (torch.ones(2, 2), torch.ones(2), -torch.eye(2), "no negative variance, got -1"),
        (
            torch.ones(2, 2),
            torch.ones(2),
            torch.tensor([[1.0, 0.5], [0.0, 1.0]]),
            "symmetric, got entries that differ by 0.5",
        ),
    ],
)
def test_least_squares_refuses(means, counts, within, message):
    with pytest.raises(ValueError, match=message):
        least_squares_classifier(means, counts, within=within)


def test_jensen_shannon_is_the_mean_of_two_relative_entropies():
    p, q = torch.tensor([0.7, 0.2, 0.1]), torch.tensor([0.1, 0.3, 0.6])
    half = (p + q) / 2
    expected = ((p * (p / half).log()).sum() + (q * (q / half).log()).sum()) / 2
    assert jensen_shannon(10 * p, q) == pytest.approx(float(expected), abs=1e-7)
    assert jensen_shannon(p, p) == pytest.approx(0, abs=1e-15)


@given(st.floats(0.2, 3), SEEDS)
def test_features_are_no_farther_apart_than_labels(deviation, seed):
    means, weights = gaussian(4, 2, seed=seed), 0.01 + gaussian(4, seed=seed).square()
    features = mixture_jensen_shannon(means, deviation, weights, UNIFORM)
    assert -1e-9 < features <= jensen_shannon(weights, UNIFORM) + 1e-9


def decimal_divergence(p, q):
    getcontext().prec = 60
    p, q = ([Decimal(x) for x in values] for values in (p, q))
    p, q = ([x / sum(values) for x in values] for values in (p, q))
    pairs = list(zip(p, q, strict=True))
    terms = [x * (2 * x / (x + y)).ln() for x, y in [*pairs, *((y, x) for x, y in pairs)]]
    return float(sum(terms) / 2)


@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-9, 0.3, 0.7, 1 - 1e-9])
def test_divergence_keeps_its_digits_where_distributions_nearly_agree_or_exclude(gap):
    p, q = [1 + gap, 1 - gap, 2.0], [1.0, 1.0, 2.0]
    expected = decimal_divergence(p, q)
    # The proportions are rounded first: what is left of the gap has about 1e-16 / gap.
    assert jensen_shannon(double(p), double(q)) == pytest.approx(expected, rel=1e-14 + 1e-15 / gap)


@pytest.mark.parametrize("scale", [1e-300, 1e-25, 1e20, 1e308])
def test_divergence_is_free_of_the_weights_scale(scale):
    p, q = double([0.7, 0.2, 0.1]), double([0.1, 0.3, 0.6])
    assert jensen_shannon(scale * p, q) == pytest.approx(jensen_shannon(p, q), rel=1e-12)


@pytest.mark.parametrize("wrong", [[math.nan, 1.0], [math.inf, 1.0], [0.0, 0.0], [-1.0, 2.0]])
def test_divergence_refuses_what_is_no_distribution(wrong):
    with pytest.raises(ValueError, match="first must be non-negative weights"):
        jensen_shannon(double(wrong), double([1.0, 1.0]))


def test_mixture_divergence_agrees_with_monte_carlo():
    means, weights = simplex_etf(4, 3, generator=seeded(0)), torch.tensor([10.0, 5.0, 2.0, 1.0])
    rng, logs = seeded(1), []
    for prior in (weights, UNIFORM):
        labels = torch.multinomial(prior, 40_000, replacement=True, generator=rng)
        samples = means[labels] + 0.5 * torch.randn(40_000, 3, generator=rng, dtype=torch.float64)
        density = torch.exp(-torch.cdist(samples, means).square() / 0.5)
        p, q = (density @ (w / w.sum()).double() for w in (weights, UNIFORM))
        own = p if prior is weights else q
        logs.append(float((2 * own / (p + q)).log().mean()))
    assert mixture_jensen_shannon(means, 0.5, weights, UNIFORM) == pytest.approx(
        sum(logs) / 2, abs=5e-3
    )


def test_mixture_divergence_does_not_depend_on_orientation_or_grid():
    means, weights = gaussian(4, 3, seed=2), torch.tensor([8.0, 4.0, 2.0, 1.0])
    first = mixture_jensen_shannon(means, 0.4, weights, UNIFORM)
    turned = means @ random_rotation(3, seed=3)
    second = mixture_jensen_shannon(turned, 0.4, weights, UNIFORM, per_deviation=3.0)
    assert first == pytest.approx(second, abs=1e-7)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.ones(4, 4), 1.0, UNIFORM, UNIFORM), r"\(4, 4\)"),
        ((torch.ones(4, 2), 0.0, UNIFORM, UNIFORM), "got 0.0"),
        ((torch.ones(3, 2), 1.0, UNIFORM, UNIFORM), "3 class weights, got 4"),
        ((torch.ones(4, 2), 1.0, -UNIFORM, UNIFORM), "source"),
        ((torch.ones(4, 2), 1.0, UNIFORM, 0 * UNIFORM), "target"),
    ],
)
def test_mixture_divergence_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        mixture_jensen_shannon(*arguments)


def test_cdnv_bound_follows_its_formula_and_tends_to_the_truth():
    counts, level = (10_000, 40_000), math.log(4 / 0.1)
    shares = [(1 + math.sqrt(2 * level)) / math.sqrt(n) for n in counts]
    slack = sum(math.sqrt(8 * level / n) + a * a for n, a in zip(counts, shares, strict=True))
    expected = (0.3 + slack) / (2 * 4) / (1 - sum(shares) / 2) ** 2
    bound = cdnv_bound(2.0, (0.1, 0.2), counts, radius=1.0, delta=0.1)
    assert bound == pytest.approx(expected)
    assert cdnv_bound(2.0, (0.1, 0.2), (10**12, 10**12), radius=1.0, delta=0.1) == pytest.approx(
        0.3 / 8, rel=1e-4
    )
    assert cdnv_bound(2.0, (0.1, 0.2), (10**12, 1), radius=1.0, delta=0.1) == math.inf


@pytest.mark.parametrize("unit", [1e-150, 1e-25, 1e20, 1e150])
def test_cdnv_bound_is_free_of_the_unit_of_length(unit):
    variances = (0.1 * unit * unit, 0.2 * unit * unit)
    bound = cdnv_bound(2 * unit, variances, (10_000, 40_000), radius=unit, delta=0.1)
    expected = cdnv_bound(2.0, (0.1, 0.2), (10_000, 40_000), radius=1.0, delta=0.1)
    assert bound == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("wrong", [{"delta": 1.0}, {"radius": 0.0}, {"radius": math.inf}])
def test_cdnv_bound_refuses(wrong):
    with pytest.raises(ValueError, match="expected distance > 0"):
        cdnv_bound(1.0, (0.1, 0.1), (5, 5), **{"radius": 1.0, "delta": 0.1, **wrong})


@pytest.mark.parametrize(
    ("variances", "counts"),
    [((0.1, -0.1), (5, 5)), ((0.1, math.nan), (5, 5)), ((0.1, 0.1), (5, 0))],
)
def test_cdnv_bound_refuses_what_is_no_sample(variances, counts):
    with pytest.raises(ValueError, match="variances >= 0 and counts >= 1"):
        cdnv_bound(1.0, variances, counts, radius=1.0, delta=0.1)
    with pytest.raises(ValueError, match="got 1 variances and 2 counts"):
        cdnv_bound(1.0, variances[:1], counts, radius=1.0, delta=0.1)


def test_spread_means_reaches_the_simplex_and_sorts():
    means = spread_means(4, 5, starts=3, generator=seeded(0))
    unit = torch.nn.functional.normalize(means[0], dim=1)
    assert torch.allclose(unit @ unit.T, torch.eye(4).double() * 4 / 3 - 1 / 3)
    assert means.mean(1).abs().max() < 1e-12


def test_spread_means_refuses():
    with pytest.raises(ValueError, match="got 1, 2, 16 and 600"):
        spread_means(1, 2)


HOLDS = [name for name in dir(checks) if name.endswith("_instead")] + [
    "prop_1_formula",
    "prop_1_unique",
    "prop_1_skew_noise",
    "prop_1_noise_formula",
    "prop_1_skew_close",
    "prop_2_constants",
    "eq_12_collapse",
    "eq_12_unlike",
    "eq_12_merged",
    "lb_optimum",
    "lb_bound",
    "lb_equal_norms",
    "prop_4_printed",
    "prop_4_converse",
]
FAILS = [
    "prop_1_skew",
    "prop_2_printed",
    "eq_12_printed",
    "prop_3_printed",
    "lb_narrow",
    "prop_4_factor",
    "nc4_printed",
]


@pytest.mark.parametrize("name", HOLDS)
def test_what_the_chapter_proves_is_found(name):
    assert getattr(checks, name)().ok


@pytest.mark.parametrize("name", FAILS)
def test_what_the_chapter_refutes_is_found_to_fail(name):
    evidence = getattr(checks, name)()
    assert math.isfinite(evidence.value)
    assert not evidence.ok


def test_the_check_of_the_bound_notices_terms_a_tenth_as_large(monkeypatch):
    def tenth(distance, variances, counts, **options):
        return cdnv_bound(distance, variances, [100 * n for n in counts], **options)

    monkeypatch.setattr(checks, "cdnv_bound", tenth)
    assert not checks.prop_2_instead().ok


@pytest.mark.parametrize("lean", [1e-4, 1e-3])
@pytest.mark.parametrize("size", [3, 5, 10])
def test_the_bound_on_nearest_angles_is_nearly_attained(size, lean):
    vectors = checks._leaning(size, 1 / (size - 1) + lean)
    angles = checks.pairwise_angles(vectors, centre=False).fill_diagonal_(360).amin(1)
    fall = checks._ideal(size) - float(angles.mean())
    gain = float(angles.max()) - checks._ideal(size)
    assert gain / (size - 2) <= fall + 1e-9 < 1.1 * gain / (size - 2)
