"""Label distributions with several labels a sample, against solvers and dense computations."""

import itertools
import math

import cvxpy as cp
import numpy as np
import pytest
import torch
from generators import seeded
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.linalg import null_space

from nclib import ufm
from nclib.geometry import simplex_etf
from nclib.theory import (
    balanced_optimum,
    label_spectrum,
    lower_bound,
    merging_thresholds,
    stability_bound,
    trivial_threshold,
    upper_bound,
)

SEEDS = st.integers(0, 2**31)
FANO = [(0, 1, 3), (1, 2, 4), (2, 3, 5), (3, 4, 6), (0, 4, 5), (1, 5, 6), (0, 2, 6)]
TWICE = sparse.coo_array(([1, 1], ([0, 0], [1, 1])), shape=(1, 2))


def multi_hot(supports, num_classes):
    """(C, K) rows."""
    rows = np.zeros((len(supports), num_classes))
    for row, support in zip(rows, supports, strict=True):
        row[list(support)] = 1
    return rows


def all_supports(num_classes, *sizes):
    sets = (itertools.combinations(range(num_classes), m) for m in sizes)
    return multi_hot(list(itertools.chain.from_iterable(sets)), num_classes)


def drawn(seed, largest=3):
    """A random distribution: some supports with up to three labels, and uneven counts."""
    rng = np.random.default_rng(seed)
    num_classes = int(rng.integers(3, 6))
    every = all_supports(num_classes, *range(1, min(largest, num_classes - 1) + 1))
    size = int(rng.integers(2, len(every) + 1))
    labels = every[rng.choice(len(every), size, replace=False)]
    counts = np.ceil(np.exp(rng.uniform(0, 4, size)))
    return labels, counts, {"lam_w": 10 ** rng.uniform(-4, -1), "lam_h": 10 ** rng.uniform(-5, -2)}


def optimum(labels, counts, *, lam_b=math.inf, **penalties):
    targets = torch.as_tensor(labels).T.contiguous()
    return ufm.solve(targets, torch.as_tensor(counts), lam_b=lam_b, loss="pal", **penalties)


def five(ratio):
    """The published regression case: K = 5, long-tailed singletons, 20 of each pair."""
    counts = [100 * ratio ** (-k / 4) for k in range(5)] + [20.0] * 10
    return all_supports(5, 1, 2), counts, {"lam_w": 6e-3, "lam_h": 6e-3 / sum(counts)}


@given(SEEDS)
def test_moments_and_spectra_are_those_of_dense_rows(seed):
    labels, counts, _ = drawn(seed)
    rows = np.repeat(labels, counts.astype(int), axis=0)
    basis = null_space(np.ones((1, rows.shape[1])))
    sizes = rows.sum(1)
    spectrum = label_spectrum(labels, counts)
    assert [entry.multiplicity for entry in spectrum] == sorted(set(sizes.astype(int).tolist()))
    for entry in [*spectrum, spectrum.pooled]:
        chosen = rows if entry is spectrum.pooled else rows[sizes == entry.multiplicity]
        q = chosen.mean(0) / chosen.mean(0).sum()
        residual = chosen - chosen.sum(1, keepdims=True) * q
        moment, covariance = (v.T @ v / len(v) for v in (chosen, residual))
        expected = np.linalg.eigvalsh(basis.T @ moment @ basis)
        np.testing.assert_allclose(entry.second_moment.numpy(), moment, atol=1e-14)
        np.testing.assert_allclose(entry.covariance.numpy(), covariance, atol=1e-14)
        np.testing.assert_allclose(entry.eigenvalues.numpy(), expected, atol=1e-13)
        least = np.linalg.eigvalsh(basis.T @ covariance @ basis)[0]
        assert entry.covariance_kappa_min == pytest.approx(least, abs=1e-13)
        assert entry.count == len(chosen)


@given(SEEDS)
def test_trace_identity_and_order_of_kappas(seed):
    labels, counts, _ = drawn(seed)
    k = labels.shape[1]
    for entry in label_spectrum(labels, counts):
        m = entry.multiplicity
        assert entry.trace == pytest.approx(m * (k - m) / k, rel=1e-13)
        assert float(entry.centred_moment.trace()) == pytest.approx(entry.trace, rel=1e-13)
        assert entry.kappa_min <= entry.kappa_balanced * (1 + 1e-13)
        assert entry.kappa_max >= entry.kappa_balanced * (1 - 1e-13)
        assert entry.covariance_kappa_min <= entry.kappa_min + 1e-13


