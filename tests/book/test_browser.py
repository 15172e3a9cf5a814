"""The built book in a real browser, opened from the folder, as a reader does."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.book]
PHONE = 390
SLIDERS = """
    return [...document.querySelectorAll('.nc-interactive')]
      .filter((figure) => figure.querySelector('.slider-rail-touch-rect'))
      .map((figure) => figure.querySelector('.js-plotly-plot').id);
"""
# The figure as data, without where its sliders stand; nothing if the page has no such figure.
DRAWN = """
    const figure = document.getElementById(arguments[0]);
    if (!figure?.layout) return null;
    const { title, annotations, shapes } = figure.layout;
    return JSON.stringify([figure.data, title, annotations, shapes], (_, value) =>
      ArrayBuffer.isView(value) ? Array.from(value) : value);
"""
# A point of the window on the figure's slider, if a click there reaches the rail and nothing else.
AIM = """
    const [id, share] = arguments;
    const rail = document.getElementById(id)?.querySelector('.slider-rail-touch-rect');
    if (!rail) return null;
    rail.scrollIntoView({ block: 'center', behavior: 'instant' });
    const box = rail.getBoundingClientRect();
    const x = box.left + share * box.width, y = box.top + box.height / 2;
    return document.elementFromPoint(x, y) === rail ? [x, y] : null;
"""
COLOURS = "const s = getComputedStyle(document.body); return [s.backgroundColor, s.color];"
FONTS = """
    return [...document.querySelectorAll('.nc-interactive .js-plotly-plot')]
      .map((figure) => figure._fullLayout.font.color);
"""
# The theme of that name, at once.
TURN = """
    const style = document.createElement('style');
    style.textContent = '* { transition: none !important; }';
    document.head.append(style);
    document.documentElement.dataset.theme = arguments[0];
