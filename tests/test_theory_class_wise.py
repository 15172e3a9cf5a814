"""Class-wise features: what their losses and a fixed classifier allow, against literal formulas."""

import math

import numpy as np
import pytest
import torch
from generators import seeded
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from nclib.geometry import centring_matrix, pairwise_angles, simplex_etf
from nclib.theory import (
    aligned_tokens,
    fixed_classifier_logits,
    fixed_norm_logits,
    largest_attention,
    largest_nonnegative_cosine,
    least_mean_angle,
    simplex_prototype_loss,
    unit_block_optimum,
)

SEEDS = st.integers(0, 2**31)


def gaussian(*shape, seed):
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def cosine(first, second):
    return float(first @ second) / math.sqrt(float(first @ first) * float(second @ second))


def attention(tokens, embedding):
    """Equation (3), literally."""
    weights = [math.exp(cosine(token, embedding)) for token in tokens]
    return [weight / sum(weights) for weight in weights]


def alignment_loss(tokens, embeddings, labels):
    """Equations (3) to (6) for one image, literally, and the cosines of its features."""
    k, cosines, total = len(embeddings), [], 0.0
    for embedding, label in zip(embeddings, labels, strict=True):
        weights = attention(tokens, embedding)
        feature = sum(w * token for w, token in zip(weights, tokens, strict=True))
        cosines.append(cosine(feature, embedding))
        if label:
            total += math.log((1 + cosines[-1]) / 2)
        else:
            share = 1 - (k - 1) / k * abs(1 / (k - 1) + cosines[-1])
            total += math.log(share) if share > 0 else -math.inf
    return -total / k, cosines


@given(st.integers(2, 12), st.integers(0, 3), SEEDS, st.data())
@settings(max_examples=30, deadline=None)
def test_aligned_tokens_have_the_loss_zero(num_classes, room, seed, data):
    allowed = [m for m in range(1, num_classes + 1) if m == 1 or m != num_classes - 1]
    count = data.draw(st.sampled_from(allowed))
    labels = torch.randperm(num_classes, generator=seeded(seed)) < count
    embeddings = 3 * simplex_etf(num_classes, num_classes - 1 + room, generator=seeded(seed))
    tokens = aligned_tokens(embeddings, labels)
    loss, cosines = alignment_loss(tokens, embeddings, labels)
    assert abs(loss) < 1e-9
    expected = [1.0 if label else -1 / (num_classes - 1) for label in labels]
    assert cosines == pytest.approx(expected, abs=1e-9)
    others = num_classes - count
    corrected = count > 1 and others > 0
    added = 0 if not corrected else 2 if others % 2 == 0 else 6 if others == 3 else 8
    assert len(tokens) == count + added
    assert abs(alignment_loss(tokens.repeat(3, 1), embeddings, labels)[0]) < 1e-9


def test_tokens_that_cannot_be_made_are_refused():
    embeddings = simplex_etf(5, 6, generator=seeded(0))
    for count in (0, 4):
        with pytest.raises(ValueError, match=f"labels has {count} classes, expected 1 to 3"):
            aligned_tokens(embeddings, torch.arange(5) < count)
    with pytest.raises(ValueError, match="no simplex ETF: a cosine differs by"):
        aligned_tokens(gaussian(5, 6, seed=0), torch.arange(5) < 2)


@pytest.mark.unchecked
def test_labels_of_another_number_of_classes_are_refused():
    with pytest.raises(ValueError, match=r"labels must have shape \(5,\)"):
        aligned_tokens(simplex_etf(5, 6, generator=seeded(0)), torch.arange(4) < 2)
    with pytest.raises(ValueError, match=r"labels must have shape \(4,\)"):
        unit_block_optimum(simplex_etf(4, 8), torch.arange(5) < 2, scale=1.0)


@given(st.integers(2, 8), st.integers(1, 12), SEEDS)
@settings(max_examples=30, deadline=None)
def test_an_image_without_labels_keeps_a_cosine_that_is_not_negative(classes, count, seed):
    embeddings = simplex_etf(classes, classes + 2, generator=seeded(seed))
    tokens = gaussian(count, classes + 2, seed=seed) * gaussian(count, 1, seed=seed + 1).exp()
    loss, cosines = alignment_loss(tokens, embeddings, [False] * classes)
    assert max(cosines) >= -1e-12
    assert loss >= math.log(classes / (classes - 1)) / classes - 1e-12


