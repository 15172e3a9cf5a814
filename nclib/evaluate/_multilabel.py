"""Average precision and its relatives, where an image has several labels or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from nclib import _check

_GROUPS = ("head", "medium", "tail")


class MultilabelReport(NamedTuple):
    """Mean average precisions, as fractions; None where a group has no class."""

    total: float  #: Mean over all classes, those without positives as 0.
    head: float | None  #: Of classes with at least 100 training images, or of the split's head.
    medium: float | None  #: Of classes with 20 to 99.
    tail: float | None  #: Of classes with fewer than 20.
    global_map: float  #: Mean over images of the average precision of each image's own ranking.
    absent: tuple[int, ...]  #: Classes without positives; their average precision is 0.
    per_class: Float[Tensor, " C"]  #: Average precision of every class.


def average_precision(
    scores: Float[Tensor, "N C"], targets: Shaped[Tensor, "N C"]
) -> Float[Tensor, " C"]:
    r"""Average precision of each class: the area under its steps of precision against recall.

    With :math:`P_+` the samples that carry the class and s its scores,

    .. math:: \frac{1}{|P_+|}\sum_{i \in P_+}
       \frac{|\{j \in P_+ : s_j \ge s_i\}|}{|\{j : s_j \ge s_i\}|},

    so that equal scores share one threshold, whatever their order. Each class is sorted once, and
    only its positives are searched for. It is computed on the CPU.

    Args:
        scores: larger for a class that is more likely; any numbers, ±inf included.
        targets: multi-hot, 1 where the sample carries the class.

    Returns:
        In float64 and on the CPU; 0 for a class without positives, as scikit-learn has it.

    Raises:
        TypeError: if scores are not floating point.
        ValueError: if shapes disagree, a target is neither 0 nor 1, or a score is NaN.

    Source: ``sklearn.metrics.average_precision_score``.

    >>> scores = torch.tensor([[0.9, 0.2], [0.8, 0.2], [0.1, 0.7]])
    >>> targets = torch.tensor([[1, 0], [0, 0], [1, 0]])
    >>> average_precision(scores, targets)  # (1/1 + 2/3) / 2; nobody has class 1
    tensor([0.8333, 0.0000], dtype=torch.float64)
    """
    scores, targets = _ranking(scores, targets)
    return torch.from_numpy(_row_precision(_array(scores.T), _array(targets.T)))


def multilabel_report(
    scores: Float[Tensor, "N C"],
    targets: Shaped[Tensor, "N C"],
    train_counts: Tensor | Sequence[int],
    *,
    split: Mapping[str, Sequence[int]] | None = None,
) -> MultilabelReport:
    """Mean average precision on all classes, and on frequent, less frequent and rare ones.

    Args:
        scores: as :func:`average_precision` takes them, comparable between images for each class;
            for ``global_map`` between the classes of an image too.
        targets: multi-hot.
        train_counts: training images that carry each class.
        split: class ids of ``"head"``, ``"medium"`` (the released lists write ``"middle"``) and
            ``"tail"``, instead of the groups by count; each class once.

    Raises:
        TypeError, ValueError: as :func:`average_precision` does; if a count is negative, or a
            split does not divide the classes.

    Source: Wu et al. (2020), Distribution-Balanced Loss, the split of VOC-LT and COCO-LT. In
    ``global_map`` an image without labels counts as 0, as in scikit-learn's sample average.

    >>> scores = torch.tensor([[0.9, 0.2], [0.8, 0.3], [0.1, 0.7]])
    >>> report = multilabel_report(scores, torch.tensor([[1, 0], [0, 0], [1, 0]]), [100, 4])
    >>> round(report.total, 4), round(report.head, 4), report.medium, report.tail, report.absent
    (0.4167, 0.8333, None, 0.0, (1,))
    >>> report.global_map  # 1 for the first image, 0 for the second, 1/2 for the third
    0.5
    """
    scores, targets = _ranking(scores, targets)
    counts = _check.counts(train_counts, scores.shape[1], least=0, name="train_counts")
    groups = _groups_by_count(counts.cpu()) if split is None else _groups(split, len(counts))
    per_class = torch.from_numpy(_row_precision(_array(scores.T), _array(targets.T)))
    means = {
        name: float(per_class[members].mean()) if len(members) else None
        for name, members in groups.items()
    }
    return MultilabelReport(
        total=float(per_class.mean()),
        **means,
        global_map=float(_row_precision(_array(scores), _array(targets)).mean()),
        absent=tuple((~targets.any(0)).nonzero().flatten().tolist()),
        per_class=per_class,
    )


def precision_at_k(
    scores: Float[Tensor, "N C"],
    targets: Shaped[Tensor, "N C"],
    k: int | Literal["labels"] = "labels",
) -> float:
    """Share of an image's k highest scores that are its labels, the mean over images.

    Classes that tie for the last places share them, each with the same fraction: the expectation
    over a random order among them.

    Args:
        scores: comparable between the classes of an image, such as log-softmax.
        targets: multi-hot.
        k: the number of classes chosen, or ``"labels"``: as many as the image has labels; an image
            without labels is then left out.

    Raises:
        TypeError: if scores are not floating point, or k is no whole number.
        ValueError: as :func:`average_precision` does; if k is not between 1 and C, or no image is
            left.

    Source: Järvelin and Kekäläinen (2002); with k the number of labels it is R-precision.

    >>> scores = torch.tensor([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])
    >>> targets = torch.tensor([[1, 1, 0], [1, 0, 0]])
    >>> precision_at_k(scores, targets), precision_at_k(scores, targets, 2)
    (0.5, 0.5)
    """
    hits, chosen, _ = _hits(scores, targets, k)
    used = chosen > 0
    return _mean(hits[used] / chosen[used])


def recall_at_k(
    scores: Float[Tensor, "N C"],
    targets: Shaped[Tensor, "N C"],
    k: int | Literal["labels"] = "labels",
) -> float:
    """Share of an image's labels among its k highest scores, the mean over images with labels.

    Arguments, ties and refusals as for :func:`precision_at_k`, which it equals at
    ``k="labels"``.

    >>> scores = torch.tensor([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])
    >>> targets = torch.tensor([[1, 1, 0], [1, 0, 0]])
    >>> recall_at_k(scores, targets, 1), recall_at_k(scores, targets, 3)
    (0.25, 1.0)
    """
    hits, _, labels = _hits(scores, targets, k)
    used = labels > 0
    return _mean(hits[used] / labels[used])


class OptimumThreshold(NamedTuple):
    """Precision and recall of each class at its threshold of the largest F1."""

    threshold: Float[Tensor, " C"]  #: Scores from here on count as positive; nan without positives.
    precision: Float[Tensor, " C"]  #: There; 0 for a class without positives.
    recall: Float[Tensor, " C"]  #: There; 0 for a class without positives.
    f1: Float[Tensor, " C"]  #: Their harmonic mean, the largest of all thresholds.


def optimum_threshold(
    scores: Float[Tensor, "N C"], targets: Shaped[Tensor, "N C"]
) -> OptimumThreshold:
    r"""The threshold of each class at which its F1 is largest, and what it is worth there.

    It is chosen on the images that it is judged on, and so the best that a threshold can do; of
    several the largest is taken. Scores that are equal are on one side.

    Args:
        scores: as :func:`average_precision` takes them.
        targets: multi-hot.

    Returns:
        In float64 and on the CPU.

    Raises:
        TypeError, ValueError: as :func:`average_precision` does.

    Source: Lipton, Elkan and Narayanaswamy (2014), "Optimal thresholding of classifiers to maximize
    F1 measure".

    >>> scores = torch.tensor([[0.9], [0.8], [0.7], [0.1]])
    >>> best = optimum_threshold(scores, torch.tensor([[1], [0], [1], [0]]))
    >>> round(best.threshold.item(), 1), round(best.precision.item(), 3), best.recall.item()
    (0.7, 0.667, 1.0)
    """
    scores, targets = _ranking(scores, targets)
    ordered, order = scores.double().sort(0, descending=True)
    hits = targets.gather(0, order).cumsum(0).double()
    chosen = torch.arange(1, len(scores) + 1, dtype=torch.float64)[:, None]
    ends = torch.ones_like(ordered, dtype=torch.bool)  # of runs of equal scores
    ends[:-1] = ordered[:-1] != ordered[1:]
    positives = targets.sum(0).double()
    f1 = torch.where(ends, 2 * hits / (chosen + positives), 0.0)
    best, at = f1.max(0)
    at = (f1 == best).double().argmax(0)[None]  # the first: the largest threshold
    reached, count = hits.gather(0, at)[0], (at[0] + 1).double()
    threshold = torch.where(positives > 0, ordered.gather(0, at)[0], torch.nan)
    recall = reached / positives.clamp_min(1)
    return OptimumThreshold(threshold, reached / count, recall, best)


def _ranking(scores: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Scores and targets, checked, on the CPU and in a precision that numpy has."""
    scores = _check.matrix("scores", scores).detach().cpu()
    targets = _check.multi_hot("targets", targets, scores.shape[1]).cpu()
    if len(targets) != len(scores):
        raise ValueError(f"{len(scores)} rows of scores but {len(targets)} of targets")
    if scores.dtype not in (torch.float32, torch.float64):
        scores = scores.float()
    nan = scores.isnan()
    if bool(nan.any()):
        sample, label = nan.nonzero()[0].tolist()
        raise ValueError(f"scores has nan for class {label} of sample {sample}: expected numbers")
    return scores, targets


