"""The network of a run, and which of its parameters learn: from scratch, or on a finished one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from nclib import data, models
from nclib.methods import Method, SecondView, known
from nclib.models import Classifier
from nclib.runs import RunConfig
from nclib.train._objective import weight_and_bias


class Stage(NamedTuple):
    """What the loop runs through.

    Attributes:
        start: epochs that its network has behind it.
        schedule: the configuration by which learning rate, epochs and mixup of this stage go.
        sampler: a kind of ``nclib.data.sampler``.
        second_view: what stands beside each image; None: nothing.
        frozen: whether the network below the features stays as it is.
        statistics: whether batch norm follows the batches.
    """

    start: int
    schedule: RunConfig
    sampler: str
    second_view: SecondView | None = None
    frozen: bool = False
    statistics: bool = True

    @property
    def end(self) -> int:
        """The last epoch's number."""
        return self.start + self.schedule.epochs


def stage(config: RunConfig) -> Stage:
    """The stage that a configuration trains; the one before it belongs to ``first_stage``."""
    method = known(config.method)
    if method.base is None:
        return Stage(0, config, method.sampler, method.second_view)
    again: dict[str, Any] = {"warmup_epochs": 0, "mixup": 0.0, "ema": 0.0, "epochs": 0}
    if method.second is None:  # nothing is left to train
        return Stage(config.epochs, config.model_copy(update=again), method.sampler, frozen=True)
    again["epochs"] = int(config.options["second_epochs"])
    again["lr"] = float(config.options["second_lr"])
    again["schedule"] = "cosine"
    return Stage(
        config.epochs,
        config.model_copy(update=again),
        str(config.options.get("second_sampler", method.second.sampler)),
        frozen=True,
        statistics=config.options.get("batch_norm", method.second.batch_norm) == "shift",
    )


def build(config: RunConfig, info: data.DatasetInfo) -> Classifier:
    """The network with its first weights, which the seed fixes."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return models.build(
            config.model,
            info.shape,
            info.num_classes,
            width=config.width,
            feature_dim=config.feature_dim,
            feature_layer=config.feature_layer,
            head=config.head,
            bias=config.lam_b != float("inf"),
        )


def continued(
    config: RunConfig, info: data.DatasetInfo, state: Mapping[str, Tensor], counts: Tensor
) -> Classifier:
    """A finished network with the head of the second stage, or the one adjusted post hoc."""
    method = known(config.method)
    first = config.first_stage()
    assert first is not None
    network = build(first, info)
    network.load_state_dict(state)
    network.requires_grad_(False)
    weight, bias = weight_and_bias(network.head)
    network.head = _head(method, config, network, weight, bias, counts)
    return network


def _head(
    method: Method,
    config: RunConfig,
    network: Classifier,
    weight: Tensor,
    bias: Tensor,
    counts: Tensor,
) -> nn.Module:
    if method.post_hoc is not None:
        return _linear(*method.post_hoc(weight, bias, counts.float().cpu(), config.options))
    assert method.second is not None
    if method.second.head != "fresh":
        return models.LearnableScalingHead(network.head, frozen=method.second.head == "scales")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed + 1)
        return models.HEADS["linear"](weight.shape[1], len(weight), True)


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    head = nn.Linear(weight.shape[1], len(weight))
    head.load_state_dict({"weight": weight, "bias": bias})
    return head.requires_grad_(False)


def optimizer(
    config: RunConfig, network: Classifier, others: nn.Module | None = None
) -> torch.optim.Optimizer:
    """Of all parameters that learn: the network's, and those of other layers that learn like it.

    Weight decay acts on the whole network; with encoded labels on what is below the features alone,
    since there the penalties on the classifier stand in the objective.
    """
    head = [p for p in network.head.parameters() if p.requires_grad]
    own = {id(p) for p in head}
    body = [p for p in network.parameters() if p.requires_grad and id(p) not in own]
    decay = 0.0 if config.method == "plain" else config.weight_decay
    groups = [
        {"params": body, "weight_decay": config.weight_decay},
        {"params": head, "weight_decay": decay},
    ]
    if others is not None:
        groups.append({"params": list(others.parameters()), "weight_decay": config.weight_decay})
    fused = next(network.parameters()).is_cuda or None  # one kernel for all parameters
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=config.lr, fused=fused)
    return torch.optim.SGD(
        groups,
        lr=config.lr,
        momentum=config.momentum,
        nesterov=config.optimizer == "nesterov",
        fused=fused,
    )
