"""The bibliography: each entry is cited by a page or a chapter, each citation has its entry."""

from __future__ import annotations

import re

import nbformat

from nclib import papers
from nclib.book.chapters import checkout, list_chapters

BOOK = checkout() / "book"
CITATION = re.compile(r"\{cite(?::\w+)?\}`([^`]+)`")


def entries() -> list[str]:
    """Keys of the bibliography, in its order."""
    return re.findall(r"^@\w+\{([^,\s]+),", (BOOK / "references.bib").read_text(), re.MULTILINE)


def citations() -> dict[str, str]:
    """Key of each citation, and a page or chapter that cites it."""
    texts = {path.name: path.read_text() for path in BOOK.rglob("*.md")}
    texts["differences.md"] = papers.differences_markdown()  # computed when the book is built
    for chapter in list_chapters():
        cells = nbformat.read(chapter.path, as_version=4).cells
        texts[chapter.name] = "\n".join(c.source for c in cells if c.cell_type == "markdown")
    return {
        key.strip(): name
        for name, text in texts.items()
        for keys in CITATION.findall(text)
        for key in keys.split(",")
    }


def test_every_entry_is_cited() -> None:
    cited = citations()
    assert [key for key in entries() if key not in cited] == []


def test_every_citation_has_its_entry() -> None:
    keys = entries()
    assert {key: name for key, name in citations().items() if key not in keys} == {}


def test_no_entry_stands_twice() -> None:
    keys = entries()
    assert sorted(keys) == sorted(set(keys))
