r"""What each strategy does to a classifier: at certified optima, on fixed means, in a mixture.

The adjustments and the term are those of :data:`nclib.methods.PLUGINS`, our reconstructions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from nclib import losses, methods
from nclib.data import long_tail_sizes
from nclib.geometry import simplex_etf
from nclib.papers.space_alignment import classifiers
from nclib.papers.space_alignment.classifiers import Classifier, nearest_mean
from nclib.theory import Thirds, head_medium_tail

Rows = Float[Tensor, "K P"]

_RATE, _DECAY = 0.2, 1e-3  # of the networks on a mixture


def adjusted(classifier: Classifier, plugin: str, **options: float | str) -> Classifier:
    """A classifier after the adjustment of a plug-in, as a finished network is adjusted.

    Args:
        classifier: with its means.
        plugin: a key of ``nclib.methods.PLUGINS`` that adjusts.
        options: of the plug-in, where they differ from its defaults.

    Raises:
        ValueError: if the plug-in or an option is unknown, or the plug-in is a term.

    >>> means = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    >>> turned = adjusted(Classifier(means, means.flip(1), torch.zeros(2)), "spa-slerp", t=1.0)
    >>> bool(torch.isclose(turned.weight, means).all())
    True
    """
    chosen = methods.get_plugin(plugin)
    if chosen.adjust is None:
        raise ValueError(f"plug-in {plugin!r} is a term of the loss and adjusts no classifier")
    values = chosen.resolve(options, epochs=1)
    means, weight, bias = classifier
    present = torch.ones(len(means), dtype=torch.bool)
    weight = chosen.adjust(weight, means, present, values)
    bias = methods.adjusted_bias(bias, weight, means, str(values["bias"]))
    return Classifier(means, weight, bias)


def at_the_minimum(classifier: Classifier) -> Classifier:
    """Where the centred term of SpA-Reg is zero: rows that are one multiple of the centred means.

    The multiple is that of the sum of squares that the centred rows have; the bias stays.
    """
    means, weight, bias = classifier
    rows, targets = weight - weight.mean(0), means - means.mean(0)
    return Classifier(means, targets * (rows.norm() / targets.norm()), bias)


def after_each(classifier: Classifier) -> dict[str, Classifier]:
    """A classifier after each strategy, by the strategy's title, from none to the nearest mean."""
    unit: dict[str, float | str] = {"t": 1.0, "norm": "unit"}
    return {
        "as trained": classifier,
        "SpA-SLERP, $t=1/2$": adjusted(classifier, "spa-slerp", t=0.5),
        "SpA-SLERP, $t=1$": adjusted(classifier, "spa-slerp", t=1.0),
        "SpA-Proj": adjusted(classifier, "spa-proj"),
        "SpA-Reg, at its minimum": at_the_minimum(classifier),
        "SpA-SLERP, $t=1$, unit norms": adjusted(classifier, "spa-slerp", **unit),
        "... and bias recentred": adjusted(classifier, "spa-slerp", **unit, bias="recentre"),
        "the nearest mean": nearest_mean(classifier.means),
    }


def gradient_flow(
    weight: Rows,
    means: Rows,
    *,
    time: float,
    steps: int,
    centre: bool = False,
    strength: float = 1.0,
    loss: Callable[[Rows], Float[Tensor, ""]] | None = None,
) -> Float[Tensor, "S K P"]:
    r"""Rows that flow down the term of SpA-Reg with fixed means, by the rule of Runge and Kutta.

    .. math:: \dot W = -\nabla_W\bigl(\ell(W) + \lambda R(W, M)\bigr)

    Args:
        weight: (K, P), where they start.
        means: (K, P), μ.
        time: of the whole flow.
        steps: of equal length; each costs four gradients.
        centre: of the term.
        strength: λ, of any sign.
        loss: ℓ, of the rows; None: the term alone.

    Returns:
        (steps + 1, K, P), the rows after each step, the first ones included.
    """

    def velocity(rows: Rows) -> Rows:
        rows = rows.detach().requires_grad_()
        with torch.enable_grad():
            value = strength * losses.misalignment(rows, means, centre=centre)
            value = value if loss is None else value + loss(rows)
            (gradient,) = torch.autograd.grad(value, rows)
        return -gradient

    course, step = [weight], time / steps
    for _ in range(steps):
        now = course[-1]
        a = velocity(now)
        b = velocity(now + step / 2 * a)
        c = velocity(now + step / 2 * b)
        d = velocity(now + step * c)
        course.append(now + step / 6 * (a + 2 * b + 2 * c + d))
    return torch.stack(course)


def flow_angles(
    angles: Float[Tensor, " K"], lengths: Float[Tensor, " K"], time: float
) -> Float[Tensor, " K"]:
    r"""The angles of rows and means after SpA-Reg alone has acted on the rows, not centred.

    .. math:: \tan\frac{\Omega_k(s)}2 = \tan\frac{\Omega_k(0)}2\;e^{-s/(K\|w_k\|^2)}

    Args:
        angles: (K,), at the start, in radians, below π.
        lengths: (K,), of the rows; they stay.
        time: s, times the strength.

    >>> start = torch.full((2,), torch.pi / 2)
    >>> flow_angles(start, torch.tensor([1.0, 1e6]), 1e3).rad2deg().round()
    tensor([ 0., 90.])
    """
    return 2 * torch.atan((angles / 2).tan() * (-time / (len(angles) * lengths.square())).exp())


