"""Label encodings: known matrices, known Gram matrices, and what is refused."""

import math

import pytest
import torch

from nclib import encodings


def test_every_registered_encoding_is_a_square_float64_matrix_of_full_rank():
    assert set(encodings.ENCODINGS) >= {"one_hot", "smoothed", "rotated", "random", "shifted"}
    for name in encodings.ENCODINGS:
        labels = encodings.make(name, 5)
        assert labels.shape == (5, 5)
        assert labels.dtype == torch.float64
        assert torch.linalg.matrix_rank(labels) == 5


def test_smoothed_columns_are_distributions_with_the_published_entries():
    labels = encodings.smoothed(4, 0.2)
    torch.testing.assert_close(labels.sum(0), torch.ones(4, dtype=torch.float64))
    assert labels[0, 0].item() == pytest.approx(0.85)
    assert labels[1, 0].item() == pytest.approx(0.05)


def test_smoothing_is_the_shifted_etf_with_scale_one_minus_delta_and_negative_shift():
    delta = 0.3
    shifted = encodings.shifted(6, scale=1 - delta, shift=-delta / (1 - delta))
    torch.testing.assert_close(encodings.smoothed(6, delta), shifted)


def test_shift_one_centres_the_columns():
    labels = encodings.shifted(7, scale=2.0, shift=1.0)
    torch.testing.assert_close(labels.sum(1), torch.zeros(7, dtype=torch.float64))


@pytest.mark.parametrize("angle", [None, 0.0, 0.7, math.pi])
def test_rotated_labels_are_orthogonal(angle):
    labels = encodings.rotated(5, angle=angle, seed=3)
    eye = torch.eye(5, dtype=torch.float64)
    torch.testing.assert_close(labels.T @ labels, eye, rtol=0, atol=1e-14)


def test_rotation_by_an_angle_turns_the_first_class_towards_the_second():
    labels = encodings.rotated(4, angle=math.pi / 2)
    expected = torch.zeros(4, dtype=torch.float64)
    expected[1] = 1
    torch.testing.assert_close(labels[:, 0], expected)
    assert torch.equal(labels[2:, 2:], torch.eye(2, dtype=torch.float64))


@pytest.mark.parametrize("name", ["rotated", "random"])
def test_a_seed_repeats_and_another_differs(name):
    first, again, other = (encodings.make(name, 4, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


def test_unknown_name_lists_near_matches():
    with pytest.raises(ValueError, match=r"'smothed'.*smoothed"):
        encodings.make("smothed", 4)


@pytest.mark.parametrize(
    ("name", "options", "error", "match"),
    [
        ("smoothed", {"delta": 1.5}, ValueError, "delta.*1.5"),
        ("shifted", {"scale": 0.0}, ValueError, "scale.*0.0"),
        ("shifted", {"scale": math.inf}, ValueError, "scale.*inf"),
        ("shifted", {"shift": math.nan}, ValueError, "shift.*nan"),
        ("rotated", {"angle": math.nan}, ValueError, "angle.*nan"),
        ("smoothed", {"epsilon": 0.1}, TypeError, "epsilon.*delta"),
    ],
)
def test_bad_options_are_refused_by_name(name, options, error, match):
    with pytest.raises(error, match=match):
        encodings.make(name, 4, **options)


@pytest.mark.parametrize("name", ["one_hot", "smoothed", "rotated", "random", "shifted"])
@pytest.mark.parametrize("num_classes", [0, 1])
def test_fewer_than_two_classes_are_refused(name, num_classes):
    message = f"at least 2 classes, got {num_classes}"
    with pytest.raises(ValueError, match=message):
        encodings.make(name, num_classes)
    with pytest.raises(ValueError, match=message):
        getattr(encodings, name)(num_classes)


def test_adding_an_encoding_takes_one_function_and_one_decorator(monkeypatch):
    monkeypatch.setattr(encodings, "ENCODINGS", dict(encodings.ENCODINGS))

    @encodings.encoding
    def negated(num_classes):
        return -torch.eye(num_classes, dtype=torch.float64)

    assert torch.equal(encodings.make("negated", 3), negated(3))
