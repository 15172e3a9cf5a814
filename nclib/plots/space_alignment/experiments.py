"""Figures of trained networks: how far they are aligned, and what strategies change."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from nclib.plots._style import COLOURS, MARKERS, PALETTE, headline


class Effect(NamedTuple):
    """A difference, known within ``margin``; inf: a single one, without an interval."""

    label: str
    value: float
    margin: float


class Course(NamedTuple):
    """A network over its training: accuracies and mean cosines at the epochs that have them."""

    accuracy: tuple[Sequence[int], Sequence[float]]  # epochs, per cent
    cosine: tuple[Sequence[int], Sequence[float]]


class Interval(NamedTuple):
    """A number within an interval that need not be even about it."""

    label: str
    value: float
    low: float
    high: float


def answer(
    cosines: Mapping[str, Float[Tensor, " K"]],
    rows: Sequence[Effect],
    *,
    titles: tuple[str, str],
    title: str,
) -> Figure:
    """How far a network is aligned, and what strategies change in accuracy.

    Args:
        cosines: by name, of its classes from the most frequent to the rarest.
        rows: differences of accuracy in points.
        titles: of the two panels.
        title: the figure's message.
    """
    height = max(3.6, 0.3 * len(rows) + 1.2)
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.8, height), width_ratios=(1.0, 0.9))
    _by_class(left, cosines, wide=True)
    _effects(right, rows)
    right.set(xlabel="change of test accuracy (points)")
    for axes, name in zip((left, right), titles, strict=True):
        axes.set_title(name, loc="center", fontsize=9.5)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower left", ncols=2)
    headline(figure, title)
    return figure


def _by_class(
    axes: Axes, cosines: Mapping[str, Float[Tensor, " K"]], *, wide: bool = False
) -> None:
    """Curves over the classes; every other one is wide where two may lie on each other."""
    for index, (name, values) in enumerate(cosines.items()):
        dense = len(values) > 20
        axes.plot(
            range(1, len(values) + 1),
            values.tolist(),
            color=COLOURS[index],
            marker=None if dense else MARKERS[index],
            markersize=7 if wide and index % 2 == 0 else 4,
            linewidth=4.5 if wide and index % 2 == 0 else 1.8,
            label=name,
        )
    axes.set(xlabel="class, frequent to rare", ylabel="cosine of row and mean")
    axes.axhline(1, color=PALETTE["grey"], linewidth=0.8)


def _effects(axes: Axes, rows: Sequence[Effect]) -> None:
    axes.axvline(0, color=PALETTE["black"], linewidth=1)
    for place, row in enumerate(rows):
        finite = math.isfinite(row.margin)
        colour = PALETTE["blue" if finite else "grey"]
        error = row.margin if finite else None
        axes.errorbar(row.value, place, xerr=error, fmt="o", color=colour, capsize=3)
    axes.set_yticks(range(len(rows)), [row.label for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)


def forest(rows: Sequence[Effect], *, title: str, xlabel: str) -> Figure:
    """Differences with their 95 % intervals, one a row.

    Args:
        rows: from top to bottom; single ones have no interval and are drawn grey.
        title: the figure's message.
        xlabel: what the differences are.
    """
    figure, axes = plt.subplots(figsize=(7.2, 0.36 * len(rows) + 1.3))
    _effects(axes, rows)
    axes.set(xlabel=xlabel)
    headline(figure, title)
    return figure


def cosines_by_class(
    panels: Mapping[str, Mapping[str, Float[Tensor, " K"]]], *, title: str
) -> Figure:
    """Cosines of several networks by class, a panel a setting.

    Args:
        panels: by title, by network, of the classes from the most frequent to the rarest.
        title: the figure's message.
    """
    figure, all_axes = plt.subplots(1, len(panels), figsize=(7.6, 3.7), sharey=True, squeeze=False)
    for axes, (name, networks) in zip(all_axes[0], panels.items(), strict=True):
        _by_class(axes, networks)
        axes.set_title(name, loc="center", fontsize=10)
    for axes in all_axes[0][1:]:
        axes.set_ylabel("")
    handles = all_axes[0][0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3)
    headline(figure, title)
    return figure


def training(courses: Mapping[str, Course], *, title: str) -> Figure:
    """Test accuracy and the mean centred cosine over training.

    Args:
        courses: by network.
        title: the figure's message.
    """
    figure, panels = plt.subplots(1, 2, figsize=(7.6, 3.6))
    for index, (name, course) in enumerate(courses.items()):
        style = {"color": COLOURS[index], "marker": MARKERS[index], "markersize": 4}
        for axes, (epochs, values) in zip(panels, course, strict=True):
            axes.plot(epochs, values, **style, label=name)
    panels[0].set(xlabel="epoch", ylabel="test accuracy (%)")
    panels[1].set(xlabel="epoch", ylabel="mean centred cosine")
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(courses)
    )
    headline(figure, title)
    return figure


def accuracy_and_cosine(
    points: Mapping[str, Mapping[str, tuple[float, float]]], *, title: str
) -> Figure:
    """Test accuracy against the mean centred cosine, one mark a network.

    Args:
        points: by setting, by network, cosine and accuracy in per cent.
        title: the figure's message.
    """
    figure, axes = plt.subplots(figsize=(7.0, 3.8))
    for place, (setting, networks) in enumerate(points.items()):
        xs, ys = zip(*networks.values(), strict=True)
        axes.plot(xs, ys, "-", color=PALETTE["grey"], linewidth=1, zorder=1)
        for index, (name, (x, y)) in enumerate(networks.items()):
            label = name if place == 0 else None
            axes.plot(x, y, MARKERS[index], color=COLOURS[index], markersize=8, label=label)
        axes.annotate(setting, (xs[-1], ys[-1]), (8, -4), textcoords="offset points", fontsize=9)
    axes.margins(x=0.18)
    axes.set(xlabel="mean centred cosine", ylabel="test accuracy (%)")
    axes.set_title(title)
    axes.legend(loc="lower right")
    return figure


def exponents_and_accuracies(
    networks: Mapping[str, tuple[Float[Tensor, " K"], Float[Tensor, " K"]]], *, title: str
) -> Figure:
    """The accuracy of each class against its error exponent with the network's own noise.

    Args:
        networks: by name, exponents and accuracies (per cent) of the classes.
        title: the figure's message.
    """
    figure, axes = plt.subplots(figsize=(7.0, 3.9))
    for index, (name, (exponents, accuracies)) in enumerate(networks.items()):
        axes.plot(
            exponents.tolist(),
            accuracies.tolist(),
            MARKERS[index],
            color=COLOURS[index],
            markersize=5,
            label=name,
        )
    axes.set_xscale("symlog", linthresh=1.0)
    axes.set(xlabel=r"exponent $\beta_k$ (0: the mean is misclassified)")
    axes.set(ylabel="test accuracy of the class (%)", xlim=(-0.1, None))
    axes.set_title(title)
    axes.legend(loc="lower right")
    return figure


def correlations(rows: Sequence[Interval], *, title: str) -> Figure:
    """Rank correlations with their intervals, one a row.

    Args:
        rows: from top to bottom.
        title: the figure's message.
    """
    figure, axes = plt.subplots(figsize=(7.2, 0.42 * len(rows) + 1.3))
    axes.axvline(0, color=PALETTE["black"], linewidth=1)
    for place, row in enumerate(rows):
        error = [[row.value - row.low], [row.high - row.value]]
        axes.errorbar(row.value, place, xerr=error, fmt="o", color=PALETTE["blue"], capsize=3)
    axes.set_yticks(range(len(rows)), [row.label for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set(xlabel="Spearman's rank correlation", xlim=(-1.05, 1.05))
    headline(figure, title)
    return figure
