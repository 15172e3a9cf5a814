"""What a run gave: metrics, collapse, small arrays, and where it came from."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor

from nclib._io import write_atomic
from nclib.runs._config import RunConfig, refused

if TYPE_CHECKING:
    from nclib.metrics import CollapseReport

FORMAT = 1
_FIELDS = ("id", "config", "final", "epochs", "collapse", "arrays", "provenance")


class RecordError(ValueError):
    """A record file is torn, was edited, or is no record."""


class Trajectory(NamedTuple):
    """A metric over training."""

    epochs: list[int]
    values: list[float]


@dataclass(frozen=True, eq=False)
class RunRecord:
    """The result of one run.

    Attributes:
        config: what was run.
        epochs: one mapping an epoch: ``epoch``, ``loss`` (mean objective over the minibatches),
            ``lr``, ``train_accuracy`` (while training) and, where it was evaluated,
            ``test_accuracy`` and, of groups of classes, ``test_many``, ``_medium`` and ``_few``;
            where collapse was measured, ``train_many`` and the like too. Where an image has several
            labels, ``train_hits`` (while training; ``nclib.tasks`` says what a hit is),
            ``test_map``, ``test_head``, ``_medium``, ``_tail``, ``_global_map`` and ``_hits``,
            ``test_absent`` (classes without an image there) and, where scores have a meaning
            within an image alone, ``test_precision_at_k`` and ``_recall_at_k``.
        final: metrics of the finished network, as fractions and in the units of the objective.
            The first records have ``test_accuracy_noise_σ``, of noise on pixels in [0, 1], which
            is about five times as strong as what ``noisy_test_accuracy_σ`` is of.
        collapse: for ``train`` and ``test``, one mapping a measured epoch: ``epoch``, ``accuracy``,
            ``per_class_accuracy`` (K numbers), ``ece`` where scores are logits, and ``report``, the
            ``CollapseReport`` without its means, of features at the run's precision (bfloat16 moves
            NC1 by about half a per cent). The first records lack the third and fourth. Where an
            image has several labels, ``map`` and ``per_class_ap`` stand for accuracies and ``ece``.
        arrays: float32 arrays: ``class_means`` (K, P), ``global_mean`` (P,), ``weight`` (K, P),
            ``bias`` (K,), ``test_class_means`` (K, P), ``per_class_accuracy`` (K,), ``counts``
            (K,) and, up to 100 classes, ``confusion`` (K, K; rows are the true classes). Where an
            image has several labels, means and counts are those of positive pairs, and for
            accuracies and confusion stand ``per_class_ap`` (K,) and, of up to 256 sets of labels,
            ``supports`` (S, K; zeros and ones), and of the training images that have that set
            ``support_counts`` (S,), ``support_means`` (S, P) and ``support_variances`` (S,), the
            mean squared distance of their features from the mean.
        provenance: versions, device, commit, date, ``train_seconds`` (of the steps),
            ``wall_seconds`` (measuring and saving too), ``images_per_second``, ``peak_memory_mib``;
            where the finished network was measured anew, ``measured_commit`` and the like say when.
    """

    config: RunConfig
    epochs: Sequence[Mapping[str, Any]]
    final: Mapping[str, Any]
    collapse: Mapping[str, Sequence[Mapping[str, Any]]]
    arrays: Mapping[str, np.ndarray]
    provenance: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The configuration's id."""
        return self.config.id

    @property
    def profile(self) -> str:
        """The configuration's profile."""
        return self.config.profile

    @property
    def score(self) -> float:
        """The headline metric of its task on the test images, such as accuracy."""
        return float(self.final[f"test_{self.config.task.headline}"])

    def to_json(self) -> str:
        """The record as JSON, its own SHA-256 inside."""
        document = {
            "format": FORMAT,
            "id": self.id,
            "config": json.loads(self.config.to_json()),
            "final": _finite(self.final),
            "epochs": _finite(self.epochs),
            "collapse": _finite(self.collapse),
            "arrays": {name: _encode(array) for name, array in self.arrays.items()},
            "provenance": _finite(self.provenance),
        }
        document["sha256"] = _digest(document)
        lines = (f"{json.dumps(key)}: {_compact(value)}" for key, value in document.items())
        return "{\n" + ",\n".join(lines) + "\n}\n"

    def save(self, path: Path) -> None:
        """Write the record: afterwards the file is whole or as it was before."""
        write_atomic(path, self.to_json().encode())

    def tensor(self, name: str) -> Tensor:
        """One of the arrays, in float64."""
        return torch.from_numpy(self.arrays[name]).double()

    def report(self, split: Literal["train", "test"], index: int = -1) -> CollapseReport:
        """A measured report, the last one unless another index is given; it holds no means."""
        from nclib.metrics import CollapseReport

        return CollapseReport.from_dict(self.collapse[split][index]["report"])

    def trajectory(self, split: Literal["train", "test"], metric: str) -> Trajectory:
        """The measured epochs and a number of the reports there, such as ``nc1``."""
        entries = self.collapse[split]
        values = [getattr(self.report(split, i), metric) for i in range(len(entries))]
        return Trajectory([entry["epoch"] for entry in entries], values)

    @classmethod
    def load(cls, path: Path | str) -> RunRecord:
        """Read a record and check that it is the one that was written.

        Raises:
            RecordError: if the file is torn, was edited, or its configuration is not valid; the
                message names the path and the reason.
        """
        path = Path(path)
        try:
            document = json.loads(path.read_bytes())
        except ValueError as error:
            raise RecordError(f"{path} is torn: it is not JSON ({error})") from None
        if not isinstance(document, dict) or "sha256" not in document:
            raise RecordError(f"{path} is no run record: it has no sha256")
        expected, digest = document.pop("sha256"), _digest(document)
        if digest != expected:
            raise RecordError(
                f"{path} was edited: its sha256 is {digest}, the file says {expected}"
            )
        if document.get("format") != FORMAT:
            raise RecordError(f"{path} has format {document.get('format')}, expected {FORMAT}")
        missing = [name for name in _FIELDS if name not in document]
        if missing:
            raise RecordError(f"{path} is no run record: it has no {', '.join(missing)}")
        try:
            config = RunConfig.model_validate(document["config"])
        except ValidationError as error:
            reason = refused(error)
            raise RecordError(f"{path} has a configuration that is not valid: {reason}") from None
        if config.id != document["id"]:
            raise RecordError(
                f"{path} says id {document['id']}, but its configuration has id {config.id}"
            )
        return cls(
            config=config,
            epochs=document["epochs"],
            final=document["final"],
            collapse=document["collapse"],
            arrays={name: _decode(array) for name, array in document["arrays"].items()},
            provenance=document["provenance"],
        )


def _compact(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _digest(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(_compact(document).encode()).hexdigest()


def _finite(value: Any) -> Any:
    """Plain lists and numbers; what is not finite becomes None, since JSON has no word for it."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _encode(array: np.ndarray) -> dict[str, Any]:
    data = np.ascontiguousarray(array, dtype="<f4")
    return {"shape": list(data.shape), "float32": base64.b64encode(data.tobytes()).decode("ascii")}


def _decode(entry: Mapping[str, Any]) -> np.ndarray:
    flat = np.frombuffer(base64.b64decode(entry["float32"]), dtype="<f4")
    return flat.reshape(entry["shape"]).copy()  # torch warns of memory that is not writable
