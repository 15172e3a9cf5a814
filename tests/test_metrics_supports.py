"""Collapse support by support: at certified optima, against loops, and at the edges."""

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from generators import random_rotation, seeded

from nclib.geometry import simplex_etf
from nclib.metrics import measure, released_code_metrics, support_report, synthesis_fits
from nclib.ufm import solve


def multi_hot(supports, num_classes):
    labels = torch.zeros(len(supports), num_classes, dtype=torch.float64)
    for row, support in enumerate(supports):
        labels[row, list(support)] = 1
    return labels


def complete(num_classes, multiplicities):
    return [s for m in multiplicities for s in combinations(range(num_classes), m)]


def noisy(num_classes=4, dim=6, samples=60, seed=0):
    """Samples about tag-wise sums that are off by a bit, with every singleton and pair."""
    generator = seeded(seed)
    labels = multi_hot(complete(num_classes, (1, 2)), num_classes)
    labels = labels[torch.randint(len(labels), (samples,), generator=generator)]
    labels = torch.cat([labels, multi_hot(complete(num_classes, (1, 2)), num_classes)])
    means = torch.randn(num_classes, dim, generator=generator).double()
    noise = torch.randn(len(labels), dim, generator=generator).double()
    return labels @ means + 0.3 * noise, labels, means


def by_loop(features, labels):
    """Mean of every support."""
    groups = {}
    for h, hot in zip(features.numpy(), labels.numpy(), strict=True):
        groups.setdefault(tuple(np.flatnonzero(hot).tolist()), []).append(h)
    return {support: np.stack(rows) for support, rows in groups.items()}


@pytest.fixture(scope="module")
def balanced():
    """The certified optimum of all singletons, pairs and triples of six classes."""
    supports = complete(6, (1, 2, 3))
    counts = torch.tensor([{1: 10, 2: 3, 3: 2}[len(s)] for s in supports])
    labels = multi_hot(supports, 6)
    solution = solve(labels.T, counts, lam_w=2e-3, lam_h=2e-4, lam_b=math.inf, loss="pal")
    return labels, counts, solution


def test_positive_pairs_have_no_zero_nc1_at_the_certified_optimum(balanced):
    labels, counts, solution = balanced
    # Independent of the solver: h_S = γ_m P y_S up to a rotation, with the γ_m of bisection, has
    # the pair means a P e_k and its moments in closed form.
    gamma, n, classes = {1: 0.01726, 2: 0.01553, 3: 0.01454}, {1: 10, 2: 3, 3: 2}, 6
    pairs = sum(n[m] * math.comb(5, m - 1) for m in n)
    mean = sum(n[m] * gamma[m] * math.comb(4, m - 1) for m in n) / pairs
    square = sum(
        n[m] * gamma[m] ** 2 * math.comb(5, m - 1) * m * (classes - m) / classes for m in n
    )
    ratio = square / pairs / (mean**2 * (classes - 1) / classes) - 1
    features, hot = (rows.repeat_interleave(counts, 0) for rows in (solution.means, labels))
    report = measure(features, hot, weight=solution.weight)
    assert report.nc1_ratio == pytest.approx(ratio, rel=1e-3)  # γ to four digits
    assert report.nc1 == pytest.approx(ratio * (classes - 1) / classes, rel=1e-3)
    assert report.nc1 == pytest.approx(1.3250, abs=5e-5)
    assert report.nc2_etf < 1e-6
    assert report.nc3 < 1e-6
    assert report.nc4 == 1