# --- A Gaussian mixture in a long tail -----------------------------------------------------------


class Mixture(NamedTuple):
    """Samples of a Gaussian mixture: the training set in a long tail, the test set balanced."""

    counts: Int64[Tensor, " K"]  # of the training samples
    train: Float[Tensor, "N D"]
    labels: Int64[Tensor, " N"]
    test: Float[Tensor, "T D"]
    test_labels: Int64[Tensor, " T"]


class Trained(NamedTuple):
    """A small network that was trained on a mixture, as far as strategies see it."""

    classifier: classifiers.Classifier  # of its features; networks are Classifiers, too
    test_features: Float[Tensor, "T P"]


def mixture(
    *, num_classes: int = 10, largest: int = 500, ratio: float = 100.0, seed: int = 0
) -> Mixture:
    """Classes of unit covariance about a simplex of means, 3.2 from its centre.

    Args:
        num_classes: K; the space has 2K dimensions.
        largest: samples of the most frequent class.
        ratio: of it to the rarest.
        seed: of means and samples.
    """
    generator = torch.Generator().manual_seed(seed)
    dim = 2 * num_classes
    means = 3.2 * simplex_etf(num_classes, dim, generator=generator)
    counts = long_tail_sizes(num_classes, ratio, largest=largest).round().long().clamp(min=1)

    def samples(sizes: Int64[Tensor, " K"]) -> tuple[Tensor, Tensor]:
        labels = torch.arange(num_classes).repeat_interleave(sizes)
        noise = torch.randn(len(labels), dim, generator=generator, dtype=means.dtype)
        return means[labels] + noise, labels

    return Mixture(counts, *samples(counts), *samples(torch.full_like(counts, 200)))


def train(
    data: Mixture,
    *,
    strength: float = 0.0,
    route: str = "both",
    prior: bool = False,
    width: int = 32,
    steps: int = 120,
    seed: int = 0,
) -> Trained:
    """A network of one hidden layer on a mixture, by gradient descent with momentum.

    Args:
        data: the mixture.
        strength: of SpA-Reg in the loss, with the means of all training features; 0: none.
        route: what its gradient reaches, as the plug-in names it.
        prior: logit adjustment; otherwise cross-entropy.
        width: of the hidden layer, P of the features.
        steps: of the optimiser.
        seed: of the first weights.
    """
    classes = len(data.counts)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layer = nn.Linear(data.train.shape[1], width, dtype=torch.float64)
        head = nn.Linear(width, classes, dtype=torch.float64)
    members = nn.functional.one_hot(data.labels, classes).to(data.train)
    shares = members / members.sum(0)
    offset = (data.counts / data.counts.sum()).log() if prior else 0.0
    parameters = [*layer.parameters(), *head.parameters()]
    velocities = [torch.zeros_like(parameter) for parameter in parameters]
    plugin = methods.get_plugin("spa-reg")
    options = plugin.resolve({"route": route, "strength": strength, "means": "batch"}, epochs=1)
    assert plugin.term is not None
    present = torch.ones(classes, dtype=torch.bool)
    for _ in range(steps):
        features = layer(data.train).relu()
        loss = nn.functional.cross_entropy(head(features) + offset, data.labels)
        if strength:
            means = shares.T @ features
            rows, points = _routed(head.weight, means, route)
            loss = loss + strength * plugin.term(rows, points, present, options)
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for one, velocity, gradient in zip(parameters, velocities, gradients, strict=True):
                velocity.mul_(0.9).add_(gradient).add_(one, alpha=_DECAY)
                one.sub_(velocity, alpha=_RATE)
    with torch.no_grad():
        means = shares.T @ layer(data.train).relu()
        classifier = Classifier(means, head.weight.clone(), head.bias.clone())
        return Trained(classifier, layer(data.test).relu())


def _routed(weight: Tensor, means: Tensor, route: str) -> tuple[Tensor, Tensor]:
    if route == "classifier":
        return weight, means.detach()
    return (weight.detach() if route == "features" else weight), means


def accuracies(
    classifier: Classifier, features: Float[Tensor, "T P"], data: Mixture
) -> dict[str, float]:
    """Test accuracy over all classes, and by the size of the class."""
    scores = features @ classifier.weight.T + classifier.bias
    hits = (scores.argmax(1) == data.test_labels).double()
    by_class = torch.stack([hits[data.test_labels == k].mean() for k in range(len(data.counts))])
    thirds: Thirds = head_medium_tail(by_class, data.counts)
    return {"all": float(by_class.mean()), **thirds._asdict()}


def mean_over(rows: list[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each number over several networks."""
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}
