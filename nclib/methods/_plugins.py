r"""What can be added to any method: a term of the loss, or an adjustment of the classifier.

Both see the rows :math:`w_k` of the classifier and the class means :math:`\mu_k`. The formulas of
SpA-Reg, SpA-SLERP and SpA-Proj in "Space alignment matters" (arXiv 2512.07844) are not published to
us: the three plug-ins are our reconstructions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nclib import _options, losses
from nclib._names import unknown
from nclib.methods._alignment import project, slerp
from nclib.methods._method import Option, Value, resolved

PluginTerm = Callable[
    [Float[Tensor, "K P"], Float[Tensor, "K P"], Bool[Tensor, " K"], Mapping[str, Value]],
    Float[Tensor, ""],
]
Adjustment = Callable[
    [Float[Tensor, "K P"], Float[Tensor, "K P"], Bool[Tensor, " K"], Mapping[str, Value]],
    Float[Tensor, "K P"],
]

_TRAINING = {
    "stage": Option("last", choices=("last", "first")),
    "start_epoch": Option(0, epoch=True),
}
_OF_TERMS = {
    **_TRAINING,
    "strength": Option(1.0, low=-math.inf),
    "route": Option("both", choices=("both", "classifier", "features")),
    "means": Option("ema", choices=("ema", "batch")),
}
_OF_ADJUSTMENTS = {
    **_TRAINING,
    "when": Option("post-hoc", choices=("post-hoc", "training")),
    "every": Option(1, low=1, whole=True),
    "bias": Option("keep", choices=("keep", "drop", "recentre")),
}
_CENTRE = {"centre": Option("yes", choices=("yes", "no"))}


@dataclass(frozen=True)
class Plugin:
    r"""Something that ``RunConfig.plugins`` adds to a method, as data.

    It is one of two kinds. A **term** is added to the loss of every step, with these options:

    - ``strength``: its factor, of any sign.
    - ``route``: what its gradient reaches: the ``classifier``, the ``features``, or ``both``.
    - ``means``: ``ema``: running means, :math:`0.9\,c_k + 0.1\,\mu_k` with the batch mean
      :math:`\mu_k`, of all classes so far; ``batch``: those of the batch's classes. The gradient
      that running means hand to the features is a tenth of the batch means', and the average is
      over other classes: strengths are not comparable between the two.

    An **adjustment** puts another classifier in the place of the one that there is, with the means
    of the whole training set, without augmentation, as a test sees it. Its options:

    - ``when``: ``post-hoc``: on the network of the finished run, which is a run of its own,
      ``RunConfig.previous()``; or in ``training``, at the end of epochs.
    - ``every``: epochs from one adjustment in training to the next.
    - ``bias``: ``keep`` it, ``drop`` it, or ``recentre``:
      :math:`b_k = -\langle w_k, \bar\mu\rangle`, where :math:`\bar\mu` is the average of the class
      means.

    In training the optimiser's state stays as it is: momentum carries directions from before on.
    Where the running mean of the weights is evaluated (``RunConfig.ema``), its classifier is
    adjusted too, with the means of its own features.

    Both kinds have ``start_epoch``, the epoch of their stage, counted from 0, from which on they
    act, and ``stage``: ``last`` or ``first`` of the stages that train. The rows of several experts
    are taken one expert at a time, with that expert's features. A classifier whose rows are scaled
    to unit norm keeps that scaling; there centring changes decisions.

    Attributes:
        name: key in ``PLUGINS``.
        title: as tables have it.
        options: what it takes; those of its kind, which stand above, are added.
        term: of rows, means, which classes there are, and options; its gradient goes to rows and
            means. A class that is not there has no mean: what stands in its place says nothing.
        adjust: new rows, from the same.

    Raises:
        ValueError: if it has both ``term`` and ``adjust``, or neither.
    """

    name: str
    title: str
    options: Mapping[str, Option] = field(default_factory=dict)
    term: PluginTerm | None = None
    adjust: Adjustment | None = None

    def __post_init__(self) -> None:
        if (self.term is None) == (self.adjust is None):
            raise ValueError(f"plug-in {self.name!r} must have one of term and adjust")
        of_kind = _OF_TERMS if self.adjust is None else _OF_ADJUSTMENTS
        object.__setattr__(self, "options", {**of_kind, **self.options})

    def resolve(self, given: Mapping[str, Value], epochs: int) -> dict[str, Value]:
        """Every option with its value, in alphabetical order.

        Args:
            given: values that differ from the defaults.
            epochs: of its stage.

        Raises:
            ValueError: if an option is unknown (near matches are listed) or out of range.
        """
        return resolved(f"plug-in {self.name!r}", self.options, given, epochs)

    def spelt_out(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """The options that an id names: all but those that were added later, at their default."""
        return _options.spelt_out(self.options, values)


def _misalignment(
    weight: Float[Tensor, "K P"],
    means: Float[Tensor, "K P"],
    present: Bool[Tensor, " K"],
    options: Mapping[str, Value],
) -> Float[Tensor, ""]:
    """The mean over classes of one minus the cosine."""
    return losses.misalignment(weight, means, centre=options["centre"] == "yes", present=present)


def _turned(
    weight: Float[Tensor, "K P"],
    means: Float[Tensor, "K P"],
    present: Bool[Tensor, " K"],
    options: Mapping[str, Value],
) -> Float[Tensor, "K P"]:
    """Spherical interpolation towards the means."""
    centre, norm, t = options["centre"] == "yes", str(options["norm"]), float(options["t"])
    return slerp(weight, _filled(means, present, centre), t, centre=centre, norm=norm)


def _projected(
    weight: Float[Tensor, "K P"],
    means: Float[Tensor, "K P"],
    present: Bool[Tensor, " K"],
    options: Mapping[str, Value],
) -> Float[Tensor, "K P"]:
    """Projection on the means."""
    centre, negative, t = options["centre"] == "yes", str(options["negative"]), float(options["t"])
    return project(weight, _filled(means, present, centre), t, centre=centre, negative=negative)


def _filled(
    means: Float[Tensor, "K P"], present: Bool[Tensor, " K"], centre: bool
) -> Float[Tensor, "K P"]:
    """The means, and for a class without one that which has no direction: its row stays."""
    neutral = means[present].mean(0) if centre else torch.zeros_like(means[0])
    return torch.where(present[:, None], means, neutral)


PLUGINS: dict[str, Plugin] = {
    plugin.name: plugin
    for plugin in (
        Plugin("spa-reg", "SpA-Reg", _CENTRE, term=_misalignment),
        Plugin(
            "spa-slerp",
            "SpA-SLERP",
            {
                **_CENTRE,
                "t": Option(0.5, high=1.0),
                "norm": Option("keep", choices=("keep", "unit")),
            },
            adjust=_turned,
        ),
        Plugin(
            "spa-proj",
            "SpA-Proj",
            {
                **_CENTRE,
                "t": Option(1.0, high=1.0),
                "negative": Option("skip", choices=("skip", "flip")),
            },
            adjust=_projected,
        ),
    )
}


def adjusted_bias(
    bias: Float[Tensor, " K"],
    weight: Float[Tensor, "K P"],
    means: Float[Tensor, "C P"],
    treatment: str,
) -> Float[Tensor, " K"]:
    r"""The bias behind an adjustment, as the option ``bias`` of adjustments names it.

    Args:
        bias: (K,), the one that there is.
        weight: (K, P), the adjusted rows.
        means: (C, P), of the classes that there are; their average is :math:`\bar\mu`.
        treatment: ``"keep"``, ``"drop"`` (zeros), or ``"recentre"``
            (:math:`b_k = -\langle w_k, \bar\mu\rangle`).

    Raises:
        ValueError: if the treatment is unknown; near matches are listed.

    >>> means = torch.tensor([[1.0, 0.0], [3.0, 2.0]])
    >>> adjusted_bias(torch.ones(2), torch.eye(2), means, "recentre")
    tensor([-2., -1.])
    """
    if treatment not in _OF_ADJUSTMENTS["bias"].choices:
        raise unknown("treatment of the bias", treatment, _OF_ADJUSTMENTS["bias"].choices)
    if treatment == "recentre":
        return -(weight.double() @ means.double().mean(0)).to(bias.dtype)
    return torch.zeros_like(bias) if treatment == "drop" else bias


def get_plugin(name: str) -> Plugin:
    """The plug-in of that name.

    Raises:
        ValueError: if there is none; the near matches are listed.
    """
    if name not in PLUGINS:
        raise unknown("plug-in", name, PLUGINS)
    return PLUGINS[name]
