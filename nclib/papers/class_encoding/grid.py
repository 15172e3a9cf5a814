r"""The trained networks of the class-encoding chapter, as configurations.

Every profile has :math:`\lambda_W = n\lambda_H = 0.02`, so that
:math:`c = K\sqrt{n\lambda_W\lambda_H} = 0.2`, and the shape of the class means changes at
:math:`\lambda_b = c/(1-c) = 0.25` (Thm III.1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from nclib import data, ufm
from nclib._profiles import Profile
from nclib.runs import RunConfig, RunRecord

LAM_B = (0.0, 0.1, 0.4, 1.0, math.inf)  # two on each side of the threshold 0.25, and no bias
SEEDS: dict[Profile, tuple[int, ...]] = {"smoke": (0,), "laptop": (0, 1), "paper": (0, 1, 2)}
_STRENGTH = 0.02  # λ_W = nλ_H: c = 10 · 0.02

_COMMON = {
    "paper": "class-encoding",
    "lam_w": _STRENGTH,
    "optimizer": "adamw",
    "warmup_epochs": 2,
}
_PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {
        "dataset": "digits",
        "per_class": 140,
        "model": "mlp",
        "width": 256,
        "feature_dim": 16,
        "lr": 2e-3,
        "epochs": 40,
        "batch_size": 140,
    },
    "laptop": {
        "dataset": "cifar10",
        "per_class": 500,
        "model": "convnet",
        "width": 32,
        "feature_dim": 64,
        "lr": 2e-3,
        "epochs": 40,
        "batch_size": 100,
        "measure_every": 5,
    },
    "paper": {
        "dataset": "cifar10",
        "model": "resnet18",
        "feature_dim": 512,
        "lr": 1e-3,
        "epochs": 200,
        "precision": "bf16-mixed",
    },
}


def config(profile: Profile, **changes: Any) -> RunConfig:
    """The run of a profile with one-hot labels and a free bias, with some fields changed."""
    fields = {**_COMMON, **_PROFILES[profile], "profile": profile, **changes}
    images = _images(fields["dataset"], fields.get("per_class"))
    return RunConfig.model_validate({"lam_h": _STRENGTH / images, **fields})


def grid(
    profile: Profile,
    *,
    seeds: Sequence[int] | None = None,
    lam_b: Sequence[float] = LAM_B,
    **changes: Any,
) -> list[RunConfig]:
    r"""The runs that the chapter shows.

    One-hot labels over the bias penalties; smoothed, rotated and random labels at
    :math:`\lambda_b = 0.4`; and one-hot labels with nonnegative features, with a free bias and
    with none.

    Args:
        profile: ``smoke``, ``laptop`` or ``paper``.
        seeds: None: those of the profile.
        lam_b: bias penalties of the first runs.
        changes: fields of every run, such as ``epochs``.
    """
    runs: list[dict[str, Any]] = [{"lam_b": penalty} for penalty in lam_b]
    runs += [
        {"lam_b": 0.4, "encoding": "smoothed", "encoding_options": {"delta": 0.1}},
        {"lam_b": 0.4, "encoding": "rotated", "encoding_options": {"seed": 0}},
        {"lam_b": 0.4, "encoding": "random", "encoding_options": {"seed": 0}},
        {"lam_b": 0.0, "feature_layer": "relu"},
        {"lam_b": math.inf, "feature_layer": "relu"},
    ]
    return [
        config(profile, seed=seed, **{**run, **changes})
        for seed in (SEEDS[profile] if seeds is None else seeds)
        for run in runs
    ]


def images_per_class(run: RunConfig) -> int:
    """n, the training images of every class."""
    return _images(run.dataset, run.per_class)


def optimum(run: RunConfig) -> ufm.UFMSolution:
    """The certified optimum of the unconstrained features model with a run's labels and penalties.

    Its objective is a lower bound of what any network can reach on that training set.
    """
    targets = run.targets()
    classes = targets.shape[1]
    return ufm.solve(
        targets,
        torch.full((classes,), images_per_class(run), dtype=torch.float64),
        lam_w=run.lam_w,
        lam_h=run.lam_h,
        lam_b=run.lam_b,
        loss=run.loss,
    )


def gram_misfit(record: RunRecord) -> float:
    r"""How far the trained class means are from the certified ones, whatever their orientation.

    :math:`\|\bar H^\top\bar H - \bar H^{*\top}\bar H^*\|_F / \|\bar H^{*\top}\bar H^*\|_F`.
    """
    trained = record.tensor("class_means")
    certified = optimum(record.config).means
    expected = certified @ certified.T
    return float((trained @ trained.T - expected).norm() / expected.norm())


def _images(dataset: str, per_class: int | None) -> int:
    return per_class or data.info(dataset).train_per_class[0]
