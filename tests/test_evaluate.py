"""Accuracy by class frequency and calibration: by hand, against loops, and at the edges."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.classification import multiclass_calibration_error

from nclib.evaluate import ShotAccuracy, expected_calibration_error, shot_accuracy


def test_classes_of_exactly_100_and_20_images_are_medium():
    counts = [101, 100, 20, 19]
    predictions = torch.tensor([0, 1, 0, 3])  # all right but class 2's
    result = shot_accuracy(predictions, torch.arange(4), counts)
    assert result == ShotAccuracy(all=0.75, many=1.0, medium=0.5, few=1.0)


def test_a_group_without_test_samples_has_no_accuracy():
    labels = torch.tensor([0, 0])
    assert shot_accuracy(labels, labels, [500, 300]) == (1.0, 1.0, None, None)
    assert shot_accuracy(labels, labels, [5, 300]) == (1.0, None, None, 1.0)
    nothing = torch.tensor([], dtype=torch.int64)
    assert shot_accuracy(nothing, nothing, [500, 300]) == (None, None, None, None)


def test_a_class_that_was_never_trained_is_rare():
    result = shot_accuracy(torch.tensor([1]), torch.tensor([1]), [500, 0])
    assert result == (1.0, None, None, 1.0)


@given(st.integers(0, 1000))
def test_shot_accuracy_is_that_of_a_loop(seed):
    random = np.random.default_rng(seed)
    counts = random.choice([1, 19, 20, 50, 100, 101, 900], size=6)
    labels, predictions = random.integers(6, size=40), random.integers(6, size=40)
    groups = {"all": [], "many": [], "medium": [], "few": []}
    for label, prediction in zip(labels, predictions, strict=True):
        n = counts[label]
        group = "many" if n > 100 else "few" if n < 20 else "medium"
        for name in ("all", group):
            groups[name].append(label == prediction)
    expected = {name: np.mean(hits) if hits else None for name, hits in groups.items()}
    result = shot_accuracy(torch.from_numpy(predictions), torch.from_numpy(labels), counts.tolist())
    assert result._asdict() == pytest.approx(expected)


def test_calibration_error_by_hand():
    # Two bins: (0, 1/2] is empty; in (1/2, 1] the confidence is 0.9, 0.9, 0.6 and one is right.
    probabilities = torch.tensor([[0.9, 0.1], [0.1, 0.9], [0.6, 0.4]], dtype=torch.float64)
    error = expected_calibration_error(probabilities, torch.tensor([0, 0, 1]), bins=2)
    assert error == pytest.approx(0.8 - 1 / 3)
    # Four bins: 0.6 is alone, sure at 0.6 and wrong; the others are 0.9 sure and half right.
    error = expected_calibration_error(probabilities, torch.tensor([0, 0, 1]), bins=4)
    assert error == pytest.approx((2 * 0.4 + 0.6) / 3)


def test_a_confidence_on_an_edge_belongs_below():
    # 1/2 is in (0, 1/2] of two bins: its gap does not cancel with that of the other bin.
    probabilities = torch.tensor([[0.5, 0.5], [1.0, 0.0]])
    assert expected_calibration_error(probabilities, torch.tensor([0, 1]), bins=2) == 0.75
    assert expected_calibration_error(probabilities, torch.tensor([0, 1]), bins=1) == 0.25


def test_certain_and_right_is_calibrated_and_certain_and_wrong_is_not():
    labels = torch.tensor([0, 1, 2])
    assert expected_calibration_error(torch.eye(3), labels) == 0
    assert expected_calibration_error(torch.eye(3), labels.roll(1)) == 1


@pytest.mark.parametrize("bins", [1, 10, 15])
@pytest.mark.parametrize("num_classes", [2, 7])
def test_calibration_error_is_that_of_torchmetrics(num_classes, bins):
    generator = torch.Generator().manual_seed(num_classes)
    logits = torch.randn(500, num_classes, generator=generator, dtype=torch.float64)
    labels = torch.randint(num_classes, (500,), generator=generator)
    probabilities = logits.softmax(1)
    expected = multiclass_calibration_error(probabilities, labels, num_classes, n_bins=bins)
    result = expected_calibration_error(probabilities, labels, bins)
    assert result == pytest.approx(expected.item(), abs=1e-6)  # theirs is float32


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_softmax_of_any_precision_is_a_distribution(dtype):
    logits = torch.randn(50, 10, generator=torch.Generator().manual_seed(0))
    probabilities = logits.softmax(1).to(dtype)
    labels = probabilities.argmax(1)
    error = expected_calibration_error(probabilities, labels)
    assert error == pytest.approx(1 - probabilities.double().amax(1).mean().item())


LABELS = torch.tensor([0, 1])


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: shot_accuracy(torch.eye(2), LABELS, [3, 3]), TypeError, r"predictions.*float32"),
        (
            lambda: shot_accuracy(torch.eye(2).long(), LABELS, [3, 3]),
            ValueError,
            r"predictions must be a vector.*\(2, 2\)",
        ),
        (lambda: shot_accuracy(LABELS[:1], LABELS, [3, 3]), ValueError, r"1 predictions but 2"),
        (lambda: shot_accuracy(LABELS, LABELS + 1, [3, 3]), ValueError, r"labels has class 2"),
        (lambda: shot_accuracy(LABELS - 1, LABELS, [3, 3]), ValueError, r"predictions has class -"),
        (lambda: shot_accuracy(LABELS, LABELS, [3, -1]), ValueError, r"train_counts has -1"),
        (lambda: shot_accuracy(LABELS, LABELS, [[3, 1]]), ValueError, r"train_counts.*\(1, 2\)"),
        (
            lambda: expected_calibration_error(2 * torch.eye(2), LABELS),
            ValueError,
            r"sample 0 are no distribution: their sum is 2",
        ),
        (
            lambda: expected_calibration_error(torch.tensor([[1.5, -0.5]]), LABELS[:1]),
            ValueError,
            r"the least is -0.5",
        ),
        (
            lambda: expected_calibration_error(torch.full((2, 2), math.nan), LABELS),
            ValueError,
            r"sum is nan",
        ),
        (
            lambda: expected_calibration_error(torch.eye(2), LABELS[:1]),
            ValueError,
            r"2 rows of probabilities but 1",
        ),
        (lambda: expected_calibration_error(torch.eye(2).long(), LABELS), TypeError, r"int64"),
        (lambda: expected_calibration_error(torch.eye(2), LABELS, 0), ValueError, r"bins is 0"),
        (
            lambda: expected_calibration_error(torch.zeros(0, 2), LABELS[:0]),
            ValueError,
            r"\(0, 2\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(call, error, match):
    with pytest.raises(error, match=match):
        call()
