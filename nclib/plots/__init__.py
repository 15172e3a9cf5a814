"""One look for every figure of the book, and the figures that chapters share.

The figures of a chapter stand in the module that has its name, such as
:mod:`nclib.plots.class_encoding.theory`. Each takes data and returns a figure.
"""

from nclib.plots._class_means import angle_matrices, centred_norms
from nclib.plots._courses import Curves, collapse_courses
from nclib.plots._style import DIVERGING, PALETTE, SEQUENTIAL, Interactive, interactive, use_style

__all__ = [
    "DIVERGING",
    "PALETTE",
    "SEQUENTIAL",
    "Curves",
    "Interactive",
    "angle_matrices",
    "centred_norms",
    "collapse_courses",
    "interactive",
    "use_style",
]
