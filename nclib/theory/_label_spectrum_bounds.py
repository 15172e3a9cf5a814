"""Bounds of the multi-label optimum by the spectrum of the label distribution."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.linalg import LinAlgError, cho_solve, cholesky, eigvalsh
from scipy.special import entr, xlog1py

from nclib import _check
from nclib.theory._label_spectrum import (
    LabelSpectrum,
    LabelTable,
    on_contrasts,
    read_labels,
    spectrum_of,
)
from nclib.theory._label_spectrum_balanced import balanced_samples, log_gamma, tangent_entropy
from nclib.ufm import ConvergenceError

GAP = 1e-9  # the largest gap of the best tangents, relative to the bound
ROUND_OFF = 1e-14  # of the value, in a comparison of barriers


def lower_bound(
    labels: Any,
    counts: Any = None,
    *,
    lam_w: float,
    lam_h: float,
    free_bias: bool = False,
    simple: bool = False,
) -> float:
    r"""A lower bound of the pick-all-label optimum by the spectrum of the labels.

    Without a bias each tangent of the loss, one a multiplicity, gives a dual point:

    .. math:: f^* \ge \max_{\gamma_m\in(0,1]} \sum_m\rho_m\, m H_m\bigl(\gamma_m\tfrac{K-m}K\bigr)
        \quad\text{subject to}\quad
        \lambda_{\max}\Bigl(\sum_m\rho_m\gamma_m^2\tilde M_m\Bigr) \le N\lambda_W\lambda_H,

    a concave problem that an interior-point method solves. The value is that of a feasible point,
    hence a bound, and a dual point certifies it within 1e-9. The bound is the optimum where
    :math:`\sum_m\rho_m\gamma_m^2\tilde M_m\propto P` at the γ of ``balanced_optimum``, as with
    isotropic moments; and where all is zero.

    With a free bias the tangents have their mass off S by the class frequencies
    :math:`q = \pi/\bar m`: with :math:`p_S = (1-\delta) y_S/m + \delta q`,

    .. math:: f^*_{free} \ge \sum_S \tfrac{n_S}N\, m_S\,\mathrm{Ent}(p_S), \qquad \delta^2
        = \min\Bigl(1, \frac{N\lambda_W\lambda_H}{\lambda_{\max}(E[(y-mq)(y-mq)^\top])}\Bigr),

    which holds for every other penalty of the bias too.

    Args:
        labels: as for ``label_spectrum``; rows without a label are left out, of N as well.
        counts: as for ``label_spectrum``.
        lam_w: :math:`\lambda_W > 0`, as in ``ufm.solve``.
        lam_h: :math:`\lambda_H > 0`.
        free_bias: bound the model with a bias.
        simple: without a bias, one γ for all multiplicities: the weaker bound in one line,
            :math:`\gamma^2 = \min(1, N\lambda_W\lambda_H/\lambda_{\max}(\tilde M))`.

    Raises:
        ValueError: as ``label_spectrum``, or for penalties out of range.
        TypeError: as ``label_spectrum``.
        ConvergenceError: if the best tangents are not certified.

    Source: this book; the tangents are those of Li et al. (2023), arXiv 2310.15903.

    >>> labels, counts = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]], [9, 4, 1, 2]
    >>> penalties = {"lam_w": 0.02, "lam_h": 0.002}
    >>> low, high = (bound(labels, counts, **penalties) for bound in (lower_bound, upper_bound))
    >>> round(low, 6), round(high, 6)
    (0.308107, 0.323165)
    """
    _check.number("lam_w", lam_w, above=0)
    _check.number("lam_h", lam_h, above=0)
    table = read_labels(labels, counts)
    spectrum = spectrum_of(table)
    # of N lam_w lam_h; a product of the penalties could under- or overflow
    root = math.sqrt(spectrum.samples) * math.sqrt(lam_w) * math.sqrt(lam_h)
    if free_bias:
        return _frequency_bound(table, spectrum, root)
    largest = math.sqrt(spectrum.pooled.kappa_max)
    common = min(1.0, root / largest) if largest > 0 else 1.0
    size, shares = _sizes(spectrum)
    value = float(shares @ tangent_entropy(np.full_like(size, common), spectrum.num_classes, size))
    varied = [entry for entry in spectrum if entry.kappa_max > 0]
    if simple or common == 1 or len(varied) == 1:
        return value
    return _Tangents(spectrum, common, value).best()


def upper_bound(labels: Any, counts: Any = None, *, lam_w: float, lam_h: float) -> float:
    r"""An upper bound of the pick-all-label optimum: that of the balanced labels.

    The optimum is concave in the distribution of the supports. The mean over all permutations of
    the classes therefore has no smaller optimum: it is ``balanced_optimum`` with the same numbers
    of samples :math:`N_m`. A bias only lowers the optimum, so that the bound holds with one.

    Args:
        labels: as for ``label_spectrum``; rows without a label are left out, of N as well.
        counts: as for ``label_spectrum``.
        lam_w: :math:`\lambda_W > 0`, as in ``ufm.solve``.
        lam_h: :math:`\lambda_H > 0`.

    Raises:
        ValueError: as ``label_spectrum``, or for penalties out of range.
        TypeError: as ``label_spectrum``.

    Source: this book.

    >>> round(upper_bound([[1, 0], [0, 1]], [9, 1], lam_w=1.0, lam_h=1.0), 6)  # log 2: all is zero
    0.693147
    """
    spectrum = spectrum_of(read_labels(labels, counts))
    samples = {int(entry.multiplicity): entry.count for entry in spectrum}
    return balanced_samples(spectrum.num_classes, samples, lam_w=lam_w, lam_h=lam_h).objective


def _sizes(spectrum: LabelSpectrum) -> tuple[np.ndarray, np.ndarray]:
    size = np.array([entry.multiplicity for entry in spectrum], dtype=np.float64)
    return size, spectrum.shares.numpy()


def _frequency_bound(table: LabelTable, spectrum: LabelSpectrum, root: float) -> float:
    pooled = spectrum.pooled
    q = (pooled.frequencies / pooled.frequencies.sum()).numpy()
    largest = math.sqrt(float(pooled.covariance_eigenvalues[-1]))
    delta = min(1.0, root / largest) if largest > 0 else 1.0
    off = entr(delta * q)
    total = 0.0
    for m in [int(entry.multiplicity) for entry in spectrum]:
        supports, weights = table.of_size(m)
        inside = q[supports]
        lost = delta * (1 - m * inside)  # the mass of a label of S is (1 - lost)/m
        entropies = (1 - lost) / m * math.log(m) - xlog1py(1 - lost, -lost) / m
        total += m * float(weights @ (off.sum() + (entropies - off[supports]).sum(1)))
    return total / spectrum.samples


class _Tangents:
    """The best γ_m of the lower bound, by an interior-point method.

    In units in which the common γ is 1 and its bound is 1: x = γ/common, and the constraint is
    that the largest eigenvalue of Σ x_m² B_m is at most 1. The log-determinant of what remains,
    and the logarithms of x and of its distance to 1/common, are a self-concordant barrier.
    """

    def __init__(self, spectrum: LabelSpectrum, common: float, value: float) -> None:
        pooled, classes = spectrum.pooled, spectrum.num_classes
        varied = [j for j, entry in enumerate(spectrum) if entry.kappa_max > 0]
        size, shares = _sizes(spectrum)
        self.classes, self.common, self.value = classes, common, value
        self.size, self.shares = size[varied], shares[varied] / value
        self.matrices = np.stack(
            [
                shares[j] / pooled.kappa_max * on_contrasts(spectrum[j].second_moment).numpy()
                for j in varied
            ]
        )
        rest = np.delete(np.arange(len(size)), varied)  # all labels: nothing to choose
        self.constant = float(shares[rest] @ (size[rest] * np.log(size[rest]))) / value
        self.slopes = self.shares * self.size * (classes - self.size) / classes * common

    def best(self) -> float:
        """The bound at the best γ found, once its gap to a dual point is small enough."""
        x, best, gap = np.full(len(self.size), 0.5), 1.0, math.inf
        for weight in 10.0 ** np.arange(0, 15):
            x = self._centre(x, weight)
            best = max(best, self._primal(x))
            gap = min(gap, self._dual(x, weight) - best)
            if gap <= GAP:
                return self.value * best
        raise ConvergenceError(f"the best tangents are known to {gap:.3g} only, not to {GAP:.3g}")

    def _entropies(self, x: np.ndarray) -> float:
        values = tangent_entropy(x * self.common, self.classes, self.size)
        return self.constant + float(self.shares @ values)

    def _primal(self, x: np.ndarray) -> float:
        """The value where the ray through x leaves the feasible set."""
        largest = eigvalsh(np.tensordot(x**2, self.matrices, 1), check_finite=False)[-1]
        return self._entropies(np.minimum(x / math.sqrt(largest), 1 / self.common))

    def _dual(self, x: np.ndarray, weight: float) -> float:
        """An upper bound: the Lagrangian at the multiplier that belongs to x."""
        factor = self._factor(x)
        if factor is None:
            return math.inf
        inverse = cho_solve((factor, True), np.eye(len(factor)), check_finite=False) / weight
        prices = np.tensordot(self.matrices, inverse, 2)
        # each γ_m on its own: the same equation as in balance, u being its price
        logs = log_gamma(
            np.log(2 * prices / self.slopes) - math.log(self.common), self.classes, self.size
        )
        cost = prices @ np.exp(2 * (logs - math.log(self.common)))
        return self._entropies(np.exp(logs) / self.common) - float(cost) + float(inverse.trace())

    def _factor(self, x: np.ndarray) -> np.ndarray | None:
        """The Cholesky factor of what the constraint leaves, None outside."""
        if not ((x > 0) & (x < 1 / self.common)).all():
            return None
        room = np.eye(self.matrices.shape[1]) - np.tensordot(x**2, self.matrices, 1)
        try:
            return cholesky(room, lower=True, check_finite=False)
        except LinAlgError:
            return None

    def _barrier(self, x: np.ndarray, factor: np.ndarray, weight: float) -> float:
        logs = np.log(x) + np.log(1 / self.common - x)
        inside = 2 * np.log(factor.diagonal()).sum() + logs.sum()
        return weight * (self._entropies(x) - 1) + float(inside)

    def _centre(self, x: np.ndarray, weight: float) -> np.ndarray:
        """Newton's steps to the largest weighted value plus barrier."""
        factor = self._factor(x)
        for _ in range(50):
            if factor is None:
                break
            solved = [cho_solve((factor, True), b, check_finite=False) for b in self.matrices]
            pulls = np.array([v.trace() for v in solved])
            crossed = np.array([[(v * w.T).sum() for v in solved] for w in solved])
            gamma, room = x * self.common, 1 / self.common - x
            rest = self.classes - (self.classes - self.size) * gamma  # K(1 - δ)
            slope = weight * self.slopes * np.log(rest / (self.size * gamma))
            gradient = slope - 2 * x * pulls - 1 / room + 1 / x
            curved = weight * self.slopes * self.classes / (x * rest)
            curved = curved + 2 * pulls + (1 / room) ** 2 + 1 / x**2
            step = np.linalg.solve(4 * np.outer(x, x) * crossed + np.diag(curved), gradient)
            gain = float(gradient @ step)
            if gain <= 1e-6:
                break
            value, length = self._barrier(x, factor, weight), 1.0
            while length > 1e-6:
                trial = x + length * step
                new = self._factor(trial)
                if new is not None and (
                    self._barrier(trial, new, weight)
                    >= value + 0.1 * length * gain - ROUND_OFF * weight
                ):
                    break
                length *= 0.5
            else:
                break
            x, factor = trial, new
        return x
