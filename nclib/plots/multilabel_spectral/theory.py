"""Figures of the spectral theory of several labels an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import plotly.graph_objects as go
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from nclib.plots._style import COLOURS, DIVERGING, MARKERS, PALETTE, SEQUENTIAL, headline


def two_sided(
    ratios: Sequence[float],
    eigenvalues: Sequence[Tensor],
    optima: Mapping[str, Sequence[float]],
) -> Figure:
    r"""The spectrum of the label distribution and the optimum between its bounds.

    Args:
        ratios: imbalance ratios, from 1.
        eigenvalues: at each ratio, the K - 1 eigenvalues of the centred second moment.
        optima: by name, a value at each ratio: ``upper``, ``optimum``, ``lower``, and ``wrong``,
            which has the smallest eigenvalue in the place of the largest.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.7))
    levels = torch.stack(list(eigenvalues))
    for index, curve in enumerate(levels.T):
        colour = PALETTE["grey"]
        if index in (0, levels.shape[1] - 1):
            colour = COLOURS[0] if index == 0 else COLOURS[1]
        left.loglog(ratios, curve, color=colour)
    left.plot(ratios, levels.mean(1), "--", color=PALETTE["black"], label=r"$\kappa^{\rm bal}$")
    left.plot([], [], color=COLOURS[1], label=r"$\kappa^{\max}$")
    left.plot([], [], color=COLOURS[0], label=r"$\kappa^{\min}$")
    left.set(xlabel="imbalance ratio", ylabel=r"eigenvalues of $\tilde M_1$")
    left.set_title("imbalance spreads the spectrum")
    left.legend()
    styles = {
        "upper": (r"$f_{\rm bal}$", COLOURS[2], "-", ""),
        "optimum": ("$f^*$, certified", PALETTE["black"], "", "o"),
        "lower": (r"$L$, with $\kappa^{\max}$", COLOURS[1], "-", ""),
        "wrong": (r"$L$ with $\kappa^{\min}$", COLOURS[0], ":", ""),
    }
    for name, (label, colour, line, marker) in styles.items():
        right.semilogx(
            ratios,
            optima[name],
            color=colour,
            linestyle=line or "none",
            marker=marker or None,
            markersize=5,
            label=label,
        )
    right.set(xlabel="imbalance ratio", ylabel="objective")
    right.set_title("the optimum between its bounds")
    right.legend(loc="upper left")
    headline(figure, "The spectrum bounds the optimum from below, balance from above")
    return figure


def bound_gaps(kappa_hat: Sequence[float], gaps: Mapping[str, Sequence[float]]) -> Figure:
    r"""Bounds less the certified optimum at random label tables, over :math:`\hat\kappa`.

    Args:
        kappa_hat: of the pooled moment of each table.
        gaps: ``upper``, ``lower`` and ``wrong`` as in :func:`two_sided`, each less the optimum.
    """
    figure, axes = plt.subplots(figsize=(7.0, 3.9))
    names = {
        "wrong": (r"the same with $\kappa^{\min}$", COLOURS[0], "^"),
        "upper": (r"$f_{\rm bal}$", COLOURS[2], "s"),
        "lower": (r"lower bound, with $\kappa^{\max}$", COLOURS[1], "o"),
    }
    for name, (label, colour, marker) in names.items():
        axes.plot(kappa_hat, gaps[name], marker, color=colour, markersize=4, alpha=0.6, label=label)
    axes.axhline(0, color=PALETTE["black"], linewidth=1)
    axes.set(xlabel=r"$\hat\kappa$ of the label table", ylabel="bound less the optimum")
    axes.set_title(f"Two bounds hold at {len(kappa_hat)} random tables; the third is none")
    axes.legend()
    return figure


def tag_wise_scales(
    penalties: Tensor,
    curves: Mapping[int, Sequence[float]],
    dots: Mapping[int, Sequence[tuple[float, float]]],
) -> Figure:
    r"""The factor of the tag-wise sum against the regularisation, in balance.

    Args:
        penalties: :math:`\lambda_W` of the curves.
        curves: by multiplicity, the closed form's factor.
        dots: by multiplicity, (penalty, factor) at certified optima.
    """
    figure, axes = plt.subplots(figsize=(7.0, 3.6))
    for index, (m, values) in enumerate(curves.items()):
        axes.semilogx(penalties, values, color=COLOURS[index], label=f"$m={m}$")
        x, y = zip(*dots[m], strict=True)
        axes.plot(x, y, MARKERS[index], color=COLOURS[index], markersize=6)
    axes.axhline(1, color=PALETTE["grey"], linestyle="--", linewidth=1)
    axes.set(xlabel=r"regularisation $\lambda_W=N\lambda_H$", ylabel="factor $a_m$")
    axes.set_title("Tag-wise sums need a factor that depends on the regularisation")
    axes.legend()
    return figure


