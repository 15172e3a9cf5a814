"""Executed notebooks as they are committed: what a re-run reproduces and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from nclib._io import write_atomic


def normalise(notebook: NotebookNode) -> NotebookNode:
    """An executed notebook as it is committed: what a re-run reproduces and nothing else.

    Removed are the metadata of papermill and nclib, timings, injected cells, output on stderr and
    the language's version; execution counts run from 1. The argument stays as it is.
    """
    notebook = copy.deepcopy(notebook)
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    notebook.cells = [
        c for c in notebook.cells if "injected-parameters" not in c.metadata.get("tags", [])
    ]
    count = 0
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict(
            {k: cell.metadata[k] for k in ("tags", "mystnb", "slideshow") if cell.metadata.get(k)}
        )
        if cell.cell_type != "code":
            continue
        count += bool(cell.source.strip())
        cell.execution_count = count if cell.source.strip() else None
        cell.outputs = _merged(o for o in cell.outputs if o.get("name") != "stderr")
        for output in cell.outputs:
            if "execution_count" in output:
                output["execution_count"] = cell.execution_count
    return notebook


def stderr_cells(notebook: NotebookNode) -> list[int]:
    """Numbers (from 1, all cells counted) of the cells that wrote to stderr."""
    return [
        number
        for number, cell in enumerate(notebook.cells, 1)
        if any(output.get("name") == "stderr" for output in cell.get("outputs", []))
    ]


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook so that a reader sees the old file or the new one, never a part."""
    write_atomic(path, (nbformat.writes(notebook, version=4) + "\n").encode())


def _merged(outputs: Iterable[NotebookNode]) -> list[NotebookNode]:
    """Outputs with adjacent pieces of one stream joined: where it was cut is chance."""
    merged: list[NotebookNode] = []
    for output in outputs:
        if (
            merged
            and output.output_type == "stream"
            and merged[-1].output_type == "stream"
            and merged[-1].name == output.name
        ):
            merged[-1].text += output.text
        else:
            merged.append(output)
    return merged
