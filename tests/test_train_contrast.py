"""Momentum contrast: the slower network, the queue, the targets, and training with them."""

import numpy as np
import pytest
import torch

from nclib import models
from nclib.methods import METHODS
from nclib.runs import RunConfig
from nclib.train import StoppedError, fit
from nclib.train import _fit as fit_module
from nclib.train._contrast import MomentumContrast

DIGITS = (1, 8, 8)


def made(method="kcl-features", **options):
    """A network and its contrast for four classes."""
    torch.manual_seed(0)
    network = models.build("mlp", DIGITS, 4, width=6, feature_layer="native", head="probe")
    declared = METHODS[method]
    values = declared.resolve({"queue_length": 7, **options}, 10)
    generator = torch.Generator().manual_seed(0)
    return network, MomentumContrast(declared.contrast, values, network, 4, 6, generator)


def draws():
    return torch.Generator().manual_seed(0)


def test_the_slower_network_and_projection_follow_by_their_decay():
    network, contrast = made(key_decay=0.9)
    pairs = (network, contrast.encoder), (contrast.projection, contrast.key_projection)
    before = [[p.clone() for p in slow.parameters()] for _, slow in pairs]
    for fast, _ in pairs:
        for p in fast.parameters():
            p.data += torch.randn_like(p)
    contrast.embed(network, torch.randn(5, *DIGITS), draws())
    for (fast, slow), old in zip(pairs, before, strict=True):
        for ours, theirs, was in zip(slow.parameters(), fast.parameters(), old, strict=True):
            torch.testing.assert_close(ours, 0.9 * was + 0.1 * theirs)
            assert not ours.requires_grad


def test_queries_and_keys_of_equal_networks_and_views_agree_and_only_queries_learn():
    network, contrast = made()
    images, labels = torch.randn(5, *DIGITS), torch.tensor([0, 1, 2, 3, 0])
    contrast.embed(network, images, draws())
    seen = contrast(network(images).features, labels, 0)
    torch.testing.assert_close(seen.queries, seen.views)
    torch.testing.assert_close(seen.queries.norm(dim=1), torch.ones(5))
    assert seen.queries.requires_grad
    assert not seen.views.requires_grad
    assert seen.targets is None


def test_the_queue_forgets_the_oldest_and_wraps():
    network, contrast = made()
    assert contrast.queue_labels.tolist() == [-1] * 7
    kept = []
    for step in range(4):
        contrast.embed(network, torch.randn(3, *DIGITS), draws())
        contrast.enqueue(torch.full((3,), step))
        kept += [(step, view) for view in contrast.views]
    assert int(contrast.place) == 12 % 7
    assert contrast.queue_labels.tolist() == [2, 2, 3, 3, 3, 1, 2]
    for number in range(5, 12):
        label, view = kept[number]
        assert int(contrast.queue_labels[number % 7]) == label
        torch.testing.assert_close(contrast.queue[number % 7], view)


def test_a_batch_larger_than_the_queue_leaves_its_last_keys():
    network, contrast = made()
    contrast.embed(network, torch.randn(10, *DIGITS), draws())
    contrast.enqueue(torch.arange(10))
    assert sorted(contrast.queue_labels.tolist()) == list(range(3, 10))
    assert contrast.queue_labels[int(contrast.place)] == 3  # the oldest goes next
    torch.testing.assert_close(contrast.queue[contrast.place], contrast.views[3])


def test_targets_are_vertices_in_the_order_of_the_class_means_from_their_epoch_on():
    network, contrast = made("tsc-features", target_epoch=3)
    images, labels = torch.randn(4, *DIGITS), torch.arange(4)
    contrast.embed(network, images, draws())
    features = network(images).features
    assert contrast(features, labels, 2).targets is None
    targets = contrast(features, labels, 3).targets
    gram = targets @ targets.T
    torch.testing.assert_close(gram, torch.eye(4) * 4 / 3 - 1 / 3, atol=1e-5, rtol=0)
    order = [int((contrast.vertices == row).all(1).nonzero()) for row in targets]
    assert sorted(order) == [0, 1, 2, 3]
    queries = contrast(features, labels, 3).queries  # one a class: these are the means
    best = (queries * targets).sum()
    for other in ([1, 0, 2, 3], [3, 1, 2, 0], [1, 2, 3, 0]):
        assert (queries * targets[other]).sum() <= best + 1e-6


def test_what_the_loss_draws_is_fixed_by_the_epochs_stream():
    network, contrast = made()
    images = torch.randn(2, *DIGITS)
    drawn = []
    for stream in (draws(), draws(), torch.Generator().manual_seed(1)):
        contrast.embed(network, images, stream)
        drawn.append(torch.rand(3, generator=contrast.draws))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


class _StopAt(fit_module.Stop):
    """Told to stop after so many steps."""

    left = 0

    def __call__(self):
        _StopAt.left -= 1
        return _StopAt.left == 0


def test_a_run_stopped_within_an_epoch_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    run = RunConfig(
        paper="inducing-nc",
        profile="smoke",
        dataset="digits",
        imbalance=20,
        width=16,
        feature_dim=8,
        method="tsc-features",
        method_options={"queue_length": 100, "target_epoch": 1},
        epochs=2,
        batch_size=64,
        measure_every=2,
        weight_decay=5e-4,
    )
    path = tmp_path / "state.pt"
    with monkeypatch.context() as patch:
        patch.setattr(fit_module, "Stop", _StopAt)
        _StopAt.left = 13  # of 8 batches an epoch
        with pytest.raises(StoppedError, match="stopped in epoch 2"):
            fit(run, checkpoint=path)
    resumed, straight = fit(run, checkpoint=path), fit(run)
    assert resumed.epochs == straight.epochs
    assert resumed.final == straight.final
    for name, array in straight.arrays.items():
        np.testing.assert_array_equal(resumed.arrays[name], array)
