"""Several labels an image, or none."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from nclib import evaluate
from nclib.data import Labels
from nclib.tasks._task import Judged, StepLabels, Task

_MOST_SUPPORTS = 256  # of which a record keeps the means
_CHOSEN = 1, 3  # classes of an image, for precision and recall


class MultiLabel(Task):
    r"""Every image has a set of labels; of its m labels some are hit.

    The loss says what scores mean. Where they are logits of one logistic model a class (``bce``),
    a hit is a label with a positive score, and the scores themselves are ranked. Where they are
    defined up to a constant an image (``pal``), a hit is a label among the m largest scores, the
    logarithms of the softmax are ranked, and precision and recall at k stand beside, which
    constants leave as they are. An image without labels has no hit.
    """

    name = "multi_label"
    headline = "map"
    title = "mAP"
    hits = "hits"
    losses = ("pal", "bce")

    def targets(self, labels: Labels) -> StepLabels:
        """Ones and zeros, so that sums over pairs are products."""
        return labels.float()

    def predictions(self, scores: Float[Tensor, "B K"]) -> Float[Tensor, "B K"]:
        """The scores themselves."""
        return scores

    def count_hits(
        self, predictions: Tensor, targets: StepLabels, *, shift_invariant: bool
    ) -> Float32[Tensor, ""]:
        """The share of an image's labels that are hit, summed."""
        sizes = targets.sum(1, keepdim=True)
        if shift_invariant:
            ranked = targets.gather(1, predictions.argsort(stable=True, dim=1, descending=True))
            places = torch.arange(targets.shape[1], device=targets.device)
            hits = ranked * (places < sizes)
        else:
            hits = targets * (predictions > 0)
        return (hits / sizes).nansum()

    def metrics(self, judged: Judged, counts: Int64[Tensor, " K"], split: str) -> dict[str, float]:
        """Mean average precision: of all classes, of groups of them, and over images."""
        scores, labels = _comparable(judged), judged.labels
        report = evaluate.multilabel_report(scores, labels, counts, split=self.groups)
        hits = self.count_hits(
            scores, labels.float(), shift_invariant=judged.shift_invariant
        ).item()
        numbers: dict[str, float | None] = {
            "map": report.total,
            "head": report.head,
            "medium": report.medium,
            "tail": report.tail,
            "global_map": report.global_map,
            "absent": len(report.absent),
            "hits": hits / len(labels),
        }
        if judged.shift_invariant:
            for k in _CHOSEN:
                if k <= len(counts):
                    numbers[f"precision_at_{k}"] = evaluate.precision_at_k(scores, labels, k)
                    numbers[f"recall_at_{k}"] = evaluate.recall_at_k(scores, labels, k)
        return {f"{split}_{name}": value for name, value in numbers.items() if value is not None}

    def calibration(self, probabilities: Float[Tensor, "N K"], labels: Labels) -> dict[str, float]:
        """None: no one class is the right one."""
        return {}

    def summary(self, judged: Judged, num_classes: int) -> dict[str, Any]:
        """Mean average precision, and the average precision of each class."""
        by_class = evaluate.average_precision(_comparable(judged), judged.labels)
        return {
            "map": by_class.mean().item(),
            "per_class_ap": [round(value, 6) for value in by_class.tolist()],
        }

    def means(
        self,
        features: Float[Tensor, "N P"] | Float[Tensor, "N K P"],
        labels: Labels,
        num_classes: int,
    ) -> tuple[Float[Tensor, "K P"], Float[Tensor, " P"]]:
        """Those of the positive pairs: an image with two labels counts twice.

        Of class-wise features, the pair of an image and a class has that of the class.
        """
        pairs, features = labels.double(), features.double()
        of_classes = features.ndim == 3
        sums = torch.einsum("nk,nkp->kp", pairs, features) if of_classes else pairs.T @ features
        counts = pairs.sum(0)
        return sums / counts[:, None], sums.sum(0) / counts.sum()

    def arrays(
        self,
        train: tuple[Float[Tensor, "N P"] | Float[Tensor, "N K P"], Labels],
        test: Judged,
        num_classes: int,
    ) -> dict[str, Tensor]:
        """Average precision of each class and, of up to 256 supports, what the features do there.

        A support is the set of an image's labels. Of each there are the labels, the number of
        training images, the mean of their features, and their mean squared distance from it;
        nothing of them where every class has a feature of its own.
        """
        arrays = {"per_class_ap": evaluate.average_precision(_comparable(test), test.labels)}
        features, labels = train
        supports, members, counts = labels.unique(dim=0, return_inverse=True, return_counts=True)
        if len(supports) > _MOST_SUPPORTS or features.ndim == 3:
            return arrays
        features = features.double()
        sums = features.new_zeros(len(supports), features.shape[1])
        means = sums.index_add_(0, members, features) / counts[:, None]
        squares = (features - means[members]).square().sum(1)
        spread = features.new_zeros(len(supports)).index_add_(0, members, squares) / counts
        return {
            **arrays,
            "supports": supports,
            "support_counts": counts,
            "support_means": means,
            "support_variances": spread,
        }


def _comparable(judged: Judged) -> Float[Tensor, "N K"]:
    """Scores that mean the same in every image."""
    scores = judged.predictions
    return scores.log_softmax(1) if judged.shift_invariant else scores


multi_label = MultiLabel()
