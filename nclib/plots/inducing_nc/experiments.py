"""Figures of networks trained on long-tailed data: accuracy, noise, calibration, effects."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from nclib.plots._class_means import WITHOUT_MIXUP, Runs, draw_seeds, method_look, name_sizes
from nclib.plots._style import (
    PALETTE,
    SEQUENTIAL,
    headline,
)

Lengths = Mapping[tuple[str, int], tuple[Sequence[int], Sequence[float]]]


class EffectRow(NamedTuple):
    """A difference of accuracies in points, as printed and as ours."""

    label: str
    printed: float | None  # None: the paper has no number
    ours: float
    margin: float  # half of the 95 % interval; inf: single runs


class Changes(NamedTuple):
    """What choices change of one quantity, each against the same network without the choice."""

    quantity: str  # with its unit
    values: Mapping[str, float]  # by choice: differences, or factors
    spread: float  # what a seed alone changes, 95 % of the time: a difference, or a factor
    factors: bool = False


class Settings(NamedTuple):
    """Accuracies of a method in per cent."""

    printed: Sequence[float]  # all that the paper has for it
    ours: Mapping[str, Sequence[float]]  # by setting, a value a seed; none: not run


def class_accuracy(accuracies: Runs, counts: Sequence[int], *, title: str) -> Figure:
    """Test accuracy of each class, by decreasing number of training images.

    Args:
        accuracies: by label, the classes' accuracies of each seed's network, in 0..1.
        counts: training images of each class.
        title: the figure's message.
    """
    figure, axes = plt.subplots(figsize=(7.0, 4.0))
    percent = {
        label: [100 * np.asarray(values) for values in runs] for label, runs in accuracies.items()
    }
    draw_seeds(axes, range(len(counts)), percent)
    name_sizes(axes, counts)
    axes.set(ylabel="test accuracy (%)")
    axes.legend(ncols=2)
    headline(figure, title)
    return figure


def noise_curves(
    accuracies: Runs,
    stds: Sequence[float],
    *,
    title: str,
    printed: Mapping[str, Sequence[float]] = {},
) -> Figure:
    """Test accuracy over the standard deviation of Gaussian noise on the images.

    Args:
        accuracies: by label, each seed's accuracies at those noise levels, in 0..1.
        stds: the levels, on normalised images.
        title: the figure's message.
        printed: numbers of a paper by label, in per cent, drawn as dotted lines of diamonds.
    """
    figure, axes = plt.subplots(figsize=(7.0, 3.6))
    percent = {
        label: [100 * np.asarray(values) for values in runs] for label, runs in accuracies.items()
    }
    draw_seeds(axes, stds, percent)
    for (label, values), colour in zip(printed.items(), ("vermilion", "purple"), strict=False):
        axes.plot(
            stds,
            values,
            "D:",
            color=PALETTE[colour],
            markerfacecolor="none",
            markeredgewidth=1.8,
            label=f"{label}, printed",
        )
    axes.set_xticks(list(stds))
    axes.set(
        xlabel="standard deviation of the noise on normalised images", ylabel="test accuracy (%)"
    )
    axes.legend()
    headline(figure, title)
    return figure


def calibration(points: Mapping[str, Sequence[tuple[float, float]]], *, title: str) -> Figure:
    """Expected calibration error beside accuracy, a marker a network; lower right is better.

    Args:
        points: by label, accuracy and calibration error of each seed's network, in 0..1.
        title: the figure's message.
    """
    figure, axes = plt.subplots(figsize=(7.0, 3.6))
    for i, (label, pairs) in enumerate(points.items()):
        accuracy, error = zip(*pairs, strict=True)
        colour, marker = method_look(label, i)
        axes.plot(
            100 * np.asarray(accuracy),
            100 * np.asarray(error),
            marker,
            color=colour,
            markersize=8,
            markerfacecolor="none" if label.endswith(WITHOUT_MIXUP) else colour,
            label=label,
        )
    axes.set(xlabel="test accuracy (%)", ylabel="calibration error (%)")
    axes.set_ylim(bottom=0)
    figure.legend(loc="outside right center")
    headline(figure, title)
    return figure


def strength_map(
    within: Sequence[float],
    between: Sequence[float],
    panels: Mapping[str, Sequence[Sequence[float]]],
    *,
    title: str,
    less: Collection[str] = (),
) -> Figure:
    r"""What networks become over the strengths of the two terms, a panel a quantity; light is good.

    Args:
        within: :math:`\lambda_1`, one a row.
        between: :math:`\lambda_2`, one a column.
        panels: by title, the values.
        title: the figure's message.
        less: titles of the panels where less is better.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(7.2, 3.1), squeeze=False)
    for panel, (name, values) in zip(axes[0], panels.items(), strict=True):
        grid = np.asarray(values, dtype=float)
        good = -grid if name in less else grid
        panel.imshow(good, cmap=SEQUENTIAL, aspect="auto")
        middle = (good.min() + good.max()) / 2
        for (row, column), value in np.ndenumerate(grid):
            colour = "white" if good[row, column] <= middle else "black"
            panel.text(column, row, f"{value:.1f}", ha="center", va="center", color=colour)
        panel.set_xticks(range(len(between)), [f"{x:g}" for x in between])
        panel.set_yticks(range(len(within)), [f"{x:g}" for x in within])
        panel.set(xlabel=r"$\lambda_2$ (strength of $L_B$)")
        panel.set_title(name, fontsize=10)
        panel.grid(visible=False)
    axes[0, 0].set_ylabel(r"$\lambda_1$ (strength of $L_W$)")
    headline(figure, title)
    return figure


