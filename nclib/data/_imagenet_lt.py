"""ImageNet-LT (Liu et al., 2019): the published lists, and the images of ILSVRC 2012."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from nclib.data._files import DataError, check_blob, data_root
from nclib.data._stream import ImageFiles


@dataclass(frozen=True)
class ImageNetLTFiles:
    """Where the lists and the images lie, and the git blob ids of the published lists."""

    shipped: Path  # class counts, validation and test list
    training_list: str  # under the data root, as published: the user supplies it
    folder: str  # under the data root: the images, in train/ and val/
    shipped_blob: str
    training_blob: str
    validation_blob: str
    test_blob: str


IMAGENET_LT = ImageNetLTFiles(
    shipped=Path(__file__).parent / "lists" / "imagenet_lt.csv.gz",
    training_list="imagenet-lt/ImageNet_LT_train.txt",
    folder="imagenet",
    shipped_blob="e504dc1f22acbe560fbcc70133922e53a129f1fc",
    training_blob="a063f095fcd475db4cf8b0658c4b73955535bbf9",
    validation_blob="3ed3188b2f44829ce2dec1cc27040d8d40984088",
    test_blob="76a2fb9749d6cd29e765cc4f8c270f2504131e2f",
)
URL = "https://github.com/facebookresearch/classifier-balancing"
URL_PATH = "data/ImageNet_LT/ImageNet_LT_train.txt"


@dataclass(frozen=True)
class Lists:
    """What ships: for each label its ImageNet id and training images, and two lists of paths."""

    wnids: tuple[str, ...]
    train_counts: tuple[int, ...]
    validation: tuple[tuple[str, int], ...]  # (path, label)
    test: tuple[tuple[str, int], ...]


def shipped_lists(files: ImageNetLTFiles) -> Lists:
    """The lists that ship, expanded and compared with the published ones.

    Raises:
        DataError: if a list has another git blob id than the published one.
    """
    packed = files.shipped.read_bytes()
    check_blob(str(files.shipped), packed, files.shipped_blob)
    lines = gzip.decompress(packed).decode().splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    validation, test = [], []
    for label, row in enumerate(rows):
        wnid = row["wnid"]
        for number in row["validation"].split():
            validation.append((f"train/{wnid}/{wnid}_{number}.JPEG", label))
        for number in row["test"].split():
            test.append((f"val/{wnid}/ILSVRC2012_val_{int(number):08d}.JPEG", label))
    for name, pairs, expected in (
        ("validation", validation, files.validation_blob),
        ("test", test, files.test_blob),
    ):
        text = "".join(f"{path} {label}\n" for path, label in pairs)
        check_blob(f"the {name} list in {files.shipped}", text.encode(), expected)
    return Lists(
        wnids=tuple(row["wnid"] for row in rows),
        train_counts=tuple(int(row["train"]) for row in rows),
        validation=tuple(validation),
        test=tuple(test),
    )


def training_list(
    files: ImageNetLTFiles, lists: Lists, root: Path | None = None
) -> tuple[tuple[str, int], ...]:
    """Paths and labels of the training images, from the list that the user supplied.

    Raises:
        DataError: if the list is absent, has another git blob id than the published one, or
            disagrees with the class counts that ship.
    """
    path = (root or data_root()) / files.training_list
    if not path.exists():
        raise DataError(
            f"imagenet-lt: no file {path}; put the published training list there: {URL_PATH} of "
            f"{URL} (git blob {files.training_blob}); nclib ships the other lists"
        )
    content = path.read_bytes()
    check_blob(str(path), content, files.training_blob)
    pairs = []
    for line in content.decode().splitlines():
        image, _, label = line.rpartition(" ")
        pairs.append((image, int(label)))
    counts = np.bincount([label for _, label in pairs], minlength=len(lists.wnids))
    if tuple(counts.tolist()) != lists.train_counts:
        raise DataError(f"{path} has other class counts than {files.shipped}")
    return tuple(pairs)


def read(files: ImageNetLTFiles, root: Path | None = None) -> dict[str, ImageFiles]:
    """The image files of the splits ``train``, ``validation`` and ``test``.

    The test images, which are ILSVRC's validation images, may lie in one folder a class or all
    in ``val/`` itself, as they are published.

    Raises:
        DataError: if a list or the folder of images is absent, or a list is not the published one.
    """
    root = root or data_root()
    lists = shipped_lists(files)
    train = training_list(files, lists, root)
    folder = root / files.folder
    for part in ("train", "val"):
        if not (folder / part).is_dir():
            raise DataError(
                f"imagenet-lt: no folder {folder / part}; put the ILSVRC 2012 images there "
                "(train/WNID/*.JPEG; val/WNID/*.JPEG or val/*.JPEG), or make "
                f"{folder} a link to a folder that has them"
            )
    test: Sequence[tuple[str, int]] = lists.test
    if not (folder / "val" / lists.wnids[0]).is_dir():
        test = [(f"val/{path.rpartition('/')[2]}", label) for path, label in test]
    return {
        split: ImageFiles(
            folder, tuple(path for path, _ in pairs), torch.tensor([label for _, label in pairs])
        )
        for split, pairs in (("train", train), ("validation", lists.validation), ("test", test))
    }
