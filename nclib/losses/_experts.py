"""The loss of several experts that share a stem."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from nclib import _check
from nclib._check import Counts
from nclib.losses import _arguments
from nclib.losses._softmax import ldam


def ride(
    scores: Float[Tensor, "N E K"],
    labels: Int[Tensor, " N"],
    counts: Counts,
    *,
    max_margin: float = 0.5,
    scale: float = 30.0,
    diversity: float = 0.2,
    spread: float = 0.05,
    weight: Float[Tensor, " K"] | None = None,
) -> Float[Tensor, ""]:
    r"""LDAM of each expert, less what tells it from their mean, summed over the experts.

    .. math:: \sum_e \Bigl( \mathrm{LDAM}(z_e) - \lambda \bar T^2 \frac1N \sum_i
        \mathrm{KL}(\bar p_i \,\|\, p_{ei}) \Bigr)

    :math:`p_e` is the softmax of :math:`s z_e/T` and :math:`\bar p` that of the mean logits, which
    gets no gradient. The temperatures are 1 without class weights; with them, as deferred
    re-weighting gives them, :math:`T_k \propto 1 + r(K\pi_k - 1)` for the priors
    :math:`\pi_k`, the largest of them 1 and their mean :math:`\bar T`: rare classes are
    diversified the most.

    Args:
        scores: cosines of each expert, not yet scaled.
        labels: class ids.
        counts: training images of each class.
        max_margin: margin of the rarest class.
        scale: s.
        diversity: λ.
        spread: r in [0, 1): how much the temperatures differ.
        weight: of each class in LDAM's mean; None: equal, and temperatures of 1.

    Raises:
        ValueError: if shapes do not fit, a count is below 1, or an option is out of range.

    Source: Wang et al. (2021), RIDE, in the linear form of its released code.

    >>> import torch
    >>> alone = torch.tensor([[[1.0, 0.0]]])  # one expert is its own mean: LDAM is left
    >>> ride(alone, torch.tensor([0]), [16, 1], scale=4.0) == ldam(
    ...     alone[:, 0], torch.tensor([0]), [16, 1], scale=4.0
    ... )
    tensor(True)
    """
    _check.number("diversity", diversity, least=0.0)
    if not 0 <= spread < 1:
        raise ValueError(f"spread is {spread}, expected in [0, 1)")
    if not isinstance(scores, Tensor) or scores.ndim != 3:
        shape = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise ValueError(f"scores must have shape (N, E, K), got {shape}")
    experts, classes = scores.shape[1:]
    rows, labels = _arguments.batch("scores", scores.flatten(1), labels, classes)
    # Every expert sees the same labels: the sum of their means is E times the mean of all.
    total = experts * ldam(
        rows.unflatten(1, (experts, classes)).flatten(0, 1),
        labels.repeat_interleave(experts),
        counts,
        max_margin=max_margin,
        scale=scale,
        weight=weight,
    )
    temperatures = rows.new_ones(classes)
    if weight is not None:
        numbers = _check.counts(counts, classes).to(rows)
        temperatures = 1 + spread * (classes * numbers / numbers.sum() - 1)
        temperatures = temperatures / temperatures.amax()
    logits = scale * rows.unflatten(1, (experts, classes)) / temperatures
    log_p = functional.log_softmax(logits, dim=2)
    mean = functional.log_softmax(logits.detach().mean(1, keepdim=True), dim=2)
    divergence = (mean.exp() * (mean - log_p)).sum((1, 2)).mean()
    return total - diversity * temperatures.mean().square() * divergence
