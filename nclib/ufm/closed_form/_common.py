"""What the closed forms share: the result, the two scales, the factors, and checks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Real
from torch import Tensor

from nclib.ufm._problem import bias_penalty, number, positive, positive_counts, real, whole
from nclib.ufm._solve import RANK_CUT, balanced_factors


class Optimum(NamedTuple):
    """What is unique at a global optimum: the features themselves are so up to a rotation."""

    scores: Float[Tensor, "K C"]  # W* H*^T: logits without the bias, one column a target
    gram: Float[Tensor, "C C"]  # means @ means.T, the paper's H^T H
    bias: Float[Tensor, " K"]  # zeros without a bias


def shrinkage(num_classes: int, count: float, *, lam_w: float, lam_h: float) -> float:
    r""":math:`c = K\sqrt{n\lambda_W\lambda_H}` of K classes with n samples each.

    Source: paper, Theorem III.1.

    >>> shrinkage(10, 100, lam_w=1e-3, lam_h=1e-5)
    0.01
    """
    count, lam_w, lam_h = (
        positive("count", count),
        positive("lam_w", lam_w),
        positive("lam_h", lam_h),
    )
    return whole("num_classes", num_classes, least=1) * math.sqrt(count * lam_w * lam_h)


def threshold(samples: float, *, lam_w: float, lam_h: float) -> float:
    r""":math:`\theta = N\sqrt{\lambda_W\lambda_H}`, to be compared with square roots of counts."""
    samples = positive("samples", samples)
    return samples * math.sqrt(positive("lam_w", lam_w) * positive("lam_h", lam_h))


def factorise(
    scores: Float[Tensor, "K C"],
    counts: Real[Tensor, " C"] | Sequence[float],
    *,
    lam_w: float,
    lam_h: float,
    dim: int | None = None,
) -> tuple[Float[Tensor, "K P"], Float[Tensor, "C P"]]:
    r"""The cheapest weight and means with ``weight @ means.T = scores``.

    Balanced: :math:`\lambda_W W^\top W = \lambda_H \bar H D \bar H^\top`. ``dim`` is P, by default
    min(K, C).

    Raises:
        ValueError: if ``dim`` is below the rank of the scores (singular values above 1e-8 of the
            largest), or for data out of range.
    """
    scores, counts = label_matrix(scores, "scores"), positive_counts(counts)
    lam_w, lam_h = positive("lam_w", lam_w), positive("lam_h", lam_h)
    if counts.shape != scores.shape[1:]:
        raise ValueError(
            f"counts must have one entry a column of scores, {scores.shape[1]}, got {len(counts)}"
        )
    roots = counts.to(scores).sqrt()
    left, values, right = torch.linalg.svd(scores * roots, full_matrices=False)
    width = min(scores.shape) if dim is None else whole("dim", dim, least=1)
    rank = int((values > RANK_CUT * values.max()).sum())
    if width < rank:
        raise ValueError(f"dim must be at least the rank of the scores, {rank}, got {dim}")
    return balanced_factors(left, values, right.T, roots, lam_w, lam_h, width)


def centring(size: int, like: Tensor | None = None) -> Float[Tensor, "K K"]:
    eye = torch.eye(size, dtype=torch.float64, device=None if like is None else like.device)
    return eye - 1 / size


def bias_share(lam_b: float) -> float:
    """gamma = 1 / (1 + lam_b), zero without a bias."""
    return 1 / (1 + bias_penalty(lam_b))


def label_matrix(
    labels: Real[Tensor, "K C"], name: str = "labels", *, square: bool = False
) -> Float[Tensor, "K C"]:
    labels = real(name, labels)
    if labels.ndim != 2 or 0 in labels.shape:
        raise ValueError(f"{name} must be a (K, C) matrix, got shape {tuple(labels.shape)}")
    if square and labels.shape[0] != labels.shape[1]:
        raise ValueError(f"{name} must be square, got shape {tuple(labels.shape)}")
    return labels


def columns(frame: Real[Tensor, "L K"] | None, size: int) -> Float[Tensor, "L K"]:
    """The frame P with K columns, by default the identity."""
    if frame is None:
        return torch.eye(size, dtype=torch.float64)
    frame = label_matrix(frame, "frame")
    if frame.shape[1] != size:
        raise ValueError(f"frame must have {size} columns, got shape {tuple(frame.shape)}")
    return frame


def strength(c: float) -> float:
    c = number("c", c)
    if not (math.isfinite(c) and c >= 0):
        raise ValueError(f"c must be non-negative and finite, got {c}")
    return c
