"""The built book in a real browser, opened from the folder, as a reader does."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.book]
PHONE = 390
SLIDERS = """
    return [...document.querySelectorAll('.nc-interactive')]
      .filter((figure) => figure.querySelector('.slider-rail-touch-rect'))
      .map((figure) => figure.querySelector('.js-plotly-plot').id);
"""
COLOURS = "const s = getComputedStyle(document.body); return [s.backgroundColor, s.color];"


def interactive_pages(driver: Any) -> list[str]:
    return sorted(
        path.relative_to(driver.site).as_posix()
        for path in (driver.site / "notebooks").rglob("*.html")
        if 'class="nc-interactive"' in path.read_text(encoding="utf-8")
    )


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """The condition's value, as soon as it is true."""
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return value


def test_mathematics_is_typeset(driver: Any, page: str) -> None:
    facts = driver.facts(page, PHONE)
    assert facts["typeset"] >= facts["formulas"]
    assert facts["failed"] == []
    assert facts["raw"] == []


def test_no_page_scrolls_sideways_on_a_phone(driver: Any, page: str) -> None:
    facts = driver.facts(page, PHONE)
    assert facts["scroll"] <= facts["width"] == PHONE, facts["wide"]


def test_the_console_has_no_error(driver: Any, page: str) -> None:
    assert driver.facts(page, PHONE)["errors"] == []


def test_no_request_leaves_the_page(driver: Any, page: str) -> None:
    assert driver.facts(page, PHONE)["outside"] == []


def test_interactive_figures_are_drawn(driver: Any, page: str) -> None:
    facts = driver.facts(page, PHONE)
    assert facts["drawn"] or not facts["figures"]


def test_search_finds_the_simplex_etf(driver: Any) -> None:
    driver.open("search.html", query="?q=simplex+ETF")
    links = until(
        lambda: driver.run(
            "return [...document.querySelectorAll('#search-results li a')].map(a => a.href)"
        )
    )
    assert any("notebooks/foundations/simplex_etf.html" in link for link in links)
    errors, outside = driver.logs()
    assert (errors, outside) == ([], [])


def test_at_least_two_figures_have_sliders(driver: Any) -> None:
    found = 0
    for page in interactive_pages(driver):
        driver.open(page)
        found += len(driver.run(SLIDERS))
    assert found >= 2


def test_sliders_move_their_figures(driver: Any) -> None:
    from selenium.webdriver import ActionChains

    def drawn(figure: str) -> str:
        """The figure as data, without where its sliders stand."""
        return driver.run(
            """
            const { data, layout } = document.getElementById(arguments[0]);
            const { title, annotations, shapes } = layout;
            return JSON.stringify([data, title, annotations, shapes], (_, value) =>
              ArrayBuffer.isView(value) ? Array.from(value) : value);
            """,
            figure,
        )

    for page in interactive_pages(driver):
        driver.open(page)
        for figure in driver.run(SLIDERS):
            before = drawn(figure)
            rail = driver.run(
                "const e = document.getElementById(arguments[0])"
                ".querySelector('.slider-rail-touch-rect');"
                "e.scrollIntoView({block: 'center'}); return e;",
                figure,
            )
            width = rail.rect["width"]
            for share in (0.3, -0.3):  # of its width, from the middle
                ActionChains(driver.driver).move_to_element_with_offset(
                    rail, int(share * width), 0
                ).click().perform()
                if until(lambda f=figure, b=before: drawn(f) != b, 5):
                    break
            assert drawn(figure) != before, f"{page}: the slider of {figure} moves nothing"
        errors, outside = driver.logs()
        assert (errors, outside) == ([], [])


def test_the_dark_theme_reaches_pages_and_figures(driver: Any) -> None:
    def luminance(colour: str) -> float:
        red, green, blue = map(int, re.findall(r"\d+", colour)[:3])
        return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255

    for page in ["book/intro.html", *interactive_pages(driver)]:
        driver.open(page)
        driver.run("document.documentElement.dataset.theme = 'dark'")
        until(lambda: luminance(driver.run(COLOURS)[0]) < 0.3, 3)
        background, text = map(luminance, driver.run(COLOURS))
        assert background < 0.3 < 0.6 < text
        fonts = until(
            lambda: [
                colour
                for colour in driver.run(
                    "return [...document.querySelectorAll('.nc-interactive .js-plotly-plot')]"
                    ".map(f => f._fullLayout.font.color)"
                )
                if colour != "#22272e"
            ]
        )
        assert all(int(colour[1:3], 16) > 150 for colour in fonts or [])
        errors, _ = driver.logs()
        assert errors == []


def test_a_folded_proof_opens(driver: Any) -> None:
    driver.open("notebooks/foundations/simplex_etf.html")
    shown = (
        "const p = document.querySelector('div.proof-of.dropdown');"
        "return p.querySelector(':scope > p:not(.admonition-title)').offsetHeight > 0"
    )
    assert not driver.run(shown)
    driver.run("document.querySelector('div.proof-of.dropdown > .admonition-title').click()")
    assert until(lambda: driver.run(shown), 3)