def test_isotropic_designs():
    [fano] = label_spectrum(multi_hot(FANO, 7))
    torch.testing.assert_close(fano.eigenvalues, torch.full((6,), 2 / 7, dtype=torch.float64))
    assert fano.is_isotropic()
    assert fano.kappa_hat == pytest.approx(1)
    # half of the labels: isotropic although class 0 is in every support
    [star] = label_spectrum(multi_hot([(0, 1), (0, 2), (0, 3)], 4))
    assert star.is_isotropic()
    assert star.frequencies.tolist() == pytest.approx([1, 1 / 3, 1 / 3, 1 / 3])
    torch.testing.assert_close(star.eigenvalues, torch.full((3,), 1 / 3, dtype=torch.float64))
    assert not label_spectrum(multi_hot(FANO[:6], 7))[0].is_isotropic()


def test_every_form_of_labels_gives_the_same_spectrum():
    rng = np.random.default_rng(3)
    rows = rng.random((200, 6)) < 0.4
    expected = label_spectrum(rows)
    supports, counts = np.unique(rows, axis=0, return_counts=True)
    assert expected.skipped == int((~rows.any(1)).sum()) > 0
    forms = [
        (torch.as_tensor(rows), None),
        (rows.astype(float).tolist(), None),
        (sparse.csr_matrix(rows), None),
        (sparse.coo_array(rows.astype(np.int8)), None),
        (supports, counts),
        (sparse.csc_array(supports), torch.as_tensor(counts)),
    ]
    for labels, weights in forms:
        spectrum = label_spectrum(labels, weights)
        assert spectrum.skipped == expected.skipped
        assert [e.count for e in spectrum] == [e.count for e in expected]
        for entry, other in zip(spectrum, expected, strict=True):
            assert torch.equal(entry.second_moment, other.second_moment)


def test_a_sparse_matrix_is_left_as_it_was():
    matrix = sparse.csr_array(
        (np.array([1.0, 0.0, 1.0]), np.array([2, 0, 1]), np.array([0, 2, 3])), shape=(2, 3)
    )
    label_spectrum(matrix)
    assert matrix.indices.tolist() == [2, 0, 1]
    assert matrix.data.tolist() == [1, 0, 1]


def test_all_labels_and_absent_classes():
    spectrum = label_spectrum([[1, 1, 1, 1], [1, 1, 1, 1]])
    [full] = spectrum
    assert (full.kappa_min, full.kappa_max, full.covariance_kappa_min) == (0, 0, 0)
    assert full.kappa_balanced == 0
    assert math.isnan(full.kappa_hat)
    spectrum = label_spectrum([[1, 0, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]])
    assert (spectrum.absent, spectrum.skipped, spectrum.samples) == ((1, 2), 1, 2)
    penalties = {"lam_w": 1e-3, "lam_h": 1e-3}
    assert lower_bound([[1, 1, 1]], **penalties) == pytest.approx(3 * math.log(3))
    assert upper_bound([[1, 1, 1]], **penalties) == pytest.approx(3 * math.log(3))


@pytest.mark.parametrize(
    ("labels", "counts", "error", "message"),
    [
        ([[1, 0], [0.5, 0.5]], None, ValueError, "0.5 in row 1, column 0"),
        ([[1, 0], [math.nan, 1]], None, ValueError, "nan in row 1, column 0"),
        (
            sparse.coo_array(([1, 1], ([0, 0], [1, 1])), shape=(1, 2)),
            None,
            ValueError,
            "2 in row 0",
        ),
        ([0, 1, 2], None, ValueError, "one_hot"),
        ([[1], [1]], None, ValueError, "at least 2 classes"),
        ([[1, 0], [1]], None, ValueError, "matrix"),
        ([[0, 0], [0, 0]], None, ValueError, "without any"),
        ([["a", "b"]], None, TypeError, "zeros and ones"),
        (torch.eye(3).to_sparse(), None, TypeError, "scipy.sparse"),
        ([[1, 0], [0, 1]], [0.9, 0.1], ValueError, "as probabilities do"),
        ([[1, 0], [0, 1]], [3, 0], ValueError, "got 0 for row 1"),
        ([[1, 0], [0, 1]], [3, math.inf], ValueError, "got inf for row 1"),
        ([[1, 0], [0, 1]], [3], ValueError, r"shape \(2,\)"),
        ([[1, 0], [0, 1]], [True, False], TypeError, "bool"),
        (
            [[1, 0], [0, 0], [1, 1], [1, 0]],
            [1, 2, 3, 4],
            ValueError,
            r"rows 0 and 3 both are \(0,\)",
        ),
    ],
)
def test_labels_and_counts_are_refused_by_name(labels, counts, error, message):
    with pytest.raises(error, match=message):
        label_spectrum(labels, counts)
    for bound in (lower_bound, upper_bound):
        with pytest.raises(error, match=message):
            bound(labels, counts, lam_w=0.1, lam_h=0.1)


