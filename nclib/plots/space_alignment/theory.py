"""Figures of error exponents and of what misalignment takes from them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import plotly.graph_objects as go
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from torch import Tensor

from nclib.plots._style import COLOURS, MARKERS, PALETTE, headline


def misalignment(
    degrees: Sequence[float],
    shares: Mapping[str, Sequence[float]],
    steps: Mapping[str, float],
    *,
    optimum: float,
    title: str,
) -> Figure:
    r"""What an angle leaves of the exponent, and what each repair of an optimum gives back.

    Args:
        degrees: φ.
        shares: by name, the exponents of misaligned simplices in units of the aligned one.
        steps: exponents of the imbalanced optimum, as trained and after each repair.
        optimum: the exponent of the best means.
        title: the message.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 4.1))
    for index, (name, values) in enumerate(shares.items()):
        left.plot(
            degrees,
            values,
            color=COLOURS[index],
            marker=MARKERS[index],
            markersize=4,
            markevery=2,
            label=name,
        )
    left.set(xlabel="angle φ, degrees", ylabel="share of the exponent that is left")
    left.set_title("a simplex, misaligned")
    figure.legend(loc="outside lower left", ncols=3, columnspacing=1)
    places = range(len(steps))
    right.barh(places, list(steps.values()), color=[PALETTE["grey"], *COLOURS], height=0.55)
    right.axvline(optimum, color=PALETTE["black"], linestyle="--", linewidth=1)
    right.annotate("simplex", (optimum, 2.7), (-3, 0), textcoords="offset points", ha="right")
    for place, value in zip(places, steps.values(), strict=True):
        right.annotate(
            f"{value:.4f}", (value, place), (4, 0), textcoords="offset points", va="center"
        )
    right.set_yticks(places, list(steps))
    right.invert_yaxis()
    right.set(xlabel=r"exponent $\beta$", xlim=(0, 1.08 * optimum))
    right.set_title("an optimum, repaired")
    right.grid(visible=False, axis="y")
    headline(figure, title)
    return figure


class Toy(NamedTuple):
    """Three class means in the plane, and a classifier."""

    means: Float[Tensor, "3 2"]
    weight: Float[Tensor, "3 2"]
    bias: Float[Tensor, " 3"]
    exponent: float
    binding: int  # the class whose boundary is nearest


def decision_regions(
    panels: Mapping[str, Toy],
    *,
    title: str = "The exponent is half the square of the distance to the nearest boundary",
) -> Figure:
    """Three class means (crosses), classifier rows (lines), and the regions that they decide.

    The circle about the mean of the binding class touches its nearest boundary.

    Args:
        panels: by title; means and rows are drawn in units of the longest.
        title: the figure's message.
    """
    figure, all_axes = plt.subplots(1, len(panels), figsize=(7.6, 3.1))
    for axes, (name, toy) in zip(all_axes, panels.items(), strict=True):
        _regions(axes, toy)
        rows = toy.weight / toy.weight.norm(dim=1).max()
        for row in rows.tolist():
            axes.plot([0, row[0]], [0, row[1]], color=PALETTE["grey"], linewidth=2.5)
        axes.plot(*toy.means.T, "x", color="black", markersize=8, markeredgewidth=2.2)
        across, up = toy.means[toy.binding].tolist()
        radius = math.sqrt(2 * toy.exponent)
        axes.add_patch(Circle((across, up), radius, fill=False, edgecolor="black", linestyle="--"))
        axes.set_title(name, loc="center", fontsize=10)
        axes.set_xlabel(rf"$\beta={toy.exponent:.3f}$")
    headline(figure, title)
    return figure


