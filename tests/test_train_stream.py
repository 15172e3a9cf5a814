"""Training on images that stay in their files."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from nclib import data
from nclib.data import DatasetInfo, ImageFiles
from nclib.runs import RunConfig
from nclib.train import StoppedError, _images, fit
from nclib.train._random import VIEWS, generator


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Two classes of colours, one rarer, as PNG files."""
    draws = np.random.default_rng(0)

    def files(split, counts):
        paths, labels = [], []
        for k, count in enumerate(counts):
            for number in range(count):
                pixels = draws.integers(0, 100, (32, 32, 3), dtype=np.uint8)
                pixels[..., k] += 150
                name = f"{split}-{k}-{number}.png"
                Image.fromarray(pixels).save(tmp_path / name)
                paths.append(name)
                labels.append(k)
        return ImageFiles(tmp_path, tuple(paths), torch.tensor(labels))

    splits = {"train": files("train", (12, 7)), "test": files("test", (4, 4))}
    info = DatasetInfo(
        name="colours",
        title="Colours",
        num_classes=2,
        shape=(3, 32, 32),
        train_per_class=(7, 12),
        pixels=data.Statistics((0.5, 0.5, 0.5), (0.25, 0.25, 0.25)),
        read_files=lambda root: {**splits, "validation": splits["test"]},
    )
    monkeypatch.setitem(data.DATASETS, "colours", info)
    return RunConfig.model_validate(
        {
            "paper": "inducing-nc",
            "profile": "smoke",
            "dataset": "colours",
            "method": "ce-drw",
            "width": 16,
            "lr": 0.01,
            "epochs": 4,
            "batch_size": 6,
            "measure_every": 4,
            "augment": True,
            "mixup": 0.2,
        }
    )


def test_a_streamed_run_stopped_within_an_epoch_goes_on_to_the_same_bits(run, tmp_path):
    straight = fit(run)
    assert straight.final["test_accuracy"] == 1
    assert straight.arrays["counts"].tolist() == [12, 7]
    path = tmp_path / "state.pt"
    # One step a call; the fourth ends the first epoch's four batches.
    for where in ("in epoch 1", "in epoch 1", "in epoch 1", "after epoch 1"):
        with pytest.raises(StoppedError, match=where):
            fit(run, checkpoint=path, until=0)
    resumed = fit(run, checkpoint=path)
    assert resumed.epochs == straight.epochs
    assert resumed.final == straight.final


def test_the_views_of_a_streamed_image_are_augmented_apart_and_repeat(run):
    images, order = _images.load(run, torch.device("cpu")), [torch.arange(4)]
    draws = torch.Generator()
    views = [
        next(zip(*images.batches(order, 0, draws, 1, view), strict=True)) for view in (0, 1, 0)
    ]
    (first,), (second,), (again,) = views
    assert torch.equal(first, again)
    assert not torch.equal(first, second)


def test_a_streamed_set_names_its_augmentation_and_how_it_is_evaluated(run, monkeypatch):
    info = dataclasses.replace(data.DATASETS["colours"], transforms=("jitter", "whole"))
    monkeypatch.setitem(data.DATASETS, "colours", info)
    images = _images.load(run, torch.device("cpu"))
    jittered = data.Stream(
        info.read_files(None)["train"], batch_size=6, size=32, workers=0, augmentation="jitter"
    )
    order, draws = torch.arange(6), torch.Generator()
    seeds = generator(run.seed, VIEWS[0] + 1)
    ((expected, _),) = jittered.epoch(order, seeds)
    ((shown, _),) = images.batches([order], 0, draws, 1)
    assert torch.equal(shown, expected)
    whole = data.Stream(
        info.read_files(None)["test"], batch_size=8, size=32, workers=0, augmentation="whole"
    )
    ((expected, _),) = whole.epoch(torch.arange(8))
    ((shown, _),) = images.chunks("test", part=False)
    assert torch.equal(shown, expected)


def test_a_streamed_set_is_taken_whole(run):
    with pytest.raises(ValueError, match="Colours is streamed whole: imbalance is 10"):
        run.replace(imbalance=10)


def test_a_folder_of_images_with_several_labels_is_trained_on(tmp_path, monkeypatch):
    """A red half, a blue one, both or neither, as a list of the user's says."""
    draws, rows = np.random.default_rng(0), ["# classes: red,blue", "split,image,labels"]
    for number in range(36):
        shown = [k for k in (0, 1) if number >> k & 1]
        pixels = draws.integers(0, 60, (32, 32, 3), dtype=np.uint8)
        for k in shown:
            pixels[16 * k : 16 * k + 16, :, 2 * k] += 180
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        split = "test" if number % 3 == 2 else "train"
        rows.append(f"{split},{number}.png,{' '.join(map(str, shown))}")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    monkeypatch.setitem(data.DATASETS, "halves", data.image_folder("halves", tmp_path, size=16))
    run = RunConfig.model_validate(
        {
            "paper": "mlc-nc",
            "profile": "smoke",
            "dataset": "halves",
            "loss": "bce",
            "width": 16,
            "lr": 0.01,
            "epochs": 12,
            "batch_size": 8,
            "measure_every": 12,
        }
    )
    record = fit(run)
    assert record.arrays["counts"].tolist() == [12, 12]
    assert record.final["test_map"] == 1
