"""What holds at every critical point of the multi-label model, and in its terminal limit."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from nclib import _check
from nclib.theory._label_spectrum import on_contrasts, read_labels, spectrum_of


class SynthesisResiduals(NamedTuple):
    """How far a point is from each identity, relative to both its sides; 0 at a critical point."""

    prototypes: float  # h_S = Wᵀ r_S / (N lam_h)
    weight: float  # w_k = Σ_T n_T r_Tk h_T / (N lam_w)
    balance: float  # lam_w WᵀW = lam_h Σ_T n_T h_T h_Tᵀ
    synthesis: float  # h_S = Σ_T n_T ⟨r_T, r_S⟩ h_T / (N² lam_w lam_h)
    least: float  # eigenvalue across the contrasts of Σ_T n_T r_T r_Tᵀ / (N² lam_w lam_h)
    largest: float  # eigenvalue of the same: at most 1 at a global optimum


def synthesis_residuals(
    weight: Float[Tensor, "K P"],
    means: Float[Tensor, "C P"],
    labels: Any,
    counts: Any,
    *,
    lam_w: float,
    lam_h: float,
    bias: Float[Tensor, " K"] | None = None,
) -> SynthesisResiduals:
    r"""Identities of prototypes and classifier at a critical point of the pick-all-label model.

    With the residuals :math:`r_S = y_S - m\,\mathrm{softmax}(W h_S + b)` every critical point has

    .. math:: h_S = \frac{W^\top r_S}{N\lambda_H}, \qquad
        w_k = \sum_T \frac{n_T r_{T,k}}{N\lambda_W} h_T, \qquad
        h_S = \sum_T \frac{n_T\langle r_T, r_S\rangle}{N^2\lambda_W\lambda_H}\, h_T .

    The last is an exact synthesis of each prototype from all, weighted by their counts. At a
    global optimum :math:`\sum_S n_S r_S r_S^\top \preceq N^2\lambda_W\lambda_H P`, with equality
    (isotropic residuals, ``least`` and ``largest`` being 1) if W has rank K − 1.

    Args:
        weight: (K, P), W.
        means: (C, P), one prototype a support.
        labels: (C, K), as for ``label_spectrum``, every row with a label.
        counts: (C,), the samples of each support.
        lam_w: :math:`\lambda_W > 0`, as in ``ufm.solve``.
        lam_h: :math:`\lambda_H > 0`.
        bias: (K,), b; none by default.

    Raises:
        ValueError: as ``label_spectrum``; if shapes disagree or a support is empty.
        TypeError: as ``label_spectrum``.

    Source: this book.

    >>> from nclib import ufm
    >>> penalties = {"lam_w": 0.01, "lam_h": 0.001}
    >>> best = ufm.solve(torch.eye(3), [9, 4, 2], lam_b=torch.inf, loss="pal", **penalties)
    >>> point = synthesis_residuals(best.weight, best.means, torch.eye(3), [9, 4, 2], **penalties)
    >>> point.synthesis < 1e-4, round(point.least, 4), round(point.largest, 4)
    (True, 1.0, 1.0)
    """
    _check.number("lam_w", lam_w, above=0)
    _check.number("lam_h", lam_h, above=0)
    table = read_labels(labels, counts)
    classes = table.rows.shape[1]
    if table.skipped:
        raise ValueError(f"every support must have a label, got {table.skipped:g} samples without")
    shapes = (tuple(weight.shape), tuple(means.shape))
    if shapes != ((classes, weight.shape[-1]), (len(table.counts), weight.shape[-1])):
        raise ValueError(
            f"weight and means must have shapes ({classes}, P) and ({len(table.counts)}, P), got "
            f"{shapes[0]} and {shapes[1]}"
        )
    weight, means = weight.double(), means.double()
    y, n = torch.from_numpy(table.rows.toarray()), torch.from_numpy(table.counts)
    logits = means @ weight.T + (0 if bias is None else bias.double())
    residuals = y - y.sum(1, keepdim=True) * logits.softmax(1)
    total = float(n.sum())
    weighted = n[:, None] * residuals
    isotropy = residuals.T @ weighted / (total * lam_w) / (total * lam_h)
    values = torch.linalg.eigvalsh(on_contrasts(isotropy))
    return SynthesisResiduals(
        prototypes=_relative(means, residuals @ weight / (total * lam_h)),
        weight=_relative(weight, weighted.T @ means / (total * lam_w)),
        balance=_relative(lam_w * weight.T @ weight, lam_h * means.T @ (n[:, None] * means)),
        synthesis=_relative(
            means, residuals @ (weighted.T @ means) / (total * lam_w) / (total * lam_h)
        ),
        least=float(values[0]),
        largest=float(values[-1]),
    )


def _relative(left: Tensor, right: Tensor) -> float:
    scale = float(left.norm() + right.norm())
    return float((left - right).norm()) / scale if scale > 0 else 0.0


class TerminalGrams(NamedTuple):
    """Gram matrices in the limit of vanishing penalties, each of unit Frobenius norm."""

    weight: Float[Tensor, "K K"]  # W Wᵀ
    means: Float[Tensor, "C C"]  # H Hᵀ, of the prototypes of the supports
    excess: float  # the largest residual of a label off its support: valid if it is negative


def terminal_grams(labels: Any, counts: Any, *, free_bias: bool = False) -> TerminalGrams:
    r"""Gram matrices of the pick-all-label optimum as the penalties vanish.

    With the labels centred, :math:`x_S = P y_S` without a bias and :math:`x_S = P(y_S - \pi)` with
    a free one, and :math:`\Gamma = \sum_S n_S x_S x_S^\top`,

    .. math:: WW^\top \propto \Gamma^{1/2}, \qquad
        \langle h_S, h_T\rangle \propto x_S^\top\Gamma^{-1/2} x_T, \qquad h_S \propto B x_S,

    with one matrix B, provided that the residual :math:`r_S \propto \Gamma^{-1/2} x_S` is negative
    for every label off S (inverses across the contrasts that the labels have). The limit is reached
    slowly, like a ratio of logarithms of the penalties.

    Args:
        labels: (C, K), as for ``label_spectrum``, every row with a label.
        counts: (C,), the samples of each support.
        free_bias: of the model with a bias that costs nothing.

    Raises:
        ValueError: as ``label_spectrum``; if a support is empty or every sample has all labels.
        TypeError: as ``label_spectrum``.

    Source: this book; for one label a sample Thrampoulidis et al. (2022), arXiv 2208.05512.

    >>> grams = terminal_grams([[1, 0], [0, 1]], [9, 1])
    >>> [[round(x, 9) for x in row] for row in grams.weight.tolist()]
    [[0.5, -0.5], [-0.5, 0.5]]
    """
    table = read_labels(labels, counts)
    if table.skipped:
        raise ValueError(f"every support must have a label, got {table.skipped:g} samples without")
    pooled = spectrum_of(table).pooled
    if pooled.kappa_balanced == 0:
        raise ValueError("labels must differ from one another: every sample has all of them")
    rows = torch.from_numpy(table.rows.toarray())
    centred = rows - pooled.frequencies if free_bias else rows
    centred = centred - centred.mean(1, keepdim=True)
    counted = torch.from_numpy(table.counts / table.counts.sum())
    values, vectors = torch.linalg.eigh(centred.T @ (counted[:, None] * centred))
    there = values > values[-1] * len(values) * torch.finfo(values.dtype).eps
    values, vectors = values[there], vectors[:, there]
    inverse_root = (vectors / values.sqrt()) @ vectors.T
    residuals = centred @ inverse_root
    means = residuals @ centred.T
    weight = (vectors * values.sqrt()) @ vectors.T
    excess = residuals.masked_fill(rows == 1, -torch.inf).max() / residuals.abs().max()
    return TerminalGrams(weight / weight.norm(), means / means.norm(), float(excess))
