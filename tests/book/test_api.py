"""The library's pages in the built book: they hold every public name."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

import nclib

pytestmark = pytest.mark.book

PAPERS = ("class_encoding", "inducing_nc", "mlc_nc", "multilabel_spectral", "space_alignment")
WITHOUT_PAGE = {
    "nclib.cli",  # its own --help
    *(f"nclib.plots.{room}" for room in ("foundations", *PAPERS)),
    # They hold nothing but their modules and the paper.
    *(f"nclib.papers.{paper}" for paper in PAPERS if paper != "inducing_nc"),
    # What they say stands on the scorecard.
    *(f"nclib.papers.{paper}.{part}" for paper in PAPERS for part in ("claims", "results")),
}


def modules() -> list[str]:
    """Every public module."""
    found = ["data_recipes"]
    for _, name, _ in pkgutil.walk_packages(nclib.__path__, "nclib."):
        if not any(part.startswith("_") for part in name.split(".")) and name not in WITHOUT_PAGE:
            found.append(name)
    return found


def public_names(module: str) -> list[str]:
    """``__all__``, else the functions and classes that the module defines; without submodules."""
    loaded = importlib.import_module(module)
    names = getattr(loaded, "__all__", None) or [
        name
        for name, value in vars(loaded).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module
    ]
    return [name for name in names if not inspect.ismodule(getattr(loaded, name))]


@pytest.fixture(scope="session")
def documented(site: Path) -> set[str]:
    """What the API pages have an entry for, such as nclib.runs.RunConfig."""
    found: set[str] = set()
    for page in (site / "book" / "api").glob("*.html"):
        soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
        found |= {entry["id"] for entry in soup.find_all("dt", id=True)}
    return found


@pytest.mark.parametrize("module", modules())
def test_every_public_name_is_on_a_page(documented: set[str], module: str) -> None:
    package = module.rpartition(".")[0]  # which may pass the name on as its own
    names = public_names(module)
    assert names
    assert [
        name
        for name in names
        if f"{module}.{name}" not in documented and f"{package}.{name}" not in documented
    ] == []