def _regions(axes: Axes, toy: Toy, reach: float = 1.9) -> None:
    line = torch.linspace(-reach, reach, 301, dtype=torch.float64)
    points = torch.cartesian_prod(line, line)
    labels = (points @ toy.weight.T + toy.bias).argmax(1).reshape(len(line), -1).T
    axes.imshow(
        labels.numpy(),
        cmap=ListedColormap(list(COLOURS[: len(toy.means)])),
        alpha=0.28,
        extent=(-reach, reach, -reach, reach),
        origin="lower",
        interpolation="nearest",
    )
    axes.set(xticks=[], yticks=[], xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    axes.grid(visible=False)


def convergence(
    sigmas: Sequence[float],
    curves: Mapping[str, Mapping[str, Sequence[float]]],
    exponents: Mapping[str, float],
) -> Figure:
    r"""How slowly :math:`-\sigma^2\log P_e` comes to the exponent.

    Args:
        sigmas: σ.
        curves: by classifier, ``estimate``, ``lower`` and ``upper``: of the error probability.
        exponents: by classifier, the limit.
    """
    figure, axes = plt.subplots(figsize=(7.0, 4.0))
    for index, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[index]
        axes.fill_between(sigmas, curve["upper"], curve["lower"], color=colour, alpha=0.2, lw=0)
        axes.semilogx(sigmas, curve["estimate"], MARKERS[index], color=colour, ms=5, label=name)
        axes.axhline(exponents[name], color=colour, linestyle="--", linewidth=1.2)
    axes.invert_xaxis()
    axes.set(xlabel="noise σ", ylabel=r"$-\sigma^2\log P_e(\sigma)$")
    axes.set_title("Two bounds hold the error; its exponent is reached slowly")
    axes.legend(loc="upper right")
    return figure


def best_exponents(sizes: Sequence[int], curves: Mapping[str, Mapping[int, float]]) -> Figure:
    """The largest exponent of K means in the unit ball, by the dimension, and three of its means.

    Args:
        sizes: K of the axis.
        curves: by name of the dimension, the optimum for each K.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 3.6), width_ratios=(0.8, 1.2))
    height = math.sqrt(3) / 2
    corners = torch.tensor([[0.0, 1.0], [-height, -0.5], [height, -0.5]], dtype=torch.float64)
    toy = Toy(corners, corners, torch.zeros(3, dtype=torch.float64), 3 / 8, 0)
    _regions(left, toy, reach=1.25)
    left.plot(*corners[[0, 1, 2, 0]].T, color=PALETTE["black"], linewidth=1)
    left.plot(*corners.T, "x", color="black", markersize=8, markeredgewidth=2.2)
    left.plot([0, height / 2], [1, 0.25], color=PALETTE["vermilion"], linewidth=3)
    left.annotate(r"$\sqrt{\frac{K}{2(K-1)}}$", (0.42, 0.75), fontsize=12)
    left.annotate(r"$\sqrt{\frac{2K}{K-1}}$", (-0.22, -0.95), fontsize=12)
    left.set_title("$K=3$: distances", loc="center", fontsize=10)
    for index, (name, values) in enumerate(curves.items()):
        right.semilogx(
            list(values),
            list(values.values()),
            color=COLOURS[index],
            marker=MARKERS[index],
            markersize=4,
            label=name,
        )
    right.axhline(0.25, color=PALETTE["grey"], linestyle="--", linewidth=1)
    right.set(xlabel="classes $K$", ylabel=r"best exponent $\beta^*$", ylim=(0, None))
    right.set_xticks(list(sizes), [str(size) for size in sizes])
    right.minorticks_off()
    right.set_title("and the room that they need", loc="center", fontsize=10)
    right.legend()
    headline(figure, "A simplex is the best set of means, if it has room")
    return figure


def common_shifts(
    lengths: Sequence[float], curves: Mapping[str, Sequence[float]], *, title: str
) -> Figure:
    """Cosines and exponent against the length of a vector added to every row.

    Args:
        lengths: of the vector, in those of a row.
        curves: by name, values relative to no shift.
        title: the message.
    """
    figure, axes = plt.subplots(figsize=(7.0, 3.4))
    widths = (5.0, 2.2, 2.2)
    styles = ("-", "--", "-")
    for index, (name, values) in enumerate(curves.items()):
        axes.plot(
            lengths, values, styles[index], color=COLOURS[index], lw=widths[index], label=name
        )
    axes.set(xlabel="length of the common shift", ylabel="value", ylim=(0, 1.08))
    axes.set_title(title)
    axes.legend(loc="lower left")
    return figure


def imbalance(
    ratios: Sequence[float],
    thirds: Mapping[str, Sequence[float]],
    overall: Mapping[str, Sequence[float]],
    dots: Mapping[str, Sequence[tuple[float, float]]],
) -> Figure:
    """Exponents of imbalanced optima against the ratio: by size of the class, and overall.

    Args:
        ratios: of the largest class to the smallest.
        thirds: means of the exponents over head, medium and tail classes.
        overall: by name, the exponent overall.
        dots: by the same names, (ratio, exponent) at certified optima.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 4.3), sharey=True)
    for index, (name, values) in enumerate(thirds.items()):
        left.semilogx(ratios, values, color=COLOURS[index], marker=MARKERS[index], ms=4, label=name)
    left.set(xlabel="imbalance ratio", ylabel=r"exponent $\beta$", ylim=(-0.005, None))
    left.set_title("cross-entropy, by class size")
    left.legend()
    colours = (PALETTE["black"], *COLOURS[3:])
    for index, (name, values) in enumerate(overall.items()):
        colour = colours[index]
        right.semilogx(ratios, values, color=colour, label=name)
        if name in dots:
            x, y = zip(*dots[name], strict=True)
            right.plot(x, y, MARKERS[index], color=colour, markersize=5)
    right.set(xlabel="imbalance ratio")
    right.set_title("the least of all classes")
    figure.legend(
        *right.get_legend_handles_labels(), loc="outside lower center", ncols=2, columnspacing=1
    )
    headline(figure, "Imbalance lowers the tail's exponent; with a penalty the least one vanishes")
    return figure


