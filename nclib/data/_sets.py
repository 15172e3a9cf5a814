"""The data sets by name, and how each becomes tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from nclib._names import unknown
from nclib._options import Value
from nclib.data import _cifar, _image_sets, _imagenet_lt
from nclib.data._canvas_sets import canvas_set
from nclib.data._canvases import Canvases
from nclib.data._info import Dataset, DatasetInfo, FileDataset, Split, Statistics, Tensors


@cache  # each of the short runs of a chapter, or of the tests, asks for them
def _read_digits(root: Path | None = None) -> Tensors:
    """scikit-learn's 1,797 digits, 8×8, 17 grey levels; every fifth of a class is a test image."""
    # Its file alone: with scikit-learn come pandas and SciPy's statistics, two seconds of import.
    file = metadata.distribution("scikit-learn").locate_file("sklearn/datasets/data/digits.csv.gz")
    table = torch.from_numpy(np.loadtxt(str(file), delimiter=",", dtype=np.uint8))
    images, labels = table[:, :-1].reshape(-1, 1, 8, 8), table[:, -1].long()
    rank = torch.zeros_like(labels)  # position of an image within its class
    for k in range(10):
        rank[labels == k] = torch.arange(int((labels == k).sum()))
    test = rank % 5 == 4
    return {"train": (images[~test], labels[~test]), "test": (images[test], labels[test])}


# Of CIFAR-10: the mean, and the mean over images of the deviation within one. Code that began with
# Cao et al.'s (LDAM-DRW) has them for CIFAR-100 too.
_CIFAR = Statistics((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))

# Of VOC-LT and COCO-LT in the released code of MLC-NC.
_MLC_NC = Statistics((0.466, 0.471, 0.380), (0.195, 0.194, 0.192))

_DIGITS = DatasetInfo(
    name="digits",
    title="scikit-learn digits",
    num_classes=10,
    shape=(1, 8, 8),
    train_per_class=(140, 147),
    pixels=Statistics((0.01915,), (0.02359,)),
    read=_read_digits,
    augmentable=False,
)

