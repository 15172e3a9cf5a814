"""The notebooks of the book: where they are, and what they are called."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import nbformat

from nclib._names import close_matches


@dataclass(frozen=True)
class Chapter:
    """A notebook of the book."""

    name: str  # path below notebooks/ without suffix, such as "class_encoding/theory"
    path: Path
    title: str  # the first heading


def checkout() -> Path:
    """The folder that holds the book: ``_toc.yml`` beside ``notebooks/``.

    The package's own checkout comes first, then the current folder and those above it.

    Raises:
        FileNotFoundError: if there is none.
    """
    here = Path.cwd()
    for folder in (Path(__file__).resolve().parents[3], here, *here.parents):
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
    folder = os.environ.get("NCLIB_NOTEBOOKS")
    root = Path(folder) if folder else checkout() / "notebooks"
    if not root.is_dir():
        raise FileNotFoundError(f"NCLIB_NOTEBOOKS names {root}, which is no folder")
    paths = sorted(p for p in root.rglob("*.ipynb") if not _hidden(p.relative_to(root)))
    return [
        Chapter(p.relative_to(root).with_suffix("").as_posix(), p.resolve(), _title(p))
        for p in paths
    ]


def find(chapter: str | Chapter) -> Chapter:
    """The chapter of that name; a chapter is returned as it is.

    Raises:
        ValueError: if there is no such chapter; near matches are listed.
    """
    if isinstance(chapter, Chapter):
        return chapter
    chapters = {c.name: c for c in list_chapters()}
    name = chapter.removesuffix(".ipynb").removeprefix("notebooks/")
    if name not in chapters:
        raise ValueError(
            f"no chapter {chapter!r}{suggestion(name, chapters)}; "
            f"there are {', '.join(chapters) or 'none'}"
        )
    return chapters[name]


def suggestion(name: str, choices: Iterable[str]) -> str:
    """The choices that are spelt like a name, as an error adds them; empty without any."""
    matches = close_matches(name, choices)
    return f" (near: {', '.join(matches)})" if matches else ""


def _title(path: Path) -> str:
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown" and (heading := re.search(r"^# (.+)$", cell.source, re.M)):
            return heading[1].strip()
    return path.stem


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
