"""Training in processes of their own: several together, killed, and told to stop."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from nclib.runs import RunConfig, RunRecord
from nclib.train import fit
from nclib.train._run import Run

WORKER = str(Path(__file__).parent / "workers.py")


def config(**changes):
    fields = {
        "width": 64,
        "paper": "inducing-nc",
        "profile": "smoke",
        "dataset": "digits",
        "imbalance": 20,
        "feature_layer": "linear",
        "epochs": 4,
        "batch_size": 64,
        "measure_every": 2,
        "method": "nc-drw",
        "weight_decay": 5e-4,
    }
    return RunConfig.model_validate({**fields, **changes})


def start(folder, runs, *launcher):
    command = [sys.executable, *launcher, WORKER, str(folder), *(run.to_json() for run in runs)]
    return subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})


def trained(run, folder):
    """In this process, and before it the run that it starts from."""
    if run.previous() is None:
        return fit(run)
    fit(run.previous(), network=folder / "here.pt")
    return fit(run, base=folder / "here.pt")


LAUNCHER = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


# No batch norm, whose statistics are those of a process's part of the batch.
AS_ONE = config(mixup=1.0, ema=0.9, method_options={"centres": "ema", "drw_epoch": 2})
OTHERS = (
    config(
        method="tsc-features", method_options={"queue_length": 100, "target_epoch": 0}, epochs=1
    ),
    config(method="bbn", model="mlp-branches", epochs=2),
    config(method="ce-crt", epochs=1, method_options={"second_epochs": 1}),
    config(
        method="ldam-drw",
        epochs=2,
        mixup=1.0,
        plugins=[("spa-reg", {}), ("spa-slerp", {"when": "training"}), ("spa-proj", {})],
    ),
    config(
        dataset="canvas-digits",
        dataset_options={"single": 10, "pair": 1, "height": 32, "width": 32},
        imbalance=1,
        method="mlc-nc",
        method_options={"alignment_epochs": 1, "classifier": "etf-scaled-trained"},
        embedding="trainable",
        model="convnet",
        width=4,
        feature_layer="cosine-attention",
        feature_dim=4,
        epochs=3,
    ),
    config(
        dataset="canvas-digits",
        dataset_options={"single": 20, "pair": 2},
        imbalance=1,
        method="pal",
        feature_dim=8,
        epochs=2,
    ),
)
WITH_BATCH_NORM = config(method="etf-dr", feature_layer="native", ema=0.9, epochs=2)


@pytest.fixture(scope="module")
def of_two(tmp_path_factory):
    """The folder where two processes have left the records and networks of all of them."""
    folder = tmp_path_factory.mktemp("two")
    assert start(folder, [AS_ONE, *OTHERS, WITH_BATCH_NORM], *LAUNCHER).wait(timeout=300) == 0
    return folder


def test_two_processes_measure_the_network_that_is_kept(of_two):
    """Batch norm has the statistics of a process's own images, and one process's are kept."""
    kept = torch.load(of_two / "network7.pt", weights_only=True)["network"]
    assert any("running_mean" in name for name in kept)
    run = Run(WITH_BATCH_NORM, None)
    run.averaged.network.load_state_dict(kept)
    record = RunRecord.load(of_two / "record7.json")
    for split, name in (("train", "class_means"), ("test", "test_class_means")):
        given = run.outputs(split)
        features, labels = given.outputs.features, given.labels
        means = torch.stack([features[labels == k].mean(0) for k in range(10)])
        np.testing.assert_allclose(record.arrays[name], means.cpu().numpy(), atol=1e-5)


def test_two_processes_train_as_one_does(of_two, tmp_path):
    for number, other in enumerate(OTHERS, start=1):
        found, expected = RunRecord.load(of_two / f"record{number}.json"), trained(other, tmp_path)
        for here, there in zip(expected.epochs, found.epochs, strict=True):
            assert there["loss"] == pytest.approx(here["loss"], rel=1e-3)
        for name in {"class_means", "attended_means"} & set(expected.arrays):
            np.testing.assert_allclose(
                found.arrays[name], expected.arrays[name], rtol=0.01, atol=0.01
            )
    # The last of them, with several labels an image.
    for name in ("train_map", "test_map", "test_recall_at_3"):
        assert found.final[name] == pytest.approx(expected.final[name], abs=0.01)
    assert found.report("train").nc1 == pytest.approx(expected.report("train").nc1, rel=1e-3)
    assert found.report("test").counts.tolist() == expected.report("test").counts.tolist()
    several, one = RunRecord.load(of_two / "record.json"), fit(AS_ONE)
    for name in ("class_means", "weight", "test_class_means"):
        np.testing.assert_allclose(several.arrays[name], one.arrays[name], rtol=1e-3, atol=1e-4)
    assert several.final["train_loss"] == pytest.approx(one.final["train_loss"], rel=1e-4)
    for here, there in zip(one.epochs, several.epochs, strict=True):
        assert there["loss"] == pytest.approx(here["loss"], rel=1e-4)
        assert there["test_accuracy"] == pytest.approx(here["test_accuracy"], abs=0.006)
    for split in ("train", "test"):
        expected, found = one.report(split), several.report(split)
        assert found.nc1 == pytest.approx(expected.nc1, rel=1e-3)
        assert found.nc3 == pytest.approx(expected.nc3, rel=1e-3)
        assert found.counts.tolist() == expected.counts.tolist()


def assert_same(found, run):
    expected = fit(run)
    assert found.epochs == expected.epochs
    assert found.final == expected.final
    for name, array in expected.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array.astype(np.float32))


@pytest.mark.unchecked  # thousands of steps
def test_a_run_ended_twice_at_random_steps_goes_on_to_the_same_bits(tmp_path):
    every = {"measure_every": 20, "evaluate_every": 20}
    run = config(epochs=20, width=256, method_options={"centres": "learnable"}, **every)
    state = tmp_path / "state.pt"
    for how in (signal.SIGTERM, signal.SIGKILL):
        before = state.stat().st_mtime_ns if state.exists() else 0
        process = start(tmp_path, [run])
        while not state.exists() or state.stat().st_mtime_ns == before:
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(random.Random().uniform(0, 0.1))
        process.send_signal(how)
        assert process.wait(timeout=60) != 0
        assert not (tmp_path / "record.json").exists()
    assert start(tmp_path, [run]).wait(timeout=300) == 0
    assert_same(RunRecord.load(tmp_path / "record.json"), run)
