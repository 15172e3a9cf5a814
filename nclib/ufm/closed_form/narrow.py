"""Features too narrow for the optimum of the convex program."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Real
from torch import Tensor

from nclib.ufm._problem import make_problem, whole
from nclib.ufm.closed_form._common import Optimum, bias_share, label_matrix, shrinkage


def truncated(
    targets: Real[Tensor, "K C"],
    counts: Real[Tensor, " C"] | Sequence[float],
    dim: int,
    *,
    lam_w: float,
    lam_h: float,
    lam_b: float,
) -> Optimum:
    r"""The optimum with features of width d, however narrow, without or with a free bias.

    The best rank-d approximation: the d largest singular values of :math:`\bar YD^{1/2}`
    (:math:`\lambda_b = \infty`) or of the count-centred labels (:math:`\lambda_b = 0`), each less
    :math:`\theta`. It is unique where the d-th singular value exceeds the next.

    Raises:
        ValueError: for another :math:`\lambda_b` or a ``dim`` below 1.

    Source: Dang et al. (2023) for one-hot labels; any labels: this book, too narrow a layer.
    """
    problem = make_problem(targets, counts, lam_w=lam_w, lam_h=lam_h, lam_b=lam_b, loss="mse")
    if lam_b != 0 and not math.isinf(lam_b):
        raise ValueError(f"lam_b must be 0 or math.inf, got {lam_b}")
    dim = whole("dim", dim, least=1)
    bias = torch.zeros_like(problem.targets[:, 0])
    if lam_b == 0:
        bias = problem.targets @ problem.counts / problem.samples
    centred = (problem.targets - bias[:, None]) * problem.roots
    left, values, right = torch.linalg.svd(centred, full_matrices=False)
    values = (values - problem.threshold).clamp(min=0)
    values[dim:] = 0
    scores = (left * values) @ right / problem.roots
    half = right.T * values.sqrt() / problem.roots[:, None]
    return Optimum(scores, math.sqrt(lam_w / lam_h) * half @ half.T, bias)


def narrow_one_hot(
    projection: Real[Tensor, "K K"], count: float, *, lam_w: float, lam_h: float, lam_b: float
) -> Optimum:
    r"""A minimiser for one-hot labels in a width d < K, with a bias.

    With n samples a class the minimisers are exactly :math:`W\bar H = (1-c)\Pi`, :math:`\Pi` any
    rank-d projection with :math:`\Pi 1 = 0`, and :math:`b = 1/((1+\lambda_b)K)`. For d = K - 1 that
    is the simplex ETF for every finite :math:`\lambda_b`, without the transition of Theorem III.1;
    for d < K - 1 it is never NC2.

    Args:
        projection: :math:`\Pi`, whose rank is the width.

    Raises:
        ValueError: if it is no orthogonal projection or does not annihilate the ones, or without a
            bias.

    Source: this book, too narrow a layer.
    """
    projection = label_matrix(projection, "projection", square=True)
    k = len(projection)
    if math.isinf(lam_b):
        raise ValueError("lam_b must be finite; without a bias use truncated")
    defect = max(
        float((projection @ projection - projection).abs().max()),
        float((projection - projection.T).abs().max()),
        float(projection.sum(1).abs().max()),
    )
    if defect > 1e-9:
        raise ValueError(f"expected an orthogonal projection with P 1 = 0, off by {defect:.3g}")
    c = shrinkage(k, count, lam_w=lam_w, lam_h=lam_h)
    scores = max(1 - c, 0.0) * projection
    level = bias_share(lam_b) / k
    gram = math.sqrt(lam_w / (count * lam_h)) * scores
    return Optimum(scores, gram, torch.full((k,), level, dtype=torch.float64))
