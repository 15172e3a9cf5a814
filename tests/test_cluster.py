"""A grid and the smoke book through SLURM: killed midway, resumed, and nothing done twice."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from nclib import book
from nclib.book import chapters
from nclib.runs import RunConfig


def partition() -> str | None:
    """The default partition, if a SLURM answers."""
    if shutil.which("sinfo") is None:
        return None
    asked = subprocess.run(["sinfo", "-h", "-o", "%P"], capture_output=True, text=True, check=False)
    names = asked.stdout.split()
    return next((name.rstrip("*") for name in names if name.endswith("*")), None)


def start(folder: Path, name: str, *command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "nclib.cli", *command, "--executor", "slurm", "--jobs", "4"),
            *("--", "--slurm-no-account", "--slurm-status-command", "squeue"),
            *("--slurm-init-seconds-before-status-checks", "2"),
            *("--default-resources", f"slurm_partition={name}"),
        ],
        env={**os.environ, "NCLIB_BUILD": str(folder), "NCLIB_CACHE": str(folder / "own")},
        start_new_session=True,
    )


def kill_when(condition: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 900
    while not condition():
        assert process.poll() is None, "the command ended early"
        assert time.monotonic() < end, "nothing was ready in 15 minutes"
        time.sleep(0.5)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture
def cluster() -> str:
    name = partition()
    if name is None:
        pytest.skip("no SLURM answers sinfo")
    return name


def fresh(name: str) -> Path:
    """A folder that the nodes share, unlike /tmp."""
    folder = chapters.checkout() / "build" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


@pytest.mark.cluster
def test_a_grid_is_trained_through_slurm_and_resumed(cluster: str) -> None:
    folder = fresh("cluster-runs")
    fields = {"paper": "x", "profile": "smoke", "dataset": "digits", "imbalance": 20, "epochs": 4}
    first = RunConfig.model_validate({**fields, "method": "nc-drw"})
    second, other = first.replace(method="nc-drw-crt"), first.replace(seed=1)
    grid = folder / "grid.json"
    grid.write_text(f"[{','.join(run.to_json() for run in (second, first, other))}]")
    places = {
        run: folder / "own" / "runs" / "x" / f"{run.id}.json" for run in (first, second, other)
    }
    command = ("train", "--device", "cpu", "--grid", str(grid))

    killed = start(folder, cluster, *command)
    kill_when(places[first].exists, killed)
    before = places[first].stat().st_mtime_ns
    assert not places[second].exists()

    assert start(folder, cluster, *command).wait(timeout=1800) == 0
    assert all(place.exists() for place in places.values())
    assert places[first].stat().st_mtime_ns == before


def executions(folder: Path) -> dict[str, str]:
    """When each chapter that is ready was executed."""
    return {
        chapter.name: nbformat.read(path, as_version=4).metadata.nclib.date
        for chapter in chapters.list_chapters()
        if (path := folder / "site" / "notebooks" / f"{chapter.name}.ipynb").exists()
    }


@pytest.mark.cluster
def test_the_smoke_book_is_built_through_slurm_and_resumed(cluster: str) -> None:
    folder = fresh("cluster")
    kill_when(lambda: executions(folder), start(folder, cluster, "book"))
    before = executions(folder)
    assert not book.index(folder).exists()

    assert start(folder, cluster, "book").wait(timeout=1800) == 0
    assert book.index(folder).exists()
    after = executions(folder)
    assert len(after) == len(chapters.list_chapters())
    assert {name: after[name] for name in before} == before
