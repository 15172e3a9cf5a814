"""One look for every figure: colour-blind-safe, readable in print, on a phone and in the dark."""

from __future__ import annotations

import html
import io
import json
import math
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from PIL import Image

# Okabe and Ito's palette, reordered so that neighbours differ in lightness as well as in hue.
PALETTE = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "vermilion": "#D55E00",
    "sky": "#56B4E9",
    "purple": "#CC79A7",
    "black": "#333333",
    "grey": "#8A8A8A",
}

# Of the curves of a figure, in turn.
COLOURS = tuple(PALETTE[name] for name in ("blue", "vermilion", "green", "purple", "orange", "sky"))
MARKERS = ("o", "s", "^", "D", "v", "P")

# Sequential and diverging maps for matrices: both keep their order in greyscale or in sign.
SEQUENTIAL = "cividis"
DIVERGING = "RdBu_r"


def use_style() -> None:
    """Set the book's matplotlib style: fonts of 10 pt, no top and right spine, sharp small PNG."""
    sns.set_theme(context="notebook", style="ticks", palette=list(PALETTE.values()))
    mpl.rcParams.update(
        {
            "figure.figsize": (7.0, 3.8),
            "figure.dpi": 100,
            "savefig.dpi": 180,
            "savefig.bbox": "tight",
            "figure.constrained_layout.use": True,
            "font.size": 10,
            "axes.titlesize": 11,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.labelsize": 10,
            "xtick.labelsize": 9,
            "ytick.labelsize": 9,
            "legend.fontsize": 9,
            "legend.frameon": False,
            "lines.linewidth": 1.8,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.alpha": 0.25,
            "grid.linewidth": 0.6,
            "image.cmap": SEQUENTIAL,
        }
    )
    try:
        from IPython.core.getipython import get_ipython
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:  # a plain script: nothing to configure
        return
    shown = getattr(get_ipython(), "display_formatter", None)
    if shown is not None:
        set_matplotlib_formats("retina")
        shown.formatters["image/png"].for_type(Figure, notebook_png)


def notebook_png(figure: Figure) -> tuple[str, dict[str, int]] | None:
    """A figure as a notebook keeps it: two pixels for each of the page's, 128 colours.

    Half of the palette are the figure's most frequent colours as they are, the other half is
    chosen so that no pixel strays far; the file is a third of what matplotlib writes.

    Returns:
        The PNG in base64, and the width and height at which a page shows it; None if the figure
        is empty.
    """
    from IPython.core.pylabtools import retina_figure

    if (drawn := retina_figure(figure)) is None:
        return None
    png, size = drawn
    image = Image.open(io.BytesIO(png)).convert("RGB")
    pixels = np.asarray(image)
    codes = pixels.astype(np.int32) @ [1 << 16, 1 << 8, 1]
    _, first, place, counts = np.unique(
        codes, return_index=True, return_inverse=True, return_counts=True
    )
    colours = pixels.reshape(-1, 3)[first].astype(np.int32)
    frequent = colours[np.argsort(-counts, kind="stable")[:64]]
    others = image.quantize(64, method=Image.Quantize.MAXCOVERAGE).getpalette() or []
    palette = np.concatenate([frequent, np.reshape(others, (-1, 3))])
    nearest = ((colours[:, None] - palette) ** 2).sum(2).argmin(1).astype(np.uint8)
    small = Image.fromarray(nearest[place.reshape(codes.shape)])
    small.putpalette(palette.ravel().tolist())
    file = io.BytesIO()
    small.save(file, "PNG", optimize=True)
    return b64encode(file.getvalue()).decode(), size


def penalty_label(value: float) -> str:
    """A bias penalty as a legend shows it."""
    if math.isinf(value):
        return r"no bias ($\lambda_b=\infty$)"
    return r"free bias ($\lambda_b=0$)" if value == 0 else rf"$\lambda_b={value:.2g}$"


def headline(figure: Figure, message: str) -> None:
    """The message of a figure that has several panels or long labels, set like a title."""
    figure.suptitle(message, x=0.01, ha="left", fontsize=11, fontweight="bold")


# Only the button that restores the view stays; one of these would send the figure to a server.
_NO_BUTTONS = [
    "sendChartToCloud", "toImage", "zoom3d", "pan3d", "orbitRotation", "tableRotation",
    "resetCameraLastSave3d", "hoverClosest3d", "zoom2d", "pan2d", "select2d", "lasso2d",
    "zoomIn2d", "zoomOut2d", "autoScale2d", "resetScale2d",
]  # fmt: skip


@dataclass(frozen=True)
class Interactive:
    """A plotly figure that works in a static page: no loader, no request, a fixed id, alt text."""

    figure: Any = field(repr=False)  # its repr would be all of its data
    div_id: str
    alt: str

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """HTML for the book (its pages load plotly.js once) and plotly's own type for Jupyter."""
        body = self.figure.to_html(
            include_plotlyjs=False,
            full_html=False,
            auto_play=False,
            div_id=self.div_id,
            config={
                "displaylogo": False,
                "responsive": True,
                "modeBarButtonsToRemove": _NO_BUTTONS,
            },
        )
        label = html.escape(self.alt, quote=True)
        page = f'<div class="nc-interactive" role="img" aria-label="{label}">{body}</div>'
        return {
            "text/html": page,
            "application/vnd.plotly.v1+json": json.loads(self.figure.to_json()),
        }


def interactive(figure: Any, *, div_id: str, alt: str) -> Interactive:
    """Wrap a plotly figure for the book.

    Args:
        figure: a ``plotly.graph_objects.Figure`` of scatter, scatter3d, surface or mesh3d traces
            (the bundle that the book ships knows no others).
        div_id: fixed id of the element, unique in the page; it keeps the output reproducible.
        alt: what the figure shows, read by screen readers.

    Raises:
        ValueError: if ``alt`` or ``div_id`` is empty.
    """
    if not alt.strip() or not div_id.strip():
        raise ValueError(
            f"an interactive figure needs a div_id and alt text, got {div_id!r}, {alt!r}"
        )
    figure.update_layout(
        template="plotly_white",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"size": 13},
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": PALETTE["grey"]},
    )
    return Interactive(figure, div_id, alt)
