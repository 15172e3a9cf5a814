"""Figures of label tables, real and synthetic, and of networks trained on several labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from nclib.plots._style import COLOURS, DIVERGING, MARKERS, PALETTE, headline

RULES = {
    "uniform": "uniform sum",
    "frequency_centred": "frequency-centred sum",
    "frequency": r"sum weighted by $\pi_k$",
    "root_count": r"sum weighted by $\sqrt{n_k}$",
    "count": "sum weighted by $n_k$",
    "classifier": r"$W^\top(y-\frac{m}{K}\mathbf{1})$",
    "classifier_frequency": r"$W^\top(y-mq)$",
    "residual": r"$W^\top g_S$",
}  #: Rules of synthesis as ``metrics.synthesis_fits`` names them, and what they are.


class RuleCosines(NamedTuple):
    """Mean cosines of prototypes with the vectors of each rule."""

    networks: Sequence[Mapping[str, float]]  # a network each
    optimum: Mapping[str, float]


def rules(panels: Mapping[str, RuleCosines], *, title: str) -> Figure:
    """Mean cosines by rule: certified optimum (open), networks (filled).

    Args:
        panels: by the name of the setting.
        title: the figure's message.
    """
    figure, row = plt.subplots(
        1, len(panels), figsize=(7.4, 3.6), sharey=True, sharex=True, squeeze=False
    )
    names = [name for name in RULES if name in next(iter(panels.values())).optimum]
    heights = range(len(names))
    for axes, (label, panel) in zip(row[0], panels.items(), strict=True):
        for number, network in enumerate(panel.networks):
            axes.plot(
                [network[name] for name in names],
                heights,
                "o",
                color=PALETTE["blue"],
                markersize=6,
                alpha=0.8,
                label=None if number else "networks",
            )
        axes.plot(
            [panel.optimum[name] for name in names],
            heights,
            "D",
            color=PALETTE["black"],
            markerfacecolor="none",
            markersize=9,
            label="certified optimum",
        )
        axes.set_title(label, loc="center", fontweight="normal")
        axes.set_xlabel("mean cosine")
    row[0, 0].set_yticks(heights, [RULES[name] for name in names])
    row[0, 0].invert_yaxis()
    figure.legend(*row[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    headline(figure, title)
    return figure


class TablePoint(NamedTuple):
    """A label table in numbers."""

    ratio: float  # the most frequent class over the least frequent one
    kappa_hat: float  # of the pooled moment
    place: float  # (f* - L)/(f_bal - L)


def real_and_synthetic(points: Mapping[str, Sequence[TablePoint]], *, title: str) -> Figure:
    r"""Where label tables stand: weakest contrast, and optimum between its bounds.

    Args:
        points: by the name of a family; one with a single table is named beside its mark.
        title: the figure's message.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.8))
    named = [PALETTE["vermilion"], PALETTE["purple"], PALETTE["orange"]]
    families = iter(zip(COLOURS[0::2], MARKERS, strict=False))
    for name, some in points.items():
        single = len(some) == 1
        colour, marker = (named.pop(0), "*") if single else next(families)
        size = 13 if single else 5
        for axes, x, y in (
            (left, [p.ratio for p in some], [p.kappa_hat for p in some]),
            (right, [p.kappa_hat for p in some], [p.place for p in some]),
        ):
            axes.plot(x, y, marker, color=colour, markersize=size, alpha=0.85, label=name)
    left.set(xscale="log", xlabel="most frequent class over rarest", ylabel=r"$\hat\kappa$")
    left.set_title("weakest contrast", fontweight="normal")
    right.set(xlabel=r"$\hat\kappa$", ylabel=r"$(f^*-L)/(f_{\rm bal}-L)$", ylim=(-0.03, 1.03))
    right.set_title("optimum between its bounds", fontweight="normal")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    headline(figure, title)
    return figure