"""
# Text whose contrast with what lies behind it is less than WCAG 2.1 asks for at level AA.
FAINT = r"""
    const parse = (colour) => {
      const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number);
      return colour.startsWith('color(srgb') ? [255 * r, 255 * g, 255 * b, a] : [r, g, b, a];
    };
    const over = ([r, g, b, a], below) => [r, g, b].map((v, i) => a * v + (1 - a) * below[i]);
    const known = new Map([[null, [255, 255, 255]]]);
    const ground = (e) => {
      if (!known.has(e)) {
        const own = parse(getComputedStyle(e).backgroundColor);
        known.set(e, own[3] === 1 ? own.slice(0, 3) : over(own, ground(e.parentElement)));
      }
      return known.get(e);
    };
    const luminance = (colour) => {
      const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
      const [r, g, b] = colour.map((v) => linear(v / 255));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const faint = new Set();
    const text = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (text.nextNode()) {
      const node = text.currentNode, e = node.parentElement;
      const box = e.getBoundingClientRect();
      if (!node.data.trim() || box.width < 2 || box.height < 2
          || e.closest('script, style, svg, mjx-assistive-mml')
          || !e.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
      const style = getComputedStyle(e), size = parseFloat(style.fontSize), below = ground(e);
      const [low, high] = [over(parse(style.color), below), below].map(luminance)
        .sort((a, b) => a - b);
      const contrast = (high + 0.05) / (low + 0.05);
      const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
      if (contrast < (large ? 3 : 4.5)) {
        faint.add(`${contrast.toFixed(2)} ${e.tagName}.${e.className}: ${node.data.trim()}`);
      }
    }
    return [...faint].slice(0, 10);
"""


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """The condition's value, as soon as it is true."""
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return value


def luminance(colour: str) -> float:
    """Of ``rgb(r, g, b)`` or ``#rrggbb``, between 0 and 1."""
    if colour.startswith("#"):
        red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    else:
        red, green, blue = map(int, re.findall(r"\d+", colour)[:3])
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255


def test_a_page_is_whole_on_a_phone(driver: Any, opened_page: str) -> None:
    """Mathematics typeset, figures drawn, no sideways scrolling, no error, no outside request; text
    stands out from what lies behind it in both themes."""
    driver.open(opened_page, PHONE)
    facts = driver.facts()
    assert facts["typeset"] >= facts["formulas"]
    assert (facts["failed"], facts["raw"]) == ([], []), "mathematics that is not typeset"
    assert facts["torn"] == [], "a formula and its comma on two lines"
    assert facts["scroll"] <= facts["width"] == PHONE, facts["wide"]
    assert facts["drawn"] == facts["figures"]
    errors, outside = driver.logs()
    assert errors == []
    assert outside == []
    for theme in ("light", "dark"):
        driver.run(TURN, theme)
        assert driver.run(FAINT) == [], theme


def move_sliders(driver: Any, page: str) -> None:
    """Click each figure's slider until the figure changes."""
    for figure in driver.run(SLIDERS):
        before = driver.run(DRAWN, figure)
        tried = []
        for share in (0.8, 0.2, 0.6):  # of the rail's length; one may be where the grip stands
            point = until(lambda f=figure, s=share: driver.run(AIM, f, s), 5)
            if point is None:
                tried.append(f"at {share} of its length something lies over it")
                continue
            driver.click(*point)
            if until(lambda f=figure, b=before: driver.run(DRAWN, f) != b, 5):
                break
            tried.append(f"a click at {share} of its length moves nothing")
        after = driver.run(DRAWN, figure)
        assert after is not None, f"{page}: clicking {figure} led to {driver.driver.current_url}"
        assert after != before, f"{page}: the slider of {figure}: {'; '.join(tried)}"


def turn_dark(driver: Any) -> None:
    """Change to the dark theme and back; the page and its figures follow."""
    theme = driver.run("return document.documentElement.dataset.theme")
    driver.run("document.documentElement.dataset.theme = 'dark'")
    until(lambda: luminance(driver.run(COLOURS)[0]) < 0.3)
    background, text = map(luminance, driver.run(COLOURS))
    assert background < 0.3 < 0.6 < text
    assert until(lambda: min(map(luminance, driver.run(FONTS))) > 0.6), driver.run(FONTS)
    driver.run("document.documentElement.dataset.theme = arguments[0]", theme)
    assert until(lambda: max(map(luminance, driver.run(FONTS))) < 0.4), "figures stay dark"


def test_interactive_figures_move_and_follow_the_theme(driver: Any, interactive_page: str) -> None:
    driver.open(interactive_page)
    move_sliders(driver, interactive_page)
    turn_dark(driver)
    assert driver.logs() == ([], [])


@pytest.mark.parametrize("name", ["foundations/simplex_etf", "class_encoding/theory"])
def test_the_promised_figures_have_sliders(site: Path, name: str) -> None:
    """The frame that becomes a simplex ETF, and the transition by the bias's penalty."""
    text = (site / "notebooks" / f"{name}.html").read_text(encoding="utf-8")
    assert re.search(r'"sliders":\s*\[\s*\{', text)


def test_search_finds_the_simplex_etf(driver: Any) -> None:
    driver.open("search.html", query="?q=simplex+ETF")
    found = "return [...document.querySelectorAll('#search-results li a')].map((a) => a.href)"
    wanted = "notebooks/foundations/simplex_etf.html"
    assert until(lambda: any(wanted in link for link in driver.run(found))), driver.run(found)
    assert driver.logs() == ([], [])


def test_a_folded_proof_opens(driver: Any) -> None:
    driver.open("notebooks/foundations/simplex_etf.html")
    shown = (
        "const p = document.querySelector('div.proof-of.dropdown');"
        "return p.querySelector(':scope > p:not(.admonition-title)').offsetHeight > 0"
    )
    title = "document.querySelector('div.proof-of.dropdown > .admonition-title').click()"
    assert not driver.run(shown)
    driver.run(title)
    assert until(lambda: driver.run(shown))
    driver.run(title)
    assert until(lambda: not driver.run(shown)), "it does not fold again"
