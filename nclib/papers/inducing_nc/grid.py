r"""The trained networks of the chapters on inducing neural collapse, as configurations.

Every profile scales the same schedule: SGD with momentum 0.9, the learning rate cut to a tenth
after 80 % and again after 90 % of the epochs, deferred re-weighting after 80 %. The strengths of
:math:`L_W` and :math:`L_B` and the epoch of their start are those of the paper's Table 1. At the
paper profile a method of others is trained as its authors train it, where their code says how.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from nclib import data, models
from nclib._profiles import Profile
from nclib.methods import METHODS
from nclib.papers.inducing_nc.tables import MIXUP, TABLES, Source
from nclib.runs import RunConfig, RunRecord, ledger

#: The methods that the laptop profile compares.
LAPTOP = ("ce", "ce-drw", "ldam-drw", "nc-drw", "nc-drw-crt", "logit-adjust", "etf-dr")
#: The smoke profile has those of Figure 2 as well.
SMOKE = (*LAPTOP, "ce-rs", "ce-rw")
SEEDS: dict[Profile, tuple[int, ...]] = {"smoke": (0,), "laptop": (0, 1), "paper": (0, 1, 2)}
#: What the laptop profile trains in a longer schedule too, and the lengths in epochs.
LENGTHENED = ("ce", "ce-drw", "nc-drw")
LENGTHS = (20, 60)
#: Standard deviations of the noise in Table 6, on normalised images.
NOISE = (0.1, 0.2, 0.3, 0.4)
#: The digits bear more.
DIGITS_NOISE = (0.4, 0.8, 1.2, 1.6)
#: The paper prints the first, its released code has the second.
WEIGHT_DECAY = {"printed": 5e-3, "released": 5e-4}

_MIXUP = 1.0  # Beta(1, 1), as the peers have it; the paper does not print its parameter
_LAMBDAS = {  # Table 1
    "digits": (0.01, 0.1),
    "cifar10": (0.01, 0.1),
    "cifar100": (0.01, 0.5),
    "imagenet-lt": (0.05, 1.0),
}
_LATE = ("cifar100", "imagenet-lt")  # the terms start halfway
_IMAGENET: dict[str, Any] = {  # long-tailed as it is published, and streamed
    "imbalance": 1.0,
    "model": "resnext50",
    "normalisation": "own",
    "schedule": "cosine",
    "lr": 0.05,
    "batch_size": 256,
}
# Epochs, as TSC's authors train (they have no FCL on ImageNet-LT), and RIDE's.
_LONG = {"fcl": 1000, "kcl": 1000, "tsc": 1000}
_EPOCHS_IMAGENET = {
    "kcl": 200,
    "tsc": 400,
    **{f"ride-{n}{terms}": 100 for n in (2, 3, 4) for terms in ("", "-nc")},
}
# What released code has at the paper profile: fields, milestones in tenths of the epochs; options.
_LDAM_CODE: dict[str, Any] = {"weight_decay": 2e-4, "warmup_by": "epoch"}
_CODE: dict[str, dict[str, Any]] = {
    "ldam-drw": {**_LDAM_CODE, "tenths": (8, 8, 9, 9)},
    "bbn": {"weight_decay": 2e-4, "optimizer": "nesterov", "tenths": (6, 6, 8, 8)},
    "ride": {"optimizer": "nesterov", "warmup_by": "epoch", "tenths": (8, 8, 9, 9)},
    "mislas": _LDAM_CODE,
    "etf-dr": _LDAM_CODE,
    "arb": _LDAM_CODE,
}
_CODE_IMAGENET: dict[str, dict[str, Any]] = {
    "ride": {
        "optimizer": "nesterov",
        "warmup_by": "epoch",
        "warmup_epochs": 5,
        "weight_decay": 2e-4,
        "lr": 0.1,
        "schedule": "step",
        "tenths": (6, 8),
    }
}
_SMOOTHING = {  # of MiSLAS: head and tail
    ("cifar10", 100.0): (0.3, 0.0),
    ("cifar10", 10.0): (0.1, 0.0),
    ("cifar100", 100.0): (0.4, 0.1),
    ("cifar100", 10.0): (0.2, 0.0),
    ("imagenet-lt", 1.0): (0.3, 0.0),
}
_CODE_EPOCHS = 200  # the released code of the paper: its schedule, of so many epochs
_CODE_DRW, _CODE_DROPS, _CODE_WARMUP = 70, (115, 175), 5
_NOISY = ("ce", "ce-nc", "ce-drw", "nc-drw")  # the methods of Table 6

_COMMON = {"paper": "inducing-nc", "schedule": "step", "lr": 0.1, "feature_layer": "native"}
_PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {
        "dataset": "digits",
        "imbalance": 20.0,
        "model": "mlp",
        "width": 64,
        "lr": 0.05,
        "epochs": 40,
        "measure_every": 8,
        "evaluate_every": 20,
    },
    "laptop": {
        "dataset": "cifar10",
        "imbalance": 100.0,
        "model": "resnet32",
        "augment": True,
        "epochs": 20,
        "measure_every": 5,
        "evaluate_every": 5,
    },
    "paper": {
        "dataset": "cifar10",
        "imbalance": 100.0,
        "model": "resnet32",
        "augment": True,
        "normalisation": "usual",  # as the paper prints it
        "epochs": 200,
        "precision": "bf16-mixed",
        "measure_every": 20,
        "evaluate_every": 20,
    },
}


def config(
    profile: str, method: str = "ce", *, options: Mapping[str, float | str] = {}, **changes: Any
) -> RunConfig:
    """The run of a method at a profile, with some fields changed.

    Args:
        profile: ``smoke``, ``laptop`` or ``paper``.
        method: a key of ``nclib.methods.METHODS``.
        options: of the method, where they differ from the paper's.
        changes: fields of the run; the schedule follows ``epochs``.
    """
    fields = {**_COMMON, **_PROFILES[profile], "profile": profile, "method": method}
    fields["tenths"] = (8, 9)
    if changes.get("dataset") == "imagenet-lt":
        fields |= _IMAGENET
    if profile == "paper":
        code = _CODE_IMAGENET if changes.get("dataset") == "imagenet-lt" else _CODE
        fields |= code.get(_family(method), {})
    fields |= changes
    fields["model"] = _model(fields["model"], method)
    epochs, info, tenths = fields["epochs"], data.info(fields["dataset"]), fields.pop("tenths")
    milestones = tuple(tenth * epochs // 10 for tenth in tenths)
    fields = {
        **_network(fields["model"], method, info),
        "weight_decay": WEIGHT_DECAY["released"],
        "milestones": milestones if fields["schedule"] == "step" else (),
        "warmup_epochs": max(1, epochs // 40),
        # A second stage too: so it starts from the network that is in the table.
        "noise": _noise(fields["dataset"]) if {method, METHODS[method].base} & {*_NOISY} else (),
        **fields,
    }
    within, between = _LAMBDAS[fields["dataset"]]
    ours: dict[str, float | str] = {
        "drw_epoch": 8 * epochs // 10,
        "lam_within": within,
        "lam_between": between,
        # A mean over the batch, where L_W is a sum over classes: alike on a balanced batch.
        "lam_center": info.num_classes * within,
        "start_epoch": epochs // 2 if fields["dataset"] in _LATE else 0,
        "second_epochs": min(10, epochs // 4),
    }
    if profile == "paper":
        ours |= _code_options(_family(method), fields["dataset"], fields["imbalance"])
    taken = {name: value for name, value in ours.items() if name in METHODS[method].options}
    fields["method_options"] = {**taken, **options}
    return RunConfig.model_validate(fields)


def _family(method: str) -> str:
    """The method of others that one is, or adds the paper's terms to."""
    return "ride" if method.startswith("ride-") else method.removesuffix("-nc")


