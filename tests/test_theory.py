"""Closed forms of the chapter on imbalance, against independent computations."""

import math

import pytest
import torch
from generators import random_rotation, seeded
from hypothesis import given
from hypothesis import strategies as st

from nclib.geometry import simplex_etf
from nclib.papers.inducing_nc import _checks as checks
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
    found = least_squares_classifier(means, counts, within=within)
    centre = features.mean(0)
    expected = torch.linalg.lstsq(
        features - centre, targets - targets.mean(0), driver="gelsd"
    ).solution
    assert torch.allclose(found.weight, expected.T, atol=1e-6)
    assert torch.allclose(found.bias, targets.mean(0) - centre @ expected, atol=1e-6)


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


@pytest.mark.parametrize(
    ("means", "counts", "within", "message"),
    [
        (torch.ones(3, 2), torch.ones(2), 0.0, r"\(3, 2\) and \(2,\)"),
        (torch.ones(2, 2), torch.tensor([1.0, 0.0]), 0.0, r"positive, got \[1.0, 0.0\]"),
        (torch.ones(2, 2), torch.ones(2), -1.0, "-1.0"),
        (torch.ones(2, 2), torch.ones(2), torch.eye(3), r"\(3, 3\)"),
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


@pytest.mark.parametrize("wrong", [{"delta": 1.0}, {"radius": 0.0}])
def test_cdnv_bound_refuses(wrong):
    with pytest.raises(ValueError, match="expected distance > 0"):
        cdnv_bound(1.0, (0.1, 0.1), (5, 5), **{"radius": 1.0, "delta": 0.1, **wrong})


def test_spread_means_reaches_the_simplex_and_sorts():
    found = spread_means(4, 5, starts=3, generator=seeded(0))
    unit = torch.nn.functional.normalize(found[0], dim=1)
    assert torch.allclose(unit @ unit.T, torch.eye(4).double() * 4 / 3 - 1 / 3)
    assert found.mean(1).abs().max() < 1e-12


def test_spread_means_refuses():
    with pytest.raises(ValueError, match="got 1, 2, 16 and 600"):
        spread_means(1, 2)


HOLDS = [name for name in dir(checks) if name.endswith("_instead")] + [
    "prop_1_formula",
    "prop_1_unique",
    "prop_1_skew_noise",
    "eq_12_collapse",
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
