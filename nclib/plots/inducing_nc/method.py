"""Figures of the two losses that induce neural collapse under imbalance, and of what they do."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import plotly.graph_objects as go
import torch
from jaxtyping import Float, Int
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from torch import Tensor

from nclib.geometry import pairwise_angles
from nclib.plots._style import (
    COLOURS,
    MARKERS,
    PALETTE,
    SEQUENTIAL,
    headline,
)


def long_tail_profiles(profiles: Mapping[str, Sequence[int]]) -> Figure:
    """Training images of each class, a line a training set.

    Args:
        profiles: by label, the images of each class.
    """
    figure, axes = plt.subplots(figsize=(6.4, 3.6))
    colours = [*COLOURS[:5], PALETTE["black"]]
    looks = zip(profiles.items(), colours, [*MARKERS[:5], "*"], strict=False)
    ends = []
    for (label, counts), colour, marker in looks:
        axes.semilogy(range(len(counts)), counts, marker=marker, ms=5, color=colour)
        ends.append((math.log10(counts[-1]), len(counts) - 1, label, colour))
    height = math.inf
    for end, place, label, colour in sorted(ends, key=lambda row: -row[0]):
        height = min(end, height - 0.19)  # a line of text
        spot = (place + 0.25, 10**height)
        axes.annotate(label, spot, va="center", color=colour, fontsize=9, annotation_clip=False)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set(
        xlabel="class, the most frequent first",
        ylabel="training images",
        title="An exponential profile is a straight line on a logarithmic scale",
    )
    axes.set_xticks(range(max(map(len, profiles.values()))))
    return figure


def within_class_pulls(
    features: Float[Tensor, "N 2"],
    labels: Int[Tensor, " N"],
    steps: Mapping[str, Float[Tensor, "N 2"]],
) -> Figure:
    """Steps down a loss of the features, as arrows from each of them; a panel a loss.

    Args:
        features: points of the plane.
        labels: class ids, 0 to K − 1.
        steps: by loss, the step of each feature.
    """
    figure, panels = plt.subplots(1, len(steps), figsize=(6.6, 2.9), sharex=True, sharey=True)
    classes = range(int(labels.max()) + 1)
    for axes, (name, moves) in zip(panels, steps.items(), strict=True):
        shares = [float(moves[labels == k].norm(dim=1).sum()) for k in classes]
        for k in classes:
            mine = labels == k
            points, arrows = features[mine].numpy(), moves[mine].numpy()
            axes.plot(*points.T, "o", ms=3, color=COLOURS[k])
            axes.quiver(
                *points.T, *arrows.T, color=COLOURS[k], angles="xy", scale_units="xy", scale=1,
                width=0.006,
            )  # fmt: skip
            centre = points.mean(0)
            axes.plot(*centre, marker="+", ms=12, mew=2, color=PALETTE["black"])
            axes.annotate(
                f"{100 * shares[k] / sum(shares):.0f} % of the pull",
                (centre[0], points[:, 1].max()),
                (0, 14),
                textcoords="offset points",
                ha="center",
                color=COLOURS[k],
            )
        axes.set_title(name, loc="center", fontsize=10, fontweight="normal")
        axes.set_aspect("equal")
        axes.set(xticks=[], yticks=[])
        axes.margins(0.12, 0.16)
        axes.grid(visible=False)
        for side in ("left", "bottom"):
            axes.spines[side].set_visible(False)
    headline(figure, r"Only $L_W$ pulls a rare class as hard as a common one")
    return figure


class Field(NamedTuple):
    """A scalar of the place of one point in the plane, and the direction in which it grows."""

    x: Float[Tensor, "A B"]
    y: Float[Tensor, "A B"]
    value: Float[Tensor, "A B"]
    rise: Float[Tensor, "A B 2"]


def between_class_field(
    fixed: Float[Tensor, "M 2"], field: Field, paths: Sequence[Float[Tensor, "S 2"]]
) -> Figure:
    """The mean nearest angle over the place of one centre, the others held fixed.

    Args:
        fixed: centres that stay.
        field: the mean nearest angle in degrees, and its gradient in the moving centre.
        paths: courses of steps along the gradient.
    """
    figure, axes = plt.subplots(figsize=(6.4, 4.6))
    filled = axes.contourf(
        field.x, field.y, field.value, levels=np.linspace(60, 120, 13), cmap=SEQUENTIAL
    )
    bar = figure.colorbar(filled, ax=axes, label=r"mean nearest angle, $-L_B$")
    bar.set_ticks(range(60, 121, 15), labels=[f"{tick}°" for tick in range(60, 121, 15)])
    every = (slice(2, None, 6), slice(2, None, 6))
    arrows = field.rise[every].numpy()
    lengths = np.linalg.norm(arrows, axis=-1, keepdims=True)
    arrows = np.divide(arrows, lengths, out=np.zeros_like(arrows), where=lengths > 0)
    axes.quiver(
        field.x[every], field.y[every], arrows[..., 0], arrows[..., 1], color="white",
        angles="xy", scale=20, width=0.005,
    )  # fmt: skip
    for path in paths:
        axes.plot(*path.T, color="white", lw=3.5)
        axes.plot(*path.T, color=PALETTE["vermilion"], lw=2)
        axes.plot(*path[0], "o", ms=7, color=PALETTE["vermilion"], mec="white")
        axes.plot(*path[-1], "*", ms=16, color=PALETTE["vermilion"], mec="white")
    axes.plot(*fixed.T, "s", ms=9, color="white", mec=PALETTE["black"])
    for spot in fixed.tolist():
        axes.annotate(
            "held", spot, (0, -16), textcoords="offset points", ha="center", color="white",
            fontsize=10, bbox={"facecolor": "#002051", "lw": 0, "pad": 1},
        )  # fmt: skip
    axes.set_aspect("equal")
    axes.grid(visible=False)
    axes.set(
        xlim=(float(field.x.min()), float(field.x.max())),
        ylim=(float(field.y.min()), float(field.y.max())),
        xlabel="place of the third centre, first coordinate",
        ylabel="second coordinate",
        title=r"$L_B$ sees angles alone, yet its optimum is a point",
    )
    return figure


def collapse_slider(
    courses: Mapping[str, Float[Tensor, "S N 3"]], labels: Int[Tensor, " N"], steps: Sequence[int]
) -> tuple[go.Figure, str]:
    """Features in space that descend on the losses, with a slider for the step, and alt text.

    Each frame is centred at the mean of the class means and scaled so that these have length 1000
    on average. A button chooses the course; the slider moves all of them.

    Args:
        courses: by name, the features at each step shown.
        labels: class of each feature, 0 to K − 1 with K at most 5.
        steps: the numbers of the steps shown.
    """
    sizes = labels.bincount().tolist()
    frames = {name: [_frame(points, labels) for points in each] for name, each in courses.items()}
    fig = go.Figure()
    for index, (name, course) in enumerate(frames.items()):
        (points, rays), text = course[0]
        visibility: dict[str, Any] = {"visible": index == 0}
        classes = [k for k, size in enumerate(sizes) for _ in range(size)]
        marker = {
            "size": 4.5,
            "color": [COLOURS[k] for k in classes],
            "symbol": [_SYMBOLS[k] for k in classes],
        }
        hover = {"text": [f"{sizes[k]} samples" for k in classes], "hoverinfo": "text"}
        fig.add_scatter3d(
            **points, mode="markers", marker=marker, showlegend=False, **hover, **visibility
        )
        line = {"width": 6, "color": PALETTE["grey"]}
        style = {"mode": "lines", "line": line, "hoverinfo": "skip", "showlegend": True}
        fig.add_scatter3d(**rays, name=f"{name}: {text}", **style, **visibility)

    def step(number: int, label: int) -> dict[str, Any]:
        now = {name: course[number] for name, course in frames.items()}
        change: dict[str, Any] = {
            axis: [_packed(part[axis]) for parts, _ in now.values() for part in parts]
            for axis in "xyz"
        }
        change["name"] = [
            label for name, (_, text) in now.items() for label in ("", f"{name}: {text}")
        ]
        return {"method": "restyle", "label": str(label), "args": [change]}

    buttons = [
        {
            "method": "restyle",
            "label": name,
            "args": [{"visible": [other == name for other in frames for _ in range(2)]}],
        }
        for name in frames
    ]
    hidden = {"visible": False, "range": [-1.35 * _UNIT, 1.35 * _UNIT]}
    fig.update_layout(
        height=520,
        margin={"l": 0, "r": 0, "t": 96, "b": 0},
        legend={
            "orientation": "h", "x": 0.02, "y": 1.0, "yanchor": "bottom", "itemsizing": "constant",
        },
        scene={
            "xaxis": hidden, "yaxis": hidden, "zaxis": hidden,
            "aspectmode": "cube",
            "dragmode": "orbit",
            "camera": {"eye": {"x": 1.1, "y": 0.87, "z": 0.46}},
        },
        updatemenus=[
            {
                "type": "buttons", "direction": "right", "showactive": False, "buttons": buttons,
                "x": 0.02, "xanchor": "left", "y": 1.2, "yanchor": "top", "pad": {"t": 0, "b": 4},
                "bgcolor": "rgba(0,0,0,0)", "bordercolor": PALETTE["grey"],
            }
        ],
        sliders=[
            {
                "active": 0,
                "currentvalue": {"prefix": "step "},
                "pad": {"t": 8, "b": 12, "l": 12, "r": 12},
                "steps": [step(number, label) for number, label in enumerate(steps)],
            }
        ],
    )  # fmt: skip
    alt = (
        f"{sum(sizes)} points in space, of {len(sizes)} classes with {sizes[0]} down to "
        f"{sizes[-1]} samples, with a slider for the step of gradient descent. On both losses each "
        "class shrinks to a point and the class means open to a regular figure. On L_W alone the "
        "classes shrink where they are; on L_B alone they open and keep their spread."
    )
    return fig, alt


_UNIT = 1000  # coordinates of the slider are whole numbers, of two bytes


_SYMBOLS = ("circle", "square", "diamond", "cross", "circle-open")


def _frame(
    points: Float[Tensor, "N 3"], labels: Int[Tensor, " N"]
) -> tuple[list[dict[str, np.ndarray]], str]:
    """Coordinates of all points and of the rays to the class means, and their measures."""
    classes = range(int(labels.max()) + 1)
    means = torch.stack([points[labels == k].mean(0) for k in classes])
    centre = means.mean(0)
    scale = (means - centre).norm(dim=1).mean()
    clouds = [((points[labels == k] - centre) / scale).numpy() for k in classes]
    rays = [row for corner in ((means - centre) / scale).numpy() for row in (np.zeros(3), corner)]
    angles = pairwise_angles(means) + 180 * torch.eye(len(means))
    variances = [((cloud - cloud.mean(0)) ** 2).sum(1).mean() for cloud in clouds]
    spread = math.sqrt(sum(variances) / len(variances))
    text = f"smallest angle {float(angles.min()):.0f}°, spread {100 * spread:.0f} %"
    return [_columns(part) for part in (np.concatenate(clouds), np.array(rays))], text


def _columns(points: np.ndarray) -> dict[str, np.ndarray]:
    columns = (_UNIT * points).round().T.astype(np.int16)
    return dict(zip("xyz", columns, strict=True))


def _packed(values: np.ndarray) -> dict[str, str]:
    """Numbers as plotly.js reads them without digits: a fraction of the length in a notebook."""
    return {"dtype": "i2", "bdata": b64encode(values.tobytes()).decode()}


def class_pulls(panels: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """The weight that each class's variance has in a minibatch, a panel a training set.

    Args:
        panels: by training set and form of the loss, the expected weight of each class.
    """
    figure, grid = plt.subplots(1, len(panels), figsize=(6.6, 3.6), sharey=True)
    dashes = ("--", "-", "-", ":")
    colours = [PALETTE[name] for name in ("black", "blue", "vermilion", "green")]
    for axes, (title, curves) in zip(grid, panels.items(), strict=True):
        for (label, weights), dash, colour in zip(curves.items(), dashes, colours, strict=True):
            axes.semilogy(range(len(weights)), weights, dash, color=colour, label=label)
        axes.set_title(title, loc="center", fontsize=10, fontweight="normal")
        axes.set_xlabel("class, the most frequent first")
    grid[0].set_ylabel("weight of the class's variance")
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    headline(figure, r"In a minibatch, not even $L_W$ treats all classes alike")
    return figure


def centre_errors(
    panels: Mapping[str, Mapping[str, Sequence[float]]],
) -> Figure:
    """Distance of class centres from the true class mean over the steps, a panel a class.

    Args:
        panels: by class and kind of centre (batch means first, then two that remember), the
            distance after each step; nan where there is none.
    """
    figure, grid = plt.subplots(1, len(panels), figsize=(6.6, 3.5), sharey=True)
    for axes, (title, curves) in zip(grid, panels.items(), strict=True):
        looks = zip(curves.items(), COLOURS, (".", "-", "--"), strict=False)
        for (label, values), colour, look in looks:
            axes.semilogy(range(1, len(values) + 1), values, look, color=colour, ms=4, label=label)
        axes.set_title(title, loc="center", fontsize=10, fontweight="normal")
        axes.set_xlabel("step")
    grid[0].set_ylabel("distance from the class mean")
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    headline(figure, "For features at rest, centres that remember are several times closer")
    return figure


class Triangle(NamedTuple):
    """Three classes of a network: where their means stand, and how far their features reach."""

    means: Float[Tensor, "3 P"]
    spreads: Float[Tensor, " 3"]  # root of the mean squared distance to the mean
    unit: float  # root mean squared length of all centred class means


def class_triangles(
    panels: Mapping[str, Triangle], counts: Sequence[int], *, num_classes: int, title: str
) -> Figure:
    """Three class means in their own plane, each in a circle of its class's spread.

    Distances are in units of the centred means' length, so that panels compare; a dotted triangle
    has the sides of a simplex ETF's faces.

    Args:
        panels: by method, three of its classes, the same ones in each.
        counts: their training images.
        num_classes: K, which sets the sides of the dotted triangle.
        title: the figure's message.
    """
    figure, grid = plt.subplots(1, len(panels), figsize=(6.6, 3.0), squeeze=False)
    side = math.sqrt(2 * num_classes / (num_classes - 1))
    turns = math.pi * (np.array([7, 11, 3]) / 6)
    ideal = side / math.sqrt(3) * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    reach = max(_extent(triangle, ideal) for triangle in panels.values())
    for axes, (label, triangle) in zip(grid[0], panels.items(), strict=True):
        corners, spreads = _flat(triangle, ideal)
        axes.plot(*ideal[[0, 1, 2, 0]].T, ":", color=PALETTE["grey"], lw=1.5)
        for corner, spread, count, colour in zip(corners, spreads, counts, COLOURS, strict=False):
            axes.add_patch(plt.Circle(corner, spread, color=colour, alpha=0.3, lw=0))
            axes.plot(*corner, "o", ms=5, color=colour)
            outwards = corner / np.linalg.norm(corner)
            axes.annotate(
                f"{count}", corner, 15 * outwards, textcoords="offset points", color=colour,
                ha="center", va="center", fontweight="bold",
            )  # fmt: skip
        axes.set(xlim=(-reach, reach), ylim=(-0.8 * reach, reach), aspect="equal")
        axes.set_title(label, loc="center", fontsize=10, fontweight="normal")
        axes.set_axis_off()
    headline(figure, title)
    return figure


def _flat(triangle: Triangle, ideal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The means in the plane, turned towards the ideal triangle, and the spreads, in units."""
    centred = (triangle.means - triangle.means.mean(0)).double().numpy() / triangle.unit
    left, _, right = np.linalg.svd(centred.T @ ideal, full_matrices=False)
    return centred @ left @ right, triangle.spreads.double().numpy() / triangle.unit


