"""The steps of the workflow: train a grid's records, execute a chapter."""

from __future__ import annotations

import contextlib
import time

from nclib._io import write_atomic
from nclib._lock import locked
from nclib.book import _keys, chapters
from nclib.book._folder import build_folder, evidence_folder, keeping
from nclib.book.chapters import Chapter

_KEPT = 3  # executed versions of a chapter that stay for a return to them


def grids(chapter: Chapter, profile: str) -> list[str]:
    """The grids of runs (`nclib.papers.read_grid`) that a chapter takes its records from."""
    from nclib.papers import PAPERS  # imports torch

    return [f"{paper.id}/{profile}" for paper in PAPERS.values() if chapter.name in paper.trained]


def make_records(grid: str, run: str | None) -> None:
    """Train what the ledger and the cache lack of a grid, or the one run with that id."""
    with _cache(grid.rpartition("/")[2]):
        from nclib import queue
        from nclib.papers import read_grid

        configs = [c for c in read_grid(grid) if run in (None, c.id)]
        clock = time.monotonic()
        for record in queue.get_all(configs):
            print(f"  record    {grid} {record.id}", flush=True)
    print(f"  records   {grid}  {time.monotonic() - clock:.0f} s", flush=True)


def _cache(profile: str) -> contextlib.AbstractContextManager[None]:
    """At the smoke profile, keep records by the library that made them.

    A smoke run takes seconds, so it follows every change of the source. Longer runs are identified
    by their configuration alone and stay in the user's cache.
    """
    if profile != "smoke":
        return contextlib.nullcontext()
    key = _keys.content_hash([_keys.library(), chapters.versions()])
    return keeping("NCLIB_CACHE", build_folder() / "cache" / key)


def run_chapter(name: str, profile: str, device: str, threads: int) -> None:
    """Put the executed chapter into the mirror; execute it if that has not been done as it stands.

    Two processes may be asked for the same chapter (one of them left over from a build that was
    killed): the second waits for the first and takes its result.
    """
    folder = build_folder()
    chapter = next(c for c in chapters.list_chapters() if c.name == name)
    store = folder / "executed" / name
    store.mkdir(parents=True, exist_ok=True)
    key = _keys.chapter_key(chapter, profile, device)  # now, whatever it was when the build began
    executed = store / f"{key}.ipynb"
    evidence = keeping("NCLIB_EVIDENCE", evidence_folder())
    with locked(store / "lock"), _cache(profile), evidence:
        if not executed.exists():
            clock = time.monotonic()
            given = {} if profile == "smoke" else {"profile": profile}
            chapters.execute(chapter, executed, given, threads=threads, stamp={"key": key})
            print(f"  executed  {name}  {time.monotonic() - clock:.0f} s", flush=True)
            versions = sorted(store.glob("*.ipynb"), key=lambda p: p.stat().st_mtime)
            for old in versions[:-_KEPT]:
                old.unlink()
    write_atomic(folder / "site" / "notebooks" / f"{name}.ipynb", executed.read_bytes())