def merging(
    strengths: Tensor,
    distances: Mapping[str, Sequence[float]],
    thresholds: Mapping[str, float],
) -> Figure:
    r"""Distances of classifier rows against the strength of the regularisation.

    Args:
        strengths: :math:`N\mu^2`.
        distances: by name of the pair, the distance of two rows at each strength.
        thresholds: by the same names, where the theory has them merge.
    """
    figure, axes = plt.subplots(figsize=(7.0, 3.8))
    for index, (name, values) in enumerate(distances.items()):
        relative = [value / values[0] for value in values]
        axes.semilogx(
            strengths,
            relative,
            color=COLOURS[index],
            marker=MARKERS[index],
            markersize=4,
            label=name,
        )
        axes.axvline(thresholds[name], color=COLOURS[index], linestyle="--", linewidth=1)
    axes.set(xlabel=r"regularisation $N\mu^2$", ylabel="distance of two rows (first: 1)")
    axes.set_title("Exchangeable classes merge at one threshold, with a bias or without")
    axes.legend(loc="lower left")
    return figure


def gallery(panels: Mapping[str, tuple[Tensor, Tensor, str]]) -> Figure:
    """Label tables side by side: what occurs together, and the classifier that it makes.

    Args:
        panels: by title, the pooled second moment (K, K), the cosines of the classifier's rows
            (K, K), and a line of text.
    """
    figure, rows = plt.subplots(2, len(panels), figsize=(7.6, 3.5), squeeze=False)
    for column, (title, (moment, cosines, note)) in enumerate(panels.items()):
        above, below = rows[:, column]
        for axes in (above, below):
            axes.set(xticks=[], yticks=[])
            axes.grid(visible=False)
        above.imshow((moment / moment.max()).numpy(), cmap=SEQUENTIAL, vmin=0, vmax=1)
        image = below.imshow(cosines.numpy(), cmap=DIVERGING, vmin=-1, vmax=1)
        above.set_title(title, loc="center", fontsize=9)
        below.set_xlabel(note, fontsize=8.5)
    rows[0, 0].set_ylabel("second moment")
    rows[1, 0].set_ylabel("cosines of rows")
    figure.colorbar(image, ax=rows, shrink=0.6, pad=0.02, label="cosine")
    headline(figure, "What occurs together decides the classifier")
    return figure


def stability(kappa_hat: Sequence[float], spreads: Mapping[str, Sequence[float]]) -> Figure:
    r"""How much Gram matrices vary when the labels are drawn again, over :math:`\hat\kappa`.

    Args:
        kappa_hat: of each distribution of the labels.
        spreads: by matrix, the relative variation over the draws.
    """
    figure, axes = plt.subplots(figsize=(7.0, 3.7))
    for index, (name, values) in enumerate(spreads.items()):
        axes.semilogy(
            kappa_hat, values, MARKERS[index], color=COLOURS[index], markersize=6, label=name
        )
    axes.set(xlabel=r"$\hat\kappa$ of the label table", ylabel=r"relative variation of $WW^\top$")
    axes.set_title(r"Where $\hat\kappa$ is small, the weakest contrast alone varies more")
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def vanishing(penalties: Sequence[float], misses: Mapping[str, Sequence[float]]) -> Figure:
    r"""How far rules miss the prototypes of several labels as the regularisation vanishes.

    Args:
        penalties: :math:`\lambda_W`, decreasing.
        misses: by rule and bias, one less the mean cosine.
    """
    figure, axes = plt.subplots(figsize=(7.0, 4.2))
    for index, (name, values) in enumerate(misses.items()):
        axes.loglog(
            penalties, values, color=COLOURS[index], marker=MARKERS[index], markersize=5, label=name
        )
    axes.invert_xaxis()
    axes.set(xlabel=r"regularisation $\lambda_W=N\lambda_H$", ylabel="1 − mean cosine")
    axes.set_title("The rule that survives imbalance depends on the bias")
    figure.legend(loc="outside lower center", ncols=3)
    return figure


