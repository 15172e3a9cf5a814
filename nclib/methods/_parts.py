"""The parts of methods: losses, regularisers and steps after training, in the loop's terms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from nclib import losses, models
from nclib.methods._method import Batch, Centres, Classifier, Loss, Value


def cross_entropy(batch: Batch) -> Tensor:
    """Of the softmax of the scores."""
    return functional.cross_entropy(batch.scores, batch.labels, batch.weight)


def squared_error(batch: Batch) -> Tensor:
    r"""Batch mean of :math:`\tfrac12\|z - e_y\|^2`."""
    targets = functional.one_hot(batch.labels, batch.scores.shape[1])
    return 0.5 * (batch.scores - targets).square().sum(1).mean()


def ldam(batch: Batch) -> Tensor:
    """Label-distribution-aware margins on cosines."""
    return losses.ldam(
        batch.scores,
        batch.labels,
        batch.counts,
        max_margin=batch.number("max_margin"),
        scale=batch.number("scale"),
        weight=batch.weight,
    )


def logit_adjusted(batch: Batch) -> Tensor:
    """Cross-entropy of the scores plus τ times the log prior."""
    return losses.logit_adjusted(batch.scores, batch.labels, batch.counts, tau=batch.number("tau"))


def balanced_softmax(batch: Batch) -> Tensor:
    """Softmax that is weighted by the class sizes."""
    return losses.balanced_softmax(batch.scores, batch.labels, batch.counts)


def focal(batch: Batch) -> Tensor:
    """Cross-entropy that discounts samples which are already right, as a weighted mean."""
    gamma = batch.number("gamma")
    return losses.focal(batch.scores, batch.labels, gamma=gamma, weight=batch.weight)


def class_balanced_focal(batch: Batch) -> Tensor:
    """Focal loss of Cui et al. (2019): weighted, and divided by the number of samples."""
    return losses.focal(
        batch.scores,
        batch.labels,
        gamma=batch.number("gamma"),
        weight=batch.weight,
        normalisation="count",
    )


def arb(batch: Batch) -> Tensor:
    """Attraction and repulsion balanced by the class sizes of the batch."""
    return losses.arb(batch.scores, batch.labels)


def label_aware_smoothing(batch: Batch) -> Tensor:
    """Labels that are smoothed the more, the more frequent their class."""
    return losses.label_aware_smoothing(
        batch.scores,
        batch.labels,
        batch.counts,
        head=batch.number("smooth_head"),
        tail=batch.number("smooth_tail"),
    )


def dot_regression(batch: Batch) -> Tensor:
    """Half the squared distance from 1 of the cosine between feature and vertex of the class."""
    return losses.dot_regression(batch.features, batch.labels, batch.classifier)


def pick_all_label(batch: Batch) -> Tensor:
    """The softmax cross-entropies of all labels of an image, summed or averaged."""
    normalise: Any = batch.options["normalise"]
    return losses.pick_all_label(batch.scores, batch.labels, normalise=normalise)


def binary_cross_entropy(batch: Batch) -> Tensor:
    """A logistic loss for each class, summed or averaged."""
    reduction: Any = batch.options.get("reduction", "mean")
    return losses.binary_cross_entropy(
        batch.scores, batch.labels, reduction=reduction, weight=batch.weight
    )


def binary_focal(batch: Batch) -> Tensor:
    """Logistic losses that discount entries which are already right."""
    return losses.binary_focal(batch.scores, batch.labels, gamma=batch.number("gamma"))


def binary_class_balanced_focal(batch: Batch) -> Tensor:
    """The same, with each class weighted by its effective number."""
    return losses.class_balanced_focal(
        batch.scores,
        batch.labels,
        batch.counts,
        beta=batch.number("beta"),
        gamma=batch.number("gamma"),
    )


def binary_ldam(batch: Batch) -> Tensor:
    """Label-distribution-aware margins on cosines, a sigmoid for each class."""
    return losses.binary_ldam(
        batch.scores,
        batch.labels,
        batch.counts,
        max_margin=batch.number("max_margin"),
        scale=batch.number("scale"),
    )


def asymmetric(batch: Batch) -> Tensor:
    """ASL, summed over the batch."""
    return losses.asymmetric(batch.scores, batch.labels, **_given(batch, _ASYMMETRIC))


def two_way(batch: Batch) -> Tensor:
    """Of rows and of columns."""
    temperatures: Any = _given(batch, _TWO_WAY)
    return losses.two_way(batch.scores, batch.labels, **temperatures)


def distribution_balanced(batch: Batch) -> Tensor:
    """DB without the focal factor."""
    return _balanced(batch, focal=False)


def distribution_balanced_focal(batch: Batch) -> Tensor:
    """DB-Focal."""
    return _balanced(batch, focal=True)


def chosen(batch: Batch) -> Tensor:
    """The loss that the option ``loss`` names, with its defaults."""
    return CHOICES[str(batch.options["loss"])](batch)


_ASYMMETRIC, _TWO_WAY = ("gamma_neg", "gamma_pos", "clip"), ("t_pos", "t_neg")
_BALANCED = {"mu": 0.3, "lam": 5.0, "alpha": 0.1, "beta": 10.0, "init_bias": 0.05}  # VOC-LT's
CHOICES: dict[str, Loss] = {
    "two-way": two_way,
    "bce": binary_cross_entropy,
    "asl": asymmetric,
    "db-focal": distribution_balanced_focal,
}


def _given(batch: Batch, names: tuple[str, ...]) -> dict[str, float]:
    """Those of these options that a method has; others have the defaults of the loss."""
    return {name: batch.number(name) for name in names if name in batch.options}


def _balanced(batch: Batch, *, focal: bool) -> Tensor:
    own = {} if "loss" in batch.options else _given(batch, tuple(_BALANCED))
    return losses.distribution_balanced(
        batch.scores, batch.labels, batch.counts, batch.images, focal=focal, **(_BALANCED | own)
    )


def ride_of(experts: int) -> Loss:
    """RIDE with so many experts."""

    def ride(batch: Batch) -> Tensor:
        """LDAM of each expert, less the divergence of its output from the mean output."""
        return losses.ride(
            models.expert_scores(batch.features, batch.classifier, experts),
            batch.labels,
            batch.counts,
            max_margin=batch.number("max_margin"),
            scale=batch.number("scale"),
            diversity=batch.number("diversity"),
            spread=batch.number("spread"),
            weight=batch.weight,
        )

    return ride


def contrastive(batch: Batch) -> Tensor:
    """Of the queries, plus the cross-entropy of the probe; the latter alone outside training."""
    probe = cross_entropy(batch)
    embedded, options = batch.embedded, batch.options
    if embedded is None:
        return probe
    return probe + losses.supervised_contrastive(
        embedded.queries,
        batch.labels,
        embedded.views,
        embedded.keys,
        embedded.key_labels,
        temperature=batch.number("temperature"),
        positives=int(options["positives"]) if "positives" in options else None,
        targets=embedded.targets,
        target_weight=float(options.get("target_weight", 1.0)),
        target_as="positive" if options.get("target_as") == "positive" else "term",
        generator=embedded.generator,
    )


def parabola(progress: float) -> float:
    """The share of the second branch in BBN, 1 − α, after a share of the epochs."""
    return progress**2


def within(batch: Batch, centres: Centres) -> Tensor:
    """L_W of Liu et al. (2023), eq. 13: a sum over classes of the mean squared distance."""
    return losses.within_class(batch.features, batch.labels, centres.centres)


def between(batch: Batch, centres: Centres) -> Tensor:
    """L_B of Liu et al. (2023), eq. 15, of the classes that count as present."""
    return losses.between_class(centres.centres, present=centres.present)


def center(batch: Batch, centres: Centres) -> Tensor:
    """The center loss of Wen et al. (2016): the mean squared distance over the batch."""
    return losses.center_loss(batch.features, batch.labels, centres.centres)


def tau_normalised(
    weight: Float[Tensor, "K P"],
    bias: Float[Tensor, " K"],
    counts: Float[Tensor, " K"],
    options: Mapping[str, Value],
) -> Classifier:
    r"""Rows :math:`w_k/\|w_k\|^\tau`, without a bias (Kang et al. 2020, eq. 4)."""
    return models.tau_normalise(weight, float(options["tau"])), torch.zeros_like(bias)


def prior_removed(
    weight: Float[Tensor, "K P"],
    bias: Float[Tensor, " K"],
    counts: Float[Tensor, " K"],
    options: Mapping[str, Value],
) -> Classifier:
    r"""Scores less :math:`\tau\log\pi_k` (Menon et al. 2021, eq. 9)."""
    return weight, bias - float(options["tau"]) * (counts / counts.sum()).log()
