"""Class-wise features of images, and models of them that can be solved."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize, softplus

from nclib import _check
from nclib._names import unknown


class Attended(NamedTuple):
    """What each class attends to in an image."""

    weights: Float[Tensor, "K T"]  # σ(z_t, l_c), a distribution over the tokens for each class
    features: Float[Tensor, "K P"]  # f_c
    cosines: Float[Tensor, " K"]  # of f_c and l_c


def attend(tokens: Float[Tensor, "T P"], embeddings: Float[Tensor, "K P"]) -> Attended:
    """Cosine attention of label embeddings over the tokens of one image.

    Args:
        tokens: (T, P), one place of the feature map a row.
        embeddings: (K, P).

    Source: MLC-NC (Tao et al., AAAI 2025), equations (3) to (5).
    """
    cosines = normalize(embeddings, dim=1) @ normalize(tokens, dim=1).T
    weights = cosines.softmax(1)
    features = weights @ tokens
    return Attended(weights, features, cosine_similarity(features, embeddings, dim=1))


# --- A fixed classifier over free features -------------------------------------------------------


class FixedOptimum(NamedTuple):
    """The optimum of free features under a fixed simplex classifier, with its certificate."""

    logits: Float[Tensor, "S K"]
    objective: float
    gap: float  # of the objective, from its strong convexity


def _bce(logits: Tensor, labels: Tensor, counts: Tensor) -> Tensor:
    signs = torch.where(labels, -1.0, 1.0).to(logits)
    return counts @ softplus(signs * logits, threshold=40).sum(1) / counts.sum()


def _row_loss(logits: Tensor, labels: Tensor, counts: Tensor) -> Tensor:
    return counts @ _two_way(logits, labels, torch.zeros_like(logits)) / counts.sum()


def _two_way_loss(logits: Tensor, labels: Tensor, counts: Tensor) -> Tensor:
    weights = counts.log()[:, None].expand_as(logits)
    columns = _two_way(logits.T, labels.T, weights.T)
    return _row_loss(logits, labels, counts) + columns.mean()


def _two_way(logits: Tensor, labels: Tensor, log_counts: Tensor, t: float = 4.0) -> Tensor:
    """Equations (11) and (12) along the last axis, each entry counted as often as given."""
    negative = (logits + log_counts).masked_fill(labels, -torch.inf).logsumexp(-1)
    positive = (-logits / t + log_counts).masked_fill(~labels, -torch.inf).logsumexp(-1)
    return softplus(negative + t * positive, threshold=40)


FIXED_LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "bce": _bce,
    "rows": _row_loss,
    "two-way": _two_way_loss,
}


def fixed_optimum(
    labels: Bool[Tensor, "S K"],
    counts: Float[Tensor, " S"],
    *,
    lam_h: float,
    loss: str = "bce",
    shared: bool = False,
) -> FixedOptimum:
    r"""The optimum over the features of all images together, for a fixed simplex classifier.

    .. math:: \min\ \mathcal L + \frac{\lambda_H}{2}\sum_S \frac{n_S}{N} \|h_S\|^2 ,\qquad
       z_S = (\langle v_c, h_S\rangle)_c

    The logits add up to zero, and the shortest feature of given logits has
    :math:`\|h\|^2 = \frac{K-1}K\|z\|^2`, so the program is one in the logits. It is solved by
    descent over all images at once: nothing here knows that images may decouple.

    Args:
        labels: (S, K), one support a row; each class is in some row, and not in all.
        counts: (S,), images of each support, any positive numbers.
        lam_h: λ_H > 0, of an image.
        loss: ``bce`` (summed over the classes), ``rows`` (equation 11 averaged over the images) or
            ``two-way`` (with equation 12 averaged over the classes, T = 4, all images in a batch).
        shared: penalise the feature of each support once, as a layer does that all images share and
            whose inputs are orthonormal: :math:`\frac{\lambda_H}2\sum_S\|h_S\|^2`.

    Raises:
        ValueError: if the loss is unknown (near matches are listed) or an argument out of range.
    """
    if loss not in FIXED_LOSSES:
        raise unknown("loss", loss, FIXED_LOSSES)
    _check.number("lam_h", lam_h, above=0)
    counts = _check.counts(counts, len(labels), least=0).double()
    k = labels.shape[1]
    modulus = lam_h * (k - 1) / k * (torch.ones_like(counts) if shared else counts / counts.sum())

    def objective(free: Tensor) -> Tensor:
        logits = free - free.mean(1, keepdim=True)
        penalty = modulus @ logits.square().sum(1) / 2
        return FIXED_LOSSES[loss](logits, labels, counts) + penalty

    free, value, slope = descend(objective, torch.zeros(labels.shape, dtype=torch.float64))
    gap = float((slope.square().sum(1) / (2 * modulus)).sum())
    return FixedOptimum(free - free.mean(1, keepdim=True), value, gap)


# --- Class centres under equation (9) ------------------------------------------------------------


def prototype_loss(
    features: Float[Tensor, "K P"],
    centres: Float[Tensor, "K P"],
    counts: Float[Tensor, " K"],
    *,
    temperature: float = 0.5,
) -> Float[Tensor, ""]:
    """Equation (9) where the features of a class are one, averaged over positive pairs."""
    scores = normalize(features, dim=1) @ normalize(centres, dim=1).T / temperature
    losses = scores.logsumexp(1) - scores.diagonal()
    return counts @ losses / counts.sum()


def joint_centres(
    counts: Float[Tensor, " K"], dim: int, *, temperature: float = 0.5, seed: int = 0
) -> Float[Tensor, "K P"]:
    """Unit centres that minimise equation (9) where features and centres move together."""
    start = torch.randn(
        len(counts), dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    centres, _, _ = descend(lambda u: prototype_loss(u, u, counts, temperature=temperature), start)
    return normalize(centres, dim=1)


def epochs(
    centres: Float[Tensor, "K P"],
    counts: Float[Tensor, " K"],
    number: int,
    *,
    rate: float = 1.0,
    temperature: float = 0.5,
) -> Float[Tensor, "K P"]:
    """Collapsed features after some epochs, each a step of descent for the centres of the last.

    Args:
        centres: (K, P), where the features begin.
        counts: (K,).
        number: of epochs.
        rate: of the step, in units of K.
        temperature: τ.
    """
    centres = normalize(centres, dim=1)
    for _ in range(number):
        features = centres.clone().requires_grad_()
        loss = prototype_loss(features, centres, counts, temperature=temperature)
        (slope,) = torch.autograd.grad(loss, features)
        centres = normalize(centres - rate * len(counts) * slope, dim=1)
    return centres


def descend(
    objective: Callable[[Tensor], Tensor], start: Tensor, *, steps: int = 2000
) -> tuple[Tensor, float, Tensor]:
    """L-BFGS from a start: the end, the value there, and the slope."""
    x = start.clone().requires_grad_()
    optimiser = torch.optim.LBFGS(
        [x],
        max_iter=steps,
        history_size=20,
        line_search_fn="strong_wolfe",
        tolerance_grad=1e-9,
        tolerance_change=0.0,
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        value = objective(x)
        value.backward()
        return value.detach()

    optimiser.step(closure)
    value = closure()
    slope = x.grad if x.grad is not None else torch.full_like(x, math.nan)
    return x.detach(), float(value), slope
