"""Figures of long-tailed networks: what is drawn is what was given."""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest

from nclib import geometry, plots
from nclib.plots.inducing_nc import experiments as figures


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def test_angles_are_white_at_the_optimum_and_the_smallest_is_named():
    optimum = math.degrees(math.acos(-1 / 9))
    means = geometry.simplex_etf(10, 9)
    means[9] = means[0] + 0.5 * means[9]
    angles = {"etf": geometry.pairwise_angles(geometry.simplex_etf(10, 9))}
    angles["bent"] = geometry.pairwise_angles(means)
    figure = plots.angle_matrices(angles, optimum=optimum, title="t")
    first, second = figure.axes[:2]
    image = first.images[0]
    assert image.norm(optimum) == pytest.approx(0.5)
    assert first.get_xlabel() == "smallest angle 96°"
    smallest = angles["bent"].fill_diagonal_(360).min()
    assert second.get_xlabel() == f"smallest angle {smallest:.0f}°"


def test_seeds_are_faint_lines_around_their_mean():
    values = {"CE": [[0.9, 0.5], [0.7, 0.3]], "NC-DRW": [[0.9, 0.6]]}
    axes = figures.class_accuracy(values, [100, 10], title="t").axes[0]
    lines = {line.get_label(): line.get_ydata() for line in axes.lines}
    assert np.allclose(lines["CE"], [80, 40])
    assert np.allclose(lines["NC-DRW"], [90, 60])
    assert len(axes.lines) == 4  # two seeds and two means
    assert [t.get_text() for t in axes.get_xticklabels()] == ["100", "10"]


def test_norms_are_relative_to_their_mean():
    figure = plots.centred_norms({"CE": [[1.0, 3.0]]}, {"CE": [5, 1]}, title="t")
    drawn = next(line for line in figure.axes[0].lines if line.get_label() == "CE")
    assert np.allclose(drawn.get_ydata(), [0.5, 1.5])


def test_a_method_looks_the_same_in_any_company():
    def colour(labels):
        figure = figures.noise_curves({t: [[0.9, 0.8]] for t in labels}, (0, 0.1), title="t")
        return {line.get_label(): line.get_color() for line in figure.axes[0].lines}

    assert colour(["CE", "NC-DRW"])["NC-DRW"] == colour(["NC-DRW", "LDAM-DRW"])["NC-DRW"]


def test_single_runs_have_no_interval():
    rows = [
        figures.EffectRow("+ L_W", 4.0, 3.0, 1.0),
        figures.EffectRow("+ L_B", None, 3.0, math.inf),
    ]
    figure = figures.effect_forest(rows, title="t")
    axes, (legend,) = figure.axes[0], figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "ours, 95 % interval",
        "ours, single runs",
        "printed",
    ]
    assert [len(bar.lines[2]) for bar in axes.containers] == [1, 0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["+ $L_W$", "+ $L_B$"]


def test_a_change_within_what_a_seed_changes_is_open():
    points = figures.Changes("accuracy", {"mixup": -1.0, "decay": 3.0}, 2.0)
    factors = figures.Changes("NC1", {"mixup": 0.4, "decay": 1.5}, 2.0, factors=True)
    figure = figures.choice_changes([points, factors], title="t")
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["mixup", "decay"]
    for axes, filled in zip(figure.axes, ([False, True], [True, False]), strict=True):
        dots = [line for line in axes.lines if line.get_marker() == "o"]
        assert [dot.get_markerfacecolor() != "none" for dot in dots] == filled
    assert figure.axes[1].get_xscale() == "log"


def test_the_map_writes_every_value():
    figure = figures.strength_map([0, 1], [0, 2], {"a": [[1, 2], [3, 4]]}, title="t")
    assert [t.get_text() for t in figure.axes[0].texts] == ["1.0", "2.0", "3.0", "4.0"]


def test_what_is_good_is_light_in_every_panel_of_the_map():
    panels = {"more": [[1, 2], [3, 4]], "less": [[1, 2], [3, 4]]}
    figure = figures.strength_map([0, 1], [0, 2], panels, title="t", less=("less",))
    more, less = (axes.texts for axes in figure.axes)
    assert [t.get_text() for t in less] == [t.get_text() for t in more]
    assert [t.get_color() for t in more] == ["white", "white", "black", "black"]
    assert [t.get_color() for t in less] == ["black", "black", "white", "white"]


def test_schedules_of_any_length_share_an_axis():
    courses = {("CE", 20): ([10, 20], [0.4, 0.5]), ("CE", 60): ([15, 60], [0.3, 0.6])}
    figure = figures.schedule_lengths(courses, courses, title="t")
    left, right = ({line.get_label(): line for line in axes.lines} for axes in figure.axes)
    short, long = left["CE, 20 epochs"], left["CE, 60 epochs"]
    assert list(short.get_xdata()) == [50, 100]
    assert list(long.get_xdata()) == [25, 100]
    assert np.allclose(long.get_ydata(), [30, 60])
    assert (short.get_linestyle(), long.get_linestyle()) == ("--", "-")
    assert np.allclose(right["CE, 60 epochs"].get_ydata(), [0.3, 0.6])


def test_settings_stand_side_by_side_and_one_that_was_not_run_is_absent():
    rows = {
        "CE": figures.Settings((70.4,), {"without": (70.0, 72.0), "with": (75.0,)}),
        "NC-DRW": figures.Settings((81.9, 79.2), {"without": (), "with": (80.0,)}),
    }
    axes = figures.setting_accuracies(rows, title="t").axes[0]
    drawn = [(list(line.get_xdata()), line.get_marker()) for line in axes.lines]
    assert drawn[0] == ([71.0, 75.0], "None")  # the means are joined
    assert [x for x, marker in drawn if marker == "D" and x] == [[70.4], [81.9, 79.2]]
    assert [x for x, marker in drawn if marker == "o" and x] == [[70.0, 72.0]]
    assert [x for x, marker in drawn if marker == "s" and x] == [[75.0], [80.0]]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["CE", "NC-DRW"]


def test_calibration_is_in_per_cent():
    axes = figures.calibration({"CE": [(0.9, 0.1)]}, title="t").axes[0]
    assert (axes.lines[0].get_xdata()[0], axes.lines[0].get_ydata()[0]) == pytest.approx((90, 10))
    assert axes.get_ylim()[0] == 0
