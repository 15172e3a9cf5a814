"""Class means of wide angles."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


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
    closed form, and the widest configuration of this search is a lower bound of the best angle.

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

    Source: Liu et al. (2023), arXiv 2302.12453, equations (14) and (15).

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
    diagonal = torch.eye(num_classes, dtype=torch.bool, device=device)
    means.requires_grad_()
    optimiser = torch.optim.Adam([means], lr=0.05)
    for step in range(steps):
        share = step / steps
        optimiser.param_groups[0]["lr"] = 0.05 * (1 - share) + 1e-4
        hardness = 5.0 * 400.0**share
        angles = _angles(means).masked_fill(diagonal, torch.inf)
        loss = (torch.logsumexp(-hardness * angles, -1) / hardness).mean(1).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    centred = means.detach()
    centred = centred - centred.mean(1, keepdim=True)
    nearest = _angles(centred).masked_fill(diagonal, torch.inf).amin(-1).mean(1)
    return centred[nearest.argsort(descending=True)]


def _angles(means: Float[Tensor, "S K P"]) -> Float[Tensor, "S K K"]:
    """Angles between centred means, in radians, with a finite gradient everywhere."""
    centred = means - means.mean(1, keepdim=True)
    unit = torch.nn.functional.normalize(centred, dim=-1)
    return (unit @ unit.mT).clamp(-1 + 1e-12, 1 - 1e-12).arccos()
