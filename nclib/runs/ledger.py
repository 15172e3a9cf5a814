"""The ledger of run records: published ones in the checkout, others in the user's cache.

Both are laid out as ``<paper>/<id>.json``. The published ledger is ``book/ledger`` beside the
package, or ``NCLIB_LEDGER``; the cache is the user's cache folder, or ``NCLIB_CACHE``. A record
that the cache could not take waits in the folder of temporary files for its user to move it: what
lies there is never read by itself.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import platformdirs

from nclib import _io
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
    return None if path is None else RunRecord.load(path)


def find_path(config: RunConfig) -> Path | None:
    """Where :func:`find` reads the record, or None."""
    places = (_place(config, published_root()), cache_path(config))
    return next((path for path in places if path.exists()), None)


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
            if RunRecord.load(path).to_json() == record.to_json():
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


def records(paper: str | None = None, *, profile: str | None = None) -> list[RunRecord]:
    """Published records, ordered by path; of one paper or profile when given.

    Raises:
        RecordError: if a file is torn or was edited.
    """
    found = [
        RunRecord.load(path) for path in sorted(published_root().glob(f"{paper or '*'}/*.json"))
    ]
    return [record for record in found if profile in (None, record.profile)]


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
            record = RunRecord.load(path)
        except RecordError as error:
            problems.append(str(error))
            continue
        if path != _place(record.config, root):
            problems.append(f"{path}: its place is {_place(record.config, root)}")
    return problems


def checkpoint_path(config: RunConfig) -> Path:
    """Where an unfinished run keeps its state."""
    return cache_root() / "checkpoints" / config.paper / f"{config.id}.pt"


def network_path(config: RunConfig) -> Path:
    """Where the weights of a finished network are kept, for the runs that start from them."""
    return cache_root() / "networks" / config.paper / f"{config.id}.pt"


def _place(config: RunConfig, root: Path) -> Path:
    return root / config.paper / f"{config.id}.json"
