"""NC4: does the classifier choose the class whose mean is nearest?"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

from nclib._scale import magnitude, unit_of
from nclib.metrics._products import padded
from nclib.metrics._report import ClassSpan, pair_distances

_SAFETY = 1 - 1e-3  # shrinks both radii by more than rounding in float32 can matter


class Agreement:
    r"""Compares the two decisions of samples :math:`h = \mu_y + r`, given their residuals r.

    With U the axes of the span of the class means, h has the coordinates
    :math:`U^\top(\mu_y - \mu_G) + U^\top r` there; what is orthogonal to the span is at the same
    distance from every mean. The logits are :math:`(W\mu_y + b) + Wr`.

    Most samples need no comparison with K classes. By the triangle inequality a sample with
    :math:`\|U^\top r\| < \tfrac12\min_l\|\mu_l - \mu_y\|` is nearest to :math:`\mu_y`. By the
    Cauchy-Schwarz inequality the classifier decides for h as it does for :math:`\mu_y`, say for
    class t, when :math:`\|r\|\,\|w_t - w_l\|` is less than the margin of t over l at
    :math:`\mu_y` for every l. The products with W are formed for the other samples alone.
    """

    def __init__(
        self,
        means: Float[Tensor, "K P"],
        span: ClassSpan,
        weight: Float[Tensor, "K P"],
        bias: Float[Tensor, " K"] | None,
        dtype: torch.dtype,
    ) -> None:
        equal = span.distances <= span.resolution
        self.first_equal = equal.int().argmax(1)
        others = span.distances.masked_fill(equal, torch.inf)
        self.mean_radius = (_SAFETY / 2 * others.amin(1)).to(dtype)
        self.coordinates = span.coordinates.to(dtype)
        self.half_norms = (span.coordinates.square().sum(1) / 2).to(dtype)

        logits = means @ weight.T
        if bias is not None:
            logits = logits + bias
        # A constant per row changes no decision, and its size would cost digits.
        logits = logits - logits.mean(1, keepdim=True)
        best, self.choice = logits.max(1)
        radii = (best[:, None] - logits) / pair_distances(weight, weight @ weight.T)[self.choice]
        radii.scatter_(1, self.choice[:, None], torch.inf)
        self.choice_radius = (_SAFETY * radii.nan_to_num(0.0, posinf=torch.inf).amin(1)).to(dtype)
        unit = max(1.0, unit_of(magnitude(logits)))  # a large bias: float32 holds it beside W r
        self.logits = (logits / unit).to(dtype)
        self.weight = padded(weight.T / unit).to(dtype)

    def count(
        self,
        residuals: Float[Tensor, "N P"],
        along: Float[Tensor, "N r"],
        lengths: Float[Tensor, " N"],
        lengths_along: Float[Tensor, " N"],
        labels: Int[Tensor, " N"],
    ) -> Int[Tensor, ""]:
        """How many samples agree, given r, Uᵀr, ‖r‖, ‖Uᵀr‖ and y."""
        chosen = self.choice[labels]
        open_ = (lengths >= self.choice_radius[labels]).nonzero().flatten()
        if 2 * len(open_) > len(labels):
            chosen = self._decide(residuals, labels)
        elif len(open_):
            chosen[open_] = self._decide(residuals[open_], labels[open_])
        nearest = labels.clone()
        open_ = (lengths_along >= self.mean_radius[labels]).nonzero().flatten()
        if len(open_):
            coordinates = along[open_] + self.coordinates[labels[open_]]
            scores = torch.addmm(-self.half_norms, coordinates, self.coordinates.T)
            nearest[open_] = scores.argmax(1)
        return (self.first_equal[chosen] == self.first_equal[nearest]).sum()

    def count_shared(
        self,
        residuals: Float[Tensor, "N P"],
        along: Float[Tensor, "N r"],
        labels: Bool[Tensor, "N K"],
    ) -> Int[Tensor, ""]:
        r"""How many of the m decisions about each sample agree, where m classes share its feature.

        Both sides choose m classes: those of the largest logits, those of the nearest means. Here
        the residual is :math:`r = h - \tfrac1m\sum_{k \in S}\mu_k`, given with Uᵀr.
        """
        sizes = labels.sum(1)
        shares = labels.to(residuals.dtype) / sizes[:, None]
        products = torch.mm(residuals, self.weight)[:, : self.logits.shape[1]]
        coordinates = along + shares @ self.coordinates
        scores = torch.addmm(-self.half_norms, coordinates, self.coordinates.T)
        equal = one_hot(self.first_equal, len(self.first_equal)).to(residuals.dtype)
        chosen = _largest(products + shares @ self.logits, sizes).to(equal.dtype) @ equal
        nearest = _largest(scores, sizes).to(equal.dtype) @ equal
        return torch.minimum(chosen, nearest).sum(dtype=torch.float64).long()

    def _decide(
        self, residuals: Float[Tensor, "N P"], labels: Int[Tensor, " N"]
    ) -> Int[Tensor, " N"]:
        """The classifier's class."""
        products = torch.mm(residuals, self.weight)[:, : self.logits.shape[1]]
        return products.add_(self.logits.index_select(0, labels)).argmax(1)


def _largest(scores: Float[Tensor, "N K"], sizes: Int[Tensor, " N"]) -> Bool[Tensor, "N K"]:
    """Which are among the largest of their row, as many as its size says."""
    order = scores.argsort(dim=1, descending=True, stable=True)
    ranks = torch.arange(scores.shape[1], device=scores.device)
    return torch.zeros_like(scores, dtype=torch.bool).scatter_(1, order, ranks < sizes[:, None])