def _code_options(family: str, dataset: str, imbalance: float) -> dict[str, float | str]:
    """Options that the released code of a method has on a data set."""
    options: dict[str, float | str] = {}
    if family == "ride":
        options = {"diversity": 0.45} if dataset == "cifar100" else {}
        if dataset == "imagenet-lt":
            options = {"spread": 0.02}
    elif family == "tsc":
        options = {"target_as": "positive"}
    elif family in ("ce-crt", "ce-lws"):  # theirs is 0.2 with batches of 512
        options = {"second_sampler": "class_aware_cyclic", "second_lr": 0.1}
        options |= {"second_epochs": 5} if family == "ce-lws" else {}
    elif family == "mislas":
        options = {"second_lr": 0.1}
        if dataset == "cifar10":
            options["batch_norm"] = "frozen"
        if (dataset, imbalance) in _SMOOTHING:
            options["smooth_head"], options["smooth_tail"] = _SMOOTHING[dataset, imbalance]
    return options


def _noise(dataset: str) -> tuple[float, ...]:
    return DIGITS_NOISE if dataset == "digits" else NOISE


def _model(model: str, method: str) -> str:
    """The network with the experts or branches that a method needs."""
    head, view = METHODS[method].head, METHODS[method].second_view
    if head.startswith("experts-"):
        return f"{model}-{head}"
    return f"{model}-branches" if view is not None and view.share is not None else model


