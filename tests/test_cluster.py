"""The smoke book through SLURM: killed midway, resumed, and no chapter executed twice."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from nclib import book, chapters


def partition() -> str | None:
    """The default partition, if a SLURM answers."""
    if shutil.which("sinfo") is None:
        return None
    asked = subprocess.run(["sinfo", "-h", "-o", "%P"], capture_output=True, text=True, check=False)
    names = asked.stdout.split()
    return next((name.rstrip("*") for name in names if name.endswith("*")), None)


def start(folder: Path, name: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "nclib.cli", "book", "--executor", "slurm", "--jobs", "4"),
            *("--", "--slurm-no-account", "--slurm-status-command", "squeue"),
            *("--slurm-init-seconds-before-status-checks", "2"),
            *("--default-resources", f"slurm_partition={name}"),
        ],
        env={**os.environ, "NCLIB_BUILD": str(folder)},
        start_new_session=True,
    )


def executions(folder: Path) -> dict[str, str]:
    """When each chapter that is ready was executed."""
    return {
        chapter.name: nbformat.read(path, as_version=4).metadata.nclib.date
        for chapter in chapters.list_chapters()
        if (path := folder / "site" / "notebooks" / f"{chapter.name}.ipynb").exists()
    }


@pytest.mark.cluster
def test_the_smoke_book_is_built_through_slurm_and_resumed() -> None:
    name = partition()
    if name is None:
        pytest.skip("no SLURM answers sinfo")
    folder = chapters.checkout() / "build" / "cluster"  # which the nodes share, unlike /tmp
    shutil.rmtree(folder, ignore_errors=True)
    killed = start(folder, name)
    end = time.monotonic() + 900
    while not executions(folder):
        assert killed.poll() is None, "the build ended before a chapter was ready"
        assert time.monotonic() < end, "no chapter was ready in 15 minutes"
        time.sleep(0.5)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    before = executions(folder)
    assert not book.index(folder).exists()

    resumed = start(folder, name)
    assert resumed.wait(timeout=1800) == 0
    assert book.index(folder).exists()
    after = executions(folder)
    assert len(after) == len(chapters.list_chapters())
    assert {name: after[name] for name in before} == before
