"""Build the book: executed chapters and pages in a mirror of the sources, and HTML from there.

Everything happens below ``build/``; the tree is read only. `build` runs ``workflow/Snakefile``,
whose jobs are the two steps here: `run_chapter` and `make_site`. What was built from the same
content is kept: a chapter's key hashes its source, its parameters, the library, the ledger, the
data sets at hand, versions and device; the executed notebook lies under its key.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

from nclib import chapters
from nclib._io import write_atomic
from nclib.chapters import Chapter, checkout

if TYPE_CHECKING:
    from nclib.runs import RunConfig

__all__ = [
    "BuildError",
    "build",
    "build_folder",
    "chapter_key",
    "draft",
    "grids",
    "index",
    "record_key",
    "refresh",
    "site_key",
    "train",
]

# What of the library no notebook and no page's content comes from.
_RUNNERS = {"nclib/cli.py"}
_KEPT = 3  # executed versions of a chapter that stay for a return to them


class BuildError(RuntimeError):
    """The book could not be built: the message says what failed."""


def build_folder() -> Path:
    """Where everything built goes: ``$NCLIB_BUILD``, else ``build/`` in the checkout."""
    return Path(os.environ.get("NCLIB_BUILD") or checkout() / "build").absolute()


def index(folder: Path | None = None) -> Path:
    """The first page of the built book."""
    return (folder or build_folder()) / "_build" / "html" / "index.html"


# ---------------------------------------------------------------------------------- content keys


def chapter_key(chapter: Chapter, profile: str, device: str) -> str:
    """Hash of all that decides what the executed chapter holds."""
    cells = nbformat.read(chapter.path, as_version=4).cells
    return _hash(
        {
            "cells": [[c.cell_type, c.source, c.metadata] for c in cells],
            "profile": profile,
            "device": device,
            "library": _library(),
            "ledger": _tree("book/ledger"),
            "data": [] if profile == "smoke" else _data(),
            "versions": chapters.versions(),
        }
    )


def record_key(grid: str) -> str:
    """Hash of all that decides the records of a grid at the smoke profile."""
    return _hash([grid, _library(), chapters.versions()])


def grids(chapter: Chapter, profile: str) -> list[str]:
    """The grids of runs (`nclib.runs.read_grid`) that a chapter takes its records from.

    They are those of the papers whose ``runs`` it imports.
    """
    source = chapter.path.read_text(encoding="utf-8")
    papers = set(re.findall(r"from nclib\.papers\.(\w+) import runs\b", source))
    return [f"{paper.replace('_', '-')}/{profile}" for paper in sorted(papers)]


def site_key(keys: Mapping[str, str]) -> str:
    """Hash of all that decides what the built book holds, given its chapters' keys."""
    return _hash([dict(keys), _tree("book"), _settings()])


@functools.cache
def _library() -> dict[str, str]:
    files = _tree("nclib") | _tree("data_recipes")
    return {name: digest for name, digest in files.items() if name not in _RUNNERS}


@functools.cache
def _settings() -> dict[str, str]:
    """What every page depends on: a change rebuilds all of them."""
    names = ("jupyter-book", "Sphinx", "myst-nb", "sphinx-book-theme")
    return (
        {name: metadata.version(name) for name in names}
        | _tree("book/_ext")
        | {name: _digest(checkout() / name) for name in ("_config.yml", "_toc.yml")}
    )


def _data() -> list[tuple[str, int]]:
    """Names and sizes in the data root; what they hold is the recipes' to verify."""
    from nclib import data

    root = data.data_root()
    files = [*root.glob("*"), *root.glob("*/*")]
    return sorted((p.relative_to(root).as_posix(), p.stat().st_size) for p in files if p.is_file())


