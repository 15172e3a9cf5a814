"""Losses of the unconstrained features model: values, derivatives and convex conjugates.

A loss acts on logits ``F`` (K, C), one column a target, and returns one number a column. Besides
value and gradient a solver needs the Hessian, which for every loss here is a diagonal minus a
rank-one term, and a certificate needs the conjugate ``l*(g) = sup_f <g, f> - l(f)``.
Every expression is arranged to keep its *relative* accuracy as the loss tends to zero.
"""

from __future__ import annotations

from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

ROUND_OFF = 1e-14  # how far a probability may leave [0, 1] before a dual point is refused


class Loss(Protocol):
    """What the solver asks of a loss with the targets it was made for."""

    shift_invariant: bool  # adding a constant to a column of logits changes nothing

    def value(self, logits: Float[Tensor, "K C"]) -> Float[Tensor, " C"]:
        """The loss of each column."""

    def gradient(self, logits: Float[Tensor, "K C"]) -> Float[Tensor, "K C"]:
        """The derivative of each column's loss by its logits."""

    def hessian(
        self, logits: Float[Tensor, "K C"]
    ) -> tuple[Float[Tensor, "K C"], Float[Tensor, "K C"] | None]:
        """``(d, v)`` with the Hessian ``diag(d_c) - v_c v_c^T`` of column c (no v: diagonal)."""

    def conjugate(self, dual: Float[Tensor, "K C"]) -> Float[Tensor, " C"]:
        """The convex conjugate of each column, infinite outside its domain."""

    def centre(
        self, counts: Float[Tensor, " C"]
    ) -> tuple[Float[Tensor, "K C"], Float[Tensor, " K"]] | None:
        """A point inside the conjugate's domain with count-weighted row sums zero, and how far
        each row's entries are from the domain's edge; ``None`` where the domain is everything.
        """


class SquaredError:
    r"""``mse``: :math:`\tfrac12\|f - t\|^2`.

    Conjugate: :math:`\tfrac12\|g\|^2 + \langle g, t\rangle`.
    """

    shift_invariant = False

    def __init__(self, targets: Float[Tensor, "K C"]) -> None:
        self.targets = targets

    def value(self, logits: Float[Tensor, "K C"]) -> Float[Tensor, " C"]:
        return 0.5 * (logits - self.targets).square().sum(0)

    def gradient(self, logits: Float[Tensor, "K C"]) -> Float[Tensor, "K C"]:
        return logits - self.targets

    def hessian(self, logits: Float[Tensor, "K C"]) -> tuple[Float[Tensor, "K C"], None]:
        return torch.ones_like(logits), None

    def conjugate(self, dual: Float[Tensor, "K C"]) -> Float[Tensor, " C"]:
        return (dual * (0.5 * dual + self.targets)).sum(0)

    def centre(self, counts: Float[Tensor, " C"]) -> None:
        return None


