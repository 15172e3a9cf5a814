"""The book's own Sphinx extension: pages that load what they need, and nothing from outside."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.ext import autodoc
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import get_type_hints
from sphinx_proof.nodes import proof_node

PLOTLY = "vendor/plotly-gl3d.min.js"
_THEBE = re.compile(
    r'\s*<script type="text/x-thebe-config">.*?</script>\s*<script>kernelName = .*?</script>', re.S
)
_INTERACTIVE = 'class="nc-interactive"'


class Proof(SphinxDirective):
    """``prf:proof`` with a title, which a folded block needs to be opened by, and its own id.

    The title is "Proof", with the argument, if there is one, behind it.
    """

    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True
    option_spec = {"class": directives.class_option}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        title = " ".join(["Proof", *self.arguments])
        text, messages = self.state.inline_text(title, self.lineno)
        block = nodes.admonition(
            "",
            nodes.title(title, "", *text),
            *messages,
            classes=["proof", "proof-of", *self.options.get("class", [])],
            ids=[f"proof-{self.env.new_serialno('nc-proof') + 1}"],
        )
        self.state.nested_parse(self.content, self.content_offset, block)
        return [proof_node("", block)]


def scripts(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Load plotly on the pages with an interactive figure, and thebe (a remote script) on none."""
    files = context["script_files"]  # changed in place: it is the list that Sphinx adds to
    files[:] = [
        script
        for script in files
        if "thebe" not in str(getattr(script, "filename", script))
        and "thebe" not in str(getattr(script, "attributes", {}).get("body"))
    ]
    body = context.get("body", "")
    context["body"] = _THEBE.sub("", body)
    if _INTERACTIVE in body:
        # Before the scripts of the figures, which stand in the page's body and run as it is read.
        app.add_js_file(PLOTLY, priority=100)


def distinct_ids(app: Sphinx, doctree: nodes.document) -> None:
    """Number the inner parts of a page's statements and exercises, which all have one id."""
    for number, section in enumerate(doctree.findall(nodes.section), 1):
        section["ids"] = [
            f"{name}-{number}" if name.endswith("-content") else name for name in section["ids"]
        ]


def property_lines(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Give back the beginning of ``NC1: text``, which napoleon takes for an attribute's type."""
    kinds = [line for line in lines if line.startswith(":type: ")]
    if what in ("property", "attribute") and kinds:
        lines.remove(kinds[0])
        lines[0] = f"{kinds[0].removeprefix(':type: ')}: {lines[0]}"


def field_types(
    obj: Any, names: Any = None, others: Any = None, include_extras: bool = False
) -> dict[str, Any]:
    """Of a pydantic model the types of its fields, without the rules that stand beside them."""
    fields = getattr(obj, "model_fields", None)
    if fields is None:
        return get_type_hints(obj, names, others, include_extras)
    return {name: field.annotation for name, field in fields.items()}


def setup(app: Sphinx) -> dict[str, Any]:
    autodoc.get_type_hints = field_types  # type: ignore[attr-defined]
    app.setup_extension("sphinx_proof")
    app.add_directive_to_domain("prf", "proof", Proof, override=True)
    app.connect("doctree-read", distinct_ids)
    app.connect("html-page-context", scripts, priority=990)
    app.connect("autodoc-process-docstring", property_lines, priority=600)  # napoleon: 500
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
