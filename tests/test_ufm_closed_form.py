"""Closed forms and thresholds of the model, against the certified optimum."""

import math
from collections.abc import Iterator

import cvxpy as cp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from torch import Tensor

from nclib import ufm
from nclib.ufm import closed_form

Penalties = dict[str, float]
PENALTIES = {"lam_w": 0.1, "lam_h": 0.1, "lam_b": 0.1}


def eye(size: int) -> Tensor:
    return torch.eye(size, dtype=torch.float64)


def centring(size: int) -> Tensor:
    return eye(size) - 1 / size


def balanced_penalties(k: int, n: float, c: float, lam_b: float, lam_w: float = 0.7) -> Penalties:
    """Penalties with the given c = K sqrt(n lam_w lam_h)."""
    return {"lam_w": lam_w, "lam_h": (c / k) ** 2 / (n * lam_w), "lam_b": lam_b}


def free(penalties: Penalties) -> Penalties:
    return {key: penalties[key] for key in ("lam_w", "lam_h")}


def assert_optimal(
    expected: closed_form.Optimum,
    targets: Tensor,
    counts: Tensor,
    penalties: Penalties,
    loss: str = "mse",
) -> None:
    """The closed form is the certified optimum: scores, Gram matrix, bias and objective."""
    found = ufm.solve(targets, counts, **penalties, loss=loss, tol=1e-11)
    unit = math.sqrt(penalties["lam_w"] / penalties["lam_h"]) / float(counts.max()) ** 0.5
    close = {"rtol": 1e-5, "atol": 1e-6}
    torch.testing.assert_close(found.weight @ found.means.T, expected.scores, **close)
    gram = found.means @ found.means.T
    torch.testing.assert_close(gram / unit, expected.gram / unit, **close)
    torch.testing.assert_close(found.bias, expected.bias, **close)
    weight, means = closed_form.factorise(expected.scores, counts, **free(penalties))
    torch.testing.assert_close(means @ means.T / unit, expected.gram / unit)
    value = ufm.objective(weight, means, expected.bias, targets, counts, **penalties, loss=loss)
    assert value == pytest.approx(found.objective, rel=1e-10)


penalty_of_bias = st.one_of(st.just(math.inf), st.just(0.0), st.floats(1e-2, 50))
shrinkages = st.floats(0.02, 1.3)
sizes = st.integers(2, 6)
samples = st.sampled_from([1.0, 4.0, 17.5, 100.0])
seeds = st.integers(0, 10_000)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def orthonormal(rows: int, columns: int, seed: int) -> Tensor:
    return torch.linalg.qr(normal(rows, columns, seed=seed))[0]


# ------------------------------------------------------- Theorem III.1 and result 1


@given(sizes, samples, shrinkages, penalty_of_bias)
def test_one_hot(k: int, n: float, c: float, lam_b: float) -> None:
    penalties = balanced_penalties(k, n, c, lam_b)
    assert closed_form.shrinkage(k, n, **free(penalties)) == pytest.approx(c)
    expected = closed_form.one_hot(k, n, **penalties)
    assert_optimal(expected, eye(k), torch.full((k,), n), penalties)


@pytest.mark.parametrize("side", [0.9, 1.0, 1.1])
def test_one_hot_transition(side: float) -> None:
    """Up to c/(1 - c) the means are a simplex ETF, beyond they are not; the bias is continuous."""
    k, n, c = 4, 9.0, 0.3
    lam_b = side * closed_form.one_hot_transition(c)
    penalties = balanced_penalties(k, n, c, lam_b)
    found = ufm.solve(eye(k), torch.full((k,), n), **penalties, tol=1e-12)
    mean = found.means.mean(0).norm() / found.means.norm()
    assert (float(mean) < 1e-6) == (side <= 1.0)


def test_one_hot_scale_does_not_depend_on_the_bias() -> None:
    """The paper says that alpha_1 and alpha_2 do."""
    scales = []
    for lam_b in (0.0, 0.1, 1.0, 10.0, math.inf):
        gram = closed_form.one_hot(5, 20, **balanced_penalties(5, 20, 0.2, lam_b)).gram
        scales.append(float(gram[0, 0] - gram[0, 1]))
    assert scales == pytest.approx([scales[0]] * 5, rel=1e-14)


@given(sizes, samples, shrinkages, penalty_of_bias, st.floats(0.05, 3), st.floats(-3, 4), seeds)
def test_ssetf(
    k: int, n: float, c: float, lam_b: float, scale: float, shift: float, seed: int
) -> None:
    penalties = balanced_penalties(k, n, c, lam_b)
    frame = orthonormal(k + seed % 3, k, seed)
    labels = scale * frame @ (eye(k) - shift / k)
    expected = closed_form.ssetf(k, n, scale=scale, shift=shift, frame=frame, **penalties)
    assert_optimal(expected, labels, torch.full((k,), n), penalties)


