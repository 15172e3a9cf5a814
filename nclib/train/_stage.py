"""The network of a run, and which of its parameters learn: from scratch, or on a finished one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import torch
from jaxtyping import Int64
from torch import Tensor, nn

from nclib import data, methods, models
from nclib.methods import Method
from nclib.models import Classifier
from nclib.runs import RunConfig
from nclib.train._objective import weight_and_bias
from nclib.train._random import seed_weights


class Stage(NamedTuple):
    """What the loop runs through.

    Attributes:
        start: epochs that its network has behind it.
        schedule: the configuration by which learning rate, epochs and mixup of this stage go.
        sampler: a kind of ``nclib.data.sampler``.
        frozen: whether the network below the features stays as it is.
        statistics: whether batch norm follows the batches.
    """

    start: int
    schedule: RunConfig
    sampler: str
    frozen: bool = False
    statistics: bool = True

    @property
    def end(self) -> int:
        """The last epoch's number."""
        return self.start + self.schedule.epochs


def stage(config: RunConfig) -> Stage:
    """The stage that a configuration trains; it begins where that of ``config.previous()`` ends.

    Epochs on another data set do not count.
    """
    method, previous = methods.get(config.method), config.previous()
    if previous is None or not config.is_stage:
        return Stage(0, config, str(config.options.get("sampler", method.sampler)))
    start = stage(previous).end
    again: dict[str, Any] = {"warmup_epochs": 0, "mixup": 0.0, "ema": 0.0, "epochs": 0}
    if config.post_hoc or method.second is None:  # nothing is left to train
        return Stage(start, config.model_copy(update=again), method.sampler, frozen=True)
    again["epochs"] = int(config.options["second_epochs"])
    again["lr"] = float(config.options["second_lr"])
    again["schedule"] = "cosine"
    return Stage(
        start,
        config.model_copy(update=again),
        str(config.options.get("second_sampler", method.second.sampler)),
        frozen=True,
        statistics=config.options.get("batch_norm", method.second.batch_norm) == "shift",
    )


def network(
    config: RunConfig,
    info: data.DatasetInfo,
    counts: Int64[Tensor, " K"],
    base: Mapping[str, Tensor] | None = None,
) -> Classifier:
    """The network that a run starts with; the seed fixes the weights that are new.

    Args:
        config: of the run.
        info: of its data set.
        counts: training images of each class, which a step after training may look at.
        base: weights of the finished network of ``config.previous()``, where there is one; None:
            those that it started with, for the shape alone.

    Raises:
        ValueError: if the weights are those of another network.
    """
    previous = config.previous()
    if previous is None:
        return _build(config, info)
    if not config.is_stage:
        made = _build(config, info)
        if base is not None:  # of the trunk, up to the layers that this one has
            kept = {name: base.get(f"trunk.{name}") for name in made.trunk.state_dict()}
            there = {name: weight for name, weight in kept.items() if weight is not None}
            _load(made.trunk, there, config, previous)
        return made
    made = network(previous, info, counts)
    if base is not None:
        _load(made, base, config, previous)
    made.requires_grad_(False)
    if not config.post_hoc:  # a plug-in adjusts that head once there are class means
        made.head = _head(config, made.head, counts)
    return made


def _load(
    module: nn.Module, weights: Mapping[str, Tensor], config: RunConfig, previous: RunConfig
) -> None:
    """The weights of the run that a run starts from."""
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(
            f"the weights do not fit the network of run {previous.id}, from which run "
            f"{config.id} starts: {error}"
        ) from None


def _imagenet() -> dict[str, Tensor]:
    """torchvision's weights of a ResNet-50, without the classifier.

    Raises:
        DataError: if they are neither here nor to be had.
    """
    from torchvision.models import ResNet50_Weights

    entry = ResNet50_Weights.IMAGENET1K_V1
    try:
        weights: Mapping[str, Tensor] = entry.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:
        folder = torch.hub.get_dir()
        raise data.DataError(
            f"the weights of ResNet-50 on ImageNet cannot be had ({error}): put {entry.url} into "
            f"{folder}/checkpoints"
        ) from None
    return {name: weight for name, weight in weights.items() if not name.startswith("fc.")}


def _build(config: RunConfig, info: data.DatasetInfo) -> Classifier:
    with torch.random.fork_rng(devices=[]):
        seed_weights(config.seed, 0)
        made = models.build(
            config.model,
            info.shape,
            info.num_classes,
            width=config.width,
            feature_dim=config.feature_dim,
            feature_layer=config.feature_layer,
            head=config.head,
            bias=config.lam_b != float("inf"),
            embedding=config.embedding,
        )
    if config.pretrained == "imagenet":
        made.trunk.load_state_dict(_imagenet())
    return made


def _head(config: RunConfig, head: nn.Module, counts: Int64[Tensor, " K"]) -> nn.Module:
    """The head of a later stage, from that of the stage before."""
    method = methods.get(config.method)
    weight, bias = weight_and_bias(head)
    if method.post_hoc is not None:
        return _linear(*method.post_hoc(weight, bias, counts.float().cpu(), config.options))
    assert method.second is not None
    if method.second.head != "fresh":
        return models.LearnableScalingHead(head, frozen=method.second.head == "scales")
    with torch.random.fork_rng(devices=[]):
        seed_weights(config.seed, _depth(method))
        return models.HEADS["linear"](weight.shape[1], len(weight), True)


def _depth(method: Method) -> int:
    """The stages before that of a method."""
    return 0 if method.base is None else 1 + _depth(methods.get(method.base))


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    head = nn.utils.skip_init(nn.Linear, weight.shape[1], len(weight))  # draws nothing
    head.load_state_dict({"weight": weight, "bias": bias})
    return head.requires_grad_(False)


def optimizer(
    config: RunConfig, network: Classifier, extra: Iterable[nn.Parameter] = ()
) -> torch.optim.Optimizer:
    """Of all parameters that learn: the network's, and those of other layers that learn like it.

    Weight decay acts on the whole network; with encoded labels on what is below the features alone,
    since there the penalties on the classifier stand in the objective.
    """
    head = [p for p in network.head.parameters() if p.requires_grad]
    of_head = {id(p) for p in head}
    body = [p for p in network.parameters() if p.requires_grad and id(p) not in of_head]
    decay = 0.0 if config.method == "plain" else config.weight_decay
    groups = [
        {"params": body, "weight_decay": config.weight_decay},
        {"params": head, "weight_decay": decay},
    ]
    if others := list(extra):
        groups.append({"params": others, "weight_decay": config.weight_decay})
    fused = next(network.parameters()).is_cuda or None  # one kernel for all parameters
    if config.optimizer.startswith("adam"):
        kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
        return kind(groups, lr=config.lr, fused=fused)
    return torch.optim.SGD(
        groups,
        lr=config.lr,
        momentum=config.momentum,
        nesterov=config.optimizer == "nesterov",
        fused=fused,
    )
