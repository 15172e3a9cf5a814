"""Figures of the theory of class encoding: what the labels and the bias do to the means."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import plotly.graph_objects as go
import torch
from matplotlib.figure import Figure
from torch import Tensor

from nclib.plots._style import (
    COLOURS,
    MARKERS,
    PALETTE,
    headline,
    penalty_label,
)


def saddle(values: Sequence[float], spreads: Sequence[float], *, optimum: float) -> Figure:
    """Gradient descent past a saddle point: the objective, and the spread within classes.

    Args:
        values: objective after each step.
        spreads: trace of the within-class scatter over that of the between-class one, each step.
        optimum: the certified minimum.
    """
    figure, (above, below) = plt.subplots(2, 1, sharex=True, figsize=(7.0, 4.6))
    above.plot(values, color=PALETTE["blue"])
    above.axhline(optimum, color=PALETTE["black"], linestyle="--", linewidth=1)
    above.annotate(
        "certified optimum", (0, optimum), (4, 4), textcoords="offset points", fontsize=9
    )
    half = len(values) // 2
    level = values[half - 1]
    above.annotate("saddle point", (half * 0.5, level), (0, 5), textcoords="offset points")
    for axes in (above, below):
        axes.axvline(half, color=PALETTE["grey"], linestyle=":")
    above.annotate("kick", (half, level), (5, 20), textcoords="offset points")
    above.set(ylabel="objective", ylim=(optimum * 0.9, level + 2 * (level - optimum)))
    above.set_title("Variability collapses at the saddle, long before the minimum")
    below.semilogy([max(spread, 1e-32) for spread in spreads], color=PALETTE["vermilion"])
    below.set(xlabel="step of gradient descent", ylabel="spread within / between")
    return figure


def bias_bounds(penalties: Tensor, norms: Sequence[float], share: Tensor, cap: Tensor) -> Figure:
    r"""Norm of the optimal bias against :math:`\lambda_b`, below its two bounds.

    Args:
        penalties: :math:`\lambda_b`.
        norms: of the certified optimal bias.
        share: :math:`\gamma\|\bar y\|`.
        cap: :math:`\mu\sqrt N/\lambda_b`.
    """
    figure, axes = plt.subplots(figsize=(7.0, 3.8))
    axes.loglog(
        penalties, share, color=PALETTE["blue"], label=r"$\gamma\,\|\bar y\|$: the mean label"
    )
    axes.loglog(
        penalties, cap, color=PALETTE["vermilion"], linestyle="--", label=r"$\mu\sqrt{N}/\lambda_b$"
    )
    axes.loglog(
        penalties, norms, "o", color=PALETTE["black"], markersize=5, label="certified optimum"
    )
    axes.set_ylim(min(norms) / 2, float(share.max()) * 3)
    axes.set(xlabel=r"bias penalty $\lambda_b$", ylabel=r"length of the bias $\|b^*\|$")
    axes.set_title("The bias is the mean label, until the penalty caps it")
    axes.legend(loc="lower left")
    return figure


def lambda_b_transition(
    penalties: Tensor,
    grams: Sequence[Tensor],
    formula: Tensor,
    measured: Sequence[float],
    *,
    threshold: float,
) -> go.Figure:
    r"""The Gram matrix of the class means while the bias is penalised: a slider over the penalty.

    Args:
        penalties: :math:`\lambda_b`, increasing, positive.
        grams: Gram matrices of the certified class means, scaled to :math:`I - \beta J/K`.
        formula: the theorem's :math:`\beta` at each penalty.
        measured: the certified one.
        threshold: :math:`c/(1-c)`.
    """
    size, first = len(grams[0]), len(penalties) // 2
    places = list(range(1, size + 1))
    # Rounded, so that the page's data are the same on every machine (+ 0.0: no negative zero).
    values = [float(f"{value:.5g}") for value in penalties.tolist()]
    heights = [round(value, 4) + 0.0 for value in measured]

    def entries(gram: Tensor) -> list[float]:
        return [round(x, 4) + 0.0 for x in gram.flatten().tolist()]

    def texts(gram: Tensor) -> list[str]:
        return [f"{x:.2f}".replace("-0.00", "0.00") for x in entries(gram)]

    def label(index: int) -> str:
        side = "simplex ETF" if values[index] <= threshold else "towards an orthogonal frame"
        return f"Gram matrix of the means: {side}"

    figure = go.Figure()
    blue = {"color": PALETTE["blue"]}
    curve = [round(value, 4) for value in formula.tolist()]
    figure.add_scatter(x=values, y=curve, mode="lines", name="theorem", line=blue)
    dots = {"color": PALETTE["black"], "size": 5}
    figure.add_scatter(x=values, y=heights, mode="markers", name="certified optimum", marker=dots)
    figure.add_scatter(
        x=[values[first]],
        y=[heights[first]],
        mode="markers",
        name="shown below",
        marker={"color": PALETTE["vermilion"], "size": 14, "symbol": "diamond"},
    )
    figure.add_scatter(
        x=places * size,
        y=[row for row in places for _ in places],
        mode="markers+text",
        text=texts(grams[first]),
        textfont={
            "size": 13 if size <= 6 else 9,
            "color": ["white" if x > 0.5 else PALETTE["black"] for x in grams[first].flatten()],
        },
        marker={
            "symbol": "square",
            "size": int(260 / (size + 0.2)),
            "color": entries(grams[first]),
            "colorscale": "RdBu",
            "cmin": -1,
            "cmax": 1,
            "line": {"color": PALETTE["grey"], "width": 1},
        },
        hovertemplate="class %{y}, class %{x}: %{text}<extra></extra>",
        showlegend=False,
        xaxis="x2",
        yaxis="y2",
    )
    steps = []
    for index, gram in enumerate(grams):
        change = {
            "x": [[values[index]], figure.data[3].x],
            "y": [[heights[index]], figure.data[3].y],
            "marker.color": [PALETTE["vermilion"], entries(gram)],
            "text": [None, texts(gram)],
        }
        arguments = [change, {"annotations[1].text": label(index)}, [2, 3]]
        steps.append({"method": "update", "label": f"{values[index]:.3g}", "args": arguments})
    cells = {"showgrid": False, "zeroline": False, "tickvals": places, "title": "class"}
    figure.update_layout(
        title={
            "text": "Penalising the bias opens<br>the simplex ETF into an orthogonal frame",
            "y": 0.965,
            "yanchor": "top",
        },
        height=780,
        margin={"l": 55, "r": 10, "t": 110, "b": 10},
        legend={"orientation": "h", "x": 0, "y": 1.01, "xanchor": "left", "yanchor": "bottom"},
        xaxis={
            "type": "log",
            "dtick": 1,
            "range": [
                round(math.log10(values[0]) - 0.1, 4),
                round(math.log10(values[-1]) + 0.1, 4),
            ],
            "title": "bias penalty λ<sub>b</sub>",
            "anchor": "y",
        },
        yaxis={"title": "shift β in I − βJ/K", "domain": [0.66, 1], "range": [-0.05, 1.2]},
        xaxis2=cells | {"anchor": "y2", "range": [0.4, size + 0.6], "constrain": "domain"},
        yaxis2=cells | {"domain": [0, 0.48], "range": [size + 0.6, 0.4], "scaleanchor": "x2"},
    )
    dashed = {"color": PALETTE["grey"], "dash": "dash"}
    figure.add_shape(
        type="line", x0=round(threshold, 6), x1=round(threshold, 6), y0=0, y1=1.18, line=dashed
    )
    figure.add_annotation(
        text=f"threshold c/(1−c) = {threshold:.3g}",
        x=round(math.log10(threshold), 4),
        y=1.1,
        showarrow=False,
        xanchor="left",
        xshift=5,
    )
    figure.add_annotation(
        text=label(first), x=0.5, y=0.535, xref="paper", yref="paper", showarrow=False
    )
    current = {"prefix": "λ<sub>b</sub> = ", "font": {"size": 15, "color": PALETTE["black"]}}
    figure.update_layout(
        sliders=[
            {
                "steps": steps,
                "active": first,
                "currentvalue": current,
                "pad": {"t": 45},
                "ticklen": 0,
                "minorticklen": 0,
                "font": {"color": "rgba(0,0,0,0)"},  # the labels of all steps would overlap
            }
        ]
    )
    return figure


def transition_check(
    fine: Tensor,
    curves: Mapping[str, tuple[Tensor, Tensor]],
    grid: Tensor,
    solved: Mapping[tuple[str, float], tuple[float, float]],
    descended: Mapping[tuple[str, float], tuple[float, float]],
    *,
    threshold: float,
) -> Figure:
    r"""Eigenvalues of the scaled Gram matrix: theorem, certified optimum and gradient descent.

    Args:
        fine: :math:`\lambda_b` of the curves.
        curves: by encoding, the eigenvalue on :math:`\mathbf 1^\perp` and along :math:`\mathbf 1`.
        grid: :math:`\lambda_b` of the points.
        solved: by encoding and penalty, the two eigenvalues at the certified optimum.
        descended: the same after gradient descent.
        threshold: :math:`c/(1-c)`.
    """
    figure, panels = plt.subplots(1, len(curves), sharey=True, figsize=(7.4, 3.8), squeeze=False)
    names = (r"$z_\perp$, between classes", r"$z_1$, along $\mathbf{1}$")
    for axes, (encoding, pair) in zip(panels[0], curves.items(), strict=True):
        for row, (curve, colour) in enumerate(zip(pair, COLOURS, strict=False)):
            axes.semilogx(fine, curve, color=colour, label=names[row])
            for data, style in ((solved, "o"), (descended, "x")):
                heights = [data[encoding, penalty][row] for penalty in grid.tolist()]
                size, face = (6, "none") if style == "o" else (5, colour)
                axes.plot(grid, heights, style, color=colour, markersize=size, markerfacecolor=face)
        axes.axvline(threshold, color=PALETTE["grey"], linestyle="--", linewidth=1)
        axes.set(xlabel=r"bias penalty $\lambda_b$", title=f"{encoding.replace('_', '-')} labels")
    panels[0, 0].set_ylabel("eigenvalue of the Gram matrix")
    panels[0, 0].plot(
        [], [], "o", color=PALETTE["black"], markerfacecolor="none", label="certified"
    )
    panels[0, 0].plot([], [], "x", color=PALETTE["black"], label="descent")
    panels[0, 0].legend(loc="lower right")
    headline(figure, "Theorem, certificate and descent agree on both sides of the threshold")
    return figure


def rotation_cosine(
    angles: Tensor, dots: Mapping[float, Sequence[float]], *, num_classes: int
) -> Figure:
    r"""Alignment of classifier and class means when one-hot labels are rotated.

    Args:
        angles: of the rotation, in radians, increasing.
        dots: by :math:`\lambda_b`, the cosine at the certified optimum.
        num_classes: K; the curve is :math:`(K-2+2\cos\varphi)/K`.
    """
    figure, axes = plt.subplots(figsize=(7.0, 3.8))
    degrees = angles.rad2deg()
    fine = torch.linspace(float(angles[0]), float(angles[-1]), 181)
    curve = (num_classes - 2 + 2 * fine.cos()) / num_classes
    name = rf"$(K-2+2\cos\varphi)/K$, $K={num_classes}$"
    axes.plot(fine.rad2deg(), curve, color=PALETTE["black"], label=name)
    for index, (penalty, values) in enumerate(dots.items()):
        shown = slice(index % len(dots), None, len(dots))  # each penalty at its own angles
        axes.plot(
            degrees[shown],
            list(values)[shown],
            MARKERS[index],
            color=COLOURS[index],
            label=penalty_label(penalty),
        )
    axes.axhline(1, color=PALETTE["grey"], linestyle="--", linewidth=1)
    axes.annotate(
        "NC3′: after the best rotation", (180, 1), (0, -12), textcoords="offset points", ha="right"
    )
    axes.set(
        xlabel=r"rotation $\varphi$ of the labels (degrees)",
        ylabel="cosine of classifier and means",
    )
    axes.set_title("Rotated labels cost self-duality the same, whatever the bias")
    axes.legend(loc="lower left")
    return figure


def nc3_imbalance(ratios: Tensor, plain: Mapping[float, Sequence[float]]) -> Figure:
    r"""Misfit of NC3′ against the imbalance ratio, with its largest value marked.

    Args:
        ratios: size of a large class over that of a small one.
        plain: by :math:`\lambda_b`, the misfit of NC3′ without weights.
    """
    figure, axes = plt.subplots(figsize=(7.0, 3.5))
    for index, (penalty, values) in enumerate(plain.items()):
        axes.semilogx(
            ratios,
            values,
            color=COLOURS[index],
            marker=MARKERS[index],
            label=penalty_label(penalty),
        )
        peak = max(range(len(values)), key=values.__getitem__)
        axes.plot(
            ratios[peak], values[peak], "o", mfc="none", mec=COLOURS[index], ms=13, label="_peak"
        )
    axes.axhline(0, color=PALETTE["black"], linestyle="--", label="weighted by the counts: exact")
    ticks = [int(ratio) if ratio == int(ratio) else ratio for ratio in ratios.tolist()]
    axes.set_xticks(ratios.tolist(), [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set(xlabel="imbalance ratio", ylabel="misfit of NC3′")
    falls = all(values[-1] < max(values) for values in plain.values())
    course = "rises, then falls" if falls else "rises with the imbalance"
    axes.set_title(f"Without the counts as weights, the misfit of NC3′ {course}")
    axes.legend(loc="center")
    return figure


def smoothing_curves(
    fine: Tensor,
    curves: Mapping[str, Sequence[float]],
    dots: Mapping[str, Sequence[tuple[float, float, float]]],
) -> Figure:
    r"""Size of the centred class means against :math:`q = c + \delta`, for two losses.

    Args:
        fine: q of the curves.
        curves: by loss, the theorem's z.
        dots: by loss, (share of q that is smoothing, q, z at the certified optimum).
    """
    figure, panels = plt.subplots(1, 2, figsize=(7.4, 3.6))
    titles = {"mse": "mean squared error", "ce": "cross-entropy"}
    for axes, (loss, curve) in zip(panels, curves.items(), strict=True):
        axes.plot(fine, curve, color=PALETTE["black"], linewidth=1.4)
        shares = sorted({share for share, _, _ in dots[loss]})
        for index, share in enumerate(shares):
            points = [(q, z) for part, q, z in dots[loss] if part == share]
            q, z = zip(*points, strict=True)
            label = f"{100 * share:.0f} % smoothing"
            axes.plot(q, z, MARKERS[index], color=COLOURS[index], label=label)
        axes.axvline(1, color=PALETTE["grey"], linestyle="--", linewidth=1)
        axes.set(xlabel=r"$q=c+\delta$", title=titles[loss])
    panels[0].set_ylabel("size $z$ of the centred means")
    panels[1].legend()
    headline(figure, "Smoothing and regularisation act through their sum")
    return figure