def test_one_hot_is_an_ssetf() -> None:
    for lam_b in (0.0, 0.2, 2.0, math.inf):
        penalties = balanced_penalties(5, 3.0, 0.4, lam_b)
        for one, other in zip(
            closed_form.one_hot(5, 3.0, **penalties),
            closed_form.ssetf(5, 3.0, scale=1.0, shift=0.0, **penalties),
            strict=True,
        ):
            torch.testing.assert_close(one, other)


# ------------------------------------------------------- results 2 and 3


def ssetf_defect(gram: Tensor) -> float:
    """How far a Gram matrix is from a(C + tJ/K), a > 0, t >= 0, relative to a."""
    k = len(gram)
    c = centring(k)
    scale = float((c * gram).sum()) / (k - 1)
    mean = float(gram.mean()) * k
    return float((gram - scale * c - mean / k).norm()) / scale


@pytest.mark.parametrize("lam_b", [0.5, 5.0, math.inf])
def test_means_are_an_ssetf_iff_labels_are(lam_b: float) -> None:
    for seed in range(10):
        k, n = 4, 6.0
        penalties = balanced_penalties(k, n, 0.2, lam_b)
        labels = eye(k) + 0.3 * normal(k, k, seed=seed)
        found = ufm.solve(labels, torch.full((k,), n), **penalties, tol=1e-12)
        assert ssetf_defect(found.means @ found.means.T) > 1e-2
        frame = orthonormal(k, k, seed)
        labels = frame @ (eye(k) + normal(1, seed=seed) / k)
        found = ufm.solve(labels, torch.full((k,), n), **penalties, tol=1e-12)
        assert ssetf_defect(found.means @ found.means.T) < 1e-6


def test_the_conjecture_as_printed_fails_both_ways() -> None:
    # an SSETF whose optimal means all coincide: alpha = 0.4 is below c = 0.5
    labels = 0.4 * (eye(4) + 6 / 4)
    penalties = balanced_penalties(4, 3.0, 0.5, 5.0)
    found = ufm.solve(labels, [3, 3, 3, 3], **penalties, tol=1e-12)
    assert found.rank == 1
    assert closed_form.means_coincide(labels, 3.0, **penalties)
    # labels that are no SSETF with means that are one, the bias being free
    v = torch.tensor([2.0, 0.0, -1.0, 0.0], dtype=torch.float64)
    labels = eye(4) + v[:, None]
    assert ssetf_defect(labels.T @ labels) > 1
    found = ufm.solve(labels, [3, 3, 3, 3], **balanced_penalties(4, 3.0, 0.5, 0.0))
    assert ssetf_defect(found.means @ found.means.T) < 1e-12


@given(sizes, samples, st.floats(0.02, 0.9), st.floats(1e-2, 50) | st.just(math.inf), seeds)
def test_invertible(k: int, n: float, c: float, lam_b: float, seed: int) -> None:
    penalties = balanced_penalties(k, n, c, lam_b)
    labels = orthonormal(k, k, seed) @ (normal(k, k, seed=seed + 1) + (1 + seed % 5) * eye(k))
    margin = closed_form.regime_margin(labels, n, **penalties)
    if margin >= 0:
        expected = closed_form.invertible(labels, n, **penalties)
        assert_optimal(expected, labels, torch.full((k,), n), penalties)
    else:
        with pytest.raises(
            ValueError, match="positive semidefinite, but its least eigenvalue is -"
        ):
            closed_form.invertible(labels, n, **penalties)
        if margin < -1e-3:  # outside the regime the optimum is singular
            found = ufm.solve(labels, torch.full((k,), n), **penalties, tol=1e-11)
            assert found.rank < k


@given(
    sizes,
    samples,
    st.floats(0.02, 1.3),
    st.floats(1e-1, 50) | st.just(math.inf),
    st.floats(0.2, 2),
    st.floats(-1, 1),
    st.booleans(),
    seeds,
)
def test_nc2_labels(
    k: int, n: float, c: float, lam_b: float, scale: float, kink: float, singular: bool, seed: int
) -> None:
    penalties = balanced_penalties(k, n, c, lam_b)
    tilt = 0.3 * normal(k, seed=seed)
    tilt = tilt - tilt.mean()
    level = float(tilt @ tilt) / scale + (0.0 if singular else 0.5)
    labels = closed_form.nc2_labels(
        k,
        c,
        lam_b=lam_b,
        scale=scale,
        tilt=tilt,
        level=None if singular else level,
        kink=kink,
        frame=orthonormal(k, k, seed + 1),
    )
    found = ufm.solve(labels, torch.full((k,), n), **penalties, tol=1e-12)
    gram = found.means @ found.means.T * math.sqrt(n * penalties["lam_h"] / penalties["lam_w"])
    x = scale * centring(k) + tilt[:, None] + tilt + level
    torch.testing.assert_close(gram, x, rtol=1e-4, atol=1e-4 * scale)


