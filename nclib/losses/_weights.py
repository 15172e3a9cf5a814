"""Class weights from the numbers of training images."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from nclib import _check
from nclib._check import Counts


def effective_number_weights(counts: Counts, *, beta: float = 0.9999) -> Float[Tensor, " K"]:
    r"""Weights inverse to the effective numbers of samples.

    .. math:: w_k \propto \frac{1 - \beta}{1 - \beta^{n_k}}

    They sum to K. At β = 0 all are 1; as β goes to 1 they become those of inverse frequency.

    Args:
        counts: training images of each class, n_k.
        beta: β in [0, 1).

    Returns:
        float64, on the device of the counts; the losses here convert them, ``F.cross_entropy``
        wants them in the type of its logits.

    Raises:
        ValueError: if a count is below 1, or ``beta`` not in [0, 1).

    Source: Cui et al. (2019), equations 3 and 4, and the normalisation of their experiments.

    >>> effective_number_weights([1, 2], beta=0.5)  # in proportion 1 : 1/(1 + β)
    tensor([1.2000, 0.8000], dtype=torch.float64)
    """
    _check.number("beta", beta)
    if not 0 <= beta < 1:
        raise ValueError(f"beta is {beta}, expected in [0, 1)")
    numbers = _check.counts(counts).double()
    log_beta = torch.full_like(numbers, beta).log()
    weights = -1 / (numbers * log_beta).expm1()  # 1 − β^n, without cancellation near β = 1
    return weights * (len(weights) / weights.sum())


def inverse_frequency_weights(counts: Counts, *, power: float = 1.0) -> Float[Tensor, " K"]:
    r"""Weights :math:`w_k \propto n_k^{-a}` that sum to K.

    Args:
        counts: training images of each class, n_k.
        power: a.

    Returns:
        float64, on the device of the counts.

    Raises:
        ValueError: if a count is below 1, or ``power`` is negative.

    >>> inverse_frequency_weights([3, 1])
    tensor([0.5000, 1.5000], dtype=torch.float64)
    """
    _check.number("power", power, least=0.0)
    weights = 1 / _check.counts(counts).double() ** power
    return weights * (len(weights) / weights.sum())
