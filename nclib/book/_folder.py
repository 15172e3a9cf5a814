"""Where everything that is built goes."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from nclib.book import _keys
from nclib.book.chapters import checkout

_KEPT = 3  # states of the library whose records and evidence stay for a return to them


class BuildError(RuntimeError):
    """The book could not be built: the message says what failed."""


def build_folder() -> Path:
    """Where everything built goes: ``$NCLIB_BUILD``, else ``build/`` in the checkout."""
    return Path(os.environ.get("NCLIB_BUILD") or checkout() / "build").absolute()


def index(folder: Path | None = None) -> Path:
    """The first page of the built book."""
    return (folder or build_folder()) / "_build" / "html" / "index.html"


def evidence_folder() -> Path:
    """Where the evidence for claims is kept that was computed from the sources as they are."""
    return build_folder() / "evidence" / _keys.evidence_key()


@contextlib.contextmanager
def keeping(variable: str, folder: Path) -> Iterator[None]:
    """Let the variable of the environment name the folder; the oldest beside it go."""
    for old in sorted(folder.parent.glob("*"), key=lambda p: p.stat().st_mtime)[:-_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    before = os.environ.get(variable)
    os.environ[variable] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[variable]
        else:
            os.environ[variable] = before
