"""One process at a time trains a run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait until no other process holds the path; the system frees it when a process ends.

    Where the folder cannot be written, or its file system has no locks, nothing is waited for: two
    processes may then do the same work, and the last to finish writes the same record.
    Processes that ``torchrun`` started together train one run together and hold no lock.
    """
    if os.name != "posix" or "TORCHELASTIC_RUN_ID" in os.environ:
        yield
        return
    import fcntl

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o644)
    except OSError:
        yield
        return
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
