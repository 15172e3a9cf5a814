"""Figures of imbalance, merging and narrow layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

from nclib.plots._style import (
    COLOURS,
    DIVERGING,
    MARKERS,
    PALETTE,
    headline,
    penalty_label,
)


def minority_norms(
    ratios: Tensor,
    curves: Mapping[float, tuple[Tensor, Tensor]],
    dots: Mapping[float, Sequence[tuple[float, float]]],
) -> Figure:
    """Lengths of a small class's mean feature and classifier row against the imbalance ratio.

    Args:
        ratios: of the curves, the first of them 1.
        curves: by regularisation c, the two lengths of the theorem, drawn relative to balance.
        dots: by regularisation c, (ratio, length of the mean) at certified optima.
    """
    figure, axes = plt.subplots(figsize=(7.0, 4.0))
    for index, (strength, (mean, row)) in enumerate(curves.items()):
        colour = COLOURS[index]
        axes.semilogx(ratios, mean / mean[0], color=colour, label=f"feature, $c={strength:g}$")
        axes.semilogx(ratios, row / row[0], color=colour, linestyle=":")
        places, lengths = zip(*dots[strength], strict=True)
        relative = [length / float(mean[0]) for length in lengths]
        axes.plot(places, relative, MARKERS[index], color=colour, markersize=5)
    axes.semilogx([], [], color=PALETTE["black"], linestyle=":", label="classifier row")
    axes.set(xlabel="imbalance ratio", ylabel="length in small classes (1: balanced)")
    axes.set_title("Without a bias, rare classes first get longer features, then none")
    axes.legend(loc="upper right")
    return figure


def imbalance_phases(
    ratios: Tensor, borders: Sequence[Tensor], points: Sequence[tuple[float, float, int]]
) -> Figure:
    """Which classes are distinct, merged or zero, over imbalance ratio and regularisation.

    Args:
        ratios: of the borders.
        borders: regularisation c at which small classes merge, vanish, and everything vanishes.
        points: (ratio, c, phase 0 to 3) of certified optima.
    """
    figure, axes = plt.subplots(figsize=(7.0, 4.4))
    names = ("all apart", "small classes merged", "small classes at zero", "all at zero")
    for index, name in enumerate(names):
        in_phase = [(ratio, strength) for ratio, strength, phase in points if phase == index]
        if in_phase:
            x, y = zip(*in_phase, strict=True)
            axes.plot(x, y, MARKERS[index], color=COLOURS[index], markersize=6, label=name)
    for border in borders:
        axes.plot(ratios, border, color=PALETTE["black"], linewidth=1.2)
    top = max(strength for _, strength, _ in points) * 1.05
    axes.set(xscale="log", ylim=(0, top), xlabel="imbalance ratio", ylabel="regularisation $c$")
    axes.set_title("With a free bias, small classes merge before they vanish", pad=28)
    axes.legend(
        loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, columnspacing=1, handletextpad=0
    )
    return figure


def merging_thresholds(
    strengths: Tensor,
    gaps: Mapping[tuple[str, float], Sequence[float]],
    sweeps: Mapping[tuple[str, str], float],
) -> Figure:
    r"""Where equal classes merge: whatever loss and bias; and how weights move it.

    Args:
        strengths: :math:`\theta/\sqrt m`.
        gaps: by loss and bias penalty, the distance of two equal classes.
        sweeps: by weighting and size, the regularisation c at which classes of that size merge.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 4.0))
    losses = {"mse": "squared error", "ce": "cross-entropy"}
    for index, (key, values) in enumerate(gaps.items()):
        line = "-" if key[0] == "mse" else "--"
        colour, mark = COLOURS[index % 3], MARKERS[index % 3]
        relative = [value / values[0] for value in values]
        left.plot(strengths, relative, line, color=colour, marker=mark, markersize=4)
    for loss, line in (("mse", "-"), ("ce", "--")):
        left.plot([], [], line, color=PALETTE["black"], label=losses[loss])
    penalties = list(dict.fromkeys(penalty for _, penalty in gaps))
    for index, penalty in enumerate(penalties):
        left.plot([], [], MARKERS[index], color=COLOURS[index], label=penalty_label(penalty))
    left.axvline(1, color=PALETTE["grey"], linestyle=":")
    left.set(
        xlabel=r"$\theta/\sqrt{m}$", ylabel="distance of two equal classes", title="one threshold"
    )
    left.legend(loc="lower left", fontsize=9)
    weightings = list(dict.fromkeys(weighting for weighting, _ in sweeps))
    for index, size in enumerate(("small", "large")):
        heights = [sweeps[weighting, size] for weighting in weightings]
        places = [place + 0.19 * (2 * index - 1) for place in range(len(weightings))]
        right.bar(places, heights, width=0.34, color=COLOURS[index], label=f"{size} classes")
    right.set_xticks(range(len(weightings)), weightings)
    right.set(
        xlabel="loss weights",
        ylabel="regularisation $c$ at which they merge",
        title="moved by weights",
    )
    right.set_ylim(0, 1.3 * max(sweeps.values()))
    right.legend(loc="upper right", ncols=2, columnspacing=1)
    headline(figure, "Equal classes merge at a threshold of their own")
    return figure


