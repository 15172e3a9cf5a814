r"""The texts of claims and tables: words, and formulas between dollars, as MyST has them.

One source for three places: a page takes it as it is, a terminal shows it, and a notebook's HTML
has the formulas as the book's pages have theirs, which MathJax typesets there and in Jupyter.
"""

from __future__ import annotations

import html
import re

_FORMULA = re.compile(r"\$([^$]+)\$")


def to_html(text: str) -> str:
    r"""A text as HTML.

    >>> to_html(r"R & D need $c < 1$")
    'R &amp; D need <span class="math">\\(c &lt; 1\\)</span>'
    """
    pieces = _FORMULA.split(text)
    pieces[::2] = [html.escape(words) for words in pieces[::2]]
    pieces[1::2] = [rf'<span class="math">\({html.escape(tex)}\)</span>' for tex in pieces[1::2]]
    return "".join(pieces)


def to_myst(text: str) -> str:
    r"""A text as MyST that prints it: stars and underscores among words are no emphasis.

    >>> to_myst("nc2_cv of $W_1^*$")
    'nc2\\_cv of $W_1^*$'
    """
    pieces = _FORMULA.split(text)
    pieces[::2] = [words.replace("*", r"\*").replace("_", r"\_") for words in pieces[::2]]
    pieces[1::2] = [f"${tex}$" for tex in pieces[1::2]]
    return "".join(pieces)
