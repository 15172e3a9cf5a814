"""One process at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a lock file while no other process does; the system frees it when a process ends.

    The file holds the number of the process that has or had the lock. Where the folder cannot be
    written, or its file system has no locks, nothing is waited for: two processes may then do the
    same work, and the last to finish writes the same result.

    Args:
        path: of the lock file, which is made, with its folder, and stays.
        wait: whether to wait for the process that holds it.

    Raises:
        BlockingIOError: if another process holds it, and this one is not to wait; the message names
            the file and that process.
    """
    if os.name != "posix":
        yield
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
    except OSError:
        yield
        return
    try:
        _take(handle, path, wait)
        yield
    finally:
        os.close(handle)


def _take(handle: int, path: Path, wait: bool) -> None:
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        number = os.read(handle, 32).decode()
        raise BlockingIOError(f"{path} is locked by process {number or '(unknown)'}") from None
    except OSError:  # the file system has no locks
        return
    with suppress(OSError):  # the disk is full
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
