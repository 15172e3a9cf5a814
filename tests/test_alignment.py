"""Turning a classifier towards the class means."""

import math

import pytest
import torch
from generators import random_rotation, seeded
from hypothesis import given
from hypothesis import strategies as st

from nclib.methods import project, slerp

SEEDS = st.integers(0, 2**31)
SHARES = st.floats(0, 1)


def gaussian(*shape, seed):
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def centred(rows):
    return rows - rows.mean(0)


def angles(rows, others):
    """By the two halves of an isosceles triangle, accurate at 0 and π."""
    rows, others = (r / r.norm(dim=1, keepdim=True) for r in (rows, others))
    return 2 * torch.atan2((rows - others).norm(dim=1), (rows + others).norm(dim=1))


def dot(one, other):
    return math.fsum(a * b for a, b in zip(one, other, strict=True))


def slerp_of_rows(weight, means, t):
    """Shoemake's formula, row by row."""
    rows = []
    for w, m in zip(weight.tolist(), means.tolist(), strict=True):
        of_w, of_m = math.sqrt(dot(w, w)), math.sqrt(dot(m, m))
        angle = math.acos(dot(w, m) / of_w / of_m)
        first, second = math.sin((1 - t) * angle), math.sin(t * angle)
        pairs = zip(w, m, strict=True)
        rows.append([(first * a + second * b * of_w / of_m) / math.sin(angle) for a, b in pairs])
    return torch.tensor(rows, dtype=torch.float64)


@given(st.integers(2, 6), st.integers(2, 6), SHARES, SEEDS)
def test_slerp_is_the_formula_of_two_sines(num_classes, dim, t, seed):
    weight, means = gaussian(2, num_classes, dim, seed=seed)
    bare = slerp(weight, means, t, centre=False)
    assert torch.allclose(bare, slerp_of_rows(weight, means, t), atol=1e-8)
    if num_classes > 2:
        expected = slerp_of_rows(centred(weight), centred(means), t)
        assert torch.allclose(slerp(weight, means, t), expected, atol=1e-7)


@given(SHARES, SEEDS)
def test_slerp_leaves_its_share_of_the_angle_and_the_norm(t, seed):
    weight, means = gaussian(2, 5, 4, seed=seed)
    turned = slerp(weight, means, t)
    before = angles(centred(weight), centred(means))
    assert torch.allclose(angles(turned, centred(means)), (1 - t) * before, atol=1e-7)
    assert torch.allclose(turned.norm(dim=1), centred(weight).norm(dim=1))
    unit = slerp(weight, means, t, norm="unit")
    assert torch.allclose(unit, turned / turned.norm(dim=1, keepdim=True))


@given(SHARES, SEEDS)
def test_projection_is_the_least_squares_fit_by_the_mean(t, seed):
    weight, means = gaussian(2, 5, 4, seed=seed)
    rows, targets = centred(weight), centred(means)
    fit = torch.stack(
        [
            torch.linalg.lstsq(m[:, None], w[:, None]).solution.squeeze() * m
            for w, m in zip(rows, targets, strict=True)
        ]
    )
    moved = (1 - t) * rows + t * fit
    obtuse = (rows * targets).sum(1, keepdim=True) < 0
    assert torch.allclose(project(weight, means, t), torch.where(obtuse, rows, moved))
    assert torch.allclose(project(weight, means, t, negative="flip"), moved)


def test_projection_with_its_norm_kept_is_slerp_at_one():
    weight = gaussian(6, 5, seed=0)
    means = weight + 0.5 * gaussian(6, 5, seed=1)
    projected = project(weight, means)
    rows, targets = centred(weight), centred(means)
    lengths = rows.norm(dim=1) * torch.cosine_similarity(rows, targets)
    assert torch.allclose(projected.norm(dim=1), lengths)
    scaled = projected * (rows.norm(dim=1) / projected.norm(dim=1))[:, None]
    assert torch.allclose(scaled, slerp(weight, means, 1.0))


@given(SEEDS)
def test_common_shifts_change_nothing_if_rows_are_centred(seed):
    weight, means = gaussian(2, 5, 4, seed=seed)
    shift, other = gaussian(2, 4, seed=seed + 1)
    for act in (slerp, project):
        assert torch.allclose(act(weight + shift, means + other, 0.3), act(weight, means, 0.3))


@pytest.mark.parametrize("act", [slerp, project])
@pytest.mark.parametrize("of_weight", [1e-150, 1.0, 1e150])
@pytest.mark.parametrize("of_means", [1e-150, 1e150])
def test_neither_has_a_scale(act, of_weight, of_means):
    weight, means = gaussian(2, 5, 4, seed=3)
    expected = act(weight, means, 0.4)
    scaled = act(of_weight * weight, of_means * means, 0.4) / of_weight
    assert torch.allclose(scaled, expected, rtol=1e-12)


