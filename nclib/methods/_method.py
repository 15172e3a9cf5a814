"""What a method is: the parts that a training loop puts together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from nclib import _options
from nclib._options import Value


class Embedded(NamedTuple):
    """What a contrastive loss compares; every row is of unit norm."""

    queries: Float[Tensor, "B Q"]  # of the images
    views: Float[Tensor, "B Q"]  # keys of their second views
    keys: Float[Tensor, "M Q"]  # the queue: keys of images before
    key_labels: Int64[Tensor, " M"]  # −1 where the queue has not been filled yet
    targets: Float[Tensor, "K Q"] | None  # one a class, where and when the method has them
    generator: torch.Generator  # of what the loss draws


class Batch(NamedTuple):
    """What a loss may look at; over several processes, the rows of all of them."""

    features: Float[Tensor, "B P"]
    scores: Float[Tensor, "B K"]
    labels: Int64[Tensor, " B"] | Float[Tensor, "B K"]  # class ids, or multi-hot
    counts: Float[Tensor, " K"]  # training images of each class
    weight: Float[Tensor, " K"] | None  # class weights in force, None: all alike
    classifier: Float[Tensor, "K P"]
    options: Mapping[str, Value]
    embedded: Embedded | None = None  # in training with a contrast
    images: int = 0  # of the training set

    def number(self, name: str) -> float:
        """An option of the method that is a number."""
        return float(self.options[name])


class Centres(NamedTuple):
    """The class centres that the terms of a batch see."""

    centres: Float[Tensor, "K P"]
    present: Bool[Tensor, " K"]  # which of them there are: those of the batch, or all so far


Loss = Callable[[Batch], Tensor]


@dataclass(frozen=True)
class Term:
    """A regulariser: an option, its strength, times a function of the batch and its centres."""

    option: str
    function: Callable[[Batch, Centres], Tensor]


@dataclass(frozen=True)
class Option(_options.Option):
    """A number or a word that a method takes.

    Attributes:
        default: its value where none is given; a function is given the number of epochs.
        low: smallest number.
        high: largest number.
        choices: the words; none: it is a number.
        whole: whether it is a whole number.
        added: whether it came after the method had published records: ids omit it at its default,
            which is what those records did.
        epoch: whether it is an epoch of the (first) schedule, counted from 0.
    """

    default: Value | Callable[[int], float]
    epoch: bool = False

    def parse(self, name: str, value: Value, epochs: int = 1) -> Value:
        """The value itself, in a schedule of so many epochs.

        Raises:
            ValueError: if it is out of range, naming the option, the value and the range.
        """
        if self.epoch and not isinstance(value, str):
            if not 0 <= value < epochs:
                raise ValueError(
                    f"option {name} is {value:g}, beyond the schedule: expected 0 to {epochs - 1} "
                    f"(epochs is {epochs})"
                )
            if value != int(value):
                raise ValueError(f"option {name} is {value:g}, expected a whole number")
        return super().parse(name, value)


def resolved(
    owner: str, options: Mapping[str, Option], given: Mapping[str, Value], epochs: int
) -> dict[str, Value]:
    """Every option of a method or plug-in with its value, in alphabetical order.

    Args:
        owner: whose they are, such as ``method 'ce'``.
        options: all that it takes.
        given: values that differ from the defaults.
        epochs: of the schedule.

    Raises:
        ValueError: if an option is unknown (near matches are listed) or out of range.
    """
    _options.check_names(owner, given, options)
    values: dict[str, Value] = {}
    for name, option in sorted(options.items()):
        default = option.default(epochs) if callable(option.default) else option.default
        values[name] = option.parse(name, given.get(name, default), epochs)
    return values


@dataclass(frozen=True)
class SecondView:
    """Another image beside each image of a training batch.

    Attributes:
        images: ``same``: the same image, augmented once more; else a kind of
            ``nclib.data.sampler``, by which the other image is drawn.
        share: of the second view's label in the loss, and of the second branch's features in the
            scores, as a function of the share of the epochs that are done; None: the label of the
            first view is that of both.
    """

    images: str
    share: Callable[[float], float] | None = None


@dataclass(frozen=True)
class Contrast:
    r"""Momentum contrast: queries of the images against keys of second views and a queue of keys.

    A query is what two layers of the width of the features make of the features (with a ReLU
    between them), scaled to unit norm. A key is the same of a second view, by a network and layers
    whose weights follow: :math:`\theta_k \leftarrow m\,\theta_k + (1 - m)\,\theta` before every
    step, m the option ``key_decay``. The queue holds the last ``queue_length`` keys with their
    labels.

    Attributes:
        dim: Q, of queries and keys.
        targets: whether each class is given a direction, from the epoch ``target_epoch`` on: those
            that suit the running means of its queries best, of a simplex ETF, or with more than
            Q + 1 classes of ``geometry.uniform_directions``.

    Source: He et al. (2020), MoCo; Li et al. (2022), TSC.
    """

    dim: int = 128
    targets: bool = False


@dataclass(frozen=True)
class SecondStage:
    """Training of the classifier alone, on the network of another method.

    Attributes:
        head: ``fresh``: a new classifier; ``scales``: one factor a class; ``tuned``: factors, and
            the classifier goes on.
        sampler: a kind of ``nclib.data.sampler``.
        loss: of the batch.
        batch_norm: ``frozen``: its statistics stay; ``shift``: they follow the sampler.
    """

    head: Literal["fresh", "scales", "tuned"]
    sampler: str
    loss: Loss
    batch_norm: Literal["frozen", "shift"] = "frozen"


@dataclass(frozen=True)
class Difference:
    """How the runs of a method differ from those of its authors.

    Attributes:
        text: in Markdown; what they have, and what stands here.
        runs: ids of two records that differ in this alone: as here, and as they have it. The effect
            is known once both are published; None: no pair of runs measures it.
    """

    text: str
    runs: tuple[str, str] | None = None


Classifier = tuple[Float[Tensor, "K P"], Float[Tensor, " K"]]
PostHoc = Callable[
    [Float[Tensor, "K P"], Float[Tensor, " K"], Float[Tensor, " K"], Mapping[str, Value]],
    Classifier,
]


# Options of a stage that trains on the network of another one.
_OF_TRAINING = ("second_epochs", "second_lr", "second_sampler", "batch_norm")


@dataclass(frozen=True)
class Method:
    """A row of a table, as data.

    A method with a base is a stage: it starts from the network that the base ends with. Stages
    chain to any depth. Each option belongs to one stage. A stage that takes over an option of its
    base, as ``options={**base.options, ...}`` does, hands it down; an option that it declares
    itself is its own, also under a name that its base uses: the base then has its default. What
    tells the two apart is the :class:`Option` object. Those that say how a later stage trains
    (``second_epochs``, ``second_lr``, ``second_sampler``, ``batch_norm``) are always its own.

    Attributes:
        name: key in ``METHODS``.
        title: as the papers' tables have it.
        loss: of the batch; None: the objective of encoded labels and three penalties.
        tasks: names of the ``nclib.tasks`` that it is for.
        head: ``linear``, ``cosine``, ``etf``, ``etf-linear``, ``etf-scaled``, ``probe``, or
            ``experts-2`` to ``experts-4``, as ``nclib.models.build`` names it. An option
            ``classifier`` names another.
        sampler: a kind of ``nclib.data.sampler``. An option ``sampler`` names another.
        class_wise: whether the alignment and the collapse of class-wise features are added to the
            loss, with the options ``alpha``, ``beta``, ``tau``, ``centres``, ``collapse_by`` and
            ``alignment_epochs``.
        counted: whether the loss divides by the classes' numbers of images, so that none may be 0.
        weights: class weights of the loss: ``inverse`` or ``effective`` number; None: none.
        deferred: whether the weights wait until ``drw_epoch``.
        terms: regularisers, in force from ``start_epoch`` on.
        second_view: what stands beside each image of a batch; None: nothing.
        contrast: what the second views become keys for; None: they are for a second branch.
        base: the method whose finished network this one starts from.
        second: how that network's classifier is trained.
        post_hoc: what becomes of that network's classifier without training.
        options: what it takes, with what it hands down to its base.
        logits: whether its scores, times ``scale`` where it has one, are logits of a softmax.
        sources: keys of the book's bibliography, the one whose runs are meant first.
        differences: from the runs of its authors, all that are known.
    """

    name: str
    title: str
    loss: Loss | None
    tasks: tuple[str, ...] = ("single_label",)
    head: Literal[
        "linear",
        "cosine",
        "etf",
        "etf-linear",
        "etf-scaled",
        "probe",
        "experts-2",
        "experts-3",
        "experts-4",
    ] = "linear"
    sampler: str = "instance"
    class_wise: bool = False
    counted: bool = False
    weights: Literal["inverse", "effective"] | None = None
    deferred: bool = False
    terms: tuple[Term, ...] = ()
    second_view: SecondView | None = None
    contrast: Contrast | None = None
    base: str | None = None
    second: SecondStage | None = None
    post_hoc: PostHoc | None = None
    options: Mapping[str, Option] = field(default_factory=dict)
    logits: bool = True
    sources: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()

    def resolve(self, given: Mapping[str, Value], epochs: int) -> dict[str, Value]:
        """Every option with its value, in alphabetical order.

        Args:
            given: values that differ from the defaults.
            epochs: of the schedule.

        Raises:
            ValueError: if an option is unknown (near matches are listed) or out of range.
        """
        return resolved(f"method {self.name!r}", self.options, given, epochs)

    def head_with(self, options: Mapping[str, Value]) -> str:
        """The head that the options leave."""
        return str(options.get("classifier", self.head))

    def handed_down(self, base: Method, values: Mapping[str, Value]) -> dict[str, Value]:
        """Of the values of its options, those that belong to its base."""
        kept = _OF_TRAINING if self.second is not None else ()
        return {
            name: value
            for name, value in values.items()
            if name not in kept and self.options[name] is base.options.get(name)
        }

    def spelt_out(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """The options that an id names: all but those that were added later, at their default."""
        return _options.spelt_out(self.options, values)
