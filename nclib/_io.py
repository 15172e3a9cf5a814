"""Writing files that are whole or absent, whatever interrupts."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file beside its final place, flush it to the disk, then rename it there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)  # mkstemp keeps others from reading
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def clear_parts(path: Path) -> None:
    """Remove the hidden beginnings of a file that killed processes left beside its place."""
    for part in path.parent.glob(f".{path.name}.*.part"):
        shutil.rmtree(part) if part.is_dir() else part.unlink()


def rescue_path(name: str) -> Path:
    """Where a file goes that cannot be written to its place: the folder of temporary files."""
    return Path(tempfile.gettempdir()) / f"nclib-{name}"


def latest(path: Path) -> Path | None:
    """The file itself, or what :func:`rescue_path` names for it, whichever is the newer.

    None where there is neither. What another user put there is not taken.
    """
    candidates = [path] if path.exists() else []
    with suppress(FileNotFoundError):  # there is no folder of temporary files
        spare = rescue_path(path.name)
        if spare.exists() and (os.name != "posix" or spare.stat().st_uid == os.getuid()):
            candidates.append(spare)
    return max(candidates, key=lambda one: one.stat().st_mtime_ns, default=None)


def discard(path: Path) -> None:
    """Remove the file, and what :func:`rescue_path` names for it."""
    path.unlink(missing_ok=True)
    with suppress(OSError):
        rescue_path(path.name).unlink(missing_ok=True)
