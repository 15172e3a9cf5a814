"""The figures of the book, shared by its notebooks: each takes data and returns a figure."""

from nclib.plots._style import DIVERGING, PALETTE, SEQUENTIAL, Interactive, interactive, use_style
from nclib.plots.geometry import best_cosines, gram_matrices, simplices, ssetf_slider

__all__ = [
    "DIVERGING",
    "PALETTE",
    "SEQUENTIAL",
    "Interactive",
    "best_cosines",
    "gram_matrices",
    "interactive",
    "simplices",
    "ssetf_slider",
    "use_style",
]
