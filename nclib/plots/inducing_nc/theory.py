"""Figures of the theory of inducing neural collapse: what unequal counts do, and do not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import plotly.graph_objects as go
import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from torch import Tensor

from nclib.plots._style import (
    COLOURS,
    MARKERS,
    PALETTE,
    headline,
)


def _arrow(axes: Axes, start: Tensor, tip: Tensor, colour: str) -> None:
    style = {"arrowstyle": "-|>", "lw": 2, "color": colour, "shrinkA": 0, "shrinkB": 0}
    ends = [(float(point[0]), float(point[1])) for point in (tip, start)]
    axes.annotate("", ends[0], ends[1], arrowprops=style)


def skewed_weights(
    deviations: Tensor, norms: Tensor, cosines: Tensor, counts: Sequence[int]
) -> Figure:
    """Norms of the least-squares classifier's rows, and its NC3 cosine, against σ.

    Args:
        deviations: (S,) standard deviation within classes, in units of the means' length.
        norms: (S, K) length of each class's row.
        cosines: (S,) cosine of the classifier and the centred means.
        counts: of the K classes.
    """
    figure, (above, below) = plt.subplots(2, 1, sharex=True, figsize=(6.0, 5.0))
    for norm, count, colour, marker in zip(norms.T, counts, COLOURS, MARKERS, strict=False):
        above.semilogx(
            deviations, norm, color=colour, marker=marker, ms=4, markevery=4, label=f"{count}"
        )
    above.set(ylabel="length of the row $\\|w_k\\|$", ylim=(0, None))
    above.legend(title="samples of the class", title_fontsize=9, ncol=2, loc="upper right")
    below.semilogx(deviations, cosines, color=PALETTE["black"])
    below.axhline(1, color=PALETTE["grey"], linestyle="--", linewidth=1)
    below.annotate(
        "NC3", (float(deviations[0]), 1), (4, -12), textcoords="offset points", fontsize=9
    )
    below.set(
        xlabel="standard deviation within classes σ = √ridge, in lengths of a mean",
        ylabel="cosine of $W$ and $M$",
        ylim=(0.6, 1.03),
    )
    headline(figure, "Noise lets the counts skew the classifier; at collapse they cannot")
    return figure


def _planar_trace(rows: Tensor) -> tuple[list[float | None], list[float | None]]:
    """Rays from the origin to each row, as one plotly line."""
    x: list[float | None] = []
    y: list[float | None] = []
    for first, second in rows.tolist():
        x += [0.0, round(first, 4), None]
        y += [0.0, round(second, 4), None]
    return x, y


def _circles(means: Tensor, radius: float) -> tuple[list[float | None], list[float | None]]:
    x: list[float | None] = []
    y: list[float | None] = []
    turns = torch.linspace(0, 2 * math.pi, 41, dtype=torch.float64)
    for first, second in means.tolist():
        x += [round(v, 3) for v in (first + radius * turns.cos()).tolist()] + [None]
        y += [round(v, 3) for v in (second + radius * turns.sin()).tolist()] + [None]
    return x, y


def weights_slider(
    means: Tensor, deviations: Sequence[float], weights: Sequence[Tensor], counts: Sequence[int]
) -> go.Figure:
    """Three planar class means and their least-squares classifier: a slider over σ.

    Args:
        means: (3, 2), centred.
        deviations: σ at each step.
        weights: (3, 2) at each step; drawn with the longest row at length one.
        counts: of the three classes.
    """

    def state(index: int) -> tuple[list[list[float | None]], list[list[float | None]], str]:
        weight = weights[index]
        norms = weight.norm(dim=1)
        rays = [_planar_trace(row[None] / norms.max()) for row in weight]
        ring = _circles(means, deviations[index])
        lengths = " : ".join(f"{norm:.2f}" for norm in (norms / norms.max()).tolist())
        title = f"σ = {deviations[index]:g}: lengths {lengths}"
        return [ring[0], *(ray[0] for ray in rays)], [ring[1], *(ray[1] for ray in rays)], title

    xs, ys, title = state(0)
    figure = go.Figure()
    figure.add_scatter(
        x=xs[0],
        y=ys[0],
        mode="lines",
        name="one σ",
        line={"color": PALETTE["grey"], "width": 1},
        showlegend=False,
    )
    for index, count in enumerate(counts):
        figure.add_scatter(
            x=xs[index + 1],
            y=ys[index + 1],
            mode="lines",
            name=f"{count} samples" if count > 1 else "1 sample",
            line={"color": COLOURS[index], "width": 6},
        )
    figure.add_scatter(
        x=[round(value, 4) for value in means[:, 0].tolist()],
        y=[round(value, 4) for value in means[:, 1].tolist()],
        mode="markers",
        name="class means",
        showlegend=False,
        marker={"color": COLOURS[: len(counts)], "size": 13, "symbol": "star"},
    )
    moving = list(range(len(counts) + 1))
    steps = []
    for index, deviation in enumerate(deviations):
        xs, ys, text = state(index)
        arguments = [{"x": xs, "y": ys}, {"title.text": text}, moving]
        steps.append({"method": "update", "label": f"{deviation:g}", "args": arguments})
    hidden = {"visible": False, "range": [-1.5, 1.5]}
    figure.update_layout(
        title={"text": title, "x": 0.02, "y": 0.96, "yanchor": "top", "font": {"size": 15}},
        height=520,
        margin={"l": 5, "r": 5, "t": 85, "b": 10},
        legend={"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom"},
        xaxis=hidden | {"constrain": "domain"},
        yaxis=hidden | {"scaleanchor": "x"},
        sliders=[
            {
                "active": 0,
                "currentvalue": {"prefix": "σ = "},
                "pad": {"l": 12, "r": 12},
                "steps": steps,
            }
        ],
    )
    return figure


def planar_weights(panels: Mapping[str, tuple[Tensor, Tensor, Sequence[int]]]) -> Figure:
    """Class means in the plane as stars, and the rows of their classifier as arrows.

    Args:
        panels: title to means (K, 2), weight (K, 2) and counts; rows are scaled by the longest.
    """
    figure, grid = plt.subplots(1, len(panels), figsize=(6.4, 3.5), squeeze=False)
    for axes, (title, (means, weight, counts)) in zip(grid[0], panels.items(), strict=True):
        rows = weight / weight.norm(dim=1).max()
        for mean, row, count, colour in zip(means, rows, counts, COLOURS, strict=False):
            _arrow(axes, torch.zeros(2), row, colour)
            axes.plot(*mean.tolist(), marker="*", ms=13, color=colour, linestyle="")
            axes.annotate(f"{count}", (1.25 * mean).tolist(), ha="center", va="center", fontsize=9)
        axes.set_title(title, fontsize=10, fontweight="normal")
        axes.set(xlim=(-1.45, 1.45), ylim=(-1.45, 1.45), aspect="equal")
        axes.set_axis_off()
    headline(figure, "Too few dimensions: now the counts decide where the arrows point")
    return figure


def cdnv_counts(
    counts: Sequence[int],
    violated: Mapping[int, Sequence[float]],
    quantiles: Mapping[str, Sequence[float]],
    *,
    delta: float,
) -> Figure:
    """How far the variance of the target exceeds that of the sample, against the smaller class.

    Args:
        counts: samples of the second class.
        violated: by dimension, share of samples above the printed bound, first class unlimited.
        quantiles: by the first class's count, the quantile 1 − δ of V^T/V^S.
        delta: δ.
    """
    figure, (above, below) = plt.subplots(2, 1, figsize=(6.0, 6.6))
    for (dim, shares), colour, marker in zip(violated.items(), COLOURS, MARKERS, strict=False):
        above.semilogx(counts, shares, marker=marker, ms=4, color=colour, label=f"P = {dim}")
    above.axhline(delta, color=PALETTE["black"], linestyle="--", linewidth=1)
    above.annotate(
        f"allowed: δ = {delta:g}", (counts[0], delta), (0, 4), textcoords="offset points",
        fontsize=9,
    )  # fmt: skip
    above.set(
        xlabel="samples $n_{k'}$ of the rarer class",
        ylabel="share of samples that violate it",
        ylim=(0, 1.03),
    )
    above.set_title("The bound as printed, at $n_k=\\infty$", fontsize=10, fontweight="normal")
    above.legend(loc="lower left", bbox_to_anchor=(0, 0.16), ncol=2)
    for (label, values), colour, marker in zip(quantiles.items(), COLOURS, MARKERS, strict=False):
        below.loglog(
            counts,
            [value - 1 for value in values],
            marker=marker,
            ms=4,
            color=colour,
            label=f"$n_k={label}$",
        )
    below.set(
        xlabel="samples $n_{k'}$ of the other class",
        ylabel=f"{1 - delta:.0%} quantile of $V^T/V^S-1$",
    )
    below.set_title("What the excess depends on", fontsize=10, fontweight="normal")
    below.legend(loc="lower left")
    for axes in (above, below):
        axes.xaxis.set_major_locator(FixedLocator(counts))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
    headline(figure, "The rarer class decides, however many samples the other has")
    return figure


def divergences(
    deviations: Tensor, curves: Mapping[str, Sequence[float]], *, labels: float
) -> Figure:
    """Jensen-Shannon divergence of the features of two domains, as classes collapse.

    Args:
        deviations: (S,) standard deviation within classes.
        curves: divergence in nats at each, by what the class means look like.
        labels: divergence of the two label distributions.
    """
    figure, axes = plt.subplots(figsize=(6.0, 3.8))
    axes.axhspan(labels, 1.35 * labels, color=PALETTE["vermilion"], alpha=0.15, lw=0)
    axes.axhline(labels, color=PALETTE["black"], linestyle="--", linewidth=1.2)
    axes.annotate(
        "where (12) puts the features: no feature map gets here",
        (float(deviations[0]), 1.2 * labels), (4, 0), textcoords="offset points", fontsize=9,
        va="center",
    )  # fmt: skip
    axes.annotate(
        "divergence of the labels", (float(deviations[-1]), labels), (-4, -13),
        textcoords="offset points", fontsize=9, ha="right",
    )  # fmt: skip
    styles = ("-", "--", "-.")
    for (name, values), colour, style in zip(curves.items(), COLOURS, styles, strict=False):
        axes.semilogx(deviations, values, color=colour, linestyle=style, label=name)
    axes.set(
        xlabel="standard deviation within classes σ, in lengths of a mean",
        ylabel="Jensen–Shannon divergence, nats",
        ylim=(0, 1.35 * labels),
    )
    axes.set_title("Collapse attains the largest divergence, not the smallest")
    axes.legend(loc="lower left")
    return figure


def nearest_angles(
    dims: Sequence[int],
    average: Sequence[float],
    smallest: Sequence[float],
    *,
    num_classes: int,
    optimum: float,
) -> Figure:
    """Best average nearest angle that was found, against the dimension.

    Args:
        dims: P.
        average: best average over classes of the angle to the nearest other mean, degrees.
        smallest: the smallest of those angles in the same configurations.
        num_classes: K.
        optimum: arccos(−1/(K − 1)), degrees.
    """
    figure, axes = plt.subplots(figsize=(6.0, 3.7))
    axes.axhline(optimum, color=PALETTE["black"], linestyle="--", linewidth=1.2)
    axes.annotate(
        f"theorem: at most arccos(−1/{num_classes - 1}) = {optimum:.1f}°",
        (dims[0], optimum), (0, 5), textcoords="offset points", fontsize=9,
    )  # fmt: skip
    axes.axvline(num_classes - 1, color=PALETTE["grey"], linestyle=":")
    axes.annotate(
        "P = K − 1", (num_classes - 1, min(smallest)), (4, 0), textcoords="offset points",
        fontsize=9,
    )  # fmt: skip
    axes.plot(dims, average, "o-", color=PALETTE["blue"], label="average nearest angle, $-L_B$")
    axes.plot(dims, smallest, "s--", color=PALETTE["vermilion"], label="smallest nearest angle")
    axes.set(
        xlabel="dimension P of the features",
        ylabel="angle, degrees",
        xticks=list(dims),
        ylim=(min(smallest) - 3, optimum + 6),
    )
    axes.set_title(f"The regulariser reaches the simplex only where it fits (K = {num_classes})")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.08))
    return figure


def norm_stability(gaps: Tensor, spreads: Tensor, sharp: Tensor, *, num_classes: int) -> Figure:
    """Spread of the norms of centred means against how far L_B is from its optimum.

    Args:
        gaps: (B,) L_B plus its optimal angle, radians.
        spreads: (B,) distance of the norms from equal ones, relative.
        sharp: (B,) what part 2 of the theorem allows them.
        num_classes: K, for the line of part 3, which is drawn as far as it is below one.
    """
    figure, axes = plt.subplots(figsize=(6.0, 3.9))
    slope = num_classes**3 * (num_classes - 1)
    ends = torch.tensor([float(gaps.min()), 1 / slope], dtype=gaps.dtype)
    if ends[0] < ends[1]:
        label = f"bound of part 3: {slope} × distance"
        axes.loglog(ends, slope * ends, color=PALETTE["black"], linestyle="--", label=label)
    hollow = {"mfc": "none", "mec": PALETTE["vermilion"], "alpha": 0.7}
    axes.loglog(gaps, sharp, "v", ms=4, label="bound of part 2, the same means", **hollow)
    axes.loglog(gaps, spreads, "o", ms=4, color=PALETTE["blue"], alpha=0.6, label="spread")
    axes.set(
        xlabel="distance of $L_B$ from its optimum, radians",
        ylabel="spread of the norms, relative",
    )
    axes.set_title("Nearly optimal angles force nearly equal norms")
    axes.legend(loc="lower right")
    return figure


def decisions(means: Tensor, panels: Mapping[str, tuple[Tensor, Tensor]]) -> Figure:
    """Decisions of linear classifiers in the plane against those of the nearest class mean.

    Args:
        means: (K, 2).
        panels: title to weight (K, 2) and bias (K,).
    """
    reach = 1.9
    centre = means.mean(0)
    ticks = torch.linspace(-reach, reach, 301, dtype=torch.float64)
    points = torch.cartesian_prod(ticks, ticks) + centre
    distances = torch.cdist(points, means).reshape(301, 301, -1)
    nearest, others = distances.argmin(-1), torch.arange(len(means))
    colours = ListedColormap(COLOURS[: len(means)])
    figure, grid = plt.subplots(1, len(panels), figsize=(6.4, 3.5), squeeze=False)
    for axes, (title, (weight, bias)) in zip(grid[0], panels.items(), strict=True):
        chosen = (points @ weight.T + bias).argmax(1).reshape(301, 301)
        box = (-reach, reach, -reach, reach)
        style = {"origin": "lower", "extent": box, "vmin": 0, "vmax": len(means) - 1}
        axes.imshow(chosen.T.numpy(), cmap=colours, alpha=0.3, interpolation="nearest", **style)
        for index in range(len(means)):
            lead = distances[..., index] - distances[..., others != index].amin(-1)
            edge = {"colors": PALETTE["black"], "linewidths": 1.2}
            axes.contour(lead.T.numpy(), [0.0], extent=box, **edge)
            spot = (means[index] - centre).tolist()
            axes.plot(*spot, marker="*", ms=14, color=COLOURS[index], mec="white", linestyle="")
        agreement = float((chosen == nearest).double().mean())
        axes.set_title(f"{title}\nagrees on {agreement:.0%}", fontsize=10, fontweight="normal")
        axes.plot(*(-centre).tolist(), "+", ms=10, color=PALETTE["black"])
        axes.annotate(
            "origin", (-centre).tolist(), (-6, 4), textcoords="offset points", ha="right",
            fontsize=9,
        )  # fmt: skip
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[])
        axes.grid(visible=False)
    headline(figure, "Self-dual is not enough: the decision needs the bias")
    return figure


def minority_heights(means: Tensor, weight: Tensor, counts: Sequence[int]) -> Figure:
    """Planar means of three classes, with each row as the inverse height of the triangle.

    Args:
        means: (3, 2).
        weight: (3, 2), least squares.
        counts: of the classes.
    """
    figure, axes = plt.subplots(figsize=(5.8, 3.9))
    closed = torch.cat([means, means[:1]])
    axes.plot(*closed.T.tolist(), color=PALETTE["grey"], lw=1)
    for mean, row, count, colour in zip(means, weight, counts, COLOURS, strict=False):
        length = float(row.norm())
        foot = mean - row / length**2
        axes.plot(*torch.stack([mean, foot]).T.tolist(), ":", color=colour)
        _arrow(axes, mean, mean + 1.5 * row, colour)
        axes.plot(*mean.tolist(), marker="*", ms=13, color=colour, linestyle="")
        right = float(mean[0]) > -0.1
        axes.annotate(
            f"{count} samples\nheight {1 / length:.2f}\n$\\|w\\|$ = {length:.2f}",
            (float(mean[0]), float(mean[1])),
            (22 if right else -22, 6),
            textcoords="offset points",
            fontsize=9,
            ha="left" if right else "right",
            va="bottom" if float(mean[1]) < 0 else "top",
        )
    axes.set(aspect="equal", xlim=(-2.9, 2.9), ylim=(-1.2, 3.1))
    axes.set_axis_off()
    axes.set_title("A row's length is one over the height of its mean")
    return figure
