"""The figures of the theory of inducing neural collapse: what they draw is what they say."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from nclib.geometry import simplex_etf
from nclib.plots.inducing_nc import theory as drawn
from nclib.theory import least_squares_classifier

COUNTS = (100, 10, 1)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture
def triangle():
    return simplex_etf(3, 2, generator=torch.Generator().manual_seed(0))


def _rows(means, deviation):
    counts = torch.tensor(COUNTS)
    return least_squares_classifier(means, counts, within=deviation**2).weight


def test_slider_draws_the_rows_relative_to_the_longest(triangle):
    deviations = (0.0, 0.5)
    weights = [_rows(triangle, deviation) for deviation in deviations]
    figure = drawn.weights_slider(triangle, deviations, weights, COUNTS)
    for step, weight in zip(figure.layout.sliders[0].steps, weights, strict=True):
        data, title, traces = step.args
        tips = np.array([[data[axis][row + 1][1] for axis in "xy"] for row in range(3)])
        np.testing.assert_allclose(tips, weight / weight.norm(dim=1).max(), atol=1e-4)
        assert list(traces) == [0, 1, 2, 3]
        lengths = title["title.text"].partition("lengths ")[2].split(" : ")
        assert float(lengths[2]) == pytest.approx(np.linalg.norm(tips[2]), abs=0.006)
    ring = np.array([figure.layout.sliders[0].steps[1].args[0][a][0][:41] for a in "xy"]).T
    radii = np.linalg.norm(ring.astype(float) - triangle[0].numpy(), axis=1)
    np.testing.assert_allclose(radii, 0.5, atol=2e-3)


def test_decisions_say_how_often_they_agree(triangle):
    means = triangle + torch.tensor([0.5, 0.3])
    zeros = torch.zeros(3, dtype=torch.float64)
    centred = -triangle @ means.mean(0)
    figure = drawn.decisions(means, {"bare": (triangle, zeros), "full": (triangle, centred)})
    bare, full = (axes.get_title(loc="left") or axes.get_title() for axes in figure.axes)
    assert full.endswith("agrees on 100%")
    assert bare.startswith("bare")
    assert not bare.endswith("100%")


def test_heights_are_inverse_norms():
    means = torch.tensor([[0.0, 2.0], [1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    weight = least_squares_classifier(means, torch.tensor(COUNTS)).weight
    figure = drawn.minority_heights(means, weight, COUNTS)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert any("height 2.00" in text and "0.50" in text for text in texts)


def test_curves_are_the_data():
    deviations = torch.tensor([0.1, 1.0])
    norms, cosines = torch.rand(2, 3), torch.tensor([1.0, 0.7])
    figure = drawn.skewed_weights(deviations, norms, cosines, COUNTS)
    above, below = figure.axes
    for line, norm in zip(above.lines, norms.T, strict=True):
        np.testing.assert_allclose(line.get_ydata(), norm)
    np.testing.assert_allclose(below.lines[0].get_ydata(), cosines)


def test_the_ceiling_of_the_divergence_is_drawn_at_the_labels():
    figure = drawn.divergences(torch.tensor([0.1, 1.0]), {"any": [0.2, 0.1]}, labels=0.2)
    levels = [line.get_ydata()[0] for line in figure.axes[0].lines]
    assert 0.2 in levels


def test_the_line_of_the_stability_theorem_has_its_slope_and_ends_at_one():
    gaps = torch.tensor([1e-3, 1e-2])
    figure = drawn.norm_stability(gaps, gaps / 10, gaps, num_classes=5)
    line, bound, spread = figure.axes[0].lines
    np.testing.assert_allclose(line.get_ydata() / line.get_xdata(), 500, rtol=1e-6)
    assert line.get_ydata().max() == pytest.approx(1)
    np.testing.assert_allclose(bound.get_ydata(), gaps)
    np.testing.assert_allclose(spread.get_ydata(), gaps / 10)


def test_the_stability_theorem_has_no_line_where_it_says_nothing():
    gaps = torch.tensor([0.1, 0.2])
    figure = drawn.norm_stability(gaps, gaps / 10, gaps, num_classes=5)
    assert len(figure.axes[0].lines) == 2


def test_the_other_figures_have_their_panels(triangle):
    panels = {"a": (triangle, triangle, COUNTS), "b": (triangle, triangle, COUNTS)}
    assert len(drawn.planar_weights(panels).axes) == 2
    counts = drawn.cdnv_counts([2, 5], {3: [0.8, 0.7]}, {"5": [3.0, 2.0]}, delta=0.1)
    np.testing.assert_allclose(counts.axes[1].lines[0].get_ydata(), [2.0, 1.0])
    optimum = math.degrees(math.acos(-1 / 5))
    angles = drawn.nearest_angles(
        [4, 5], [91.0, optimum], [88.0, optimum], num_classes=6, optimum=optimum
    )
    assert "101.5°" in angles.axes[0].texts[0].get_text()