@given(st.integers(2, 6), st.integers(1, 9), SEEDS)
def test_features_without_negative_entries_stay_below_the_cosine(classes, dim, seed):
    embeddings = gaussian(classes, dim, seed=seed)
    bound = largest_nonnegative_cosine(embeddings)
    for feature in gaussian(20, dim, seed=seed + 1).abs():
        for row, most in zip(embeddings, bound.tolist(), strict=True):
            assert cosine(feature, row) <= most + 1e-12
    for row, most in zip(embeddings, bound.tolist(), strict=True):
        if most > 0:
            assert cosine(row.clamp(min=0), row) == pytest.approx(most)


@given(st.integers(2, 8), SEEDS)
def test_no_orientation_of_a_simplex_exceeds_that_of_the_axes(classes, seed):
    rotated = simplex_etf(classes, classes + 3, generator=seeded(seed))
    best = math.sqrt((classes - 1) / classes)
    assert float(largest_nonnegative_cosine(rotated).min()) <= best + 1e-12
    assert torch.allclose(
        largest_nonnegative_cosine(centring_matrix(classes)), torch.tensor(best).double()
    )


@given(st.integers(1, 6), st.integers(1, 12), st.integers(1, 4), SEEDS)
def test_attention_stays_below_its_bound(inside, outside, dim, seed):
    embedding = gaussian(dim, seed=seed)
    tokens = gaussian(inside + outside, dim, seed=seed + 1)
    share = inside / (inside + outside)
    assert sum(attention(tokens, embedding)[:inside]) <= largest_attention(share) + 1e-12
    positive = attention(tokens.abs(), embedding)
    assert sum(positive[:inside]) <= largest_attention(share, nonnegative=True) + 1e-12
    extreme = torch.cat([embedding.expand(inside, -1), -embedding.expand(outside, -1)])
    assert sum(attention(extreme, embedding)[:inside]) == pytest.approx(largest_attention(share))


def test_a_temperature_sharpens_attention():
    assert largest_attention(0.25, temperature=0.1) > 0.999
    assert largest_attention(1.0) == 1.0
    assert largest_attention(0.0) == 0.0
    with pytest.raises(ValueError, match=r"share is 1.5"):
        largest_attention(1.5)


def searched_logits(num_classes, labels, *, dim, lam_h, seed):
    """The optimum by descent on the feature, with a classifier of its own."""
    rows = simplex_etf(num_classes, dim, generator=seeded(seed)).numpy()
    signs = np.where(labels, 1.0, -1.0)

    def value(h):
        z = signs * (rows @ h)
        slope = -(signs / (1 + np.exp(z))) @ rows + lam_h * h
        return np.logaddexp(0, -z).sum() + lam_h / 2 * h @ h, slope

    start = np.random.default_rng(seed).normal(size=dim)
    return rows @ minimize(value, start, jac=True, method="BFGS", options={"gtol": 1e-10}).x


@given(st.integers(2, 9), st.integers(0, 3), SEEDS, st.data())
@settings(max_examples=20, deadline=None)
def test_logits_are_those_that_descent_reaches(num_classes, room, seed, data):
    count = data.draw(st.integers(0, num_classes))
    labels = (torch.randperm(num_classes, generator=seeded(seed)) < count).numpy()
    dim = num_classes - 1 + room
    logits = searched_logits(num_classes, labels, dim=dim, lam_h=0.05, seed=seed)
    best = fixed_classifier_logits(num_classes, count, lam_h=0.05)
    np.testing.assert_allclose(
        logits, np.where(labels, best.positive, best.negative), atol=1e-5, rtol=1e-5
    )


def test_the_logits_of_eighty_classes():
    one = fixed_classifier_logits(80, 1, lam_h=0.01)
    assert (round(one.positive, 1), round(one.negative, 2)) == (38.2, -0.48)
    assert fixed_classifier_logits(80, 80, lam_h=0.01) == (0.0, 0.0, 80 * math.log(2))
    with pytest.raises(ValueError, match="num_labels is 81, expected at most 80"):
        fixed_classifier_logits(80, 81, lam_h=0.01)


