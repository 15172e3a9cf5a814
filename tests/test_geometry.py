import math

import pytest
import torch
from generators import random_rotation, seeded
from hypothesis import given
from hypothesis import strategies as st

from nclib.geometry import (
    centring_matrix,
    etf_distance,
    fit_shifted_simplex_etf,
    orthogonal_frame,
    pairwise_angles,
    shifted_simplex_etf,
    simplex_etf,
    uniform_directions,
)

CLASSES = st.integers(2, 12)
EXTRA = st.integers(0, 5)
SEEDS = st.integers(0, 2**31)
SCALES = st.floats(1e-3, 1e3)
SHIFTS = st.floats(-3, 3)


def close(a, b, tolerance=1e-10):
    return torch.allclose(a, b, rtol=tolerance, atol=tolerance)


@given(CLASSES, EXTRA, SEEDS)
def test_simplex_etf_has_the_inner_products_of_its_definition(num_classes, extra, seed):
    etf = simplex_etf(num_classes, num_classes - 1 + extra, generator=seeded(seed))
    assert etf.shape == (num_classes, num_classes - 1 + extra)
    for k in range(num_classes):
        for m in range(num_classes):
            inner = float(etf[k] @ etf[m])
            assert inner == pytest.approx(1 if k == m else -1 / (num_classes - 1), abs=1e-12)


@given(CLASSES, EXTRA, SEEDS)
def test_orthogonal_frame_is_orthonormal(num_classes, extra, seed):
    frame = orthogonal_frame(num_classes, num_classes + extra, generator=seeded(seed))
    assert close(frame @ frame.T, torch.eye(num_classes).double())


@given(CLASSES, EXTRA, SEEDS, SCALES, SHIFTS)
def test_shifted_simplex_etf_is_its_definition_up_to_rotation(
    num_classes, extra, seed, scale, shift
):
    means = shifted_simplex_etf(
        num_classes, num_classes + extra, scale=scale, shift=shift, generator=seeded(seed)
    )
    definition = scale * (torch.eye(num_classes).double() - shift / num_classes)
    gram = definition.T @ definition
    assert close(means @ means.T / scale**2, gram / scale**2)


@given(CLASSES, EXTRA, SEEDS, SHIFTS)
def test_centring_a_shifted_simplex_etf_gives_a_simplex_etf(num_classes, extra, seed, shift):
    means = shifted_simplex_etf(
        num_classes, num_classes + extra, scale=2.0, shift=shift, generator=seeded(seed)
    )
    centred = means - means.mean(0)
    assert close(centred @ centred.T, 4 * centring_matrix(num_classes))


@pytest.mark.parametrize(
    ("make", "least"),
    [
        (lambda dim: simplex_etf(5, dim), 4),
        (lambda dim: orthogonal_frame(5, dim), 5),
        (lambda dim: shifted_simplex_etf(5, dim, scale=1.0, shift=1.0), 4),
        (lambda dim: shifted_simplex_etf(5, dim, scale=1.0, shift=0.9), 5),
    ],
)
def test_least_dimension(make, least):
    assert make(least).shape == (5, least)
    with pytest.raises(ValueError, match=rf"at least {least}, got dim={least - 1}"):
        make(least - 1)


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="num_classes must be at least 2, got 1"):
        simplex_etf(1, 3)
    for make in (centring_matrix, lambda classes: orthogonal_frame(classes, 3)):
        with pytest.raises(ValueError, match="num_classes must be at least 1, got 0"):
            make(0)
    with pytest.raises(ValueError, match="scale must be positive and finite, got -1"):
        shifted_simplex_etf(3, 3, scale=-1.0, shift=0.0)
    with pytest.raises(ValueError, match="shift must be finite, got nan"):
        shifted_simplex_etf(3, 3, scale=1.0, shift=math.nan)
    with pytest.raises(ValueError, match=r"got shape \(3,\)"):
        fit_shifted_simplex_etf(torch.ones(3))
    with pytest.raises(ValueError, match=r"got shape \(1, 3\)"):
        pairwise_angles(torch.ones(1, 3))
    with pytest.raises(ValueError, match="NaN or infinity"):
        fit_shifted_simplex_etf(torch.tensor([[1.0, math.nan], [0.0, 1.0]]))
    with pytest.raises(ValueError, match=r"square, got shape \(2, 3\)"):
        etf_distance(torch.ones(2, 3))