def test_nc2_outside_the_regime_of_the_closed_form() -> None:
    """The criterion C|Y|C = aC fails both ways there (one example a direction)."""
    u = torch.tensor([0.5, -0.2, -0.4, 0.1], dtype=torch.float64)
    size = centring(4) + u[:, None] + u + 0.8  # C|Y|C = C, yet no NC2
    penalties = balanced_penalties(4, 5.0, 0.1, 0.05)
    assert closed_form.regime_margin(size, 5.0, **penalties) < 0
    found = ufm.solve(size, [5.0] * 4, **penalties, tol=1e-12)
    centred = centring(4) @ found.means
    assert ssetf_defect(centred @ centred.T) > 1e-3
    v = torch.tensor([2.0, 0.0, -1.0, 0.0], dtype=torch.float64)
    labels = eye(4) + v[:, None]  # NC2 at a free bias, yet C|Y|C is not a multiple of C
    values, vectors = torch.linalg.eigh(labels.T @ labels)
    size = vectors @ values.sqrt().diag() @ vectors.T
    assert ssetf_defect(centring(4) @ size @ centring(4)) > 1e-2


@given(sizes, samples, shrinkages, penalty_of_bias, st.booleans(), seeds)
def test_means_coincide(k: int, n: float, c: float, lam_b: float, aligned: bool, seed: int) -> None:
    penalties = balanced_penalties(k, n, c, lam_b)
    labels = (0.2 + (seed % 7) / 5) * normal(k, k, seed=seed)
    if aligned:  # a common part orthogonal to the contrasts
        labels = labels @ centring(k)
        labels = labels + torch.linalg.svd(labels)[0][:, -1:] * 0.7
    found = ufm.solve(labels, torch.full((k,), n), **penalties, tol=1e-12)
    unit = (penalties["lam_w"] / (n * penalties["lam_h"])) ** 0.25
    spread = float((found.means - found.means.mean(0)).norm()) / unit
    if closed_form.means_coincide(labels, n, **penalties):
        assert spread < 1e-6
    else:
        assert spread > 1e-6


def test_two_classes_collapse_for_any_labels_unless_their_means_coincide() -> None:
    for seed in range(10):
        labels, penalties = normal(2, 2, seed=seed), balanced_penalties(2, 5.0, 0.2, 0.4)
        found = ufm.solve(labels, [5.0, 5.0], **penalties)
        spread = float((found.means[0] - found.means[1]).norm())
        assert (spread < 1e-9) == closed_form.means_coincide(labels, 5.0, **penalties)


@pytest.mark.parametrize("loss", ["mse", "ce", "bce"])
def test_bias_bound(loss: str) -> None:
    """It holds for every loss: N lam_b b is the multiplier times the roots of the counts."""
    for seed in range(10):
        targets = normal(3, 5, seed=seed).softmax(0)
        counts = 10 ** (2 * torch.rand(5, generator=generator(seed)))
        lam = {"lam_w": 1e-2, "lam_h": 1e-2 / float(counts.sum()), "lam_b": 10 ** (seed / 3 - 2)}
        found = ufm.solve(targets, counts, **lam, loss=loss)
        bound = closed_form.bias_bound(float(counts.sum()), **lam)
        assert float(found.bias.norm()) <= bound * (1 + 1e-6)


@pytest.mark.parametrize("lam_b", [0.0, 0.1, 3.0, math.inf])
def test_rotated_alignment(lam_b: float) -> None:
    k = 5
    for angle in (0.0, 0.4, 1.5, math.pi):
        rotation = eye(k)
        cos, sin = math.cos(angle), math.sin(angle)
        rotation[:2, :2] = torch.tensor([[cos, -sin], [sin, cos]])
        found = ufm.solve(rotation, [8.0] * k, **balanced_penalties(k, 8.0, 0.3, lam_b), tol=1e-12)
        cosine = float((found.weight * found.means).sum())
        cosine /= float(found.weight.norm() * found.means.norm())
        assert cosine == pytest.approx(closed_form.rotated_alignment(k, angle), abs=1e-6)


# ------------------------------------------------------- result 4: imbalance

counts_of = st.lists(st.floats(1, 1000), min_size=2, max_size=7).map(
    lambda values: torch.tensor(values, dtype=torch.float64)
)


@given(counts_of, st.floats(0.1, 1.5))
def test_bias_free_norms(counts: Tensor, strength: float) -> None:
    theta = strength * float(counts.median()) ** 0.5
    penalties = {"lam_w": 0.3, "lam_h": (theta / float(counts.sum())) ** 2 / 0.3}
    assert closed_form.threshold(float(counts.sum()), **penalties) == pytest.approx(theta)
    found = ufm.solve(eye(len(counts)), counts, **penalties, lam_b=math.inf)
    expected = closed_form.bias_free_norms(counts, **penalties)
    scale = float(expected.max().clamp(min=1e-12))
    gram = found.means @ found.means.T
    torch.testing.assert_close(gram / scale, expected.diag() / scale, rtol=1e-9, atol=1e-9)


def test_bias_free_norms_peak_where_the_root_is_twice_the_threshold() -> None:
    counts = torch.linspace(1, 40, 4001, dtype=torch.float64)
    theta = 1.7
    lam = {"lam_w": 1.0, "lam_h": (theta / float(counts.sum())) ** 2}
    norms = closed_form.bias_free_norms(counts, **lam)
    assert float(counts[norms.argmax()]) == pytest.approx(4 * theta**2, abs=0.02)
    assert bool((norms[counts.sqrt() <= theta] == 0).all())