def _network(model: str, method: str, info: data.DatasetInfo) -> dict[str, Any]:
    """Width and dimension of the features; a simplex ETF of 100 classes needs 99."""
    if "-" in model:
        width = 16 if model.startswith("resnet32") else 64
        return {"width": width, "feature_dim": models.native_dim(model, info.shape, width)}
    if model == "resnet32":
        wide = method == "etf-dr" and info.num_classes > 64
        return {"width": 32, "feature_dim": 128} if wide else {"width": 16, "feature_dim": 64}
    return {"feature_dim": {"mlp": 64, "resnet18": 512, "resnext50": 2048}[model]}


@cache
def of(source: Source, profile: Profile, seed: int, **changes: Any) -> RunConfig | None:
    """The run behind a number of a table.

    None for ImageNet-LT at another profile than the paper's.
    Mixup, which the paper says that it used, and longer training where a method's authors train
    longer, belong to the paper profile alone.
    """
    fields: dict[str, Any] = {"dataset": source.dataset, "seed": seed}
    if source.dataset != "imagenet-lt":
        fields |= {"imbalance": source.imbalance, "model": source.model}
    elif profile != "paper":
        return None
    if profile == "paper":
        fields["mixup"] = _MIXUP if source.mixup else 0.0
    fields["epochs"] = epochs_of(profile, source.method, source.dataset)
    return config(profile, source.method, **{**fields, **changes})


def epochs_of(profile: Profile, method: str, dataset: str = "cifar10") -> int:
    """How long a method is trained for the tables."""
    usual: int = _PROFILES[profile]["epochs"]
    longer = _EPOCHS_IMAGENET if dataset == "imagenet-lt" else _LONG
    return longer.get(method, usual) if profile == "paper" else usual


def label(method: str, profile: Profile, mixup: bool) -> str:
    """The title of a method, with its setting at the paper profile, which has two."""
    setting = f", {'with' if mixup else 'without'} mixup" if profile == "paper" else ""
    return METHODS[method].title + setting


def title_of(label: str) -> str:
    """The method's title in what :func:`label` gave."""
    return label.partition(", with")[0]


