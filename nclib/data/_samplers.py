"""Which images an epoch shows, and in which order: one index tensor an epoch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Int64
from torch import Tensor

from nclib import _check
from nclib._names import unknown


def _permutations(rows: int, count: int, generator: torch.Generator) -> Int64[Tensor, "rows count"]:
    return torch.rand(rows, count, generator=generator, device=generator.device).argsort(1)


def _instance(
    labels: Int64[Tensor, " N"], length: int, per_class: int, generator: torch.Generator
) -> Int64[Tensor, " n"]:
    count = len(labels)
    rounds = [
        torch.randperm(count, generator=generator, device=generator.device)
        for _ in range(-(-length // count))
    ]
    return torch.cat(rounds)[:length]


def _power(exponent: float) -> Callable[..., Int64[Tensor, " n"]]:
    def draw(
        labels: Int64[Tensor, " N"], length: int, per_class: int, generator: torch.Generator
    ) -> Int64[Tensor, " n"]:
        counts = labels.bincount()
        shares = torch.where(counts > 0, counts.double() ** exponent, 0.0)
        classes = torch.multinomial(shares, length, replacement=True, generator=generator)
        place = torch.rand(
            length, generator=generator, device=generator.device, dtype=torch.float64
        )
        by_class = labels.argsort(stable=True)
        start = counts.cumsum(0) - counts
        return by_class[start[classes] + (place * counts[classes]).long()]

    return draw


def _class_aware(
    labels: Int64[Tensor, " N"], length: int, per_class: int, generator: torch.Generator
) -> Int64[Tensor, " n"]:
    counts = labels.bincount()
    present = counts.nonzero()[:, 0].tolist()
    rounds = -(-length // (len(present) * per_class))
    lists = []
    for members in labels.argsort(stable=True).split(counts[present].tolist()):
        cycles = -(-rounds * per_class // len(members))
        order = _permutations(cycles, len(members), generator).flatten()[: rounds * per_class]
        lists.append(members[order].view(rounds, 1, per_class))
    shown = torch.cat(lists, dim=1)  # (rounds, classes, images of the class in that round)
    order = _permutations(rounds, len(present), generator)[:, :, None].expand_as(shown)
    return shown.gather(1, order).flatten()[:length]


#: Samplers by name.
SAMPLERS: dict[str, Callable[..., Int64[Tensor, " n"]]] = {
    "instance": _instance,
    "class_balanced": _power(0.0),
    "square_root": _power(0.5),
    "reversed": _power(-1.0),
    "class_aware": _class_aware,
}


def sampler(
    kind: str,
    labels: Int64[Tensor, " N"],
    *,
    generator: torch.Generator,
    length: int | None = None,
    per_class: int = 1,
) -> Int64[Tensor, " n"]:
    r"""Indices of the images of one epoch, in order.

    With :math:`n_k` images in class k, of K classes present, an image of class k is shown
    ``length`` times the following on average:

    - ``"instance"``: 1/N; every image once an epoch, shuffled;
    - ``"class_balanced"``: :math:`1/(K n_k)`; a class at random, then an image of it at random;
    - ``"square_root"``: :math:`1/(\sqrt{n_k} \sum_l \sqrt{n_l})`; the class is drawn with
      probability proportional to :math:`\sqrt{n_k}`;
    - ``"reversed"``: :math:`1/(n_k^2 \sum_l 1/n_l)`; the class is drawn with probability
      proportional to :math:`1/n_k`;
    - ``"class_aware"``: :math:`1/(K n_k)`; all classes in turn, in an order shuffled every round,
      ``per_class`` images at a time from the class's own shuffled list, which is shuffled again
      when it has been used up. So classes, and the images of a class, differ by one turn at most.

    Args:
        kind: one of these names.
        labels: class of every image; a class that does not occur is not shown.
        generator: of every draw; a seed gives the same epochs on any device of the labels.
        length: images shown in the epoch; None: N.
        per_class: images of a class in a row; for ``"class_aware"`` alone.

    Returns:
        Indices on the device of the labels.

    Raises:
        TypeError: if labels are no integers, or ``length`` or ``per_class`` no whole number.
        ValueError: if the kind is unknown (near matches are listed), there are no labels, one is
            negative, ``length`` or ``per_class`` is less than 1, or ``per_class`` is given to
            another kind.

    Source: Kang et al. (2020), "Decoupling representation and classifier", eq. (1);
    class-aware: Shen, Lin and Huang (2016), "Relay backpropagation"; reversed: Zhou et al. (2020),
    "BBN", eq. (1).

    >>> labels = torch.tensor([0] * 90 + [1] * 10)
    >>> epoch = sampler("class_aware", labels, generator=torch.Generator().manual_seed(0))
    >>> labels[epoch].bincount().tolist()
    [50, 50]
    """
    if kind not in SAMPLERS:
        raise unknown("sampler", kind, SAMPLERS)
    labels = _check.class_ids("labels", labels)
    if len(labels) == 0:
        raise ValueError("labels are empty: there is nothing to sample")
    length = len(labels) if length is None else length
    _check.whole("length", length, least=1)
    _check.whole("per_class", per_class, least=1)
    if per_class != 1 and kind != "class_aware":
        raise ValueError(f"per_class {per_class} is for the sampler class_aware, not {kind}")
    drawn = SAMPLERS[kind](labels.to(generator.device), length, per_class, generator)
    return drawn.to(labels.device)
