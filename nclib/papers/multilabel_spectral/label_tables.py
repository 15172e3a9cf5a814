"""Label tables: the supports that occur and how many samples have each, and their optima.

The chapters and the checks of the paper's claims share them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import fmean
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nclib import data, metrics
from nclib.papers import _cases
from nclib.theory import label_spectrum

FANO_LINES = ((0, 1, 3), (1, 2, 4), (2, 3, 5), (3, 4, 6), (0, 4, 5), (1, 5, 6), (0, 2, 6))


class LabelTable(NamedTuple):
    """Supports as multi-hot rows, and the samples of each."""

    labels: Float[Tensor, "C K"]
    counts: Float[Tensor, " C"]

    @property
    def samples(self) -> float:
        """N."""
        return float(self.counts.sum())

    @property
    def multiplicities(self) -> Float[Tensor, " C"]:
        """The labels of each support."""
        return self.labels.sum(1)

    @property
    def frequencies(self) -> Float[Tensor, " K"]:
        """π: the share of the samples that have each class."""
        return self.counts @ self.labels / self.counts.sum()


class Optimum(NamedTuple):
    """A certified optimum of the pick-all-label model, row by row as the table has its supports."""

    weight: Float[Tensor, "K P"]
    prototypes: Float[Tensor, "C P"]  # the feature of each support
    bias: Float[Tensor, " K"]
    softmax: Float[Tensor, "C K"]
    residuals: Float[Tensor, "C K"]  # g_S = y_S - m p_S
    objective: float
    rank: int


def make_table(num_classes: int, counts: Mapping[tuple[int, ...], float]) -> LabelTable:
    """A label table from the samples of each support.

    Args:
        num_classes: K.
        counts: samples by support, a tuple of class ids from 0 to K - 1.

    >>> make_table(3, {(0,): 5, (0, 2): 1}).labels
    tensor([[1., 0., 0.],
            [1., 0., 1.]], dtype=torch.float64)
    """
    labels = torch.zeros(len(counts), num_classes, dtype=torch.float64)
    for row, support in zip(labels, counts, strict=True):
        row[list(support)] = 1
    return LabelTable(labels, torch.tensor(list(counts.values()), dtype=torch.float64))


def complete(num_classes: int, support_counts: Mapping[int, float]) -> LabelTable:
    """Every support of the given sizes, those of size m with ``support_counts[m]`` samples each.

    >>> complete(5, {1: 10, 2: 3}).samples
    80.0
    """
    classes = range(num_classes)
    return make_table(
        num_classes,
        {s: n for m, n in support_counts.items() for s in combinations(classes, m)},
    )


def long_tailed(
    num_classes: int, ratio: float, *, pairs: float, largest: float = 100
) -> LabelTable:
    """Singletons in a long tail, and every pair equally often.

    Args:
        num_classes: K.
        ratio: r, of the largest singleton count to the smallest; the counts are geometric.
        pairs: samples of each pair.
        largest: samples of the most frequent singleton.

    >>> long_tailed(5, 16, pairs=2).counts[:5]
    tensor([100.0000,  50.0000,  25.0000,  12.5000,   6.2500], dtype=torch.float64)
    """
    table = complete(num_classes, {1: 1.0, 2: pairs})
    table.counts[:num_classes] = data.long_tail_sizes(num_classes, ratio, largest=largest)
    return table


def coupled(num_classes: int, *, singletons: float, pairs: float) -> LabelTable:
    """Singletons, and the pairs {0, 1}, {2, 3}, ... that share no class (K even).

    >>> coupled(4, singletons=10, pairs=50).counts
    tensor([10., 10., 10., 10., 50., 50.], dtype=torch.float64)
    """
    counts: dict[tuple[int, ...], float] = {(k,): singletons for k in range(num_classes)}
    counts |= {(k, k + 1): pairs for k in range(0, num_classes - 1, 2)}
    return make_table(num_classes, counts)


def fano(*, singletons: float, lines: float) -> LabelTable:
    """The seven lines of the Fano plane as supports of three of seven classes, and singletons."""
    counts: dict[tuple[int, ...], float] = {(k,): singletons for k in range(7)}
    return make_table(7, counts | dict.fromkeys(FANO_LINES, lines))


def zipf(
    num_classes: int, exponent: float, *, largest: float = 100, sizes: Sequence[int] = (1, 2)
) -> LabelTable:
    r"""Supports of independent Zipf classes: a support has counts in proportion to
    :math:`\prod_{k \in S} (k+1)^{-a}`.

    Args:
        num_classes: K.
        exponent: a; 0 is the complete design.
        largest: samples of the most frequent singleton.
        sizes: multiplicities.
    """
    table = complete(num_classes, dict.fromkeys(sizes, 1.0))
    weights = torch.arange(1.0, num_classes + 1, dtype=torch.float64) ** -exponent
    chosen = torch.where(table.labels > 0, weights, 1.0)
    return LabelTable(table.labels, largest * chosen.prod(1))


def dirichlet(
    num_classes: int,
    concentration: float,
    *,
    seed: int,
    samples: int = 1000,
    sizes: Sequence[int] = (1, 2, 3),
) -> LabelTable:
    """Shares of all supports of the given sizes from a symmetric Dirichlet distribution.

    A support has its share of the samples, rounded; what rounds to none is left out. Each
    singleton has one sample more, so that every class occurs and stands alone.

    Args:
        num_classes: K.
        concentration: of the distribution; the smaller, the more uneven are the shares.
        seed: of the shares.
        samples: before rounding.
        sizes: multiplicities.
    """
    table = complete(num_classes, dict.fromkeys(sizes, 1.0))
    rates = np.full(len(table.counts), concentration)
    shares = np.random.default_rng(seed).dirichlet(rates)
    counts = torch.from_numpy(samples * shares).round()
    counts[table.multiplicities == 1] += 1
    return LabelTable(table.labels[counts > 0], counts[counts > 0])


def of_list(name: str) -> LabelTable:
    """The training labels of a real set, one of ``nclib.data.LABEL_LISTS``.

    >>> of_list("voc-lt").samples
    1142.0
    """
    table = data.tabulate(data.label_list(name).labels)
    return LabelTable(table.supports.double(), table.counts.double())


def random_table(generator: torch.Generator, *, largest: int = 6) -> LabelTable:
    """Random supports of one to three labels, and counts from an exponential distribution.

    Every class occurs. The number of classes is 3 to ``largest``.
    """

    def below(bound: int) -> int:
        return int(torch.randint(bound, (), generator=generator))

    k = 3 + below(largest - 2)
    supports: list[tuple[int, ...]] = [(label,) for label in range(k)]
    for m in (2, 3):
        if m < k:
            every = list(combinations(range(k), m))
            order = torch.randperm(len(every), generator=generator).tolist()
            supports += [every[i] for i in order[: below(len(every) + 1)]]
    uniform = torch.rand(len(supports), generator=generator, dtype=torch.float64)
    counts = 1 - 100 * torch.log1p(-uniform)
    return make_table(k, dict(zip(supports, counts.tolist(), strict=True)))


def optimum(table: LabelTable, *, lam_w: float, lam_h: float, lam_b: float = math.inf) -> Optimum:
    """The certified pick-all-label optimum of a table (:func:`nclib.ufm.solve`)."""
    best = _cases.solve_to_gap(
        table.labels.T, table.counts, lam_w=lam_w, lam_h=lam_h, lam_b=lam_b, loss="pal"
    )
    softmax = (best.means @ best.weight.T + best.bias).softmax(1)
    residuals = table.labels - table.multiplicities[:, None] * softmax
    return Optimum(
        best.weight, best.means, best.bias, softmax, residuals, best.objective, best.rank
    )


def one_level_bound(table: LabelTable, kappa: float, *, lam_w: float, lam_h: float) -> float:
    r"""The tangent bound with one residual level for all, :math:`\min(1, \theta/\sqrt{N\kappa})`.

    A lower bound of the optimum without a bias for :math:`\kappa = \kappa^{\max}` of the pooled
    moment. What the same formula gives for :math:`\kappa^{\min}` is none, as the chapter shows.
    """
    size, share = table.multiplicities, table.counts / table.counts.sum()
    num_classes = table.labels.shape[1]
    level = math.inf if kappa <= 0 else math.sqrt(table.samples * lam_w * lam_h / kappa)
    off = min(1.0, level) * (num_classes - size) / num_classes
    others = (num_classes - size).clamp(min=1)
    entropy = torch.xlogy(off, others / off.clamp(min=1e-300))
    entropy += torch.xlogy(1 - off, size / (1 - off))
    return float(share @ (size * entropy))


def gram_deviations(
    table: LabelTable, *, samples: int, draws: int, lam: float, generator: torch.Generator
) -> dict[str, list[float]]:
    r"""How much :math:`WW^\top` varies when the labels are drawn again from the table.

    Args:
        table: its counts in proportion are the distribution.
        samples: N, drawn with replacement.
        draws: how often.
        lam: :math:`\lambda_W = N\lambda_H`; there is no bias.
        generator: of the draws.

    Returns:
        For each draw the relative deviations from the optimum of the distribution: of the whole
        matrix (Frobenius), and of its entries along the weakest and the strongest contrast of the
        labels.
    """
    share = table.counts / table.counts.sum()

    def gram(labels: Tensor, counts: Tensor) -> Tensor:
        drawn = LabelTable(labels, counts)
        weight = optimum(drawn, lam_w=lam, lam_h=lam / drawn.samples).weight
        return weight @ weight.T

    expected = gram(table.labels, samples * share)
    weak, strong = extreme_contrasts(table)
    deviations: dict[str, list[float]] = {"whole": [], "weakest": [], "strongest": []}
    for _ in range(draws):
        rows = torch.multinomial(share, samples, replacement=True, generator=generator)
        counts = rows.bincount(minlength=len(share)).to(share)
        present = counts > 0
        other = gram(table.labels[present], counts[present])
        deviations["whole"].append(float((other - expected).norm() / expected.norm()))
        for name, v in (("weakest", weak), ("strongest", strong)):
            deviations[name].append(abs(float((v @ other @ v) / (v @ expected @ v)) - 1))
    return deviations


def gram_variation(
    table: LabelTable, *, samples: int, draws: int, lam: float, generator: torch.Generator
) -> dict[str, float]:
    """Means over the draws of :func:`gram_deviations`, with the same arguments."""
    deviations = gram_deviations(table, samples=samples, draws=draws, lam=lam, generator=generator)
    return {name: fmean(values) for name, values in deviations.items()}


def extreme_contrasts(table: LabelTable) -> tuple[Float[Tensor, " K"], Float[Tensor, " K"]]:
    """The unit contrasts with the least and the largest second moment of the labels."""
    moment = label_spectrum(table.labels, table.counts).pooled.centred_moment
    ones = torch.ones_like(moment) / len(moment)
    # The ones are lifted above every contrast.
    vectors = torch.linalg.eigh(moment + (moment.trace() + 1) * ones).eigenvectors
    return vectors[:, 0], vectors[:, -2]


def tag_wise_cosines(
    table: LabelTable, prototypes: Float[Tensor, "C P"], *, rule: str = "uniform"
) -> list[float]:
    """Cosine of each prototype of several labels with what a rule makes of the singletons'.

    Args:
        table: with every singleton among its supports.
        prototypes: one a support, in the order of the table.
        rule: of the singletons alone, as :func:`nclib.metrics.synthesis_fits` names it.
    """
    fits = metrics.synthesis_fits(prototypes, table.labels, counts=table.counts)
    return fits[rule].cosines.tolist()