def figure_runs(profile: Profile, *, seed: int = 0, **changes: Any) -> dict[str, RunConfig]:
    """The networks of the chapter's figures by label, each in the setting of its table.

    Those of Figures 2 and 3 and of the laptop profile: one a method on the long-tailed set, and
    plain training on the balanced one. At the paper profile those of :func:`mixing` in both
    settings.
    """

    def run(method: str, mixed: bool, **fields: Any) -> RunConfig:
        fields = {"seed": seed, "mixup": _MIXUP if mixed else 0.0, **fields}
        return config(profile, method, **{**fields, **changes})

    runs: dict[str, RunConfig] = {}
    for method in SMOKE:
        settings = [profile == "paper" and method in MIXUP[3]]
        if profile == "paper" and method in LENGTHENED:
            settings = [False, True]
        runs |= {label(method, profile, mixed): run(method, mixed) for mixed in settings}
    balanced = run("ce", profile == "paper" and "ce" in MIXUP[2], imbalance=1.0)
    return {**runs, "CE, balanced": balanced}


def published(profile: Profile) -> dict[str, list[RunRecord]]:
    """Published records of the figures' networks by label, seed by seed; empty without any."""
    by_seed = [figure_runs(profile, seed=seed) for seed in SEEDS[profile]]
    published = {
        name: [record for runs in by_seed if (record := ledger.published(runs[name])) is not None]
        for name in by_seed[0]
    }
    return {name: records for name, records in published.items() if records}


def grid(
    profile: Profile, *, seeds: Sequence[int] | None = None, **changes: Any
) -> list[RunConfig]:
    """The runs that the chapter shows, in the order in which they are wanted.

    Without those on ImageNet-LT, whose images are not ours to give: :func:`of` makes them.

    Args:
        profile: ``smoke``, ``laptop`` or ``paper``.
        seeds: None: those of the profile.
        changes: fields of every run, such as ``epochs``.
    """
    chosen = SEEDS[profile] if seeds is None else seeds
    runs = {"smoke": _smoke, "laptop": _laptop, "paper": _paper}[profile](chosen, changes)
    return list({run.id: run for run in runs if run is not None}.values())


def _smoke(seeds: Sequence[int], changes: dict[str, Any]) -> Iterable[RunConfig]:
    for seed in seeds:
        yield from figure_runs("smoke", seed=seed, **changes).values()


def _laptop(seeds: Sequence[int], changes: dict[str, Any]) -> Iterable[RunConfig]:
    for seed in seeds:
        for method in LAPTOP:
            yield config("laptop", method, seed=seed, **changes)
    for of_a_seed in zip(*schedules(seeds=seeds, **changes).values(), strict=True):
        yield from of_a_seed
    # What the precision does.
    yield config("laptop", "ce", **{"seed": seeds[0], "precision": "bf16-mixed", **changes})
    # What the choices of the released code do; re-training takes minutes.
    yield from retraining("laptop", seed=seeds[0], **changes).values()
    yield from variants("laptop", seed=seeds[0], **changes).values()
    # What the choices of other authors do.
    for pair in choices_of_authors(seed=seeds[0], **changes).values():
        yield from pair
    for readings in zip(*mixed_terms("laptop", seeds=seeds, **changes).values(), strict=True):
        yield from readings


def _paper(seeds: Sequence[int], changes: dict[str, Any]) -> Iterable[RunConfig]:
    """Tables 3 and 7 at ratio 100, then 2, 5 and 6, then ratio 10; what takes longer comes last."""
    runs = (run for run in _paper_by_table(seeds, changes) if run is not None)
    ours = (run for run in runs if run.dataset != "imagenet-lt")
    return sorted(ours, key=lambda run: run.method in _LONG)


def _paper_by_table(seeds: Sequence[int], changes: dict[str, Any]) -> Iterable[RunConfig | None]:
    """Each seed by seed."""
    printed = {"weight_decay": WEIGHT_DECAY["printed"]}
    decays = [s for s in _sources((3,), 100.0) if s.method in ("ce", "ce-drw", "nc-drw")]
    for seed in seeds:
        yield from (of(source, "paper", seed, **changes) for source in _sources((3, 7), 100.0))
    # Whether the headline on mixup depends on which images the terms look at.
    yield from mixed_terms("paper", seeds=seeds, **changes)["terms on clean images"]
    for seed in seeds:
        yield from (of(source, "paper", seed, **printed, **changes) for source in decays)
        yield from retraining("paper", seed=seed, **changes).values()
        yield from variants("paper", seed=seed, **changes).values()
    for seed in seeds:
        yield from (of(source, "paper", seed, **changes) for source in _sources((2, 5, 6)))
    for seed in seeds:
        yield from (of(source, "paper", seed, **changes) for source in _sources((3, 7), 10.0))


