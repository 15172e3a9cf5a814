"""The built book, and a browser to open it in."""

from __future__ import annotations

import functools
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from nclib import book

HTML = book.index().parent
REQUIRED = os.environ.get("NCLIB_REQUIRE_BROWSER") == "1"


@functools.cache
def pages() -> list[str]:
    """All pages of the built book, relative to its first one."""
    static = {"_static", "_sources", "_images", "_downloads"}
    found = (path.relative_to(HTML) for path in HTML.rglob("*.html"))
    return sorted(page.as_posix() for page in found if page.parts[0] not in static)


@functools.cache
def opened_pages() -> list[str]:
    """Those that a browser opens: of the pages of source, which are made alike, the longest."""
    source = [page for page in pages() if page.startswith(("_modules/nclib/", "_modules/data_"))]
    longest = max(source, key=lambda page: (HTML / page).stat().st_size, default=None)
    return [page for page in pages() if page not in source or page == longest]


@functools.cache
def interactive_pages() -> list[str]:
    """Those with interactive figures."""
    mark = 'class="nc-interactive"'
    chapters = (page for page in pages() if page.startswith("notebooks/"))
    return [page for page in chapters if mark in (HTML / page).read_text(encoding="utf-8")]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    kinds = {"page": pages, "opened_page": opened_pages, "interactive_page": interactive_pages}
    for name, found in kinds.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, found() or [None])


def lacking(what: str) -> NoReturn:
    """Skip, or fail where the browser tests must run."""
    if REQUIRED:
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def site() -> Path:
    """Folder of the built book."""
    if not (HTML / "index.html").exists():
        lacking(f"there is no book in {HTML}: build it with make book")
    return HTML


@pytest.fixture(scope="session")
def driver(site: Path) -> Iterator[Any]:
    """One Chromium for all tests of a process."""
    from selenium import webdriver

    binary = shutil.which("chromium") or shutil.which("chromium-browser")
    service = shutil.which("chromedriver")
    if binary is None or service is None:
        lacking("no browser: install chromium and chromium-driver (apt-get install, as root)")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in (
        "--headless=new",
        "--no-sandbox",  # containers run as root
        "--disable-dev-shm-usage",
        "--use-angle=swiftshader",  # WebGL without a GPU
        "--enable-unsafe-swiftshader",
        "--disable-gpu-compositing",  # only WebGL asks for that GPU, which is slow
        "--hide-scrollbars",
        "--window-size=1280,1000",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(service))
    browser.set_script_timeout(60)
    yield Browser(browser, site)
    browser.quit()


class Browser:
    """A page of the book, open at a width, and what the browser says of it."""

    def __init__(self, driver: Any, site: Path) -> None:
        self.driver, self.site = driver, site

    def open(self, page: str, width: int = 1280, query: str = "") -> None:
        """Open a page and wait until it is drawn and its layout stands still."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.logs()  # what earlier pages left
        self.driver.get((self.site / page).as_uri() + query)
        settled = self.driver.execute_async_script(
            """
            const done = arguments[0], end = performance.now() + 45000;
            const frame = () => new Promise(requestAnimationFrame);
            const drawn = () => [...document.querySelectorAll('.nc-interactive')].every(
              (block) => block.querySelector('.main-svg'));
            const layout = () => JSON.stringify(
              [document.body, ...document.querySelectorAll('h2, .nc-interactive')].map((e) => {
                const { x, y, width, height } = e.getBoundingClientRect();
                return [x, y + window.scrollY, width, height];
              }));
            (async () => {
              await window.MathJax?.startup?.promise;
              await document.fonts.ready;
              let last = '', still = 0;
              while (still < 5 && performance.now() < end) {
                await frame();
                const now = layout();
                still = drawn() && now === last ? still + 1 : 0;
                last = now;
              }
              return still === 5;
            })().then(done);
            """
        )
        assert settled, f"{page}: figures or layout are not ready 45 s after loading"

    def click(self, x: float, y: float) -> None:
        """Press and release the mouse at a point of the window."""
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            event = {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1}
            self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)

    def run(self, script: str, *arguments: Any) -> Any:
        """The value of some JavaScript in the page."""
        return self.driver.execute_script(script, *arguments)

    def logs(self) -> tuple[list[str], list[str]]:
        """Errors on the console and addresses outside, since the last call."""
        errors = [e["message"] for e in self.driver.get_log("browser") if e["level"] == "SEVERE"]
        outside = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = message["params"]["request"]["url"]
                if not url.startswith(("file:", "data:", "blob:", "about:", "chrome:")):
                    outside.append(url)
        return errors, outside

    def facts(self) -> dict[str, Any]:
        """What one look at the open page shows."""
        return self.run(
            r"""
            const all = (selector) => [...document.querySelectorAll(selector)];
            const article = document.querySelector('.bd-article') ?? document.body;
            const text = document.createTreeWalker(article, NodeFilter.SHOW_TEXT);
            const raw = [];
            while (text.nextNode()) {
              const node = text.currentNode;
              if (/\\\(|\\\[|\$\$/.test(node.data)
                  && !node.parentElement.closest('code, pre, script, style, mjx-container')) {
                raw.push(node.data.trim().slice(0, 80));
              }
            }
            const torn = all('.bd-article span.math').filter((formula) => {
              const after = formula.nextSibling;
              if (after?.nodeType !== Node.TEXT_NODE || !/^[.,;:)]/.test(after.data)) return false;
              const sign = document.createRange();
              sign.setStart(after, 0);
              sign.setEnd(after, 1);
              const box = formula.getBoundingClientRect();
              return box.height > 0 && sign.getBoundingClientRect().top > box.bottom;
            });
            return {
              width: window.innerWidth,
              scroll: Math.max(document.documentElement.scrollWidth, document.body.scrollWidth),
              wide: all('.bd-article *').filter((e) => {
                const box = e.getBoundingClientRect();
                return box.right > window.innerWidth + 1 && box.width > 0;
              }).slice(0, 5).map((e) => `${e.tagName}.${e.className}`),
              formulas: all('.math').length,
              typeset: all('.math mjx-container').length,
              failed: all('mjx-merror, [data-mjx-error]').map((e) => e.textContent),
              raw,
              torn: torn.map((formula) => formula.parentElement.textContent.slice(0, 80)),
              figures: all('.nc-interactive').length,
              drawn: all('.nc-interactive').filter((e) => e.querySelector('.main-svg')).length,
            };
            """
        )
