"""Sets with several labels an image whose images the user has: VOC-LT, COCO-LT, VG200, any folder.

The lists and statistics that are public ship; images, and labels that are not public, are read from
the folders in which they are published. Whatever can be wrong with them is refused before training:
a list or labels other than the published ones, and images that are absent, that are no images, or
that have one pixel. Grey ones count as colour images of equal channels.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import torch
from jaxtyping import Int64
from torch import Tensor

from nclib.data._files import DataError, check_blob, data_root
from nclib.data._info import DatasetInfo, Statistics
from nclib.data._label_lists import class_numbers, label_list, multi_hot, parse_lists
from nclib.data._label_statistics import LabelStatistics, label_statistics
from nclib.data._stream import ImageFiles, check_images

#: What the released weights of torchvision's networks are for; of the user's own images too.
IMAGENET = Statistics((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class VOCFiles:
    """Where VOC's folders lie under the data root, as torchvision leaves them."""

    folder: str = "VOCdevkit"
    train: str = "VOC2012"
    test: str = "VOC2007"
    test_images: int = 4952


@dataclass(frozen=True)
class COCOFiles:
    """Where COCO's folders lie under the data root."""

    folder: str = "coco"
    train: str = "train2017"
    test: str = "val2017"


@dataclass(frozen=True)
class VG200Files:
    """Where SSGRL's lists and Visual Genome's images lie, and the statistics that ship."""

    folder: str = "vg"
    train_list: str = "train_list_500.txt"
    test_list: str = "test_list_500.txt"
    labels: str = "vg_category_200_labels_index.json"
    images: str = "VG_100K"
    train: int = 1000
    test: int = 4000
    shipped: Path = Path(__file__).parent / "lists" / "multilabel" / "vg200.csv.gz"
    blob: str = "c972079b8a5433a3362f41b7c35ed315b53b2641"


VOC, COCO, VG200 = VOCFiles(), COCOFiles(), VG200Files()


def hint(name: str, root: Path) -> str:
    """What to put where, in one line."""
    return {
        "voc-lt": f"put {VOC.folder}/ with VOC 2012 trainval and VOC 2007 test ({VOC.train}/, "
        f"{VOC.test}/) under {root}, or run: python -m data_recipes build voc-lt",
        "coco-lt": f"put COCO's images, {COCO.train}/ and {COCO.test}/, into {root / COCO.folder}",
        "vg200": f"put SSGRL's {VG200.train_list}, {VG200.test_list} and {VG200.labels} and Visual "
        f"Genome's images, in {VG200.images}/, into {root / VG200.folder}",
    }[name]


def read_voc_lt(root: Path | None = None) -> dict[str, ImageFiles]:
    """VOC-LT: the published list of VOC 2012 trainval for training; all of VOC 2007 test.

    Raises:
        DataError: if anything is absent (the message says what to put where), the test list has not
            4,952 images, or an annotation names an unknown class.
    """
    root = root or data_root()
    listed, folder = label_list("voc-lt"), root / VOC.folder
    names = folder / VOC.test / "ImageSets" / "Main" / "test.txt"
    if not names.exists():
        raise DataError(f"voc-lt: no file {names}; {hint('voc-lt', root)}")
    images = names.read_text(encoding="utf-8").split()
    if len(images) != VOC.test_images:
        raise DataError(f"{names} has {len(images):,} images, expected {VOC.test_images:,}")
    labels = {image: voc_labels(folder / VOC.test, image, listed.classes) for image in images}
    test = multi_hot(labels, len(listed.classes))
    splits = {
        "train": ImageFiles(folder, _voc_paths(VOC.train, listed.images), listed.labels),
        "test": ImageFiles(folder, _voc_paths(VOC.test, images), test),
    }
    check_images("voc-lt", splits, hint("voc-lt", root))
    return splits