# --- The interactive figure ----------------------------------------------------------------------

TRIANGLE = torch.tensor([[0.0, 1.0], [-(3**0.5) / 2, -0.5], [3**0.5 / 2, -0.5]]).double()
_MIDDLES = torch.tensor([[1, 1, 0], [1, 0, 1], [0, 1, 1]]).double() / 2
_NAMES = ("1", "2", "3", "12", "13", "23")
_COLOURS = [*COLOURS[:3], PALETTE["purple"], PALETTE["orange"], PALETTE["grey"]]


class ThreeClasses(NamedTuple):
    """A label table of three classes and three pairs, and its optimum."""

    counts: Float[Tensor, " 6"]  # singletons, then pairs 12, 13, 23
    kappa_hat: Mapping[str, float]  # by name of the moment
    weight: Float[Tensor, "3 P"]
    prototypes: Float[Tensor, "6 P"]


def in_the_plane(
    weight: Float[Tensor, "3 P"], prototypes: Float[Tensor, "C P"]
) -> tuple[Float[Tensor, "3 2"], Float[Tensor, "C 2"]]:
    """Classifier and prototypes in the plane of three classes, turned towards the triangle.

    The rows sum to zero, so that a plane holds them; a rotation or reflection is free.
    """
    basis = torch.linalg.svd(weight, full_matrices=True).Vh[:2].T
    flat = weight @ basis
    left, _, right = torch.linalg.svd(flat.T @ TRIANGLE)
    turned = basis @ left @ right
    return weight @ turned, prototypes @ turned


def imbalance_and_co_occurrence(
    ratios: Sequence[float],
    shares: Sequence[float],
    states: Mapping[tuple[int, int], ThreeClasses],
) -> go.Figure:
    r"""Label simplex, spectrum and prototypes of three classes: two sliders move the labels.

    Args:
        ratios: imbalance of the singletons, the first slider.
        shares: of the pair 12 among the pairs, the second.
        states: by place of ratio and share, the label table and its certified optimum.
    """
    figure = go.Figure()
    closed = TRIANGLE[[0, 1, 2, 0]].T.tolist()
    line = {"color": PALETTE["grey"], "width": 1}
    figure.add_scatter(
        x=_rounded(closed[0]),
        y=_rounded(closed[1]),
        mode="lines",
        line=line,
        hoverinfo="skip",
        xaxis="x2",
        yaxis="y2",
        showlegend=False,
    )
    first = (0, 0)
    for level, share in enumerate(shares):
        for kind in _KINDS:
            trace = _trace(kind, states[first[0], level])
            trace["visible"] = level == first[1]
            trace["showlegend"] = trace.get("showlegend", False)
            figure.add_scatter(**trace, meta=f"{share:.3g}")
    moved = list(range(1, len(figure.data)))
    by_ratio = [
        {
            "method": "restyle",
            "label": f"{ratio:.3g}",
            "args": [_columns([states[place, level] for level in range(len(shares))]), moved],
        }
        for place, ratio in enumerate(ratios)
    ]
    by_share = [
        {
            "method": "restyle",
            "label": f"{100 * share:.0f} %",
            "args": [
                {"visible": [level == place for level, _ in product(range(len(shares)), _KINDS)]},
                moved,
            ],
        }
        for place, share in enumerate(shares)
    ]
    _lay_out(figure, by_ratio, by_share)
    return figure


_KINDS = ("spectrum", "labels", "arrows", "tips", "rows")


def _rounded(values: Any) -> list[float | None]:
    """Numbers as the page keeps them, the same on every machine."""
    return [None if value is None else round(float(value), 3) + 0.0 for value in values]


def _arrows(tips: Tensor) -> tuple[list[float | None], list[float | None]]:
    """Segments from the origin, as one line with breaks."""
    x: list[float | None] = []
    y: list[float | None] = []
    for tip in tips.tolist():
        x += [0.0, tip[0], None]
        y += [0.0, tip[1], None]
    return _rounded(x), _rounded(y)


