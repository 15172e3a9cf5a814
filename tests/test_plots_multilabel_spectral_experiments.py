"""Figures of label tables and networks of several labels: what is drawn is what was given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from nclib.plots.multilabel_spectral import experiments as figures


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def test_rules_stand_in_one_order_with_networks_and_optimum():
    optimum = {"uniform": 1.0, "count": 0.9}
    networks = [{"uniform": 0.98, "count": 0.85}, {"uniform": 0.97, "count": 0.8}]
    panels = {"no bias": figures.RuleCosines(networks, optimum)}
    axes = figures.rules(panels, title="t").axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == [
        figures.RULES["uniform"],
        figures.RULES["count"],
    ]
    assert [list(line.get_xdata()) for line in axes.lines] == [[0.98, 0.85], [0.97, 0.8], [1, 0.9]]
    assert axes.lines[-1].get_markerfacecolor() == "none"


def test_a_real_set_is_a_star_among_families():
    point = figures.TablePoint(10, 0.5, 0.8)
    points = {"Zipf": [point, point], "VOC-LT": [figures.TablePoint(194, 0.04, 0.6)]}
    left, right = figures.real_and_synthetic(points, title="t").axes[:2]
    assert [line.get_marker() for line in left.lines] == ["o", "*"]
    assert list(left.lines[1].get_xdata()) == [194]
    assert list(right.lines[1].get_xdata()) == [0.04]
    assert list(right.lines[1].get_ydata()) == [0.6]


def test_head_and_tail_share_a_colour_for_both_biases():
    norms = {"VOC, no bias": ([4, 775], [0.6, 2]), "VOC, free bias": ([4, 775], [0.6, 1.4])}
    first, second = figures.head_and_tail(norms, title="t").axes[0].lines
    assert first.get_color() == second.get_color()
    assert second.get_markerfacecolor() == "none"
    assert list(second.get_ydata()) == [0.6, 1.4]


def test_bounds_contrast_and_misses_have_a_panel_each():
    names = ("upper", "lower", "kappa_hat", "uniform", "uniform_free", "centred_free")
    numbers = {
        family: {name: [0.1 * (i + 1), 0.2] for i, name in enumerate(names)}
        for family in ("Zipf", "Dirichlet")
    }
    ratios = {"Zipf": [1, 10], "Dirichlet": [2, 5]}
    panels = figures.against_imbalance(ratios, numbers, title="t").axes
    assert [len(axes.get_legend().get_texts()) for axes in panels] == [2, 2, 3]
    assert np.allclose(panels[1].lines[1].get_xdata(), [2, 5])
    assert panels[2].get_yscale() == "log"


def test_cosines_are_on_one_scale_with_a_line_after_the_singletons():
    pair = (torch.eye(3), -torch.eye(3))
    figure = figures.prototype_cosines({"no bias": pair}, singletons=2, title="t")
    above, below = figure.axes[:2]
    assert above.images[0].get_clim() == below.images[0].get_clim() == (-1, 1)
    assert above.lines[0].get_ydata()[0] == 1.5
    assert float(below.images[0].get_array()[0, 0]) == -1
