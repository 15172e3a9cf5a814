"""Building the book: what runs again, what a failure leaves, and what an interruption leaves."""

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
from tiny import chapter

from nclib import book
from nclib.book import _keys, _pages, _site, chapters

# Executes the chapters as `make book` does, and stops before the HTML. These chapters are of no
# paper; to ask the papers, each build would import torch.
BUILD = "from nclib import book; book.grids = lambda *_: []; book.build(target='chapters')"
COUNT = "with open({path!r}, 'a') as file:\n    print({name!r}, file=file)"


class House:
    """A few tiny chapters, a folder to build in, and a count of executions."""

    def __init__(self, folder: Path) -> None:
        self.notebooks, self.build, self.runs = (
            folder / "notebooks",
            folder / "build",
            folder / "runs",
        )

    def chapter(self, name: str, *cells: str) -> None:
        count = COUNT.format(path=str(self.runs), name=name)
        chapter(self.notebooks / f"{name}.ipynb", count, *cells)

    def executed(self) -> list[str]:
        return sorted(self.runs.read_text().split()) if self.runs.exists() else []

    def result(self, name: str) -> nbformat.NotebookNode:
        return nbformat.read(self.build / "site" / "notebooks" / f"{name}.ipynb", as_version=4)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    made = House(tmp_path)
    monkeypatch.setenv("NCLIB_NOTEBOOKS", str(made.notebooks))
    monkeypatch.setenv("NCLIB_BUILD", str(made.build))
    return made


class Build:
    """A build in a process of its own. What it says goes to a file: jobs that outlive it would
    hold a pipe open."""

    def __init__(self, house: House) -> None:
        self.log = house.build.with_suffix(".log")
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", BUILD],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def finish(self) -> str:
        """Wait until it ends, well or badly; what it said."""
        self.process.wait(timeout=120)
        return self.log.read_text()


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_only_what_changed_runs_again(house: House) -> None:
    house.chapter("a/one", "print(seed)")
    house.chapter("b/two", "print(lam)")
    Build(house).finish()
    assert house.executed() == ["a/one", "b/two"]

    os.utime(house.notebooks / "a" / "one.ipynb")  # content decides, not time
    Build(house).finish()
    assert house.executed() == ["a/one", "b/two"]

    house.chapter("b/two", "print(2 * lam)")
    Build(house).finish()
    assert house.executed() == ["a/one", "b/two", "b/two"]
    assert house.result("b/two").cells[3].outputs[0].text == "0.2\n"


def test_a_failed_chapter_is_reported_and_stops_no_other(house: House) -> None:
    house.chapter("a/bad", "values = {}", "values['key']")
    house.chapter("b/good", "print('fine')")
    failing = Build(house)
    said = failing.finish()
    assert failing.process.returncode
    assert "a/bad: cell 5 of 5 failed" in said
    assert "KeyError: 'key'" in said
    assert house.result("b/good").cells[3].outputs[0].text == "fine\n"
    assert not (house.build / "site" / "notebooks" / "a" / "bad.ipynb").exists()


