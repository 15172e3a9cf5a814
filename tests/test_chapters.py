"""Finding, inspecting, running and normalising chapters."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import nbformat
import pytest
from tiny import chapter

from nclib.book import chapters


@pytest.fixture
def notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "notebooks"
    monkeypatch.setenv("NCLIB_NOTEBOOKS", str(root))
    return root


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> nbformat.NotebookNode:
    """A chapter run with two parameters given: it prints in pieces, warns and shows a value."""
    folder = tmp_path_factory.mktemp("executed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NCLIB_NOTEBOOKS", str(folder / "notebooks"))
        chapter(
            folder / "notebooks" / "part" / "one.ipynb",
            "import os, sys\nprint(lam, sizes, flush=True)\nprint(seed)",
            "print('careful', file=sys.stderr)\n[os.environ['OMP_NUM_THREADS'], os.getcwd()]",
            "sys.executable",
        )
        output = chapters.run("part/one", folder / "out" / "one.ipynb", lam=0.5, seed=3)
    return nbformat.read(output, as_version=4)


def test_chapters_are_named_by_their_place(notebooks: Path) -> None:
    chapter(notebooks / "b" / "two.ipynb")
    chapter(notebooks / "a" / "one.ipynb")
    chapter(notebooks / "a" / ".ipynb_checkpoints" / "one-checkpoint.ipynb")
    found = chapters.list_chapters()
    assert [(c.name, c.title) for c in found] == [
        ("a/one", "The chapter one"),
        ("b/two", "The chapter two"),
    ]


def test_parameters_have_type_default_and_meaning(notebooks: Path) -> None:
    chapter(notebooks / "one.ipynb")
    found = chapters.parameters("one")
    assert list(found) == ["profile", "seed", "lam", "sizes", "label"]
    assert found["sizes"].default == [1, 2]
    assert found["sizes"].type_name == "list[int]"
    assert found["lam"].comment == "weight decay"
    assert found["label"].type_name == "str | None"


def test_a_parameters_cell_holds_assignments_alone(notebooks: Path) -> None:
    chapter(notebooks / "one.ipynb", parameters='profile = "smoke"\nimport torch')
    with pytest.raises(ValueError, match="more than assignments: 'import torch'"):
        chapters.parameters("one")


def test_a_chapter_without_parameters_is_named(notebooks: Path) -> None:
    path = chapter(notebooks / "one.ipynb")
    notebook = nbformat.read(path, as_version=4)
    del notebook.cells[1]
    nbformat.write(notebook, path)
    with pytest.raises(ValueError, match="one: 0 cells tagged parameters, expected one"):
        chapters.parameters("one")


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("3", "seed", 3),
        ("3", "lam", 3.0),
        ("inf", "lam", float("inf")),
        ("[4, 5]", "sizes", [4, 5]),
        ("7", "label", "7"),
        ("null", "label", "null"),
        ("laptop", "profile", "laptop"),
    ],
)
def test_text_becomes_the_parameters_type(
    notebooks: Path, text: str, name: str, value: object
) -> None:
    chapter(notebooks / "one.ipynb")
    parsed = chapters.parameters("one")[name].parse(text)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("name", "text"), [("seed", "1.5"), ("seed", "many"), ("lam", "small"), ("sizes", "4")]
)
def test_text_of_another_type_is_refused_by_name(notebooks: Path, name: str, text: str) -> None:
    chapter(notebooks / "one.ipynb")
    with pytest.raises(ValueError, match=f"parameter {name} takes .*, got '{text}'"):
        chapters.parameters("one")[name].parse(text)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lamb": 1.0}, r"one has no parameter 'lamb' \(near: lam, label\)"),
        ({"seed": "0"}, "parameter seed takes int, got '0'"),
        ({"sizes": [1.5]}, r"parameter sizes takes list\[int\], got \[1.5\]"),
        ({"profile": "smok"}, r"profile 'smok' is unknown \(near: smoke\)"),
    ],
)
def test_a_wrong_parameter_is_refused_before_anything_runs(
    notebooks: Path, tmp_path: Path, given: dict[str, object], message: str
) -> None:
    chapter(notebooks / "one.ipynb", "raise AssertionError('this ran')")
    with pytest.raises(ValueError, match=message):
        chapters.run("one", tmp_path / "out.ipynb", **given)
    assert not (tmp_path / "out.ipynb").exists()


def test_an_unknown_chapter_is_refused_with_near_matches(notebooks: Path) -> None:
    chapter(notebooks / "part" / "theory.ipynb")
    with pytest.raises(ValueError, match=r"no chapter 'part/theroy' \(near: part/theory\)"):
        chapters.run("part/theroy", "out.ipynb")


def test_a_run_uses_its_parameters(executed: nbformat.NotebookNode) -> None:
    printed = [o.text for c in executed.cells for o in c.get("outputs", []) if "text" in o]
    assert "".join(printed).startswith("0.5 [1, 2]\n3\n")


def test_a_run_is_stamped(executed: nbformat.NotebookNode) -> None:
    stamp = executed.metadata.nclib
    assert stamp.parameters == {
        "profile": "smoke", "seed": 3, "lam": 0.5, "sizes": [1, 2], "label": None
    }  # fmt: skip
    assert stamp.chapter == "part/one"
    assert stamp.versions.keys() >= {"python", "torch", "numpy", "nclib"}
    assert stamp.device.endswith("CPU")
    assert {"commit", "dirty", "date", "seconds"} <= stamp.keys()


def test_the_kernel_is_this_interpreter_on_one_thread(executed: nbformat.NotebookNode) -> None:
    import sys

    values = [
        o.data["text/plain"] for c in executed.cells for o in c.get("outputs", []) if "data" in o
    ]
    assert values[0].startswith("['1', ")
    assert Path(values[1].strip("'")).samefile(sys.executable)


def test_normalised_chapters_hold_what_a_re_run_reproduces(
    executed: nbformat.NotebookNode,
) -> None:
    before = copy.deepcopy(executed)
    normal = chapters.normalise(executed)
    assert executed == before
    assert set(normal.metadata) == {"kernelspec", "language_info"}
    assert "version" not in normal.metadata.language_info
    assert [c.metadata for c in normal.cells] == [{}, {"tags": ["parameters"]}, {}, {}, {}]
    assert [c.execution_count for c in normal.cells if c.cell_type == "code"] == [1, 2, 3, 4]
    assert chapters.stderr_cells(executed) == [5]
    assert chapters.stderr_cells(normal) == []
    assert [o.text for o in normal.cells[2].outputs] == ["0.5 [1, 2]\n3\n"]
    nbformat.validate(normal)


def test_normalising_twice_changes_nothing(executed: nbformat.NotebookNode) -> None:
    once = chapters.normalise(executed)
    assert chapters.normalise(once) == once


def test_a_failing_cell_is_reported_and_kept_apart(notebooks: Path, tmp_path: Path) -> None:
    chapter(notebooks / "one.ipynb", "x = 1", "x / 0")
    output = tmp_path / "one.ipynb"
    with pytest.raises(chapters.ChapterError) as caught:
        chapters.run("one", output)
    message = str(caught.value)
    assert message.startswith("one: cell 4 of 4 failed")
    assert "x / 0" in message
    assert "ZeroDivisionError: division by zero" in message
    assert "\x1b" not in message
    assert not output.exists()
    kept = json.loads((tmp_path / "one.failed.ipynb").read_text())
    assert any(o["output_type"] == "error" for c in kept["cells"] for o in c.get("outputs", []))
