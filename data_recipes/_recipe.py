"""What every recipe does: get the files, describe them in a manifest, and check that it holds."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nclib import data
from nclib._io import clear_parts, write_atomic
from nclib._lock import locked


@dataclass(frozen=True)
class Recipe:
    """A data set and how its files come to the data root.

    Attributes:
        name: what ``build`` and ``verify`` call it.
        source: where it was published, or what it is cut from.
        fetch: brings the files under the root, or raises ``DataError`` saying what to put where.
        files: the files it consists of, relative to the root, with their checksums.
        content: what the manifest says of the data under a root, read anew.
        checksum: kind of the files' checksums, ``"md5"`` or ``"git_blob"``.
    """

    name: str
    source: str
    fetch: Callable[[Path], None]
    files: dict[str, str]
    content: Callable[[Path], dict[str, Any]]
    checksum: str = "md5"

    def build(self, root: Path | None = None) -> Path:
        """Get and check the files, then write the manifest; returns the manifest's path.

        Interrupted, it leaves no manifest and no file under its name but whole ones, and the next
        call goes on; that call also clears away what a killed one could not. One build at a time
        works in a root.

        Raises:
            DataError: if a file is absent and cannot be had, or is not the original.
        """
        root = root or data.data_root()
        path = manifest_path(self.name, root)
        with locked(root / ".build.lock"):
            for written in (path, *(root / name for name in self.files)):
                clear_parts(written)
            self.fetch(root)
            write_atomic(path, (json.dumps(self.describe(root), indent=1) + "\n").encode())
        return path

    def verify(self, root: Path | None = None) -> None:
        """Read every file again and compare it with the manifest.

        Raises:
            DataError: if the manifest is absent, or anything differs; the message names it.
        """
        root = root or data.data_root()
        path = manifest_path(self.name, root)
        if not path.exists():
            raise data.DataError(
                f"no manifest {path}; run: python -m data_recipes build {self.name}"
            )
        try:
            written = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise data.DataError(f"{path} is torn: {error}") from None
        difference = _difference(written, self.describe(root))
        if difference is not None:
            raise data.DataError(f"{path}: {difference}")

    def describe(self, root: Path) -> dict[str, Any]:
        """The manifest: source, files with their checksums, and the recipe's content."""
        return {
            "name": self.name,
            "source": self.source,
            f"files_{self.checksum}": self.files,
            **self.content(root),
        }


def manifest_path(name: str, root: Path | None = None) -> Path:
    """Where a data set's manifest stands."""
    return (root or data.data_root()) / "manifests" / f"{name}.json"


def splits_of(dataset: data.Dataset) -> dict[str, Any]:
    """Shape, counts by class and checksums of the training and the test split."""
    return {
        split: _describe_split(getattr(dataset, split), dataset.info.num_classes)
        for split in ("train", "test")
    }


def whole(name: str) -> Callable[[Path], dict[str, Any]]:
    """The content of a recipe whose data are those that ``nclib.data.load`` gives."""
    return lambda root: {"splits": splits_of(data.load(name, root=root))}


def canvases(name: str, options: Mapping[str, float | str]) -> Callable[[Path], dict[str, Any]]:
    """The content of a recipe whose data are those that ``nclib.data.load_canvases`` gives."""

    def content(root: Path) -> dict[str, Any]:
        made, entry = data.load_canvases(name, root=root, options=options), data.info(name)
        return {
            "options": entry.spelt_out(entry.resolve(options)),  # as of manifests from before
            "splits": {split: part.manifest() for split, part in made.items()},
        }

    return content


def _describe_split(split: data.Split, num_classes: int) -> dict[str, Any]:
    labels = split.labels.to(torch.uint8)
    return {
        "shape": list(split.images.shape),
        "class_counts": split.labels.bincount(minlength=num_classes).tolist(),
        "images_sha256": data.checksum(split.images.numpy().tobytes()),
        "labels_sha256": data.checksum(labels.numpy().tobytes()),
    }


def _difference(written: Any, built: Any, where: str = "the manifest") -> str | None:
    """The first place where the manifest says something else than the data, in words."""
    if isinstance(written, dict) and isinstance(built, dict):
        pairs = [(str(key), written.get(key), built.get(key)) for key in {**built, **written}]
    elif isinstance(written, list) and isinstance(built, list) and len(written) == len(built):
        pairs = [(str(n), a, b) for n, (a, b) in enumerate(zip(written, built, strict=True))]
    elif written == built:
        return None
    else:
        begin = _first_difference(written, built)
        return f"{where} is {_short(written, begin)}, but the data give {_short(built, begin)}"
    for key, a, b in pairs:
        difference = _difference(a, b, key if where == "the manifest" else f"{where}.{key}")
        if difference is not None:
            return difference
    return None


def _first_difference(one: Any, other: Any) -> int:
    """Where two texts begin to differ; 0 for other values."""
    if not (isinstance(one, str) and isinstance(other, str)):
        return 0
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def _short(value: Any, begin: int = 0) -> str:
    """A value in at most 80 characters, among them the one at ``begin``."""
    text = repr(value)
    if len(text) <= 80:
        return text
    if begin < 60:
        return f"{text[:77]}..."
    return f"...{text[begin - 20 : begin + 50]}..."