def _sources(tables: Iterable[int], imbalance: float | None = None) -> list[Source]:
    """What the tables need, each effect's reference in the same setting included."""
    sources = []
    for cell in (cell for number in tables for cell in TABLES[number].cells()):
        if imbalance in (None, cell.source.imbalance):
            sources += [cell.source, cell.reference or cell.source]
    return list(dict.fromkeys(source.replace(metric="test_accuracy") for source in sources))


def variants(profile: Profile, *, seed: int = 0, **changes: Any) -> dict[str, RunConfig]:
    r"""NC-DRW as the paper states it (first), and with one choice of its released code at a time.

    On real images all of them in bfloat16, which is half the time where there are instructions for
    it. The code divides :math:`L_W` by K, which is to divide :math:`\lambda_1`; together with its
    learnable centres, all of which :math:`L_B` sees, these are its two terms exactly. Its script
    re-weights from epoch 70 on, cuts the learning rate at 115 and 175 (of 200, here in proportion),
    and warms up for five epochs, in each of which the rate is constant; its linear layer begins
    with Kaiming's normal weights. Of the two ways to normalise CIFAR's pixels, the one that the
    profile does not have is a variant too.
    """
    mixup = _MIXUP if profile == "paper" else 0.0
    precision = "32-true" if profile == "smoke" else "bf16-mixed"
    fields = {"seed": seed, "mixup": mixup, "precision": precision, **changes}
    stated = config(profile, "nc-drw", **fields)
    within, _ = _LAMBDAS[stated.dataset]
    classes = data.info(stated.dataset).num_classes

    def switched(options: Mapping[str, float | str] = {}, **fields_of_one: Any) -> RunConfig:
        return config(profile, "nc-drw", options=options, **{**fields, **fields_of_one})

    choices = {
        "as the paper states it": stated,
        "centres: moving average": switched({"centres": "ema"}),
        "centres: moving, all": switched({"centres": "ema-all"}),
        "centres: learnable": switched({"centres": "learnable"}),
        "centres: learnable, all": switched({"centres": "learnable-all"}),
        "L_W divided by K": switched({"lam_within": within / classes}),
        "both: learnable, L_W / K": switched(
            {"centres": "learnable", "lam_within": within / classes}
        ),
        "all three, as the code": switched(
            {"centres": "learnable-all", "lam_within": within / classes}
        ),
        "without mixup" if mixup else "with mixup": switched(mixup=0.0 if mixup else _MIXUP),
        "weight decay 0.005": switched(weight_decay=WEIGHT_DECAY["printed"]),
        "DRW from 70 of 200": switched({"drw_epoch": _of_its_code(_CODE_DRW, stated.epochs)}),
        "drops: 115, 175 of 200": switched(
            milestones=tuple(_of_its_code(epoch, stated.epochs) for epoch in _CODE_DROPS)
        ),
        "warm-up: 5, by epoch": switched(
            warmup_by="epoch", warmup_epochs=min(_CODE_WARMUP, stated.epochs)
        ),
        "head: Kaiming normal": switched(head_init="kaiming"),
    }
    if data.info(stated.dataset).usual is not None:
        other = "own" if stated.normalisation == "usual" else "usual"
        choices[f"pixels: {other} deviation"] = switched(normalisation=other)
    return choices


def _of_its_code(epoch: int, epochs: int) -> int:
    """An epoch of the released script, in proportion to another length of training."""
    return epoch * epochs // _CODE_EPOCHS


