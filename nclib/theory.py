r"""Least-squares classifiers, divergences, bounds and angles of imbalanced classes.

Equation numbers are those of "Inducing neural collapse in deep long-tailed learning" (arXiv
2302.12453), whose propositions the theory chapter states. Class means are rows, (K, P); papers
write columns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = [
    "LeastSquares",
    "cdnv_bound",
    "jensen_shannon",
    "least_squares_classifier",
    "mixture_jensen_shannon",
    "spread_means",
]

_REACH = 8.0  # standard deviations beyond the means at which a Gaussian ends for the quadrature


class LeastSquares(NamedTuple):
    """A linear classifier, one row a class."""

    weight: Float[Tensor, "K P"]
    bias: Float[Tensor, " K"]


def least_squares_classifier(
    means: Tensor, counts: Tensor, *, within: float | Tensor = 0.0
) -> LeastSquares:
    r"""The minimum-norm linear classifier of least squared error for one-hot labels.

    With :math:`\pi_k = n_k/n`, :math:`\bar h = \sum_k \pi_k\mu_k` and :math:`\Sigma_W` the
    covariance within classes (the average over samples),

    .. math:: w_k = \pi_k\Bigl(\sum_l \pi_l(\mu_l - \bar h)(\mu_l - \bar h)^\top
        + \Sigma_W\Bigr)^\dagger (\mu_k - \bar h), \qquad b = \pi - W\bar h .

    It depends on the samples through these class statistics alone. A ridge penalty
    :math:`\tfrac\rho2\|W\|_F^2` on half the mean squared error adds :math:`\rho I` to
    :math:`\Sigma_W`: isotropic noise of variance ρ and the penalty ρ are the same thing.

    Args:
        means: (K, P), μ.
        counts: (K,), positive; only their proportions matter.
        within: Σ_W (plus ρI): a (P, P) covariance, or a number σ² for σ²I.

    Raises:
        ValueError: if shapes disagree, a count is not positive or ``within`` is negative.

    Source: Proposition 1, equations (8) and (9); Webb and Lowe (1990).

    >>> corners = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    >>> least_squares_classifier(corners, torch.tensor([9.0, 1.0])).weight
    tensor([[ 0.5000,  0.0000],
            [-0.5000,  0.0000]], dtype=torch.float64)
    """
    means, counts = means.double(), counts.double().to(means.device)
    if means.ndim != 2 or counts.shape != means.shape[:1]:
        raise ValueError(
            "expected means (K, P) and counts (K,), "
            f"got {tuple(means.shape)} and {tuple(counts.shape)}"
        )
    if not bool((counts > 0).all()):
        raise ValueError(f"counts must be positive, got {counts.tolist()}")
    prior = counts / counts.sum()
    centre = prior @ means
    root = prior.sqrt()[:, None]
    features = root * (means - centre)
    targets = root * (torch.eye(len(prior)).to(prior) - prior)
    if isinstance(within, Tensor) or within != 0:
        covariance = features.T @ features + _covariance(within, means)
        product = torch.linalg.pinv(covariance, hermitian=True) @ features.T
    else:  # the same without squaring: the root of the scatter is better conditioned
        product = torch.linalg.pinv(features)
    weight = (product @ targets).T
    return LeastSquares(weight, prior - weight @ centre)


def jensen_shannon(first: Tensor, second: Tensor) -> float:
    r"""Jensen-Shannon divergence of two discrete distributions, in nats.

    .. math:: \tfrac12\sum_k p_k\log\frac{2p_k}{p_k+q_k}
        + \tfrac12\sum_k q_k\log\frac{2q_k}{p_k+q_k} \in [0, \log 2]

    The Jensen-Shannon *distance* of equation (12) is its square root (Endres and Schindelin 2003).

    Args:
        first: (K,), non-negative weights; only their proportions matter.
        second: (K,), likewise.

    Raises:
        ValueError: if shapes differ, a weight is negative, or all are zero.

    >>> round(jensen_shannon(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])), 6)
    0.693147
    """
    p, q = _distribution("first", first), _distribution("second", second)
    if p.shape != q.shape:
        raise ValueError(f"expected as many weights, got {tuple(p.shape)} and {tuple(q.shape)}")
    return float(_divergence(p, q).sum())


def mixture_jensen_shannon(
    means: Tensor,
    deviation: float,
    source: Tensor,
    target: Tensor,
    *,
    per_deviation: float = 2.0,
) -> float:
    r"""Jensen-Shannon divergence, in nats, of the features of two domains under label shift.

    The class-conditional distributions are :math:`\mathcal N(\mu_k, \sigma^2 I)` in both domains,
    which differ in their class weights alone. By quadrature on a grid over the features, hence
    for at most three dimensions; the trapezoidal rule is exact there to about 1e-8.

    Args:
        means: (K, P), P at most 3.
        deviation: σ > 0.
        source: (K,), class weights of the source domain (their proportions).
        target: (K,), of the target domain.
        per_deviation: grid points a σ.

    Raises:
        ValueError: if P > 3, σ is not positive, or the weights are none.

    Source: equation (12).

    >>> far = torch.tensor([[-50.0], [50.0]])
    >>> source, target = torch.tensor([9.0, 1.0]), torch.tensor([1.0, 1.0])
    >>> apart = mixture_jensen_shannon(far, 1.0, source, target)
    >>> abs(apart - jensen_shannon(source, target)) < 1e-9
    True
    """
    means = means.double()
    if means.ndim != 2 or not 1 <= means.shape[1] <= 3:
        raise ValueError(f"expected (K, P) means with P from 1 to 3, got {tuple(means.shape)}")
    if not (math.isfinite(deviation) and deviation > 0):
        raise ValueError(f"deviation must be positive and finite, got {deviation}")
    priors = torch.stack([_distribution("source", source), _distribution("target", target)])
    if priors.shape[1] != len(means):
        raise ValueError(f"expected {len(means)} class weights, got {priors.shape[1]}")
    scaled = means / deviation
    low, high = scaled.amin(0) - _REACH, scaled.amax(0) + _REACH
    # exp(−‖z − μ‖²/2) is a product over the coordinates: one small table an axis.
    density = torch.ones(len(means), 1, dtype=torch.float64)
    volume = 1.0
    for start, stop, place in zip(low.tolist(), high.tolist(), scaled.T, strict=True):
        points = torch.linspace(
            start, stop, math.ceil((stop - start) * per_deviation) + 1, dtype=torch.float64
        )
        axis = torch.exp(-(points - place[:, None]).square() / 2) / math.sqrt(2 * math.pi)
        density = (density[:, :, None] * axis[:, None, :]).flatten(1)
        volume *= float(points[1] - points[0])
    p, q = priors @ density
    return volume * float(_divergence(p, q).sum())


def cdnv_bound(
    distance: float,
    variances: Sequence[float],
    counts: Sequence[int],
    *,
    radius: float,
    delta: float,
) -> float:
    r"""Upper bound of a class-distance normalised variance from samples, at level 1 − δ.

    For features of a fixed map with :math:`\|h\| \le R`, with
    :math:`\ell = \log(4/\delta)` and :math:`a_j = (1 + \sqrt{2\ell})/\sqrt{n_j}`: with probability
    at least 1 − δ over the samples,

    .. math:: \frac{\sigma_k^T + \sigma_{k'}^T}{2\|\mu_k^T - \mu_{k'}^T\|^2}
        \le \frac{V^S + B}{(1 - E/D^S)^2}, \qquad
        E = R\sum_j a_j, \qquad
        B = \frac{R^2}{2 (D^S)^2}\sum_j\Bigl(\sqrt{8\ell/n_j} + a_j^2\Bigr) .

    Args:
        distance: :math:`D^S` between the two sample means, positive.
        variances: the two mean squared distances to the sample mean, :math:`\sigma^S`.
        counts: the two sample sizes.
        radius: R, of a ball about the origin that holds all features.
        delta: δ in (0, 1).

    Returns:
        The bound; inf where :math:`E \ge D^S`.

    Raises:
        ValueError: if an argument is out of range.

    Source: a corrected Proposition 2, proved in the chapter; its form is Galanti et al. (2022).

    >>> cdnv_bound(1.0, (0.1, 0.1), (10**9, 10**9), radius=1.0, delta=0.1) < 0.1005
    True
    """
    if not (distance > 0 and radius > 0 and 0 < delta < 1 and min(counts) >= 1):
        raise ValueError(
            "expected distance > 0, radius > 0, 0 < delta < 1 and counts >= 1, "
            f"got {distance}, {radius}, {delta} and {list(counts)}"
        )
    level = math.log(4 / delta)
    shares = [(1 + math.sqrt(2 * level)) / math.sqrt(n) for n in counts]
    error = radius * sum(shares)
    if error >= distance:
        return math.inf
    slack = sum(math.sqrt(8 * level / n) + a**2 for n, a in zip(counts, shares, strict=True))
    raised = (sum(variances) + radius**2 * slack) / (2 * distance**2)
    return raised / (1 - error / distance) ** 2


def spread_means(
    num_classes: int,
    dim: int,
    *,
    starts: int = 16,
    steps: int = 600,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "S K P"]:
    r"""Class means of large average nearest angle, by gradient ascent from random starts.

    Minimises the regulariser L_B of equation (15) with a soft minimum over angles that hardens as
    the steps go on. For P ≥ K − 1 the optimum is a simplex ETF; for smaller P none is known in
    closed form, and the best configuration found is a lower bound of the best angle.

    Args:
        num_classes: K, at least 2.
        dim: P, at least 1.
        starts: S, how many configurations, from Gaussian starts.
        steps: of Adam.
        generator: source of the starts; None: the global generator.

    Returns:
        (S, K, P), centred in each configuration, the widest first.

    Raises:
        ValueError: if ``num_classes < 2`` or another size is not positive.

    Source: equations (14) and (15).

    >>> widest = spread_means(3, 2, generator=torch.Generator().manual_seed(0))[0]
    >>> cosines = torch.nn.functional.cosine_similarity(widest, widest.roll(1, 0))
    >>> [round(cosine, 4) for cosine in cosines.tolist()]
    [-0.5, -0.5, -0.5]
    """
    if num_classes < 2 or min(dim, starts, steps) < 1:
        raise ValueError(
            "expected num_classes >= 2 and positive dim, starts and steps, "
            f"got {num_classes}, {dim}, {starts} and {steps}"
        )
    device = generator.device if generator is not None else None
    shape = (starts, num_classes, dim)
    means = torch.randn(shape, generator=generator, dtype=torch.float64, device=device)
    own = torch.eye(num_classes, dtype=torch.bool, device=device)
    means.requires_grad_()
    optimiser = torch.optim.Adam([means], lr=0.05)
    for step in range(steps):
        share = step / steps
        optimiser.param_groups[0]["lr"] = 0.05 * (1 - share) + 1e-4
        hardness = 5.0 * 400.0**share
        angles = _angles(means).masked_fill(own, torch.inf)
        loss = (torch.logsumexp(-hardness * angles, -1) / hardness).mean(1).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    found = means.detach()
    found = found - found.mean(1, keepdim=True)
    nearest = _angles(found).masked_fill(own, torch.inf).amin(-1).mean(1)
    return found[nearest.argsort(descending=True)]


def _angles(means: Float[Tensor, "S K P"]) -> Float[Tensor, "S K K"]:
    """Angles between centred means, in radians, with a finite gradient everywhere."""
    centred = means - means.mean(1, keepdim=True)
    unit = torch.nn.functional.normalize(centred, dim=-1)
    return (unit @ unit.mT).clamp(-1 + 1e-12, 1 - 1e-12).arccos()


def _covariance(within: float | Tensor, means: Float[Tensor, "K P"]) -> Float[Tensor, "P P"]:
    dim = means.shape[1]
    if not isinstance(within, Tensor):
        if within < 0:
            raise ValueError(f"within must not be negative, got {within}")
        return within * torch.eye(dim).to(means)
    if within.shape != (dim, dim):
        raise ValueError(f"expected within of shape {(dim, dim)}, got {tuple(within.shape)}")
    return within.to(means)


def _distribution(name: str, weights: Tensor) -> Float[Tensor, " K"]:
    weights = weights.double()
    if weights.ndim != 1 or not bool((weights >= 0).all()) or not float(weights.sum()) > 0:
        raise ValueError(f"{name} must be non-negative weights (K,), got {weights.tolist()}")
    return weights / weights.sum()


def _divergence(p: Float[Tensor, " n"], q: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """The integrand of the Jensen-Shannon divergence; 0 log 0 is 0."""
    half = (p + q) / 2
    return (torch.special.xlogy(p, p) + torch.special.xlogy(q, q)) / 2 - torch.special.xlogy(
        half, half
    )
