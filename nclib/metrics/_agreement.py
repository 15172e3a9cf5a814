"""NC4: does the classifier choose the class whose mean is nearest?"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nclib.metrics._report import ClassSpan, pair_distances


class Agreement:
    r"""Compares both decisions of samples, given their residuals' products with ``axes``.

    A sample is :math:`h = \mu_y + r`. Along the axes U of the span of the class means it has the
    coordinates :math:`U^\top(\mu_y - \mu_G) + U^\top r`; what is orthogonal to the span is the same
    distance from every mean. Its logits are :math:`(W\mu_y + b) + Wr`. So the products of r with
    :math:`[U, W^\top]` decide both.
    """

    def __init__(
        self,
        means: Float[Tensor, "K P"],
        span: ClassSpan,
        weight: Tensor | None,
        bias: Tensor | None,
        dtype: torch.dtype,
    ) -> None:
        self.rank = len(span.spread)
        axes = span.basis
        if weight is not None:
            weight = weight.detach().to(means)
            logits = means @ weight.T
            if bias is not None:
                logits = logits + bias.detach().to(means)
            # A constant per row changes no decision, and its size would cost digits.
            self.logits = (logits - logits.mean(1, keepdim=True)).to(dtype)
            axes = torch.cat([axes, weight.T], dim=1)
            distances = pair_distances(means - span.centre)
            equal = distances <= span.resolution
            self.first_equal = equal.int().argmax(1)
            # A sample nearer to its own mean than half the way to any other has found its nearest.
            gap = distances.masked_fill(equal, torch.inf).amin(1) / 2
            self.radius = ((1 - 1e-3) * gap).to(dtype)
            self.coordinates = span.coordinates.to(dtype)
            self.half_norms = (span.coordinates.square().sum(1) / 2).to(dtype)
        self.axes = axes.to(dtype)

    def count(
        self,
        products: Float[Tensor, "N A"],
        lengths: Float[Tensor, " N"],
        labels: Int[Tensor, " N"],
    ) -> Int[Tensor, ""]:
        """How many samples agree; ``lengths`` are ‖Uᵀr‖."""
        logits = products[:, self.rank :]
        chosen = logits.add_(self.logits[labels]).argmax(1)
        nearest = labels.clone()
        rest = (lengths >= self.radius[labels]).nonzero().flatten()
        if len(rest):
            own = labels[rest]
            coordinates = products[rest, : self.rank] + self.coordinates[own]
            scores = torch.addmm(-self.half_norms, coordinates, self.coordinates.T)
            nearest[rest] = scores.argmax(1)
        return (self.first_equal[chosen] == self.first_equal[nearest]).sum()