def test_a_certified_optimum_is_collapsed_support_by_support(balanced):
    labels, counts, solution = balanced
    report = support_report(solution.means, labels, counts=counts, weight=solution.weight)
    assert report.supports == tuple(complete(6, (1, 2, 3)))
    assert report.counts.tolist() == counts.tolist()
    assert report.variability < 1e-20
    assert report.not_alone == ()
    for value in (report.singleton_etf, report.classifier_etf, report.self_duality):
        assert value < 1e-6
    assert report.tagwise_angle < 1e-6
    assert report.tagwise_angle_reference < 1e-6
    assert report.tagwise_angles[:6].isnan().all()
    assert float(report.tagwise_angles[6:].max()) < 1e-4
    for name, fit in synthesis_fits(
        solution.means, labels, counts=counts, weight=solution.weight
    ).items():
        assert float(fit.cosines.min()) == pytest.approx(1), name
    # C_m = γ_m / γ_1, as the refereed example has it
    scales = synthesis_fits(solution.means, labels)["uniform"].scales
    assert scales[:15].tolist() == pytest.approx([0.01553 / 0.01726] * 15, rel=5e-4)
    assert scales[15:].tolist() == pytest.approx([0.01454 / 0.01726] * 20, rel=5e-4)


# Mean cosines over pairs: K = 5, singletons 100 r^(-k/4), every pair n times, λ_W = 1e-3 and
# λ_H = λ_W/N in the convention without halves. Columns: (r, n) of (10, 20), (100, 20), (100, 2)
# without a bias and with a free one.
SYNTHESIS = {
    "uniform": (0.9999, 0.9998, 0.9990, 0.9971, 0.9946, 0.9768),
    "count": (0.822, 0.689, 0.617, 0.815, 0.657, 0.582),
    "frequency": (0.969, 0.958, 0.761, 0.975, 0.965, 0.758),
    "root_count": (0.928, 0.819, 0.782, 0.935, 0.812, 0.829),
    "frequency_centred": (0.972, 0.965, 0.328, 0.9998, 0.9996, 0.9974),
    "affine": (None, None, None, 0.9998, 0.9996, 0.9974),  # a free bias: the rule above
    "classifier": (0.989, 0.984, 0.893, 0.979, 0.966, 0.829),
    "classifier_frequency": (None, None, None, 0.990, 0.987, 0.910),
    "residual": (1, 1, 1, 1, 1, 1),
}


@pytest.mark.parametrize(
    ("column", "lam_b", "ratio", "pairs"),
    [
        (3 * free + place, lam_b, ratio, pairs)
        for free, lam_b in enumerate((math.inf, 0.0))
        for place, (ratio, pairs) in enumerate(((10, 20), (100, 20), (100, 2)))
    ],
)
def test_synthesis_rules_at_imbalanced_certified_optima(column, lam_b, ratio, pairs):
    labels = multi_hot(complete(5, (1, 2)), 5)
    counts = torch.tensor([100 * ratio ** (-k / 4) for k in range(5)] + 10 * [pairs]).double()
    lam_h = 2e-3 / float(counts.sum())
    solution = solve(labels.T, counts, lam_w=2e-3, lam_h=lam_h, lam_b=lam_b, loss="pal")
    fits = synthesis_fits(
        solution.means, labels, counts=counts, weight=solution.weight, bias=solution.bias
    )
    assert list(fits) == list(SYNTHESIS)
    for name, row in SYNTHESIS.items():
        if row[column] is not None:
            digits = 4 if row[column] > 0.99 and row[column] != 0.990 else 3
            mean = float(fits[name].cosines.mean())
            assert mean == pytest.approx(row[column], abs=0.51 * 10**-digits), name
    residual = fits["residual"]
    # the first-order condition: h_S = W^T r_S / (N λ_H)
    expected = 1 / (float(counts.sum()) * lam_h)
    assert residual.scales.tolist() == pytest.approx([expected] * 10, rel=1e-3)


@pytest.mark.parametrize("offset", [0.0, 3.0])
def test_prototypes_that_are_affine_in_the_labels_obey_the_affine_sum(offset):
    labels = multi_hot(complete(4, (1, 2, 3)), 4)
    counts = torch.arange(1.0, len(labels) + 1)
    prototypes = labels @ torch.randn(4, 6, generator=seeded(0)).double() + offset
    fits = synthesis_fits(prototypes, labels, counts=counts)
    assert fits["affine"].cosines.tolist() == pytest.approx([1.0] * 10, abs=1e-12)
    assert fits["affine"].scales.tolist() == pytest.approx([1.0] * 10, abs=1e-9)
    assert (float(fits["uniform"].cosines.min()) < 0.99) == bool(offset)


