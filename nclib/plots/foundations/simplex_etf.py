"""Figures of simplex ETFs, orthogonal frames and their shifts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import plotly.graph_objects as go
from matplotlib.figure import Figure
from torch import Tensor

from nclib.plots._style import (
    DIVERGING,
    PALETTE,
)


def _upright(frame: np.ndarray) -> np.ndarray:
    """Turn the rows so that the first points up: a figure's orientation is only a viewpoint."""
    dim = frame.shape[1]
    basis, _ = np.linalg.qr(frame[: max(dim, 1)].T)
    basis *= np.sign(np.sum(basis * frame[:dim].T, axis=0))
    return (frame @ basis)[:, ::-1]


def simplices(frames: Sequence[Tensor]) -> Figure:
    """Frames of two, three and four vectors in one, two and three dimensions, side by side.

    Args:
        frames: tensors (K, K - 1), rows are the vectors, for K = 2, 3 and 4.
    """
    fig = plt.figure(figsize=(6.2, 2.6))
    for panel, rows in enumerate(frames, start=1):
        frame = _upright(rows.numpy())
        count, dim = frame.shape
        flat = dim < 3
        axes: Any = fig.add_subplot(1, len(frames), panel, projection=None if flat else "3d")
        points = np.pad(frame, ((0, 0), (max(0, 2 - dim), 0)))
        for i in range(count):
            for j in range(i):
                axes.plot(*points[[i, j]].T, color=PALETTE["orange"], lw=1.2)
            if flat:
                arrow = {"arrowstyle": "-|>", "lw": 2, "color": PALETTE["blue"]}
                axes.annotate(
                    "", points[i], (0, 0), arrowprops={**arrow, "shrinkA": 0, "shrinkB": 0}
                )
            else:
                axes.quiver(
                    0, 0, 0, *points[i], color=PALETTE["blue"], lw=2, arrow_length_ratio=0.15
                )
        axes.plot(*np.zeros((points.shape[1], 1)), "o", color=PALETTE["black"], ms=4)
        cosine = -1 / (count - 1)
        angle = math.degrees(math.acos(cosine))
        axes.set_title(f"K = {count}: {angle:.1f}°\ncosine −{-cosine:.2f}", loc="center")
        axes.set_axis_off()
        if flat:
            axes.set_aspect("equal")
            axes.set(xlim=(-1.15, 1.15), ylim=(-1.15, 1.15))
        else:
            axes.view_init(elev=14, azim=-52)
            axes.set(xlim=(-0.7, 0.7), ylim=(-0.7, 0.7), zlim=(-0.5, 0.9))
            axes.set_box_aspect((1, 1, 1), zoom=1.22)
    return fig


def best_cosines(counts: Sequence[int], cosines: Mapping[str, Sequence[float]]) -> Figure:
    """The largest cosine of best-spread unit vectors against their number.

    Args:
        counts: K, at least 2.
        cosines: the largest cosine for each K, by where the vectors live ("plane", "space").
    """
    fig, axes = plt.subplots(figsize=(5.8, 3.5))
    grid = np.linspace(min(counts), max(counts), 200)
    axes.axhline(0, color=PALETTE["grey"], lw=0.8)
    styles = {"plane": ("vermilion", "s", "in the plane"), "space": ("green", "^", "in space")}
    for name, values in cosines.items():
        colour, marker, label = styles[name]
        axes.plot(counts, values, marker + "-", ms=5, lw=1.2, color=PALETTE[colour])
        axes.annotate(
            label,
            (counts[-3], values[-3]),
            (0, -16),
            textcoords="offset points",
            color=PALETTE[colour],
        )
    axes.plot(grid, -1 / (grid - 1), color=PALETTE["blue"], lw=1.2)
    axes.plot(counts, [-1 / (k - 1) for k in counts], "o", ms=5, color=PALETTE["blue"])
    axes.annotate(
        "enough dimensions: −1/(K−1)",
        (counts[-3], -1 / (counts[-3] - 1)),
        (0, -18),
        textcoords="offset points",
        ha="center",
        color=PALETTE["blue"],
    )
    axes.set(
        title="A simplex ETF is the best spread, as long as it has room",
        xlabel="number of vectors K",
        ylabel="largest cosine of a pair",
        xticks=list(counts),
    )
    return fig


def gram_matrices(shifts: Sequence[float], frames: Sequence[Tensor]) -> Figure:
    """Gram matrices of shifted simplex ETFs on one colour scale, each with its common angle.

    Args:
        shifts: β of each frame.
        frames: tensors (K, P), rows are the vectors.
    """
    grams = [(rows @ rows.T).numpy() for rows in frames]
    top = max(np.abs(gram).max() for gram in grams)
    fig, all_axes = plt.subplots(1, len(grams), figsize=(6.4, 2.0))
    for axes, shift, gram in zip(all_axes, shifts, grams, strict=True):
        image = axes.imshow(gram, cmap=DIVERGING, vmin=-top, vmax=top)
        cosine = float(np.clip(gram[0, 1] / gram[0, 0], -1, 1))  # rounding
        angle = math.degrees(math.acos(cosine))
        axes.set_title(f"β = {shift:g}".replace("-", "−"), loc="center")
        axes.set_xlabel(f"{angle:.0f}°", fontsize=10)
        axes.set(xticks=[], yticks=[])
    fig.colorbar(image, ax=all_axes, label="inner product", shrink=0.8, pad=0.02)
    return fig


# Corners in space of the figure e_k − β/3·1: the orthogonal frame is the coordinate axes.
_CORNERS = np.eye(3)


_ORIGIN = np.zeros(3)


