"""Methods: every declaration trains, and each part does what it declares."""

import pytest

from nclib import data
from nclib.methods import METHODS
from nclib.runs import RunConfig
from nclib.train import fit


def config(method, **changes):
    fields = {
        "paper": "inducing-nc",
        "profile": "smoke",
        "dataset": "digits",
        "imbalance": 20,
        "model": "mlp",
        "width": 16,
        "feature_layer": "native",
        "feature_dim": 16,
        "lr": 0.05,
        "epochs": 2,
        "batch_size": 64,
        "measure_every": 2,
        "method": method,
    }
    options = {name: 1 for name in ("second_epochs",) if name in METHODS[method].options}
    return RunConfig.model_validate({**fields, "method_options": options, **changes})


@pytest.mark.parametrize("method", [name for name in METHODS if name != "plain"])
def test_every_method_trains_and_records(method):
    record = fit(config(method))
    first, last = record.collapse["train"][0], record.collapse["train"][-1]
    assert last["epoch"] == (3 if METHODS[method].second else 2)
    assert len(record.epochs) == last["epoch"] - first["epoch"]
    assert 0.1 < record.final["test_accuracy"] <= record.final["best_test_accuracy"]
    assert ("ece" in record.final) == METHODS[method].logits
    assert record.arrays["confusion"].sum() == len(data.load("digits").test.labels)
    assert record.arrays["counts"].tolist() == data.long_tail_counts(10, 140, 20)