def test_the_affine_sum_misses_by_a_multiple_of_the_distance_from_an_affine_map():
    labels = multi_hot(complete(4, (1, 2, 3)), 4)
    counts, sizes = torch.arange(1.0, len(labels) + 1).double(), labels.sum(1)[4:]
    affine = labels @ torch.randn(4, 6, generator=seeded(1)).double() + 1
    excess = torch.randn(len(labels), 6, generator=seeded(2)).double()
    prototypes = affine + excess
    fit = synthesis_fits(prototypes, labels, counts=counts)["affine"]
    mean = float((counts @ labels.sum(1)) / counts.sum())
    bound = (1 + sizes + (sizes - 1) * (mean + 1) / (mean - 1)) * excess.norm(dim=1).max()
    # The part across the rule's vector is at most the whole miss.
    sine = (1 - fit.cosines.square()).sqrt()
    assert (sine * prototypes[4:].norm(dim=1) <= bound).all()


def test_the_report_is_that_of_loops():
    features, labels, _ = noisy()
    groups = by_loop(features, labels)
    means = {support: rows.mean(0) for support, rows in groups.items()}
    report = support_report(features, labels)
    assert report.supports == tuple(sorted(groups, key=lambda s: (len(s), s)))
    overall = features.numpy().mean(0)
    between = sum(len(groups[s]) * np.sum((means[s] - overall) ** 2) for s in groups)
    within = {s: np.sum((groups[s] - means[s]) ** 2) for s in groups}
    assert report.variability == pytest.approx(sum(within.values()) / between)
    for place, support in enumerate(report.supports):
        assert report.counts[place] == len(groups[support])
        assert report.means[place].tolist() == pytest.approx(means[support].tolist())
        variance = within[support] / len(groups[support])
        assert float(report.variances[place]) == pytest.approx(variance, abs=1e-12)
        expected = variance * len(features) / between
        assert float(report.variability_per_support[place]) == pytest.approx(expected, abs=1e-12)


def degrees(a, b):
    return math.degrees(math.acos(a @ b / np.linalg.norm(a) / np.linalg.norm(b)))


def test_the_tagwise_angle_of_the_released_code_and_the_one_of_centred_features():
    features, labels, _ = noisy()
    means = {support: rows.mean(0) for support, rows in by_loop(features, labels).items()}
    pairs = list(combinations(range(4), 2))
    report = support_report(features, labels)
    matched = [degrees(means[s], means[(s[0],)] + means[(s[1],)]) for s in pairs]
    every = [degrees(means[s], means[(i,)] + means[(j,)]) for i, j in pairs for s in pairs]
    assert report.tagwise_angle_reference == pytest.approx(np.mean(matched) / np.mean(every))
    centre = np.mean([means[(k,)] for k in range(4)], axis=0)
    sums = {s: means[(s[0],)] + means[(s[1],)] - 2 * centre for s in pairs}
    matched = [degrees(means[s] - centre, sums[s]) for s in pairs]
    others = [degrees(means[s] - centre, sums[t]) for t in pairs for s in pairs if s != t]
    assert report.tagwise_angles[4:].tolist() == pytest.approx(matched)
    assert report.tagwise_angle == pytest.approx(np.mean(matched) / np.mean(others))


