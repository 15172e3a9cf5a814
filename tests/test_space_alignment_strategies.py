"""Strategies on classifiers and mixtures: what the chapter relies on."""

from __future__ import annotations

import math

import pytest
import torch

from nclib import losses, methods
from nclib.data import long_tail_sizes
from nclib.papers.space_alignment import classifiers, strategies
from nclib.papers.space_alignment.claims import _strategies as checks


def random_classifier(size: int = 5, dim: int = 7, seed: int = 0) -> classifiers.Classifier:
    generator = torch.Generator().manual_seed(seed)
    means, rows = torch.randn(2, size, dim, generator=generator, dtype=torch.float64)
    return classifiers.Classifier(means, rows, torch.arange(size).double())


def test_an_adjustment_is_that_of_the_plug_in():
    start = random_classifier()
    turned = strategies.adjusted(start, "spa-slerp", t=0.3, norm="unit", bias="recentre")
    rows = methods.slerp(start.weight, start.means, 0.3, norm="unit")
    assert torch.equal(turned.weight, rows)
    assert torch.allclose(turned.bias, -(rows * start.means.mean(0)).sum(1))
    assert torch.equal(strategies.adjusted(start, "spa-proj").bias, start.bias)
    dropped = strategies.adjusted(start, "spa-proj", bias="drop")
    assert not dropped.bias.any()


def test_a_term_adjusts_nothing_and_options_are_checked():
    start = random_classifier()
    with pytest.raises(ValueError, match="'spa-reg' is a term of the loss"):
        strategies.adjusted(start, "spa-reg")
    with pytest.raises(ValueError, match="spa-slrep"):
        strategies.adjusted(start, "spa-slrep")
    with pytest.raises(ValueError, match="t is 2"):
        strategies.adjusted(start, "spa-slerp", t=2.0)
    with pytest.raises(ValueError, match=r"treatment of the bias 'recenter'.*recentre"):
        methods.adjusted_bias(start.bias, start.weight, start.means, "recenter")


def test_the_minimum_of_the_term_is_one_and_keeps_the_size():
    start = random_classifier()
    end = strategies.at_the_minimum(start)
    assert float(losses.misalignment(end.weight, end.means)) == pytest.approx(0, abs=1e-12)
    centred = start.weight - start.weight.mean(0)
    assert float(end.weight.norm()) == pytest.approx(float(centred.norm()))


@pytest.mark.unchecked
def test_a_flow_goes_down_its_own_slope():
    start = random_classifier()
    course = strategies.gradient_flow(start.weight, start.means, time=2.0, steps=8, centre=True)
    values = [float(losses.misalignment(rows, start.means)) for rows in course]
    assert values == sorted(values, reverse=True)
    up = strategies.gradient_flow(
        start.weight, start.means, time=2.0, steps=8, centre=True, strength=-1.0
    )
    assert float(losses.misalignment(up[-1], start.means)) > values[0]
    still = strategies.gradient_flow(
        start.weight, start.means, time=1.0, steps=2, strength=0.0, loss=lambda rows: rows.sum()
    )
    assert torch.allclose(still[-1], start.weight - 1)


def test_short_rows_turn_first():
    angles = torch.full((2,), 1.0, dtype=torch.float64)
    short, long = strategies.flow_angles(angles, torch.tensor([1.0, 2.0]).double(), 1.0)
    assert short < long < 1.0


def test_a_mixture_has_a_long_tail_and_a_balanced_test_set():
    data = strategies.mixture(num_classes=4, largest=100, ratio=10.0)
    assert data.counts[[0, -1]].tolist() == [100, 10]
    assert data.labels.bincount().tolist() == data.counts.tolist()
    assert set(data.test_labels.bincount().tolist()) == {200}
    again = strategies.mixture(num_classes=4, largest=100, ratio=10.0)
    assert torch.equal(data.train, again.train)


@pytest.mark.unchecked
def test_the_route_says_what_the_term_reaches():
    data = strategies.mixture(num_classes=3, largest=40, ratio=4.0)
    plain = strategies.train(data, steps=2, width=8)
    moved = {
        route: strategies.train(data, steps=2, width=8, route=route, strength=5.0)
        for route in ("classifier", "features")
    }
    # One step: the gradient of the term has reached one side alone.
    one = {
        route: strategies.train(data, steps=1, width=8, route=route, strength=5.0)
        for route in ("classifier", "features")
    }
    base = strategies.train(data, steps=1, width=8)
    assert torch.equal(one["classifier"].test_features, base.test_features)
    assert torch.equal(one["features"].classifier.weight, base.classifier.weight)
    for route, network in moved.items():
        assert not torch.equal(network.classifier.weight, plain.classifier.weight), route


@pytest.mark.unchecked
def test_negative_strength_misaligns_and_accuracies_have_their_thirds():
    data = strategies.mixture(num_classes=3, largest=60, ratio=6.0)
    up, down = (strategies.train(data, steps=40, width=8, strength=s) for s in (1.0, -1.0))
    assert float(up.classifier.cosines().min()) > float(down.classifier.cosines().min())
    parts = strategies.accuracies(up.classifier, up.test_features, data)
    assert list(parts) == ["all", "head", "medium", "tail"]
    mean = (parts["head"] + parts["medium"] + parts["tail"]) / 3  # one class each
    assert parts["all"] == pytest.approx(mean)
    doubled = strategies.mean_over([parts, dict.fromkeys(parts, 0.0)])
    assert doubled["all"] == pytest.approx(parts["all"] / 2)


def test_three_classes_lie_in_their_plane():
    start = classifiers.optimum(long_tail_sizes(3, 10.0)).classifier
    flat = classifiers.in_the_plane(start)
    assert flat.means.shape == (3, 2)
    assert flat.means[0, 0] == pytest.approx(0, abs=1e-6)  # certified, not exact
    assert flat.means[0, 1] > 0
    assert flat.exponents.overall == pytest.approx(start.exponents.overall)
    assert math.isclose(float(flat.cosines().min()), float(start.cosines().min()), rel_tol=1e-6)


@pytest.mark.unchecked
def test_what_is_wrong_by_a_tenth_fails(monkeypatch):
    assert checks.flow_has_the_formula().ok
    angles, slerp = strategies.flow_angles, methods.slerp
    monkeypatch.setattr(strategies, "flow_angles", lambda *given: 1.1 * angles(*given))
    assert not checks.flow_has_the_formula().ok
    monkeypatch.setattr(
        methods, "slerp", lambda rows, means, t, **given: slerp(rows, means, 0.9 * t, **given)
    )
    assert not checks.slerp_leaves_a_share().ok
    assert not checks.projection_is_interpolation().ok
    assert not checks.kept_norms_decide().ok