@functools.cache
def _tree(folder: str) -> dict[str, str]:
    root = checkout()
    return {
        path.relative_to(root).as_posix(): _digest(path)
        for path in sorted((root / folder).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:20]


# ------------------------------------------------------------------------------ steps of the flow


def make_records(grid: str, run: str | None) -> None:
    """Train what the ledger and the cache lack of a grid, or the one run with that id."""
    with _cache(grid.rpartition("/")[2]):
        from nclib import runs

        configs = [c for c in runs.read_grid(grid) if run in (None, c.id)]
        clock = time.monotonic()
        for record in runs.get_all(configs):
            print(f"  record    {grid} {record.id}", flush=True)
    print(f"  records   {grid}  {time.monotonic() - clock:.0f} s", flush=True)


@contextlib.contextmanager
def _cache(profile: str) -> Iterator[None]:
    """At the smoke profile, keep records by the library that made them.

    A smoke run takes seconds, so it follows every change of the source. Longer runs are identified
    by their configuration alone and stay in the user's cache.
    """
    if profile != "smoke":
        yield
        return
    store = build_folder() / "cache"
    for old in sorted(store.glob("*"), key=lambda p: p.stat().st_mtime)[:-_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    before = os.environ.get("NCLIB_CACHE")
    os.environ["NCLIB_CACHE"] = str(store / _hash([_library(), chapters.versions()]))
    try:
        yield
    finally:
        if before is None:
            del os.environ["NCLIB_CACHE"]
        else:
            os.environ["NCLIB_CACHE"] = before


def run_chapter(name: str, profile: str, device: str, threads: int) -> None:
    """Put the executed chapter into the mirror; execute it if that has not been done as it stands.

    Two processes may be asked for the same chapter (one of them left over from a build that was
    killed): the second waits for the first and takes its result.
    """
    folder = build_folder()
    chapter = next(c for c in chapters.list_chapters() if c.name == name)
    store = folder / "executed" / name
    store.mkdir(parents=True, exist_ok=True)
    key = chapter_key(chapter, profile, device)  # now, whatever it was when the build began
    executed = store / f"{key}.ipynb"
    with _locked(store / "lock", wait=True), _cache(profile):
        if not executed.exists():
            clock = time.monotonic()
            given = {} if profile == "smoke" else {"profile": profile}
            chapters.execute(chapter, executed, given, threads=threads, stamp={"key": key})
            print(f"  executed  {name}  {time.monotonic() - clock:.0f} s", flush=True)
            versions = sorted(store.glob("*.ipynb"), key=lambda p: p.stat().st_mtime)
            for old in versions[:-_KEPT]:
                old.unlink()
    write_atomic(folder / "site" / "notebooks" / f"{name}.ipynb", executed.read_bytes())


def make_site(folder: Path, *, strict: bool = True) -> None:
    """Complete the mirror ``folder/site`` and build the HTML from it.

    A build that was interrupted or failed leaves a mark; the next one then starts afresh, since
    pages may be torn, and warnings are given only for pages that are read anew.
    """
    _mirror(folder / "site")
    mark, log = folder / "site.unfinished", folder / "html.log"
    settings, settled = _hash(_settings()), folder / "site.settings"
    if mark.exists() or not settled.exists() or settled.read_text() != settings:
        shutil.rmtree(folder / "_build", ignore_errors=True)
    write_atomic(mark, b"")
    call = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    call += ["build", str(folder / "site"), "--path-output", str(folder), "-n", "--keep-going"]
    clock = time.monotonic()
    with log.open("wb") as file:
        done = subprocess.run(
            [*call, "-W"] if strict else call, stdout=file, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode or not index(folder).is_file():
        raise BuildError(_excerpt(log))
    write_atomic(settled, settings.encode())
    mark.unlink()
    print(f"  built     HTML  {time.monotonic() - clock:.0f} s", flush=True)


def _excerpt(log: Path) -> str:
    lines = _warnings(log) or log.read_text(errors="replace").splitlines()[-30:]
    return "\n".join(["jupyter-book stopped:", *lines, f"(all of it: {log})"])


def _warnings(log: Path) -> list[str]:
    """The lines that name a warning or an error, without colours and our own folder."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", log.read_text(errors="replace"))
    text = text.replace(f"{log.parent / 'site'}{os.sep}", "")
    return [line for line in text.splitlines() if re.search(r"WARNING|ERROR|^[\w.]+Error:", line)]


def _mirror(site: Path) -> None:
    """Bring ``site`` in step with the sources; what is equal keeps its time, so that Sphinx
    reads only what changed."""
    root = checkout()
    wanted = {site / "notebooks" / f"{c.name}.ipynb" for c in chapters.list_chapters()}
    sources = ["_config.yml", "_toc.yml", *_tree("book")]
    for name in sources:
        if not name.startswith("book/ledger/"):
            wanted.add(_update(site / name, (root / name).read_bytes()))
    from nclib import _pages  # reads ledger and claims, and so needs the whole library

    for name, text in _pages.generated(site).items():
        wanted.add(_update(site / name, text.encode()))
    for path in [p for p in site.rglob("*") if p.is_file() and p not in wanted]:
        path.unlink()


def _update(path: Path, content: bytes) -> Path:
    if not path.is_file() or path.read_bytes() != content:
        write_atomic(path, content)
    return path


# -------------------------------------------------------------------------------- the whole build


def build(
    profile: str = "smoke",
    *,
    jobs: int | None = None,
    executor: str = "local",
    device: str | None = None,
    target: str = "book",
    extra: Sequence[str] = (),
) -> Path:
    """Execute what changed and build the book.

    Args:
        profile: at which the chapters run.
        jobs: how many at once; None: as many as there are cores.
        executor: a Snakemake executor, such as ``slurm``.
        device: ``cpu`` or ``cuda``, where the chapters will run; None: what this machine has. The
            smoke profile always runs on the processor.
        target: a rule of ``workflow/Snakefile``.
        extra: further arguments for Snakemake.

    Returns:
        The first page.

    Raises:
        BuildError: if a chapter or the HTML failed; all others are built nevertheless.
    """
    if profile not in chapters.PROFILES:
        raise ValueError(f"profile {profile!r}: choose one of {', '.join(chapters.PROFILES)}")
    if profile == "smoke":
        device = "cpu"
    _flow(target, {"profile": profile}, jobs, executor, device, extra)
    return index()


def train(
    configs: Iterable[RunConfig],
    *,
    jobs: int | None = None,
    executor: str = "local",
    device: str | None = None,
    extra: Sequence[str] = (),
) -> None:
    """Train what the ledger and the cache lack, each run in a job of its own.

    A run that starts from the network of another follows it. The records come into the cache, which
    the machines share.

    Args:
        configs: in the order in which they are wanted.
        jobs: how many at once; None: as many as there are cores.
        executor: a Snakemake executor, such as ``slurm``.
        device: ``cpu`` or ``cuda``, what a job asks for; None: what this machine has.
        extra: further arguments for Snakemake.

    Raises:
        BuildError: if a run has no record in the end; all others are trained nevertheless.
    """
    from nclib.runs import ledger

    lacking = [config for config in configs if ledger.find_path(config) is None]
    if not lacking:
        return
    text = f"[{','.join(config.to_json() for config in lacking)}]"
    grid = f"grids/{_hash(text)}.json"  # from the folder in which the jobs run
    write_atomic(build_folder() / grid, text.encode())
    profile = max((config.profile for config in lacking), key=chapters.PROFILES.index)
    settings, failure = {"profile": profile, "grid": grid}, ""
    try:
        # Whatever marks an earlier call has left: these records are not there.
        _flow("runs", settings, jobs, executor, device, ["--forcerun", "record", *extra])
    except BuildError as error:
        failure = str(error)
    missing = [config.id for config in lacking if ledger.find_path(config) is None]
    if missing:
        raise BuildError(f"{failure}\n\nno record of {', '.join(missing)}".strip())


def _flow(
    target: str,
    settings: Mapping[str, str],
    jobs: int | None,
    executor: str,
    device: str | None,
    extra: Sequence[str],
) -> None:
    """Run the workflow up to a target."""
    folder = build_folder()
    folder.mkdir(parents=True, exist_ok=True)
    jobs = jobs or os.cpu_count() or 1
    if device is None:
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
    settings = {**settings, "device": device}
    for name in ("NCLIB_CACHE", "NCLIB_DATA", "NCLIB_LEDGER"):  # the jobs run in another folder
        if os.environ.get(name):
            os.environ[name] = str(Path(os.environ[name]).absolute())
    arguments = [target, "--snakefile", str(checkout() / "workflow" / "Snakefile")]
    arguments += ["--directory", str(folder), "--executor", executor, "--jobs", str(jobs)]
    # Content decides what runs again (a key among the parameters), never a file's time. The lock
    # is ours: Snakemake's own outlives a process that was killed.
    arguments += ["--rerun-triggers", "params", "--nolock", "--rerun-incomplete", "--keep-going"]
    if executor == "local":
        arguments += ["--cores", str(jobs), "--resources", "gpu=1"]
        arguments += ["--quiet", "all"]
    arguments += ["--config", *(f"{k}={v}" for k, v in settings.items()), *extra]
    with _locked(folder / "lock", wait=False):
        shutil.rmtree(folder / "failed", ignore_errors=True)
        code = _snakemake(arguments)
    reports = sorted((folder / "failed").rglob("*.txt"))
    if code or reports:
        texts = [path.read_text() for path in reports] or [f"Snakemake ended with status {code}"]
        raise BuildError("\n\n".join(texts))


def draft() -> Path:
    """A quick look at the pages, in ``build/draft``: from the outputs that the notebooks in the
    tree have, executing nothing and letting warnings pass (they are printed).

    Returns:
        The first page.

    Raises:
        BuildError: if the HTML cannot be built.
    """
    folder = build_folder() / "draft"
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / "lock", wait=True):
        for chapter in chapters.list_chapters():
            place = folder / "site" / "notebooks" / f"{chapter.name}.ipynb"
            _update(place, chapter.path.read_bytes())
        make_site(folder, strict=False)
    print("\n".join(_warnings(folder / "html.log")))
    return index(folder)


def _snakemake(arguments: list[str]) -> int:
    """Snakemake in this very process, so that our lock lives exactly as long as it does."""
    from snakemake.cli import main  # type: ignore[import-untyped]

    try:
        main(arguments)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@contextlib.contextmanager
def _locked(path: Path, *, wait: bool) -> Iterator[None]:
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


def refresh() -> list[str]:
    """Write the normalised smoke outputs into ``notebooks/``; names of the chapters that changed.

    Raises:
        BuildError: if a chapter fails, or writes to stderr, which a reader would see as noise and
            a re-run seldom repeats. Then nothing is written.
    """
    build("smoke", target="chapters")
    fresh, loud = {}, []
    for chapter in chapters.list_chapters():
        path = build_folder() / "site" / "notebooks" / f"{chapter.name}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        loud += [f"{chapter.name}: cell {n}" for n in chapters.stderr_cells(notebook)]
        fresh[chapter] = chapters.normalise(notebook)
    if loud:
        raise BuildError("these cells wrote to stderr:\n  " + "\n  ".join(loud))
    changed = []
    for chapter, notebook in fresh.items():
        if nbformat.read(chapter.path, as_version=4) != notebook:
            chapters.write(notebook, chapter.path)
            changed.append(chapter.name)
    return changed


def _explains_itself(error: Exception) -> bool:
    """Whether a traceback would add nothing."""
    from nclib.data import DataError
    from nclib.runs import FailedRunsError
    from nclib.train import DivergedError, StoppedError

    if isinstance(error, FailedRunsError):
        return all(isinstance(one, (DataError, DivergedError)) for one in error.errors.values())
    return isinstance(error, (BuildError, chapters.ChapterError, StoppedError))


def _step() -> None:
    """Entry of the workflow's jobs: ``python -m nclib.book chapter|site …``."""
    parser = argparse.ArgumentParser(prog="python -m nclib.book")
    steps = parser.add_subparsers(required=True)
    chapter = steps.add_parser("chapter")
    chapter.add_argument("name")
    chapter.add_argument("--profile", required=True)
    chapter.add_argument("--device", required=True)
    chapter.add_argument("--threads", type=int, required=True)
    chapter.set_defaults(step=run_chapter)
    records = steps.add_parser("records")
    records.add_argument("grid")
    records.add_argument("--run")
    records.set_defaults(step=make_records)
    site = steps.add_parser("site")
    site.set_defaults(step=lambda: make_site(build_folder()))
    arguments = vars(parser.parse_args())
    step = arguments.pop("step")
    parts = [arguments.get(part) for part in ("name", "grid", "run")]
    what = "/".join(part for part in parts if part) or "book"
    try:
        step(**arguments)
    except Exception as error:  # reported by `build` when all others have run
        text = str(error) if _explains_itself(error) else f"{what}:\n{traceback.format_exc()}"
        write_atomic(build_folder() / "failed" / f"{what}.txt", text.encode())
        print(f"  failed    {what}", flush=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    _step()