@pytest.mark.parametrize("value", [0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize("name", ["lam_w", "lam_h"])
def test_penalties_are_refused_by_name(name, value):
    penalties = {"lam_w": 0.1, "lam_h": 0.1, name: value}
    for call in (lower_bound, upper_bound):
        with pytest.raises(ValueError, match=name):
            call(np.eye(3), **penalties)
    with pytest.raises(ValueError, match=name):
        balanced_optimum(3, {1: 4}, **penalties)


@pytest.mark.parametrize(
    ("num_classes", "counts", "message"),
    [
        (1, {1: 4}, "num_classes 1"),
        (3, {}, "must have a multiplicity"),
        (3, {4: 1}, "multiplicity 4"),
        (3, {0: 1}, "multiplicity 0"),
        (3, {1: 0}, r"support_counts\[1\]"),
    ],
)
def test_balanced_tables_are_refused_by_name(num_classes, counts, message):
    with pytest.raises(ValueError, match=message):
        balanced_optimum(num_classes, counts, lam_w=0.1, lam_h=0.1)


def balanced_table(num_classes, support_counts):
    labels = all_supports(num_classes, *support_counts)
    counts = [float(support_counts[int(row.sum())]) for row in labels]
    return labels, counts


def test_balanced_optimum_of_six_classes():
    best = balanced_optimum(6, {1: 10, 2: 3, 3: 2}, lam_w=2e-3, lam_h=2e-4)
    assert best.scale_squared == pytest.approx(9.8077, abs=5e-5)
    assert list(best.gamma) == [1, 2, 3]
    assert list(best.gamma.values()) == pytest.approx([0.01726, 0.01553, 0.01454], abs=5e-6)
    assert best.objective == pytest.approx(1.455995454393, abs=1e-12)
    assert best.coefficients[2] == best.gamma[2] / best.gamma[1]


@pytest.mark.parametrize("strength", [1e-6, 1e-3, 0.3, 0.99])
@pytest.mark.parametrize("support_counts", [{1: 10, 2: 3, 3: 2}, {2: 1.5}, {1: 4, 3: 0.5, 4: 7}])
def test_balanced_optimum_is_the_certified_one(support_counts, strength):
    k = 4
    labels, counts = balanced_table(k, support_counts)
    lam_w = 0.3
    lam_h = strength * trivial_threshold(labels, counts) / lam_w
    best = balanced_optimum(k, support_counts, lam_w=lam_w, lam_h=lam_h)
    penalties = {"lam_w": lam_w, "lam_h": lam_h, "lam_b": math.inf, "loss": "pal"}
    targets = torch.as_tensor(labels).T.contiguous()
    # the point that the theorem describes, built from an ETF
    weight = simplex_etf(k, k, generator=seeded(0)) * math.sqrt(best.scale_squared * (k - 1) / k)
    centred = targets - targets.mean(0)
    gamma = torch.tensor([best.gamma[int(m)] for m in targets.sum(0)], dtype=torch.float64)
    means = (gamma / (sum(counts) * lam_h) * centred).T @ weight
    value = ufm.objective(weight, means, torch.zeros(k).double(), targets, counts, **penalties)
    assert value == pytest.approx(best.objective, rel=1e-12)
    residuals = ufm.first_order_residuals(
        weight, means, torch.zeros(k).double(), targets, counts, **penalties
    )
    assert max(residuals) < 1e-10  # roots right to 1e-12, in exponents up to 20
    assert best.objective == pytest.approx(
        ufm.solve(targets, counts, **penalties).objective, rel=1e-8
    )
    free = ufm.solve(targets, counts, **penalties | {"lam_b": 0.0})
    assert best.objective == pytest.approx(free.objective, rel=1e-8)


@pytest.mark.parametrize("penalty", [1e-300, 1e-150, 1e-30, 1e-9, 1.0, 1e9, 1e300])
def test_balanced_optimum_solves_its_equations_at_every_penalty(penalty):
    k, table = 5, {1: 7, 2: 0.25, 3: 40}
    best = balanced_optimum(k, table, lam_w=penalty, lam_h=penalty)
    samples = {m: math.comb(k, m) * n for m, n in table.items()}
    total = sum(samples.values())
    if best.scale_squared == 0:
        assert set(best.gamma.values()) == {1}
        mean = sum(m * n for m, n in samples.items()) / total
        assert best.objective == pytest.approx(mean * math.log(k))
        return
    left = math.fsum(
        n * m * (k - m) / (k * (k - 1)) * (best.gamma[m] / penalty / total) ** 2
        for m, n in samples.items()
    )
    assert left == pytest.approx(1, rel=1e-12)
    for m, gamma in best.gamma.items():
        exponent = best.scale_squared / penalty * gamma / total
        assert exponent == pytest.approx(math.log((k - (k - m) * gamma) / (m * gamma)), rel=1e-12)


def test_balanced_optimum_with_all_labels_and_without_singletons():
    penalties = {"lam_w": 0.01, "lam_h": 0.01}
    plain = balanced_optimum(3, {3: 5}, **penalties)
    assert (plain.scale_squared, plain.gamma) == (0, {3: 1})
    assert plain.objective == pytest.approx(3 * math.log(3))
    with pytest.raises(ValueError, match="singleton"):
        _ = plain.coefficients


@pytest.mark.parametrize(
    ("ratio", "value", "bound", "simple", "least", "largest"),
    [
        (1, 0.47332010, 0.47332010, None, 0.2, 0.2),
        (10, 0.74541054, 0.737229, 0.735118, 0.0614, 0.4041),
        (100, 0.88054652, 0.872311, None, 0.0136, 0.5678),
    ],
)
def test_bounds_of_five_classes(ratio, value, bound, simple, least, largest):
    labels, counts, penalties = five(ratio)
    assert optimum(labels, counts, **penalties).objective == pytest.approx(value, abs=1e-8)
    assert lower_bound(labels, counts, **penalties) == pytest.approx(bound, abs=1e-6)
    if simple is not None:
        weaker = lower_bound(labels, counts, simple=True, **penalties)
        assert weaker == pytest.approx(simple, abs=1e-6)
    singles, pairs = label_spectrum(labels, counts)
    assert (singles.kappa_min, singles.kappa_max) == pytest.approx((least, largest), abs=1e-4)
    assert (singles.kappa_balanced, pairs.kappa_min) == pytest.approx((0.2, 0.3))


@settings(max_examples=12)
@given(SEEDS)
def test_bounds_enclose_the_optimum(seed):
    labels, counts, penalties = drawn(seed)
    room = 1 + 2e-9  # the solver's gap
    value = optimum(labels, counts, **penalties).objective
    assert lower_bound(labels, counts, **penalties) <= value * room
    assert value <= upper_bound(labels, counts, **penalties) * room
    weaker = lower_bound(labels, counts, simple=True, **penalties)
    assert weaker <= lower_bound(labels, counts, **penalties)
    below = lower_bound(labels, counts, free_bias=True, **penalties)
    present = labels[:, labels.any(0)]  # with a free bias an absent class has no optimum
    if present.shape[1] > 1:
        # dropping an absent class can only lower the loss
        free = optimum(present, counts, lam_b=0.0, **penalties).objective
        assert below <= free * room


def least_variant(labels, counts, penalties):
    """The bound with one γ and the least eigenvalue in place of the largest."""
    spectrum = label_spectrum(labels, counts)
    pooled, k = spectrum.pooled, spectrum.num_classes
    level = pooled.count * penalties["lam_w"] * penalties["lam_h"]
    gamma = min(1.0, math.sqrt(level / pooled.kappa_min))
    total = 0.0
    for entry in spectrum:
        m, delta = entry.multiplicity, gamma * (k - entry.multiplicity) / k
        entropy = delta * math.log((k - m) / delta) + (1 - delta) * math.log(m / (1 - delta))
        total += entry.count / pooled.count * m * entropy
    return total


@pytest.mark.parametrize("ratio", [10, 100])
def test_the_least_eigenvalue_gives_no_bound(ratio):
    labels, counts, penalties = five(ratio)
    wrong = least_variant(labels, counts, penalties)
    assert wrong > optimum(labels, counts, **penalties).objective + 0.01


@pytest.mark.parametrize("ratio", [10, 100])
def test_best_tangents_are_those_of_a_semidefinite_program(ratio):
    labels, counts, penalties = five(ratio)
    spectrum = label_spectrum(labels, counts)
    k, n = 5, spectrum.samples
    gamma = cp.Variable(2)
    value, blocks = 0, []
    for j, entry in enumerate(spectrum):
        m, share = entry.multiplicity, entry.count / n
        delta = gamma[j] * (k - m) / k
        value += share * m * (cp.entr(delta) + delta * math.log(k - m))
        value += share * m * (cp.entr(1 - delta) + (1 - delta) * math.log(m))
        values, vectors = torch.linalg.eigh(entry.centred_moment)
        root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
        blocks.append(math.sqrt(share) * gamma[j] * root.numpy())
    level = math.sqrt(n * penalties["lam_w"] * penalties["lam_h"])
    norm = cp.sigma_max(cp.hstack(blocks))
    problem = cp.Problem(cp.Maximize(value), [norm <= level, gamma <= 1, gamma >= 0])
    problem.solve(solver=cp.CLARABEL)
    assert lower_bound(labels, counts, **penalties) == pytest.approx(problem.value, abs=1e-7)


def test_free_bias_takes_another_bound():
    # isotropic, with class 0 in every support: the bias helps
    labels, counts = multi_hot([(0, 1), (0, 2), (0, 3)], 4), [10.0] * 3
    penalties = {"lam_w": 0.02, "lam_h": 0.02 / 30}
    exact = optimum(labels, counts, **penalties)
    free = optimum(labels, counts, lam_b=0.0, **penalties)
    assert exact.objective == pytest.approx(1.56113, abs=5e-6)
    assert free.objective == pytest.approx(1.51215, abs=5e-6)
    assert lower_bound(labels, counts, **penalties) == pytest.approx(exact.objective, rel=1e-8)
    assert lower_bound(labels, counts, free_bias=True, **penalties) <= free.objective


@pytest.mark.parametrize("free_bias", [False, True])
@pytest.mark.parametrize("seed", [1, 5])
def test_everything_is_zero_from_the_threshold_on(seed, free_bias):
    labels, counts, _ = drawn(seed)
    labels = labels[:, labels.any(0)]
    lam_b = 0.0 if free_bias else math.inf
    product = trivial_threshold(labels, counts, free_bias=free_bias)
    below, above = (
        optimum(labels, counts, lam_b=lam_b, lam_w=0.1, lam_h=factor * product / 0.1)
        for factor in (0.99, 1.005)
    )
    assert float(below.weight.norm()) > 1e-2 * float(counts.sum()) ** -0.5
    assert above.rank == 0
    bound = lower_bound(labels, counts, free_bias=free_bias, lam_w=0.1, lam_h=1.005 * product / 0.1)
    assert bound == pytest.approx(above.objective, rel=1e-9)


def test_a_free_bias_breaks_the_promise_of_distinct_rows():
    labels, counts = np.eye(2), [90, 10]
    penalties = {"lam_w": 0.1, "lam_h": 0.3 / 100 / 0.1}
    product = penalties["lam_w"] * penalties["lam_h"]
    assert product < float(merging_thresholds(labels, counts)[0, 1]) == pytest.approx(0.5 / 100)
    assert product > trivial_threshold(labels, counts, free_bias=True)
    assert optimum(labels, counts, lam_b=0.0, **penalties).rank == 0
    assert optimum(labels, counts, **penalties).rank == 1


def test_two_rare_classes_merge_at_their_threshold():
    labels, counts = np.eye(5), [100, 100, 100, 5, 5]
    thresholds = merging_thresholds(labels, counts)
    pooled = label_spectrum(labels, counts).pooled
    assert float(thresholds[3, 4]) == pytest.approx(pooled.kappa_min / 310)
    assert torch.equal(thresholds.diagonal(), torch.zeros(5).double())
    differences = []
    for factor in (0.995, 1.005):
        lam_h = factor * float(thresholds[3, 4]) / 0.1
        weight = optimum(labels, counts, lam_w=0.1, lam_h=lam_h).weight
        differences.append(float((weight[3] - weight[4]).norm() / weight[0].norm()))
    assert differences[0] > 1e-3
    assert differences[1] < 1e-6


@given(SEEDS)
def test_stability_bound_holds_for_perturbed_fits(seed):
    rng = np.random.default_rng(seed)
    labels = all_supports(5, 2)
    counts = np.exp(rng.uniform(0, 4, len(labels)))
    [entry] = label_spectrum(labels, counts)
    prototypes = rng.normal(size=(len(labels), 3))
    centred = labels - labels.mean(1, keepdims=True)
    fits = [rng.normal(size=(3, 5)) for _ in range(2)]
    errors = [
        math.sqrt(counts @ ((prototypes - centred @ fit.T) ** 2).sum(1) / counts.sum())
        for fit in fits
    ]
    contrast = np.eye(5) - 1 / 5
    distance = np.linalg.norm((fits[0] - fits[1]) @ contrast)
    assert distance <= stability_bound(*errors, entry.kappa_min)
    assert stability_bound(1.0, 0.0, 0.0) == math.inf
