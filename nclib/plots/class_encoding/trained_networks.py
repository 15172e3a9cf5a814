"""Figures of trained networks beside the certified optimum of the unconstrained features model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from nclib.plots._style import (
    COLOURS,
    DIVERGING,
    MARKERS,
    PALETTE,
    headline,
)

_TICKS = (0.0, 0.1, 0.25, 0.5, 1.0, 3.0, math.inf)


def gram_comparison(
    pairs: Mapping[str, tuple[Float[Tensor, "K K"], Float[Tensor, "K K"]]], *, title: str
) -> Figure:
    """Gram matrices of certified and trained class means, on one colour scale.

    The scale is that of the entries off the diagonal; the diagonal is darker than its end, and its
    mean stands below each matrix.

    Args:
        pairs: by label, the certified and the trained matrix.
        title: the figure's message.
    """
    grams = [gram for pair in pairs.values() for gram in pair]
    top = 1.1 * max(float((gram - gram.diag().diag()).abs().max()) for gram in grams)
    figure, panels = plt.subplots(2, len(pairs), figsize=(7.4, 3.9), squeeze=False)
    for column, (label, pair) in enumerate(pairs.items()):
        for row, gram in enumerate(pair):
            axes = panels[row, column]
            image = axes.imshow(gram, cmap=DIVERGING, vmin=-top, vmax=top)
            axes.set(xticks=[], yticks=[])
            axes.grid(visible=False)
            axes.set_xlabel(f"diagonal {gram.diag().mean():.2f}", fontsize=9)
        panels[0, column].set_title(label, loc="center", fontsize=10, fontweight="normal")
    panels[0, 0].set_ylabel("certified")
    panels[1, 0].set_ylabel("trained")
    figure.colorbar(
        image, ax=panels, label="inner product off the diagonal", shrink=0.8, pad=0.02, extend="max"
    )
    headline(figure, title)
    return figure


def shift_transition(
    points: Mapping[str, Sequence[tuple[float, float]]],
    theory: tuple[Sequence[float], Sequence[float]],
    *,
    threshold: float,
) -> Figure:
    r"""The shift β of the class means over the bias penalty, from none to infinite.

    The horizontal axis is :math:`\lambda_b/(1+\lambda_b)`, so that both ends are seen.

    Args:
        points: by label, pairs of :math:`\lambda_b` and the fitted shift.
        theory: :math:`\lambda_b` and :math:`\beta` of the theorem's curve.
        threshold: :math:`c/(1-c)`.
    """

    def place(penalty: float) -> float:
        return 1.0 if math.isinf(penalty) else penalty / (1 + penalty)

    figure, axes = plt.subplots(figsize=(7.0, 3.8))
    axes.plot([place(x) for x in theory[0]], theory[1], color=PALETTE["black"], label="theorem")
    axes.axvline(place(threshold), color=PALETTE["grey"], linestyle="--", linewidth=1)
    axes.annotate(
        r"threshold $c/(1-c)$",
        (place(threshold), 0.03),
        xytext=(6, 0),
        textcoords="offset points",
        color=PALETTE["grey"],
    )
    for (label, values), marker, colour in zip(points.items(), MARKERS, COLOURS, strict=False):
        axes.plot(
            [place(x) for x, _ in values],
            [y for _, y in values],
            marker,
            color=colour,
            markersize=8,
            markerfacecolor="none",
            markeredgewidth=1.8,
            label=label,
        )
    axes.set_xticks([place(x) for x in _TICKS], [_tick(x) for x in _TICKS])
    axes.set(
        xlabel=r"bias penalty $\lambda_b$ (spaced as $\lambda_b/(1+\lambda_b)$)",
        ylabel=r"fitted shift $\hat\beta$",
        ylim=(-0.08, 1.08),
        title="Trained class means follow the theorem on both sides of the threshold",
    )
    axes.legend()
    return figure


def _tick(value: float) -> str:
    return "∞" if math.isinf(value) else f"{value:g}"


def duality_by_encoding(
    values: Mapping[str, Mapping[str, tuple[Sequence[float], float]]], *, title: str
) -> Figure:
    """NC3 and NC3′ of trained networks and of the certified optimum, a row an encoding.

    Args:
        values: by metric and encoding, the values of the runs and the optimum's.
        title: the figure's message.
    """
    names = list(next(iter(values.values())))
    figure, axes = plt.subplots(figsize=(7.0, 3.2))
    for (metric, rows), colour, marker in zip(values.items(), COLOURS, MARKERS, strict=False):
        for height, name in enumerate(names):
            trained, certified = rows[name]
            first = height == 0
            axes.plot(
                trained,
                [height] * len(trained),
                marker,
                color=colour,
                label=f"{metric}, trained" if first else None,
            )
            axes.plot(
                [certified],
                [height],
                marker,
                color=colour,
                markerfacecolor="none",
                markersize=13,
                label=f"{metric}, certified optimum" if first else None,
            )
    axes.set_yticks(range(len(names)), names)
    axes.set(ylim=(len(names) - 0.5, -0.5), xlim=(-0.06, None), title=title)
    axes.set_xlabel("distance between classifier and class means, 0 at self-duality")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def certificate_bars(parts: Mapping[str, tuple[float, float]], *, title: str) -> Figure:
    """What separates each network's objective from the certified optimum, in two parts.

    Args:
        parts: by run, the share due to the class means and classifier, and the share due to the
            variation within the classes, both relative to the optimum.
        title: the figure's message.
    """
    names = list(parts)
    means, within = np.array([100 * np.array(pair) for pair in parts.values()]).T
    figure, axes = plt.subplots(figsize=(7.0, 0.32 * len(names) + 1.6))
    heights = np.arange(len(names))
    axes.barh(heights, means, color=PALETTE["blue"], label="class means and classifier")
    axes.barh(
        heights, within, left=means, color=PALETTE["orange"], label="variation within classes"
    )
    axes.set_yticks(heights, names)
    axes.invert_yaxis()
    axes.set(xlabel="objective above the certified optimum (%)", title=title)
    figure.legend(loc="outside lower center", ncols=2)
    return figure
