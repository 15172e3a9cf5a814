"""Every page of the built book, without a browser: what it links to and where it comes from."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

pytestmark = pytest.mark.book


@functools.cache
def soup(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@functools.cache
def ids(path: Path) -> set[str]:
    """What a link into the page can point to."""
    return {element["id"] for element in soup(path).find_all(id=True)} | {"top"}


def test_nothing_is_loaded_from_outside(site: Path, page: str) -> None:
    loading = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}
    loaded = [
        address
        for tag, attribute in loading.items()
        for element in soup(site / page).find_all(tag)
        if "canonical" not in element.get("rel", [])
        and (address := element.get(attribute, "")).startswith(("http:", "https:", "//"))
    ]
    assert loaded == []


def test_internal_links_resolve(site: Path, page: str) -> None:
    broken = []
    for element in soup(site / page).find_all("a", href=True):
        link = urlsplit(element["href"])
        if link.scheme or link.netloc:
            continue
        target = (site / page).parent / unquote(link.path) if link.path else site / page
        whole = not link.fragment or target.suffix != ".html"
        if not (target.exists() and (whole or unquote(link.fragment) in ids(target.resolve()))):
            broken.append(element["href"])
    assert broken == []


def test_images_say_what_they_show(site: Path, page: str) -> None:
    for image in soup(site / page).find_all("img"):
        alt = image.get("alt", "").strip()
        assert alt, image
        assert not re.search(r"_images/|\.(png|svg|jpe?g)$|[0-9a-f]{16}", alt), image


def test_interactive_figures_say_what_they_show(site: Path, page: str) -> None:
    for figure in soup(site / page).find_all(class_="nc-interactive"):
        assert figure["role"] == "img"
        assert len(figure["aria-label"]) > 20


def test_ids_are_unique(site: Path, page: str) -> None:
    article = soup(site / page).find(class_="bd-article")
    ids = [element["id"] for element in article.find_all(id=True)] if article else []
    assert sorted({name for name in ids if ids.count(name) > 1}) == []