class CrossEntropy:
    r"""``ce`` and ``pal``: :math:`-\sum_k t_k \log \mathrm{softmax}(f)_k`, with s the sum of t.

    Conjugate: :math:`s \sum_k p_k \log p_k` with :math:`p = (t + g)/s` in the probability simplex.
    For multi-hot t this is the pick-all-label loss.
    """

    shift_invariant = True

    def __init__(self, targets: Float[Tensor, "K C"]) -> None:
        self.targets = targets
        self.mass = targets.sum(0)

    def _tail(self, logits: Float[Tensor, "K C"]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Logits less their largest, its row, the other exponentials and their sum."""
        largest, row = logits.max(0, keepdim=True)
        shifted = logits - largest
        others = shifted.exp().scatter_(0, row, 0.0)
        return shifted, row, others, others.sum(0)

    def value(self, logits: Float[Tensor, "K C"]) -> Float[Tensor, " C"]:
        shifted, _, _, tail = self._tail(logits)
        return self.mass * tail.log1p() - (self.targets * shifted).sum(0)

    def gradient(self, logits: Float[Tensor, "K C"]) -> Float[Tensor, "K C"]:
        _, row, others, tail = self._tail(logits)
        # At the largest logit s p - t = (s - t) - s (1 - p): no cancellation when t = s, p -> 1.
        top = self.mass - self.targets.gather(0, row) - self.mass * tail / (1 + tail)
        return (self.mass * others / (1 + tail) - self.targets).scatter_(0, row, top)

    def hessian(
        self, logits: Float[Tensor, "K C"]
    ) -> tuple[Float[Tensor, "K C"], Float[Tensor, "K C"]]:
        p = logits.softmax(0)
        return self.mass * p, self.mass.sqrt() * p

    def conjugate(self, dual: Float[Tensor, "K C"]) -> Float[Tensor, " C"]:
        p = (self.targets + dual) / self.mass
        # Where the whole mass is on one label, p log p from 1 - p, which is known better than p.
        rest = dual / self.mass
        p_log_p = torch.where(
            self.targets == self.mass,
            torch.special.xlog1py(1 + rest, rest.clamp(-1, 0)),
            torch.xlogy(p.clamp(min=0), p.clamp(min=0)),
        )
        outside = ((p < -ROUND_OFF) | (p > 1 + ROUND_OFF)).any(0)
        return (self.mass * p_log_p.sum(0)).masked_fill(outside, torch.inf)

    def centre(
        self, counts: Float[Tensor, " C"]
    ) -> tuple[Float[Tensor, "K C"], Float[Tensor, " K"]]:
        frequencies = self.targets @ counts / (self.mass @ counts)
        return self.mass * frequencies[:, None] - self.targets, self.mass.min() * frequencies


class BinaryCrossEntropy:
    r"""``bce``: :math:`\sum_k -t_k\log\sigma(f_k) - (1-t_k)\log(1-\sigma(f_k))`, summed over k.

    Conjugate: :math:`\sum_k p_k\log p_k + (1-p_k)\log(1-p_k)` with :math:`p = t + g` in [0, 1].
    """

    shift_invariant = False

    def __init__(self, targets: Float[Tensor, "K C"]) -> None:
        self.targets = targets

    def value(self, logits: Float[Tensor, "K C"]) -> Float[Tensor, " C"]:
        softplus = torch.nn.functional.softplus
        # threshold: beyond it torch's softplus is linear; 40 makes that exact in float64
        positive, negative = softplus(-logits, threshold=40), softplus(logits, threshold=40)
        return (self.targets * positive + (1 - self.targets) * negative).sum(0)

    def gradient(self, logits: Float[Tensor, "K C"]) -> Float[Tensor, "K C"]:
        return (1 - self.targets) * logits.sigmoid() - self.targets * (-logits).sigmoid()

    def hessian(self, logits: Float[Tensor, "K C"]) -> tuple[Float[Tensor, "K C"], None]:
        return logits.sigmoid() * (-logits).sigmoid(), None

    def conjugate(self, dual: Float[Tensor, "K C"]) -> Float[Tensor, " C"]:
        # The entropy is symmetric: take the side whose probability is known best.
        p = torch.where(self.targets == 1, -dual, self.targets + dual)
        outside = ((p < -ROUND_OFF) | (p > 1 + ROUND_OFF)).any(0)
        p = p.clamp(0, 1)
        entropy = torch.xlogy(p, p) + torch.special.xlog1py(1 - p, -p)
        return entropy.sum(0).masked_fill(outside, torch.inf)

    def centre(
        self, counts: Float[Tensor, " C"]
    ) -> tuple[Float[Tensor, "K C"], Float[Tensor, " K"]]:
        frequencies = self.targets @ counts / counts.sum()
        return frequencies[:, None] - self.targets, torch.minimum(frequencies, 1 - frequencies)


LOSSES: dict[str, type[SquaredError] | type[CrossEntropy] | type[BinaryCrossEntropy]] = {
    "mse": SquaredError,
    "ce": CrossEntropy,
    "bce": BinaryCrossEntropy,
    "pal": CrossEntropy,
}
