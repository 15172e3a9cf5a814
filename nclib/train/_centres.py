"""The class centres that regularisers pull to and push apart."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from nclib import losses
from nclib.methods import Centres
from nclib.tasks import StepLabels


class ClassCentres(nn.Module):
    r"""Class centres of features: batch means, their running mean, or free parameters.

    - ``batch``: :math:`\mu_k`, the mean of the batch's features of class k; gradients flow through.
    - ``ema``: :math:`0.9\,c_k + 0.1\,\mu_k` with the centre :math:`c_k` before the batch, constant;
      a class starts at its first mean.
    - ``learnable``: parameters from a standard normal distribution, with a plain SGD of their own
      at the rate :math:`0.5/(\lambda_1K)`, so that :math:`L_W` moves a centre by 1/K of its way to
      the batch's mean: as in the released code of Liu et al. (2023), where the rate is 0.5, the
      loss has :math:`L_W/K`, and the centres' gradient is divided by :math:`\lambda_1`.

    Every batch gives all K centres. Which of them count as present, so that :math:`L_B` pushes them
    apart, is another choice. With these three words it is the classes of the batch. With two more
    words it is every class that has a centre:

    - ``ema-all``: the running means of ``ema``; present is every class that any batch so far has
      had. The centre of a class that the batch lacks is a constant.
    - ``learnable-all``: the parameters of ``learnable``; all K classes are present, as in the
      released code. :math:`L_B` moves every centre in every step.

    Args:
        kind: one of these words.
        num_classes: K.
        dim: P.
        generator: of the first learnable centres.
        strength: :math:`\lambda_1` of the term that pulls to the centres; 0: there is none, and
            learnable centres have the rate 0.5.

    Attributes:
        follows: whether the centres are running means, which follow the batches.
    """

    running: Tensor
    met: Tensor

    def __init__(
        self,
        kind: str,
        num_classes: int,
        dim: int,
        generator: torch.Generator,
        strength: float = 0.0,
    ) -> None:
        super().__init__()
        source, _, scope = kind.partition("-")
        self.follows, self.learns = source == "ema", source == "learnable"
        self.all_classes = scope == "all"
        self.rate = 0.5 / (strength * num_classes) if strength else 0.5
        if self.learns:
            self.free = nn.Parameter(torch.randn(num_classes, dim, generator=generator))
        elif self.follows:
            self.register_buffer("running", torch.zeros(num_classes, dim))
            self.register_buffer("met", torch.zeros(num_classes, dtype=torch.bool))
        self.num_classes = num_classes

    def optimizer(self) -> torch.optim.Optimizer | None:
        """Of the learnable centres."""
        return torch.optim.SGD(self.parameters(), lr=self.rate) if self.learns else None

    def forward(
        self, features: Float[Tensor, "B P"], labels: StepLabels, *, update: bool = True
    ) -> Centres:
        """The centres for a batch; ``update`` moves the running means."""
        means, counts = losses.class_means(features, labels, self.num_classes)
        in_batch: Bool[Tensor, " K"] = counts > 0
        if self.learns:
            return Centres(self.free, torch.ones_like(in_batch) if self.all_classes else in_batch)
        if not self.follows:
            return Centres(means, in_batch)
        keep = torch.where(self.met, 0.9, 0.0)[:, None]
        moved = keep * self.running + (1 - keep) * means
        centres = torch.where(in_batch[:, None], moved, self.running)
        present = self.met | in_batch if self.all_classes else in_batch
        if update:
            self.running.copy_(centres.detach())
            self.met.logical_or_(in_batch)
        return Centres(centres, present)