def _rays(points: np.ndarray) -> dict[str, list[float | None]]:
    """Coordinates of the lines from the origin to each point, broken by gaps."""
    path = [row for point in points for row in (_ORIGIN, point, (None, None, None))]
    return {axis: [_number(row[i]) for row in path] for i, axis in enumerate("xyz")}


def _ring(points: np.ndarray) -> dict[str, list[float | None]]:
    """Coordinates of the closed triangle through the points."""
    path = [*points, points[0]]
    return {axis: [_number(row[i]) for row in path] for i, axis in enumerate("xyz")}


def _number(value: Any) -> float | None:
    return None if value is None else round(float(value), 4) + 0.0


def _shift_title(shift: float) -> str:
    squared = (1 - shift) ** 2
    angle = math.degrees(math.acos((squared - 1) / (squared + 2)))
    names = {0.0: "orthogonal frame", 1.0: "simplex ETF", 2.0: "orthogonal frame, mirrored"}
    name = names.get(round(shift, 6), "shifted simplex ETF")
    key = "blue: the vectors, orange: their centred copy"
    return f"<b>{name}</b>: all angles {angle:.0f}°<br><span style='font-size:13px'>{key}</span>"


def ssetf_slider(start: float = 0.0) -> tuple[go.Figure, str]:
    """Three vectors in space with a slider for the shift β, and the figure's alt text.

    The blue vectors are the columns of I − βJ/3; the orange triangle is their centred copy.

    Args:
        start: the shift first shown, a multiple of 0.1 between −0.6 and 2.
    """
    shifts = [round(-0.6 + 0.1 * i, 1) + 0.0 for i in range(27)]
    if start not in shifts:
        raise ValueError(f"start must be a multiple of 0.1 between -0.6 and 2, got {start}")
    moving = {shift: _CORNERS - shift / 3 for shift in shifts}
    centred = _CORNERS - 1 / 3
    axis = np.array([-0.55, 0.85])
    blue, orange, grey = PALETTE["blue"], PALETTE["orange"], PALETTE["grey"]

    def line(coordinates: dict[str, list[float | None]], name: str, **style: Any) -> go.Scatter3d:
        return go.Scatter3d(**coordinates, mode="lines", name=name, hoverinfo="skip", line=style)

    def face(points: np.ndarray, colour: str, opacity: float) -> go.Mesh3d:
        columns = dict(zip("xyz", np.round(points, 4).T.tolist(), strict=True))
        return go.Mesh3d(
            **columns, i=[0], j=[1], k=[2], color=colour, opacity=opacity, hoverinfo="skip"
        )

    def tips(points: np.ndarray) -> dict[str, list[float | None]]:
        return {c: v[:-1] for c, v in _ring(points).items()}

    here = moving[start]
    fig = go.Figure(
        [
            line({c: axis.tolist() for c in "xyz"}, "axis", color=grey, width=3, dash="dash"),
            face(centred, orange, 0.45),
            line(_ring(centred), "centred copy", color=orange, width=6),
            face(here, blue, 0.18),
            line(_ring(here), "vectors", color=blue, width=3),
            line(_rays(here), "from the origin", color=blue, width=9),
            go.Scatter3d(
                **tips(here),
                mode="markers+text",
                text=["m₁", "m₂", "m₃"],
                textfont={"size": 15, "color": blue},
                textposition="top center",
                marker={"size": 5, "color": blue},
                hoverinfo="skip",
            ),
            go.Scatter3d(
                x=[0], y=[0], z=[0], mode="markers", hoverinfo="skip",
                marker={"size": 5, "color": grey},
            ),
        ]
    )  # fmt: skip

    def step(shift: float) -> dict[str, Any]:
        groups = [
            tips(moving[shift]),
            _ring(moving[shift]),
            _rays(moving[shift]),
            tips(moving[shift]),
        ]
        data = {c: [group[c] for group in groups] for c in "xyz"}
        update = [data, {"title.text": _shift_title(shift)}, [3, 4, 5, 6]]
        return {"method": "update", "label": f"{shift:.1f}", "args": update}

    hidden = {"visible": False, "range": [-0.8, 1.25]}
    up, side = np.ones(3) / math.sqrt(3), np.array([1.0, -1.0, 0.0]) / math.sqrt(2)
    eye = 1.08 * side + 0.46 * up
    fig.update_layout(
        title={"text": _shift_title(start), "x": 0.02, "y": 0.95, "yanchor": "top"},
        title_font_size=16,
        height=500,
        margin={"l": 0, "r": 0, "t": 64, "b": 0},
        showlegend=False,
        scene={
            "xaxis": hidden, "yaxis": hidden, "zaxis": hidden,
            "aspectmode": "cube",
            "dragmode": "orbit",
            "camera": {
                "eye": dict(zip("xyz", eye.tolist(), strict=True)),
                "up": {"x": 1, "y": 1, "z": 1},
                "center": {"x": -0.11, "y": -0.11, "z": -0.11},
            },
        },
        sliders=[
            {
                "active": shifts.index(start),
                "currentvalue": {"prefix": "shift β = "},
                "pad": {"t": 8, "b": 12, "l": 12, "r": 12},
                "steps": [step(shift) for shift in shifts],
            }
        ],
    )  # fmt: skip
    alt = (
        "Three blue vectors in space, with a slider for the shift. At 0 they stand at right "
        "angles; up to 1 they slide down their common axis and open to 120 degrees, in one plane "
        "with the origin, where they coincide with the orange simplex ETF; at 2 they are the "
        "mirror image of the first. The blue triangle of their tips keeps its size, and the orange "
        "centred copy never moves."
    )
    return fig, alt
