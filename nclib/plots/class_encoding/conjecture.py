"""Figures of the conjecture on shifted simplex ETFs: which labels give which class means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from nclib.plots._style import (
    DIVERGING,
    PALETTE,
    SEQUENTIAL,
)

_FLOOR = 1e-9  # what is smaller is zero to rounding


_TOP = 12.0  # where a point stands whose means coincide: no defect is defined


def conjecture_scatter(
    labels: Tensor, means: Tensor, coincide: Tensor, groups: Mapping[str, Tensor]
) -> Figure:
    """Defect of the class means against defect of the labels, one point an encoding.

    Args:
        labels: (B,) relative distance of each label Gram matrix from those of SSETFs.
        means: (B,) the same for the class means.
        coincide: (B,) bool, optima whose means are all equal; drawn in a band of their own.
        groups: name of a regime to its (B,) bool mask; at most five.
    """
    rng = np.random.default_rng(0)

    def placed(values: np.ndarray) -> np.ndarray:
        spread = 10 ** rng.uniform(-0.6, 0.6, len(values))
        return np.where(values < _FLOOR, _FLOOR * spread, values)

    x, y = placed(labels.numpy()), placed(means.numpy())
    y = np.where(coincide.numpy(), _TOP * 10 ** rng.uniform(-0.2, 0.2, len(y)), y)
    fig, axes = plt.subplots(figsize=(6.0, 5.2))
    axes.axhspan(_FLOOR / 6, _FLOOR * 6, color=PALETTE["grey"], alpha=0.12, lw=0)
    axes.axvspan(_FLOOR / 6, _FLOOR * 6, color=PALETTE["grey"], alpha=0.12, lw=0)
    axes.axhspan(_TOP / 2, _TOP * 2, color=PALETTE["vermilion"], alpha=0.10, lw=0)
    colours = ("blue", "vermilion", "orange", "black", "sky")
    for (name, mask), colour, marker in zip(groups.items(), colours, "osD^v", strict=False):
        chosen = mask.numpy()
        axes.plot(
            x[chosen],
            y[chosen],
            marker,
            ms=4,
            mew=0,
            alpha=0.55,
            color=PALETTE[colour],
            label=f"{name} ({chosen.sum():,})",
        )
    axes.set(xscale="log", yscale="log", xlim=(_FLOOR / 6, 3), ylim=(_FLOOR / 6, _TOP * 2))
    ticks = [1e-9, 1e-6, 1e-4, 1e-2, 1]
    axes.set_xticks(ticks, ["0", "10⁻⁶", "10⁻⁴", "10⁻²", "1"])
    axes.set_yticks([*ticks, _TOP], ["0", "10⁻⁶", "10⁻⁴", "10⁻²", "1", "one\npoint"])
    axes.minorticks_off()
    axes.set(
        xlabel="defect of the labels Ȳ (0: they are an SSETF)",
        ylabel="defect of the class means H̄*",
        title="Only two corners break the conjecture as printed",
    )
    axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.16), ncols=1, handletextpad=0.3)
    return fig


def gram_pairs(pairs: Sequence[tuple[str, Tensor, str, Tensor]]) -> Figure:
    """Gram matrices of labels and of the class means that they give, side by side.

    Args:
        pairs: title and (K, K) rows of the labels, title and (K, P) rows of the class means.
    """
    fig, all_axes = plt.subplots(1, 2 * len(pairs), figsize=(6.4, 2.5))
    panels = [(title, rows) for a, ya, b, hb in pairs for title, rows in ((a, ya), (b, hb))]
    for axes, (title, rows) in zip(all_axes, panels, strict=True):
        gram = (rows @ rows.T).numpy()
        top = np.abs(gram).max()
        image = axes.imshow(gram / top, cmap=DIVERGING, vmin=-1, vmax=1)
        axes.set_title(title, loc="center", fontsize=10, fontweight="normal")
        axes.set(xticks=[], yticks=[])
        axes.grid(False)
        axes.spines[:].set_visible(False)
    fig.suptitle("Labels and the class means that they give", fontweight="bold", size=11)
    fig.colorbar(image, ax=all_axes, label="inner product / largest", shrink=0.75, pad=0.02)
    return fig


def mean_triangles(panels: Sequence[tuple[str, Tensor]]) -> Figure:
    """Class means of three classes seen along their common axis, and where the origin stands.

    Args:
        panels: a title and a (3, P) tensor of class means each.
    """
    fig, all_axes = plt.subplots(1, len(panels), figsize=(6.4, 2.7), squeeze=False)
    for axes, (title, rows) in zip(all_axes[0], panels, strict=True):
        means = rows.numpy()
        centre = means.mean(0)
        _, sizes, basis = np.linalg.svd(means - centre, full_matrices=False)
        plane = basis[:2]
        corners, origin = (means - centre) @ plane.T, -centre @ plane.T
        angle = np.pi / 2 - np.arctan2(corners[0, 1], corners[0, 0])  # first class on top
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        corners, origin = corners @ turn.T, turn @ origin
        if corners[1, 0] > corners[2, 0]:
            corners, origin = corners * [-1, 1], origin * [-1, 1]
        size = np.linalg.norm(sizes) / np.sqrt(3)
        corners, origin = corners / size, origin / size
        loop = np.vstack([corners, corners[:1]])
        axes.plot(*loop.T, color=PALETTE["orange"], lw=2)
        axes.plot(*corners.T, "o", color=PALETTE["blue"], ms=7)
        axes.plot(0, 0, "+", color=PALETTE["orange"], ms=11, mew=2)
        axes.plot(*origin, "x", color=PALETTE["black"], ms=9, mew=2.2)
        for k, corner in enumerate(corners, start=1):
            axes.annotate(f"{k}", corner * 1.22, ha="center", va="center", fontsize=10)
        axes.set_title(title, loc="center", fontsize=10, fontweight="normal")
        axes.set(xlim=(-1.3, 1.3), ylim=(-0.85, 1.35))
        axes.set_aspect("equal")
        axes.set_axis_off()
    fig.suptitle("A perfect simplex may lean: NC2 without an SSETF", fontweight="bold", size=11)
    fig.supxlabel("blue: class means;  +  their mean;  ×  the origin, seen along the axis", size=9)
    return fig


def nc2_disc(axis: Tensor, misfit: Tensor, radius: float) -> Figure:
    """Defect of NC2 over a plane of tilts u, with the circle that theory draws.

    Args:
        axis: (S,) coordinates of u along both directions.
        misfit: (S, S) relative distance of the centred Gram matrix from a multiple of C.
        radius: the largest tilt for which the closed form holds.
    """
    fig, axes = plt.subplots(figsize=(5.2, 4.2))
    ticks = axis.numpy()
    values = np.maximum(misfit.numpy(), 1e-16)
    mesh = axes.pcolormesh(ticks, ticks, values.T, cmap=SEQUENTIAL, vmin=0, rasterized=True)
    angle = np.linspace(0, 2 * np.pi, 200)
    axes.plot(
        radius * np.cos(angle),
        radius * np.sin(angle),
        color="white",
        lw=2,
        ls="--",
    )
    axes.plot(0, 0, "o", color="white", ms=6)
    axes.annotate("SSETF", (0, 0), (7, 6), textcoords="offset points", color="white")
    axes.annotate(
        "NC2 holds exactly",
        (0, -0.55 * radius),
        color="white",
        ha="center",
    )
    axes.set_aspect("equal")
    axes.grid(False)
    axes.set(
        xlabel=r"tilt $u$ along a first direction of $\mathbf{1}^\perp$",
        ylabel=r"tilt $u$ along a second one",
        title="A whole disc of labels has NC2, one point an SSETF",
    )
    fig.colorbar(mesh, label="defect of NC2")
    return fig


def bias_trap(
    lam_b: Tensor, ssetf: Tensor, nc2: Tensor, *, labels: float, slope_one: Tensor
) -> Figure:
    """How the defects vanish with the bias's regularisation although the labels do not change.

    Args:
        lam_b: (S,) regularisation of the bias.
        ssetf: (S,) defect of the class means as a shifted simplex ETF.
        nc2: (S,) defect of NC2.
        labels: defect of the labels.
        slope_one: (S,) the asymptote of ``ssetf``.
    """
    fig, axes = plt.subplots(figsize=(6.0, 4.2))
    x = lam_b.numpy()
    axes.axhline(labels, color=PALETTE["grey"], ls=":", label="labels Ȳ: SSETF defect")
    axes.loglog(x, ssetf.numpy(), "o-", ms=4, color=PALETTE["blue"], label="H̄*: SSETF defect")
    axes.loglog(x, nc2.numpy(), "s-", ms=4, color=PALETTE["orange"], label="H̄*: NC2 defect")
    inside = slope_one.numpy() < 1
    axes.loglog(
        x[inside],
        slope_one.numpy()[inside],
        "--",
        color=PALETTE["black"],
        lw=1.2,
        label="limit of the SSETF defect, slope 1",
    )
    axes.axhline(1e-3, color=PALETTE["vermilion"], lw=1.2)
    axes.annotate(
        "a tolerance of 10⁻³",
        (x[-1], 1e-3),
        (0, 4),
        textcoords="offset points",
        color=PALETTE["vermilion"],
        ha="right",
        fontsize=9,
    )
    axes.set(
        xlabel=r"bias regularisation $\lambda_b$",
        ylabel="defect (relative)",
        title=r"Any fixed tolerance is fooled by a small enough $\lambda_b$",
    )
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.02))
    return fig
