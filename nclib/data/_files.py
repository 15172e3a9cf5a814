"""Where data lies, and how a file that is not the original is refused."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import platformdirs


class DataError(RuntimeError):
    """A data file is absent, or is not the one that was published."""


def data_root() -> Path:
    """The folder that holds data sets: ``NCLIB_DATA``, or the user's data folder."""
    return Path(os.environ.get("NCLIB_DATA") or platformdirs.user_data_dir("nclib"))


def checksum(data: bytes, algorithm: str = "sha256") -> str:
    """Hexadecimal digest of some bytes."""
    return hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()


def git_blob_id(data: bytes) -> str:
    """What git calls a file with this content.

    >>> git_blob_id(b"")
    'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391'
    """
    return checksum(b"blob %d\0" % len(data) + data, "sha1")


def read_verified(path: Path, md5: str) -> bytes:
    """The bytes of a file whose MD5 is known.

    Raises:
        DataError: if the file's MD5 is another; the message names the file and both digests.
    """
    data = path.read_bytes()
    digest = checksum(data, "md5")
    if digest != md5:
        raise DataError(
            f"{path} is corrupted or truncated ({len(data):,} bytes): expected MD5 {md5}, "
            f"found {digest}; delete it and build the data set again"
        )
    return data


def check_blob(what: str, content: bytes, expected: str) -> None:
    """Refuse content that is not the published one.

    Raises:
        DataError: if its git blob id is another; the message names it and both ids.
    """
    blob = git_blob_id(content)
    if blob != expected:
        raise DataError(
            f"{what} is not the published one ({len(content):,} bytes): expected git blob "
            f"{expected}, found {blob}"
        )
