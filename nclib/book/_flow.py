"""The whole build, and many runs: ``workflow/Snakefile`` up to a target."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

from nclib._io import write_atomic
from nclib._lock import locked
from nclib._profiles import PROFILES
from nclib.book import _keys, chapters
from nclib.book._folder import BuildError, build_folder, index
from nclib.book.chapters import checkout

if TYPE_CHECKING:
    from nclib.runs import RunConfig


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
    if profile not in PROFILES:
        raise ValueError(f"profile {profile!r}: choose one of {', '.join(PROFILES)}")
    if profile == "smoke":
        device = "cpu"
    _flow(target, {"profile": profile}, jobs, executor, device, extra)
    return index()


def train_in_jobs(
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
    grid = f"grids/{_keys.content_hash(text)}.json"  # from the folder in which the jobs run
    write_atomic(build_folder() / grid, text.encode())
    profile = max((config.profile for config in lacking), key=PROFILES.index)
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
        # The longest notebooks first, so that none is left alone at the end.
        arguments += ["--scheduler", "greedy"]
        arguments += ["--cores", str(jobs), "--resources", "gpu=1"]
        arguments += ["--quiet", "all"]
    arguments += ["--config", *(f"{k}={v}" for k, v in settings.items()), *extra]
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(folder / "lock", wait=False))
        except BlockingIOError as error:
            raise BuildError(f"another build is running here: {error}") from None
        shutil.rmtree(folder / "failed", ignore_errors=True)
        code = _snakemake(arguments)
    reports = sorted((folder / "failed").rglob("*.txt"))
    if code or reports:
        texts = [path.read_text() for path in reports] or [f"Snakemake ended with status {code}"]
        raise BuildError("\n\n".join(texts))


def _snakemake(arguments: list[str]) -> int:
    """Snakemake in this very process, so that our lock lives exactly as long as it does."""
    from snakemake.cli import main  # type: ignore[import-untyped]

    try:
        main(arguments)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


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