def test_an_offset_hides_the_angles_of_the_released_code_alone():
    generator = seeded(1)
    labels = multi_hot(complete(6, (1, 2)), 6)
    shape = torch.randn(len(labels), 8, generator=generator).double()  # no structure at all
    report = support_report(shape + 100, labels)
    assert 0.8 < report.tagwise_angle < 1.2
    assert report.tagwise_angle_reference == pytest.approx(1, abs=0.2)
    collapsed = labels @ simplex_etf(6, 8)
    report = support_report(collapsed + 100 * simplex_etf(2, 8)[0], labels)
    assert report.tagwise_angle < 1e-6
    assert report.tagwise_angle_reference > 0.1  # h̄_i + h̄_j has the offset twice
    assert report.singleton_etf < 1e-6


def test_the_slips_of_the_released_code_are_those_of_a_loop_that_shares_memory():
    features, labels, weight = noisy()
    rows, total = features.clone().numpy(), 0
    sums, counts, kept = {}, {}, {}
    for row, hot in zip(rows, labels.numpy(), strict=True):
        if hot.sum() > 1:
            continue
        k = int(hot.argmax())
        total = total + row
        kept.setdefault(k, []).append(row)
        counts[k] = counts.get(k, 0) + 1
        if k not in sums:
            sums[k] = row  # not a copy
        else:
            sums[k] += row
    for k in sums:
        sums[k] /= counts[k]
    centre = total / len(rows)
    within = sum(np.outer(h - sums[k], h - sums[k]) for k in kept for h in kept[k])
    between = sum(np.outer(sums[k] - centre, sums[k] - centre) for k in sums) / 4
    nc1 = np.trace(within / sum(counts.values()) @ np.linalg.pinv(between, rcond=1e-6)) / 4
    values = released_code_metrics(features, labels, weight)
    assert values["nc1"] == pytest.approx(nc1)
    means = np.stack([sums[k] for k in range(4)])
    etf = (np.eye(4) - 1 / 4) / math.sqrt(3)
    for name, gram in (
        ("nc2_w", weight.numpy() @ weight.numpy().T),
        ("nc2_h", means @ means.T),
        ("nc3", weight.numpy() @ (means - centre).T),
    ):
        assert values[name] == pytest.approx(np.linalg.norm(gram / np.linalg.norm(gram) - etf))
    alone = {k: np.mean(kept[k], axis=0) for k in kept}
    pairs = {s: h.mean(0) for s, h in by_loop(features, labels).items() if len(s) == 2}
    matched = [degrees(h, alone[i] + alone[j]) for (i, j), h in pairs.items()]
    every = [degrees(h, alone[i] + alone[j]) for i, j in pairs for h in pairs.values()]
    assert values["angle"] == pytest.approx(np.mean(matched) / np.mean(every))
    right = measure(features[labels.sum(1) == 1], labels[labels.sum(1) == 1].argmax(1)).nc1
    assert abs(values["nc1"] / right - 1) > 0.1
    with pytest.raises(ValueError, match=r"classes \[3\] never stand alone"):
        released_code_metrics(features[labels[:, 3] == 0], labels[labels[:, 3] == 0], weight)


def test_rows_with_counts_are_samples():
    features, labels, means = noisy()
    counts = torch.randint(1, 5, (len(labels),), generator=seeded(2))
    repeated = support_report(
        features.repeat_interleave(counts, 0), labels.repeat_interleave(counts, 0), weight=means
    )
    counted = support_report(features, labels, counts=counts, weight=means)
    for name in vars(counted):
        torch.testing.assert_close(
            getattr(counted, name), getattr(repeated, name), equal_nan=True, rtol=1e-9, atol=1e-9
        )


