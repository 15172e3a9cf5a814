"""One process at a time trains a run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nclib.runs import _torchrun


class BusyError(RuntimeError):
    """Another process is training the run."""


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the path, when no other process does; the system frees it when a process ends.

    Where the folder cannot be written, or its file system has no locks, nothing is waited for: two
    processes may then do the same work, and the last to finish writes the same record.
    Processes that ``torchrun`` started together train one run together and hold no lock.

    Raises:
        BusyError: if another process holds it, and this one is not to wait.
    """
    if os.name != "posix" or _torchrun.started():
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
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise BusyError(f"another process is training run {path.stem}") from None
        except OSError:  # there are no locks
            pass
        yield
    finally:
        os.close(handle)
