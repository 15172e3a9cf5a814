"""The book's own Sphinx extension: pages that load what they need, and nothing from outside."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

PLOTLY = "vendor/plotly-gl3d.min.js"
_INTERACTIVE = 'class="nc-interactive"'


def scripts(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Load plotly on the pages with an interactive figure, and thebe (a remote script) on none."""
    context["script_files"] = [
        script
        for script in context["script_files"]
        if "thebe" not in (getattr(script, "filename", script) or "")
        and "thebe" not in (getattr(script, "attributes", {}).get("body") or "")
    ]
    if _INTERACTIVE in context.get("body", ""):
        # Before the scripts of the figures, which stand in the page's body and run as it is read.
        app.add_js_file(PLOTLY, priority=100)


def property_lines(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Give back the beginning of ``NC1: text``, which napoleon takes for a property's type."""
    if what == "property" and lines and lines[-1].startswith(":type: "):
        lines[0] = f"{lines.pop().removeprefix(':type: ')}: {lines[0]}"


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", scripts, priority=990)
    app.connect("autodoc-process-docstring", property_lines, priority=600)  # napoleon: 500
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
