"""Figures of the unconstrained features model: its solver and its descent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from jaxtyping import Float, Int
from matplotlib.figure import Figure
from torch import Tensor

from nclib.plots._style import (
    PALETTE,
)


def merging(
    time: Float[Tensor, " T"], spreads: Mapping[str, Float[Tensor, " T"]], *, rate: float
) -> Figure:
    """How features of a class merge under gradient descent, beside the guaranteed rate.

    Args:
        time: step size times step.
        spreads: largest distance of two features of a class, by the name of the loss.
        rate: λ_H; the dashed line is the first spread times exp(−λ_H t).
    """
    fig, axes = plt.subplots(figsize=(5.8, 3.4))
    colours = ["blue", "orange", "green"]
    first = max(float(values[0]) for values in spreads.values())
    guaranteed = first * torch.exp(-rate * time)
    axes.plot(time, guaranteed, "--", color=PALETTE["black"], lw=1.4, label="guaranteed, exp(−λt)")
    for (name, values), colour in zip(spreads.items(), colours, strict=False):
        axes.plot(time, values, color=PALETTE[colour], label=name)
    axes.set(
        title="Features of a class merge exponentially",
        xlabel="time (step size × steps)",
        ylabel="largest distance within a class",
        yscale="log",
    )
    axes.legend()
    return fig


def certificate(primal: Float[Tensor, " T"], dual: Float[Tensor, " T"]) -> Figure:
    """Primal and dual values of a solver by iteration, and their relative gap.

    Args:
        primal: upper bounds of the optimum, of at least three iterations.
        dual: lower bounds of it.
    """
    fig, (left, right) = plt.subplots(1, 2, figsize=(6.2, 3.0))
    optimum = float(primal[-1])
    above, below = 100 * (primal / optimum - 1), 100 * (dual / optimum - 1)
    shown = np.arange(2, min(25, len(primal)) + 1)  # the first point is far off
    above, below = above[1 : len(shown) + 1], below[1 : len(shown) + 1]
    left.fill_between(shown, below, above, color=PALETTE["grey"], alpha=0.25, lw=0)
    left.plot(shown, above, "o-", ms=3, color=PALETTE["blue"], label="primal: upper bound")
    left.plot(shown, below, "s--", ms=3, color=PALETTE["orange"], label="dual: lower bound")
    reach = 1.3 * max(float(above[0]), -float(below[0]))
    left.set(
        title="The optimum lies between",
        xlabel="iteration",
        ylabel="distance to the optimum (%)",
        ylim=(-reach, reach),
    )
    left.legend(loc="upper right")
    gap = ((primal - dual) / primal).clamp(min=1e-16)
    right.plot(np.arange(1, len(gap) + 1), gap, color=PALETTE["black"])
    right.set(
        title="The gap closes linearly",
        xlabel="iteration",
        ylabel="relative duality gap",
        yscale="log",
    )
    return fig


def objective_gaps(gaps: Mapping[str, Float[Tensor, " T"]]) -> Figure:
    """Relative distance to the optimal value against iterations, one curve a method.

    Args:
        gaps: (objective − optimum)/optimum by iteration; values below 1e-12 are drawn there.
    """
    fig, axes = plt.subplots(figsize=(5.8, 3.5))
    styles = [("blue", "-"), ("vermilion", "-"), ("orange", "--"), ("purple", "-.")]
    for (name, values), (colour, dash) in zip(gaps.items(), styles, strict=False):
        shown = values.clamp(min=1e-12)
        reached = (shown <= 1e-12).nonzero()
        end = int(reached[0]) + 1 if len(reached) else len(shown)
        steps = np.arange(1, end + 1)
        axes.plot(steps, shown[:end], dash, color=PALETTE[colour], label=name)
    axes.set(
        title="Descent reaches the same optimum, much later",
        xlabel="iteration",
        ylabel="relative distance to optimum",
        xscale="log",
        yscale="log",
    )
    axes.legend(loc="lower left")
    return fig


def singular_values(
    steps: Int[Tensor, " T"], values: Float[Tensor, "T R"], optimal: Float[Tensor, " R"]
) -> Figure:
    """Singular values of the logits' matrix along gradient descent, beside those of the optimum.

    Args:
        steps: number of each snapshot.
        values: singular values at each.
        optimal: those of the global optimum.
    """
    fig, axes = plt.subplots(figsize=(5.8, 3.4))
    for value in optimal:
        axes.axhline(float(value), color=PALETTE["black"], ls="--", lw=0.9, alpha=0.7)
    shades = plt.get_cmap("cividis")(np.linspace(0, 0.85, values.shape[1]))
    for column, shade in zip(values.T, shades, strict=True):
        axes.plot(steps, column, color=shade)
    settled = (values - values[-1]).abs().amax(1) > 0.01 * float(values[-1].max())
    last = int(settled.nonzero().max()) if bool(settled.any()) else len(steps) - 1
    axes.set(
        title="From a tiny start, one direction is learnt after another",
        xlabel="step of gradient descent",
        ylabel="singular values of Z",
        xlim=(0, 1.15 * float(steps[last])),
    )
    return fig


def minority_collapse(
    ratios: Float[Tensor, " T"], cosines: Mapping[str, Sequence[float]], threshold: float
) -> Figure:
    """Cosine between classifier vectors of majority and of minority classes, against imbalance.

    Args:
        ratios: size of the majority classes over that of the minority classes.
        cosines: of a pair, for ``majority`` and ``minority``.
        threshold: the ratio at which the minority classes merge.
    """
    fig, axes = plt.subplots(figsize=(5.8, 3.4))
    for name, colour, marker in (("minority", "vermilion", "o"), ("majority", "blue", "s")):
        style: dict[str, Any] = {"color": PALETTE[colour], "marker": marker, "ms": 4, "lw": 1.4}
        axes.plot(ratios, cosines[name], label=f"two {name} classes", **style)
    axes.axvline(threshold, color=PALETTE["black"], ls="--", lw=1)
    axes.annotate(
        f"merge at {threshold:.0f}", (threshold, -0.12), (-6, 0), textcoords="offset points",
        ha="right", fontsize=9,
    )  # fmt: skip
    axes.set(
        title="Minority classes turn towards each other, then merge",
        xlabel="samples of a majority class / of a minority class",
        ylabel="cosine of classifier vectors",
        xscale="log",
    )
    axes.legend(loc="upper left")
    return fig
