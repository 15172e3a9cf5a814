"""A pytest plugin: nbval compares the outputs that the book's build has just computed.

Building the book executes every chapter as it stands, in a fresh kernel. Executing them once more
would give the same, so nbval gets its kernel's messages from the executed notebooks; what it checks
and how it compares is its own. A chapter that was not executed as it stands fails.
"""

from __future__ import annotations

import queue
from collections import deque
from pathlib import Path
from typing import Any

import nbformat
import nbval.plugin
import pytest

from nclib import book
from nclib.book import chapters


class ExecutedKernel:
    """What nbval asks of a kernel, answered from an executed notebook."""

    def __init__(self, notebook: nbformat.NotebookNode) -> None:
        self.cells = deque(cell for cell in notebook.cells if cell.cell_type == "code")
        self.messages: deque[dict[str, Any]] = deque()
        self.language = "python"

    def execute_cell_input(self, source: str, allow_stdin: bool | None = None) -> str:
        cell = self.cells.popleft()
        assert cell.source == source, "the executed notebook has another cell here"
        contents = [(output.output_type, output) for output in cell.outputs]
        for kind, content in [*contents, ("status", {"execution_state": "idle"})]:
            message = {"msg_type": kind, "parent_header": {"msg_id": "cell"}, "content": content}
            self.messages.append(message)
        return "cell"

    def get_message(self, stream: str, timeout: float | None = None) -> dict[str, Any]:
        if not self.messages:
            raise queue.Empty
        return self.messages.popleft()

    def await_reply(self, msg_id: str, timeout: float | None = None) -> None:
        pass

    def await_idle(self, parent_id: str, timeout: float) -> None:
        self.messages.clear()

    def is_alive(self) -> bool:
        return True

    def stop(self) -> None:
        pass


def executed(path: Path) -> nbformat.NotebookNode:
    """The notebook in the built book that was executed from that one as it stands."""
    (chapter,) = [c for c in chapters.list_chapters() if c.path.resolve() == path.resolve()]
    built = book.build_folder() / "site" / "notebooks" / f"{chapter.name}.ipynb"
    notebook = nbformat.read(built, as_version=4) if built.exists() else None
    key = book.chapter_key(chapter, "smoke", "cpu")
    if notebook is None or notebook.metadata["nclib"]["key"] != key:
        pytest.fail(f"{chapter.name} is not in the book as it stands: run make book")
    return notebook


def _setup(self: nbval.plugin.IPyNbFile) -> None:
    self.kernel = ExecutedKernel(executed(self.path))
    self.setup_sanitize_files()


def pytest_configure(config: pytest.Config) -> None:
    nbval.plugin.IPyNbFile.setup = _setup  # instead of starting a kernel
