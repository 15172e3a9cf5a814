"""Figures of the rules that make prototypes of several labels from those of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from nclib.plots._style import COLOURS, DIVERGING, MARKERS, PALETTE, headline
from nclib.plots.multilabel_spectral.theory import in_the_plane

# A rule looks the same in every figure: the name in words, colour and marker by its id.
RULES = {
    "uniform": ("uniform", COLOURS[0], "o"),
    "affine": ("affine", COLOURS[2], "^"),
    "frequency_centred": ("frequency-centred", COLOURS[4], "v"),
    "classifier": ("classifier", PALETTE["sky"], "P"),
    "frequency": (r"frequencies $\pi_k$", COLOURS[3], "D"),
    "root_count": (r"roots of counts", PALETTE["grey"], "X"),
    "count": ("counts $n_k$", COLOURS[1], "s"),
}


def _draw_misses(
    axes: Axes, places: Sequence[float], misses: Mapping[str, Sequence[float]], line: str = "-"
) -> None:
    for rule, values in misses.items():
        name, colour, marker = RULES[rule]
        axes.plot(places, values, line, color=colour, marker=marker, markersize=5, label=name)


def misses_by_imbalance(
    ratios: Sequence[float], panels: Mapping[str, Mapping[str, Sequence[float]]]
) -> Figure:
    """How far rules miss the prototypes, a panel a treatment of the bias.

    Args:
        ratios: imbalance ratios of the singletons.
        panels: by title, for each rule one less the mean cosine at each ratio.
    """
    figure, row = plt.subplots(1, len(panels), figsize=(7.4, 4.1), sharey=True, squeeze=False)
    for axes, (title, misses) in zip(row[0], panels.items(), strict=True):
        _draw_misses(axes, ratios, misses)
        axes.set(xscale="log", yscale="log", xlabel="imbalance ratio", title=title)
    row[0, 0].set_ylabel("1 − mean cosine")
    handles, names = row[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4)
    headline(figure, "Weighted sums miss; sums about the right origin do not")
    return figure


class Plane(NamedTuple):
    """Three classes and their pairs, in the plane that holds them."""

    weight: Float[Tensor, "3 P"]
    prototypes: Float[Tensor, "6 P"]  # singletons, then pairs 12, 13, 23
    origin: Float[Tensor, " P"]  # of the affine sum
    made: Mapping[str, Float[Tensor, "3 P"]]  # by rule, the nearest multiples of its vectors


def planar_rules(cases: Mapping[str, Plane]) -> Figure:
    """Prototypes of pairs of three classes and what each rule makes of them.

    Args:
        cases: by name of the bias, as many rules each; three panels a row.
    """
    lines = -(-max(len(plane.made) for plane in cases.values()) // 3)
    size = (7.4, 1.75 * lines * len(cases))
    figure, grid = plt.subplots(lines * len(cases), 3, figsize=size, squeeze=False)
    for place, (name, plane) in enumerate(cases.items()):
        panels = grid[lines * place : lines * (place + 1)]
        extra = torch.cat([plane.origin[None], *plane.made.values()])
        _, tips = in_the_plane(plane.weight, torch.cat([plane.prototypes, extra]))
        tips = tips / tips[:6].norm(dim=1).max()
        limits = (float(tips[:, 1].min()) - 0.25, float(tips[:, 1].max()) + 0.25)
        for axes in panels.flat:
            axes.set_axis_off()
        for axes, rule, made in zip(panels.flat, plane.made, tips[7:].split(3), strict=False):
            word, colour, marker = RULES[rule]
            for number, (x, y) in enumerate(tips[:3].tolist(), start=1):
                axes.plot([0, x], [0, y], color=PALETTE["grey"], linewidth=1)
                axes.annotate(str(number), (1.12 * x, 1.12 * y), ha="center", va="center")
            axes.plot(*tips[3:6].T, "o", color=PALETTE["black"], markersize=11, fillstyle="none")
            axes.plot(*tips[6], "+", color=PALETTE["black"], markersize=9)
            axes.plot(*made.T, marker, color=colour, markersize=6)
            axes.set(xlim=(-1.5, 1.5), ylim=limits, aspect="equal")
            axes.set_title(f"{name}: {word}", loc="center", fontsize=9, fontweight="normal")
    headline(figure, "Pairs (circles), and what six rules make of classes 1, 2, 3 (marks)")
    return figure


def misses_by_penalty(penalties: Sequence[float], misses: Mapping[str, Sequence[float]]) -> Figure:
    r"""How far rules miss the prototypes against the penalty of the bias.

    Args:
        penalties: :math:`\lambda_b`, increasing.
        misses: for each rule one less the mean cosine at each penalty.
    """
    figure, axes = plt.subplots(figsize=(7.0, 3.6))
    _draw_misses(axes, penalties, misses)
    axes.set(xscale="log", yscale="log")
    axes.set(xlabel=r"penalty of the bias $\lambda_b$", ylabel="1 − mean cosine")
    axes.set_title("The affine sum finds the origin at every penalty of the bias")
    axes.legend()
    return figure


def slow_limits(
    pace: Sequence[float],
    misfits: Mapping[str, Sequence[float]],
    exponents: Mapping[str, Sequence[float]],
) -> Figure:
    r"""What is left of the finite regularisation, against :math:`1/\log(1/\lambda)`.

    Args:
        pace: :math:`1/\log(1/\lambda)`.
        misfits: by name, the relative misfit of a Gram matrix.
        exponents: by what is weighted, the fitted exponent of the counts.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.9))
    for axes, curves in ((left, misfits), (right, exponents)):
        for index, (name, values) in enumerate(curves.items()):
            style = {"color": COLOURS[index], "marker": MARKERS[index], "markersize": 5}
            axes.plot(pace, values, label=name, **style)
        axes.axhline(0, color=PALETTE["black"], linewidth=1)
        axes.set_xlim(left=0)
        axes.set_xlabel(r"$1/\log(1/\lambda)$")
        axes.legend(fontsize=8)
    left.set(ylabel="relative misfit of the limit", title="Gram matrices")
    right.set(ylabel=r"fitted exponent $\alpha$", title=r"weights $n_k^{\alpha}$")
    headline(figure, "The limit is approached as slowly as a logarithm")
    return figure