def _extent(triangle: Triangle, ideal: np.ndarray) -> float:
    corners, spreads = _flat(triangle, ideal)
    return float((np.abs(corners).max(1) + np.maximum(spreads, 0.3)).max())


class Course(NamedTuple):
    """One measure over the epochs, for several methods and seeds."""

    title: str
    epochs: Sequence[int]
    seeds: Mapping[str, Sequence[Sequence[float]]]  # by method, the values of each seed


def seeded_courses(panels: Sequence[Course], *, title: str) -> Figure:
    """Measures of collapse over training, a line a seed; on a logarithmic scale.

    Args:
        panels: four measures.
        title: the figure's message.
    """
    figure, grid = plt.subplots(2, 2, figsize=(6.6, 5.2), sharex=True)
    looks = [PALETTE[name] for name in ("blue", "green", "vermilion")]  # as in `centred_norms`
    for axes, course in zip(grid.flat, panels, strict=True):
        for (label, seeds), colour in zip(course.seeds.items(), looks, strict=False):
            for values in seeds:
                axes.semilogy(course.epochs, values, color=colour, lw=1.3)
            if axes is grid[0, 0]:
                lowest = label == list(course.seeds)[-1]
                last = [values[-1] for values in seeds]
                axes.annotate(
                    label, (course.epochs[-1], min(last) if lowest else max(last)),
                    (0, -4 if lowest else 4), textcoords="offset points", color=colour,
                    ha="right", va="top" if lowest else "bottom",
                )  # fmt: skip
        bottom, top = axes.get_ylim()
        axes.set_ylim(bottom / (1.8 if axes is grid[0, 0] else 1), top)
        axes.set_title(course.title, fontsize=10, fontweight="normal")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    for axes in grid[1]:
        axes.set_xlabel("epoch")
    for axes in grid[:, 0]:
        axes.set_ylabel("0 at collapse")
    headline(figure, title)
    return figure


