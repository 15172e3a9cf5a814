"""What a run is: every choice that changes its result, validated and hashed."""

from __future__ import annotations

import hashlib
import inspect
import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal, Self

from jaxtyping import Float
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from torch import Tensor

from nclib import data, encodings, methods, models, tasks
from nclib._names import unknown
from nclib._profiles import Profile
from nclib.runs._plugins import check_plugin, require, training_stages


def _rule(holds: Callable[[Any], bool], expected: str) -> AfterValidator:
    """What a field's value must be, in words that follow "expected"."""

    def check(value: Any) -> Any:
        if not holds(value):
            raise ValueError(f"got {value}, expected {expected}")
        return value

    return AfterValidator(check)


def _is_folder_name(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value):
        raise ValueError(f"{value!r} is no folder name of lower-case words joined by hyphens")
    return value


Plugins = tuple[tuple[str, tuple[tuple[str, float | str], ...]], ...]

# The recipe by which a network learns one label an image, for others to start from its trunk.
_PRETRAINING: dict[str, Any] = {
    "method": "ce",
    "optimizer": "nesterov",
    "weight_decay": 5e-4,
    "feature_layer": "native",
}

_FolderName = Annotated[str, AfterValidator(_is_folder_name)]
_Dataset = Annotated[str, AfterValidator(lambda name: data.info(name).name)]
_Model = Annotated[str, AfterValidator(models.check_name)]
_Method = Annotated[str, AfterValidator(lambda name: methods.get(name).name)]
_Count = Annotated[int, _rule(lambda n: n >= 1, "at least 1")]
_Epochs = Annotated[int, _rule(lambda n: n >= 0, "0 or more")]
_Seed = Annotated[int, _rule(lambda n: 0 <= n < 2**32, "0 or more and below 2³²")]
_Ratio = Annotated[float, _rule(lambda r: 1 <= r < math.inf, "a ratio of 1 or more")]
_Fraction = Annotated[float, _rule(lambda x: 0 <= x < 1, "in [0, 1)")]
_Positive = Annotated[float, _rule(lambda x: 0 < x < math.inf, "a positive finite number")]
_Penalty = Annotated[float, _rule(lambda x: 0 <= x < math.inf, "0 or a positive finite number")]
_BiasPenalty = Annotated[
    float, _rule(lambda x: x >= 0, "0 (a free bias), a positive number, or inf (no bias)")
]
_NoiseLevels = Annotated[
    tuple[float, ...],
    _rule(lambda levels: all(0 < x < math.inf for x in levels), "positive standard deviations"),
    _rule(  # the final metrics are called by them
        lambda levels: len({f"{x:g}" for x in levels}) == len(levels),
        "levels that differ in six digits",
    ),
]


