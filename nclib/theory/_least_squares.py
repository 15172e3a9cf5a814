"""The least-squares classifier of unequal classes."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Real
from torch import Tensor

from nclib import _check
from nclib._scale import magnitude, unit_of


class LeastSquares(NamedTuple):
    """A linear classifier, one row a class."""

    weight: Float[Tensor, "K P"]
    bias: Float[Tensor, " K"]


def least_squares_classifier(
    means: Float[Tensor, "K P"],
    counts: Real[Tensor, " K"],
    *,
    within: float | Float[Tensor, "P P"] = 0.0,
) -> LeastSquares:
    r"""The minimum-norm linear classifier of least squared error for one-hot labels.

    With :math:`\pi_k = n_k/n`, :math:`\bar h = \sum_k \pi_k\mu_k` and :math:`\Sigma_W` the
    covariance within classes (the average over samples),

    .. math:: w_k = \pi_k\Bigl(\sum_l \pi_l(\mu_l - \bar h)(\mu_l - \bar h)^\top
        + \Sigma_W\Bigr)^\dagger (\mu_k - \bar h), \qquad b = \pi - W\bar h .

    It depends on the samples through these class statistics alone. A ridge penalty
    :math:`\tfrac\rho2\|W\|_F^2` on half the mean squared error adds :math:`\rho I` to
    :math:`\Sigma_W`: isotropic noise of variance ρ and the penalty ρ are the same thing.

    The differences of the means span at most K − 1 dimensions. A direction counts as one of them
    if the means differ along it by more than the rounding of the largest mean, in the precision in
    which they are given; a direction counts as one of :math:`\Sigma_W` if its variance is more
    than the rounding of the largest one.

    Args:
        means: (K, P), μ.
        counts: (K,), positive; only their proportions matter.
        within: Σ_W (plus ρI): a (P, P) covariance, or a number σ² for σ²I.

    Raises:
        TypeError: if means or counts are no tensors of real numbers.
        ValueError: if shapes disagree, a mean is not finite, a count is not positive, or
            ``within`` is negative or not symmetric.

    Source: Liu et al. (2023), arXiv 2302.12453, Proposition 1, equations (8) and (9); Webb and
    Lowe (1990).

    >>> corners = torch.tensor([[1.0, 1.0], [-1.0, -1.0]])
    >>> least_squares_classifier(corners, torch.tensor([9.0, 1.0])).weight
    tensor([[ 0.2500,  0.2500],
            [-0.2500, -0.2500]], dtype=torch.float64)
    """
    means = _check.matrix("means", means)
    rounding = max(means.shape) * torch.finfo(means.dtype).eps
    means, prior = means.double(), _prior(counts, means)
    unit = unit_of(magnitude(means))
    scaled = means / unit
    # Differences lose nothing to a common shift. From the heaviest mean they also keep the digits
    # of that mean's own distance to the weighted centre, which is small.
    heaviest = int(prior.argmax())
    offsets = scaled - scaled[heaviest]
    centred = offsets - offsets.mean(0)
    full = isinstance(within, Tensor)  # noise acts outside the span too
    rows, lengths, columns = torch.linalg.svd(centred, full_matrices=full)
    span = lengths > rounding * torch.linalg.matrix_norm(scaled, 2)
    rank = min(int(span.sum()), len(means) - 1)
    lengths, axes = lengths[:rank], columns[:rank].T

    places = rows[:, :rank] - rows[heaviest, :rank]
    root = prior.sqrt()[:, None]
    design = root * (places - prior @ places)
    targets = root * (torch.eye(len(prior)).to(prior) - prior)
    if isinstance(within, Tensor):
        # Along the other axes noise is all there is: w takes there what makes its noise least.
        noise, others = _root(within, means) / unit, columns[rank:].T
        axes = axes - others @ _pinv(noise @ others, noise) @ (noise @ axes)
        penalty = noise @ axes / lengths
    else:
        if not (math.isfinite(within) and within >= 0):
            raise ValueError(f"within must be finite and not negative, got {within}")
        penalty = torch.diag(math.sqrt(within) / unit / lengths)
    # Unknown are the scores along the axes: their columns are orthonormal but for the weights.
    design = torch.cat([design, penalty])
    targets = torch.cat([targets, targets.new_zeros(len(penalty), len(prior))])
    solution = torch.linalg.lstsq(design, targets, driver="gels").solution
    weight = (axes @ (solution / lengths[:, None])).T / unit
    return LeastSquares(weight, prior - weight @ (prior @ means))


def _prior(counts: Tensor, means: Float[Tensor, "K P"]) -> Float[Tensor, " K"]:
    """The proportions of the classes."""
    counts = _check.numbers("counts", counts)
    if counts.shape != means.shape[:1]:
        raise ValueError(
            "expected means (K, P) and counts (K,), "
            f"got {tuple(means.shape)} and {tuple(counts.shape)}"
        )
    if not bool(means.isfinite().all()):
        raise ValueError("expected finite means, got NaN or infinity among them")
    counts = counts.to(means.device, torch.float64)
    if not bool((counts.isfinite() & (counts > 0)).all()):
        raise ValueError(f"counts must be positive, got {counts.tolist()}")
    return counts / counts.sum()


def _root(covariance: Float[Tensor, "P P"], means: Float[Tensor, "K P"]) -> Float[Tensor, "P P"]:
    """A matrix R with RᵀR the covariance; variances that are rounding are 0."""
    covariance, dim = _check.matrix("within", covariance), means.shape[1]
    if covariance.shape != (dim, dim):
        raise ValueError(f"expected within of shape {(dim, dim)}, got {tuple(covariance.shape)}")
    rounding = dim * torch.finfo(covariance.dtype).eps
    covariance = covariance.to(means)
    size = float(covariance.abs().max())
    if not math.isfinite(size):
        raise ValueError("expected a finite within, got NaN or infinity in it")
    if size == 0:
        return torch.zeros_like(covariance)
    relative = covariance / size
    skew = float((relative - relative.T).abs().max())
    if skew > rounding:
        raise ValueError(f"within must be symmetric, got entries that differ by {skew * size:.3g}")
    values, vectors = torch.linalg.eigh((relative + relative.T) / 2)
    if float(values[0]) < -rounding * float(values[-1].abs()):
        raise ValueError(f"within must be no negative variance, got {float(values[0]) * size:.3g}")
    values = torch.where(values > rounding * values[-1], values, 0.0)
    return math.sqrt(size) * values.sqrt()[:, None] * vectors.T


def _pinv(block: Float[Tensor, "P q"], whole: Float[Tensor, "P P"]) -> Float[Tensor, "q P"]:
    """The pseudo-inverse, cut off where a variance is the rounding of the largest one of all."""
    largest = torch.linalg.matrix_norm(whole, 2)
    rounding = len(whole) * torch.finfo(whole.dtype).eps
    return torch.linalg.pinv(block, atol=math.sqrt(rounding) * largest, rtol=0.0)
