"""Collapse over training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from nclib.plots._style import (
    COLOURS,
    PALETTE,
    headline,
)


class Curves(NamedTuple):
    """One metric over the epochs of several runs."""

    title: str
    epochs: Sequence[int]
    runs: Mapping[str, tuple[Sequence[float], Sequence[float]]]  # train and test values by label


def collapse_courses(panels: Sequence[Curves], *, title: str) -> Figure:
    """Collapse metrics over training, a panel each; solid on training data, dashed on test data.

    Values that are exactly zero cannot be drawn on the logarithmic axis and are left out.

    Args:
        panels: four metrics.
        title: the figure's message.
    """
    figure, grid = plt.subplots(2, 2, figsize=(7.2, 5.2), sharex=True)
    for axes, curves in zip(grid.flat, panels, strict=True):
        for (_, pair), colour in zip(curves.runs.items(), COLOURS, strict=False):
            for values, style in zip(pair, ("-", "--"), strict=True):
                drawn = np.where(np.asarray(values, dtype=float) > 0, values, np.nan)
                axes.semilogy(curves.epochs, drawn, style, color=colour)
        axes.yaxis.set_major_formatter("{x:g}")
        low, high = axes.get_ylim()
        digits = "" if high / low > 100 else "25" if high / low > 10 else "2357"
        axes.yaxis.set_minor_formatter(FuncFormatter(partial(_between, digits)))
        axes.set_title(curves.title)
    for axes in grid[1]:
        axes.set_xlabel("epoch")
    handles = [
        Line2D([], [], color=colour, label=label)
        for label, colour in zip(panels[0].runs, COLOURS, strict=False)
    ]
    handles += [
        Line2D([], [], color=PALETTE["black"], label="training data"),
        Line2D([], [], color=PALETTE["black"], linestyle="--", label="test data"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(3, len(handles)))
    headline(figure, title)
    return figure


def _between(digits: str, value: float, _: object) -> str:
    """What a logarithmic axis names between powers of ten: numbers with these first digits."""
    return f"{value:g}" if f"{value:e}"[0] in digits else ""
