"""The figures of the book, shared by its notebooks: each takes data and returns a figure."""

from nclib.plots._style import DIVERGING, PALETTE, SEQUENTIAL, Interactive, interactive, use_style

__all__ = ["DIVERGING", "PALETTE", "SEQUENTIAL", "Interactive", "interactive", "use_style"]