def test_orientation_is_random_and_reproducible():
    first, second = simplex_etf(4, 6, generator=seeded(0)), simplex_etf(4, 6, generator=seeded(1))
    assert not close(first, second, 0.1)
    assert torch.equal(first, simplex_etf(4, 6, generator=seeded(0)))
    torch.manual_seed(3)
    from_global = simplex_etf(4, 6)
    torch.manual_seed(3)
    assert torch.equal(from_global, simplex_etf(4, 6))


def test_orientation_has_no_preferred_direction():
    vertices = torch.stack([simplex_etf(3, 2, generator=seeded(s))[0] for s in range(400)])
    assert vertices.mean(0).norm() < 0.15  # three standard deviations of the mean of 400
    assert (vertices.T @ vertices / 400 - torch.eye(2) / 2).norm() < 0.15


def test_dtype_is_that_asked_for():
    etf = simplex_etf(4, 3, dtype=torch.float32)
    assert etf.dtype == torch.float32
    assert torch.allclose(etf.norm(dim=1), torch.ones(4), atol=1e-6)


@given(CLASSES, EXTRA, SEEDS, SCALES, SHIFTS)
def test_fit_recovers_scale_and_the_shift_that_is_at_most_one(
    num_classes, extra, seed, scale, shift
):
    means = shifted_simplex_etf(
        num_classes, num_classes + extra, scale=scale, shift=shift, generator=seeded(seed)
    )
    fit = fit_shifted_simplex_etf(means)
    assert fit.scale == pytest.approx(scale, rel=1e-10)
    assert fit.shift == pytest.approx(min(shift, 2 - shift), abs=1e-7)
    assert fit.residual < 1e-12


@given(CLASSES, SEEDS, st.floats(0.1, 10), st.floats(0, 3))
def test_no_shifted_simplex_etf_fits_the_gram_matrix_better(num_classes, seed, square, t):
    means = torch.randn(num_classes, 4, generator=seeded(seed), dtype=torch.float64)
    fit = fit_shifted_simplex_etf(means)
    gram, ones = means @ means.T, torch.full((num_classes, num_classes), 1 / num_classes)

    def misfit(square, t):
        return float((gram - square * (centring_matrix(num_classes) + t * ones)).norm())

    best = misfit(fit.scale**2, (1 - fit.shift) ** 2)
    assert best == pytest.approx(fit.residual * float(gram.norm()), rel=1e-9, abs=1e-12)
    assert best <= misfit(square, t) + 1e-12
    for factor in (0.99, 1.01):
        assert best <= misfit(factor * fit.scale**2, (1 - fit.shift) ** 2) + 1e-12
        assert best <= misfit(fit.scale**2, factor * (1 - fit.shift) ** 2) + 1e-12


@given(CLASSES, SEEDS, SCALES)
def test_residual_is_invariant_to_rotation_scale_and_permutation(num_classes, seed, scale):
    generator = seeded(seed)
    means = torch.randn(num_classes, 6, generator=generator, dtype=torch.float64)
    moved = scale * means[torch.randperm(num_classes, generator=generator)]
    moved = moved @ random_rotation(6, seed=seed)
    assert fit_shifted_simplex_etf(moved).residual == pytest.approx(
        fit_shifted_simplex_etf(means).residual, rel=1e-9, abs=1e-12
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("value", [0.0, 0.1])
def test_equal_means_fit_no_shifted_simplex_etf(dtype, value):
    fit = fit_shifted_simplex_etf(torch.full((7, 3), value, dtype=dtype))
    assert fit.scale == 0
    assert math.isnan(fit.shift)
    assert math.isnan(fit.residual)


@given(CLASSES, SEEDS)
def test_etf_distance_of_an_etf_is_zero_and_of_its_opposite_two(num_classes, seed):
    etf = 3 * simplex_etf(num_classes, num_classes, generator=seeded(seed))
    assert etf_distance(etf @ etf.T) < 1e-12
    assert etf_distance(-etf @ etf.T) == pytest.approx(2)


@given(CLASSES)
def test_etf_distance_of_an_orthogonal_frame(num_classes):
    expected = math.sqrt(2 - 2 * math.sqrt((num_classes - 1) / num_classes))
    assert etf_distance(torch.eye(num_classes)) == pytest.approx(expected, rel=1e-12)


def test_etf_distance_of_nothing_is_nan():
    assert math.isnan(etf_distance(torch.zeros(3, 3)))


@given(CLASSES, EXTRA, SEEDS, SHIFTS)
def test_centred_angles_of_a_shifted_simplex_etf(num_classes, extra, seed, shift):
    means = shifted_simplex_etf(
        num_classes, num_classes + extra, scale=1.0, shift=shift, generator=seeded(seed)
    )
    angles = pairwise_angles(means)
    expected = torch.full_like(angles, math.degrees(math.acos(-1 / (num_classes - 1))))
    assert close(angles, expected.fill_diagonal_(0), 1e-6)


def test_angles_at_the_origin_of_an_orthogonal_frame():
    angles = pairwise_angles(orthogonal_frame(4, 6, generator=seeded(0)), centre=False)
    assert close(angles, 90 * (1 - torch.eye(4).double()))


@pytest.mark.parametrize("degrees", [1e-9, 1e-3, 60.0, 179.999, 180 - 1e-9])
def test_angles_are_exact_near_0_and_180(degrees):
    radians = math.radians(degrees)
    means = torch.tensor([[1, 0], [math.cos(radians), math.sin(radians)]], dtype=torch.float64)
    angle = float(pairwise_angles(means, centre=False)[0, 1])
    assert angle == pytest.approx(degrees, rel=1e-9)
    assert 180 - angle == pytest.approx(180 - degrees, rel=1e-3)


def test_angles_with_a_zero_vector_are_nan():
    angles = pairwise_angles(torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]), centre=False)
    assert angles.diagonal().eq(0).all()
    assert angles[1, [0, 2]].isnan().all()
    assert float(angles[0, 2]) == pytest.approx(90)


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_units_of_the_means_change_no_shape(unit):
    means = unit * simplex_etf(4, 5, generator=seeded(0))
    fit = fit_shifted_simplex_etf(means)
    assert fit.scale / unit == pytest.approx(math.sqrt(4 / 3))
    assert fit.shift == pytest.approx(1, abs=1e-7)
    assert fit.residual < 1e-12
    assert close(pairwise_angles(means), pairwise_angles(means / unit))


