"""Label lists of real sets with several labels an image; they ship, and no image is needed."""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool
from torch import Tensor

from nclib._names import unknown
from nclib.data._files import check_blob

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
    lines = gzip.decompress(packed).decode().splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    splits = sorted({row["split"] for row in rows}, reverse=True)
    if split not in splits:
        raise ValueError(f"split is {split!r}, expected one of {', '.join(splits)} of {name}")
    rows = [row for row in rows if row["split"] == split]
    (names,) = (line for line in lines if line.startswith("# classes: "))
    classes = tuple(names.removeprefix("# classes: ").split(","))
    labels = torch.zeros(len(rows), len(classes), dtype=torch.bool)
    for image, row in enumerate(rows):
        labels[image, [int(k) for k in row["labels"].split()]] = True
    return LabelList(entry.title, classes, tuple(row["image"] for row in rows), labels)