@given(st.integers(2, 5), st.integers(0, 2), SEEDS, st.data())
@settings(max_examples=20, deadline=None)
def test_unit_blocks_are_certified_and_within_the_range(num_classes, room, seed, data):
    count = data.draw(st.integers(1, num_classes - 1))
    labels = torch.arange(num_classes) < count
    block = num_classes - 1 + room
    rows = simplex_etf(num_classes, num_classes * block, generator=seeded(seed))
    best = unit_block_optimum(rows, labels, scale=3.0)
    assert abs(best.gap) < 1e-8
    assert torch.allclose(best.features.norm(dim=1), torch.ones(num_classes).double())
    logits = 3.0 * rows @ best.features.flatten()
    assert torch.allclose(logits, best.logits)
    least = fixed_norm_logits(num_classes, count, length=3 * math.sqrt(num_classes)).loss
    most = fixed_norm_logits(num_classes, count, length=3.0).loss
    assert least - 1e-9 <= best.loss <= most + 1e-9
    signs = torch.where(labels, 1.0, -1.0).double()
    for other in gaussian(50, num_classes, block, seed=seed):
        features = torch.nn.functional.normalize(other, dim=1)
        loss = torch.nn.functional.softplus(-signs * 3.0 * (rows @ features.flatten())).sum()
        assert loss >= best.loss - 1e-9


def test_both_ends_of_the_range_are_attained():
    simplex = simplex_etf(4, 3, generator=seeded(0))
    labels = torch.arange(4) < 1
    spread = torch.cat([simplex @ torch.linalg.qr(gaussian(3, 3, seed=s)).Q for s in range(4)], 1)
    best = unit_block_optimum(spread / 2, labels, scale=5.0)
    assert best.loss == pytest.approx(fixed_norm_logits(4, 1, length=10.0).loss, abs=1e-9)
    one_block = torch.cat([simplex, torch.zeros(4, 9)], 1).double()
    worst = unit_block_optimum(one_block, labels, scale=5.0)
    assert worst.loss == pytest.approx(fixed_norm_logits(4, 1, length=5.0).loss, abs=1e-9)


def test_a_classifier_of_uneven_blocks_is_refused():
    with pytest.raises(ValueError, match="classifier has 5 columns, expected a multiple of 4"):
        unit_block_optimum(simplex_etf(4, 5, generator=seeded(0)), torch.arange(4) < 1, scale=1.0)


def prototype_loss(features, centres, labels, temperature):
    """Equation (9), averaged over samples of one label each."""
    unit = [row / row.norm() for row in centres]
    total = 0.0
    for feature, label in zip(features, labels, strict=True):
        scores = [cosine(feature, row) / temperature for row in unit]
        total -= scores[label] - math.log(sum(map(math.exp, scores)))
    return total / len(features)


@given(st.integers(2, 6), st.sampled_from([0.1, 0.5, 2.0]), SEEDS)
def test_no_feature_and_no_balanced_centres_are_below_the_simplex(classes, temperature, seed):
    simplex = simplex_etf(classes, classes, generator=seeded(seed))
    floor = simplex_prototype_loss(classes, temperature=temperature)
    reached = prototype_loss(simplex, simplex, range(classes), temperature)
    assert reached == pytest.approx(floor)
    free = gaussian(classes, classes, seed=seed)
    assert prototype_loss(free, simplex, range(classes), temperature) >= floor - 1e-12
    assert prototype_loss(free, free, range(classes), temperature) >= floor - 1e-12


@given(st.integers(0, 4), st.booleans(), SEEDS)
def test_centred_vectors_of_equal_length_keep_their_mean_angle(couples, triple, seed):
    """Opposite couples and a triangle add up to zero, wherever they point."""
    ends = torch.nn.functional.normalize(gaussian(couples + 1, 3, seed=seed), dim=1)
    turns = torch.linalg.qr(gaussian(3, 3, seed=seed)).Q
    rest = simplex_etf(3, 3) @ turns if triple else torch.cat([ends[-1:], -ends[-1:]])
    rows = torch.cat([ends[:-1], -ends[:-1], rest])
    angles = pairwise_angles(rows)[np.triu_indices(len(rows), 1)]
    mean = float(angles.deg2rad().cos().mean())
    assert mean == pytest.approx(-1 / (len(rows) - 1))
    assert float(angles.mean()) >= least_mean_angle(len(rows)) - 1e-9


def test_the_tangent_stays_below_the_arc_cosine():
    slope = math.radians(least_mean_angle(20)) * 19 / 20
    x = np.linspace(-1, 1, 10_001)
    below = np.arccos(x) - slope * (1 - x)
    assert below.min() > -1e-12
    assert below[x < 0].min() < 1e-6


def test_unequal_lengths_allow_small_angles():
    """Nineteen equal vectors and one that balances them."""
    rows = torch.eye(1, 3).double().repeat(20, 1)
    rows[-1] *= -19
    angles = pairwise_angles(rows)[np.triu_indices(20, 1)]
    assert float(rows.mean(0).norm()) < 1e-12
    assert float(angles.mean()) == pytest.approx(18.0)
