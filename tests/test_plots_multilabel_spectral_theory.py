"""The figures of the spectral theory of several labels: what they draw is what they say."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from nclib.plots.multilabel_spectral import theory as drawn


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture
def states():
    """Two ratios and two shares, with random rows that sum to zero."""
    generator = torch.Generator().manual_seed(0)
    made = {}
    for place in ((0, 0), (0, 1), (1, 0), (1, 1)):
        weight = torch.randn(3, 4, generator=generator, dtype=torch.float64)
        weight -= weight.mean(0)
        prototypes = torch.randn(6, 3, generator=generator, dtype=torch.float64) @ weight
        counts = 10 + 100 * torch.rand(6, generator=generator, dtype=torch.float64)
        kappa = {"one": 0.1 * (1 + place[0]), "two": 0.5, "all": 0.1 * (1 + place[1])}
        made[place] = drawn.ThreeClasses(counts, kappa, weight, prototypes)
    return made


def test_the_plane_keeps_lengths_and_angles_and_faces_the_triangle(states):
    state = states[0, 0]
    rows, tips = drawn.in_the_plane(state.weight, state.prototypes)
    np.testing.assert_allclose(rows @ rows.T, state.weight @ state.weight.T, atol=1e-12)
    np.testing.assert_allclose(tips @ rows.T, state.prototypes @ state.weight.T, atol=1e-12)
    facing = rows.T @ drawn.TRIANGLE  # symmetric and positive: no rotation comes closer
    np.testing.assert_allclose(facing, facing.T, atol=1e-12)
    assert float(torch.linalg.eigvalsh(facing).min()) > -1e-12


def test_two_sliders_reach_every_state(states):
    ratios, shares = [1.0, 8.0], [1 / 3, 0.9]
    figure = drawn.imbalance_and_co_occurrence(ratios, shares, states)
    by_ratio, by_share = figure.layout.sliders
    for place, step in enumerate(by_ratio.steps):
        changed, traces = step.args
        for level, shown in enumerate(by_share.steps):
            visible, same = shown.args
            assert list(same) == list(traces)
            seen = [i for i, on in enumerate(visible["visible"]) if on]
            assert len(seen) == 5
            spectrum, labels, _, tips, rows = seen
            state = states[place, level]
            np.testing.assert_allclose(changed["x"][spectrum], list(state.kappa_hat.values()))
            areas = (np.array(changed["marker.size"][labels]) - 6) ** 2
            np.testing.assert_allclose(
                areas / areas.sum(), state.counts / state.counts.sum(), atol=1e-3
            )
            flat, points = drawn.in_the_plane(state.weight, state.prototypes)
            for index, expected in ((rows, flat), (tips, points)):
                got = np.array([changed["x"][index], changed["y"][index]]).T
                np.testing.assert_allclose(got, expected / expected.norm(dim=1).max(), atol=1e-3)


def test_the_first_state_is_shown_first(states):
    figure = drawn.imbalance_and_co_occurrence([1.0, 8.0], [1 / 3, 0.9], states)
    visible = [trace for trace in figure.data[1:] if trace.visible]
    np.testing.assert_allclose(visible[0].x, list(states[0, 0].kappa_hat.values()))
    assert visible[1].text == ("1", "2", "3", "12", "13", "23")


def test_the_spectrum_is_drawn_with_its_mean():
    levels = [torch.tensor([0.2, 0.2, 0.2]), torch.tensor([0.05, 0.15, 0.4])]
    values = {name: [1.0, 0.9] for name in ("upper", "optimum", "lower", "wrong")}
    left, right = drawn.two_sided([1, 10], levels, values).axes
    np.testing.assert_allclose(left.lines[0].get_ydata(), [0.2, 0.05])
    np.testing.assert_allclose(left.lines[3].get_ydata(), [0.2, 0.2])
    assert len(right.lines) == 4


def test_the_thresholds_are_drawn_beside_their_curves():
    figure = drawn.merging(
        torch.tensor([0.1, 1.0]), {"a": [2.0, 0.0], "b": [4.0, 1.0]}, {"a": 0.5, "b": 2.0}
    )
    curve, edge, other, _ = figure.axes[0].lines
    np.testing.assert_allclose(curve.get_ydata(), [1.0, 0.0])
    assert edge.get_xdata()[0] == 0.5
    assert edge.get_color() == curve.get_color() != other.get_color()


def test_the_title_counts_the_tables():
    gaps = {"upper": [0.1, 0.2], "lower": [-0.1, 0.0], "wrong": [0.3, 0.4]}
    axes = drawn.bound_gaps([0.5, 0.9], gaps).axes[0]
    assert "2 random tables" in (axes.get_title(loc="left") or axes.get_title())


def test_the_other_figures_draw_their_data():
    scales = drawn.tag_wise_scales(torch.tensor([0.1, 1.0]), {2: [0.9, 0.8]}, {2: [(0.5, 0.85)]})
    np.testing.assert_allclose(scales.axes[0].lines[0].get_ydata(), [0.9, 0.8])
    np.testing.assert_allclose(scales.axes[0].lines[1].get_xdata(), [0.5])
    eye = torch.eye(3)
    gallery = drawn.gallery({"one": (eye, eye, "exact"), "two": (eye, eye, "not")})
    assert gallery.axes[1].get_title() == "two"
    assert gallery.axes[2].get_xlabel() == "exact"
    points = drawn.stability([0.2, 1.0], {"whole": [0.1, 0.2]})
    np.testing.assert_allclose(points.axes[0].lines[0].get_ydata(), [0.1, 0.2])
    curves = drawn.vanishing([0.1, 0.01], {"uniform": [0.2, 0.1]})
    assert curves.axes[0].xaxis_inverted()
