"""Data sets, subsets, batches and augmentation; imports stay light."""

import hashlib
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.nn import functional

from nclib import data
from nclib.data import _cifar

LAZY = ("torchvision", "matplotlib", "seaborn", "sklearn", "lightning", "pooch")


def _imported(*modules: str) -> set[str]:
    """Which of the heavy packages a fresh interpreter has loaded after importing these modules."""
    code = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in run.stdout.split()} & set(LAZY)


def test_importing_the_core_loads_no_heavy_package():
    core = ("encodings", "geometry", "metrics", "ufm", "data", "models", "runs", "train")
    assert _imported("nclib", *(f"nclib.{name}" for name in core)) == set()


def test_that_check_sees_a_heavy_import():
    assert _imported("nclib", "matplotlib") == {"matplotlib"}


def test_digits_are_all_there_with_every_fifth_image_of_a_class_for_testing():
    digits = data.load("digits")
    assert len(digits.train.labels) + len(digits.test.labels) == 1797
    counts = digits.train.labels.bincount()
    assert (int(counts.min()), int(counts.max())) == digits.info.train_per_class
    assert digits.train.images.dtype == torch.uint8
    assert digits.train.images.shape[1:] == digits.info.shape
    ratio = digits.test.labels.bincount() / (counts + digits.test.labels.bincount())
    assert ((ratio - 0.2).abs() < 0.01).all()


def test_digits_are_scaled_to_mean_zero_and_variance_one():
    digits = data.load("digits")
    images = data.to_float(digits.train.images, digits.info.mean, digits.info.std)
    assert abs(images.mean()) < 1e-3
    assert abs(images.std() - 1) < 1e-3


def test_unknown_data_set_lists_near_matches():
    with pytest.raises(ValueError, match=r"'cifar'.*cifar10"):
        data.load("cifar")


def test_a_subset_has_so_many_of_each_class_and_repeats_with_its_seed():
    labels = torch.tensor([0, 1, 2] * 10)[torch.randperm(30, generator=torch.manual_seed(0))]
    draws = [
        data.per_class_subset(labels, 4, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    ]
    assert labels[draws[0]].bincount().tolist() == [4, 4, 4]
    assert len(draws[0].unique()) == 12
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_a_class_too_small_for_the_subset_is_named():
    labels = torch.tensor([0, 0, 0, 1])
    with pytest.raises(ValueError, match="class 1 has 1 images, 2 were asked for"):
        data.per_class_subset(labels, 2, torch.Generator())


def test_an_epoch_visits_every_image_once_in_an_order_of_the_seed():
    def epoch(seed):
        return list(data.batches(10, 4, torch.Generator().manual_seed(seed)))

    assert [len(batch) for batch in epoch(0)] == [4, 4, 2]
    assert torch.cat(epoch(0)).sort().values.tolist() == list(range(10))
    assert torch.equal(torch.cat(epoch(0)), torch.cat(epoch(0)))
    assert not torch.equal(torch.cat(epoch(0)), torch.cat(epoch(1)))


def test_every_augmented_image_is_a_crop_of_the_padded_image_or_of_its_mirror():
    images = torch.randint(1, 256, (12, 3, 6, 5), dtype=torch.uint8)
    padded = functional.pad(images, [2] * 4)
    found = data.augment(images, torch.Generator().manual_seed(0), padding=2)
    flips = 0
    for i in range(12):
        crops = {}
        for flip in (False, True):
            for top in range(5):
                for left in range(5):
                    crop = padded[i, :, top : top + 6, left : left + 5]
                    crops[flip, top, left] = crop.flip(2) if flip else crop
        matches = [key for key, crop in crops.items() if torch.equal(crop, found[i])]
        assert len(matches) == 1
        flips += matches[0][0]
    assert 0 < flips < 12


def test_augmentation_repeats_with_its_seed():
    images = torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8)
    first, again, other = (
        data.augment(images, torch.Generator().manual_seed(seed)) for seed in (5, 5, 6)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.fixture
def tiny_cifar(tmp_path, monkeypatch):
    """Files in CIFAR-10's format with two images each, under their own checksums."""

    def write(name, first):
        rows = np.arange(first, first + 2 * 3072, dtype=np.int64) % 251
        batch = {b"data": rows.astype(np.uint8).reshape(2, 3072), b"labels": [first, first + 1]}
        path = tmp_path / "cifar-10-batches-py" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(pickle.dumps(batch, protocol=2))
        return hashlib.md5(path.read_bytes()).hexdigest()

    files = _cifar.CifarFiles(
        name="cifar10",
        folder="cifar-10-batches-py",
        url="http://127.0.0.1:9/cifar-10-python.tar.gz",
        archive_md5="0" * 32,
        label_key=b"labels",
        train={name: write(name, i) for i, name in enumerate(["data_batch_1", "data_batch_2"])},
        test={"test_batch": write("test_batch", 7)},
    )
    monkeypatch.setattr(_cifar, "CIFAR10", files)
    return tmp_path


def test_cifar_batches_are_stacked_in_order_with_channels_first(tiny_cifar):
    dataset = data.load("cifar10", root=tiny_cifar)
    assert dataset.train.labels.tolist() == [0, 1, 1, 2]
    assert dataset.test.labels.tolist() == [7, 8]
    assert dataset.train.images.shape == (4, 3, 32, 32)
    assert dataset.train.images[0, 1, 0, 3] == (1024 + 3) % 251  # green plane, first row


def test_the_data_root_is_taken_from_the_environment(tiny_cifar, monkeypatch):
    monkeypatch.setenv("NCLIB_DATA", str(tiny_cifar))
    assert len(data.load("cifar10").test.labels) == 2


def test_a_truncated_file_is_refused_by_name_with_both_checksums(tiny_cifar):
    path = tiny_cifar / "cifar-10-batches-py" / "data_batch_2"
    expected = hashlib.md5(path.read_bytes()).hexdigest()
    path.write_bytes(path.read_bytes()[:-10])
    found = hashlib.md5(path.read_bytes()).hexdigest()
    with pytest.raises(data.DataError, match=f"data_batch_2.*{expected}.*{found}"):
        data.load("cifar10", root=tiny_cifar)


def test_an_absent_file_says_in_one_line_what_to_put_where(tiny_cifar):
    (tiny_cifar / "cifar-10-batches-py" / "test_batch").unlink()
    with pytest.raises(data.DataError, match=r"test_batch.*cifar-10-batches-py/.*build") as caught:
        data.load("cifar10", root=tiny_cifar)
    assert "\n" not in str(caught.value)
