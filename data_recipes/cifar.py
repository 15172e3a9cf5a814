"""CIFAR-10 and CIFAR-100: the original Python archives, as torchvision takes them."""

from __future__ import annotations

import tarfile
import tempfile
from functools import partial
from pathlib import Path

from data_recipes._recipe import Recipe, whole
from nclib import data
from nclib.data import _cifar
from nclib.data._files import read_verified


def _fetch(files: _cifar.CifarFiles, root: Path) -> None:
    """Download and unpack the archive unless every file is there; then check each file's MD5."""
    if _cifar.missing(files, root):
        _unpack(files, _download(files, root), root)
    for name, md5 in {**files.train, **files.test}.items():
        read_verified(root / files.folder / name, md5)


def _download(files: _cifar.CifarFiles, root: Path) -> Path:
    import pooch

    pooch.get_logger().setLevel("ERROR")  # our own line says what happened
    name = files.url.rpartition("/")[2]
    try:
        path = pooch.retrieve(
            files.url, known_hash=f"md5:{files.archive_md5}", fname=name, path=root
        )
    except (OSError, ValueError) as error:  # no network, or another file than the published one
        raise data.DataError(
            f"{files.name}: {files.folder}/ is not under {root} and {files.url} cannot be "
            f"downloaded ({type(error).__name__}); put the folder, or {name} "
            f"(MD5 {files.archive_md5}), there, or set NCLIB_DATA to a folder that has it"
        ) from error
    return Path(path)


def _unpack(files: _cifar.CifarFiles, archive: Path, root: Path) -> None:
    """Unpack beside the final place, then move each file there: none is ever half-made."""
    with tempfile.TemporaryDirectory(dir=root) as scratch:
        with tarfile.open(archive) as tar:
            tar.extractall(scratch, filter="data")
        folder = root / files.folder
        folder.mkdir(exist_ok=True)
        for path in (Path(scratch) / files.folder).iterdir():
            path.replace(folder / path.name)


def _recipe(files: _cifar.CifarFiles) -> Recipe:
    checksums = {**files.train, **files.test}
    return Recipe(
        name=files.name,
        source=files.url,
        fetch=partial(_fetch, files),
        files={f"{files.folder}/{name}": md5 for name, md5 in checksums.items()},
        content=whole(files.name),
    )


CIFAR10 = _recipe(_cifar.CIFAR10)
CIFAR100 = _recipe(_cifar.CIFAR100)