@pytest.mark.parametrize("act", [slerp, project])
def test_rotations_turn_the_result(act):
    weight, means, rotation = *gaussian(2, 5, 4, seed=4), random_rotation(4)
    assert torch.allclose(
        act(weight @ rotation, means @ rotation, 0.4), act(weight, means, 0.4) @ rotation
    )


def test_the_smallest_angles_keep_their_digits():
    means = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    for angle in (1e-4, 1e-9, 1e-14):
        weight = torch.tensor([[math.cos(angle), math.sin(angle)]], dtype=torch.float64)
        turned = slerp(weight, means, 0.25, centre=False)
        assert abs(float(turned[0, 1]) / (0.75 * angle) - 1) < 1e-2 * max(1e-14 / angle, 1e-7)
    assert torch.equal(slerp(means, means, 0.5, centre=False), means)


def test_an_opposite_row_turns_in_its_plane():
    weight = torch.tensor([[3.0, 0.0, 4.0], [0.0, 0.0, 2.0]], dtype=torch.float64)
    half = slerp(weight, -2 * weight, 0.5, centre=False)
    axes = torch.tensor([[0.0, 5.0, 0.0], [2.0, 0.0, 0.0]], dtype=torch.float64)
    assert torch.allclose(half, axes)
    assert torch.allclose(slerp(weight, -2 * weight, 1.0, centre=False), -weight)
    third = slerp(weight, -2 * weight, 1 / 3, centre=False)
    assert torch.allclose(third, weight / 2 + math.sqrt(3) / 2 * axes)


def test_rows_of_no_direction_stay():
    weight, means = gaussian(2, 4, 3, seed=5)
    weight[1], means[2] = 1e-30 * weight[1], 0.0
    for act in (slerp, project):
        moved = act(weight, means, 0.7, centre=False)
        assert torch.equal(moved[1:3], weight[1:3])
        assert not torch.isclose(moved[[0, 3]], weight[[0, 3]]).any()
    unit = slerp(weight, means, 0.7, centre=False, norm="unit")
    assert torch.equal(unit[1:3], weight[1:3])


def test_a_mean_at_the_centre_but_for_rounding_is_no_direction():
    means = gaussian(4, 3, seed=6)
    means[3] = means[:3].mean(0)
    weight = gaussian(4, 3, seed=7)
    assert torch.equal(slerp(weight, means, 1.0)[3], centred(weight)[3])


@pytest.mark.parametrize("act", [slerp, project])
def test_type_stays_and_no_gradient_flows(act):
    weight, means = gaussian(2, 5, 4, seed=8)
    expected = act(weight, means, 0.4)
    for dtype, tolerance in ((torch.float32, 1e-6), (torch.bfloat16, 3e-2)):
        moved = act(weight.to(dtype).requires_grad_(), means, 0.4)
        assert moved.dtype == dtype
        assert not moved.requires_grad
        assert torch.allclose(moved.double(), expected, atol=tolerance)


@pytest.mark.unchecked
@pytest.mark.parametrize("act", [slerp, project])
def test_bad_input_is_refused_by_name(act):
    weight, means = gaussian(2, 5, 4, seed=9)
    for t in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match=f"t is {t}"):
            act(weight, means, t)
    with pytest.raises(TypeError, match="t must be a number"):
        act(weight, means, "half")
    with pytest.raises(ValueError, match="one shape"):
        act(weight, means[:4], 0.5)
    with pytest.raises(ValueError, match="all 5 rows of weight are equal"):
        act(weight[:1].expand(5, -1), means, 0.5)
    with pytest.raises(ValueError, match="means must be finite"):
        act(weight, means * math.inf, 0.5)
    with pytest.raises(TypeError, match="floating point"):
        act(weight.long(), means, 0.5)


@pytest.mark.unchecked
def test_unknown_words_are_refused_by_name():
    weight, means = gaussian(2, 5, 4, seed=9)
    with pytest.raises(ValueError, match="unknown norm 'kept'; did you mean keep"):
        slerp(weight, means, 0.5, norm="kept")
    with pytest.raises(ValueError, match="negative cosines 'flipped'; did you mean flip"):
        project(weight, means, negative="flipped")
    with pytest.raises(ValueError, match="one dimension has no way"):
        slerp(weight[:, :1], -weight[:, :1], 0.5, centre=False)