@pytest.mark.parametrize("scale", [1e-25, 1e30])
def test_nothing_that_is_free_of_scale_depends_on_it(scale):
    features, labels, means = noisy()
    rotation = random_rotation(6)
    expected = support_report(features, labels, weight=means)
    fits = synthesis_fits(features, labels)
    turned = ((features @ rotation) * scale).float()
    report = support_report(turned, labels, weight=(means @ rotation) / scale)
    for name in set(vars(report)) - {"means", "variances"}:
        torch.testing.assert_close(
            getattr(report, name), getattr(expected, name), equal_nan=True, rtol=1e-4, atol=1e-5
        )
    for name, fit in synthesis_fits(turned, labels).items():
        torch.testing.assert_close(fit.cosines, fits[name].cosines, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(fit.scales, fits[name].scales, rtol=1e-4, atol=1e-5)


def test_variability_in_float32_beside_a_large_offset():
    features, labels, means = noisy()
    exact = (1e3 + labels @ means + 1e-2 * (features - labels @ means)).float()
    expected = support_report(exact.double(), labels)
    report = support_report(exact, labels)
    assert report.variability == pytest.approx(expected.variability, rel=1e-9)


def test_classes_that_never_stand_alone():
    supports = [(0,), (1,), (0, 1), (0, 2), (1, 2), (0, 1, 2), ()]
    labels, weight = multi_hot(supports, 3), simplex_etf(3, 5)
    report = support_report(labels @ weight, labels, weight=weight)
    assert report.not_alone == (2,)
    # of the only pair that stands alone class by class, the centred singletons cancel
    assert report.singleton_etf is report.self_duality is report.tagwise_angle is None
    assert report.classifier_etf < 1e-12
    assert report.tagwise_angles.isnan().all()
    three = multi_hot([(0,), (1,), (2,), (0, 1), (0, 3), (0, 1, 2)], 4)
    angles = support_report(three @ simplex_etf(4, 5), three).tagwise_angles
    assert angles.isnan().tolist() == [True, True, True, False, True, True]
    fits = synthesis_fits(labels @ weight, labels, weight=weight)
    assert fits["uniform"].supports == ((0, 1), (0, 2), (1, 2), (0, 1, 2))
    assert fits["uniform"].cosines.isnan().tolist() == [False, True, True, True]
    assert fits["frequency_centred"].cosines.isnan().all()
    assert float(fits["classifier"].cosines[:3].min()) == pytest.approx(1)
    assert fits["classifier"].scales[:3].tolist() == pytest.approx([1] * 3)


def test_without_several_labels_no_rule_has_a_support():
    fits = synthesis_fits(torch.eye(3), torch.eye(3))
    assert fits["uniform"].supports == ()
    assert len(fits["frequency_centred"].cosines) == 0


FEATURES, LABELS = torch.eye(3), torch.eye(3)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("changed", "error", "match"),
    [
        ({"features": [[1.0]]}, TypeError, "features must be a torch.Tensor, got list"),
        ({"features": FEATURES.long()}, TypeError, "features must be floating point"),
        ({"features": FEATURES[None]}, ValueError, r"features must be a matrix.*\(1, 3, 3\)"),
        ({"features": FEATURES[:2]}, ValueError, "2 features but 3 labels"),
        ({"features": FEATURES / FEATURES[1]}, ValueError, "infinity, first in sample 0"),
        ({"labels": torch.arange(3)}, ValueError, r"labels must be multi-hot"),
        ({"labels": LABELS / 2}, ValueError, r"0\.5 in row 0, column 0"),
        ({"labels": 0 * LABELS}, ValueError, "no sample has a label"),
        ({"counts": torch.tensor([1, 0, 2])}, ValueError, "counts has 0 in row 1"),
        ({"counts": torch.ones(2)}, ValueError, r"counts must have shape \(3,\)"),
        ({"weight": torch.ones(2, 3)}, ValueError, "weight has 2 rows"),
        ({"weight": torch.ones(3, 9)}, ValueError, r"\(K, 3\), as the features, got \(3, 9\)"),
        ({"weight": torch.ones(3, 3) / 0}, ValueError, "weight contains NaN"),
    ],
)
@pytest.mark.parametrize("function", [support_report, synthesis_fits])
def test_what_does_not_fit_is_refused_by_name(function, changed, error, match):
    with pytest.raises(error, match=match):
        function(**({"features": FEATURES, "labels": LABELS} | changed))
