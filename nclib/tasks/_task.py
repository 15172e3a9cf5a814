"""What every task says."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jaxtyping import Float, Float32, Int64
from torch import Tensor

from nclib.data import Labels

StepLabels = Int64[Tensor, " B"] | Float32[Tensor, "B K"]
"""Labels of a step: class ids, or multi-hot in float32, so that sums over pairs are products."""


class Judged(NamedTuple):
    """What is predicted for a split, beside its labels."""

    predictions: Int64[Tensor, " N"] | Float[Tensor, "N K"]  # as Task.predictions gives them
    labels: Labels
    shift_invariant: bool = True  # whether a constant added to an image's scores changes nothing


class Task(ABC):
    """How labels are counted, and how what a network gives is judged by them.

    Attributes:
        name: key in ``TASKS``.
        headline: the metric that stands for a run: ``train_…`` and ``test_…`` of it are final
            metrics of every record.
        title: of the headline metric, in words.
        hits: what the share of hits in an epoch's minibatches is called: the epochs of a record
            have it as ``train_…``.
        losses: of the method ``plain``.
        groups: head, medium and tail, as a data set publishes them; None: by training counts.
    """

    name: str
    headline: str
    title: str
    hits: str
    losses: tuple[str, ...]
    groups: Mapping[str, Sequence[int]] | None = None

    def grouped(self, groups: Mapping[str, Sequence[int]] | None) -> Task:
        """The same task, with groups of classes that are not by count."""
        twin = copy.copy(self)
        twin.groups = groups
        return twin

    @abstractmethod
    def targets(self, labels: Labels) -> StepLabels:
        """Labels as a step sees them."""

    @abstractmethod
    def predictions(self, scores: Float[Tensor, "B K"]) -> Int64[Tensor, " B"] | Tensor:
        """What is kept of the scores to judge them, which processes exchange."""

    @abstractmethod
    def count_hits(
        self, predictions: Tensor, targets: StepLabels, *, shift_invariant: bool
    ) -> Tensor:
        """The sum over a batch of the share of an image's labels that are hit, on its device.

        Args:
            predictions: as :meth:`predictions` gives them.
            targets: as :meth:`targets` gives them.
            shift_invariant: whether a constant added to an image's scores changes nothing.
        """

    @abstractmethod
    def metrics(self, judged: Judged, counts: Int64[Tensor, " K"], split: str) -> dict[str, float]:
        """The headline metric of a split and what stands beside it, named ``split_…``.

        Args:
            judged: of the split.
            counts: positive pairs of each class in training.
            split: ``train`` or ``test``, or another beginning of the names.
        """

    @abstractmethod
    def calibration(self, probabilities: Float[Tensor, "N K"], labels: Labels) -> dict[str, float]:
        """How probabilities of the classes that sum to 1 fit the labels."""

    @abstractmethod
    def summary(self, judged: Judged, num_classes: int) -> dict[str, Any]:
        """What stands beside a report of collapse: the headline metric, and it class by class."""

    @abstractmethod
    def means(
        self,
        features: Float[Tensor, "N P"] | Float[Tensor, "N K P"],
        labels: Labels,
        num_classes: int,
    ) -> tuple[Float[Tensor, "K P"], Float[Tensor, " P"]]:
        """Mean of the positive pairs of each class (nan where it has none) and of all, float64."""

    @abstractmethod
    def arrays(
        self,
        train: tuple[Float[Tensor, "N P"] | Float[Tensor, "N K P"], Labels],
        test: Judged,
        num_classes: int,
    ) -> dict[str, Tensor]:
        """The small arrays of a record that are this task's alone.

        Args:
            train: features and labels of the training images.
            test: the test images.
            num_classes: K.
        """
