"""The role of class encoding in neural collapse: its claims and its networks."""

from nclib.papers._paper import Paper
from nclib.papers.class_encoding import grid
from nclib.papers.class_encoding.claims import CLAIMS

__all__ = ["PAPER"]

PAPER = Paper(
    "class-encoding",
    "The role of class encoding in neural collapse",
    "{cite:t}`classencoding2026`, all of it: {doc}`/notebooks/class_encoding/theory` states and "
    "proves, {doc}`/notebooks/class_encoding/conjecture` settles its conjecture.",
    CLAIMS,
    grid=grid.grid,
    trained=("class_encoding/trained_networks",),
)