def _voc_paths(year: str, images: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{year}/JPEGImages/{image}.jpg" for image in images)


def voc_labels(folder: Path, image: str, classes: Sequence[str]) -> list[int]:
    """The classes of the objects in an image's annotation, those marked as difficult too.

    Raises:
        DataError: if there is no annotation, it is no XML, or it names a class that VOC has not.
    """
    path = folder / "Annotations" / f"{image}.xml"
    try:
        objects = ElementTree.parse(path).getroot().findall("object")
    except FileNotFoundError:
        raise DataError(f"no file {path}: expected the annotation of image {image}") from None
    except ElementTree.ParseError as error:
        raise DataError(f"{path} is no annotation: {error}") from None
    names = sorted({item.findtext("name", "") for item in objects})
    for name in names:
        if name not in classes:
            raise DataError(f"{path} has an object {name!r}, expected one of {', '.join(classes)}")
    return [classes.index(name) for name in names]


def read_coco_lt(root: Path | None = None) -> dict[str, ImageFiles]:
    """COCO-LT: the published list of train2017 for training; all of val2017, labelled or not.

    Raises:
        DataError: if images are absent; the message says what to put where.
    """
    root = root or data_root()
    splits = {}
    for split, folder in (("train", COCO.train), ("test", COCO.test)):
        listed = label_list("coco-lt", split)
        paths = tuple(f"{folder}/{image}.jpg" for image in listed.images)
        splits[split] = ImageFiles(root / COCO.folder, paths, listed.labels)
    check_images("coco-lt", splits, hint("coco-lt", root))
    return splits


def coco_labels(path: Path, classes: Sequence[str]) -> dict[str, list[int]]:
    """The classes of each image in a file of COCO's annotations, crowds too.

    Raises:
        DataError: if the file is no such JSON, or has a class that COCO-LT has not.
    """
    try:
        content = json.loads(path.read_bytes())
        names = {entry["id"]: entry["name"] for entry in content["categories"]}
        pairs = [(entry["image_id"], entry["category_id"]) for entry in content["annotations"]]
        images = [entry["id"] for entry in content["images"]]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} has no annotations of COCO: {error!r}") from None
    labels: dict[str, set[int]] = {f"{image:012d}": set() for image in images}
    for image, category in pairs:
        name = names.get(category, category)
        if name not in classes:
            raise DataError(f"{path} has class {name!r} in image {image}, expected one of COCO's")
        labels[f"{image:012d}"].add(classes.index(name))
    return {image: sorted(chosen) for image, chosen in labels.items()}


def read_vg200(root: Path | None = None) -> dict[str, ImageFiles]:
    """VG200 as MLC-NC takes it: the first 1,000 and 4,000 lines of SSGRL's lists, 200 labels.

    Raises:
        DataError: if anything is absent (the message says what to put where), a list is too short,
            an image has no labels in the file or one outside the 200, or classes are on other
            numbers of training images, alone or together, than as published.
    """
    root = root or data_root()
    folder = root / VG200.folder
    for name in (VG200.train_list, VG200.test_list, VG200.labels):
        if not (folder / name).exists():
            raise DataError(f"vg200: no file {folder / name}; {hint('vg200', root)}")
    try:
        numbers = json.loads((folder / VG200.labels).read_bytes())
    except ValueError as error:
        raise DataError(f"{folder / VG200.labels} is no JSON: {error}") from None
    groups, cooccurrence = vg200_statistics()
    splits = {}
    if not isinstance(numbers, dict):
        raise DataError(f"{folder / VG200.labels} has no labels by image")
    for split, name, count in (
        ("train", VG200.train_list, VG200.train),
        ("test", VG200.test_list, VG200.test),
    ):
        images = (folder / name).read_text(encoding="utf-8").split()[:count]
        if len(set(images)) < count:
            raise DataError(
                f"{folder / name} has {len(set(images)):,} images in its first {count:,} lines"
            )
        labels = {}
        for image in images:
            if image not in numbers:
                raise DataError(f"{folder / VG200.labels} has no labels of image {image}")
            what = f"{folder / VG200.labels}: image {image}"
            labels[image] = class_numbers(what, numbers[image], len(cooccurrence))
        splits[split] = ImageFiles(
            folder,
            tuple(f"{VG200.images}/{image}" for image in labels),
            multi_hot(labels, len(cooccurrence)),
        )
    found = label_statistics(splits["train"].labels, groups=groups).cooccurrence
    differing = (found != cooccurrence).nonzero().tolist()
    if differing:
        k, other = differing[0]
        which = f"class {k}" if k == other else f"classes {k} and {other}"
        raise DataError(
            f"vg200: {which} have {int(found[k, other])} of the first {VG200.train:,} images of "
            f"{folder / VG200.train_list}, but {int(cooccurrence[k, other])} of the published ones"
        )
    check_images("vg200", splits, hint("vg200", root))
    return splits


