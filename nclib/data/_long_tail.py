"""Long-tailed subsets of balanced data sets, image for image those of the field (LDAM, 2019)."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from nclib import _check
from nclib._names import unknown
from nclib.data._info import Dataset, Split

#: Shapes of the imbalance: an exponential profile, or two levels.
LONG_TAIL_KINDS = ("exp", "step")


def long_tail_sizes(
    num_classes: int, ratio: float, *, largest: float = 1.0
) -> Float64[Tensor, " K"]:
    r"""Class sizes of the exponential profile as real numbers, the largest class first.

    Args:
        num_classes: K, at least 1.
        ratio: r, of the largest to the smallest.
        largest: :math:`n_{\max}`, such as 1 for shares of it.

    >>> long_tail_sizes(3, 100)
    tensor([1.0000, 0.1000, 0.0100], dtype=torch.float64)
    """
    steps = torch.arange(num_classes, dtype=torch.float64) / max(num_classes - 1, 1)
    return largest * ratio**-steps


def long_tail_counts(num_classes: int, n_max: int, ratio: float, kind: str = "exp") -> list[int]:
    r"""Images of each class in a long-tailed training set, the largest class first.

    ``"exp"``: :math:`n_k = \lfloor n_{\max}\, r^{-(k-1)/(K-1)} \rfloor` for k from 1; ``"step"``:
    the first ``K // 2`` classes have :math:`n_{\max}`, the others
    :math:`\lfloor n_{\max} / r \rfloor`. Truncated, never rounded: rounding gives CIFAR-10-LT at
    ratio 100 two images more.

    Args:
        num_classes: K, at least 1.
        n_max: images of the largest class.
        ratio: r, size of the largest class over that of the smallest, at least 1. Truncation may
            raise the ratio that results: 250 for CIFAR-100-LT at 200.
        kind: ``"exp"`` or ``"step"``.

    Raises:
        TypeError: if a number is none, or a count no whole one.
        ValueError: if the ratio is less than 1 or not finite, the kind is unknown, or a class
            would be empty; the message names it.

    Source: Cao et al. (2019), "Learning imbalanced datasets with label-distribution-aware margin
    loss".

    >>> long_tail_counts(10, 5000, 100)
    [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]
    >>> long_tail_counts(4, 500, 10, kind="step")
    [500, 500, 50, 50]
    """
    if kind not in LONG_TAIL_KINDS:
        raise unknown("kind of imbalance", kind, LONG_TAIL_KINDS)
    if isinstance(ratio, bool) or not isinstance(ratio, numbers.Real):
        raise TypeError(f"ratio must be a number, got {ratio!r}")
    if not (math.isfinite(ratio) and ratio >= 1):
        raise ValueError(f"ratio {ratio} must be finite and at least 1")
    _check.whole("num_classes", num_classes, least=1)
    _check.whole("n_max", n_max, least=1)
    if kind == "step":
        head = num_classes // 2
        counts = [n_max] * head + [int(n_max / ratio)] * (num_classes - head)
    else:
        last = max(num_classes - 1, 1)  # a single class has k = 0 alone
        counts = [int(n_max * ratio ** (-k / last)) for k in range(num_classes)]
    if 0 in counts:
        raise ValueError(
            f"class {counts.index(0)} of {num_classes} would be empty: the largest has {n_max} "
            f"images and the ratio is {ratio:g}"
        )
    return counts


def long_tail_indices(
    labels: Int64[Tensor, " N"], counts: Sequence[int], *, seed: int = 0
) -> Int64[Tensor, " n"]:
    """Indices of a long-tailed subset, class by class, as the LDAM code draws them.

    One legacy numpy generator is seeded; then, in the order of the classes, each class's indices
    are shuffled and its first ``counts[k]`` kept. Subsets of one seed are nested: a class with
    fewer images has the first of those it has at a smaller ratio.

    Args:
        labels: class of every image.
        counts: images to keep of each class; one entry for every class.
        seed: of the shuffles, in 0 .. 2³² − 1. The published subsets have seed 0.

    Raises:
        TypeError: if labels are no integers.
        ValueError: if a class has fewer images than are asked for, or would be empty, or a label
            is negative or has no count; the message names the class.

    >>> labels = torch.arange(12) % 3
    >>> labels[long_tail_indices(labels, [4, 2, 1])].tolist()
    [0, 0, 0, 0, 1, 1, 2]
    """
    targets = _check.class_ids("labels", labels).cpu().numpy()
    available = np.bincount(targets, minlength=len(counts))
    if len(available) > len(counts):
        raise ValueError(f"class {len(available) - 1} occurs, but there are {len(counts)} counts")
    for k, (wanted, images) in enumerate(zip(counts, available, strict=True)):
        if wanted < 1:
            raise ValueError(f"class {k} would be empty: {wanted} images were asked for")
        if images < wanted:
            raise ValueError(f"class {k} has {images} images, {wanted} were asked for")
    draws = np.random.RandomState(seed)
    chosen = []
    for k, wanted in enumerate(counts):
        members = np.flatnonzero(targets == k)
        draws.shuffle(members)
        chosen.append(members[:wanted])
    return torch.from_numpy(np.concatenate(chosen)).long()


def long_tailed(dataset: Dataset, ratio: float, kind: str = "exp", seed: int = 0) -> Dataset:
    """The data set with a long-tailed training split; the test split is untouched.

    The largest class has as many images as the smallest class of ``dataset``: all 5,000 or 500
    on CIFAR-10 or CIFAR-100, 140 on digits.

    Args:
        dataset: a balanced data set, on any device.
        ratio: size of the largest class over that of the smallest, at least 1.
        kind: ``"exp"`` or ``"step"``, see ``long_tail_counts``.
        seed: of the draw, see ``long_tail_indices``.

    Returns:
        A data set whose ``info`` has the new title and class sizes, and its name unchanged.

    Raises:
        ValueError: as ``long_tail_counts`` does.

    >>> from nclib import data
    >>> data.long_tailed(data.load("digits"), 10).train.labels.bincount().tolist()
    [140, 108, 83, 64, 50, 38, 30, 23, 18, 14]
    """
    labels = dataset.train.labels
    n_max = int(labels.bincount(minlength=dataset.info.num_classes).min())
    counts = long_tail_counts(dataset.info.num_classes, n_max, ratio, kind)
    chosen = long_tail_indices(labels, counts, seed=seed).to(labels.device)
    step = ", step" if kind == "step" else ""
    info = replace(
        dataset.info,
        title=f"{dataset.info.title}-LT (ratio {ratio:g}{step})",
        train_per_class=(min(counts), max(counts)),
    )
    train = Split(dataset.train.images[chosen], labels[chosen])
    return replace(dataset, info=info, train=train)
