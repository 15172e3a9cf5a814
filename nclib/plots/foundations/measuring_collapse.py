"""Figures of collapse in a trained network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import plotly.graph_objects as go
import torch
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from nclib.plots._style import (
    COLOURS,
    PALETTE,
)

_SHAPES = ["circle", "square", "diamond", "cross", "circle-open", "square-open"]


def collapse_movie(
    snapshots: Float[Tensor, "E N 3"],
    labels: Int[Tensor, " N"],
    epochs: Sequence[int],
    *,
    per_class: int = 60,
) -> tuple[go.Figure, str]:
    """Features in three dimensions over training, with a slider for the epoch, and alt text.

    Each frame is centred at the mean of the class means and scaled so that these have length one on
    average: what moves is the shape.

    Args:
        snapshots: features of all samples at each epoch shown.
        labels: class of each sample, from 0 to K − 1, K at most 6.
        epochs: the epoch of each snapshot, for the slider.
        per_class: samples drawn of each class, to keep the page light.
    """
    classes = int(labels.max()) + 1
    chosen = [(labels == k).nonzero()[:per_class, 0] for k in range(classes)]

    def traces(features: Tensor) -> list[dict[str, Any]]:
        means = torch.stack([features[labels == k].mean(0) for k in range(classes)])
        centre, size = means.mean(0), (means - means.mean(0)).norm(dim=1).mean()
        clouds = [_coordinates((features[rows] - centre) / size) for rows in chosen]
        corners = ((means - centre) / size).double().numpy()
        path: list[np.ndarray] = []
        for i in range(classes):
            path += [np.zeros(3), corners[i], np.full(3, np.nan)]
            path += [row for j in range(i) for row in (corners[i], corners[j], np.full(3, np.nan))]
        return [*clouds, _coordinates(torch.from_numpy(np.array(path)))]

    frames = [traces(features) for features in snapshots]
    fig = go.Figure(
        [
            go.Scatter3d(
                **frames[-1][k],
                mode="markers",
                name=f"class {k}",
                hoverinfo="name",
                marker={"size": 3.5, "color": COLOURS[k], "symbol": _SHAPES[k], "opacity": 0.8},
            )
            for k in range(classes)
        ]
        + [
            go.Scatter3d(
                **frames[-1][-1],
                mode="lines",
                name="class means",
                hoverinfo="skip",
                line={"color": PALETTE["grey"], "width": 4},
            )
        ]
    )
    steps = [
        {
            "method": "restyle",
            "label": str(epoch),
            "args": [{axis: [trace[axis] for trace in frame] for axis in "xyz"}],
        }
        for epoch, frame in zip(epochs, frames, strict=True)
    ]
    hidden = {"visible": False, "range": [-1.6, 1.6]}
    fig.update_layout(
        title={"text": "<b>Features collapse to a tetrahedron</b>", "x": 0.02, "y": 0.97},
        title_font_size=16,
        height=500,
        margin={"l": 0, "r": 0, "t": 40, "b": 0},
        legend={"orientation": "h", "x": 0.02, "y": 1.0, "itemsizing": "constant"},
        scene={
            "xaxis": hidden,
            "yaxis": hidden,
            "zaxis": hidden,
            "aspectmode": "cube",
            "camera": {"eye": {"x": 0.88, "y": 0.7, "z": 0.42}},
        },
        sliders=[
            {
                "active": len(steps) - 1,
                "currentvalue": {"prefix": "epoch "},
                "pad": {"t": 8, "b": 12, "l": 12, "r": 12},
                "steps": steps,
            }
        ],
    )
    alt = (
        f"Features of {classes} classes as points in space, with a slider for the epoch. At the "
        "start the classes overlap in one cloud; they part within a few epochs, and by the last "
        "one each is a tight cluster at a corner of a regular tetrahedron centred at the origin."
    )
    return fig, alt


def _coordinates(points: Tensor) -> dict[str, list[float | None]]:
    columns = points.double().numpy().round(3).T + 0.0
    clean = [[None if np.isnan(v) else float(v) for v in column] for column in columns]
    return dict(zip("xyz", clean, strict=True))


def collapse_trajectories(
    train: Sequence[Mapping[str, Any]], test: Sequence[Mapping[str, Any]], *, zero_error: int
) -> Figure:
    """Error and NC1 to NC4 over the epochs, with the epoch of zero training error marked.

    Args:
        train: by measured epoch, the ``epoch``, the ``accuracy`` and the collapse ``report``
            (``RunRecord.collapse["train"]``).
        test: the same on test data.
        zero_error: the first epoch without a training error.
    """
    epochs = [row["epoch"] for row in train]
    fig, grid = plt.subplots(2, 2, figsize=(6.2, 5.4), sharex=True)

    def draw(axes: Axes, rows: Sequence[Mapping[str, Any]], name: str, **style: Any) -> None:
        axes.plot(epochs, [row["report"][name] for row in rows], **style)

    error, variability, angles, duality = grid.flat
    for rows, label, colour, dash in (
        (train, "training data", "blue", "-"),
        (test, "test data", "orange", "--"),
    ):
        style = {"label": label, "color": PALETTE[colour], "ls": dash}
        error.plot(epochs, [100 * (1 - row["accuracy"]) for row in rows], **style)
        draw(variability, rows, "nc1", **style)
    error.set(title="Error reaches zero early", ylabel="error (%)", yscale="symlog", ylim=(0, 100))
    error.set_yticks([0, 1, 10, 100], ["0", "1", "10", "100"])
    variability.set(
        title="NC1: variability keeps falling",
        ylabel=r"tr$(\Sigma_W\Sigma_B^\dagger)/K$",
        yscale="log",
    )
    draw(angles, train, "nc2_norm_cv", label="lengths (CV)", color=PALETTE["blue"])
    draw(angles, train, "nc2_angle", label="angles", color=PALETTE["vermilion"], ls="-.")
    angles.set(title="NC2: towards a simplex ETF", ylabel="deviation", yscale="log")
    draw(duality, train, "nc3", label="NC3: self-duality", color=PALETTE["green"])
    shares = np.array([1 - row["report"]["nc4"] for row in train])
    disagree = np.where(shares > 0, shares, np.nan)  # zero has no place on a logarithmic axis
    duality.plot(epochs, disagree, "s:", ms=4, label="NC4: disagreement", color=PALETTE["purple"])
    duality.set(title="NC3 and NC4", ylabel="distance, share", yscale="log")
    for axes in grid.flat:
        axes.axvline(zero_error, color=PALETTE["black"], lw=1, ls=(0, (1, 2)))
        axes.legend(loc="upper right")
    for axes in grid[1]:
        axes.set_xlabel("epoch")
    error.annotate(
        "zero training error",
        (zero_error, 12),
        (8, 0),
        textcoords="offset points",
        fontsize=9,
    )
    return fig
