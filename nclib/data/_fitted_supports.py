r"""A table of label sets from a label distribution: shares of classes, of pairs, of sizes.

Among all distributions over label sets with the given shares the one of largest entropy is taken:
:math:`p_S \propto \exp(\sum_{k \in S} a_k + \sum_{k < l \in S} b_{kl} + c_{|S|})`, an Ising model;
where the share of tail images with a head label is given too, one more number for the sets with a
tail label, and one for those of them with a head label. Whether there is any is decided first, by
a linear program.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import comb
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nclib import _check
from nclib.data._supports import SupportTable, support_table

_MOST = 50_000  # label sets
_EXACT = 1e-9  # the fit ends when shares are met within this
_ROUNDING = 1e-6  # shares are what was asked for within this: they may come in float32


class HeadTail(NamedTuple):
    """How often images with a tail label have a head label too."""

    rate: float  #: Share of the images with a label of the tail that have one of the head, 0 to 1.
    head: Sequence[int]
    tail: Sequence[int]


class InfeasibleError(ValueError):
    """No distribution over label sets has the shares.

    Attributes:
        nearest: shares that one has, of the form that was asked for: the largest change of an entry
            is as small as it can be.
    """

    def __init__(self, message: str, nearest: Float[Tensor, "*K"]) -> None:
        super().__init__(message)
        self.nearest = nearest


def fit_supports(
    num_samples: int,
    shares: Any,
    sizes: Mapping[int, float] | int,
    *,
    head_tail: HeadTail | None = None,
) -> SupportTable:
    r"""The table of a label distribution.

    Args:
        num_samples: images, N.
        shares: (K,) share of the images that show each class; or (K, K) share that show both of
            two classes (co-occurrence), with the classes' own shares on the diagonal.
        sizes: share of the images with m labels, by m, with sum 1; or a number: any sizes from 1 to
            that.
        head_tail: the co-occurrence of head and tail, beside the shares; None: what follows from
            them.

    Returns:
        Label sets with positive counts that sum to N. The shares times N are rounded along the
        table, sizes ascending and lexicographic within one, so that every sum of counts from the
        first on is right to ½: those of sizes to 1, and others are met as well as rounding lets
        them. With ``head_tail`` the sets with labels of tail and head come first in this, then
        others with a tail label, then the rest, and in each of the three those with the same last
        label stand together: the images of the first two are right to ½ and to 1, and rates 0 and 1
        exactly.

    Raises:
        InfeasibleError: (a ValueError) if no distribution has these shares; the message names what
            is changed most in the nearest one that there is.
        ValueError: if shares are not in [0, 1] or not symmetric, sizes are not in 1 .. K or their
            shares do not sum to 1, there are more than 50,000 label sets, the rate is not in
            [0, 1], or head and tail are empty, share a class or have one that is not in 0 .. K − 1.

    Source: Jaynes (1957) for the largest entropy. That not every matrix of co-occurrence can be:
    Pitowsky (1989), the correlation polytope.

    >>> table = fit_supports(100, [0.5, 0.5, 0.5], {1: 0.5, 2: 0.5})
    >>> table.counts.tolist(), (table.supports * table.counts[:, None]).sum(0).tolist()
    ([17, 16, 17, 17, 16, 17], [50, 50, 50])
    >>> try:
    ...     fit_supports(100, [[0.5, 0.5], [0.5, 0.4]], 2)  # both in .5, class 1 in .4
    ... except InfeasibleError as error:
    ...     print(str(error).partition(":")[0])
    no distribution over label sets of 1, 2 labels has these shares
    """
    _check.whole("num_samples", num_samples, least=1)
    target = _checked_shares(shares)
    num_classes = len(target)
    of_size = _checked_sizes(sizes, num_classes)
    total = sum(comb(num_classes, m) for m in of_size)
    if total > _MOST:
        raise ValueError(f"there are {total:,} label sets of these sizes, expected {_MOST:,}")
    sets = [labels for m in of_size for labels in combinations(range(num_classes), m)]
    supports = np.zeros((len(sets), num_classes))
    for row, labels in enumerate(sets):
        supports[row, list(labels)] = 1
    moments, aims, entries = _moments(supports, target)
    fixed, fixed_aims = _fixed(supports.sum(1), sizes)
    order = np.arange(len(sets))
    if head_tail is not None:
        in_tail, in_both = _of_tail(supports, head_tail)
        # Never negative at rates 0 and 1: the sets that they exclude are those where it is not 0.
        excess = in_tail - in_both if head_tail.rate == 1 else in_both - head_tail.rate * in_tail
        fixed, fixed_aims = np.vstack([fixed, excess]), np.append(fixed_aims, 0.0)
        last = np.array([labels[-1] for labels in sets])
        order = np.lexsort((order, last, -in_tail, -in_both))
    some = _nearest(moments, aims, fixed, fixed_aims)
    _check_met(moments @ some, aims, entries, target, list(of_size))
    features = np.vstack([fixed, moments])
    aims = features @ some  # which are met exactly
    excluding = (aims < _EXACT) & (features >= 0).all(1)
    possible = ~(features[excluding] > 0).any(0)
    probabilities = np.zeros(len(sets))
    probabilities[possible] = _largest_entropy(features[:, possible], aims)
    edges = np.floor(num_samples * probabilities[order].cumsum() + 0.5)
    counts = np.empty(len(sets), dtype=np.int64)
    counts[order] = np.diff(edges, prepend=0.0)
    return support_table(torch.from_numpy(supports), torch.from_numpy(counts))


def _checked_shares(shares: Any) -> np.ndarray:
    target = np.asarray(shares.cpu() if isinstance(shares, Tensor) else shares, dtype=np.float64)
    if target.ndim not in (1, 2) or 0 in target.shape or len(set(target.shape)) > 1:
        raise ValueError(f"shares must have shape (K,) or (K, K), got {target.shape}")
    wrong = np.argwhere(~((target >= 0) & (target <= 1)))
    if len(wrong):
        raise ValueError(
            f"shares has {target[tuple(wrong[0])]:g} for {_named(wrong[0])}, expected 0 to 1"
        )
    if target.ndim == 2 and (unequal := np.argwhere(np.abs(target - target.T) > _ROUNDING)).size:
        k, other = unequal[0]
        raise ValueError(
            f"shares has {target[k, other]:g} for classes ({k}, {other}), but "
            f"{target[other, k]:g} for ({other}, {k}): expected a symmetric matrix"
        )
    return target


def _checked_sizes(sizes: Mapping[int, float] | int, num_classes: int) -> range | list[int]:
    if not isinstance(sizes, Mapping):
        _check.whole("sizes", sizes, least=1)
        return range(1, min(sizes, num_classes) + 1)
    for m, share in sizes.items():
        if not 1 <= m <= num_classes:
            raise ValueError(f"sizes has {m} labels, expected 1 to {num_classes}")
        _check.number(f"share of size {m}", share, least=0)
    if abs(sum(sizes.values()) - 1) > _ROUNDING:
        raise ValueError(f"sizes have shares with sum {sum(sizes.values()):g}, expected 1")
    return sorted(sizes)


def _moments(
    supports: np.ndarray, target: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[tuple[int, ...]]]:
    """For each share that is given: the label sets that it counts, itself, and its classes."""
    num_classes = len(target)
    entries: list[tuple[int, ...]] = [(k,) for k in range(num_classes)]
    if target.ndim == 1:
        return supports.T, target, entries
    pairs = list(combinations(range(num_classes), 2))
    both = [supports[:, k] * supports[:, other] for k, other in pairs]
    aims = np.append(target.diagonal(), [target[pair] for pair in pairs])
    return np.vstack([supports.T, *both]), aims, [*entries, *pairs]


def _fixed(sizes_of: np.ndarray, sizes: Mapping[int, float] | int) -> tuple[np.ndarray, np.ndarray]:
    """What holds exactly: the shares of the sizes, or that all shares sum to 1."""
    if not isinstance(sizes, Mapping):
        return np.ones((1, len(sizes_of))), np.ones(1)
    ordered = sorted(sizes)
    return np.stack([sizes_of == m for m in ordered]) * 1.0, np.array([sizes[m] for m in ordered])


def _of_tail(supports: np.ndarray, head_tail: HeadTail) -> tuple[np.ndarray, np.ndarray]:
    """1 for the label sets with a label of the tail, and for those with one of the head too."""
    rate, head, tail = head_tail
    if not 0 <= rate <= 1:
        raise ValueError(f"rate is {rate}, expected 0 to 1")
    for name, classes in (("head", head), ("tail", tail)):
        outside = [k for k in classes if not 0 <= k < supports.shape[1]]
        if outside or not classes:
            raise ValueError(
                f"{name} is {list(classes)}, expected some of the classes 0 to "
                f"{supports.shape[1] - 1}"
            )
    if both := set(head) & set(tail):
        raise ValueError(f"head and tail both have class {min(both)}, expected it in one of them")
    in_tail, in_head = (supports[:, list(classes)].max(1) for classes in (tail, head))
    return in_tail, in_tail * in_head


def _nearest(
    moments: np.ndarray, aims: np.ndarray, fixed: np.ndarray, fixed_aims: np.ndarray
) -> np.ndarray:
    """A distribution that minimises the largest change of a share: a linear program."""
    from scipy import optimize, sparse

    change = sparse.csr_array(-np.ones((len(aims), 1)))
    matrix = sparse.csr_array(moments)
    solved = optimize.linprog(
        np.append(np.zeros(moments.shape[1]), 1.0),
        A_ub=sparse.vstack([sparse.hstack([matrix, change]), sparse.hstack([-matrix, change])]),
        b_ub=np.append(aims, -aims),
        A_eq=sparse.hstack([sparse.csr_array(fixed), sparse.csr_array((len(fixed), 1))]),
        b_eq=fixed_aims,
        method="highs",
    )
    if solved.status != 0:  # it always has a solution
        raise ArithmeticError(f"the linear program of the shares failed: {solved.message}")
    some = solved.x[:-1].clip(min=0)
    return np.asarray(some / some.sum())


def _check_met(
    reached: np.ndarray,
    aims: np.ndarray,
    entries: list[tuple[int, ...]],
    target: np.ndarray,
    sizes: list[int],
) -> None:
    """Refuse shares that the nearest distribution does not have."""
    changes = np.abs(reached - aims)
    if changes.max() <= _ROUNDING:
        return
    nearest = np.zeros_like(target)
    for classes, share in zip(entries, reached, strict=True):
        if target.ndim == 1:
            nearest[classes[0]] = share
        else:
            nearest[classes[0], classes[-1]] = nearest[classes[-1], classes[0]] = share
    worst = [i for i in np.argsort(-changes, kind="stable")[:3] if changes[i] > _ROUNDING]
    text = ", ".join(
        f"{reached[i]:.4g} for {_named(entries[i])} rather than {aims[i]:.4g}" for i in worst
    )
    among = ", ".join(map(str, sizes))
    raise InfeasibleError(
        f"no distribution over label sets of {among} labels has these shares: the nearest has "
        f"{text}",
        torch.from_numpy(nearest),
    )


def _named(classes: Any) -> str:
    """Classes in words."""
    distinct = sorted({int(k) for k in classes})
    return f"{'class' if len(distinct) == 1 else 'classes'} {' and '.join(map(str, distinct))}"


def _largest_entropy(features: np.ndarray, aims: np.ndarray) -> np.ndarray:
    """Newton's method for the dual: log of the normaliser less the aims' multipliers."""

    def evaluate(multipliers: np.ndarray) -> tuple[float, np.ndarray]:
        scores = multipliers @ features
        weights = np.exp(scores - scores.max())
        value = scores.max() + np.log(weights.sum()) - multipliers @ aims
        return float(value), weights / weights.sum()

    multipliers = np.zeros(len(aims))
    value, probabilities = evaluate(multipliers)
    for _ in range(200):
        reached = features @ probabilities
        gradient = reached - aims
        if np.abs(gradient).max() <= _EXACT:
            return probabilities
        hessian = (features * probabilities) @ features.T - np.outer(reached, reached)
        # Features depend on each other linearly, and shares at the border have no curvature left.
        hessian += 1e-13 * np.eye(len(aims))
        step = np.linalg.solve(hessian, gradient)
        length = min(1.0, 5.0 / np.abs(step @ features).max())
        while (trial := evaluate(multipliers - length * step))[0] > value + 1e-14 * abs(
            value
        ) and length > 1e-9:
            length /= 2
        multipliers = multipliers - length * step
        value, probabilities = trial
    raise ArithmeticError(
        f"the shares are met within {np.abs(gradient).max():.1e} alone, expected {_EXACT:.0e}"
    )
