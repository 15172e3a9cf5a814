"""Content keys: hashes of all that decides what a step of the build gives."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import nbformat

from nclib.book import chapters
from nclib.book.chapters import Chapter, checkout

_COMMANDS = "nclib/cli/"  # what of the library no notebook and no page's content comes from


def chapter_key(chapter: Chapter, profile: str, device: str) -> str:
    """Hash of all that decides what the executed chapter holds."""
    cells = nbformat.read(chapter.path, as_version=4).cells
    return content_hash(
        {
            "cells": [[c.cell_type, c.source, c.metadata] for c in cells],
            "profile": profile,
            "device": device,
            "library": library(),
            "ledger": tree("book/ledger"),
            "data": [] if profile == "smoke" else _data(),
            "versions": chapters.versions(),
        }
    )


def record_key(grid: str) -> str:
    """Hash of all that decides the records of a grid at the smoke profile."""
    return content_hash([grid, library(), chapters.versions()])


def evidence_key() -> str:
    """Hash of all that decides the evidence for the papers' claims."""
    return content_hash([library(), tree("book/ledger"), chapters.versions()])


def site_key(keys: Mapping[str, str]) -> str:
    """Hash of all that decides what the built book holds, given its chapters' keys."""
    return content_hash([dict(keys), tree("book"), settings()])


@functools.cache
def library() -> dict[str, str]:
    """Digests of the source that chapters and pages are computed with."""
    files = tree("nclib") | tree("data_recipes")
    return {name: digest for name, digest in files.items() if not name.startswith(_COMMANDS)}


@functools.cache
def settings() -> dict[str, str]:
    """What every page depends on: a change rebuilds all of them."""
    names = ("jupyter-book", "Sphinx", "myst-nb", "sphinx-book-theme")
    return (
        {name: metadata.version(name) for name in names}
        | tree("book/_ext")
        | {name: digest(checkout() / name) for name in ("_config.yml", "_toc.yml")}
    )


def _data() -> list[tuple[str, int]]:
    """Names and sizes in the data root; what they hold is the recipes' to verify."""
    from nclib import data  # imports torch

    root = data.data_root()
    files = [*root.glob("*"), *root.glob("*/*")]
    return sorted((p.relative_to(root).as_posix(), p.stat().st_size) for p in files if p.is_file())


@functools.cache
def tree(folder: str) -> dict[str, str]:
    """Digests of the files below a folder of the checkout, by their paths."""
    root = checkout()
    return {
        path.relative_to(root).as_posix(): digest(path)
        for path in sorted((root / folder).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def content_hash(value: Any) -> str:
    """Twenty hexadecimal digits of the SHA-256 of a value's JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:20]