def repairs(thirds: Mapping[str, Sequence[float]], *, title: str) -> Figure:
    """Exponents of head, medium and tail classes, and overall, after each repair.

    Args:
        thirds: by step, the four numbers.
        title: the message.
    """
    figure, axes = plt.subplots(figsize=(7.2, 3.8))
    names = ("head", "medium", "tail", "least of all")
    colours = (PALETTE["grey"], *COLOURS)
    width = 0.8 / len(thirds)
    for index, (step, values) in enumerate(thirds.items()):
        places = [place + (index - (len(thirds) - 1) / 2) * width for place in range(4)]
        axes.bar(places, values, width=0.9 * width, color=colours[index], label=step)
    axes.set_xticks(range(4), names)
    axes.set(ylabel=r"exponent $\beta_k$")
    axes.grid(visible=False, axis="x")
    axes.set_title(title)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


# --- The interactive figure ----------------------------------------------------------------------


class Lean(NamedTuple):
    """Three classes at an angle: a tilt out of the span of the means, and a rotation within it."""

    degrees: float
    tilt: float  # exponents
    rotation: float
    errors: tuple[str, str]  # of both, as text
    means: Float[Tensor, "3 2"]
    weight: Float[Tensor, "3 2"]  # of the rotation


_REACH = 1.9


def lean_slider(states: Sequence[Lean]) -> go.Figure:
    """A slider for the angle of the classifier: exponents, and decision regions of both ways.

    Above are the two exponents. In the middle is the slice through two means in which the tilted
    boundary leans, below the plane of the three means in which the classifier turns.

    Args:
        states: at each angle, increasing.
    """
    figure = go.Figure()
    degrees = [state.degrees for state in states]
    curves = ([s.tilt for s in states], [s.rotation for s in states])
    for colour, name, values in zip(COLOURS, ("tilt", "rotation"), curves, strict=False):
        figure.add_scatter(
            x=degrees, y=_rounded(values), mode="lines", line={"color": colour}, name=name
        )
    fixed = len(figure.data)
    for trace in _traces(states[0]):
        figure.add_scatter(**trace)
    moved = list(range(fixed, len(figure.data)))
    steps = []
    for state in states:
        traces = _traces(state)
        data = {axis: [trace[axis] for trace in traces] for axis in "xy"}
        texts = {f"annotations[{place}].text": text for place, text in enumerate(_captions(state))}
        steps.append(
            {"method": "update", "label": f"{state.degrees:g}°", "args": [data, texts, moved]}
        )
    _lay_out(figure, states[0], steps)
    return figure


def _rounded(values: Any) -> list[float]:
    """Numbers as the page keeps them, the same on every machine."""
    return [round(float(value), 3) + 0.0 for value in values]


def _captions(state: Lean) -> tuple[str, str]:
    tilt, rotation = state.errors
    return (
        f"<b>tilt</b>, the slice through two means: β = {state.tilt:.3f}<br>{tilt}",
        f"<b>rotation</b> in the plane of the means: β = {state.rotation:.3f}<br>{rotation}",
    )


