"""ImageNet-LT: the user's training list and ImageNet folder, with the lists that ship.

Under the data root, put the published training list at ``imagenet-lt/ImageNet_LT_train.txt`` and
ILSVRC 2012 at ``imagenet/`` (``train/`` and ``val/``; a link will do). Building and verifying read
every listed image once.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from data_recipes._recipe import Recipe
from nclib import data
from nclib.data import _imagenet_lt
from nclib.data._files import git_blob_id
from nclib.data._stream import check_present


def _fetch(files: _imagenet_lt.ImageNetLTFiles, root: Path) -> None:
    """Nothing can be fetched: check the lists, and that every listed image is there."""
    hint = "put the ILSVRC 2012 images there"
    check_present("imagenet-lt", _imagenet_lt.read(files, root), hint)


def _content(files: _imagenet_lt.ImageNetLTFiles, root: Path) -> dict[str, Any]:
    lists = _imagenet_lt.shipped_lists(files)
    splits = _imagenet_lt.read(files, root)
    return {
        "lists": {
            "train": {
                "file": files.training_list,
                "git_blob": git_blob_id((root / files.training_list).read_bytes()),
            },
            "validation": {"file": files.shipped.name, "git_blob": files.validation_blob},
            "test": {"file": files.shipped.name, "git_blob": files.test_blob},
        },
        "splits": {name: _describe(images, lists.wnids) for name, images in splits.items()},
    }


def _describe(images: data.ImageFiles, wnids: tuple[str, ...]) -> dict[str, Any]:
    """Counts by class, and for each class one checksum of all its images in the list's order."""
    by_class: list[list[Path]] = [[] for _ in wnids]
    for path, label in zip(images.paths, images.labels.tolist(), strict=True):
        by_class[label].append(images.folder / path)
    with ThreadPoolExecutor() as pool:  # hashing and reading release the lock
        digests = list(pool.map(_digest, by_class))
    return {
        "images": len(images),
        "class_counts": [len(paths) for paths in by_class],
        "images_sha256": dict(zip(wnids, digests, strict=True)),
    }


def _digest(paths: list[Path]) -> str:
    digest = hashlib.sha256(usedforsecurity=False)
    for path in paths:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise data.DataError(f"imagenet-lt: no file {path}") from None
        if not content:
            raise data.DataError(f"imagenet-lt: {path} is empty")
        digest.update(hashlib.sha256(content, usedforsecurity=False).digest())
    return digest.hexdigest()


def _recipe(files: _imagenet_lt.ImageNetLTFiles) -> Recipe:
    return Recipe(
        name="imagenet-lt",
        source=(
            f"lists of {_imagenet_lt.URL}; ILSVRC 2012 images under {files.folder}/ and "
            f"{files.training_list}: yours"
        ),
        fetch=partial(_fetch, files),
        files={files.training_list: files.training_blob},
        content=partial(_content, files),
        checksum="git_blob",
    )


IMAGENET_LT = _recipe(_imagenet_lt.IMAGENET_LT)
