"""CIFAR-10 and CIFAR-100: the original Python archives, as torchvision takes them.

CIFAR-100 has a recipe for its classes and one for its superclasses, of the same files.
"""

from __future__ import annotations

import io
import tarfile
import tempfile
from functools import partial
from pathlib import Path

from data_recipes._recipe import Recipe, whole
from nclib import data
from nclib._io import clear_parts, write_atomic
from nclib.data import _cifar
from nclib.data._files import read_verified


def _fetch(files: _cifar.CifarFiles, root: Path) -> None:
    """Unless every file is there, unpack the archive; then check each file's MD5."""
    if _cifar.missing(files, root):
        _unpack(files, _archive(files, root), root)
    for name, md5 in {**files.train, **files.test}.items():
        read_verified(root / files.folder / name, md5)


def _archive(files: _cifar.CifarFiles, root: Path) -> bytes:
    """The archive that lies under the root, or else the published one, which is not kept."""
    name = files.url.rpartition("/")[2]
    clear_parts(root / name)
    if (root / name).exists():
        return read_verified(root / name, files.archive_md5)
    import pooch

    pooch.get_logger().setLevel("ERROR")  # our own line says what happened
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=f".{name}.", suffix=".part") as scratch:
        try:
            path = pooch.retrieve(
                files.url, known_hash=f"md5:{files.archive_md5}", fname=name, path=scratch
            )
        except ValueError as error:  # not the published file: pooch gives both checksums
            raise data.DataError(f"{files.url}: {error}") from error
        except OSError as error:
            raise data.DataError(
                f"{files.name}: {files.folder}/ is not under {root} and {files.url} cannot be "
                f"downloaded ({type(error).__name__}); put the folder, or {name} "
                f"(MD5 {files.archive_md5}), there, or set NCLIB_DATA to a folder that has it"
            ) from error
        return Path(path).read_bytes()


def _unpack(files: _cifar.CifarFiles, archive: bytes, root: Path) -> None:
    """Write each file beside its final place, then move it there: none is ever half-made."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for name in (*files.train, *files.test):
            member = tar.extractfile(f"{files.folder}/{name}")
            assert member is not None  # the archive is the published one
            write_atomic(root / files.folder / name, member.read())


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
CIFAR100_COARSE = _recipe(_cifar.CIFAR100_COARSE)