def test_a_killed_build_is_resumed(house: House, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    house.chapter("a/quick", "print('quick')")
    house.chapter(
        "b/slow",
        f"import pathlib, time\nwhile not pathlib.Path({str(gate)!r}).exists():\n"
        "    time.sleep(0.05)\nprint('slow')",
    )
    killed = Build(house)
    wait_for(lambda: len(house.executed()) == 2)
    wait_for(lambda: (house.build / "site" / "notebooks" / "a" / "quick.ipynb").exists())
    os.kill(killed.process.pid, signal.SIGKILL)
    killed.process.wait()

    # Its job for b/slow lives on. The next build waits for that one and takes what it made.
    resumed = Build(house)
    gate.touch()
    said = resumed.finish()
    assert resumed.process.returncode == 0, said
    assert house.executed() == ["a/quick", "b/slow"]
    for name in ("a/quick", "b/slow"):
        nbformat.validate(house.result(name))
        assert house.result(name).metadata.nclib.chapter == name
    left = [p for p in house.build.rglob("*.part") if ".snakemake" not in p.parts]
    assert left == []


def test_a_job_killed_in_the_middle_leaves_nothing_torn(house: House, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    wait = f"import pathlib, time\nwhile not pathlib.Path({str(gate)!r}).exists():\n"
    house.chapter("a/slow", wait + "    time.sleep(0.05)")
    killed = Build(house)
    wait_for(lambda: len(house.executed()) == 1)
    os.killpg(killed.process.pid, signal.SIGKILL)  # the build and its jobs
    killed.process.wait()
    assert not list(house.build.rglob("slow.ipynb"))

    gate.touch()
    resumed = Build(house)
    said = resumed.finish()
    assert resumed.process.returncode == 0, said
    assert house.executed() == ["a/slow", "a/slow"]
    nbformat.validate(house.result("a/slow"))


def test_two_builds_in_one_folder_are_refused(house: House, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    wait = f"import pathlib, time\nwhile not pathlib.Path({str(gate)!r}).exists():\n"
    house.chapter("a/slow", wait + "    time.sleep(0.05)")
    first = Build(house)
    wait_for(lambda: len(house.executed()) == 1)
    with pytest.raises(book.BuildError, match=f"another build is running.*{first.process.pid}"):
        book.build(target="chapters")
    gate.touch()
    first.finish()
    assert first.process.returncode == 0


def test_the_key_follows_content_alone(house: House) -> None:
    house.chapter("a/one", "1 + 1")
    (found,) = chapters.list_chapters()
    key = book.chapter_key(found, "smoke", "cpu")
    assert book.chapter_key(found, "laptop", "cpu") != key
    assert book.chapter_key(found, "smoke", "cuda") != key

    notebook = nbformat.read(found.path, as_version=4)
    notebook.cells[3].outputs = [nbformat.v4.new_output("stream", name="stdout", text="2")]
    notebook.cells[3].execution_count = 7
    nbformat.write(notebook, found.path)
    assert book.chapter_key(found, "smoke", "cpu") == key  # outputs are no input

    notebook.cells[3].source = "1 + 2"
    nbformat.write(notebook, found.path)
    assert book.chapter_key(found, "smoke", "cpu") != key


def test_the_mirror_follows_the_sources_and_leaves_them_alone(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "tree"
    (tree / "book").mkdir(parents=True)
    for name in ("_config.yml", "_toc.yml", "book/intro.md"):
        shutil.copy(chapters.checkout() / name, tree / name)
    house.chapter("a/one")
    for module in (_keys, _site):
        monkeypatch.setattr(module, "checkout", lambda: tree)
    monkeypatch.setattr(_pages, "generated", lambda site: {"book/evidence.md": "# Evidence\n"})
    _keys.tree.cache_clear()
    site = house.build / "site"
    executed, stale = site / "notebooks" / "a" / "one.ipynb", site / "book" / "gone.md"
    for path in (executed, stale):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in tree.rglob("*") if p.is_file()}

    _site._mirror(site)
    first = {p: p.stat().st_mtime_ns for p in site.rglob("*") if p.is_file()}
    assert {p.relative_to(site).as_posix() for p in first} == {
        "_config.yml",
        "_toc.yml",
        "book/evidence.md",
        "book/intro.md",
        "notebooks/a/one.ipynb",
    }
    _site._mirror(site)
    assert {p: p.stat().st_mtime_ns for p in site.rglob("*") if p.is_file()} == first
    after = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in tree.rglob("*") if p.is_file()}
    assert after == before
    _keys.tree.cache_clear()


def test_every_chapter_stands_in_the_table_of_contents() -> None:
    contents = (chapters.checkout() / "_toc.yml").read_text()
    missing = [c.name for c in chapters.list_chapters() if f"notebooks/{c.name}\n" not in contents]
    assert missing == []