@pytest.mark.parametrize("unit", [5e-324, 1e-160, 1e-30, 1e30, 1e160, 1e300])
def test_units_change_no_etf_distance(unit):
    gram = torch.randn(5, 5, generator=seeded(0), dtype=torch.float64).round(decimals=1) * 10
    gram = gram.round() * unit  # whole numbers, which subnormal units hold too
    exact = gram / unit
    etf = centring_matrix(5) / 2
    assert etf_distance(gram) == pytest.approx(float((exact / exact.norm() - etf).norm()))


@pytest.mark.parametrize("lengths", [(1.0, 1e-200), (1e200, 1e-200), (1e-310, 1e300)])
@pytest.mark.parametrize("degrees", [1e-3, 60.0, 135.0])
def test_lengths_of_the_vectors_change_no_angle(lengths, degrees):
    radians = math.radians(degrees)
    rows = torch.tensor([[1, 0], [math.cos(radians), math.sin(radians)]], dtype=torch.float64)
    rows *= torch.tensor(lengths, dtype=torch.float64)[:, None]
    angle = float(pairwise_angles(rows, centre=False)[0, 1])
    assert angle == pytest.approx(degrees, rel=1e-9)


def test_complex_means_are_refused():
    for function in (fit_shifted_simplex_etf, pairwise_angles, etf_distance):
        with pytest.raises(TypeError, match="must be real, got"):
            function(torch.eye(3) * 1j)


def test_a_frame_of_integers_is_refused():
    with pytest.raises(TypeError, match="dtype must be floating point"):
        simplex_etf(5, 6, dtype=torch.int64)


@pytest.mark.parametrize(
    ("count", "dim", "degrees"), [(8, 4, 90.0), (10, 5, 90.0), (12, 3, 63.4349)]
)
def test_directions_beyond_a_simplex_are_the_known_best_ones(count, dim, degrees):
    """Opposite pairs along orthogonal axes, and the icosahedron."""
    rows = uniform_directions(count, dim, generator=torch.Generator().manual_seed(0))
    angles = pairwise_angles(rows, centre=False).fill_diagonal_(360)
    assert angles.amin(1).numpy() == pytest.approx(degrees, abs=0.01)
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(count, dtype=torch.float64))


def test_directions_that_a_simplex_has_room_for_are_its_vertices():
    draws = [torch.Generator().manual_seed(1) for _ in range(2)]
    simplex = simplex_etf(5, 4, generator=draws[0])
    assert uniform_directions(5, 4, generator=draws[1]).equal(simplex)
    with pytest.raises(ValueError, match="temperature is 0"):
        uniform_directions(5, 4, temperature=0)
    with pytest.raises(ValueError, match="directions of 5 vectors needs a dimension of at least 2"):
        uniform_directions(5, 1)