def schedule_lengths(accuracy: Lengths, nc1: Lengths, *, title: str) -> Figure:
    """Test accuracy and NC1 over the course of one schedule that is run in more or fewer epochs.

    Args:
        accuracy: by method and length of the schedule in epochs: the epochs after which it was
            measured, and the accuracies in 0..1. The longest is drawn solid.
        nc1: the same of NC1 on training data.
        title: the figure's message.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.5))
    percent = {key: (at, [100 * v for v in values]) for key, (at, values) in accuracy.items()}
    longest = max(length for _, length in accuracy)
    for axes, courses in ((left, percent), (right, nc1)):
        for i, ((label, length), (epochs, values)) in enumerate(courses.items()):
            colour, marker = method_look(label, i)
            axes.plot(
                [100 * epoch / length for epoch in epochs],
                values,
                "-" if length == longest else "--",
                color=colour,
                marker=marker,
                markersize=4,
                label=f"{label}, {length} epochs",
            )
        axes.set(xlabel="share of the schedule (%)", xticks=range(0, 101, 20))
    left.set_title("test accuracy (%)", fontsize=10, fontweight="normal")
    right.set_title("NC1 on training data", fontsize=10, fontweight="normal")
    right.set_yscale("log")
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, handlelength=3.5)
    headline(figure, title)
    return figure


def effect_forest(rows: Sequence[EffectRow], *, title: str) -> Figure:
    """Differences of accuracy: printed ones open, ours filled with their 95 % intervals.

    Args:
        rows: from top to bottom; single runs have no interval and are drawn grey.
        title: the figure's message.
    """
    figure, axes = plt.subplots(figsize=(7.0, 0.42 * len(rows) + 1.5))
    axes.axvline(0, color=PALETTE["black"], linewidth=1)
    for height, row in enumerate(rows):
        finite = math.isfinite(row.margin)
        colour = PALETTE["blue"] if finite else PALETTE["grey"]
        axes.errorbar(
            row.ours, height, xerr=row.margin if finite else None, fmt="o", color=colour, capsize=3
        )
        if row.printed is not None:
            axes.plot(
                row.printed,
                height,
                "D",
                color=PALETTE["vermilion"],
                markerfacecolor="none",
                markeredgewidth=1.8,
            )
    if any(math.isfinite(row.margin) for row in rows):
        axes.plot([], [], "o", color=PALETTE["blue"], label="ours, 95 % interval")
    if not all(math.isfinite(row.margin) for row in rows):
        axes.plot([], [], "o", color=PALETTE["grey"], label="ours, single runs")
    axes.plot([], [], "D", color=PALETTE["vermilion"], markerfacecolor="none", label="printed")
    axes.set_yticks(range(len(rows)), [_with_symbols(row.label) for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set(xlabel="difference of test accuracy (points)")
    figure.legend(loc="outside lower center", ncols=3)
    headline(figure, title)
    return figure


def choice_changes(panels: Sequence[Changes], *, title: str) -> Figure:
    """What each choice changes, a row a choice and a panel a quantity, beside what a seed changes.

    Args:
        panels: of the same choices, from top to bottom. What a seed alone changes is shaded, and
            a change within it is drawn open.
        title: the figure's message.
    """
    choices = list(panels[0].values)
    height = 0.36 * len(choices) + 1.6
    figure, row = plt.subplots(1, len(panels), figsize=(7.2, height), sharey=True, squeeze=False)
    for axes, panel in zip(row[0], panels, strict=True):
        none = 1.0 if panel.factors else 0.0
        low, high = (
            (1 / panel.spread, panel.spread) if panel.factors else (-panel.spread, panel.spread)
        )
        axes.axvspan(low, high, color=PALETTE["grey"], alpha=0.25, linewidth=0)
        axes.axvline(none, color=PALETTE["black"], linewidth=1)
        for place, value in enumerate(panel.values[choice] for choice in choices):
            colour = PALETTE["grey"] if low <= value <= high else PALETTE["blue"]
            face = "none" if low <= value <= high else colour
            axes.plot([none, value], [place, place], color=colour, linewidth=1)
            axes.plot(value, place, "o", color=colour, markerfacecolor=face)
        if panel.factors:
            axes.set_xscale("log", base=2)
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"×{value:g}"))
        axes.set_title(panel.quantity, fontsize=10, fontweight="normal")
        axes.margins(x=0.12)
    row[0, 0].set_yticks(range(len(choices)), map(_with_symbols, choices))
    row[0, 0].set_ylim(len(choices) - 0.5, -0.5)
    seeds = Patch(
        color=PALETTE["grey"], alpha=0.25, linewidth=0, label="what a seed alone changes (95 %)"
    )
    figure.legend(handles=[seeds], loc="outside lower center")
    headline(figure, title)
    return figure


def setting_accuracies(rows: Mapping[str, Settings], *, title: str) -> Figure:
    """What a setting adds to each method, beside what is printed.

    Args:
        rows: by method, from top to bottom, all with the same settings in one order.
        title: the figure's message.
    """
    figure, axes = plt.subplots(figsize=(7.0, 0.6 * len(rows) + 1.5))
    settings = list(next(iter(rows.values())).ours)
    for place, row in enumerate(rows.values()):
        means = [float(np.mean(values)) for values in row.ours.values() if len(values)]
        axes.plot(means, [place] * len(means), color=PALETTE["grey"], linewidth=1, zorder=1)
        for setting, values in row.ours.items():
            colour, marker = method_look("", settings.index(setting) + 1)
            axes.plot(values, [place] * len(values), marker, color=colour, markersize=7)
        axes.plot(
            row.printed,
            [place - 0.25] * len(row.printed),
            "D",
            color=PALETTE["vermilion"],
            markerfacecolor="none",
            markeredgewidth=1.8,
        )
    for number, setting in enumerate(settings, 1):
        colour, marker = method_look("", number)
        axes.plot([], [], marker, color=colour, label=f"ours, {setting}")
    axes.plot([], [], "D", color=PALETTE["vermilion"], markerfacecolor="none", label="printed")
    axes.plot([], [], color=PALETTE["grey"], linewidth=1, label="from mean to mean")
    axes.set_yticks(range(len(rows)), map(_with_symbols, rows))
    axes.set_ylim(len(rows) - 0.5, -0.6)
    axes.set(xlabel="test accuracy (%)")
    figure.legend(loc="outside lower center", ncols=4)
    headline(figure, title)
    return figure


def _with_symbols(label: str) -> str:
    """The terms of a label as formulas."""
    return re.sub(r"(?<!\$)L_\w", r"$\g<0>$", label)