def block_grams(panels: Mapping[str, tuple[Tensor, int]]) -> Figure:
    """Cosines of all prototypes of a table with regular supports.

    Args:
        panels: by title, the cosines (C, C), and how many of the first are singletons.
    """
    figure, row = plt.subplots(1, len(panels), figsize=(7.4, 3.6), squeeze=False)
    for axes, (title, (cosines, singletons)) in zip(row[0], panels.items(), strict=True):
        image = axes.imshow(cosines.numpy(), cmap=DIVERGING, vmin=-1, vmax=1)
        for line in (axes.axhline, axes.axvline):
            line(singletons - 0.5, color=PALETTE["black"], linewidth=1)
        axes.set(xticks=[], yticks=[], title=title)
        axes.grid(visible=False)
    figure.colorbar(image, ax=row, shrink=0.8, pad=0.02, label="cosine")
    headline(figure, "Regular supports have regular prototypes")
    return figure


def factors(
    groups: Mapping[str, tuple[Sequence[float], Sequence[float], Sequence[float]]],
) -> Figure:
    r"""Factors of the tag-wise sum, pair by pair, against two explanations.

    Args:
        groups: by arrangement of the pairs, their counts, what the limit predicts, and factors.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.8), sharey=True)
    for index, (name, (counts, lengths, values)) in enumerate(groups.items()):
        style = {"color": COLOURS[index], "markersize": 5, "alpha": 0.8}
        shifted = [count * 1.25 ** (index - 1) for count in counts]
        left.plot(shifted, values, MARKERS[index], label=name, **style)
        right.plot(lengths, values, MARKERS[index], **style)
    left.set(xscale="log", xlabel="samples of the pair", ylabel="factor $a_S$")
    left.set_title("the count does not decide")
    right.set(xlabel=r"$\|h_S\|^2/\sum_{k\in S}\|h_k\|^2$ in the limit")
    right.set_title("the limit's lengths almost do")
    figure.legend(loc="outside lower center", ncols=3)
    headline(figure, "Equal counts, other arrangement: another drift of the factors")
    return figure


def variation(
    kappa_hat: Sequence[float],
    spreads: Mapping[str, Sequence[float]],
    intervals: Mapping[str, tuple[float, float, float]],
) -> Figure:
    r"""Relative variation of Gram matrices over redrawn labels against :math:`\hat\kappa`.

    Args:
        kappa_hat: of each table.
        spreads: by part of the Gram matrix, its variation at each table.
        intervals: by part, the rank correlation and the ends of its interval.
    """
    figure, axes = plt.subplots(figsize=(7.0, 3.9))
    for index, (name, values) in enumerate(spreads.items()):
        rank, low, high = intervals[name]
        label = f"{name}: rank correlation {rank:.2f} ({low:.2f} to {high:.2f})"
        axes.plot(
            kappa_hat, values, MARKERS[index], color=COLOURS[index], markersize=5, label=label
        )
    axes.set(xlabel=r"$\hat\kappa$ of the label table", ylabel=r"relative variation of $WW^\top$")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("")
    axes.set_title(r"$\hat\kappa$ ranks the weakest contrast, not the whole")
    figure.legend(loc="outside lower center", ncols=1)
    return figure
