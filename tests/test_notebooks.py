"""The committed notebooks: executed, normalised, and without traces of a machine."""

from __future__ import annotations

import re

import nbformat
import pytest

from nclib.book import chapters

CHAPTERS = {c.name: c for c in chapters.list_chapters()}
pytestmark = pytest.mark.parametrize("name", CHAPTERS)


def notebook(name: str) -> nbformat.NotebookNode:
    return nbformat.read(CHAPTERS[name].path, as_version=4)


def outputs(name: str) -> list[nbformat.NotebookNode]:
    return [output for cell in notebook(name).cells for output in cell.get("outputs", [])]


def test_outputs_are_committed(name: str) -> None:
    code = [c for c in notebook(name).cells if c.cell_type == "code" and c.source.strip()]
    assert all(cell.execution_count for cell in code), "run: make notebooks"
    assert sum(bool(cell.outputs) for cell in code) >= len(code) / 3


def test_nothing_is_on_stderr_and_nothing_failed(name: str) -> None:
    assert chapters.stderr_cells(notebook(name)) == []
    assert [o for o in outputs(name) if o.output_type == "error"] == []


def test_the_notebook_is_normalised(name: str) -> None:
    committed = notebook(name)
    assert committed == chapters.normalise(committed), "run: make notebooks"


def test_parameters_begin_with_profile_and_seed(name: str) -> None:
    declared = chapters.parameters(name)
    assert list(declared)[:2] == ["profile", "seed"]
    assert (declared["profile"].default, declared["seed"].default) == ("smoke", 0)
    assert all(p.comment for p in declared.values())


def test_the_text_describes_the_networks_of_the_default_parameters(name: str) -> None:
    assert not [o for o in outputs(name) if "✗ not in this run" in str(o.get("text", ""))]


def test_no_output_names_a_machine(name: str) -> None:
    for output in outputs(name):
        text = str(output.get("text", "")) + str(output.get("data", {}).get("text/plain", ""))
        assert not re.search(r"(?<![\w.])/(root|home|tmp|usr|work|Users)/|0x[0-9a-f]{6,}", text)


def test_figures_say_what_they_show(name: str) -> None:
    for cell in notebook(name).cells:
        if any("image/png" in output.get("data", {}) for output in cell.get("outputs", [])):
            alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            assert len(alt) > 20, cell.source


def test_cells_are_short(name: str) -> None:
    for cell in notebook(name).cells:
        if cell.cell_type == "code":
            assert len(cell.source.splitlines()) <= 25, cell.source