def choices_of_authors(
    *, seed: int = 0, **changes: Any
) -> dict[tuple[str, str], tuple[RunConfig, RunConfig]]:
    """What choices of other methods' authors change, one at a time, at the laptop profile.

    Returns:
        by method and choice: the run as this book has it, and with that choice.
    """
    short = {"seed": seed, **changes}
    mislas = {**short, "precision": "bf16-mixed"}

    def run(method: str, fields: dict[str, Any] = short, **options: float | str) -> RunConfig:
        return config("laptop", method, options=options, **fields)

    stated = run("mislas", mislas)
    drops = (stated.epochs * 8 // 10,) * 2 + (stated.epochs * 9 // 10,) * 2
    smoothing = dict(zip(("smooth_head", "smooth_tail"), _SMOOTHING["cifar10", 100.0], strict=True))
    choices = {
        ("mislas", "smoothing"): run("mislas", mislas, **smoothing),
        ("mislas", "batch norm"): run("mislas", mislas, batch_norm="frozen"),
        ("mislas", "rate"): run("mislas", mislas, second_lr=0.1),
        ("ldam-drw", "drops"): run("ldam-drw", {**short, "milestones": drops}),
        ("ldam-drw", "decay"): run("ldam-drw", {**short, "weight_decay": 2e-4}),
        ("etf-dr", "decay"): run("etf-dr", {**short, "weight_decay": 2e-4}),
    }
    return {
        (method, choice): (stated if method == "mislas" else run(method), theirs)
        for (method, choice), theirs in choices.items()
    }


def schedules(
    *, seeds: Sequence[int] = SEEDS["laptop"], **changes: Any
) -> dict[tuple[str, int], list[RunConfig]]:
    """Three methods of the laptop profile in its schedule and in one three times as long.

    Returns:
        by the method's title and the number of epochs, seed by seed.
    """
    return {
        (METHODS[method].title, epochs): [
            config("laptop", method, **{"epochs": epochs, "seed": seed, **changes})
            for seed in seeds
        ]
        for epochs in LENGTHS
        for method in LENGTHENED
    }


def mixing() -> dict[str, list[RunConfig]]:
    """Three methods of the paper profile with mixup and without.

    Returns:
        by the label of method and setting, seed by seed.
    """
    return {
        label(method, "paper", mixed): [
            config("paper", method, mixup=_MIXUP if mixed else 0.0, seed=seed)
            for seed in SEEDS["paper"]
        ]
        for method in LENGTHENED
        for mixed in (False, True)
    }


def mixed_terms(
    profile: Profile, *, seeds: Sequence[int] | None = None, **changes: Any
) -> dict[str, list[RunConfig]]:
    """NC-DRW with mixup, its terms on mixed images and on the same images before they are mixed.

    Returns:
        by what the terms look at, seed by seed; in bfloat16 but for the smoke profile.
    """
    precision = "32-true" if profile == "smoke" else "bf16-mixed"
    fields = {"mixup": _MIXUP, "precision": precision, **changes}
    return {
        f"terms on {images} images": [
            config(profile, "nc-drw", seed=seed, options={"terms_on": images}, **fields)
            for seed in (SEEDS[profile] if seeds is None else seeds)
        ]
        for images in ("mixed", "clean")
    }


def retraining(profile: Profile, *, seed: int = 0, **changes: Any) -> dict[str, RunConfig]:
    """NC-DRW-cRT with batch-norm statistics that stay (first), and two choices of its code.

    There they move, and the class-aware sampler shows more images, in lists that go on.
    """
    mixup = _MIXUP if profile == "paper" else 0.0
    fields = {"seed": seed, "mixup": mixup, **changes}
    return {
        "statistics stay": config(profile, "nc-drw-crt", **fields),
        "statistics move": config(profile, "nc-drw-crt-shift", **fields),
        "class-aware, cyclic": config(
            profile, "nc-drw-crt", options={"second_sampler": "class_aware_cyclic"}, **fields
        ),
    }
