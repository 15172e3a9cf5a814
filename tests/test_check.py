"""What every room asks of class ids, counts and shapes."""

import math

import pytest
import torch

from nclib import _check


@pytest.mark.parametrize(
    ("ids", "num_classes", "position"),
    [
        ([0, 2, 1], 3, None),
        ([0, 3, -1], 3, 1),
        ([2, -1, 7], 3, 1),
        ([0, 9], math.inf, None),
        ([], 3, None),
    ],
)
def test_the_first_id_that_is_no_class_has_a_position(ids, num_classes, position):
    assert _check.outside(torch.tensor(ids, dtype=torch.int64), num_classes) == position


def test_class_ids_come_as_int64_from_lists_and_tensors():
    for ids in ([1, 0], torch.tensor([1, 0], dtype=torch.uint8)):
        checked = _check.class_ids("labels", ids, 2)
        assert checked.dtype == torch.int64
        assert checked.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: _check.tensor("x", [1.0]), TypeError, "x must be a torch.Tensor, got list"),
        (lambda: _check.floating("x", torch.ones(2).int()), TypeError, "x .* got torch.int32"),
        (lambda: _check.integers("y", torch.ones(2) > 0), TypeError, "integers, got torch.bool"),
        (lambda: _check.numbers("n", "five"), TypeError, "n must be numbers, got 'five'"),
        (lambda: _check.matrix("x", torch.ones(0, 3)), ValueError, r"rows, got shape \(0, 3\)"),
        (
            lambda: _check.class_ids("labels", [0, 4], 3),
            ValueError,
            "labels has class 4, expected 0 to 2",
        ),
        (
            lambda: _check.class_ids("labels", [-1]),
            ValueError,
            "labels has class -1, expected 0 or more",
        ),
        (lambda: _check.per_class("w", [1.0], 2), ValueError, r"w .* \(2,\), .* got \(1,\)"),
        (
            lambda: _check.counts([3, 0]),
            ValueError,
            "counts has 0 for class 1, expected at least 1",
        ),
        (lambda: _check.counts([math.inf]), ValueError, "counts has inf for class 0"),
        (lambda: _check.counts([-1], least=0, name="n"), ValueError, "n has -1 .* at least 0"),
        (lambda: _check.number("t", True), TypeError, "t must be a number, got True"),
        (lambda: _check.number("t", 0.0, above=0.0), ValueError, "t is 0.0, .* above 0"),
        (lambda: _check.whole("n", 1.0, least=1), TypeError, "n must be a whole number, got 1.0"),
        (lambda: _check.whole("n", 0, least=1), ValueError, "n 0 must be at least 1"),
    ],
)
def test_each_refusal_names_argument_and_value(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_zero_samples_of_a_class_are_allowed_where_that_is_asked():
    assert _check.counts([3, 0], least=0).tolist() == [3, 0]
