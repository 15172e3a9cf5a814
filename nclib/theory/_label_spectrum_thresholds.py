"""Penalties from which multi-label classes collapse, and how far prototypes may move."""

from __future__ import annotations

import math
from typing import Any

from jaxtyping import Float
from torch import Tensor

from nclib import _check
from nclib.theory._label_spectrum import label_spectrum


def trivial_threshold(labels: Any, counts: Any = None, *, free_bias: bool = False) -> float:
    r"""The product :math:`\lambda_W\lambda_H` from which on weight and features are zero.

    Of the pick-all-label model, ``ufm.solve(loss="pal")``: zero is optimal if and only if

    .. math:: \lambda_{\max}(\tilde M) \le N\lambda_W\lambda_H \quad\text{(no bias)}, \qquad
        \lambda_{\max}\bigl(E[(y - mq)(y - mq)^\top]\bigr) \le N\lambda_W\lambda_H
        \quad\text{(free bias)},

    with the moments of all samples pooled and the class frequencies :math:`q = \pi/\bar m`.

    Args:
        labels: as for ``label_spectrum``.
        counts: as for ``label_spectrum``.
        free_bias: of the model with a bias that costs nothing.

    Raises:
        ValueError: as ``label_spectrum``.
        TypeError: as ``label_spectrum``.

    Source: this book.

    >>> labels, counts = [[1, 0], [0, 1]], [90, 10]
    >>> round(100 * trivial_threshold(labels, counts), 9)
    0.5
    >>> round(100 * trivial_threshold(labels, counts, free_bias=True), 9)
    0.18
    """
    pooled = label_spectrum(labels, counts).pooled
    values = pooled.covariance_eigenvalues if free_bias else pooled.eigenvalues
    return float(values[-1]) / pooled.count


def merging_thresholds(labels: Any, counts: Any = None) -> Float[Tensor, "K K"]:
    r"""For each two classes, the product :math:`\lambda_W\lambda_H` below which they stay distinct.

    Without a bias: if the rows :math:`w_i = w_j` of an optimal classifier agree, then
    :math:`\tfrac12 E(y_i - y_j)^2 \le N\lambda_W\lambda_H`. Below all thresholds the rows are
    therefore distinct (no minority collapse); :math:`\kappa^{\min}/N`, of the pooled moment, is
    below all of them. A free bias may break this. Where the two classes are exchangeable the
    threshold is exact with any bias.

    Args:
        labels: as for ``label_spectrum``.
        counts: as for ``label_spectrum``.

    Returns:
        (K, K), :math:`\tfrac1{2N} E(y_i - y_j)^2`; zeros on the diagonal.

    Raises:
        ValueError: as ``label_spectrum``.
        TypeError: as ``label_spectrum``.

    Source: this book; for one label a sample, minority collapse is Fang et al. (2021).

    >>> round(100 * float(merging_thresholds([[1, 0], [0, 1]], [90, 10])[0, 1]), 9)
    0.5
    """
    pooled = label_spectrum(labels, counts).pooled
    pi = pooled.frequencies
    return (0.5 * (pi[:, None] + pi) - pooled.second_moment) / pooled.count


def stability_bound(first_error: float, second_error: float, kappa_min: float) -> float:
    r"""How far two tag-wise fits of prototypes can be from one another.

    If :math:`E\|h_S - U\tilde y_S\|^2 \le \varepsilon^2` and the same of :math:`U'` with
    :math:`\varepsilon'`, the expectation being over samples with m labels, then

    .. math:: \|(U - U')P\|_F \le \frac{\varepsilon + \varepsilon'}{\sqrt{\kappa_m^{\min}}} .

    Args:
        first_error: ε, not negative.
        second_error: ε', not negative.
        kappa_min: :math:`\kappa_m^{\min}`, not negative.

    Returns:
        The bound; inf where ``kappa_min`` is zero and some contrast is in no label.

    Raises:
        ValueError: if an argument is negative or not finite.
        TypeError: if an argument is no number.

    Source: this book.

    >>> stability_bound(0.25, 0.5, 0.25)
    1.5
    """
    _check.number("first_error", first_error, least=0)
    _check.number("second_error", second_error, least=0)
    _check.number("kappa_min", kappa_min, least=0)
    if kappa_min == 0:
        return math.inf
    return (first_error + second_error) / math.sqrt(kappa_min)