def strength_sweep(
    sweeps: Mapping[str, Sequence[tuple[float, Sequence[float], Sequence[float]]]],
    *,
    baseline: float,
    title: str,
) -> Figure:
    """Test accuracy and smallest angle over the strength of a term, a column a term, a line a seed.

    Args:
        sweeps: by symbol of the strength, the strength and for each seed the accuracy and the
            smallest angle in degrees; a run that diverged has nan.
        baseline: test accuracy without the terms.
        title: the figure's message.
    """
    figure, grid = plt.subplots(2, len(sweeps), figsize=(6.6, 4.4), sharey="row", sharex="col")
    for column, (symbol, rows) in zip(grid.T, sweeps.items(), strict=True):
        strengths, accuracies, angles = (np.array(values) for values in zip(*rows, strict=True))
        places = np.arange(len(strengths))
        lost = places[np.isnan(accuracies).any(axis=1)]
        column[0].plot(places, 100 * accuracies, "o-", ms=4, lw=1.3, color=COLOURS[0], alpha=0.8)
        column[1].plot(places, angles, "s-", ms=4, lw=1.3, color=COLOURS[1], alpha=0.8)
        for axes, top in zip(column, (105, 100), strict=True):
            axes.plot(lost, 0 * lost, "x", ms=9, mew=2, color=PALETTE["black"])
            axes.set(ylim=(-5, top))
        column[0].axhline(100 * baseline, color=PALETTE["grey"], ls="--", lw=1)
        column[1].set_xlabel(symbol)
        column[1].set_xticks(places, [f"{value:g}" for value in strengths])
    grid[0, 0].set_ylabel("test accuracy (%)")
    grid[1, 0].set_ylabel("smallest angle (°)")
    handles = [Line2D([], [], color=PALETTE["grey"], ls="--", lw=1, label="without the terms")]
    if any(math.isnan(value) for rows in sweeps.values() for row in rows for value in row[1]):
        style: dict[str, Any] = {
            "color": PALETTE["black"],
            "marker": "x",
            "ms": 9,
            "mew": 2,
            "ls": "",
        }
        handles.append(Line2D([], [], label="diverged", **style))
    grid[0, 0].legend(handles=handles, loc="lower left")
    headline(figure, title)
    return figure
