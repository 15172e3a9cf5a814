"""The distribution of label sets, and the spectrum of its second moments."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from scipy.linalg import eigvalsh
from torch import Tensor

from nclib import _check


@dataclass(frozen=True, eq=False)
class LabelMoment:
    r"""The second moment of multi-hot labels, and its spectrum across the contrasts.

    Contrasts are the directions :math:`v \perp 1`, and :math:`P = I - 11^\top/K` projects onto
    them. The :math:`\kappa` are extreme eigenvalues there of :math:`\tilde M = P M P`.
    """

    multiplicity: float  # m, labels a sample; the mean of m where multiplicities are pooled
    count: float  # samples
    second_moment: Float[Tensor, "K K"]  # M = E[y yᵀ], not centred: its diagonal is π
    kappa_balanced: float  # m(K - m)/(K(K - 1)); the mean over the samples where pooled

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.second_moment)

    @property
    def frequencies(self) -> Float[Tensor, " K"]:
        """The share π of the samples that have each class; it sums to the multiplicity."""
        return self.second_moment.diagonal()

    @property
    def centred_moment(self) -> Float[Tensor, "K K"]:
        r""":math:`\tilde M = P M P = E[\tilde y \tilde y^\top]`, with :math:`\tilde y = Py`."""
        return _project(self.second_moment, torch.full_like(self.frequencies, 1 / self.num_classes))

    @property
    def covariance(self) -> Float[Tensor, "K K"]:
        r""":math:`E[(y - mq)(y - mq)^\top]`, with the class frequencies :math:`q = \pi/\bar m`.

        For one multiplicity this is the covariance :math:`M - \pi\pi^\top` of the labels.
        """
        return _project(self.second_moment, self.frequencies / self.frequencies.sum())

    @property
    def trace(self) -> float:
        r"""The trace of :math:`\tilde M`.

        Under every distribution of supports it is :math:`m(K - m)/K` (its mean where pooled):
        the trace identity of this book.
        """
        moment = self.second_moment
        return float(moment.trace() - moment.sum() / len(moment))

    @cached_property
    def eigenvalues(self) -> Float[Tensor, " M"]:
        r"""The K - 1 eigenvalues of :math:`\tilde M` across the contrasts, ascending."""
        return self._across_contrasts(self.second_moment)

    @property
    def kappa_min(self) -> float:
        r""":math:`\kappa^{\min}`, of the weakest contrast."""
        return float(self.eigenvalues[0])

    @property
    def kappa_max(self) -> float:
        r""":math:`\kappa^{\max}`, of the strongest contrast."""
        return float(self.eigenvalues[-1])

    @property
    def kappa_hat(self) -> float:
        r""":math:`\kappa^{\min}/\kappa^{bal}`, from 0 to 1; nan if every sample has all labels."""
        return self.kappa_min / self.kappa_balanced if self.kappa_balanced > 0 else math.nan

    @cached_property
    def covariance_eigenvalues(self) -> Float[Tensor, " M"]:
        """The K - 1 eigenvalues of ``covariance`` across the contrasts, ascending."""
        return self._across_contrasts(self.covariance)

    @property
    def covariance_kappa_min(self) -> float:
        r""":math:`\kappa^{\min}` of the covariance, at most that of the moment."""
        return float(self.covariance_eigenvalues[0])

    def is_isotropic(self, tol: float = 1e-9) -> bool:
        r"""Whether :math:`\tilde M = \kappa^{bal} P`: no contrast is weaker than another.

        ``tol`` is the largest difference of two eigenvalues, relative to :math:`\kappa^{bal}`.
        """
        return self.kappa_max - self.kappa_min <= tol * self.kappa_balanced

    def _across_contrasts(self, matrix: Float[Tensor, "K K"]) -> Float[Tensor, " K-1"]:
        if self.kappa_balanced == 0:  # every sample has all labels, and rounding none
            return matrix.new_zeros(len(matrix) - 1)
        values = eigvalsh(on_contrasts(matrix).numpy(), check_finite=False)
        return torch.from_numpy(values).clamp(min=0)


class LabelSpectrum(tuple[LabelMoment, ...]):
    """One ``LabelMoment`` a multiplicity, in ascending order, and what they have in common."""

    num_classes: int  # K
    skipped: float  # samples without a label, which are left out
    absent: tuple[int, ...]  # classes that no sample has

    @property
    def samples(self) -> float:
        """Samples that have a label, N in number."""
        return sum(moment.count for moment in self)

    @property
    def shares(self) -> Float[Tensor, " J"]:
        r""":math:`\rho_m = N_m/N`, one a multiplicity."""
        counts = torch.tensor([moment.count for moment in self], dtype=torch.float64)
        return counts / counts.sum()

    @cached_property
    def pooled(self) -> LabelMoment:
        r"""The moment of all samples, :math:`M = \sum_m\rho_m M_m`."""
        shares = self.shares.tolist()
        moment = torch.zeros_like(self[0].second_moment)
        for share, entry in zip(shares, self, strict=True):
            moment += share * entry.second_moment
        return LabelMoment(
            multiplicity=math.fsum(s * e.multiplicity for s, e in zip(shares, self, strict=True)),
            count=self.samples,
            second_moment=moment,
            kappa_balanced=math.fsum(
                s * e.kappa_balanced for s, e in zip(shares, self, strict=True)
            ),
        )


def label_spectrum(labels: Any, counts: Any = None) -> LabelSpectrum:
    r"""Second moments of multi-hot labels by multiplicity, and their spectra.

    The samples with m labels have the second moment :math:`M_m = E[yy^\top]` and the centred one
    :math:`\tilde M_m = P M_m P`, whose trace is :math:`m(K-m)/K` under every distribution of the
    supports. Hence

    .. math:: \kappa_m^{\min} \le \kappa_m^{bal} = \frac{m(K-m)}{K(K-1)} \le \kappa_m^{\max},

    with equality only if :math:`\tilde M_m = \kappa_m^{bal} P` (isotropy), as in complete balance.
    The time is linear in the pairs of labels that samples have in common with themselves, and no
    dense (N, K) matrix is made of a sparse one.

    Args:
        labels: (N, K) zeros and ones, one row a sample: a tensor, an array, lists, or a scipy
            sparse matrix. With ``counts``: (C, K), one row a support, each support once.
        counts: (C,), the samples of each support, any positive numbers.

    Returns:
        A tuple of ``LabelMoment`` in ascending order of multiplicity. Rows without a label are
        skipped: ``.skipped`` counts their samples. ``.absent`` names classes that nobody has,
        and ``.pooled`` is the moment of all samples. Where m = K every κ is 0 and κ̂ is nan.

    Raises:
        ValueError: if labels are no matrix of zeros and ones with K at least 2, no row has a
            label, a support is given twice, or counts are not positive or are probabilities.
        TypeError: for what is no array of numbers.

    Source: this book. The abstract of Ma, Yang, Li and Hui (2026), arXiv 2605.01897, calls κ the
    weakest centred contrast; two readings are here, ``kappa_min`` and ``covariance_kappa_min``.

    >>> lines = [[0, 1, 3], [1, 2, 4], [2, 3, 5], [3, 4, 6], [0, 4, 5], [1, 5, 6], [0, 2, 6]]
    >>> labels = torch.zeros(7, 7).scatter(1, torch.tensor(lines), 1)  # the Fano plane
    >>> [moment] = label_spectrum(labels)
    >>> moment.multiplicity, moment.count, moment.is_isotropic(), round(moment.kappa_min, 9)
    (3, 7, True, 0.285714286)
    """
    return spectrum_of(read_labels(labels, counts))


class LabelTable(NamedTuple):
    """Labels that have been checked: rows with a label, and the samples that each stands for."""

    rows: Any  # (C, K) scipy CSR of ones, in float64
    counts: np.ndarray  # (C,), float64
    multiplicities: np.ndarray  # (C,), labels a row
    skipped: float  # samples of rows without a label

    def of_size(self, m: int) -> tuple[np.ndarray, np.ndarray]:
        """The supports with m labels, (n, m) class ids in ascending order, and their counts."""
        chosen = np.flatnonzero(self.multiplicities == m)
        starts = self.rows.indptr[chosen].astype(np.int64)
        return self.rows.indices[starts[:, None] + np.arange(m)], self.counts[chosen]


def spectrum_of(table: LabelTable) -> LabelSpectrum:
    """``label_spectrum`` of labels that have been checked."""
    num_classes = table.rows.shape[1]
    entries = []
    for m in np.unique(table.multiplicities).tolist():
        supports, weights = table.of_size(m)
        total = float(weights.sum())
        moment = torch.from_numpy(_co_occurrence(supports, weights, num_classes)) / total
        balanced = m * (num_classes - m) / (num_classes * (num_classes - 1))
        entries.append(LabelMoment(m, _plain(total), moment, balanced))
    spectrum = LabelSpectrum(entries)
    spectrum.num_classes = num_classes
    spectrum.skipped = _plain(table.skipped)
    has = np.bincount(table.rows.indices, minlength=num_classes)
    spectrum.absent = tuple(np.flatnonzero(has == 0).tolist())
    return spectrum


def read_labels(labels: Any, counts: Any = None) -> LabelTable:
    """Check labels and counts, and drop rows without a label; every message says what is wrong."""
    rows = _check.sparse_multi_hot("labels", labels)
    if rows.shape[1] < 2:
        raise ValueError(f"labels must have at least 2 classes (columns), got {rows.shape[1]}")
    weights = np.ones(rows.shape[0]) if counts is None else _counts(counts, rows.shape[0])
    multiplicities = np.diff(rows.indptr)
    labelled = multiplicities > 0
    if not labelled.any():
        raise ValueError(f"labels must have a row with a label, got {len(weights)} without any")
    skipped = float(weights[~labelled].sum())
    if not labelled.all():
        rows, weights, multiplicities = rows[labelled], weights[labelled], multiplicities[labelled]
    table = LabelTable(rows, weights, multiplicities, skipped)
    if counts is not None:
        _check_distinct(table, np.flatnonzero(labelled))
    return table


def _counts(counts: Any, size: int) -> np.ndarray:
    """Counts in float64, once they are known to be positive and no probabilities."""
    try:
        values = np.asarray(counts.detach().cpu() if isinstance(counts, Tensor) else counts)
    except ValueError:
        raise TypeError(f"counts must be a vector of numbers, got {counts!r}") from None
    if values.dtype.kind not in "iuf":
        raise TypeError(f"counts must be numbers, got {values.dtype}")
    if values.shape != (size,):
        raise ValueError(
            f"counts must have one entry a row of labels, shape ({size},), got {values.shape}"
        )
    wrong = np.flatnonzero(~((values > 0) & np.isfinite(values)))
    if len(wrong):
        row = int(wrong[0])
        raise ValueError(f"counts must be positive and finite, got {values[row]} for row {row}")
    values = values.astype(np.float64)
    if len(values) > 1 and abs(values.sum() - 1) <= 1e-6:
        raise ValueError(
            "counts sum to 1, as probabilities do: multiply them by the number of samples"
        )
    return values


def _check_distinct(table: LabelTable, names: np.ndarray) -> None:
    """Refuse a support that stands in two rows, which ``names`` numbers."""
    for m in np.unique(table.multiplicities).tolist():
        supports, _ = table.of_size(m)
        _, first, inverse = np.unique(supports, axis=0, return_index=True, return_inverse=True)
        earlier = first[inverse.ravel()]
        again = np.flatnonzero(earlier != np.arange(len(supports)))
        if len(again):
            row = int(again[0])
            rows = names[table.multiplicities == m][[earlier[row], row]].tolist()
            raise ValueError(
                f"each support must be given once, but rows {rows[0]} and {rows[1]} both are "
                f"{tuple(supports[row].tolist())}"
            )


def _co_occurrence(supports: np.ndarray, weights: np.ndarray, num_classes: int) -> np.ndarray:
    """How many samples have each pair of classes, (K, K), from (n, m) supports."""
    first, second = np.triu_indices(supports.shape[1])
    pairs = np.zeros(num_classes**2)
    # as many pairs at once as the matrix has entries: linear time, and little memory
    step = max(1, max(num_classes**2, 2**16) // len(first))
    for start in range(0, len(supports), step):
        rows = supports[start : start + step].astype(np.int64)
        codes = rows[:, first] * num_classes + rows[:, second]
        repeated = np.repeat(weights[start : start + step], len(first))
        pairs += np.bincount(codes.ravel(), repeated, minlength=num_classes**2)
    upper = pairs.reshape(num_classes, num_classes)
    return upper + np.triu(upper, 1).T


def _plain(value: float) -> float:
    """An int where the number is whole."""
    return int(value) if float(value).is_integer() else value


def _project(matrix: Float[Tensor, "K K"], centre: Float[Tensor, " K"]) -> Float[Tensor, "K K"]:
    r""":math:`A M A^\top` with :math:`A = I - c 1^\top`."""
    sums = matrix.sum(0)
    crossed = centre[:, None] * sums
    return matrix - crossed - crossed.T + sums.sum() * centre[:, None] * centre


def on_contrasts(matrix: Float[Tensor, "K K"]) -> Float[Tensor, "K-1 K-1"]:
    """A symmetric matrix in an orthonormal basis of the contrasts.

    The basis is the reflection that takes the first axis to the ones, less its first column.
    """
    size = len(matrix)
    # (I - vvᵀ) e_1 = -1/√K, with v = (e_1 + 1/√K) / √(1 + 1/√K)
    v = torch.full((size,), 1 / math.sqrt(size), dtype=matrix.dtype)
    v[0] += 1
    v = v / math.sqrt(1 + 1 / math.sqrt(size))
    image = matrix @ v
    crossed = v[:, None] * image
    reflected = matrix - crossed - crossed.T + (v @ image) * v[:, None] * v
    return reflected[1:, 1:]