def head_and_tail(
    norms: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, title: str
) -> Figure:
    """Norms of classifier rows at the certified optimum over the samples of their classes.

    Args:
        norms: by label set and bias, samples of each class and norms relative to their mean.
        title: the figure's message.
    """
    figure, axes = plt.subplots(figsize=(7.0, 3.6))
    for index, (name, (samples, values)) in enumerate(norms.items()):
        axes.loglog(
            samples,
            values,
            MARKERS[index % len(MARKERS)],
            color=COLOURS[index // 2],
            markerfacecolor=COLOURS[index // 2] if index % 2 == 0 else "none",
            markersize=5,
            label=name,
        )
    axes.set(xlabel="training images with the class", ylabel=r"$\|w_k\|$ (mean: 1)", title=title)
    axes.set_yticks([0.5, 0.7, 1, 1.4, 2], ["0.5", "0.7", "1", "1.4", "2"], minor=False)
    axes.set_yticks([], minor=True)
    axes.legend(fontsize=8)
    return figure


def against_imbalance(
    ratios: Mapping[str, Sequence[float]],
    numbers: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    title: str,
) -> Figure:
    r"""Bounds, weakest contrast and synthesis of synthetic label tables over their imbalance.

    Args:
        ratios: by family, the most frequent class over the least frequent one, a table each.
        numbers: by family, ``upper`` and ``lower`` (bounds less the optimum), ``kappa_hat``, and
            ``uniform``, ``uniform_free`` and ``centred_free`` (one less the mean cosine).
        title: the figure's message.
    """
    figure, row = plt.subplots(1, 3, figsize=(7.6, 3.7))
    panels = (
        (row[0], {"upper": r"$f_{\rm bal}-f^*$", "lower": r"$L-f^*$"}),
        (row[1], {"kappa_hat": r"$\hat\kappa$"}),
        (
            row[2],
            {
                "uniform": "uniform, no bias",
                "uniform_free": "uniform, free bias",
                "centred_free": "centred, free bias",
            },
        ),
    )
    for axes, curves in panels:
        for colour, (name, label) in zip(COLOURS, curves.items(), strict=False):
            for marker, (family, values) in zip(("o", "^"), numbers.items(), strict=False):
                axes.plot(
                    ratios[family],
                    values[name],
                    marker,
                    color=colour,
                    markersize=4,
                    alpha=0.8,
                    label=f"{label}, {family}" if len(curves) == 1 else label,
                )
        axes.set(xscale="log", xlabel="imbalance")
        shown = dict(reversed(list(zip(*axes.get_legend_handles_labels()[::-1], strict=True))))
        axes.legend(shown.values(), shown.keys(), fontsize=7.5)
    row[0].axhline(0, color=PALETTE["black"], linewidth=1)
    row[0].set_title("bounds less optimum", fontweight="normal")
    row[1].set_title("weakest contrast", fontweight="normal")
    row[2].set(yscale="log")
    row[2].set_title("1 − mean cosine", fontweight="normal")
    headline(figure, title)
    return figure


def prototype_cosines(
    pairs: Mapping[str, tuple[Float[Tensor, "C C"], Float[Tensor, "C C"]]],
    *,
    singletons: int,
    title: str,
) -> Figure:
    """Cosines between all prototypes: certified optimum above, network below.

    Args:
        pairs: by setting, the certified and the trained matrix, singletons first.
        singletons: how many; a line marks where they end.
        title: the figure's message.
    """
    figure, panels = plt.subplots(2, len(pairs), figsize=(7.4, 4.6), squeeze=False)
    for column, (label, pair) in enumerate(pairs.items()):
        for axes, matrix in zip(panels[:, column], pair, strict=True):
            image = axes.imshow(matrix.numpy(), cmap=DIVERGING, vmin=-1, vmax=1)
            axes.set(xticks=[], yticks=[])
            axes.grid(visible=False)
            for line in (axes.axhline, axes.axvline):
                line(singletons - 0.5, color=PALETTE["black"], linewidth=0.6)
        panels[0, column].set_title(label, loc="center", fontsize=10, fontweight="normal")
    panels[0, 0].set_ylabel("certified")
    panels[1, 0].set_ylabel("trained")
    figure.colorbar(image, ax=panels, label="cosine", shrink=0.8, pad=0.02)
    headline(figure, title)
    return figure
