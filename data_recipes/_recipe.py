"""What every recipe does: get the files, describe them in a manifest, and check that it holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nclib import data
from nclib._io import write_atomic


@dataclass(frozen=True)
class Recipe:
    """A data set and how its files come to the data root.

    Attributes:
        name: as ``nclib.data.load`` knows it.
        source: where it was published.
        fetch: brings the files under the root, or raises ``DataError`` saying what to put where.
        files: the files it consists of, relative to the root, with their MD5.
    """

    name: str
    source: str
    fetch: Callable[[Path], None]
    files: dict[str, str]

    def build(self, root: Path | None = None) -> Path:
        """Get and check the files, then write the manifest; returns the manifest's path.

        Interrupted, it leaves no manifest, and the next call goes on.

        Raises:
            DataError: if a file is absent and cannot be had, or is not the original.
        """
        root = root or data.data_root()
        self.fetch(root)
        path = manifest_path(self.name, root)
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
        for key, found in self.describe(root).items():
            if written.get(key) != found:
                raise data.DataError(
                    f"{path}: {key} is {written.get(key)}, but the data give {found}"
                )

    def describe(self, root: Path) -> dict[str, Any]:
        """The manifest: source, files, and for each split its shape, counts and checksums."""
        dataset = data.load(self.name, root=root)
        return {
            "name": self.name,
            "source": self.source,
            "files_md5": self.files,
            "splits": {
                split: _describe_split(getattr(dataset, split), dataset.info.num_classes)
                for split in ("train", "test")
            },
        }


def manifest_path(name: str, root: Path | None = None) -> Path:
    """Where a data set's manifest stands."""
    return (root or data.data_root()) / "manifests" / f"{name}.json"


def _describe_split(split: data.Split, num_classes: int) -> dict[str, Any]:
    labels = split.labels.to(torch.uint8)
    return {
        "shape": list(split.images.shape),
        "class_counts": split.labels.bincount(minlength=num_classes).tolist(),
        "images_sha256": data.checksum(split.images.numpy().tobytes()),
        "labels_sha256": data.checksum(labels.numpy().tobytes()),
    }