_CIFAR10 = DatasetInfo(
    name="cifar10",
    title="CIFAR-10",
    num_classes=10,
    shape=(3, 32, 32),
    train_per_class=(5000, 5000),
    pixels=Statistics((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    read=lambda root: _cifar.read(_cifar.CIFAR10, root),
    usual=_CIFAR,
)

_CIFAR100 = DatasetInfo(
    name="cifar100",
    title="CIFAR-100",
    num_classes=100,
    shape=(3, 32, 32),
    train_per_class=(500, 500),
    pixels=Statistics((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
    read=lambda root: _cifar.read(_cifar.CIFAR100, root),
    usual=_CIFAR,
)

_CIFAR100_COARSE = replace(
    _CIFAR100,
    name="cifar100-coarse",
    title="CIFAR-100's superclasses",
    num_classes=20,
    train_per_class=(2500, 2500),
    read=lambda root: _cifar.read(_cifar.CIFAR100_COARSE, root),
)

DATASETS = {
    data.name: data
    for data in (
        _DIGITS,
        _CIFAR10,
        _CIFAR100,
        _CIFAR100_COARSE,
        DatasetInfo(
            name="imagenet-lt",
            title="ImageNet-LT",
            num_classes=1000,
            shape=(3, 224, 224),
            train_per_class=(5, 1280),
            pixels=_image_sets.IMAGENET,
            read_files=lambda root: _imagenet_lt.read(_imagenet_lt.IMAGENET_LT, root),
        ),
        DatasetInfo(
            name="voc-lt",
            title="VOC-LT",
            num_classes=20,
            shape=(3, 224, 224),
            train_per_class=(4, 775),
            pixels=_image_sets.IMAGENET,
            read_files=_image_sets.read_voc_lt,
            usual=_MLC_NC,
            task="multi_label",
            transforms=("jitter", "none"),
        ),
        DatasetInfo(
            name="coco-lt",
            title="COCO-LT",
            num_classes=80,
            shape=(3, 224, 224),
            train_per_class=(6, 1128),
            pixels=_image_sets.IMAGENET,
            read_files=_image_sets.read_coco_lt,
            usual=_MLC_NC,
            task="multi_label",
            transforms=("jitter", "none"),
        ),
        DatasetInfo(
            name="vg200",
            title="VG200",
            num_classes=200,
            shape=(3, 448, 448),
            train_per_class=(5, 278),
            pixels=_image_sets.IMAGENET,
            read_files=_image_sets.read_vg200,
            task="multi_label",
            transforms=("scales", "whole"),
        ),
        canvas_set(
            _DIGITS,
            "canvases of digits",
            single=78,
            pair=5,
            test_single=16,
            test_pair=1,
            placement="wrapped-corners",
            shift=1,
        ),
        canvas_set(
            _CIFAR10,
            "canvases of CIFAR-10",
            single=3100,
            pair=200,
            test_single=800,
            test_pair=50,
            placement="corners",
            shift=7,
        ),
        canvas_set(
            _CIFAR100_COARSE,
            "canvases of CIFAR-100's superclasses",
            label_sets="voc-lt",
            test_ratios="natural",
            tile=16,
            placement="free",
        ),
    )
}


def info(name: str, options: Mapping[str, Value] | None = None) -> DatasetInfo:
    """What is known of the data set of that name, with its options.

    Args:
        name: a key of ``DATASETS``.
        options: those that differ from their defaults, which the entry's ``options`` name.

    Raises:
        ValueError: if the name or an option is unknown (near matches are listed), or an option is
            out of range.
    """
    if name not in DATASETS:
        raise unknown("data set", name, DATASETS)
    entry = DATASETS[name]
    values = entry.resolve(options or {})
    return entry if entry.configure is None else entry.configure(values)


def statistics(name: str, normalisation: Literal["own", "usual"] = "own") -> Statistics:
    """What images of a data set are normalised by.

    Args:
        name: a key of ``DATASETS``.
        normalisation: ``own``: mean and deviation of all training pixels, of canvases those of the
            images that they are composed of, and of streamed images ImageNet's, which pretrained
            networks expect; ``usual``: for CIFAR, the constants of most published code, whose
            deviation is the mean one within an image; for VOC-LT and COCO-LT, those of the released
            code of MLC-NC.

    Raises:
        ValueError: if the name is unknown, or no others are usual.
    """
    entry = info(name)
    if normalisation == "own":
        return entry.pixels
    if entry.usual is None:
        raise ValueError(f"normalisation is {normalisation!r}, but {entry.title} has its own alone")
    return entry.usual


def load(
    name: str,
    *,
    root: Path | None = None,
    device: torch.device | str = "cpu",
    options: Mapping[str, Value] | None = None,
) -> Dataset:
    """The data set as tensors on a device.

    Args:
        name: a key of ``DATASETS``.
        root: folder that holds the data sets; None: ``NCLIB_DATA``, or the user's data folder.
        device: where the tensors go.
        options: those that differ from their defaults; of canvases, see ``load_canvases``.

    Raises:
        ValueError: if the name or an option is unknown, an option is out of range, or the data set
            is one for ``load_files``.
        DataError: if a file is absent (the message says what to put where) or not the original.
    """
    entry = info(name, options)
    if entry.read is None:
        raise ValueError(f"{name} is too large for the device: use nclib.data.load_files")
    splits = {
        split: Split(images.to(device), labels.to(device))
        for split, (images, labels) in entry.read(root).items()
    }
    return Dataset(entry, splits["train"], splits["test"])


def load_canvases(
    name: str,
    *,
    root: Path | None = None,
    device: torch.device | str = "cpu",
    options: Mapping[str, Value] | None = None,
) -> dict[str, Canvases]:
    r"""The splits ``train`` and ``test`` of a set of canvases, with labels, tiles and boxes.

    The images are those of ``load``, here made on the device. Training canvases are made of
    training images, test canvases of test images. The options, and their values for the published
    constructions in ``CANVAS_PRESETS``:

    - ``single``, ``pair``, ``triple``: canvases of each class alone, of each two and of each three
      classes. By default ML-CIFAR10's 3,100 and 200, which use no image twice; for digits 78 and 5,
      the same ratio;
    - ``single_ratio``: of the largest class (the first) to the smallest among the canvases of one
      label, which fall exponentially, as ``long_tail_counts`` says; ``single`` is the largest;
    - ``pair_ratio``: r; the pairs {k, l} with (k + l) mod 3 = 0, 1, 2 have n,
      :math:`\lfloor n/\sqrt r \rfloor` and :math:`\lfloor n/r \rfloor` canvases, n being
      ``pair``; each class has about as many of one kind as any other;
    - ``test_single``, ``test_pair``, ``test_triple``: the same of the test split;
      ``test_ratios``: ``balanced`` label sets there, or the ratios of ``training``;
    - ``placement`` and ``shift``: of the tiles, as :func:`lay_out` says. By default the corners of
      ML-CIFAR10 moved by up to 7 pixels; for digits those of ML-MNIST, wrapped around the border by
      up to 1 pixel of 8 (6 of 28 there);
    - ``tile``: side of a tile, to which images are averaged down; it divides theirs;
    - ``height``, ``width``: of a canvas; by default twice the side of an image;
    - ``canvas_seed``: of all draws for training; the test split has the next one;
    - ``distractors`` and ``shrink``: tiles without a label on each canvas, and the largest factor
      by which a tile is smaller, as :func:`lay_out` says.

    Label sets come from ``label_sets``: ``counted``, by the numbers above, unless it is

    - ``long-tailed``: ``canvases`` for training and ``test_canvases``, each with ``labels`` labels.
      Class counts fall exponentially, the largest (the first) ``label_ratio`` times the smallest,
      and the share ``head_tail`` of the canvases with a label of the tail (fewer than 20 training
      canvases) has one of the head (at least 100). Class counts and the number of labels do not
      depend on this share. Otherwise the entropy is largest: :func:`fit_supports`. For testing all
      label sets are as frequent, or ``test_ratios`` is ``training``;
    - ``voc-lt``, for 20 classes: ``canvases`` with the label sets of VOC-LT in their proportions.
      ``test_canvases`` have those of VOC 2012 trainval, which VOC-LT is cut from (``test_ratios``
      is ``natural``), or VOC-LT's as well (``training``). Class k is the k-th of VOC in name alone.

    The superclasses of CIFAR-100 have ``voc-lt`` unless something else is asked for: 2,000
    canvases a split, of 64×64 pixels with tiles of 16×16 at free places.

    Args:
        name: ``canvas-digits``, ``canvas-cifar10`` or ``canvas-cifar100-coarse``.
        root: folder that holds the data sets; None: ``NCLIB_DATA``, or the user's data folder.
        device: where the canvases are made.
        options: those that differ from their defaults.

    Raises:
        ValueError: if the data set is not one of canvases, and as ``load`` does.
        DataError: as ``load`` does.

    >>> made = load_canvases("canvas-digits", options={"pair": 0})
    >>> made["train"].layout.labels.sum(0).tolist() == [78] * 10
    True
    """
    entry = info(name, options)
    if entry.compose is None:
        names = ", ".join(name for name, other in DATASETS.items() if other.configure is not None)
        raise ValueError(f"{name} has no canvases: expected one of {names}")
    return entry.compose(root, device)


def load_files(name: str, *, root: Path | None = None) -> FileDataset:
    """The paths and labels of a data set whose images are streamed; no image is decoded.

    Of the sets with several labels an image every file is looked at, so that training does not meet
    one that is absent or none. :func:`image_folder` makes a data set of images of your own.

    Args:
        name: a key of ``DATASETS``.
        root: folder that holds the data sets; None: ``NCLIB_DATA``, or the user's data folder.

    Raises:
        ValueError: if the name is unknown, or the data set is one for ``load``.
        DataError: if a list or the images are absent (the message says what to put where), or a
            list is not the published one; with several labels, also if an image is no image or
            has one pixel.
    """
    entry = info(name)
    if entry.read_files is None:
        raise ValueError(f"{name} fits on the device: use nclib.data.load")
    return FileDataset(entry, **entry.read_files(root))
