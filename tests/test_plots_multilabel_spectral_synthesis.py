"""The figures of the synthesis rules: what they draw is what they say."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from nclib.plots.multilabel_spectral import synthesis as drawn


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def test_a_rule_looks_the_same_in_every_figure():
    misses = {"affine": [1e-3, 2e-3], "uniform": [1e-2, 2e-2]}
    by_ratio = drawn.misses_by_imbalance([2, 4], {"no bias": misses, "free bias": misses})
    by_penalty = drawn.misses_by_penalty([0.1, 1.0], misses)
    for axes in (*by_ratio.axes, *by_penalty.axes):
        for line, (rule, values) in zip(axes.lines, misses.items(), strict=True):
            name, colour, marker = drawn.RULES[rule]
            assert (line.get_label(), line.get_color(), line.get_marker()) == (name, colour, marker)
            np.testing.assert_allclose(line.get_ydata(), values)
    assert len({style[1:] for style in drawn.RULES.values()}) == len(drawn.RULES)


def test_what_a_rule_meets_is_drawn_in_the_circles():
    weight = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]], dtype=torch.float64)
    pairs = torch.tensor([[1, 1, 0], [1, 0, 1], [0, 1, 1]], dtype=torch.float64) @ weight
    prototypes, origin = torch.cat([weight, 2 * pairs]), torch.zeros(2, dtype=torch.float64)
    plane = drawn.Plane(weight, prototypes, origin, {"uniform": 2 * pairs, "count": pairs})
    figure = drawn.planar_rules({"no bias": plane})
    uniform, count, empty = figure.axes
    assert not empty.lines
    *_, circles, centre, marks = uniform.lines
    np.testing.assert_allclose(marks.get_xydata(), circles.get_xydata(), atol=1e-12)
    np.testing.assert_allclose(centre.get_xydata(), [[0, 0]], atol=1e-12)
    np.testing.assert_allclose(2 * count.lines[-1].get_xydata(), circles.get_xydata(), atol=1e-12)
    assert [text.get_text() for text in uniform.texts] == ["1", "2", "3"]


def test_limits_are_drawn_toward_zero():
    figure = drawn.slow_limits([0.2, 0.1], {"W": [0.04, 0.02]}, {"raw": [-0.01, -0.005]})
    for axes, values in zip(figure.axes, ([0.04, 0.02], [-0.01, -0.005]), strict=True):
        curve, zero = axes.lines
        np.testing.assert_allclose(curve.get_xydata(), np.stack([[0.2, 0.1], values], 1))
        assert set(zero.get_ydata()) == {0}
        assert axes.get_xlim()[0] == 0


def test_a_line_divides_singletons_and_blocks():
    figure = drawn.block_grams({"plane": (torch.eye(5), 3)})
    axes = figure.axes[0]
    np.testing.assert_allclose(axes.images[0].get_array(), np.eye(5))
    assert axes.lines[0].get_ydata()[0] == axes.lines[1].get_xdata()[0] == 2.5


def test_factors_have_one_height_in_both_panels():
    figure = drawn.factors({"star": ([50, 5], [0.8, 0.9], [0.7, 1.1])})
    left, right = (axes.lines[0] for axes in figure.axes)
    np.testing.assert_allclose(left.get_ydata(), right.get_ydata())
    np.testing.assert_allclose(right.get_xdata(), [0.8, 0.9])


def test_the_legend_gives_the_correlation_and_its_interval():
    figure = drawn.variation([0.1, 0.9], {"whole": [0.2, 0.1]}, {"whole": (-0.5, -0.75, -0.25)})
    [label] = (text.get_text() for text in figure.legends[0].get_texts())
    assert label == "whole: rank correlation -0.50 (-0.75 to -0.25)"
