"""Where everything that is built goes, and one build at a time in it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
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


@contextlib.contextmanager
def locked(path: Path, *, wait: bool) -> Iterator[None]:
    """Hold a lock that the system releases when this process ends, however it ends."""
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            file.seek(0)
            raise BuildError(f"another build is running here (process {file.read()})") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
