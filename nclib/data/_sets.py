"""The data sets by name, and how each becomes tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from nclib._names import unknown
from nclib.data import _cifar, _imagenet_lt
from nclib.data._stream import ImageFiles

Tensors = dict[str, tuple[Tensor, Tensor]]


class Statistics(NamedTuple):
    """Mean and deviation of each channel, of pixels scaled to [0, 1]."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


class Split(NamedTuple):
    """Images and labels on one device."""

    images: UInt8[Tensor, "N C H W"]
    labels: Int64[Tensor, " N"]


@dataclass(frozen=True)
class DatasetInfo:
    """What is known of a data set before it is read."""

    name: str
    title: str
    num_classes: int
    shape: tuple[int, int, int]  # channels, height, width
    train_per_class: tuple[int, int]  # smallest and largest class
    pixels: Statistics  # over the training set
    read: Callable[[Path | None], Tensors] | None = None  # None: too large for the device
    read_files: Callable[[Path | None], dict[str, ImageFiles]] | None = None  # the images by path
    usual: Statistics | None = None  # what most code takes in their place, if it does
    augmentable: bool = True  # flips and crops keep what an image shows


@dataclass(frozen=True)
class Dataset:
    """A data set on a device."""

    info: DatasetInfo
    train: Split
    test: Split


@dataclass(frozen=True)
class FileDataset:
    """A data set whose images stay in their files; ``Stream`` reads them."""

    info: DatasetInfo
    train: ImageFiles
    validation: ImageFiles
    test: ImageFiles


@cache  # each of the short runs of a chapter, or of the tests, asks for them
def _read_digits(root: Path | None = None) -> Tensors:
    """scikit-learn's 1,797 digits, 8×8, 17 grey levels; every fifth of a class is a test image."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = torch.from_numpy(digits.images).to(torch.uint8)[:, None]
    labels = torch.from_numpy(digits.target).long()
    rank = torch.zeros_like(labels)  # position of an image within its class
    for k in range(10):
        rank[labels == k] = torch.arange(int((labels == k).sum()))
    test = rank % 5 == 4
    return {"train": (images[~test], labels[~test]), "test": (images[test], labels[test])}


# Of CIFAR-10: the mean, and the mean over images of the deviation within one. Code that began with
# Cao et al.'s (LDAM-DRW) has them for CIFAR-100 too.
_CIFAR = Statistics((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))

DATASETS = {
    data.name: data
    for data in (
        DatasetInfo(
            name="digits",
            title="scikit-learn digits",
            num_classes=10,
            shape=(1, 8, 8),
            train_per_class=(140, 147),
            pixels=Statistics((0.01915,), (0.02359,)),
            read=_read_digits,
            augmentable=False,
        ),
        DatasetInfo(
            name="cifar10",
            title="CIFAR-10",
            num_classes=10,
            shape=(3, 32, 32),
            train_per_class=(5000, 5000),
            pixels=Statistics((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
            read=lambda root: _cifar.read(_cifar.CIFAR10, root),
            usual=_CIFAR,
        ),
        DatasetInfo(
            name="cifar100",
            title="CIFAR-100",
            num_classes=100,
            shape=(3, 32, 32),
            train_per_class=(500, 500),
            pixels=Statistics((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
            read=lambda root: _cifar.read(_cifar.CIFAR100, root),
            usual=_CIFAR,
        ),
        DatasetInfo(
            name="imagenet-lt",
            title="ImageNet-LT",
            num_classes=1000,
            shape=(3, 224, 224),
            train_per_class=(5, 1280),
            pixels=Statistics((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
            read_files=lambda root: _imagenet_lt.read(_imagenet_lt.IMAGENET_LT, root),
        ),
    )
}


def info(name: str) -> DatasetInfo:
    """What is known of the data set of that name.

    Raises:
        ValueError: if the name is unknown; the near matches are listed.
    """
    if name not in DATASETS:
        raise unknown("data set", name, DATASETS)
    return DATASETS[name]


def statistics(name: str, normalisation: Literal["own", "usual"] = "own") -> Statistics:
    """What images of a data set are normalised by.

    Args:
        name: a key of ``DATASETS``.
        normalisation: ``own``: mean and deviation of all training pixels; ``usual``: for CIFAR, the
            constants of most published code, whose deviation is the mean one within an image.

    Raises:
        ValueError: if the name is unknown, or no others are usual.
    """
    entry = info(name)
    if normalisation == "own":
        return entry.pixels
    if entry.usual is None:
        raise ValueError(f"normalisation is {normalisation!r}, but {entry.title} has its own alone")
    return entry.usual


def load(name: str, *, root: Path | None = None, device: torch.device | str = "cpu") -> Dataset:
    """The data set as tensors on a device.

    Args:
        name: a key of ``DATASETS``.
        root: folder that holds the data sets; None: ``NCLIB_DATA``, or the user's data folder.
        device: where the tensors go.

    Raises:
        ValueError: if the name is unknown, or the data set is one for ``load_files``.
        DataError: if a file is absent (the message says what to put where) or not the original.
    """
    entry = info(name)
    if entry.read is None:
        raise ValueError(f"{name} is too large for the device: use nclib.data.load_files")
    splits = {
        split: Split(images.to(device), labels.to(device))
        for split, (images, labels) in entry.read(root).items()
    }
    return Dataset(entry, splits["train"], splits["test"])


def load_files(name: str, *, root: Path | None = None) -> FileDataset:
    """The paths and labels of a data set whose images are streamed; no image is read.

    Args:
        name: a key of ``DATASETS``.
        root: folder that holds the data sets; None: ``NCLIB_DATA``, or the user's data folder.

    Raises:
        ValueError: if the name is unknown, or the data set is one for ``load``.
        DataError: if a list or the images are absent (the message says what to put where), or a
            list is not the published one.
    """
    entry = info(name)
    if entry.read_files is None:
        raise ValueError(f"{name} fits on the device: use nclib.data.load")
    return FileDataset(entry, **entry.read_files(root))