def _array(values: Tensor) -> np.ndarray:
    return np.ascontiguousarray(values.numpy())


def _row_precision(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Average precision within each row of (R, n) scores; 0 in a row without positives."""
    rows, size = scores.shape
    ordered = np.sort(scores, axis=1).ravel()  # numpy sorts with the processor's vector unit
    chosen = positive.ravel().nonzero()[0]
    row = chosen // size
    place = _search(ordered, scores.ravel()[chosen], row * size, size)
    place.sort()  # within a row by score, and equal scores have one place
    counts = np.bincount(row, minlength=rows)
    hits = counts.cumsum()[row] - np.searchsorted(place, place)
    sums = np.bincount(row, hits / ((row + 1) * size - place), minlength=rows)
    return np.asarray(sums / np.maximum(counts, 1))


def _search(ordered: np.ndarray, values: np.ndarray, starts: np.ndarray, size: int) -> np.ndarray:
    """The first place from each start on, in a segment of that size, of a number not smaller.

    Bisection, all values at once; every value is somewhere in its segment.
    """
    low, width = starts.copy(), size
    while width > 1:
        half = width // 2
        low += half * (ordered[low + half - 1] < values)
        width -= half
    return low


def _hits(
    scores: Tensor, targets: Tensor, k: int | Literal["labels"]
) -> tuple[Tensor, Tensor, Tensor]:
    """Of each image: labels among the chosen classes, classes chosen, labels; in float64."""
    scores, targets = _ranking(scores, targets)
    labels = targets.sum(1)
    if k == "labels":
        chosen = labels
    else:
        _check.whole("k", k, least=1)
        if k > scores.shape[1]:
            raise ValueError(f"k is {k}, expected at most the {scores.shape[1]} classes")
        chosen = torch.full_like(labels, k)
    ordered = scores.sort(1, descending=True).values
    last = ordered.gather(1, (chosen - 1).clamp(min=0)[:, None])
    above, tied = scores > last, scores == last
    share = (chosen - above.sum(1)) / tied.sum(1).double()
    hits = (targets & above).sum(1) + share * (targets & tied).sum(1)
    return hits, chosen.double(), labels.double()


def _mean(values: Tensor) -> float:
    if not len(values):
        raise ValueError("no image has a label: expected at least one")
    return float(values.mean())


def _groups_by_count(counts: Tensor) -> dict[str, Tensor]:
    members = (counts >= 100, (counts >= 20) & (counts < 100), counts < 20)
    return {n: m.nonzero().flatten() for n, m in zip(_GROUPS, members, strict=True)}


def _groups(split: Mapping[str, Sequence[int]], num_classes: int) -> dict[str, Tensor]:
    """The groups of a split that is given, once it divides the classes."""
    named = {("medium" if name == "middle" else name): ids for name, ids in split.items()}
    if set(named) != set(_GROUPS):
        raise ValueError(f"split has the groups {sorted(split)}, expected {', '.join(_GROUPS)}")
    groups = {
        name: _check.class_ids(f"split[{name!r}]", list(named[name]) or torch.empty(0).long())
        for name in _GROUPS
    }
    times = torch.cat(list(groups.values()))
    beyond = _check.outside(times, num_classes)
    if beyond is not None:
        raise ValueError(f"split has class {int(times[beyond])}, expected 0 to {num_classes - 1}")
    times = times.bincount(minlength=num_classes)
    wrong = (times != 1).nonzero().flatten().tolist()
    if wrong:
        raise ValueError(
            f"split has class {wrong[0]} {int(times[wrong[0]])} times: expected every class once"
        )
    return groups
