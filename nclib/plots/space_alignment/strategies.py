"""Figures of what the three strategies do to a classifier."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import plotly.graph_objects as go
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from nclib.plots._style import COLOURS, MARKERS, PALETTE, headline


def answer(
    exponents: Mapping[str, Mapping[str, float]],
    accuracies: Mapping[str, Mapping[str, float]],
    *,
    title: str,
) -> Figure:
    """Each strategy at an optimum and in a mixture: two numbers of each, as dots in rows.

    Args:
        exponents: by strategy, exponents by name.
        accuracies: by the same strategies or fewer, test accuracies in per cent by name.
        title: the figure's message.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 4.2), sharey=True)
    strategies = list(exponents)
    _dots(left, strategies, exponents)
    _dots(right, strategies, accuracies)
    left.set_yticks(range(len(strategies)), strategies)
    left.set_ylim(len(strategies) - 0.5, -0.5)
    left.set(xlabel=r"exponent $\beta$", xlim=(0, None))
    left.set_title("certified optimum", loc="center", fontsize=10)
    right.set(xlabel="test accuracy (%)")
    right.set_title("networks on a Gaussian mixture", loc="center", fontsize=10)
    headline(figure, title)
    return figure


def _dots(axes: Axes, strategies: Sequence[str], values: Mapping[str, Mapping[str, float]]) -> None:
    names = list(next(iter(values.values())))
    for index, name in enumerate(names):
        rows = [place for place, strategy in enumerate(strategies) if strategy in values]
        numbers = [values[strategies[place]][name] for place in rows]
        axes.plot(numbers, rows, MARKERS[index], color=COLOURS[index], markersize=6, label=name)
        axes.axvline(numbers[0], color=COLOURS[index], linestyle=":", linewidth=1.2)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=len(names))


def turning(
    times: Sequence[float],
    exact: Mapping[str, Sequence[float]],
    flows: Mapping[str, Mapping[float, float]],
) -> Figure:
    """Angles of rows and means while SpA-Reg acts on the rows alone.

    Args:
        times: of the curves.
        exact: by row, its angle in degrees at these times, by the closed form.
        flows: by the same rows, angles of the integrated flow at some times.
    """
    figure, axes = plt.subplots(figsize=(7.0, 3.6))
    for index, (name, values) in enumerate(exact.items()):
        axes.plot(times, values, color=COLOURS[index], label=name)
        axes.plot(*zip(*flows[name].items(), strict=True), MARKERS[index], color=COLOURS[index])
    axes.set(xlabel="time × strength", ylabel="angle to the mean, degrees", ylim=(0, None))
    axes.set_title("The term turns short rows first")
    axes.legend()
    return figure


def recorded_cosines(shares: Sequence[float], curves: Mapping[str, Sequence[float]]) -> Figure:
    """The angle that is recorded after spherical interpolation, against the share t.

    Args:
        shares: t.
        curves: by name, angles in degrees; the first is what the rows were turned to.
    """
    figure, axes = plt.subplots(figsize=(7.0, 3.6))
    for index, (name, values) in enumerate(curves.items()):
        style = "--" if index == 0 else "-"
        colour = PALETTE["grey"] if index == 0 else COLOURS[index - 1]
        axes.plot(shares, values, style, color=colour, label=name)
    axes.set(xlabel="share $t$", ylabel="angle of the rarest class, degrees", ylim=(0, None))
    axes.set_title("With kept norms the recorded angle hardly follows")
    axes.legend()
    return figure


def by_size(groups: Mapping[str, Sequence[float]], *, title: str, ylabel: str) -> Figure:
    """A number of head, medium and tail classes and overall, as groups of bars.

    Args:
        groups: by strategy, the four numbers.
        title: the figure's message.
        ylabel: what the number is.
    """
    figure, axes = plt.subplots(figsize=(7.4, 4.2))
    colours = (PALETTE["grey"], *COLOURS, PALETTE["black"])
    width = 0.84 / len(groups)
    for index, (name, values) in enumerate(groups.items()):
        places = [place + (index - (len(groups) - 1) / 2) * width for place in range(4)]
        axes.bar(places, values, width=0.9 * width, color=colours[index], label=name)
    axes.set_xticks(range(4), ("head", "medium", "tail", "least of all"))
    axes.set(ylabel=ylabel)
    axes.grid(visible=False, axis="x")
    axes.set_title(title)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def against_ratio(
    ratios: Sequence[float], curves: Mapping[str, Sequence[float]], *, title: str
) -> Figure:
    """The least exponent after each strategy against the imbalance ratio.

    Args:
        ratios: of the largest class to the smallest.
        curves: by strategy.
        title: the figure's message.
    """
    figure, axes = plt.subplots(figsize=(7.2, 4.3))
    colours = (PALETTE["grey"], *COLOURS, PALETTE["black"])
    for index, (name, values) in enumerate(curves.items()):
        marker = MARKERS[index % len(MARKERS)]
        axes.semilogx(ratios, values, color=colours[index], marker=marker, ms=4, label=name)
    axes.set(xlabel="imbalance ratio", ylabel=r"least exponent $\beta$", ylim=(-0.004, None))
    axes.set_title(title)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


# --- The animation -------------------------------------------------------------------------------


class Sphere(NamedTuple):
    """Rows that turn on the sphere, as unit vectors."""

    name: str
    course: Float[Tensor, "S K 3"]


