"""Geometry of class means by class size, a look for each method."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from nclib.plots._style import (
    COLOURS,
    DIVERGING,
    MARKERS,
    PALETTE,
    headline,
)

# One look a method, in whatever company it is drawn; other labels take what their place gives.
_METHODS = ("CE", "CE-DRW", "LDAM-DRW", "NC-DRW", "NC-DRW-cRT", "Logit Adjust", "CE-RS", "CE-RW")


WITHOUT_MIXUP = ", without mixup"


Runs = Mapping[str, Sequence[Sequence[float] | np.ndarray]]  # by label, one sequence a seed


def angle_matrices(
    angles: Mapping[str, Float[Tensor, "K K"]], *, optimum: float, title: str
) -> Figure:
    """Pairwise angles between centred class means, one matrix a method, white at the optimum.

    Args:
        angles: by label, in degrees, the classes by decreasing size.
        optimum: the largest angle that all pairs can have.
        title: the figure's message.
    """
    columns = 2 if len(angles) == 4 else min(3, len(angles))
    rows = math.ceil(len(angles) / columns)
    side = 2.35 if columns == 3 else 3.2
    size = (side * columns + 0.8, (side + 0.4) * rows + 0.3)
    figure, panels = plt.subplots(rows, columns, figsize=size, squeeze=False)
    for axes in panels.flat[len(angles) :]:
        axes.set_axis_off()
    for axes, (label, matrix) in zip(panels.flat, angles.items(), strict=False):
        values = matrix.numpy().copy()
        np.fill_diagonal(values, np.nan)
        axes.set_facecolor(PALETTE["grey"])  # shows on the diagonal
        image = axes.imshow(values, cmap=DIVERGING, vmin=optimum - 50, vmax=optimum + 50)
        ticks = range(0, len(values), 3)
        axes.set(xticks=ticks, yticks=ticks, xlabel=f"smallest angle {np.nanmin(values):.0f}°")
        axes.grid(visible=False)
        axes.set_title(label, fontsize=10)
    for axes in panels[:, 0]:
        axes.set_ylabel("class, the most frequent first")
    bar = figure.colorbar(image, ax=panels, shrink=0.8, pad=0.02, extend="both")
    bar.set_label("angle (°), white: the optimum")
    headline(figure, title)
    return figure


def centred_norms(norms: Runs, counts: Mapping[str, Sequence[int]], *, title: str) -> Figure:
    """Norms of the centred class means over their mean, classes by decreasing size.

    Args:
        norms: by label, the norms of each seed's network.
        counts: by the same label, the training images of each class.
        title: the figure's message.
    """
    figure, axes = plt.subplots(figsize=(6.6, 3.6))
    axes.axhline(1, color=PALETTE["black"], linewidth=1, linestyle=":")
    relative = {
        label: [np.asarray(values) / np.mean(values) for values in runs]
        for label, runs in norms.items()
    }
    draw_seeds(axes, range(len(next(iter(counts.values())))), relative)
    name_sizes(axes, max(counts.values(), key=lambda sizes: sizes[0] / sizes[-1]))
    axes.set(ylabel="norm over the mean of the norms")
    axes.legend(ncols=2)
    headline(figure, title)
    return figure


# CE is grey, as what others are compared with.
_LOOKS = tuple(
    zip((PALETTE["grey"], *COLOURS, PALETTE["black"]), (*MARKERS, "X", "*"), strict=True)
)


def method_look(label: str, place: int) -> tuple[str, str]:
    """Colour and marker of a label, with mixup as without."""
    label = label.partition(", with")[0]
    return _LOOKS[_METHODS.index(label) if label in _METHODS else (place - 1) % len(_LOOKS)]


def draw_seeds(axes: Axes, places: Sequence[float], runs: Runs) -> None:
    """The mean over seeds of each label, and the seeds themselves as faint lines.

    What is without mixup, where there are both, is dashed and has open markers.
    """
    for i, (label, values) in enumerate(runs.items()):
        colour, marker = method_look(label, i)
        for single in values if len(values) > 1 else ():
            axes.plot(places, single, color=colour, linewidth=0.8, alpha=0.5)
        mean = np.mean(np.asarray(values), 0)
        style, face = ("--", "none") if label.endswith(WITHOUT_MIXUP) else ("-", colour)
        axes.plot(
            places,
            mean,
            style,
            color=colour,
            marker=marker,
            markersize=5,
            markerfacecolor=face,
            label=label,
        )


def name_sizes(axes: Axes, counts: Sequence[int]) -> None:
    """Ticks that name each class's number of training images; few of many classes."""
    step = max(1, len(counts) // 10)
    axes.set_xticks(range(0, len(counts), step), [str(n) for n in counts[::step]])
    axes.set_xlabel("training images of the class in the long-tailed set")