def _traces(state: Lean) -> list[dict[str, Any]]:
    """What the slider moves: places on the curves, regions, means and circles."""
    marks = {
        "x": _rounded([state.degrees, state.degrees]),
        "y": _rounded([state.tilt, state.rotation]),
        "mode": "markers",
        "marker": {"size": 11, "color": list(COLOURS[:2])},
        "showlegend": False,
        "hoverinfo": "skip",
    }
    half = math.sqrt(3) / 2  # of the distance of two means
    lean = math.radians(state.degrees)
    # Two half-planes: the border passes half-way, its normal leans by the angle.
    slices = [
        _sector(lean + turn * math.pi + math.pi / 2, math.pi, COLOURS[place], "2")
        for place, turn in enumerate((0, 1))
    ]
    pair = torch.tensor([[-half, 0.0], [half, 0.0]], dtype=torch.float64)
    turns = torch.atan2(state.weight[:, 1], state.weight[:, 0]).tolist()
    sectors = [
        _sector(turn - math.pi / 3, 2 * math.pi / 3, colour, "3")
        for turn, colour in zip(turns, COLOURS, strict=False)
    ]
    return [
        marks,
        *slices,
        _circles(pair, math.sqrt(2 * state.tilt), "2"),
        _crosses(pair, "2"),
        *sectors,
        _circles(state.means, math.sqrt(2 * state.rotation), "3"),
        _crosses(state.means, "3"),
    ]


def _sector(start: float, width: float, colour: str, axis: str) -> dict[str, Any]:
    turns = [start + width * step / 24 for step in range(25)]
    ring = [(_REACH * math.cos(turn), _REACH * math.sin(turn)) for turn in turns]
    x, y = zip((0.0, 0.0), *ring, strict=True)
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return {
        "x": _rounded(x),
        "y": _rounded(y),
        "mode": "lines",
        "fill": "toself",
        "fillcolor": f"rgba({red},{green},{blue},0.3)",
        "line": {"color": "rgba(0,0,0,0)", "width": 0},
        "hoverinfo": "skip",
        "xaxis": f"x{axis}",
        "yaxis": f"y{axis}",
        "showlegend": False,
    }


def _circles(centres: Tensor, radius: float, axis: str) -> dict[str, Any]:
    turns = torch.linspace(0, 2 * math.pi, 33, dtype=torch.float64)
    x: list[float | None] = []
    y: list[float | None] = []
    for first, second in centres.tolist():
        x += [*_rounded(first + radius * turns.cos()), None]
        y += [*_rounded(second + radius * turns.sin()), None]
    line = {"color": PALETTE["grey"], "width": 2}
    axes = {"xaxis": f"x{axis}", "yaxis": f"y{axis}", "showlegend": False}
    return {"x": x, "y": y, "mode": "lines", "line": line, "hoverinfo": "skip", **axes}


def _crosses(means: Tensor, axis: str) -> dict[str, Any]:
    return {
        "x": _rounded(means[:, 0]),
        "y": _rounded(means[:, 1]),
        "mode": "markers",
        "marker": {"symbol": "x", "size": 10, "color": list(COLOURS[: len(means)])},
        "hoverinfo": "skip",
        "xaxis": f"x{axis}",
        "yaxis": f"y{axis}",
        "showlegend": False,
    }


def _lay_out(figure: go.Figure, first: Lean, steps: list[dict[str, Any]]) -> None:
    square = {"visible": False, "range": [-1.95, 1.95], "constrain": "domain"}
    figure.update_layout(
        title={
            "text": "Leaning out of the span costs less<br>than turning within it",
            "y": 0.98,
            "yanchor": "top",
        },
        height=1080,
        margin={"l": 60, "r": 15, "t": 80, "b": 10},
        legend={"x": 1, "xanchor": "right", "y": 1, "yanchor": "top"},
        xaxis={"title": "angle φ, degrees", "anchor": "y", "range": [-2, 92]},
        yaxis={"domain": [0.82, 1], "title": "exponent β", "range": [-0.02, 0.42]},
        xaxis2=square | {"anchor": "y2"},
        yaxis2=square | {"domain": [0.39, 0.67], "scaleanchor": "x2"},
        xaxis3=square | {"anchor": "y3"},
        yaxis3=square | {"domain": [0.0, 0.28], "scaleanchor": "x3"},
    )
    for height, text in zip((0.675, 0.285), _captions(first), strict=True):
        figure.add_annotation(
            text=text,
            x=0.5,
            y=height,
            xref="paper",
            yref="paper",
            yanchor="bottom",
            showarrow=False,
        )
    figure.update_layout(
        sliders=[
            {
                "steps": steps,
                "active": 0,
                "currentvalue": {
                    "prefix": "φ = ",
                    "font": {"size": 15, "color": PALETTE["grey"]},
                },
                "pad": {"t": 30},
                "ticklen": 0,
                "minorticklen": 0,
                "font": {"color": "rgba(0,0,0,0)"},
            }
        ]
    )