def random_gram(k: int, rank: int, seed: int) -> Tensor:
    factor = normal(k, rank, seed=seed)
    return factor @ factor.T


long_counts = st.lists(st.floats(1, 1000), min_size=2, max_size=6).map(
    lambda values: torch.tensor(values, dtype=torch.float64)
)


@given(long_counts, st.floats(0.02, 2), st.floats(0.05, 20) | st.just(math.inf), st.integers(0, 3))
def test_labels_for_any_gram_matrix(
    counts: Tensor, strength: float, lam_b: float, missing: int
) -> None:
    """Any rank, any counts: the certified solver finds the wished Gram matrix and the bias."""
    k, samples = len(counts), float(counts.sum())
    theta = strength * float(counts.median()) ** 0.5
    penalties = {"lam_w": 0.7, "lam_h": (theta / samples) ** 2 / 0.7, "lam_b": lam_b}
    gram = random_gram(k, max(k - missing, 1), seed=k + missing)
    unit = math.sqrt(penalties["lam_w"] / penalties["lam_h"]) / float(counts.max()) ** 0.5
    gram = unit * gram
    frame = orthonormal(k + missing, k, seed=k)
    labels = closed_form.labels_for_gram(gram, counts, **penalties, frame=frame)
    solution = ufm.solve(labels, counts, **penalties, tol=1e-13)
    reached = solution.means @ solution.means.T
    torch.testing.assert_close(reached / unit, gram / unit, rtol=1e-4, atol=1e-5)
    bound = closed_form.bias_bound(samples, **penalties)
    torch.testing.assert_close(solution.bias, bound / samples**0.5 * frame @ counts.sqrt())


def test_a_simplex_etf_under_extreme_imbalance() -> None:
    counts = torch.tensor([1000.0, 1, 1, 5, 20], dtype=torch.float64)
    penalties = {"lam_w": 0.01, "lam_h": 0.002, "lam_b": 0.3}
    labels = closed_form.labels_for_gram(centring(5), counts, **penalties)
    one_hot = ufm.solve(eye(5), counts, **penalties).means
    assert float((one_hot @ one_hot.T - centring(5)).norm()) > 1
    for tol, misfit in ((1e-9, 1e-5), (1e-13, 1e-7)):
        means = ufm.solve(labels, counts, **penalties, tol=tol).means
        assert float((means @ means.T - centring(5)).norm()) < misfit


def test_other_labels_with_a_singular_gram_matrix() -> None:
    """X = 0 on some w: there T may be any contraction, and the labels differ beyond a rotation."""
    counts, k = torch.tensor([40.0, 7, 3, 2], dtype=torch.float64), 4
    penalties = {"lam_w": 0.02, "lam_h": 0.01, "lam_b": 0.8}
    samples, roots = float(counts.sum()), counts.sqrt()
    theta = closed_form.threshold(samples, **free(penalties))
    gram = random_gram(k, 2, seed=5)
    x = math.sqrt(penalties["lam_h"] / penalties["lam_w"]) * roots[:, None] * gram * roots
    kernel = torch.linalg.eigh(x).eigenvectors[:, :2]
    inverse = eye(k) + torch.outer(roots, roots) / (samples * penalties["lam_b"])
    for size, attained in ((1.0, True), (0.3, True), (-1.0, True), (1.3, False)):
        rotation = orthonormal(2, 2, seed=1)
        kept = eye(k) - kernel @ kernel.T + size * kernel @ rotation @ kernel.T
        labels = (x + theta * kept @ inverse) / roots
        means = ufm.solve(labels, counts, **penalties, tol=1e-13).means
        misfit = float((means @ means.T - gram).norm() / gram.norm())
        assert (misfit < 1e-6) == attained


def test_a_free_bias_reaches_the_gram_matrices_about_the_mean_of_all_samples() -> None:
    counts = torch.tensor([60.0, 9, 4, 2, 1], dtype=torch.float64)
    penalties = {"lam_w": 0.02, "lam_h": 0.01, "lam_b": 0.0}
    shift = eye(5) - counts[:, None] / counts.sum()  # I - n 1^T / N
    gram = shift.T @ centring(5) @ shift  # a simplex ETF whose weighted mean is zero
    common = normal(5, 1, seed=3)  # a free bias takes it
    labels = closed_form.labels_for_gram(gram, counts, **penalties) + common
    solution = ufm.solve(labels, counts, **penalties)
    torch.testing.assert_close(solution.means @ solution.means.T, gram, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(solution.bias, common[:, 0])
    with pytest.raises(ValueError, match="for a free bias gram @ counts must be zero"):
        closed_form.labels_for_gram(centring(5), counts, **penalties)


def test_one_hot_labels_of_two_sizes_may_collapse_without_a_bias() -> None:
    """Equal lengths on both sides of the peak: 1/sqrt(n_a) + 1/sqrt(n_b) = 1/theta."""
    counts = torch.tensor([36.0, 36, 9, 9, 9], dtype=torch.float64)
    theta = 1 / (1 / 6 + 1 / 3)
    penalties = {"lam_w": 1.0, "lam_h": (theta / float(counts.sum())) ** 2, "lam_b": math.inf}
    means = ufm.solve(eye(5), counts, **penalties).means
    centred = centring(5) @ means @ means.T @ centring(5)
    torch.testing.assert_close(centred, float(centred.trace()) / 4 * centring(5))


@given(counts_of, st.booleans())
def test_free_bias_spectrum(counts: Tensor, repeat: bool) -> None:
    if repeat:
        counts[1] = counts[0]
    found = closed_form.free_bias_spectrum(counts)
    matrix = counts.diag() - torch.outer(counts, counts) / counts.sum()
    expected = torch.linalg.eigvalsh(matrix).flip(0)[:-1]
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9 * float(counts.max()))
    ordered = counts.sort(descending=True).values
    assert bool((found <= ordered[:-1]).all() and (found >= ordered[1:]).all())


