"""The book's chapters as parameterised notebooks: find, inspect, run, normalise.

A chapter is a notebook below ``notebooks/`` with one code cell tagged ``parameters``. Its name is
its path without the suffix, such as ``class_encoding/theory``. Plain papermill runs it too; `run`
adds what papermill leaves out: unknown and ill-typed parameters are refused by name, the output
appears whole or not at all, and it carries its own provenance.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import io
import json
import os
import platform
import re
import sys
import tempfile
import time
import tokenize
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import nbformat
import pydantic
from nbformat import NotebookNode

from nclib._io import write_atomic
from nclib._names import near

__all__ = [
    "PROFILES",
    "Chapter",
    "ChapterError",
    "Parameter",
    "checkout",
    "list_chapters",
    "normalise",
    "parameters",
    "run",
    "stderr_cells",
]

PROFILES = ("smoke", "laptop", "paper")
_STAMPED = ("nclib", "torch", "numpy", "scipy", "scikit-learn", "matplotlib", "plotly")
_DISTRIBUTION = "neural-collapse-companion"
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# What a parameters cell may name: it stands before all imports.
_NAMES: dict[str, Any] = {t.__name__: t for t in (bool, int, float, str, list, tuple, dict)} | {
    "Literal": Literal
}

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Chapter:
    """A notebook of the book."""

    name: str  # path below notebooks/ without suffix, such as "class_encoding/theory"
    path: Path
    title: str  # the first heading


@dataclass(frozen=True)
class Parameter:
    """One assignment of a chapter's parameters cell."""

    name: str
    type: Any  # its annotation, or the type of its default
    default: Any
    comment: str  # what stands behind it on its line

    @property
    def type_name(self) -> str:
        """The type as it is written."""
        return self.type.__name__ if isinstance(self.type, type) else str(self.type)

    def parse(self, text: str) -> Any:
        """The value that a command line's ``text`` means for this parameter.

        Raises:
            ValueError: if the text is no value of the parameter's type.
        """
        adapter = pydantic.TypeAdapter(self.type)
        with contextlib.suppress(pydantic.ValidationError):
            return self.check(adapter.validate_strings(text))
        try:
            return self.check(adapter.validate_json(text))
        except pydantic.ValidationError:
            raise self._refusal(text) from None

    def check(self, value: Any) -> Any:
        """``value``, if it is one of the parameter's type.

        Raises:
            ValueError: if it is not, names no profile, or is a negative seed.
        """
        try:
            value = pydantic.TypeAdapter(self.type).validate_python(value, strict=True)
        except pydantic.ValidationError:
            raise self._refusal(value) from None
        if self.name == "profile" and value not in PROFILES:
            raise ValueError(
                f"profile {value!r} is unknown{_near(str(value), PROFILES)}: "
                f"choose one of {', '.join(PROFILES)}"
            )
        if self.name == "seed" and isinstance(value, int) and value < 0:
            raise ValueError(f"parameter seed takes 0 or more, got {value}")
        return value

    def _refusal(self, value: Any) -> ValueError:
        return ValueError(f"parameter {self.name} takes {self.type_name}, got {value!r}")


class ChapterError(RuntimeError):
    """A cell of a chapter failed: says which, with its source and traceback."""

    def __init__(self, chapter: str, cell: int, total: int, source: str, traceback: str) -> None:
        self.chapter, self.cell, self.source, self.traceback = chapter, cell, source, traceback
        bar = "-" * 72
        super().__init__(
            f"{chapter}: cell {cell} of {total} failed\n{bar}\n{source.rstrip()}\n{bar}\n"
            f"{traceback.rstrip()}"
        )


def checkout() -> Path:
    """The folder that holds the book: ``_toc.yml`` beside ``notebooks/``.

    The package's own checkout comes first, then the current folder and those above it.

    Raises:
        FileNotFoundError: if there is none.
    """
    here = Path.cwd()
    for folder in (Path(__file__).resolve().parents[1], here, *here.parents):
        if (folder / "_toc.yml").is_file() and (folder / "notebooks").is_dir():
            return folder
    raise FileNotFoundError(
        f"no checkout of the book at {here} or above: run this where _toc.yml and notebooks/ are, "
        "or name the notebooks in NCLIB_NOTEBOOKS"
    )


