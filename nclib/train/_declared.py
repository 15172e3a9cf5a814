"""The objective of a declared method: its loss, its class weights, its regularisers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from nclib import losses
from nclib.methods import Batch, Method, Value
from nclib.models import Branches, Classifier, Outputs
from nclib.tasks import StepLabels
from nclib.train._centres import ClassCentres
from nclib.train._contrast import MomentumContrast
from nclib.train._objective import Objective, Targets, Views, weight_and_bias


class MethodObjective(Objective):
    """A method's loss, weighted and regularised as it declares.

    A later stage has the loss of its own training alone, without weights, regularisers and second
    views, which are those of the stage before.

    Args:
        method: the declaration.
        options: every one of its options.
        network: as it is before training: a contrast starts from a copy, and its head says K and P.
        counts: (K,) training images of each class.
        generator: of learnable centres, and of what a contrast begins with.
        epochs: of the schedule, for the share of a second branch.
        images: of the training set.
    """

    counts: Tensor
    class_weights: Tensor | None

    def __init__(
        self,
        method: Method,
        options: Mapping[str, Value],
        network: Classifier,
        counts: Int64[Tensor, " K"],
        generator: torch.Generator,
        *,
        epochs: int,
        images: int = 0,
    ) -> None:
        super().__init__()
        loss = method.second.loss if method.second is not None else method.loss
        assert loss is not None  # the method "plain" has another objective
        self.function, self.options, self.shift_invariant = loss, options, method.logits
        self.epochs, self.images = epochs, images
        self.register_buffer("counts", counts.float(), persistent=False)
        first = method.base is None
        weights = None
        if first and method.weights == "effective":
            beta = float(options["beta"])
            weights = losses.effective_number_weights(counts, beta=beta).float()
        elif first and method.weights == "inverse":
            power = float(options.get("power", 1.0))
            weights = losses.inverse_frequency_weights(counts, power=power).float()
        self.register_buffer("class_weights", weights, persistent=False)
        self.weighted_from = int(options["drw_epoch"]) if first and method.deferred else 0
        self.terms = method.terms if first else ()
        self.terms_from = int(options["start_epoch"]) if self.terms else 0
        self.terms_on_clean = bool(self.terms) and options.get("terms_on") == "clean"
        self.second_view = method.second_view if first else None
        dim = weight_and_bias(network.head)[0].shape[1]
        self.centres: ClassCentres | None = None
        if self.terms:
            # On a balanced batch the center loss, a batch mean, pulls K times less than L_W.
            center = float(options.get("lam_center", 0.0)) / len(counts)
            strength = float(options.get("lam_within", center))
            kind = str(options["centres"])
            self.centres = ClassCentres(kind, len(counts), dim, generator, strength)
        self.contrast: MomentumContrast | None = None
        if first and method.contrast is not None:
            self.contrast = MomentumContrast(
                method.contrast, options, network, len(counts), dim, generator
            )
        self.to(counts.device)

    def extra_parameters(self) -> list[nn.Parameter]:
        """Of a contrast's projection."""
        return [] if self.contrast is None else list(self.contrast.projection.parameters())

    def optimizers(self) -> list[torch.optim.Optimizer]:
        """Of learnable centres."""
        optimizer = None if self.centres is None else self.centres.optimizer()
        return [] if optimizer is None else [optimizer]

    def phase(self, epoch: int) -> tuple[bool, ...]:
        """Whether class weights and regularisers, where there are any, are in force."""
        return epoch >= self.weighted_from, epoch >= self.terms_from

    def begin_epoch(self, network: Classifier, epoch: int) -> None:
        """Give the second branch of the network its share."""
        share = self.second_share(epoch)
        if share is not None:
            assert isinstance(network.trunk, Branches)
            network.trunk.share = share

    def second_share(self, epoch: int) -> float | None:
        """By the method's function of the epochs that are done."""
        view = self.second_view
        return None if view is None or view.share is None else view.share(epoch / self.epochs)

    def shown(
        self, network: Classifier, views: Views, epoch: int, draws: torch.Generator
    ) -> list[Float[Tensor, "b C H W"]]:
        """The images; also the second views, or the unmixed images, if the loss is to see them."""
        if self.contrast is not None:
            assert views.second is not None
            self.contrast.embed(network, views.second, draws)
        elif views.second is not None:  # for a second branch: one output for both images
            return [views.images, views.second]
        elif self.terms_on_clean and self.phase(epoch)[1]:
            assert views.unmixed is not None
            return [views.images, views.unmixed]
        return [views.images]

    def loss(
        self, outputs: Sequence[Outputs], targets: Targets, head: nn.Module, epoch: int
    ) -> Float[Tensor, ""]:
        """The batch's; with two sets of labels, their losses in proportion to the shares.

        Terms on clean images see those, with their labels; else the terms see the images that the
        rest of the loss sees, once a set of labels.
        """
        weighted, regularised, *_ = self.phase(epoch)
        on_clean = regularised and self.terms_on_clean
        on_each = regularised and not self.terms_on_clean and bool(self.terms)
        moves = on_each and self.centres is not None and self.centres.follows
        sets = targets.heavier_first() if moves else targets.sets()  # the first moves the centres
        parts = []
        for number, (labels, share) in enumerate(sets):
            loss = self._fit_term(outputs[0], labels, head, epoch, weighted=weighted)
            if on_each:
                loss = self._with_terms(loss, outputs[0], labels, head, update=number == 0)
            parts.append(loss if len(sets) == 1 else loss * share)
        total = parts[0] if len(parts) == 1 else torch.stack(parts).sum()
        return self._with_terms(total, outputs[1], targets.first, head) if on_clean else total

    def _fit_term(
        self,
        outputs: Outputs,
        labels: StepLabels,
        head: nn.Module,
        epoch: int,
        *,
        weighted: bool,
    ) -> Float[Tensor, ""]:
        """The method's loss without regularisers."""
        batch = self._batch(outputs, labels, head, weighted=weighted)
        if self.contrast is None:
            return self.function(batch)
        batch = batch._replace(embedded=self.contrast(outputs.features, labels, epoch))
        loss = self.function(batch)
        self.contrast.enqueue(labels)
        return loss

    def _with_terms(
        self,
        loss: Float[Tensor, ""],
        outputs: Outputs,
        labels: Int64[Tensor, " B"],
        head: nn.Module,
        *,
        update: bool = True,
    ) -> Float[Tensor, ""]:
        """A loss plus the regularisers, each with its strength."""
        assert self.centres is not None
        batch = self._batch(outputs, labels, head, weighted=False)
        centres = self.centres(outputs.features, labels, update=update)
        for term in self.terms:
            loss = loss + batch.number(term.option) * term.function(batch, centres)
        return loss

    def _batch(
        self, outputs: Outputs, labels: StepLabels, head: nn.Module, *, weighted: bool
    ) -> Batch:
        weights = self.class_weights if weighted else None
        classifier = head.weight
        assert isinstance(classifier, Tensor)
        return Batch(
            outputs.features,
            outputs.scores,
            labels,
            self.counts,
            weights,
            classifier,
            self.options,
            images=self.images,
        )

    def probabilities(self, scores: Float[Tensor, "B K"]) -> Float[Tensor, "B K"] | None:
        """Softmax of the scores, times the loss's scale where it has one."""
        if not self.shift_invariant:
            return None
        return (scores.float() * float(self.options.get("scale", 1.0))).softmax(1)

    def final(self, outputs: Outputs, labels: StepLabels, head: nn.Module) -> dict[str, float]:
        """The loss without weights and regularisers."""
        batch = self._batch(outputs, labels, head, weighted=False)
        return {"train_loss": self.function(batch).item()}
