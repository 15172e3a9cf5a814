"""VOC-LT, COCO-LT, VG200, and any folder of images with several labels: the images are yours.

Under the data root, VOC lies in ``VOCdevkit/VOC2012/`` and ``VOCdevkit/VOC2007/``; where these are
absent, torchvision downloads them. COCO's ``train2017/`` and ``val2017/`` lie in ``coco/``, with
``annotations/`` if the labels are to be compared; SSGRL's files and Visual Genome's ``VG_100K/`` in
``vg/``. A folder ``NAME/`` with a ``labels.csv`` is ``folder-NAME``; see
``nclib.data.image_folder``. Building and verifying decode every image once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from data_recipes._recipe import Recipe
from nclib import data
from nclib.data import _image_sets
from nclib.data._files import git_blob_id
from nclib.data._stream import read_image

Files = dict[str, data.ImageFiles]
_FOLDER = "folder-"


def _fetch_voc(root: Path) -> None:
    """What is absent comes through torchvision, which compares the archives' MD5."""
    from torchvision.datasets import VOCDetection

    voc = _image_sets.VOC
    for folder, year, split in ((voc.train, "2012", "trainval"), (voc.test, "2007", "test")):
        if not (root / voc.folder / folder).is_dir():
            root.mkdir(parents=True, exist_ok=True)
            try:
                VOCDetection(str(root), year=year, image_set=split, download=True)
            except (OSError, RuntimeError) as error:
                hint = _image_sets.hint("voc-lt", root).partition(", or run")[0]
                raise data.DataError(
                    f"voc-lt: no folder {root / voc.folder / folder}, and VOC {year} cannot be "
                    f"downloaded ({type(error).__name__}); {hint}"
                ) from error


def _checked(read: Callable[[Path], Files]) -> Callable[[Path], None]:
    """There is no file to get: reading says what is absent."""

    def check(root: Path) -> None:
        read(root)

    return check


def _content(
    read: Callable[[Path], Files],
    compared: Callable[[Path, Files], dict[str, Any]],
    root: Path,
    groups: Callable[[], dict[str, tuple[int, ...]] | None] = lambda: None,
) -> dict[str, Any]:
    """Labels, what statistics they have, and a checksum of every image, which is decoded."""
    splits = read(root)
    counts = splits["train"].labels.sum(0)
    return {
        **compared(root, splits),
        "splits": {
            name: {
                "statistics": _statistics(
                    data.label_statistics(files.labels, train_counts=counts, groups=groups())
                ),
                "labels_sha256": data.checksum(files.labels.numpy().astype("u1").tobytes()),
                "images_sha256": _checksums(files),
            }
            for name, files in splits.items()
        },
    }


def _statistics(found: data.LabelStatistics) -> dict[str, Any]:
    """What the manifest says of a split's labels."""
    return {
        "images": found.images,
        "labels_per_image": round(found.labels_per_image, 4),
        "unlabelled": found.unlabelled,
        "class_counts": found.class_counts.tolist(),
        "groups": {name: list(getattr(found, name)) for name in ("head", "medium", "tail")},
        "absent": list(found.absent),
        "tail_images": found.tail_images,
        "tail_images_with_head": found.tail_images_with_head,
        "cooccurrence": [" ".join(map(str, row)) for row in found.cooccurrence.tolist()],
    }


def _checksums(files: data.ImageFiles) -> dict[str, str]:
    """The first 16 digits of each image's SHA-256, by path."""
    with ThreadPoolExecutor() as pool:  # decoding and hashing release the lock
        digests = pool.map(_decoded, (files.folder / path for path in files.paths))
        return dict(zip(files.paths, digests, strict=True))


def _decoded(path: Path) -> str:
    read_image(path)
    return hashlib.sha256(path.read_bytes(), usedforsecurity=False).hexdigest()[:16]


def _compared_with_voc(root: Path, splits: Files) -> dict[str, Any]:
    """The published training list against the annotations of VOC 2012."""
    listed = data.label_list("voc-lt")
    folder = root / _image_sets.VOC.folder / _image_sets.VOC.train
    annotated = (_image_sets.voc_labels(folder, image, listed.classes) for image in listed.images)
    return _compared("voc-lt", "train", listed, annotated)


def _compared_with_coco(root: Path, splits: Files) -> dict[str, Any]:
    """The published lists against COCO's annotations, where they are at hand."""
    coco, agreeing = _image_sets.COCO, {}
    for split, images in (("train", coco.train), ("test", coco.test)):
        path = root / coco.folder / "annotations" / f"instances_{images}.json"
        if path.exists():
            listed = data.label_list("coco-lt", split)
            labels = _image_sets.coco_labels(path, listed.classes)
            annotated = (labels.get(image, []) for image in listed.images)
            agreeing.update(_compared("coco-lt", split, listed, annotated))
    return agreeing


def _compared(
    name: str, split: str, listed: data.LabelList, annotated: Iterable[list[int]]
) -> dict[str, Any]:
    """How many images have in the list what they have in the annotations; none may have more."""
    agreeing = 0
    for image, row, labels in zip(listed.images, listed.labels, annotated, strict=True):
        numbers = row.nonzero()[:, 0].tolist()
        for number in numbers:
            if number not in labels:
                raise data.DataError(
                    f"{name}: image {image} is listed with class {listed.classes[number]!r}, but "
                    f"its annotation has none"
                )
        agreeing += numbers == labels
    return {f"{split}_labels_as_annotated": f"{agreeing} of {len(listed.images)}"}


def _compared_with_nothing(root: Path, splits: Files) -> dict[str, Any]:
    """Reading has compared what is public."""
    return {}


def _vg200_files(root: Path, splits: Files) -> dict[str, Any]:
    """The git blob ids of SSGRL's files, whose published form is not public here."""
    vg = _image_sets.VG200
    names = (vg.train_list, vg.test_list, vg.labels)
    folder = root / vg.folder
    return {"lists_git_blob": {name: git_blob_id((folder / name).read_bytes()) for name in names}}


def recipe(name: str) -> Recipe | None:
    """The recipe of the folder of images that ``folder-NAME`` names; None for other names."""
    if not name.startswith(_FOLDER) or name == _FOLDER:
        return None
    folder = name.removeprefix(_FOLDER)

    def read(root: Path) -> Files:
        entry = data.image_folder(name, root / folder)
        assert entry.read_files is not None
        return entry.read_files(root)

    return Recipe(
        name=name,
        source=f"the images that {folder}/labels.csv lists: yours",
        fetch=_checked(read),
        files={},
        content=partial(_content, read, _compared_with_nothing),
    )


VOC_LT = Recipe(
    name="voc-lt",
    source="list of Distribution-Balanced Loss, which ships; VOC 2012 and 2007 in VOCdevkit/",
    fetch=_fetch_voc,
    files={},
    content=partial(_content, _image_sets.read_voc_lt, _compared_with_voc),
)
COCO_LT = Recipe(
    name="coco-lt",
    source="lists of Distribution-Balanced Loss, which ship; COCO 2017 images in coco/: yours",
    fetch=_checked(_image_sets.read_coco_lt),
    files={},
    content=partial(_content, _image_sets.read_coco_lt, _compared_with_coco),
)
VG200 = Recipe(
    name="vg200",
    source="first 1,000 and 4,000 images of SSGRL's lists, in vg/ with the images: yours",
    fetch=_checked(_image_sets.read_vg200),
    files={},
    content=partial(
        _content,
        _image_sets.read_vg200,
        _vg200_files,
        groups=lambda: _image_sets.vg200_statistics()[0],
    ),
)