def list_chapters() -> list[Chapter]:
    """All chapters, sorted by name.

    They are looked for below ``$NCLIB_NOTEBOOKS`` where that is set, else in the `checkout`.
    """
    named = os.environ.get("NCLIB_NOTEBOOKS")
    root = Path(named) if named else checkout() / "notebooks"
    if not root.is_dir():
        raise FileNotFoundError(f"NCLIB_NOTEBOOKS names {root}, which is no folder")
    paths = sorted(p for p in root.rglob("*.ipynb") if not _hidden(p.relative_to(root)))
    return [
        Chapter(p.relative_to(root).with_suffix("").as_posix(), p.resolve(), _title(p))
        for p in paths
    ]


def parameters(chapter: str | Chapter) -> dict[str, Parameter]:
    """The parameters of a chapter by name, in the order of its parameters cell.

    Raises:
        ValueError: if there is no such chapter, or not exactly one cell tagged ``parameters``.
    """
    chapter = _find(chapter)
    cells = [c for c in _read(chapter.path).cells if "parameters" in c.metadata.get("tags", [])]
    if len(cells) != 1:
        raise ValueError(f"{chapter.name}: {len(cells)} cells tagged parameters, expected one")
    source = cells[0].source
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            name, kind = node.target.id, _evaluate(node.annotation)
            default = _evaluate(node.value)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name, default = node.targets[0].id, _evaluate(node.value)
            kind = type(default)
        else:
            raise ValueError(
                f"{chapter.name}: the parameters cell holds more than assignments: "
                f"{ast.unparse(node)!r}"
            )
        found[name] = Parameter(name, kind, default, comments.get(node.end_lineno or 0, ""))
    return found


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
    import torch  # here, so that listing chapters stays quick

    from nclib.runs._provenance import provenance

    chapter, output = _find(chapter), Path(output).absolute()
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
    on_cpu = values.get("profile") == "smoke" or not torch.cuda.is_available()
    notebook.metadata["nclib"] = {
        "chapter": chapter.name,
        "parameters": values,
        **provenance(torch.device("cpu" if on_cpu else "cuda"), chapter.path),
        "versions": versions(),
        "seconds": round(time.monotonic() - clock, 1),
        **(stamp or {}),
    }
    write(notebook, output)
    return output


def validate(chapter: str | Chapter, params: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters of a chapter: its defaults, overridden by ``params``.

    Raises:
        ValueError: if a name is unknown (with near matches) or a value is of the wrong type.
    """
    known = check_names(chapter, params)
    return {n: p.check(params[n]) if n in params else p.default for n, p in known.items()}


def check_names(chapter: str | Chapter, names: Iterable[str]) -> dict[str, Parameter]:
    """The chapter's parameters, if all ``names`` are among them.

    Raises:
        ValueError: if one is not; the message has near matches.
    """
    chapter = _find(chapter)
    known = parameters(chapter)
    for name in names:
        if name not in known:
            raise ValueError(
                f"{chapter.name} has no parameter {name!r}{_near(name, known)}; "
                f"it has {', '.join(known)}"
            )
    return known


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


def versions() -> dict[str, str]:
    """Python and the packages that decide a chapter's numbers and figures."""
    found = {"python": platform.python_version()}
    for name in _STAMPED:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(_DISTRIBUTION if name == "nclib" else name)
    return found


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
        total = len(_read(chapter.path).cells)
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


def _find(chapter: str | Chapter) -> Chapter:
    if isinstance(chapter, Chapter):
        return chapter
    known = {c.name: c for c in list_chapters()}
    name = chapter.removesuffix(".ipynb").removeprefix("notebooks/")
    if name not in known:
        raise ValueError(
            f"no chapter {chapter!r}{_near(name, known)}; there are {', '.join(known) or 'none'}"
        )
    return known[name]


def _near(name: str, known: Any) -> str:
    matches = near(name, known)
    return f" (near: {', '.join(matches)})" if matches else ""


def _read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def _title(path: Path) -> str:
    for cell in _read(path).cells:
        if cell.cell_type == "markdown" and (found := re.search(r"^# (.+)$", cell.source, re.M)):
            return found[1].strip()
    return path.stem


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _evaluate(node: ast.expr) -> Any:
    code = compile(ast.Expression(node), "parameters", "eval")
    return eval(code, {"__builtins__": {}}, dict(_NAMES))


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
