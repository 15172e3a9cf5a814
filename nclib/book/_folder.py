"""Where everything that is built goes."""

from __future__ import annotations

import os
from pathlib import Path

from nclib.book.chapters import checkout


class BuildError(RuntimeError):
    """The book could not be built: the message says what failed."""


def build_folder() -> Path:
    """Where everything built goes: ``$NCLIB_BUILD``, else ``build/`` in the checkout."""
    return Path(os.environ.get("NCLIB_BUILD") or checkout() / "build").absolute()


def index(folder: Path | None = None) -> Path:
    """The first page of the built book."""
    return (folder or build_folder()) / "_build" / "html" / "index.html"