@given(counts_of, st.floats(0.05, 1))
def test_free_bias_singular_values(counts: Tensor, strength: float) -> None:
    theta = strength * float(counts.median()) ** 0.5
    lam = {"lam_w": 1.0, "lam_h": (theta / float(counts.sum())) ** 2}
    found = ufm.solve(eye(len(counts)), counts, **lam, lam_b=0.0)
    values = torch.linalg.svdvals(found.weight @ found.means.T * counts.sqrt())[:-1]
    expected = (closed_form.free_bias_spectrum(counts).sqrt() - theta).clamp(min=0)
    torch.testing.assert_close(values, expected, rtol=1e-7, atol=1e-7)


def test_two_sizes() -> None:
    sizes = closed_form.two_sizes((3, 50.0), (2, 5.0))
    counts = torch.tensor([50.0] * 3 + [5.0] * 2, dtype=torch.float64)
    expected = [sizes.majority] * 2 + [sizes.between] + [sizes.minority]
    torch.testing.assert_close(
        closed_form.free_bias_spectrum(counts), torch.tensor(expected, dtype=torch.float64)
    )

    def means(theta: float) -> Tensor:
        lam_h = (theta / float(counts.sum())) ** 2
        return ufm.solve(eye(5), counts, lam_w=1.0, lam_h=lam_h, lam_b=0.0).means

    below, above = 0.99, 1.01
    assert float((means(below * sizes.minorities_merge)[3] - means(1.0)[4]).norm()) > 1e-3
    merged = means(above * sizes.minorities_merge)
    assert float((merged[3] - merged[4]).norm()) < 1e-12
    assert float(means(below * sizes.minority_mean_vanishes)[3].norm()) > 1e-3
    gone = means(above * sizes.minority_mean_vanishes)
    assert float(gone[3:].norm()) < 1e-12
    assert float(gone[0].norm()) > 0.1
    assert float(means(below * sizes.majorities_merge)[0].norm()) > 1e-3
    assert float(means(above * sizes.majorities_merge).norm()) < 1e-12


# ------------------------------------------------------- results 6 and 7


@given(sizes, samples, shrinkages, penalty_of_bias, st.floats(0, 0.95))
def test_smoothing_with_cross_entropy(
    k: int, n: float, c: float, lam_b: float, smoothing: float
) -> None:
    penalties = balanced_penalties(k, n, c, lam_b)
    labels = (1 - smoothing) * eye(k) + smoothing / k
    expected = closed_form.smoothed_cross_entropy(k, n, smoothing=smoothing, **free(penalties))
    assert_optimal(expected, labels, torch.full((k,), n), penalties, loss="ce")


@given(sizes, samples, shrinkages, penalty_of_bias, st.floats(0, 0.95))
def test_smoothing_with_squared_error(
    k: int, n: float, c: float, lam_b: float, smoothing: float
) -> None:
    """In the centred means the smoothing and c enter through their sum alone."""
    penalties = balanced_penalties(k, n, c, lam_b)
    labels = (1 - smoothing) * eye(k) + smoothing / k
    alpha, beta = 1 - smoothing, -smoothing / (1 - smoothing)
    expected = closed_form.ssetf(k, n, scale=alpha, shift=beta, **penalties)
    assert_optimal(expected, labels, torch.full((k,), n), penalties)
    centred = expected.scores @ centring(k)
    torch.testing.assert_close(centred, max(1 - c - smoothing, 0.0) * centring(k))


@pytest.mark.parametrize("lam_b", [0.0, 0.4, math.inf])
@pytest.mark.parametrize("loss", ["ce", "mse"])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_merging_is_exact(loss: str, smoothing: float, lam_b: float) -> None:
    """Two rare classes of equal count, whatever the others: on both sides of the threshold."""
    counts = torch.tensor([90.0, 31.0, 12.0, 4.0, 4.0], dtype=torch.float64)
    labels = (1 - smoothing) * eye(5) + smoothing / 5
    for side, merged in ((0.98, False), (1.02, True)):
        theta = side * (1 - smoothing) * 2.0
        lam = {"lam_w": 0.5, "lam_h": (theta / float(counts.sum())) ** 2 / 0.5}
        limit = closed_form.merging_count(float(counts.sum()), **lam, smoothing=smoothing)
        assert (limit >= 4) == merged
        found = ufm.solve(labels, counts, **lam, lam_b=lam_b, loss=loss, tol=1e-11)
        distance = float((found.means[3] - found.means[4]).norm() / found.means.norm())
        assert (distance < 1e-9) == merged


