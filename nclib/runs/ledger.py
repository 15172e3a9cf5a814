"""The ledger of run records: published ones in the checkout, others in the user's cache.

Both are laid out as ``<paper>/<id>.json``. The published ledger is ``book/ledger`` beside the
package, or ``NCLIB_LEDGER``; the cache is the user's cache folder, or ``NCLIB_CACHE``. A record
that the cache could not take waits in the folder of temporary files for its user to move it: what
lies there is never read by itself.

A file is read once, and again when it has changed.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import platformdirs

from nclib import _io
from nclib._names import unknown
from nclib.runs._config import RunConfig
from nclib.runs._record import RecordError, RunRecord


def published_root() -> Path:
    """Folder of the published ledger."""
    checkout = Path(__file__).resolve().parents[2]
    return Path(os.environ.get("NCLIB_LEDGER") or checkout / "book" / "ledger")


def cache_root() -> Path:
    """Folder of the user's cache."""
    return Path(os.environ.get("NCLIB_CACHE") or platformdirs.user_cache_dir("nclib"))


def find(config: RunConfig) -> RunRecord | None:
    """The published record of a configuration, else the cached one, else None.

    Raises:
        RecordError: if the file is torn or was edited.
    """
    path = find_path(config)
    return None if path is None else _read(path)


def find_path(config: RunConfig) -> Path | None:
    """Where :func:`find` reads the record, or None."""
    places = (_place(config, published_root()), cache_path(config))
    return next((path for path in places if path.exists()), None)


def published(config: RunConfig) -> RunRecord | None:
    """The published record of a configuration; None, whatever the cache has, without one.

    Raises:
        RecordError: if the file is torn or was edited.
    """
    path = _place(config, published_root())
    return _read(path) if path.exists() else None


def record(record_id: str) -> RunRecord:
    """The published record with this id, or the one whose id begins so.

    Raises:
        ValueError: if the ids of several records begin so, or of none.
        RecordError: if a file is torn or was edited.
    """
    matches = [entry for entry in records() if entry.id.startswith(record_id)]
    if len(matches) != 1:
        raise ValueError(
            f"{len(matches)} records of the ledger begin with {record_id!r}, expected one"
        )
    return matches[0]


def holder(record: RunRecord, *, published: bool = True) -> Path | None:
    """The file that holds this very record, not an older one of its configuration; else None.

    Args:
        record: the record.
        published: whether to look at the published one, too.
    """
    places = [_place(record.config, published_root())] if published else []
    places.append(cache_path(record.config))
    with suppress(FileNotFoundError):  # there is no folder of temporary files
        places.append(rescue_path(record.config))
    for path in places:
        with suppress(OSError, RecordError):
            if _read(path).to_json() == record.to_json():
                return path
    return None


def cache_path(config: RunConfig) -> Path:
    """Where :func:`cache` saves the record."""
    return _place(config, cache_root() / "runs")


def rescue_path(config: RunConfig) -> Path:
    """Where a record waits that the cache could not take.

    Raises:
        FileNotFoundError: if there is no folder of temporary files.
    """
    return _io.rescue_path(f"{config.id}.json")


def cache(record: RunRecord) -> Path:
    """Save a record in the user's cache; returns its path."""
    path = cache_path(record.config)
    record.save(path)
    return path


def publish(record: RunRecord) -> Path:
    """Save a record in the published ledger; returns its path.

    Raises:
        FileNotFoundError: if the package runs outside a checkout and ``NCLIB_LEDGER`` is not set.
    """
    root = published_root()
    if not os.environ.get("NCLIB_LEDGER") and not root.parent.is_dir():
        raise FileNotFoundError(
            f"there is no folder {root.parent}: publish from a checkout, or set NCLIB_LEDGER"
        )
    path = _place(record.config, root)
    record.save(path)
    return path


def records(paper: str | None = None, **fields: Any) -> list[RunRecord]:
    """Published records, ordered by path.

    Args:
        paper: those of one paper; None: of all.
        fields: values of fields of the configuration, such as ``profile="laptop"``.

    Raises:
        RecordError: if a file is torn or was edited.
        ValueError: if a configuration has no such field; near matches are listed.
    """
    for name in fields:
        if name not in RunConfig.model_fields:
            raise unknown("field", name, RunConfig.model_fields)
    return [
        entry
        for entry in map(_read, _paths(paper))
        if all(getattr(entry.config, name) == value for name, value in fields.items())
    ]


def groups(paper: str, profile: str) -> list[list[RunRecord]]:
    """Published records of a paper at a profile, together those that differ in the seed alone."""
    return [list(group) for group in _groups(version(), paper, profile)]


@lru_cache(maxsize=64)
def _groups(_: object, paper: str, profile: str) -> tuple[tuple[RunRecord, ...], ...]:
    by_config: dict[str, list[RunRecord]] = {}
    for entry in records(paper, profile=profile):
        by_config.setdefault(entry.config.model_copy(update={"seed": 0}).id, []).append(entry)
    return tuple(map(tuple, by_config.values()))


def version() -> tuple[tuple[Path, tuple[int, ...]], ...]:
    """What tells one state of the published ledger from another: its files and their stamps.

    A key for what is computed from records.
    """
    return tuple((path, _stamp(path)) for path in _paths())


def verify() -> list[str]:
    """One line for each thing wrong with the published ledger; none when all is well.

    Every record is read and its hash checked; it must stand in its paper's folder under its own id,
    and nothing but records may stand there.
    """
    problems = []
    root = published_root()
    if not root.is_dir():
        return [f"{root}: there is no such folder"]
    for path in sorted(item for item in root.rglob("*") if item.is_file()):
        if path.suffix != ".json":
            problems.append(f"{path}: no run record")
            continue
        try:
            config = RunRecord.load(path).config
        except RecordError as error:
            problems.append(str(error))
            continue
        if path != _place(config, root):
            problems.append(f"{path}: its place is {_place(config, root)}")
    return problems


def checkpoint_path(config: RunConfig) -> Path:
    """Where an unfinished run keeps its state."""
    return cache_root() / "checkpoints" / config.paper / f"{config.id}.pt"


def network_path(config: RunConfig) -> Path:
    """Where the weights of a finished network are kept, for the runs that start from them."""
    return cache_root() / "networks" / config.paper / f"{config.id}.pt"


def _place(config: RunConfig, root: Path) -> Path:
    return root / config.paper / f"{config.id}.json"


def _paths(paper: str | None = None) -> list[Path]:
    return sorted(published_root().glob(f"{paper or '*'}/*.json"))


_CACHED: dict[Path, tuple[tuple[int, ...], RunRecord]] = {}  # by path: stamp and content


def _read(path: Path) -> RunRecord:
    """The record in a file, read anew where the file has changed since it was read last."""
    stamp = _stamp(path)  # first: what is written meanwhile is read the next time
    if path not in _CACHED or _CACHED[path][0] != stamp:
        _CACHED[path] = stamp, RunRecord.load(path)
    return _CACHED[path][1]


def _stamp(path: Path) -> tuple[int, ...]:
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
