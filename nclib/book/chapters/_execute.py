"""Execute a chapter: parameters checked by name, output whole or absent, provenance inside."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from nclib._provenance import commit, describe, describe_processor, now
from nclib.book.chapters._find import Chapter, find
from nclib.book.chapters._normalise import write
from nclib.book.chapters._parameters import validate

_STAMPED = ("nclib", "torch", "numpy", "scipy", "scikit-learn", "matplotlib", "plotly")
_DISTRIBUTION = "neural-collapse-companion"
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")

Progress = Callable[[int, int], None]


class ChapterError(RuntimeError):
    """A cell of a chapter failed: says which, with its source and traceback."""

    def __init__(self, chapter: str, cell: int, total: int, source: str, traceback: str) -> None:
        self.chapter, self.cell, self.source, self.traceback = chapter, cell, source, traceback
        bar = "-" * 72
        super().__init__(
            f"{chapter}: cell {cell} of {total} failed\n{bar}\n{source.rstrip()}\n{bar}\n"
            f"{traceback.rstrip()}"
        )


def run(chapter: str | Chapter, output: str | Path, **params: Any) -> Path:
    """Execute a chapter with ``params`` and write the executed notebook to ``output``.

    The output appears in one piece when all cells have run. Its ``metadata.nclib`` holds all
    parameters (profile and seed among them), versions, device, git commit, date and duration.

    Args:
        chapter: its name (`list_chapters`).
        output: the executed notebook to write.
        params: values for the chapter's parameters; the others keep their defaults.

    Returns:
        The path of the executed notebook.

    Raises:
        ValueError: if there is no such chapter or parameter (with near matches), or a value is
            not of the parameter's type.
        ChapterError: if a cell fails. What ran until then stands in ``OUTPUT.failed.ipynb``.
    """
    return execute(chapter, output, params)


def execute(
    chapter: str | Chapter,
    output: str | Path,
    params: Mapping[str, Any],
    *,
    progress: Progress | None = None,
    threads: int | None = None,
    stamp: Mapping[str, Any] | None = None,
) -> Path:
    """`run` with what a runner adds: progress, threads of the kernel, more to stamp.

    Args:
        chapter: its name.
        output: the executed notebook to write.
        params: values for the chapter's parameters.
        progress: called with the number of finished cells and of all cells.
        threads: threads for linear algebra; None means one at the smoke profile, so that its
            numbers do not depend on the machine's cores, and the libraries' own choice otherwise.
        stamp: further entries of ``metadata.nclib``.
    """
    chapter, output = find(chapter), Path(output).absolute()
    values = validate(chapter, params)
    clock = time.monotonic()
    try:
        notebook = _papermill(
            chapter, {k: values[k] for k in params}, values.get("profile"), threads, progress
        )
    except _CellFailed as failure:
        write(failure.notebook, output.with_suffix(".failed.ipynb"))
        raise failure.error from None
    notebook.metadata.pop("papermill")
    notebook.metadata["nclib"] = {
        "chapter": chapter.name,
        "parameters": values,
        "device": _device(values.get("profile")),
        **commit(chapter.path),
        "date": now(),
        "versions": versions(),
        "seconds": round(time.monotonic() - clock, 1),
        **(stamp or {}),
    }
    write(notebook, output)
    return output


def _device(profile: str | None) -> str:
    """What a chapter runs on; the smoke profile on the processor, so that torch is not needed."""
    if profile == "smoke":
        return describe_processor()
    import torch

    return describe(torch.device("cuda" if torch.cuda.is_available() else "cpu"))


def versions() -> dict[str, str]:
    """Python and the packages that decide a chapter's numbers and figures."""
    numbers = {"python": platform.python_version()}
    for name in _STAMPED:
        with contextlib.suppress(metadata.PackageNotFoundError):
            numbers[name] = metadata.version(_DISTRIBUTION if name == "nclib" else name)
    return numbers


class _CellFailed(Exception):
    def __init__(self, notebook: NotebookNode, error: ChapterError) -> None:
        self.notebook, self.error = notebook, error


def _papermill(
    chapter: Chapter,
    injected: Mapping[str, Any],
    profile: str | None,
    threads: int | None,
    progress: Progress | None,
) -> NotebookNode:
    import papermill
    from papermill.engines import NBClientEngine, papermill_engines

    running = nbformat.v4.new_notebook()

    class Engine(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, *args: Any, **kwargs: Any) -> Any:
            nonlocal running
            running, complete = nb_man.nb, nb_man.cell_complete

            def cell_complete(cell: Any, cell_index: int, **kw: Any) -> None:
                complete(cell, cell_index=cell_index, **kw)
                if progress:
                    progress(cell_index + 1, len(running.cells))

            nb_man.cell_complete = cell_complete
            return super().execute_managed_notebook(nb_man, *args, **kwargs)

    papermill_engines.register("nclib", Engine)
    try:
        with _kernel(profile, threads):
            return papermill.execute_notebook(
                str(chapter.path),
                None,
                parameters=dict(injected),
                engine_name="nclib",
                kernel_name="python3",
                language="python",
                progress_bar=False,
                cwd=str(chapter.path.parent),
            )
    except papermill.PapermillExecutionError as error:
        traceback = _ANSI.sub("", "\n".join(error.traceback))
        total = len(nbformat.read(chapter.path, as_version=4).cells)
        cell = error.cell_index + 1 - bool(injected)  # as the source counts, without that cell
        raise _CellFailed(
            running, ChapterError(chapter.name, cell, total, error.source, traceback)
        ) from None


@contextlib.contextmanager
def _kernel(profile: str | None, threads: int | None) -> Iterator[None]:
    """Make ``python3`` name this interpreter, whatever kernels the user has installed."""
    settings = {"PYTHONHASHSEED": "0", "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    if profile == "smoke":
        threads = threads or 1
        settings["CUDA_VISIBLE_DEVICES"] = ""  # the smallest profile is the processor's
    if threads:
        settings |= {f"{library}_NUM_THREADS": str(threads) for library in ("OMP", "MKL")}
    with tempfile.TemporaryDirectory(prefix="nclib-kernel-") as folder:
        spec = Path(folder, "kernels", "python3", "kernel.json")
        spec.parent.mkdir(parents=True)
        launch = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        kernel = {
            "argv": [*launch, "--IPKernelApp.log_level=CRITICAL"],
            "display_name": "Python 3",
            "language": "python",
            "env": settings,
        }
        spec.write_text(json.dumps(kernel))
        before = os.environ.get("JUPYTER_PATH")
        os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, [folder, before]))
        try:
            yield
        finally:
            if before is None:
                del os.environ["JUPYTER_PATH"]
            else:
                os.environ["JUPYTER_PATH"] = before
