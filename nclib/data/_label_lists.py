"""Label lists of real sets with several labels an image; they ship, and no image is needed."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool
from torch import Tensor

from nclib._names import unknown
from nclib.data._files import DataError, check_blob

_SPLITS = ("train", "validation", "test")
_FOLDER = Path(__file__).parent / "lists" / "multilabel"


@dataclass(frozen=True)
class LabelListFile:
    """A list that ships, and the git blob id of its file.

    Attributes:
        title: of the set, as papers name it.
        path: of the file.
        blob: its git blob id.
    """

    title: str
    path: Path
    blob: str


#: The lists by name.
LABEL_LISTS = {
    "voc-lt": LabelListFile(
        "VOC-LT", _FOLDER / "voc_lt.csv.gz", "e3fb9297c10bdac8faef8e5b19de90d7f5b22968"
    ),
    "voc2012": LabelListFile(
        "VOC 2012", _FOLDER / "voc2012.csv.gz", "03bca828a1f040970e388d29e85db760f3158e87"
    ),
    "coco-lt": LabelListFile(
        "COCO-LT", _FOLDER / "coco_lt.csv.gz", "77a72802e2be3adb0c89fda34d13688125b3c28c"
    ),
}


@dataclass(frozen=True)
class LabelList:
    """The labels of a split, without its images.

    Attributes:
        title: of the set, as papers name it.
        classes: names, in the order of the labels.
        images: ids as in the names of the image files.
        labels: whether an image shows a class; objects marked as difficult count.
    """

    title: str
    classes: tuple[str, ...]
    images: tuple[str, ...]
    labels: Bool[Tensor, "N K"]


def label_list(name: str, split: str = "train") -> LabelList:
    """The labels of a real set's images.

    - ``voc-lt``: the 1,142 training images of VOC-LT, all of VOC 2012 trainval;
    - ``voc2012``: the 11,540 images of VOC 2012 trainval (split ``train``);
    - ``coco-lt``: the 1,909 training images of COCO-LT, all of COCO train2017; ``test``: the 5,000
      images of COCO val2017, 48 of them without a label.

    Args:
        name: a key of ``LABEL_LISTS``.
        split: ``train``, or ``test`` where the set has one.

    Raises:
        ValueError: if the name is unknown (near matches are listed), or the set has no such split.
        DataError: if the file that ships has been changed.

    Source: VOC-LT and COCO-LT: Wu et al. (2020), "Distribution-balanced loss for multi-label
    classification in long-tailed datasets". They may be used for non-commercial research and
    education; see the notice beside the files.

    >>> voc = label_list("voc-lt")
    >>> tuple(voc.labels.shape), voc.classes[14], int(voc.labels[:, 14].sum())
    ((1142, 20), 'person', 775)
    """
    if name not in LABEL_LISTS:
        raise unknown("label list", name, LABEL_LISTS)
    entry = LABEL_LISTS[name]
    packed = entry.path.read_bytes()
    check_blob(str(entry.path), packed, entry.blob)
    splits = parse_lists(entry.title, str(entry.path), gzip.decompress(packed).decode())
    if split not in splits:
        raise ValueError(f"split is {split!r}, expected one of {', '.join(splits)} of {name}")
    return splits[split]


def parse_lists(title: str, what: str, text: str) -> dict[str, LabelList]:
    """The lists of all splits, from the form in which they ship: training first.

    A line ``# classes: NAME,NAME`` names the classes; after a header, each line has a split, an
    image, and the numbers of its classes with spaces between them.

    Raises:
        DataError: if there is no such line or header, a line has another form or split, a number
            is none of a class, or an image stands twice in a split; the message names it.
    """
    lines = text.splitlines()
    names = [line.partition(":")[2] for line in lines if line.startswith("# classes:")]
    rows = [row for row in csv.reader(line for line in lines if not line.startswith("#")) if row]
    if len(names) != 1 or not rows or rows[0] != ["split", "image", "labels"]:
        raise DataError(
            f"{what} is no label list: expected a line '# classes: NAME,NAME' and the header "
            f"split,image,labels"
        )
    classes = tuple(name.strip() for name in names[0].split(","))
    by_split: dict[str, dict[str, list[int]]] = {}
    for row in rows[1:]:
        if len(row) != 3 or row[0] not in _SPLITS:
            raise DataError(
                f"{what} has the line {','.join(row)!r}, expected one of {', '.join(_SPLITS)}, an "
                f"image, and numbers of classes"
            )
        split, image, numbers = row
        images = by_split.setdefault(split, {})
        if image in images:
            raise DataError(f"{what} has image {image} twice in split {split}")
        images[image] = class_numbers(f"{what}: image {image}", numbers.split(), len(classes))
    return {
        split: LabelList(
            title, classes, tuple(by_split[split]), multi_hot(by_split[split], len(classes))
        )
        for split in _SPLITS
        if split in by_split
    }


def class_numbers(what: str, numbers: Iterable[str | int], num_classes: int) -> list[int]:
    """Numbers of classes, checked.

    Raises:
        DataError: if one is not in 0 .. K − 1; the message names what has it.
    """
    checked = []
    for number in numbers:
        label = int(number) if str(number).isdecimal() else -1
        if not 0 <= label < num_classes:
            raise DataError(f"{what} has label {number}, expected 0 to {num_classes - 1}")
        checked.append(label)
    return checked


def multi_hot(labels: Mapping[str, Iterable[int]], num_classes: int) -> Bool[Tensor, "N K"]:
    """A row of truth values an image."""
    rows = [row for row, numbers in enumerate(labels.values()) for _ in numbers]
    columns = [number for numbers in labels.values() for number in numbers]
    hot = torch.zeros(len(labels), num_classes, dtype=torch.bool)
    hot[torch.tensor(rows, dtype=torch.int64), torch.tensor(columns, dtype=torch.int64)] = True
    return hot
