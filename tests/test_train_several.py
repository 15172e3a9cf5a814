"""Training with several labels an image: certified optima, records, resuming, refusals."""

import dataclasses
import math

import numpy as np
import pytest
import several
import torch
from torch import nn

from nclib import data, ufm
from nclib.methods import METHODS
from nclib.models import Outputs
from nclib.runs import RunConfig, RunRecord
from nclib.train import StoppedError, fit
from nclib.train._encoded import EncodedObjective
from nclib.train._objective import Targets
from nclib.train._run import Run


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    monkeypatch.setitem(data.DATASETS, several.NAME, several.INFO)


def config(method="pal", **changes):
    fields = {
        "paper": "multilabel-spectral",
        "profile": "smoke",
        "dataset": several.NAME,
        "width": 32,
        "feature_dim": 8,
        "lr": 0.1,
        "epochs": 2,
        "batch_size": 32,
        "measure_every": 2,
        "method": method,
    }
    return RunConfig.model_validate({**fields, **changes})


def plain(loss, **changes):
    return config("plain", loss=loss, lam_w=5e-3, lam_h=5e-3 / 133, **changes)


def assert_same(first, second):
    assert first.epochs == second.epochs
    assert first.final == second.final
    assert first.collapse == second.collapse
    for name, array in first.arrays.items():
        np.testing.assert_array_equal(array, second.arrays[name])


class Collapsed(nn.Linear):
    """A head with given weight and bias."""

    def __init__(self, weight, bias):
        super().__init__(*weight.T.shape, bias=bias is not None)
        self.weight.data = weight
        if bias is not None:
            self.bias.data = bias


@pytest.mark.parametrize("loss", ["pal", "bce"])
@pytest.mark.parametrize("lam_b", [0.02, math.inf])
def test_the_objective_at_the_certified_optimum_is_the_optimal_value(loss, lam_b):
    """No network: the features of every image are those of its support."""
    supports = torch.tensor([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1], [1, 1, 0, 0], [0, 1, 1, 1]])
    counts = torch.tensor([7, 5, 2, 3, 1])
    lam_w, lam_h = 0.03, 0.03 / 18
    best = ufm.solve(supports.T, counts, lam_w=lam_w, lam_h=lam_h, lam_b=lam_b, loss=loss)
    run = config("plain", loss=loss, lam_w=lam_w, lam_h=lam_h, lam_b=lam_b)
    objective = EncodedObjective(run, count=18).double()
    rows = torch.arange(5).repeat_interleave(counts)
    features = best.means[rows]
    scores = features @ best.weight.T + best.bias
    head = Collapsed(best.weight, None if math.isinf(lam_b) else best.bias)
    targets = Targets(supports[rows].float())
    value = objective([Outputs(features, scores)], targets, head, 0)
    assert value.item() == pytest.approx(best.objective, rel=1e-9)
    # A batch is an unbiased estimate: the mean over all batches of one image.
    singly = [
        objective(
            [Outputs(features[i : i + 1], scores[i : i + 1])],
            Targets(targets.first[i : i + 1]),
            head,
            0,
        )
        for i in range(18)
    ]
    assert torch.stack(singly).mean().item() == pytest.approx(best.objective, rel=1e-9)


@pytest.mark.unchecked  # a thousand steps
@pytest.mark.parametrize("loss", ["pal", "bce"])
def test_a_network_lies_between_the_certified_optimum_and_zero(loss):
    run = plain(loss, lam_b=0.1, epochs=60, measure_every=60, evaluate_every=60)
    labels = data.load(several.NAME).train.labels
    supports, counts = labels.unique(dim=0, return_counts=True)
    labelled = supports.any(1)  # `pal` has no term for the others
    zero = (labels.sum(1) * math.log(6)).mean() if loss == "pal" else 6 * math.log(2)
    final = fit(run).final
    if loss == "bce":
        best = ufm.solve(
            supports.T.double(),
            counts,
            lam_w=run.lam_w,
            lam_h=run.lam_h,
            lam_b=run.lam_b,
            loss=loss,
        ).objective
    else:  # those without a label count in the mean, with the loss 0 and the feature 0
        share = (counts[labelled].sum() / counts.sum()).item()
        best = (
            share
            * ufm.solve(
                supports[labelled].T.double(),
                counts[labelled],
                lam_w=run.lam_w / share,
                lam_h=run.lam_h / share,
                lam_b=run.lam_b / share,
                loss=loss,
            ).objective
        )
    assert best < final["objective"] < 0.75 * zero
    assert final["train_map"] > 0.75  # 5 of 6 classes are there
    assert final["train_loss"] < final["objective"]


