"""Whether attention looks at what a label shows."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from nclib import _check


class AttentionReport(NamedTuple):
    """How well attention finds the tiles of labels; means over pairs of an image and a label."""

    share: float  #: Weight on the tile of the label.
    pointing: float  #: Pairs whose largest weight is at a place that the tile covers by half.
    uniform: float  #: Share of the map that the tile covers, the weight of uniform attention on it.
    bound: float  #: The largest weight on it that cosine attention can have, whatever the network.
    pairs: int  #: How many there are.


def attention_report(
    attention: Float[Tensor, "N K L"], cover: Float[Tensor, "N K L"]
) -> AttentionReport:
    r"""The weight of attention on the tile of each label, and whether its peak is there.

    A pair counts where the tile covers anything. The weight on a tile is
    :math:`\sum_j \sigma_j c_j`, with the shares :math:`c_j` of the places that it covers. Where
    several places have the largest weight, each counts by the same fraction. The bound is that of
    :func:`nclib.theory.largest_attention`, pair by pair.

    Args:
        attention: σ, weights that sum to 1 over the L places of a map, row by row.
        cover: c, such as ``Layout.label_cover(grid).flatten(2)`` gives of canvases: the share of
            each place that the tile of a label covers, 0 where the image has not the label.

    Raises:
        TypeError: if one of them is no tensor of floating-point numbers.
        ValueError: if the shapes are not (N, K, L) and the same, weights do not sum to 1, shares
            are not in [0, 1], or no tile covers anything.

    Source: the pointing game of Zhang et al. (2018), "Top-down neural attention by excitation
    backprop", here on tiles.

    >>> import torch
    >>> attention = torch.tensor([[[0.7, 0.1, 0.1, 0.1], [0.25, 0.25, 0.25, 0.25]]])
    >>> cover = torch.tensor([[[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]])
    >>> report = attention_report(attention, cover)
    >>> round(report.share, 3), report.pointing, report.uniform, round(report.bound, 3)
    (0.7, 1.0, 0.25, 0.711)
    """
    from nclib.theory import largest_attention  # slow to import

    _check.floating("attention", attention)
    _check.floating("cover", cover)
    if attention.ndim != 3 or attention.shape != cover.shape:
        raise ValueError(
            f"attention and cover must have one shape (N, K, L), got {tuple(attention.shape)} and "
            f"{tuple(cover.shape)}"
        )
    off = (attention.sum(2) - 1).abs().amax().item() if attention.numel() else 0.0
    if not off < 1e-2:  # half precision too
        raise ValueError(f"attention sums to 1 up to {off:.2g} over the places, expected to 1")
    if cover.numel() and not bool(((cover >= 0) & (cover <= 1)).all()):
        raise ValueError(f"cover has {cover.min():g} to {cover.max():g}, expected shares in [0, 1]")
    shown = cover.any(2)
    weights, shares = attention[shown].double(), cover[shown].double()
    if not len(weights):
        raise ValueError("no tile covers anything: expected at least one")
    peaks = (weights == weights.amax(1, keepdim=True)).double()
    on_tile = (peaks * (shares >= 0.5)).sum(1) / peaks.sum(1)
    uniform = shares.mean(1)
    bounds = [largest_attention(share) for share in uniform.tolist()]
    return AttentionReport(
        share=float((weights * shares).sum(1).mean()),
        pointing=float(on_tile.mean()),
        uniform=float(uniform.mean()),
        bound=sum(bounds) / len(bounds),
        pairs=len(weights),
    )