class RunConfig(BaseModel):
    r"""One training run: data, labels, network, method, schedule and seed.

    The objective of the method ``plain`` is the unconstrained features model's, on minibatches of
    size B out of N images:
    :math:`\frac1{B}\sum_i \ell(W h_i + b, \bar y_{c_i}) + \frac{\lambda_W}2\|W\|^2
    + \frac{\lambda_H}2\frac{N}{B}\sum_i\|h_i\|^2 + \frac{\lambda_b}2\|b\|^2`,
    with :math:`\ell` half the squared distance (``mse``) or the cross-entropy (``ce``). Where an
    image has several labels, :math:`\bar y` is multi-hot, and :math:`\ell` the cross-entropy summed
    over the labels (``pal``) or the logistic losses summed over the classes (``bce``). Every other
    method has an objective of its own; there, weight decay acts on the whole network.

    The id is a hash of the fields that differ from their defaults. So a field may be added later
    without touching the id of any published record, provided that its default keeps the old
    behaviour; for the same reason a default, once published, never changes. Options of the encoding
    are spelt out, defaults too, unless that is None: one that is added later defaults to None.
    Options of the method, of plug-ins and of the data set are all spelt out, but for those that
    came after records without them were published (``Option.added``).

    Raises:
        pydantic.ValidationError: (a ValueError) naming each field that is refused, its value and
            what was expected.

    >>> config = RunConfig(paper="class-encoding", profile="smoke", dataset="digits", epochs=2)
    >>> config.id == RunConfig.model_validate_json(config.to_json()).id
    True
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    paper: _FolderName  #: Folder of the ledger that the run belongs to.
    profile: Profile  #: Scale of the run.

    dataset: _Dataset  #: A key of ``nclib.data.DATASETS``.
    dataset_options: tuple[
        tuple[str, float | str], ...
    ] = ()  #: Its options; a mapping is accepted.
    per_class: int | None = None  #: Training images a class, drawn with the seed; None: all.
    imbalance: _Ratio = 1.0  #: Largest class over smallest, of the long-tailed training set.
    imbalance_kind: Literal["exp", "step"] = "exp"  #: How class sizes fall.
    subset_seed: _Seed = 0  #: Of the long-tailed subset; 0 is the one of the literature.
    encoding: str = "one_hot"  #: A key of ``nclib.encodings.ENCODINGS``.
    encoding_options: tuple[tuple[str, float], ...] = ()  #: Its options; a mapping is accepted.
    augment: bool = False  #: Random crops and flips.
    normalisation: Literal["own", "usual"] = "own"  #: As ``nclib.data.statistics`` names it.

    model: _Model = "mlp"  #: A key of ``nclib.models.MODELS``.
    width: _Count = 64  #: Of its layers, as ``models.build`` says.
    feature_dim: _Count = 64  #: P, the dimension of the features.
    #: As ``models.build`` names it; with attention every class has a feature of its own.
    feature_layer: Literal[
        "linear", "relu", "native", "cosine-attention", "multi-head-attention"
    ] = "linear"
    embedding: Literal["etf", "trainable"] = "etf"  #: Of the labels, which attention looks with.
    #: What the network below the features starts from: ``no``: random weights; ``imagenet``:
    #: torchvision's; or a data set of one label an image, on which it learns ``pretrain_epochs``
    #: first, with the seed 0, as :meth:`previous` says.
    pretrained: str = "no"
    pretrain_epochs: _Epochs = 0  #: Of the run before, where ``pretrained`` is a data set.
    #: First weights of a linear head: as ``torch.nn.Linear`` draws them, or Kaiming's normal ones;
    #: a second stage's new head has the former.
    head_init: Literal["uniform", "kaiming"] = "uniform"

    #: Half the squared distance or cross-entropy; ``pal`` and ``bce`` of several labels an image.
    loss: Literal["mse", "ce", "pal", "bce"] = "mse"
    lam_w: _Penalty = 0.0  #: Penalty on the classifier.
    lam_h: _Penalty = 0.0  #: Penalty on the features.
    lam_b: _BiasPenalty = 0.0  #: Penalty on the bias; 0: a free bias, inf: none.
    weight_decay: _Penalty = 0.0  #: Of the parameters below the features.

    #: ``nesterov``: SGD with Nesterov's momentum; Adam and AdamW keep their usual β, and the weight
    #: decay of Adam is a part of the gradient.
    optimizer: Literal["sgd", "nesterov", "adam", "adamw"] = "sgd"
    lr: _Positive = 0.05  #: Learning rate after the warm-up.
    momentum: _Fraction = 0.9  #: Of SGD.
    schedule: Literal["cosine", "constant", "step"] = "cosine"  #: After the warm-up.
    #: Epochs after which ``step`` divides the rate by ten; one that stands twice, by a hundred.
    milestones: tuple[int, ...] = ()
    warmup_epochs: _Epochs = 0  #: Epochs in which the learning rate rises to its full value.
    warmup_by: Literal["step", "epoch"] = "step"  #: It rises at every step, or every epoch.
    epochs: _Count  #: Passes over the training images.
    batch_size: _Count = 128  #: Images a step.
    mixup: _Penalty = 0.0  #: α of the mixing weight's Beta(α, α); 0: none.
    ema: _Fraction = 0.0  #: Decay of the running mean of the weights that is evaluated; 0: none.
    precision: Literal["32-true", "bf16-mixed"] = "32-true"  #: As Lightning Fabric names it.
    seed: _Seed = 0  #: Of the subset, the initial weights, the batches and the augmentation.

    #: Epochs between measurements of collapse; also before and at the end.
    measure_every: _Count = 10
    evaluate_every: _Count = 1  #: Epochs between test accuracies; also at the end.
    noise: _NoiseLevels = ()  #: Standard deviations of noise on normalised test images.

    method: _Method = "plain"  #: A key of ``nclib.methods.METHODS``.
    method_options: tuple[tuple[str, float | str], ...] = ()  #: Its options; a mapping is accepted.
    #: Keys of ``nclib.methods.PLUGINS`` with options, in the order in which they act; a mapping of
    #: names to options is accepted, and a list of names. Those that adjust the finished network are
    #: the last ones, each a run of its own.
    plugins: Plugins = ()

    @model_validator(mode="before")
    @classmethod
    def _fields_are_known(cls, fields: Any) -> Any:
        for name in fields if isinstance(fields, dict) else ():
            if name not in cls.model_fields:
                raise unknown("field", str(name), cls.model_fields)
        return fields

    @field_validator("*", mode="before")
    @classmethod
    def _is_no_truth_value(cls, value: Any, info: ValidationInfo) -> Any:
        """True would be taken for the number 1."""
        if isinstance(value, bool) and info.field_name != "augment":
            raise ValueError(f"got {value}, which is neither a number nor a name")
        return value

    @field_validator("dataset_options", "encoding_options", "method_options", mode="before")
    @classmethod
    def _as_items(cls, options: Any, info: ValidationInfo) -> Any:
        """Sorted pairs: hashable, and in one form whatever the order."""
        return cls._named_values(options, words=info.field_name != "encoding_options")

    @staticmethod
    def _named_values(options: Any, *, words: bool = True) -> tuple[tuple[str, Any], ...]:
        """Sorted pairs of names with numbers or, where there may be some, words."""
        try:
            pairs = tuple(sorted(dict(options).items()))
        except (TypeError, ValueError):
            raise ValueError(f"got {options!r}, expected numbers by name") from None
        kinds = (int, float, str) if words else (int, float)
        for name, value in pairs:
            if not isinstance(value, kinds) or isinstance(value, bool):
                expected = "a number or a name" if words else "a number"
                raise ValueError(f"{name} is {value!r}, expected {expected}")
        return pairs

    @field_validator("dataset_options")
    @classmethod
    def _options_of_the_data_set(
        cls, options: tuple[tuple[str, float | str], ...], info: ValidationInfo
    ) -> tuple[tuple[str, float | str], ...]:
        """All of them with their values, as of the method."""
        if "dataset" not in info.data:  # refused by name already
            return options
        entry = data.info(info.data["dataset"], dict(options))
        return tuple(entry.resolve(dict(options)).items())

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

    @field_validator("method_options")
    @classmethod
    def _options_of_the_method(
        cls, options: tuple[tuple[str, float | str], ...], info: ValidationInfo
    ) -> tuple[tuple[str, float | str], ...]:
        """All of them with their values: one run, one id, and it stays that run's."""
        if "method" not in info.data or "epochs" not in info.data:  # refused by name already
            return options
        method = methods.get(info.data["method"])
        return tuple(method.resolve(dict(options), info.data["epochs"]).items())

    @field_validator("plugins", mode="before")
    @classmethod
    def _as_named(cls, plugins: Any) -> Any:
        """Names with their options, in order."""
        entries = plugins.items() if isinstance(plugins, dict) else plugins
        try:
            named = [(one, {}) if isinstance(one, str) else tuple(one) for one in entries]
            pairs = tuple((name, cls._named_values(options)) for name, options in named)
        except (TypeError, ValueError) as error:
            raise ValueError(f"got {plugins!r}, expected plug-ins by name: {error}") from None
        for place, (name, _) in enumerate(pairs):
            if name in [other for other, _ in pairs[:place]]:
                raise ValueError(f"plug-in {name!r} is named twice")
        return pairs

    @field_validator("plugins")
    @classmethod
    def _options_of_the_plugins(cls, plugins: Plugins, info: ValidationInfo) -> Plugins:
        """All of them with their values, as of the method."""
        if "method_options" not in info.data or "epochs" not in info.data:  # refused already
            return plugins
        epochs = info.data["epochs"]
        of_last = int(dict(info.data["method_options"]).get("second_epochs", epochs))
        complete = []
        for name, options in plugins:
            plugin, given = methods.get_plugin(name), dict(options)
            first = given.get("stage", "last") == "first"
            values = plugin.resolve(given, epochs if first else of_last)
            complete.append((name, tuple(values.items())))
        return tuple(complete)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        info = data.info(self.dataset, dict(self.dataset_options))
        self._check_task(info)
        data.statistics(self.dataset, self.normalisation)
        smallest = info.train_per_class[0]
        if self.per_class is not None and not 1 <= self.per_class <= smallest:
            raise ValueError(
                f"per_class is {self.per_class}, expected 1 to {smallest} (the smallest class of "
                f"{info.title}) or None"
            )
        if self.augment and not info.augmentable:
            raise ValueError(f"augment is True, but a flipped image of {info.title} is another")
        if self.warmup_epochs > self.epochs:
            raise ValueError(
                f"warmup_epochs is {self.warmup_epochs}, expected at most epochs = {self.epochs}"
            )
        self._check_schedule()
        if self.optimizer == "nesterov" and not self.momentum:
            raise ValueError("optimizer is 'nesterov' with momentum 0, expected a positive one")
        if self.optimizer.startswith("adam"):
            self._require_defaults("momentum", why=f"optimizer is {self.optimizer!r}")
        self._check_imbalance(info)
        self._check_method(info)
        if self.method == "plain":
            self._check_labels()
        if self.plugins:
            self._check_plugins(info)
        return self

    def _require_defaults(self, *names: str, why: str) -> None:
        """Refuse what nothing depends on: one run, one id."""
        for name, value, default in self._changed(*names):
            raise ValueError(
                f"{name} is {value!r}, but {why}, so nothing depends on it: expected {default!r}"
            )

    def _changed(self, *names: str) -> Iterator[tuple[str, Any, Any]]:
        """Fields that differ from their defaults: name, value, default."""
        for name in names:
            value, default = getattr(self, name), type(self).model_fields[name].default
            if value != default:
                yield name, value, default

    def _check_schedule(self) -> None:
        if (self.schedule == "step") != bool(self.milestones):
            raise ValueError(
                f"milestones is {self.milestones} with schedule {self.schedule!r}, expected some "
                f"with 'step' and none otherwise"
            )
        if list(self.milestones) != sorted(self.milestones):
            raise ValueError(
                f"milestones is {self.milestones}, expected epochs none of which is before the last"
            )
        for milestone in self.milestones:
            if not 0 < milestone < self.epochs:
                raise ValueError(
                    f"milestone {milestone} is beyond the schedule: expected 1 to "
                    f"{self.epochs - 1} (epochs is {self.epochs})"
                )
        if self.warmup_epochs == 0:
            self._require_defaults("warmup_by", why="warmup_epochs is 0")

    def _check_task(self, info: data.DatasetInfo) -> None:
        """Data and method fit each other, whichever stage has which."""
        method: methods.Method | None = methods.get(self.method)
        while method is not None:
            if info.task not in method.tasks:
                raise ValueError(
                    f"method {method.name!r} is for the task {' or '.join(method.tasks)}, but that "
                    f"of {info.title} is {info.task}"
                )
            method = methods.get(method.base) if method.base is not None else None
        if self.method == "plain" and self.loss not in self.task.losses:
            raise ValueError(
                f"loss is {self.loss!r}, but the task of {info.title} is {info.task}: expected "
                f"{' or '.join(map(repr, self.task.losses))}"
            )
        if info.task == "single_label":
            return
        of_class_ids = ("encoding", "encoding_options", "per_class", "imbalance", "mixup")
        for name, value, default in self._changed(*of_class_ids):
            raise ValueError(
                f"{name} is {value!r}, which is not defined for {info.title} with its several "
                f"labels an image: expected {default!r}"
            )

    def _check_imbalance(self, info: data.DatasetInfo) -> None:
        if info.read is None and (self.imbalance != 1 or self.per_class is not None):
            raise ValueError(
                f"{info.title} is streamed whole: imbalance is {self.imbalance:g} and per_class "
                f"is {self.per_class}, expected 1 and None"
            )
        if self.imbalance == 1:
            self._require_defaults("imbalance_kind", "subset_seed", why="imbalance is 1")
            return
        if self.per_class is not None:
            raise ValueError(
                f"per_class is {self.per_class} with imbalance {self.imbalance:g}: a subset is "
                f"balanced or long-tailed"
            )
        n_max = info.train_per_class[0]
        data.long_tail_counts(info.num_classes, n_max, self.imbalance, self.imbalance_kind)

    def _check_method(self, info: data.DatasetInfo) -> None:
        method = methods.get(self.method)
        native = models.native_dim(self.model, info.shape, self.width)
        if self.feature_layer == "native" and self.feature_dim != native:
            raise ValueError(
                f"feature_dim is {self.feature_dim}, but model {self.model!r} of width "
                f"{self.width} has native features of dimension {native}"
            )
        adjusted = False
        while method.base is not None:  # the first stage builds the network
            adjusted = adjusted or method.post_hoc is not None
            method = methods.get(method.base)
        if adjusted and method.head != "linear":
            raise ValueError(
                f"method {self.method!r} adjusts a linear classifier after training, but the head "
                f"of its base {method.name!r} is {method.head!r}"
            )
        head = method.head_with(self.options)
        if head != "linear":
            why = f"the head of method {method.name!r} is {head!r}"
            self._require_defaults("head_init", why=why)
        self._check_class_wise(method, info, native)
        self._check_pretrained(info)
        dim = self.feature_dim * (info.num_classes if self.is_class_wise else 1)
        models.check_head(head, info.num_classes, dim, class_wise=self.is_class_wise)
        if (method.weights is not None or method.counted) and info.train_per_class[0] < 1:
            raise ValueError(
                f"method {method.name!r} divides by the classes' numbers of images, but the "
                f"smallest class of {info.title} has 0"
            )
        self._check_views(method)
        if self.options.get("terms_on") == "clean" and not self.mixup:
            raise ValueError(
                "option terms_on is 'clean', but mixup is 0, so nothing depends on it: expected "
                "'mixed'"
            )
        if self.method == "plain":
            if self.mixup:
                raise ValueError(f"mixup is {self.mixup:g}, but method 'plain' has no mixed labels")
            return
        labels = ("encoding", "encoding_options", "loss", "lam_w", "lam_h", "lam_b")
        self._require_defaults(*labels, why=f"method is {self.method!r}, not 'plain'")

    def _check_class_wise(
        self, method: methods.Method, info: data.DatasetInfo, native: int
    ) -> None:
        """A feature for each class is for several labels an image, and some methods need it."""
        if not self.is_class_wise:
            self._require_defaults("embedding", why=f"feature_layer is {self.feature_layer!r}")
            if method.class_wise:
                raise ValueError(
                    f"method {method.name!r} needs a feature for each class, but feature_layer is "
                    f"{self.feature_layer!r}: expected {' or '.join(map(repr, models.ATTENTIONS))}"
                )
            return
        if info.task != "multi_label":
            raise ValueError(
                f"feature_layer {self.feature_layer!r} gives every class a feature of its own, but "
                f"the task of {info.title} is {info.task}: expected multi_label"
            )
        models.check_class_wise(self.feature_layer, self.embedding, native, info.num_classes)
        if self.plugins:
            raise ValueError(
                f"plug-in {self.plugins[0][0]!r} compares the classifier with one feature for all "
                f"classes, but feature_layer is {self.feature_layer!r}"
            )
        if not method.class_wise:
            return
        without_collapse = ("tau", "centres", "collapse_by") if not self.options["beta"] else ()
        without_alignment = ("alignment_epochs",) if not self.options["alpha"] else ()
        for strength, names in (("beta", without_collapse), ("alpha", without_alignment)):
            for name in names:
                if self.options[name] != method.options[name].default:
                    raise ValueError(
                        f"option {name} is {self.options[name]!r}, but {strength} is 0, so nothing "
                        f"depends on it: expected {method.options[name].default!r}"
                    )

    def _check_pretrained(self, info: data.DatasetInfo) -> None:
        """Weights that there are, of a trunk that is the same."""
        if self.pretrained in ("no", "imagenet"):
            self._require_defaults("pretrain_epochs", why=f"pretrained is {self.pretrained!r}")
            if self.pretrained == "imagenet" and self.model != "resnet50":
                raise ValueError(
                    f"pretrained is 'imagenet', but torchvision has no weights for model "
                    f"{self.model!r}: expected 'resnet50'"
                )
            return
        source = data.info(self.pretrained)
        if source.task != "single_label":
            raise ValueError(
                f"pretrained is {self.pretrained!r}, whose task is {source.task}: expected a data "
                f"set of one label an image"
            )
        if not self.pretrain_epochs:
            raise ValueError(
                f"pretrained is {self.pretrained!r} with pretrain_epochs 0, expected 1"
            )
        shapes = source.shape, info.shape
        if not models.same_trunk(self.model, *shapes, self.width, self.feature_layer):
            raise ValueError(
                f"the trunk of model {self.model!r} for images of {source.title}, {shapes[0]}, is "
                f"not that for {info.title}, {shapes[1]}"
            )

    def _check_plugins(self, info: data.DatasetInfo) -> None:
        """Those that act in this run; the others are checked with the run in which they act."""
        after = [dict(options).get("when") == "post-hoc" for _, options in self.plugins]
        if after != sorted(after):
            name = self.plugins[after.index(True) + after[after.index(True) :].index(False)][0]
            raise ValueError(
                f"plug-in {name!r} acts in training, but stands behind "
                f"{self.plugins[after.index(True)][0]!r}, which acts after that"
            )
        if self.encoding != "one_hot":
            raise ValueError(
                f"encoding is {self.encoding!r}, whose scores belong to no classes, but plug-ins "
                f"act on the classes' rows: expected 'one_hot'"
            )
        method = methods.get(self.method)
        one_stage = training_stages(method) == 1
        for (name, items), is_after in zip(self.plugins, after, strict=True):
            plugin, options = methods.get_plugin(name), dict(items)
            neutral = ("every", "stage", "start_epoch") if is_after else ()
            for option in neutral:
                require(plugin, options, option, "it acts after training, once")
            if one_stage:
                require(plugin, options, "stage", f"method {self.method!r} trains in one stage")
        for plugin, options in self.acting_plugins:
            if info.task == "multi_label" and plugin.adjust is not None and not self._shift_free:
                require(
                    plugin,
                    options,
                    "centre",
                    "scores with a row's average taken away are others here",
                    value="no",
                )
            check_plugin(plugin, options, method, has_bias=self.lam_b != math.inf)
        try:
            self.previous()
        except ValidationError as error:
            raise ValueError(refused(error)) from None

    def _check_views(self, method: methods.Method) -> None:
        view = method.second_view
        models.check_use(
            self.model,
            head=method.head_with(self.options),
            feature_layer=self.feature_layer,
            two_views=view is not None and view.share is not None,
        )
        if view is not None and self.mixup:
            raise ValueError(
                f"mixup is {self.mixup:g}, but method {self.method!r} shows two views of images"
            )

    def _check_labels(self) -> None:
        targets = self.targets()
        if self.loss == "ce" and (targets.min() < 0 or (targets.sum(0) - 1).abs().max() > 1e-9):
            raise ValueError(
                f"loss 'ce' needs labels that are distributions, but the columns of encoding "
                f"{self.encoding!r} are not"
            )

    @property
    def _shift_free(self) -> bool:
        """Whether a constant that is added to an image's scores changes nothing."""
        method = methods.get(self.method)
        return self.loss in ("ce", "pal") if method.loss is None else method.logits

    @property
    def is_class_wise(self) -> bool:
        """Whether every class has a feature of its own."""
        return self.feature_layer in models.ATTENTIONS

    @property
    def post_hoc(self) -> bool:
        """Whether all that it does is that its last plug-in adjusts a finished network."""
        return bool(self.plugins) and dict(self.plugins[-1][1]).get("when") == "post-hoc"

    @property
    def acting_plugins(self) -> tuple[tuple[methods.Plugin, dict[str, float | str]], ...]:
        """The plug-ins that act in this run, not in one that it starts from, with their options."""
        named = [(methods.get_plugin(name), dict(options)) for name, options in self.plugins]
        if self.post_hoc:
            return tuple(named[-1:])
        if methods.get(self.method).post_hoc is not None:  # nothing is trained
            return ()
        return tuple(one for one in named if one[1]["stage"] == "last")

    @property
    def options(self) -> dict[str, float | str]:
        """The method's options by name."""
        return dict(self.method_options)

    @property
    def task(self) -> tasks.Task:
        """That of the data set."""
        info = data.info(self.dataset)
        return tasks.get(info.task).grouped(info.groups)

    @property
    def head(self) -> str:
        """The key of ``nclib.models.HEADS``: the method's head, with its first weights."""
        head = methods.get(self.method).head_with(self.options)
        return head if self.head_init == "uniform" else f"{head}-{self.head_init}"

    @property
    def trains(self) -> str:
        """The method, or the encoding or loss of the labels where that is what sets the run apart.

        Plug-ins stand behind.

        >>> fields = {"paper": "x", "profile": "smoke", "dataset": "digits", "epochs": 5}
        >>> RunConfig(**fields).trains, RunConfig(method="ce-drw", **fields).trains
        ('one_hot', 'ce-drw')
        """
        trained = self.method
        if trained == "plain":
            trained = self.encoding if self.loss in tasks.single_label.losses else self.loss
        return " + ".join([trained, *(name for name, _ in self.plugins)])

    def previous(self) -> Self | None:
        """The run whose finished network this one starts from; None: it starts from random weights.

        It has the options that belong to it, as :class:`nclib.methods.Method` says, and may have a
        previous run too. That of a run whose last plug-in adjusts the finished network is the same
        run without that plug-in. Of a network that is pretrained on a data set it is the run that
        trains it there with cross-entropy; of its network the trunk alone is taken.

        >>> fields = {"paper": "x", "profile": "smoke", "dataset": "digits", "epochs": 5}
        >>> RunConfig(method="nc-drw-crt", **fields).previous().method
        'nc-drw'
        """
        if self.post_hoc:
            return self.replace(plugins=self.plugins[:-1])
        method = methods.get(self.method)
        if method.base is None:
            return self._pretraining()
        base = methods.get(method.base)
        options = method.handed_down(base, self.options)
        acting, plugins = [plugin.name for plugin, _ in self.acting_plugins], []
        for name, items in self.plugins:
            if name not in acting:
                alone = {"stage": "last"} if training_stages(base) == 1 else {}
                plugins.append((name, {**dict(items), **alone}))
        return self.replace(method=base.name, method_options=options, plugins=plugins)

    @property
    def is_stage(self) -> bool:
        """Whether it goes on with the whole network of :meth:`previous`, where there is one."""
        return self.post_hoc or methods.get(self.method).base is not None

    def _pretraining(self) -> Self | None:
        """The run that trains the trunk on another data set, where that is asked for."""
        if self.pretrained in ("no", "imagenet"):
            return None
        source = data.info(self.pretrained)
        kept = ("paper", "profile", "model", "width", "precision")
        return type(self).model_validate(
            {
                **{name: getattr(self, name) for name in kept},
                **_PRETRAINING,
                "dataset": self.pretrained,
                "feature_dim": models.native_dim(self.model, source.shape, self.width),
                "augment": source.augmentable,
                "epochs": self.pretrain_epochs,
                "measure_every": self.pretrain_epochs,
            }
        )

    def targets(self) -> Float[Tensor, "K K"]:
        """The labels, one column a class."""
        options = {n: int(v) if v.is_integer() else v for n, v in self.encoding_options}
        try:
            return encodings.make(self.encoding, data.info(self.dataset).num_classes, **options)
        except TypeError as error:  # pydantic reports ValueError alone
            raise ValueError(str(error)) from None

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces, and only the fields that are not the default."""
        fields = {}
        of_method = methods.get(self.method).spelt_out(self.options)
        of_data = data.info(self.dataset).spelt_out(dict(self.dataset_options))
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if name == "method_options":
                value = tuple(of_method.items())
            elif name == "dataset_options":
                value = tuple(of_data.items())
            if value != field.get_default():
                fields[name] = _canonical(value)
        if self.plugins:  # in their order
            fields["plugins"] = [
                [name, _canonical(tuple(methods.get_plugin(name).spelt_out(dict(items)).items()))]
                for name, items in self.plugins
            ]
        return json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @property
    def id(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of the canonical JSON."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def replace(self, **changes: Any) -> Self:
        """The same configuration with some fields changed, validated anew.

        Another data set, encoding, or method starts from its own options.
        """
        fields = self.model_dump()
        if changes.get("method", self.method) != self.method:
            del fields["method_options"]
        if changes.get("dataset", self.dataset) != self.dataset:
            del fields["dataset_options"]
        if changes.get("encoding", self.encoding) != self.encoding:
            del fields["encoding_options"]
        return type(self).model_validate({**fields, **changes})


def refused(error: ValidationError) -> str:
    """What is wrong with each field, in one line."""
    reasons = []
    for one in error.errors():
        reason = one["msg"].removeprefix("Value error, ")
        if one["type"] not in ("value_error", "missing"):  # pydantic's own name no value
            reason = f"got {one['input']!r}: {reason[0].lower()}{reason[1:]}"
        place = ".".join(str(part) for part in one["loc"])
        reasons.append(f"{place}: {reason}" if place else reason)
    return "; ".join(reasons)


def _canonical(value: Any) -> Any:
    """A field's value as the canonical JSON has it."""
    if isinstance(value, tuple):  # options by name, or a list of numbers
        if value and isinstance(value[0], tuple):
            return {name: _number(item) for name, item in value}
        return [_number(item) for item in value]
    return "inf" if value == math.inf else value  # JSON has no infinity


def _number(value: float | str) -> float | str:
    """A whole number is the same as 1 and as 1.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