def turning_sphere(
    means: Float[Tensor, "K 3"], courses: Sequence[Sphere], times: Sequence[float]
) -> go.Figure:
    """An animation of rows that turn on the unit sphere, among the directions of the means.

    It plays with a button or moves with a slider; the lines show the way so far.

    Args:
        means: directions of the class means, unit vectors; K is at most 6.
        courses: of the rows under each objective, at each time.
        times: of the frames.
    """
    figure = go.Figure()
    wire = {"width": 1, "color": "#A8A8A8"}
    figure.add_scatter3d(**_circles(), mode="lines", line=wire, hoverinfo="skip", showlegend=False)
    figure.add_scatter3d(
        **_points(means),
        mode="markers",
        marker={"size": 7, "symbol": "diamond", "color": list(COLOURS[: len(means)])},
        name="directions of the means",
        hoverinfo="skip",
    )
    fixed = len(figure.data)
    for index, course in enumerate(courses):
        for trace in _moving(course, 0, index, len(means)):
            figure.add_scatter3d(**trace)
    moved = list(range(fixed, len(figure.data)))
    labels = [f"{time:g}" for time in times]
    figure.frames = [
        go.Frame(
            name=label,
            traces=moved,
            data=[
                go.Scatter3d({axis: trace[axis] for axis in "xyz"})
                for index, course in enumerate(courses)
                for trace in _moving(course, number, index, len(means))
            ],
        )
        for number, label in enumerate(labels)
    ]
    _lay_out(figure, labels)
    return figure


def _moving(course: Sphere, number: int, index: int, classes: int) -> list[dict[str, Any]]:
    """Where the rows are in a frame, and their ways there."""
    x: list[float | None] = []
    y: list[float | None] = []
    z: list[float | None] = []
    for k in range(classes):
        way = _points(course.course[: number + 1, k])
        x, y, z = ([*line, *way[axis], None] for line, axis in zip((x, y, z), "xyz", strict=True))
    solid = index == 0
    line = {"width": 5 if solid else 3, "color": PALETTE["black" if solid else "grey"]}
    marker = {
        "size": 6,
        "symbol": "circle" if solid else "circle-open",
        "color": list(COLOURS[:classes]),
    }
    return [
        {
            "x": x, "y": y, "z": z,
            "mode": "lines", "line": line, "hoverinfo": "skip", "showlegend": False,
        },
        {
            **_points(course.course[number]),
            "mode": "markers", "marker": marker, "hoverinfo": "skip", "name": course.name,
        },
    ]  # fmt: skip


def _points(points: Float[Tensor, "N 3"]) -> dict[str, list[float]]:
    columns = points.double().T.tolist()
    rounded = [[round(value, 3) + 0.0 for value in column] for column in columns]
    return dict(zip("xyz", rounded, strict=True))


def _circles() -> dict[str, list[float | None]]:
    """Meridians and circles of latitude."""
    turn = torch.linspace(0, 2 * math.pi, 49, dtype=torch.float64)
    rings = []
    for angle in (0, math.pi / 4, math.pi / 2, 3 * math.pi / 4):
        flat = turn.sin()
        rings.append(torch.stack([flat * math.cos(angle), flat * math.sin(angle), turn.cos()], 1))
    for height in (-0.6, 0.0, 0.6):
        radius = math.sqrt(1 - height**2)
        level = torch.full_like(turn, height)
        rings.append(torch.stack([radius * turn.cos(), radius * turn.sin(), level], 1))
    line: dict[str, list[float | None]] = {axis: [] for axis in "xyz"}
    for ring in rings:
        for axis, column in _points(ring).items():
            line[axis] += [*column, None]
    return line


def _lay_out(figure: go.Figure, labels: Sequence[str]) -> None:
    hidden = {"visible": False, "range": [-1.12, 1.12]}
    still = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}}
    play = {
        "fromcurrent": True,
        "frame": {"duration": 120, "redraw": True},
        "transition": {"duration": 0},
    }
    buttons = [
        {"label": "▶ play", "method": "animate", "args": [None, play]},
        {"label": "❚❚ pause", "method": "animate", "args": [[None], still]},
    ]
    steps = [{"label": label, "method": "animate", "args": [[label], still]} for label in labels]
    figure.update_layout(
        height=560,
        margin={"l": 0, "r": 0, "t": 70, "b": 0},
        legend={"orientation": "h", "x": 0.02, "y": 1.0, "yanchor": "bottom"},
        scene={
            "xaxis": hidden,
            "yaxis": hidden,
            "zaxis": hidden,
            "aspectmode": "cube",
            "camera": {"eye": {"x": 1.15, "y": 0.85, "z": 0.5}},
        },
        updatemenus=[
            {
                "type": "buttons",
                "direction": "right",
                "showactive": False,
                "buttons": buttons,
                "x": 0.02,
                "xanchor": "left",
                "y": 1.17,
                "yanchor": "top",
                "bgcolor": "rgba(0,0,0,0)",
                "bordercolor": PALETTE["grey"],
            }
        ],
        sliders=[
            {
                "active": 0,
                "currentvalue": {"prefix": "time "},
                "pad": {"t": 8, "b": 12, "l": 12, "r": 12},
                "steps": steps,
            }
        ],
    )