@pytest.mark.parametrize("method", ["pal", "pal-etf", "bce", "bce-etf"])
def test_every_method_of_several_labels_trains_and_records(method, tmp_path):
    record = fit(config(method, epochs=15, measure_every=15, noise=(0.5,)))
    first, *_, last = record.epochs
    assert last["loss"] < first["loss"]
    assert {"train_hits", "train_map", "train_global_map", "test_map", "test_tail"} <= set(last)
    assert 0 < last["train_hits"] <= 1
    final = record.final
    assert final["test_map"] == last["test_map"] <= final["best_test_map"]
    assert "noisy_test_map_0.5" in final
    assert not any("accuracy" in name or name == "ece" for name in final)
    assert ("test_precision_at_1" in final) == METHODS[method].logits
    assert record.arrays["counts"].tolist() == data.load(several.NAME).train.labels.sum(0).tolist()
    measured = record.collapse["test"][-1]
    assert measured["map"] == pytest.approx(final["test_map"])
    np.testing.assert_allclose(measured["per_class_ap"], record.arrays["per_class_ap"], atol=1e-6)
    assert record.arrays["per_class_ap"][5] == 0
    supports, times = record.arrays["supports"], record.arrays["support_counts"]
    assert sorted(times) == sorted(several.COUNTS)
    means = supports.T * times @ record.arrays["support_means"]
    with np.errstate(invalid="ignore"):
        expected = means / (supports.T @ times)[:, None]
    np.testing.assert_allclose(record.arrays["class_means"], expected, atol=1e-5)
    record.save(tmp_path / "record.json")
    assert RunRecord.load(tmp_path / "record.json").score == final["test_map"]
    assert math.isfinite(record.report("train").nc1)


def test_options_are_those_of_the_losses():
    """An image of m labels weighs 1 with `mean`, and m with `sum`; bce is divided by K."""
    first = {}
    for method, option in (("pal", "normalise"), ("bce", "reduction")):
        for value in ("sum", "mean"):
            run = config(method, epochs=1, lr=1e-9, method_options={option: value})
            first[method, value] = fit(run).final["train_loss"]
    assert first["bce", "sum"] == pytest.approx(6 * first["bce", "mean"], rel=1e-5)
    assert first["pal", "sum"] > 1.2 * first["pal", "mean"]


def test_the_fixed_classifier_is_a_simplex_that_stays():
    run = config("pal-etf", epochs=1)
    weight = fit(run).arrays["weight"]
    np.testing.assert_allclose(weight @ weight.T, 1.2 * np.eye(6) - 0.2, atol=1e-6)
    network = Run(run, None).network
    features = torch.randn(3, 8)
    torch.testing.assert_close(network.head(2 * features), 2 * network.head(features))
    with pytest.raises(ValueError, match=r"head 'etf-linear' of 6 classes needs .* at least 5"):
        config("pal-etf", feature_dim=4)


@pytest.mark.parametrize("run", [("pal", {}), ("bce", {"ema": 0.9}), ("plain", {"loss": "pal"})])
def test_a_run_that_was_stopped_goes_on_to_the_same_bits(tmp_path, run):
    method, changes = run
    run = config(method, **changes)
    path = tmp_path / "state.pt"
    with pytest.raises(StoppedError, match="stopped in epoch 1"):
        fit(run, checkpoint=path, until=0.0)
    with pytest.raises(StoppedError, match=r"stopped (in|after) epoch 1"):
        fit(run, checkpoint=path, until=0.0)
    assert_same(fit(run, checkpoint=path), fit(run))


@pytest.mark.parametrize("kind", data.SAMPLERS)
def test_a_sampler_of_pairs_trains(kind, monkeypatch):
    drawn = dataclasses.replace(METHODS["pal"], name="drawn", sampler=kind)
    monkeypatch.setitem(METHODS, "drawn", drawn)
    run = Run(config("drawn"), None)
    # Five classes are there; the first has the most positive pairs.
    assert run.epoch_images == (5 * 60 if kind == "class_aware_cyclic" else 133)
    assert math.isfinite(run.train_epoch(1, None, lambda: False)["loss"])


def test_training_shows_its_hits(capsys):
    fit(config(epochs=1), progress=True)
    assert "  hits " in capsys.readouterr().err


REFUSED = [
    ({"method": "ce"}, "method 'ce' is for the task single_label, but .* is multi_label"),
    ({"method": "ce-crt"}, "method 'ce-crt' is for the task single_label"),
    ({"method": "nc-drw"}, "method 'nc-drw' is for the task single_label"),
    ({"method": "bbn"}, "method 'bbn' is for the task single_label"),
    ({"method": "plain"}, "loss is 'mse', .* is multi_label: expected 'pal' or 'bce'"),
    ({"method": "plain", "loss": "ce"}, "loss is 'ce', .*: expected 'pal' or 'bce'"),
    ({"method": "plain", "loss": "pal", "encoding": "rotated"}, "encoding is 'rotated', which is"),
    ({"mixup": 1.0}, "mixup is 1.0, which is not defined for several labels with its several"),
    ({"per_class": 3}, "per_class is 3, which is not defined"),
    ({"imbalance": 10}, "imbalance is 10.0, which is not defined"),
    ({"loss": "bce"}, "loss is 'bce', but method is 'pal', not 'plain'"),
]


@pytest.mark.parametrize(("changes", "reason"), REFUSED)
def test_what_does_not_fit_is_refused_by_name(changes, reason):
    with pytest.raises(ValueError, match=reason):
        config(**changes)


@pytest.mark.parametrize("method", ["pal", "bce-etf"])
def test_a_method_of_several_labels_refuses_one_label(method):
    with pytest.raises(ValueError, match=f"method '{method}' is for the task multi_label, but"):
        config(method, dataset="digits")
    with pytest.raises(ValueError, match=r"loss is 'bce', .* is single_label: expected 'mse'"):
        config("plain", dataset="digits", loss="bce")


def test_what_a_run_trains_is_its_loss():
    assert plain("bce").trains == "bce"
    assert plain("pal", encoding_options={}).trains == "pal"
    assert config("pal-etf").trains == "pal-etf"