@pytest.mark.parametrize("smoothing", [0.0, 0.25])
@pytest.mark.parametrize("side", [0.9, 1.1])
def test_merging_with_loss_weights(side: float, smoothing: float) -> None:
    """Weighted cross-entropy, by cvxpy: weights 1/n make the two largest classes merge first."""
    counts = np.array([40.0, 40.0, 9.0, 4.0])
    weights = 20.0 / counts
    samples = counts.sum()
    theta = side * (1 - smoothing) * weights[0] * math.sqrt(40)
    limit = closed_form.merging_count(
        samples,
        lam_w=1.0,
        lam_h=(theta / samples) ** 2,
        smoothing=smoothing,
        loss_weight=weights[0],
    )
    assert (limit >= 40) == (side > 1)
    z = cp.Variable((4, 4))
    logits = z @ np.diag(1 / np.sqrt(counts))
    labels = (1 - smoothing) * np.eye(4) + smoothing / 4
    losses = cp.log_sum_exp(logits, axis=0) - cp.sum(cp.multiply(labels, logits), axis=0)
    cp.Problem(cp.Minimize(losses @ (weights * counts) + theta * cp.normNuc(z))).solve(
        solver=cp.CLARABEL
    )
    scores = z.value / np.sqrt(counts)
    spread = np.abs(scores[:, 0] - scores[:, 1]).max() / np.abs(scores).max()
    assert (spread < 1e-4) == (side > 1)
    rare = np.abs(scores[:, 2] - scores[:, 3]).max() / np.abs(scores).max()
    assert rare > 1e-2


