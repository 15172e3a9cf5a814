"""The figures of the theory of space alignment: what they draw is what they say."""

import json
import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from nclib import plots
from nclib.papers.space_alignment import classifiers
from nclib.plots.space_alignment import theory as drawn


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def toy(classifier):
    exponents = classifier.exponents
    return drawn.Toy(*classifier, exponents.overall, exponents.binding[0])


def lean(degrees):
    tilted, turned = (
        make(3, math.radians(degrees)) for make in (classifiers.tilted, classifiers.turned)
    )
    exponents = tilted.exponents.overall, turned.exponents.overall
    return drawn.Lean(degrees, *exponents, ("few", "many"), turned.means, turned.weight)


def test_the_circle_of_a_region_touches_the_nearest_boundary():
    classifier = classifiers.turned(3, math.radians(35))
    figure = drawn.decision_regions({"a": toy(classifier), "b": toy(classifier)})
    [circle] = figure.axes[0].patches
    mean = classifier.means[classifier.exponents.binding[0]]
    assert circle.center == pytest.approx(mean.tolist())
    turns = 2 * math.pi * torch.arange(720).double() / 720
    ring = torch.stack([turns.cos(), turns.sin()], 1)
    for factor, inside in ((0.99, True), (1.01, False)):
        scores = (mean + factor * circle.radius * ring) @ classifier.weight.T
        alike = scores.argmax(1) == classifier.exponents.binding[0]
        assert bool(alike.all()) == inside


def test_the_regions_are_the_decisions():
    classifier = classifiers.tilted(3, 0.0)
    flat = classifiers.make_classifier(classifier.means[:, :2], classifier.weight[:, :2])
    figure = drawn.decision_regions({"a": toy(flat), "b": toy(flat)})
    [image] = figure.axes[0].images
    labels = np.asarray(image.get_array())
    left, right, bottom, top = image.get_extent()
    for label, (x, y) in enumerate(flat.means.tolist()):
        column = round((x - left) / (right - left) * (labels.shape[1] - 1))
        row = round((y - bottom) / (top - bottom) * (labels.shape[0] - 1))
        assert labels[row, column] == label


def test_the_slider_moves_circles_that_touch_the_borders():
    states = [lean(degrees) for degrees in (0, 20, 70)]
    figure = drawn.lean_slider(states)
    steps = figure.layout.sliders[0].steps
    assert [step.label for step in steps] == ["0°", "20°", "70°"]
    for state, step in zip(states, steps, strict=True):
        data, texts, traces = step.args
        assert f"β = {state.tilt:.3f}" in texts["annotations[0].text"]
        assert "many" in texts["annotations[1].text"]
        assert len(data["x"]) == len(traces) == 10
        for place, beta, centre in (
            (3, state.tilt, (-math.sqrt(3) / 2, 0.0)),
            (8, state.rotation, state.means[0].tolist()),
        ):
            ring = np.array([data[axis][place][:33] for axis in "xy"], dtype=float).T
            radii = np.linalg.norm(ring - centre, axis=1)
            np.testing.assert_allclose(radii, math.sqrt(2 * beta), atol=2e-3)
        # The border of the two half-planes is as far from a mean as the circle is wide.
        x, y = (np.array(data[axis][1][1:], dtype=float) for axis in "xy")
        border = np.array([x[-1] - x[0], y[-1] - y[0]])
        away = abs(border[1]) / np.linalg.norm(border) * math.sqrt(3) / 2
        assert away == pytest.approx(math.sqrt(2 * state.tilt), abs=2e-3)


def test_the_slider_is_small_and_asks_nothing_from_outside():
    figure = drawn.lean_slider([lean(degrees) for degrees in range(0, 91, 5)])
    bundle = plots.interactive(figure, div_id="lean", alt="a slider")._repr_mimebundle_()
    assert "<script src" not in bundle["text/html"]
    assert len(json.dumps(bundle)) < 300_000


def test_curves_are_the_data():
    shares = {"tilt": [1.0, 0.5], "rotation": [1.0, 0.1]}
    steps = {"as trained": 0.1, "and bias": 0.2}
    left, right = drawn.misalignment([0, 45], shares, steps, optimum=0.25, title="t").axes
    for line, values in zip(left.lines, shares.values(), strict=True):
        np.testing.assert_allclose(line.get_ydata(), values)
    assert [bar.get_width() for bar in right.patches] == list(steps.values())
    curve = {"estimate": [0.4, 0.3], "lower": [0.5, 0.35], "upper": [0.35, 0.25]}
    axes = drawn.convergence([0.1, 0.01], {"a": curve}, {"a": 0.28}).axes[0]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), curve["estimate"])
    assert axes.lines[1].get_ydata()[0] == 0.28
    thirds, overall = {"head": [0.3, 0.2]}, {"least": [0.2, 0.1]}
    left, right = drawn.imbalance([1, 10], thirds, overall, {"least": [(1.0, 0.2)]}).axes
    np.testing.assert_allclose(left.lines[0].get_ydata(), thirds["head"])
    assert [len(line.get_xdata()) for line in right.lines] == [2, 1]


def test_the_other_figures_have_their_panels():
    best = {"any P": {2: 0.5, 3: 0.375}, "P = 2": {3: 0.375, 4: 0.25}}
    _, right = drawn.best_exponents([2, 3, 4], best).axes
    np.testing.assert_allclose(right.lines[0].get_ydata(), [0.5, 0.375])
    axes = drawn.common_shifts([0, 1], {"raw": [1.0, 0.7]}, title="a shift").axes[0]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [1.0, 0.7])
    thirds = {"as trained": [0.1, 0.2, 0.3, 0.1], "and bias": [0.2] * 4}
    bars = drawn.repairs(thirds, title="t").axes[0]
    assert [bar.get_height() for bar in bars.patches][:4] == [0.1, 0.2, 0.3, 0.1]
