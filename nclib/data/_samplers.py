"""Which images an epoch shows, and in which order: one index tensor an epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor

from nclib import _check
from nclib._names import unknown
from nclib.data._labels import GivenLabels, Labels, checked, positive_pairs


def _permutations(rows: int, count: int, generator: torch.Generator) -> Int64[Tensor, "rows count"]:
    return torch.rand(rows, count, generator=generator, device=generator.device).argsort(1)


def _instance(
    labels: Labels, length: int, per_class: int, generator: torch.Generator
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


def _in_turns(lists: Sequence[Tensor], generator: torch.Generator) -> Int64[Tensor, " n"]:
    """Rounds of all classes, in an order shuffled every round, from (rounds, 1, images) a class."""
    images = torch.cat(list(lists), dim=1)  # (rounds, classes, images of the class in that round)
    order = _permutations(len(images), len(lists), generator)[:, :, None].expand_as(images)
    return images.gather(1, order).flatten()


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
    return _in_turns(lists, generator)[:length]


def _class_aware_cyclic(
    labels: Int64[Tensor, " N"], length: int, per_class: int, generator: torch.Generator
) -> Int64[Tensor, " n"]:
    """The beginning of an endless order, which does not depend on how much of it is asked for."""
    counts = labels.bincount()
    present = counts.nonzero()[:, 0].tolist()
    rounds = -(-length // (len(present) * per_class))
    # A stream for each list, so that a list is the same however long the others are.
    seeds = torch.randint(2**62, (len(present) + 1,), generator=generator).tolist()
    streams = [torch.Generator().manual_seed(seed) for seed in seeds]
    lists = []
    members_of = labels.argsort(stable=True).split(counts[present].tolist())
    for members, stream in zip(members_of, streams[1:], strict=True):
        cycles = -(-rounds * per_class // len(members))
        order = _permutations(cycles, len(members), stream).flatten()[: rounds * per_class]
        lists.append(members[order].view(rounds, 1, per_class))
    return _in_turns(lists, streams[0])[:length]


@dataclass(frozen=True)
class Sampler:
    """How the images of an epoch are drawn.

    Attributes:
        draw: gives the images from the labels, how many, ``per_class`` and a generator.
        per_class: images of a class in a row, where a caller does not say; None: classes do not
            take turns.
        continues: whether an epoch goes on where the one before ended. Then ``draw`` gives the
            images from the first epoch on, and its generator must begin alike in every epoch.
        by_class: whether the classes decide. Of multi-hot labels ``draw`` then gives positive pairs
            from the class of each, and each shows its image.
    """

    draw: Callable[[Tensor, int, int, torch.Generator], Tensor]
    per_class: int | None = None
    continues: bool = False
    by_class: bool = True


#: Samplers by name.
SAMPLERS: dict[str, Sampler] = {
    "instance": Sampler(_instance, by_class=False),
    "class_balanced": Sampler(_power(0.0)),
    "square_root": Sampler(_power(0.5)),
    "reversed": Sampler(_power(-1.0)),
    "class_aware": Sampler(_class_aware, per_class=1),
    "class_aware_cyclic": Sampler(_class_aware_cyclic, per_class=4, continues=True),
}


def epoch_length(kind: str, labels: GivenLabels) -> int:
    r"""Images that an epoch of :func:`sampler` shows where no ``length`` is given.

    N; of ``"class_aware_cyclic"`` :math:`K \max_k n_k` with the K classes present, of which each
    has :math:`n_k` positive pairs.

    Raises:
        ValueError: if the kind is unknown; the near matches are listed.

    >>> epoch_length("class_aware_cyclic", torch.tensor([0] * 90 + [1] * 10))
    180
    """
    _check_kind(kind)
    if not SAMPLERS[kind].continues:
        return len(labels)
    counts = labels.bincount() if labels.ndim == 1 else labels.sum(0)
    return int(counts.max() * (counts > 0).sum())


def _check_kind(kind: str) -> None:
    if kind not in SAMPLERS:
        raise unknown("sampler", kind, SAMPLERS)


def sampler(
    kind: str,
    labels: GivenLabels,
    *,
    generator: torch.Generator,
    length: int | None = None,
    per_class: int | None = None,
    epoch: int = 0,
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
      when it has been used up. So classes, and the images of a class, differ by one turn at most;
    - ``"class_aware_cyclic"``: the same, as in the released code of Kang et al.: four images of a
      class in a row, epochs of :math:`K \max_k n_k` images, so that the largest class is shown
      once, and lists that go on from one epoch to the next.

    Where an image has several labels, its positive pairs stand for images: :math:`n_k` of them are
    of class k, a class and a pair of it are drawn, and the pair's image is shown. ``"instance"``
    shows every image once an epoch, whether it has labels or not.

    Args:
        kind: one of these names.
        labels: class of every image, or multi-hot labels; a class that does not occur is not shown.
        generator: of every draw; a seed gives the same epochs on any device of the labels. For
            ``"class_aware_cyclic"`` it begins alike in every epoch.
        length: images shown in the epoch; None: that of :func:`epoch_length`.
        per_class: images of a class in a row, for the class-aware kinds alone; None: 1 and 4.
        epoch: how many epochs of that length were before; for ``"class_aware_cyclic"`` alone.

    Returns:
        Indices on the device of the labels.

    Raises:
        TypeError: if class ids are no integers, or ``length``, ``per_class`` or ``epoch`` no whole
            number.
        ValueError: if the kind is unknown (near matches are listed), there are no labels, a class
            id is negative, multi-hot labels are neither 0 nor 1, ``length`` or ``per_class`` is
            less than 1, ``epoch`` is negative, or one of the last two is given to a kind that it is
            not for.

    Source: Kang et al. (2020), "Decoupling representation and classifier", eq. (1);
    class-aware: Shen, Lin and Huang (2016), "Relay backpropagation"; reversed: Zhou et al. (2020),
    "BBN", eq. (1).

    >>> labels = torch.tensor([0] * 90 + [1] * 10)
    >>> indices = sampler("class_aware", labels, generator=torch.Generator().manual_seed(0))
    >>> labels[indices].bincount().tolist()
    [50, 50]
    """
    _check_kind(kind)
    chosen = SAMPLERS[kind]
    labels = checked(labels)
    if len(labels) == 0 or (chosen.by_class and labels.ndim == 2 and not bool(labels.any())):
        raise ValueError("labels are empty: there is nothing to sample")
    length = epoch_length(kind, labels) if length is None else length
    if per_class is not None and chosen.per_class is None:
        raise ValueError(f"per_class {per_class} is for the samplers class_aware, not {kind}")
    if epoch and not chosen.continues:
        raise ValueError(f"epoch {epoch} is for the sampler class_aware_cyclic, not {kind}")
    per_class = (chosen.per_class or 1) if per_class is None else per_class
    _check.whole("length", length, least=1)
    _check.whole("per_class", per_class, least=1)
    _check.whole("epoch", epoch, least=0)
    before = epoch * length
    images, device = None, labels.device
    labels = labels.to(generator.device)
    if labels.ndim == 2 and chosen.by_class:
        images, labels = positive_pairs(labels)
    drawn = chosen.draw(labels, before + length, per_class, generator)[before:]
    return (drawn if images is None else images[drawn]).to(device)
