"""Tiny chapters to try the runner on."""

from __future__ import annotations

from pathlib import Path

import nbformat

PARAMETERS = """\
profile: str = "smoke"  # smoke, laptop or paper
seed: int = 0  # of everything random
lam: float = 0.1  # weight decay
sizes: list[int] = [1, 2]  # samples of each class
label: str | None = None  # what to call it"""


def chapter(path: Path, *cells: str, parameters: str = PARAMETERS) -> Path:
    """Write a notebook with a title, a parameters cell and further code cells."""
    new = nbformat.v4
    tagged = new.new_code_cell(parameters, metadata={"tags": ["parameters"]}, id="parameters")
    code = [new.new_code_cell(source, id=f"cell-{n}") for n, source in enumerate(cells)]
    title = new.new_markdown_cell(f"# The chapter {path.stem}", id="title")
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new.new_notebook(cells=[title, tagged, *code]), path)
    return path
