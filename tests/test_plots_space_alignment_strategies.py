"""The figures of strategies and of trained networks: what they draw is what they say."""

from __future__ import annotations

import json
import math

import matplotlib.pyplot as plt
import pytest
import torch

from nclib import plots
from nclib.plots.space_alignment import experiments, strategies


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def lines(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def test_the_answer_has_a_row_for_each_strategy_and_gaps_where_none_was_trained():
    values = {"none": {"least": 0.1, "tail": 0.2}, "a": {"least": 0.3, "tail": 0.4}}
    figure = strategies.answer(values, {"none": {"all": 80.0, "tail": 50.0}}, title="t")
    left, right = figure.axes
    assert [text.get_text() for text in left.get_yticklabels()] == ["none", "a"]
    assert list(lines(left)["tail"].get_xdata()) == [0.2, 0.4]
    assert list(lines(right)["tail"].get_ydata()) == [0]


def test_turning_has_curves_and_marks_of_each_row():
    figure = strategies.turning([0.0, 1.0], {"k": [30.0, 10.0]}, {"k": {0.0: 30.0, 1.0: 10.0}})
    curve, marks = figure.axes[0].get_lines()
    assert list(curve.get_ydata()) == list(marks.get_ydata()) == [30.0, 10.0]


def test_curves_and_bars_have_their_values():
    figure = strategies.recorded_cosines([0, 1], {"turned to": [2.0, 0.0], "kept": [2.0, 1.0]})
    assert list(lines(figure.axes[0])["kept"].get_ydata()) == [2.0, 1.0]
    figure = strategies.by_size({"a": [1, 2, 3, 1], "b": [2, 3, 4, 2]}, title="t", ylabel="y")
    assert [bar.get_height() for bar in figure.axes[0].patches] == [1, 2, 3, 1, 2, 3, 4, 2]
    figure = strategies.against_ratio([1, 10], {"a": [0.2, 0.1]}, title="t")
    assert figure.axes[0].get_xscale() == "log"


def test_the_sphere_plays_and_every_frame_has_the_rows_on_it():
    unit = torch.nn.functional.normalize(torch.randn(3, 4, 3, generator=_seeded()), dim=2)
    courses = [strategies.Sphere(name, unit) for name in ("with", "without")]
    figure = strategies.turning_sphere(unit[-1], courses, [0.0, 1.0, 2.0])
    assert [frame.name for frame in figure.frames] == ["0", "1", "2"]
    for number, frame in enumerate(figure.frames):
        ways, rows = frame.data[:2]
        points = torch.tensor([rows.x, rows.y, rows.z]).T
        assert torch.allclose(points.double(), unit[number].double(), atol=1e-3)
        assert len(ways.x) == 4 * (number + 2)  # a way of one class ends with a gap
        assert len(frame.traces) == len(frame.data) == 4
    [menu] = figure.layout.updatemenus
    assert [button.method for button in menu.buttons] == ["animate", "animate"]
    shown = plots.interactive(figure, div_id="s", alt="a sphere")._repr_mimebundle_()
    assert "Plotly.addFrames" in shown["text/html"]
    assert "Plotly.animate('s', null)" not in shown["text/html"]  # it waits to be played
    json.dumps(shown["application/vnd.plotly.v1+json"])


def _seeded():
    return torch.Generator().manual_seed(0)


def test_an_effect_without_an_interval_is_grey():
    rows = [experiments.Effect("a", 1.0, 0.5), experiments.Effect("b", -1.0, math.inf)]
    figure = experiments.forest(rows, title="t", xlabel="x")
    known, single = (bars.lines[0] for bars in figure.axes[0].containers)
    assert known.get_color() != single.get_color()
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["a", "b"]


def test_the_figures_of_networks_have_their_values():
    cosines = {"raw": torch.tensor([0.5, 0.6]), "centred": torch.tensor([0.9, 0.8])}
    effects = [experiments.Effect("a", 1.0, 0.5)]
    figure = experiments.answer(cosines, effects, titles=("l", "r"), title="t")
    assert lines(figure.axes[0])["raw"].get_ydata().tolist() == pytest.approx([0.5, 0.6])
    figure = experiments.cosines_by_class({"one": cosines, "two": cosines}, title="t")
    assert [axes.get_title("center") for axes in figure.axes] == ["one", "two"]
    course = experiments.Course(([1, 2], [50.0, 60.0]), ([0, 2], [0.1, 0.9]))
    figure = experiments.training({"CE": course}, title="t")
    assert [list(lines(axes)["CE"].get_ydata()) for axes in figure.axes] == [
        [50.0, 60.0],
        [0.1, 0.9],
    ]
    figure = experiments.accuracy_and_cosine({"r": {"a": (0.9, 90.0), "b": (0.2, 80.0)}}, title="t")
    assert list(lines(figure.axes[0])["b"].get_xdata()) == [0.2]
    pairs = {"n": (torch.tensor([0.0, 5.0]), torch.tensor([20.0, 90.0]))}
    figure = experiments.exponents_and_accuracies(pairs, title="t")
    assert list(lines(figure.axes[0])["n"].get_ydata()) == [20.0, 90.0]
    figure = experiments.correlations([experiments.Interval("m", 0.5, -0.2, 0.8)], title="t")
    [bars] = figure.axes[0].containers
    [segment] = bars.lines[2][0].get_segments()
    assert segment[:, 0].tolist() == pytest.approx([-0.2, 0.8])