@pytest.mark.parametrize(("option", "value"), [("smoothing", 1.0), ("loss_weight", 0.0)])
def test_merging_refuses_what_has_no_threshold(option: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{option} must be"):
        closed_form.merging_count(10.0, lam_w=1.0, lam_h=1.0, **{option: value})


# ------------------------------------------------------- result 8: narrow layers


def descents(targets: Tensor, counts: Tensor, penalties: Penalties, dim: int) -> Iterator[float]:
    for seed in range(3):
        path = ufm.descend(
            targets,
            counts,
            **penalties,
            dim=dim,
            balanced=True,
            init=0.5,
            steps=500,
            generator=generator(seed),
        )
        yield float(path.objective[-1])


@pytest.mark.parametrize("lam_b", [0.0, math.inf])
def test_truncated_is_the_best_narrow_model(lam_b: float) -> None:
    targets = normal(4, 5, seed=0)
    counts = torch.tensor([9.0, 7.0, 5.0, 3.0, 2.0], dtype=torch.float64)
    lam = {"lam_w": 0.05, "lam_h": 0.05 / 26}
    for dim in (1, 3):
        best = closed_form.truncated(targets, counts, dim, **lam, lam_b=lam_b)
        weight, means = closed_form.factorise(best.scores, counts, **lam, dim=dim)
        torch.testing.assert_close(means @ means.T, best.gram)
        penalties = {**lam, "lam_b": lam_b}
        value = ufm.objective(weight, means, best.bias, targets, counts, **penalties)
        residuals = ufm.first_order_residuals(
            weight, means, best.bias, targets, counts, **penalties
        )
        assert max(residuals) < 1e-10
        reached = list(descents(targets, counts, penalties, dim))
        assert min(reached) == pytest.approx(value, rel=1e-6)
        assert min(reached) >= value * (1 - 1e-12)
    wide = closed_form.truncated(targets, counts, 4, **lam, lam_b=lam_b)
    assert_optimal(wide, targets, counts, {**lam, "lam_b": lam_b})


def test_truncation_drops_the_smallest_classes() -> None:
    counts = torch.tensor([9.0, 2.0, 7.0, 5.0], dtype=torch.float64)
    best = closed_form.truncated(eye(4), counts, 2, lam_w=1e-4, lam_h=1e-4, lam_b=math.inf)
    assert (best.gram.diagonal() > 1e-9).tolist() == [True, False, True, False]


@pytest.mark.parametrize("lam_b", [0.0, 0.2, 4.0])
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_narrow_one_hot(dim: int, lam_b: float) -> None:
    k, n = 4, 6.0
    penalties = balanced_penalties(k, n, 0.3, lam_b)
    counts = torch.full((k,), n, dtype=torch.float64)
    contrasts = torch.linalg.qr(torch.cat([torch.ones(k, 1), normal(k, dim, seed=1)], 1))[0][:, 1:]
    best = closed_form.narrow_one_hot(contrasts @ contrasts.T, n, **penalties)
    weight, means = closed_form.factorise(best.scores, counts, **free(penalties), dim=dim)
    torch.testing.assert_close(means @ means.T, best.gram)
    value = ufm.objective(weight, means, best.bias, eye(k), counts, **penalties)
    reached = list(descents(eye(k), counts, penalties, dim))
    assert min(reached) == pytest.approx(value, rel=1e-6)
    assert min(reached) >= value * (1 - 1e-12)
    if dim == k - 1:  # a simplex ETF on both sides of the transition at 3/7
        unit = float(best.gram[0, 0]) / (1 - 1 / k)
        torch.testing.assert_close(best.gram, unit * centring(k))


# ------------------------------------------------------- non-negative features


def projected_descent(k: int, c: float, lam_b: float, dim: int, seed: int) -> tuple[float, Tensor]:
    """K times the objective and the means at a local minimum over H >= 0, by L-BFGS-B.

    One-hot labels; W and H in units in which both penalties are c/2; the bias eliminated.
    """
    mean = np.eye(k) - (0.0 if math.isinf(lam_b) else 1 / (1 + lam_b)) / k

    def value_and_slope(x: np.ndarray) -> tuple[float, np.ndarray]:
        weight, features = x[: k * dim].reshape(k, dim), x[k * dim :].reshape(dim, k)
        error = weight @ features - np.eye(k)
        value = 0.5 * np.sum(error @ mean * error) + 0.5 * c * np.sum(x**2)
        slopes = error @ mean @ features.T, weight.T @ error @ mean
        return value, np.concatenate([slope.ravel() for slope in slopes]) + c * x

    start = normal(2 * k * dim, seed=seed).numpy()
    start[k * dim :] = np.abs(start[k * dim :])
    bounds = [(None, None)] * (k * dim) + [(0, None)] * (k * dim)
    end = minimize(
        value_and_slope,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": 3000, "maxfun": 5000, "ftol": 0.0, "gtol": 1e-10},
    )
    return float(end.fun), torch.from_numpy(end.x[k * dim :].reshape(dim, k).T.copy())


@pytest.mark.parametrize("lam_b", [0.0, 0.3, 4.0, math.inf])
@pytest.mark.parametrize("c", [0.15, 0.7])
@pytest.mark.parametrize("k", [2, 4])
def test_no_nonnegative_features_are_better_than_the_frame(k: int, c: float, lam_b: float) -> None:
    n = 5.0
    penalties = balanced_penalties(k, n, c, lam_b)
    best = closed_form.nonnegative_one_hot(k, n, **penalties)
    counts = torch.full((k,), n)
    unit = math.sqrt(penalties["lam_w"] / (n * penalties["lam_h"]))
    means = best.gram.diagonal().sqrt().diag()  # one coordinate a class
    weight = best.scores / means.diagonal()
    value = ufm.objective(weight, means, best.bias, eye(k), counts, **penalties)
    ends = [projected_descent(k, c, lam_b, dim=2 * k, seed=seed) for seed in range(5)]
    lowest, features = min(ends, key=lambda end: end[0])  # some starts end in worse minima
    assert lowest == pytest.approx(k * value, rel=1e-9)
    if k > 2 or lam_b > 0:
        torch.testing.assert_close(features @ features.T, best.gram / unit, rtol=1e-4, atol=1e-4)
    if math.isinf(lam_b):  # then the frame is the optimum without the constraint, too
        assert_optimal(best, eye(k), counts, penalties)


def test_nonnegative_means_vanish_from_the_threshold_on() -> None:
    k, n, lam_b = 5, 3.0, 0.5
    edge = math.sqrt((k - 1 + (lam_b / (1 + lam_b)) ** 2) / k)  # c from which all is zero
    for side, size in ((0.999, True), (1.001, False)):
        penalties = balanced_penalties(k, n, side * edge, lam_b)
        best = closed_form.nonnegative_one_hot(k, n, **penalties)
        assert (float(best.gram.trace()) > 0) == size
        _, features = projected_descent(k, side * edge, lam_b, dim=k, seed=1)
        assert (float(features.norm()) > 1e-3) == size


def narrow(**options: float) -> None:
    closed_form.narrow_one_hot(0.5 * eye(3), 2.0, lam_w=1.0, lam_h=1.0, **options)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: narrow(lam_b=1.0), "expected an orthogonal projection with P 1 = 0"),
        (lambda: narrow(lam_b=math.inf), "lam_b must be finite"),
        (
            lambda: closed_form.truncated(eye(2), [1, 1], 1, lam_w=1.0, lam_h=1.0, lam_b=0.5),
            "lam_b must be 0 or math.inf, got 0.5",
        ),
        (
            lambda: closed_form.truncated(eye(2), [1, 1], 0, lam_w=1.0, lam_h=1.0, lam_b=0.0),
            "dim must be at least 1, got 0",
        ),
        (
            lambda: closed_form.ssetf(3, 1, scale=0.0, shift=0.0, lam_w=1.0, lam_h=1.0, lam_b=0.0),
            "scale must be positive and finite, got 0.0",
        ),
        (
            lambda: closed_form.nc2_labels(3, 0.1, lam_b=1.0, scale=1.0, tilt=[1, 0, -1], level=1),
            r"level must be at least \|u\|\^2/a = 2, got 1",
        ),
        (
            lambda: closed_form.nc2_labels(3, 0.1, lam_b=0.0, scale=1.0, tilt=[1, 0, -1]),
            "lam_b must be positive, got 0.0",
        ),
        (
            lambda: closed_form.smoothed_cross_entropy(3, 1, smoothing=1.5, lam_w=1.0, lam_h=1.0),
            r"smoothing must lie in \[0, 1\], got 1.5",
        ),
        (lambda: closed_form.two_sizes((2, 3.0), (2, 3.0)), "expected n_a > n_b > 0"),
        (
            lambda: closed_form.labels_for_gram(eye(2), [1, 1, 1], **PENALTIES),
            "one entry a row of gram, 2, got 3",
        ),
        (
            lambda: closed_form.labels_for_gram(-eye(2), [1, 1], **PENALTIES),
            "positive semidefinite, got the eigenvalue -1",
        ),
        (
            lambda: closed_form.labels_for_gram([[1, 1], [0, 1]], [1, 1], **PENALTIES),
            r"must be symmetric, but G - G\^T has an entry of 1",
        ),
        (
            lambda: closed_form.nonnegative_one_hot(1, 1, **PENALTIES),
            "num_classes must be at least 2, got 1",
        ),
        (lambda: closed_form.free_bias_spectrum([1.0, 0.0]), "counts must be positive, got 0.0"),
    ],
)
def test_errors(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("name", "arguments", "options", "message"),
    [
        ("one_hot", (3, 1), {"lam_b": -1.0}, "lam_b must be non-negative .*, got -1.0"),
        ("one_hot", (3, 1), {"lam_b": math.nan}, "lam_b must be non-negative .*, got nan"),
        ("one_hot", (3, -1), {}, "count must be positive and finite, got -1.0"),
        ("one_hot", (0, 1), {}, "num_classes must be at least 1, got 0"),
        ("one_hot", (3, 1), {"lam_h": 0.0}, "lam_h must be positive and finite, got 0.0"),
        ("one_hot", (3, 1), {"lam_w": 0.0}, "lam_w must be positive and finite, got 0.0"),
        ("ssetf", (3, 1), {"scale": 1.0, "shift": math.nan}, "shift must be finite, got nan"),
        (
            "ssetf",
            (3, 1),
            {"scale": 1.0, "shift": 0.0, "frame": torch.eye(4)},
            r"frame must have 3 columns, got shape \(4, 4\)",
        ),
        ("regime_margin", (eye(3)[:, :2], 1), {}, r"labels must be square, got shape \(3, 2\)"),
        ("regime_margin", (eye(3), 1), {"lam_b": -1.0}, "lam_b must be non-negative .*, got -1.0"),
        ("means_coincide", (eye(3), 1), {"lam_b": -1.0}, "lam_b must be non-negative"),
        ("means_coincide", (eye(3) * math.nan, 1), {}, "labels must be finite, got nan"),
        ("bias_bound", (10,), {"lam_b": -1.0}, "lam_b must be non-negative .*, got -1.0"),
        ("bias_bound", (0,), {}, "samples must be positive and finite, got 0.0"),
    ],
)
def test_bad_input_is_named(name, arguments, options, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        getattr(closed_form, name)(*arguments, **{**PENALTIES, **options})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: closed_form.one_hot_transition(-0.5), "c must be non-negative .*, got -0.5"),
        (lambda: closed_form.rotated_alignment(0, 1.0), "num_classes must be at least 2, got 0"),
        (lambda: closed_form.rotated_alignment(3, math.inf), "angle must be finite, got inf"),
        (
            lambda: closed_form.nc2_labels(4, 0.1, lam_b=1.0, scale=1.0, tilt=torch.ones(3)),
            r"tilt must have shape \(4,\), got \(3,\)",
        ),
        (
            lambda: closed_form.nc2_labels(4, -0.1, lam_b=1.0, scale=1.0, tilt=torch.ones(4)),
            "c must be non-negative .*, got -0.1",
        ),
        (
            lambda: closed_form.smoothed_cross_entropy(3, 1, smoothing=0.0, lam_w=0.0, lam_h=1.0),
            "lam_w must be positive and finite, got 0.0",
        ),
        (
            lambda: closed_form.bias_free_norms([3.0, -2.0], lam_w=1.0, lam_h=1.0),
            "counts must be positive, got -2.0",
        ),
        (
            lambda: closed_form.factorise(eye(3), [1, 1, 1], lam_w=1.0, lam_h=1.0, dim=2),
            "dim must be at least the rank of the scores, 3, got 2",
        ),
        (
            lambda: closed_form.factorise(eye(3), [1, 1], lam_w=1.0, lam_h=1.0),
            "one entry a column of scores, 3, got 2",
        ),
    ],
)
def test_bad_parameters_are_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
