"""The figures of the method chapter: what they say about data whose answer is known."""

import base64
import itertools
import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from nclib import geometry
from nclib.plots.inducing_nc import method as figures


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture
def slider():
    """Two courses of four classes: from a flat square to a tetrahedron, and at rest."""
    labels = torch.arange(4).repeat_interleave(torch.tensor([4, 3, 2, 1]))
    square = torch.tensor([[1.0, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0]], dtype=torch.float64)
    corners = geometry.simplex_etf(4, 3, generator=torch.Generator().manual_seed(0))
    courses = {
        "opening": torch.stack([square[labels], 5 * corners[labels] + 2]),
        "at rest": torch.stack([square[labels], square[labels]]),
    }
    figure, alt = figures.collapse_slider(courses, labels, (0, 10))
    return figure, alt


def _numbers(packed):
    return np.frombuffer(base64.b64decode(packed["bdata"]), dtype=packed["dtype"])


def test_slider_names_the_smallest_angle_and_the_spread_of_each_course(slider):
    figure, _ = slider
    assert [trace.name for trace in figure.data if trace.mode == "lines"] == [
        "opening: smallest angle 90°, spread 0 %",
        "at rest: smallest angle 90°, spread 0 %",
    ]
    last = figure.layout.sliders[0].steps[-1]
    assert last.label == "10"
    names = last.args[0]["name"]
    assert names[1] == "opening: smallest angle 109°, spread 0 %"
    assert names[3] == "at rest: smallest angle 90°, spread 0 %"


def test_slider_centres_and_scales_every_frame(slider):
    change = slider[0].layout.sliders[0].steps[-1].args[0]
    first = [0, 4, 7, 9]  # of each class
    columns = [_numbers(change[axis][0])[first] / 1000 for axis in "xyz"]
    corners = torch.tensor(np.stack(columns, axis=1))
    assert torch.allclose(corners.norm(dim=1), torch.ones(4).double(), atol=2e-3)
    assert corners.sum(0).abs().max() < 5e-3


def test_a_button_shows_one_course_alone(slider):
    figure, alt = slider
    first, second = (button.args[0]["visible"] for button in figure.layout.updatemenus[0].buttons)
    assert list(first) == [True] * 2 + [False] * 2 == [not seen for seen in second]
    assert [trace.visible for trace in figure.data] == list(first)
    assert "10 points" in alt


def test_pulls_are_given_as_shares_of_each_class():
    features = torch.tensor([[0.0, 0.0], [1.0, 0.0], [5.0, 0.0]])
    steps = torch.tensor([[0.5, 0.0], [-0.5, 0.0], [0.0, 3.0]])
    figure = figures.within_class_pulls(
        features, torch.tensor([0, 0, 1]), {"loss": steps, "b": steps}
    )
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["25 % of the pull", "75 % of the pull"]


def test_a_diverged_run_is_marked_at_its_strength():
    rows = [
        (0.0, [0.9, 0.9], [60.0, 61.0]),
        (1.0, [0.95, 0.94], [95.0, 94.0]),
        (9.0, [0.1, math.nan], [0.0, math.nan]),
    ]
    figure = figures.strength_sweep({"a": rows, "b": rows[:2]}, baseline=0.9, title="t")
    crosses = [line for line in figure.axes[0].lines if line.get_marker() == "x"]
    assert [list(line.get_xdata()) for line in crosses] == [[2]]
    lines = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    np.testing.assert_allclose(
        [line.get_ydata() for line in lines], [[90, 95, 10], [90, 94, math.nan]]
    )
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == [
        "without the terms",
        "diverged",
    ]
    whole = figures.strength_sweep({"a": rows[:2], "b": rows[:2]}, baseline=0.9, title="t")
    assert len(whole.axes[0].get_legend().get_texts()) == 1


def test_every_seed_has_its_line():
    course = figures.Course("NC1", [0, 5], {"CE": [[1.0, 0.5], [1.0, 0.4]], "NC": [[1.0, 0.1]]})
    figure = figures.seeded_courses([course] * 4, title="t")
    assert [len(axes.lines) for axes in figure.axes] == [3] * 4
    labels = [text.get_text() for text in figure.axes[0].texts]
    assert labels == ["CE", "NC"]


def test_a_collapsed_network_has_the_dotted_triangle_and_no_spread():
    etf = geometry.simplex_etf(6, 8, generator=torch.Generator().manual_seed(0))
    collapsed = figures.Triangle(3 * etf[:3], torch.zeros(3), 3.0)
    noisy = figures.Triangle(3 * etf[:3], torch.tensor([3.0, 1.5, 0.0]), 3.0)
    panels = {"collapsed": collapsed, "noisy": noisy}
    figure = figures.class_triangles(panels, [9, 3, 1], num_classes=6, title="t")
    dotted, *means = figure.axes[0].lines
    corners = torch.tensor([line.get_xydata()[0].tolist() for line in means])
    ideal = torch.tensor(dotted.get_xydata()[:3].tolist())
    assert torch.allclose(corners, ideal, atol=1e-6)
    assert [text.get_text() for text in figure.axes[0].texts] == ["9", "3", "1"]
    assert [circle.radius for circle in figure.axes[1].patches] == [1.0, 0.5, 0.0]


def test_profiles_are_labelled_without_overlap():
    profiles = {"a": [100, 10], "b": [100, 10], "c": [100, 9]}
    axes = figures.long_tail_profiles(profiles).axes[0]
    heights = [math.log10(text.xy[1]) for text in axes.texts]
    assert [text.get_text() for text in axes.texts] == ["a", "b", "c"]
    assert min(a - b for a, b in itertools.pairwise(heights)) > 0.15