def vg200_statistics() -> tuple[dict[str, tuple[int, ...]], Int64[Tensor, "K K"]]:
    """Head, medium and tail as published, and the images that show both of two classes.

    The split is by count but for three classes with 19 images, which are in the middle.

    Raises:
        DataError: if the file that ships has been changed.
    """
    packed = VG200.shipped.read_bytes()
    check_blob(str(VG200.shipped), packed, VG200.blob)
    lines = gzip.decompress(packed).decode().splitlines()
    rows = list(csv.reader(line for line in lines if not line.startswith("#")))[1:]
    groups: dict[str, tuple[int, ...]] = {"head": (), "medium": (), "tail": ()}
    cooccurrence = torch.zeros(len(rows), len(rows), dtype=torch.int64)
    for k, (_, group, images, later) in enumerate(rows):
        groups[group] = (*groups[group], k)
        cooccurrence[k, k:] = torch.tensor([int(images), *map(int, later.split())])
    return groups, cooccurrence + cooccurrence.triu(1).T


def image_folder(name: str, folder: Path, *, size: int = 224) -> DatasetInfo:
    """A data set of the images in a folder, which its ``labels.csv`` lists.

    A line ``# classes: NAME,NAME,…`` names the classes. After the header ``split,image,labels``
    each line has ``train``, ``test`` or ``validation``, the path of an image within the folder, and
    the numbers of its classes, from 0, with spaces between them.

    Put it into ``DATASETS`` under its name, and configurations can name it.

    Args:
        name: of the data set.
        folder: of the list and the images.
        size: side of the square that images are cut to.

    Raises:
        DataError: if the list is absent or of another form, lacks training or test images or a
            class in training, or has a label that is none of its classes. Where the files of the
            data set are asked for: if an image is absent, is none, or has one pixel.
    """
    path = folder / "labels.csv"
    if not path.exists():
        raise DataError(
            f"{name}: no file {path}; it lists the images, as nclib's image_folder says"
        )
    lists = parse_lists(name, str(path), path.read_text(encoding="utf-8"))
    for split in ("train", "test"):
        if split not in lists:
            raise DataError(f"{path} has no image of the split {split!r}")
    counts = label_statistics(lists["train"].labels)
    if counts.absent:
        absent = lists["train"].classes[counts.absent[0]]
        raise DataError(f"{path} has no training image of class {absent!r}")

    def read(root: Path | None) -> dict[str, ImageFiles]:
        splits = {
            split: ImageFiles(folder, listed.images, listed.labels)
            for split, listed in lists.items()
        }
        check_images(name, splits, f"put the images that {path} lists into {folder}")
        return splits

    return DatasetInfo(
        name=name,
        title=name,
        num_classes=len(lists["train"].classes),
        shape=(3, size, size),
        train_per_class=_extremes(counts),
        pixels=IMAGENET,
        read_files=read,
        task="multi_label",
        transforms=("jitter", "none"),
    )


def _extremes(counts: LabelStatistics) -> tuple[int, int]:
    return int(counts.class_counts.min()), int(counts.class_counts.max())
