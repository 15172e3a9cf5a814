"""The class centres that regularisers pull to and push apart."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from nclib import losses
from nclib.methods import Centres


class ClassCentres(nn.Module):
    r"""Class centres of features: batch means, their running mean, or free parameters.

    - ``batch``: :math:`\mu_k`, the mean of the batch's features of class k; gradients flow through.
    - ``ema``: :math:`0.9\,c_k + 0.1\,\mu_k` with the centre :math:`c_k` before the batch, constant;
      a class starts at its first mean.
    - ``learnable``: parameters from a standard normal distribution, with a plain SGD of their own
      at the rate :math:`0.5/(\lambda_1K)`, so that :math:`L_W` moves a centre by 1/K of its way to
      the batch's mean: as in the released code of Liu et al. (2023), where the rate is 0.5, the
      loss has :math:`L_W/K`, and the centres' gradient is divided by :math:`\lambda_1`.

    Args:
        kind: one of these.
        num_classes: K.
        dim: P.
        generator: of the first learnable centres.
        strength: :math:`\lambda_1` of the term that pulls to the centres; 0: there is none, and
            learnable centres have the rate 0.5.
    """

    running: Tensor
    seen: Tensor

    def __init__(
        self,
        kind: str,
        num_classes: int,
        dim: int,
        generator: torch.Generator,
        strength: float = 0.0,
    ) -> None:
        super().__init__()
        self.kind, self.rate = kind, 0.5 / (strength * num_classes) if strength else 0.5
        if kind == "learnable":
            self.free = nn.Parameter(torch.randn(num_classes, dim, generator=generator))
        elif kind == "ema":
            self.register_buffer("running", torch.zeros(num_classes, dim))
            self.register_buffer("seen", torch.zeros(num_classes, dtype=torch.bool))
        self.num_classes = num_classes

    def optimizer(self) -> torch.optim.Optimizer | None:
        """Of the learnable centres."""
        return (
            torch.optim.SGD(self.parameters(), lr=self.rate) if self.kind == "learnable" else None
        )

    def forward(
        self, features: Float[Tensor, "B P"], labels: Int64[Tensor, " B"], *, update: bool = True
    ) -> Centres:
        """The centres for a batch; ``update`` moves the running means."""
        means, counts = losses.class_means(features, labels, self.num_classes)
        present = counts > 0
        if self.kind == "batch":
            return Centres(means, present)
        if self.kind == "learnable":
            return Centres(self.free, present)
        keep = torch.where(self.seen, 0.9, 0.0)[:, None]
        moved = keep * self.running + (1 - keep) * means
        centres = torch.where(present[:, None], moved, self.running)
        if update:
            self.running.copy_(centres.detach())
            self.seen.logical_or_(present)
        return Centres(centres, present)
