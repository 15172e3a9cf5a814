"""The figures of the theory of class-wise features: what they draw is what they say."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from nclib.plots.mlc_nc import theory as drawn


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def data(line):
    return list(line.get_xdata()), list(line.get_ydata())


def test_promises_are_the_data():
    attention, logits = {"any": [0.0, 0.7, 1.0]}, {"fixed": [6.0, 6.0], "trainable": [3.0, -1.0]}
    left, right = drawn.promises([0, 0.25, 1], attention, [100, 1], logits).axes
    assert data(left.lines[0]) == ([0, 0.25, 1], [0.0, 0.7, 1.0])
    assert [data(line)[1] for line in right.lines[:2]] == list(logits.values())
    assert right.xaxis_inverted()


def test_marks_of_tokens_stand_at_their_classes():
    cosines = {"free": [1.0, -0.5, -0.5], "after a ReLU": [0.7, -0.5, -0.5]}
    axes = drawn.token_cosines(cosines, labels=1, ceiling=0.8, needed=-0.5).axes[0]
    assert data(axes.lines[1]) == ([1, 2, 3], cosines["after a ReLU"])
    levels = [line.get_ydata()[0] for line in axes.lines[2:5]]
    assert levels == [1, -0.5, 0.8]


def test_an_image_without_a_label_has_no_logit_of_a_label():
    left, right = drawn.fixed_logits([0, 1, 2], [0, 3, 0], [0, -3, 0], [1.4, 0.1, 1.4]).axes
    assert data(left.lines[0]) == ([1, 2], [3, 0])
    assert data(left.lines[1]) == ([0, 1], [0, -3])
    assert data(right.lines[0])[1] == [1.4, 0.1, 1.4]


def test_unit_blocks_have_a_mark_for_each_rotation_and_class():
    figure = drawn.unit_blocks([[0.1, 0.2], [0.3, 0.2]], 0.1, 0.5, [1, 2], {"even": [1, 0.1]})
    left, right = figure.axes
    assert data(left.lines[1]) == ([1, 2], [0.2, 0.2])
    assert [line.get_ydata()[0] for line in left.lines[2:4]] == [0.1, 0.5]
    assert data(right.lines[0]) == ([1, 2], [1, 0.1])


def test_centres_and_angles_are_the_data():
    axes = drawn.centres([1, 10], {"moving": [-0.2, 0.3]}, simplex=-0.2).axes[0]
    assert data(axes.lines[0]) == ([1, 10], [-0.2, 0.3])
    axes = drawn.angle_bound(133.56, {"printed": (-0.05, 43.0)}, num_classes=20).axes[0]
    angles, line = (np.array(data(curve)[1]) for curve in axes.lines[:2])
    assert (line <= angles + 1e-3).all()
    assert data(axes.lines[3]) == ([-0.05], [43.0])


def test_totals_that_differ_are_named_once():
    differences = {"Table 1": {"A": 0.0, "B": -2.04}, "Table 3": {"B again": -2.04, "C": 0.005}}
    axes = drawn.audit(differences, rounding=0.01).axes[0]
    assert [text.get_text() for text in axes.texts] == ["B -2.04"]
    assert data(axes.lines[1])[1] == [-2.04, 0.005]
