"""The objective of a declared method: its loss, its class weights, its regularisers."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from nclib import losses
from nclib.methods import Batch, Loss, Method, Value
from nclib.metrics import CollapseReport
from nclib.models import Classifier
from nclib.train._centres import ClassCentres
from nclib.train._contrast import MomentumContrast
from nclib.train._objective import Mixed, Report, Share


class MethodObjective:
    """A method's loss, weighted and regularised as it declares.

    Args:
        method: the declaration.
        options: its options, every one.
        network: its head gives the classifier's weight (K, P).
        counts: (K,) training images of each class, on the device.
        dim: P.
        generator: of learnable centres, and of what a contrast begins with.
        loss: another loss alone, without weights and regularisers: that of a second stage.
    """

    def __init__(
        self,
        method: Method,
        options: Mapping[str, Value],
        network: Classifier,
        counts: Int64[Tensor, " K"],
        dim: int,
        generator: torch.Generator,
        *,
        loss: Loss | None = None,
    ) -> None:
        first = loss is None
        chosen = loss or method.loss
        assert chosen is not None  # the method "plain" has another objective
        self.function = chosen
        self.options, self.head = options, network.head
        self.logits = method.logits
        self.counts = counts.float()
        self.weights: Tensor | None = None
        if first and method.weights == "effective":
            beta = float(options["beta"])
            self.weights = losses.effective_number_weights(counts, beta=beta).float()
        elif first and method.weights == "inverse":
            self.weights = losses.inverse_frequency_weights(counts).float()
        self.weighted_from = int(options["drw_epoch"]) if method.deferred else 0
        self.terms = method.terms if first else ()
        self.terms_from = int(options["start_epoch"]) if self.terms else 0
        self.on_clean = bool(self.terms) and options["terms_on"] == "clean"
        self.centres: ClassCentres | None = None
        if self.terms:
            kind = str(options["centres"])
            pull = float(options.get("lam_within", options.get("lam_center", 0.0)))
            centres = ClassCentres(kind, len(counts), dim, generator, pull)
            self.centres = centres.to(counts.device)
        self.contrast: MomentumContrast | None = None
        if first and method.contrast is not None:
            self.contrast = MomentumContrast(
                method.contrast, options, network, len(counts), dim, generator
            )

    def wants_clean(self, epoch: int) -> bool:
        """Whether the terms of an epoch look at the images of a batch before they are mixed."""
        return self.on_clean and self.phase(epoch)[1]

    def loss(
        self,
        features: Tensor,
        scores: Tensor,
        labels: Mixed,
        epoch: int,
        clean: Tensor | None = None,
    ) -> Tensor:
        """The batch's; with two labels an image, their losses in proportion to the shares.

        Args:
            features: (B, P).
            scores: (B, K).
            labels: with their shares.
            epoch: from 0.
            clean: (B, P), features of the images before they were mixed, whose labels are the
                first; None: the terms look at ``features``, once a set of labels.
        """
        if clean is not None:
            parts = [self._fit_term(features, scores, o, epoch) * share for o, share in labels]
            return self._with_terms(torch.stack(parts).sum(), clean, scores, labels[0][0])
        if len(labels) > 1 and self.centres is not None and self.centres.kind == "ema":
            labels = _heavier_first(*labels)
        parts = [
            self._loss(features, scores, own, epoch, update=i == 0) * share
            for i, (own, share) in enumerate(labels)
        ]
        return torch.stack(parts).sum() if len(parts) > 1 else parts[0]

    def _loss(
        self, features: Tensor, scores: Tensor, labels: Tensor, epoch: int, *, update: bool = True
    ) -> Tensor:
        loss = self._fit_term(features, scores, labels, epoch)
        if self.phase(epoch)[1] and self.terms:
            loss = self._with_terms(loss, features, scores, labels, update=update)
        return loss

    def _fit_term(self, features: Tensor, scores: Tensor, labels: Tensor, epoch: int) -> Tensor:
        """The method's loss without regularisers."""
        batch = self._batch(features, scores, labels, weighted=self.phase(epoch)[0])
        if self.contrast is not None:
            batch = batch._replace(embedded=self.contrast(features, labels, epoch))
        loss = self.function(batch)
        if self.contrast is not None:
            self.contrast.enqueue(labels)
        return loss

    def _with_terms(
        self, loss: Tensor, features: Tensor, scores: Tensor, labels: Tensor, *, update: bool = True
    ) -> Tensor:
        """A loss plus the regularisers, each with its strength."""
        assert self.centres is not None
        batch = self._batch(features, scores, labels, weighted=False)
        centres = self.centres(features, labels, update=update)
        for term in self.terms:
            loss = loss + batch.number(term.option) * term.function(batch, centres)
        return loss

    def _batch(self, features: Tensor, scores: Tensor, labels: Tensor, *, weighted: bool) -> Batch:
        weight = self.weights if weighted else None
        classifier = self.head.weight
        assert isinstance(classifier, Tensor)
        return Batch(features, scores, labels, self.counts, weight, classifier, self.options)

    def phase(self, epoch: int) -> tuple[bool, bool]:
        """Whether class weights and regularisers, where there are any, are in force."""
        return epoch >= self.weighted_from, epoch >= self.terms_from

    def predict(self, scores: Float[Tensor, "B K"]) -> Int64[Tensor, " B"]:
        """The class of the largest score."""
        return scores.argmax(1)

    def probabilities(self, scores: Float[Tensor, "B K"]) -> Float[Tensor, "B K"] | None:
        """Softmax of the scores, times the loss's scale where it has one."""
        if not self.logits:
            return None
        return (scores.float() * float(self.options.get("scale", 1.0))).softmax(1)

    def final(self, features: Tensor, scores: Tensor, labels: Tensor) -> dict[str, float]:
        """The loss without weights and regularisers."""
        classifier = self.head.weight
        assert isinstance(classifier, Tensor)
        batch = Batch(features, scores, labels, self.counts, None, classifier, self.options)
        return {"train_loss": self.function(batch).item()}

    def report(self, report: Report, weight: Tensor, bias: Tensor) -> CollapseReport:
        """Collapse with the classifier as it is."""
        return report(weight=weight, bias=bias)


def _heavier_first(one: tuple[Tensor, Share], other: tuple[Tensor, Share]) -> Mixed:
    """Two labels with the larger share first, found without waiting for an accelerator."""
    (first, share), (second, rest) = one, other
    keep = torch.as_tensor(share >= rest, device=first.device)
    return [
        (torch.where(keep, first, second), torch.where(keep, share, rest)),
        (torch.where(keep, second, first), torch.where(keep, rest, share)),
    ]
