"""What a run is: every choice that changes its result, validated and hashed."""

from __future__ import annotations

import hashlib
import inspect
import json
import math
import re
from typing import Any, Literal, Self

from jaxtyping import Float
from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationInfo,
    field_validator,
    model_validator,
)
from torch import Tensor

from nclib import data, encodings, models


class RunConfig(BaseModel):
    r"""One training run: data, labels, network, objective, schedule and seed.

    The objective is the unconstrained features model's, on minibatches of size B out of N images:
    :math:`\frac1{B}\sum_i \ell(W h_i + b, \bar y_{c_i}) + \frac{\lambda_W}2\|W\|^2
    + \frac{\lambda_H}2\frac{N}{B}\sum_i\|h_i\|^2 + \frac{\lambda_b}2\|b\|^2`,
    with :math:`\ell` half the squared distance (``mse``) or the cross-entropy (``ce``).

    The id is a hash of the fields that differ from their defaults. So a field may be added later
    without touching the id of any published record, provided that its default keeps the old
    behaviour; for the same reason a default, once published, never changes. Options of the encoding
    are spelt out, defaults too, unless that is None: one that is added later defaults to None.

    Raises:
        pydantic.ValidationError: (a ValueError) naming each field that is refused, its value and
            what was expected.

    >>> config = RunConfig(paper="class-encoding", profile="smoke", dataset="digits", epochs=2)
    >>> config.id == RunConfig.model_validate_json(config.to_json()).id
    True
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    paper: str  #: Folder of the ledger that the run belongs to.
    profile: Literal["smoke", "laptop", "paper"]  #: How far it goes.

    dataset: str  #: A key of ``nclib.data.DATASETS``.
    per_class: int | None = None  #: Training images a class, drawn with the seed; None: all.
    encoding: str = "one_hot"  #: A key of ``nclib.encodings.ENCODINGS``.
    encoding_options: tuple[tuple[str, float], ...] = ()  #: Its options; a mapping is accepted.
    augment: bool = False  #: Random crops and flips.

    model: str = "mlp"  #: A key of ``nclib.models.MODELS``.
    width: int = 64  #: Of its layers, where that is free.
    feature_dim: int = 64  #: P, the dimension of the features.
    feature_layer: Literal["linear", "relu"] = "linear"  #: Features of both signs, or nonnegative.

    loss: Literal["mse", "ce"] = "mse"  #: Half the squared distance, or cross-entropy.
    lam_w: float = 0.0  #: Penalty on the classifier.
    lam_h: float = 0.0  #: Penalty on the features.
    lam_b: float = 0.0  #: Penalty on the bias; 0: a free bias, inf: none.
    weight_decay: float = 0.0  #: Of the parameters below the features.

    optimizer: Literal["sgd", "adamw"] = "sgd"  #: AdamW keeps its usual β.
    lr: float = 0.05  #: Learning rate after the warm-up.
    momentum: float = 0.9  #: Of SGD.
    schedule: Literal["cosine", "constant"] = "cosine"  #: After the warm-up.
    warmup_epochs: int = 0  #: Epochs in which the learning rate rises to its full value.
    epochs: int  #: Passes over the training images.
    batch_size: int = 128  #: Images a step.
    precision: Literal["32-true", "bf16-mixed"] = "32-true"  #: As Lightning Fabric names it.
    seed: int = 0  #: Of the subset, the initial weights, the batches and the augmentation.

    measure_every: int = 10  #: Epochs between measurements of collapse; also before and at the end.

    @field_validator("encoding_options", mode="before")
    @classmethod
    def _as_items(cls, options: Any) -> Any:
        """Sorted pairs: hashable, and in one form whatever the order."""
        try:
            return tuple(sorted(dict(options).items()))
        except (TypeError, ValueError):
            raise ValueError(f"got {options!r}, expected numbers by name") from None

    @field_validator("encoding_options")
    @classmethod
    def _with_defaults(
        cls, options: tuple[tuple[str, float], ...], info: ValidationInfo
    ) -> tuple[tuple[str, float], ...]:
        """One run, one id, whether a default is spelt out or not; and it stays that run's."""
        function = encodings.ENCODINGS.get(info.data.get("encoding", ""))
        if function is None:  # refused by name below
            return options
        defaults = {
            name: float(parameter.default)
            for name, parameter in inspect.signature(function).parameters.items()
            if isinstance(parameter.default, (int, float))
        }
        return tuple(sorted({**defaults, **dict(options)}.items()))

    @field_validator("paper")
    @classmethod
    def _is_folder_name(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value):
            raise ValueError(f"{value!r} is no folder name of lower-case words joined by hyphens")
        return value

    @field_validator("dataset")
    @classmethod
    def _dataset_is_known(cls, value: str) -> str:
        return data.info(value).name

    @field_validator("model")
    @classmethod
    def _model_is_known(cls, value: str) -> str:
        return models.known(value)

    @field_validator("width", "feature_dim", "epochs", "batch_size", "measure_every")
    @classmethod
    def _at_least_one(cls, value: int) -> int:
        return _require(value >= 1, value, "at least 1")

    @field_validator("seed", "warmup_epochs")
    @classmethod
    def _not_negative(cls, value: int) -> int:
        return _require(value >= 0, value, "0 or more")

    @field_validator("lam_b")
    @classmethod
    def _penalty_or_none(cls, value: float) -> float:
        return _require(value >= 0, value, "0 (a free bias), a positive number, or inf (no bias)")

    @field_validator("lam_w", "lam_h", "weight_decay")
    @classmethod
    def _finite_penalty(cls, value: float) -> float:
        return _require(0 <= value < math.inf, value, "0 or a positive finite number")

    @field_validator("lr")
    @classmethod
    def _positive(cls, value: float) -> float:
        return _require(0 < value < math.inf, value, "a positive finite number")

    @field_validator("momentum")
    @classmethod
    def _fraction(cls, value: float) -> float:
        return _require(0 <= value < 1, value, "in [0, 1)")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        known = data.info(self.dataset)
        smallest = known.train_per_class[0]
        if self.per_class is not None and not 1 <= self.per_class <= smallest:
            raise ValueError(
                f"per_class is {self.per_class}, expected 1 to {smallest} (the smallest class of "
                f"{known.title}) or None"
            )
        if self.augment and not known.augmentable:
            raise ValueError(f"augment is True, but a flipped image of {known.title} is another")
        if self.warmup_epochs > self.epochs:
            raise ValueError(
                f"warmup_epochs is {self.warmup_epochs}, expected at most epochs = {self.epochs}"
            )
        models.check_shape(self.model, known.shape)
        targets = self.targets()
        if self.loss == "ce" and (targets.min() < 0 or (targets.sum(0) - 1).abs().max() > 1e-9):
            raise ValueError(
                f"loss 'ce' needs labels that are distributions, but the columns of encoding "
                f"{self.encoding!r} are not"
            )
        return self

    def targets(self) -> Float[Tensor, "K K"]:
        """The labels, one column a class."""
        options = dict(self.encoding_options)
        try:
            return encodings.make(self.encoding, data.info(self.dataset).num_classes, **options)
        except TypeError as error:  # pydantic reports ValueError alone
            raise ValueError(str(error)) from None

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces, and only the fields that are not the default."""
        fields = {}
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if value != field.get_default():
                fields[name] = _canonical(value)
        return json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @property
    def id(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of the canonical JSON."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def replace(self, **changes: Any) -> Self:
        """The same configuration with some fields changed, validated anew.

        Another encoding starts from its own options.
        """
        kept = self.model_dump()
        if changes.get("encoding", self.encoding) != self.encoding:
            del kept["encoding_options"]
        return type(self).model_validate({**kept, **changes})


def _canonical(value: Any) -> Any:
    """A field's value as the canonical JSON has it."""
    if isinstance(value, tuple):  # options: a whole number is the same as 1 and as 1.0
        return {name: int(item) if item.is_integer() else item for name, item in value}
    return "inf" if value == math.inf else value  # JSON has no infinity


def _require(holds: bool, value: Any, expected: str) -> Any:
    if not holds:
        raise ValueError(f"got {value}, expected {expected}")
    return value