def _places(kind: str, state: ThreeClasses) -> tuple[list[Any], list[Any]]:
    """x and y of a trace."""
    rows, tips = in_the_plane(state.weight, state.prototypes)
    rows, tips = rows / rows.norm(dim=1).max(), tips / tips.norm(dim=1).max()
    if kind == "spectrum":
        return _rounded(state.kappa_hat.values()), list(state.kappa_hat)
    if kind == "labels":
        corners = torch.cat([TRIANGLE, _MIDDLES @ TRIANGLE])
        return _rounded(corners[:, 0]), _rounded(corners[:, 1])
    if kind == "arrows":
        return _arrows(tips)
    moved = tips if kind == "tips" else rows
    return _rounded(moved[:, 0]), _rounded(moved[:, 1])


def _sizes(state: ThreeClasses) -> list[float | None]:
    """Diameters in pixels: areas in proportion to the samples."""
    return _rounded(6 + 34 * (state.counts / 300).sqrt())


def _trace(kind: str, state: ThreeClasses) -> dict[str, Any]:
    x, y = _places(kind, state)
    axes = {"spectrum": ("x", "y"), "labels": ("x2", "y2")}.get(kind, ("x3", "y3"))
    trace: dict[str, Any] = {"x": x, "y": y, "xaxis": axes[0], "yaxis": axes[1]}
    if kind == "spectrum":
        marker = {"size": 13, "color": PALETTE["blue"]}
        return trace | {
            "mode": "markers",
            "marker": marker,
            "hovertemplate": "%{x:.3f}<extra></extra>",
        }
    if kind == "arrows":
        line = {"color": PALETTE["grey"], "width": 1}
        return trace | {"mode": "lines", "line": line, "hoverinfo": "skip"}
    if kind == "rows":
        marker = {"symbol": "cross-open", "size": 13, "color": list(COLOURS[:3])}
        return trace | {"mode": "markers", "marker": marker, "name": "classifier rows"}
    marker = {"size": _sizes(state) if kind == "labels" else 12, "color": _COLOURS}
    mode, place = "markers+text", "top center"
    return trace | {
        "mode": mode,
        "marker": marker,
        "text": list(_NAMES),
        "textposition": place,
        "cliponaxis": False,
        "hovertemplate": "support %{text}<extra></extra>",
    }


def _columns(states: Sequence[ThreeClasses]) -> dict[str, list[Any]]:
    """What the first slider changes, a column a trace."""
    places = [_places(kind, state) for state in states for kind in _KINDS]
    sizes = [
        _sizes(state) if kind == "labels" else _trace(kind, state).get("marker", {}).get("size")
        for state in states
        for kind in _KINDS
    ]
    return {
        "x": [x for x, _ in places],
        "y": [y for _, y in places],
        "marker.size": sizes,
    }


def _lay_out(
    figure: go.Figure, by_ratio: list[dict[str, Any]], by_share: list[dict[str, Any]]
) -> None:
    square = {"visible": False, "range": [-1.3, 1.3], "constrain": "domain"}
    figure.update_layout(
        title={
            "text": "Rare classes and frequent pairs<br>bend the geometry",
            "y": 0.98,
            "yanchor": "top",
        },
        height=1040,
        margin={"l": 70, "r": 15, "t": 80, "b": 10},
        showlegend=False,
        xaxis={"range": [-0.03, 1.05], "title": "κ̂ (1: balanced)", "anchor": "y"},
        yaxis={"domain": [0.86, 1], "range": [-0.6, 2.6]},
        xaxis2=square | {"anchor": "y2"},
        yaxis2=square | {"domain": [0.43, 0.75], "scaleanchor": "x2"},
        xaxis3=square | {"anchor": "y3"},
        yaxis3=square | {"domain": [0.0, 0.38], "scaleanchor": "x3"},
    )
    texts = (
        (0.79, "label simplex: a disc a support,<br>its area the samples"),
        (0.405, "prototypes (discs) and<br>classifier rows (crosses), longest 1"),
    )
    for height, text in texts:
        figure.add_annotation(
            text=text, x=0.5, y=height, xref="paper", yref="paper", showarrow=False
        )
    hidden = {"color": "rgba(0,0,0,0)"}  # the labels of all steps would overlap
    sliders = []
    for prefix, steps, top in (
        ("imbalance ratio ", by_ratio, 40),
        ("pair 12 among the pairs ", by_share, 130),
    ):
        sliders.append(
            {
                "steps": steps,
                "active": 0,
                "currentvalue": {
                    "prefix": prefix,
                    "font": {"size": 15, "color": PALETTE["black"]},
                },
                "pad": {"t": top},
                "ticklen": 0,
                "minorticklen": 0,
                "font": hidden,
            }
        )
    figure.update_layout(sliders=sliders)