def narrow_transition(
    penalties: Tensor, shifts: Mapping[int, Sequence[float]], *, threshold: float
) -> Figure:
    r"""Shift of the class means against the bias penalty, by the width of the layer.

    Args:
        penalties: :math:`\lambda_b`.
        shifts: by width d, the shift at each penalty.
        threshold: :math:`c/(1-c)`.
    """
    figure, axes = plt.subplots(figsize=(7.0, 3.6))
    for index, (width, values) in enumerate(shifts.items()):
        name = ("$d=K$", "$d=K-1$")[index] + f" $={width}$"
        axes.semilogx(penalties, values, color=COLOURS[index], marker=MARKERS[index], label=name)
    axes.axvline(threshold, color=PALETTE["grey"], linestyle="--", linewidth=1)
    axes.annotate("$c/(1-c)$", (threshold, 0.03), (4, 0), textcoords="offset points", fontsize=9)
    axes.set(xlabel=r"bias penalty $\lambda_b$", ylabel=r"shift $\beta$ of the class means")
    axes.set_title("One dimension too few, and the transition disappears")
    axes.legend(loc="center right")
    return figure


def planar_means(pictures: Mapping[str, tuple[Tensor, float]]) -> Figure:
    """Class means in two dimensions, one panel a global minimiser.

    Args:
        pictures: by name, class means (K, 2) and the objective.
    """
    figure, panels = plt.subplots(1, len(pictures), figsize=(7.4, 3.1), sharex=True, sharey=True)
    reach = 1.25 * max(float(means.norm(dim=1).max()) for means, _ in pictures.values())
    for axes, (name, (means, value)) in zip(panels, pictures.items(), strict=True):
        for index, (x, y) in enumerate(means.tolist()):
            axes.plot([0, x], [0, y], color=PALETTE["grey"], linewidth=1)
            axes.plot(x, y, "o", color=COLOURS[index % len(COLOURS)])
            axes.annotate(
                str(index + 1), (1.14 * x, 1.14 * y), ha="center", va="center", fontsize=9
            )
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", title=name)
        axes.set_xlabel(f"objective {value:.6f}")
    headline(figure, "Two dimensions, equal minima: the model does not care which")
    return figure


def designed_labels(counts: Tensor, rows: Mapping[str, tuple[Tensor, Tensor]]) -> Figure:
    """Labels and the Gram matrix of the class means that they give, a row of heat maps each.

    Args:
        counts: samples of each class, along the axes.
        rows: by name of the encoding, its (K, K) labels (a column a class) and the Gram matrix.
    """
    size = len(counts)
    figure, panels = plt.subplots(
        len(rows), 2, figsize=(6.4, 3.2 * len(rows)), squeeze=False, layout="constrained"
    )
    ticks = [f"{count:.0f}" for count in counts.tolist()]
    for axes, (name, matrices) in zip(panels, rows.items(), strict=True):
        titles = (f"{name} labels", "Gram matrix of the means")
        for panel, matrix, title in zip(axes, matrices, titles, strict=True):
            top = float(matrix.abs().max())
            panel.imshow(matrix, cmap=DIVERGING, vmin=-top, vmax=top)
            for i in range(size):
                for j in range(size):
                    value = float(matrix[i, j])
                    panel.text(
                        j,
                        i,
                        f"{value:.2f}".replace("-0.00", "0.00"),
                        ha="center",
                        va="center",
                        fontsize=7,
                        color="white" if abs(value) > 0.6 * top else "black",
                    )
            panel.set_xticks(range(size), ticks)
            panel.set_yticks(range(size), ticks)
            panel.set_title(title, fontsize=10, fontweight="normal")
            panel.grid(False)
            panel.spines[:].set_visible(False)
    for panel in panels[-1]:
        panel.set_xlabel("samples of the class")
    figure.suptitle("The right labels undo the imbalance", fontweight="bold")
    return figure
