"""From a configuration to its record."""

from __future__ import annotations

import dataclasses
import time
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from nclib import data, models
from nclib.metrics import CollapseReport, measure
from nclib.runs._config import RunConfig
from nclib.runs._provenance import provenance
from nclib.runs._record import RunRecord
from nclib.train import _checkpoint
from nclib.train._progress import Progress
from nclib.train._schedule import learning_rate


class DivergedError(ArithmeticError):
    """The loss is no longer a finite number."""


def fit(
    config: RunConfig,
    *,
    progress: bool | None = None,
    checkpoint: Path | None = None,
    checkpoint_every: int = 10,
) -> RunRecord:
    """Train one network and record what it became.

    The seed fixes the subset, the initial weights, the batches and the augmentation. On the same
    CPU, with the same versions and number of threads, a configuration gives the same numbers bit by
    bit, interrupted and resumed or not; the record's provenance differs, since it has the date.

    Args:
        config: what to run.
        progress: show a line of progress on stderr; None: when that is a terminal.
        checkpoint: file for the unfinished run's state; if it exists, training goes on from it.
            None: no checkpoints.
        checkpoint_every: epochs between checkpoints.

    Raises:
        DataError: if the data set is absent or corrupted.
        DivergedError: if the loss is not finite; the message names the step and the learning rate,
            and the last checkpoint stays.
        ValueError: if the checkpoint is damaged or belongs to another configuration.
    """
    run = _Run(config)
    epochs: list[dict[str, Any]] = []
    collapse: dict[str, list[dict[str, Any]]] = {"train": [], "test": []}
    start, seconds = 0, 0.0
    if checkpoint is not None and checkpoint.exists():
        state = _checkpoint.load(checkpoint, config, run.device)
        run.model.load_state_dict(state["model"])
        run.optimizer.load_state_dict(state["optimizer"])
        epochs, collapse = state["epochs"], state["collapse"]
        start, seconds = len(epochs), state["seconds"]
    if start == 0:
        run.measure_into(collapse, epoch=0)

    shown = Progress(progress, config)
    training = time.perf_counter()
    for epoch in range(start + 1, config.epochs + 1):
        epochs.append({"epoch": epoch, **run.train_epoch(epoch)})
        seconds += time.perf_counter() - training
        if epoch % config.measure_every == 0 or epoch == config.epochs:
            run.measure_into(collapse, epoch)
        if checkpoint is not None and epoch % checkpoint_every == 0 and epoch < config.epochs:
            state = {
                "model": run.model.state_dict(),
                "optimizer": run.optimizer.state_dict(),
                "epochs": epochs,
                "collapse": collapse,
                "seconds": seconds,
            }
            _checkpoint.save(checkpoint, config, state)
        shown.update(epochs[-1], images_per_second=epoch * len(run.train.labels) / seconds)
        training = time.perf_counter()
    shown.close()

    final, arrays = run.results()
    speed = config.epochs * len(run.train.labels) / seconds
    origin = {
        **provenance(run.device),
        "train_seconds": round(seconds, 1),
        "images_per_second": round(speed),
    }
    return RunRecord(config, epochs, final, collapse, arrays, origin)


class _Passed(NamedTuple):
    """A split after a pass through the network in evaluation mode."""

    features: Float[Tensor, "N P"]
    scores: Float[Tensor, "N K"]
    labels: Tensor
    predictions: Tensor


class _Run:
    """The parts of a run on their device: data, labels, network and optimiser."""

    def __init__(self, config: RunConfig) -> None:
        from lightning.fabric import Fabric  # slow to import
        from lightning.fabric.plugins.environments import LightningEnvironment

        self.config = config
        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
        self.fabric = Fabric(
            accelerator=accelerator,
            devices=1,
            precision=config.precision,
            plugins=LightningEnvironment(),  # one process, wherever SLURM may be installed
        )
        self.device = self.fabric.device
        dataset = data.load(config.dataset, device=self.device)
        self.info, self.train, self.test = dataset.info, dataset.train, dataset.test
        if config.per_class is not None:
            chosen = data.per_class_subset(
                self.train.labels, config.per_class, _generator(config.seed, 0)
            ).to(self.device)
            self.train = data.Split(self.train.images[chosen], self.train.labels[chosen])
        # One row a class from here on, as scores are.
        self.targets = config.targets().T.float().contiguous().to(self.device)
        self.model, self.optimizer = self._setup()

    def _setup(self) -> tuple[Any, Any]:
        config = self.config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            model = models.build(
                config.model,
                self.info.shape,
                self.info.num_classes,
                width=config.width,
                feature_dim=config.feature_dim,
                feature_layer=config.feature_layer,
                bias=config.lam_b != float("inf"),
            )
        model = model.to(memory_format=torch.channels_last)
        body = [*model.trunk.parameters(), *model.projection.parameters()]
        groups = [
            {"params": body, "weight_decay": config.weight_decay},
            {"params": model.head.parameters(), "weight_decay": 0.0},  # λ_W, λ_b: in the loss
        ]
        optimizer: torch.optim.Optimizer
        if config.optimizer == "sgd":
            optimizer = torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum)
        else:
            optimizer = torch.optim.AdamW(groups, lr=config.lr)
        return self.fabric.setup(model, optimizer)

    def train_epoch(self, epoch: int) -> dict[str, float]:
        """One pass over the training images; the means of what the minibatches gave."""
        config, count = self.config, len(self.train.labels)
        generator = _generator(config.seed, epoch)
        steps = -(-count // config.batch_size)
        step = (epoch - 1) * steps
        total, correct = 0.0, 0
        self.model.train()
        for chosen in data.batches(count, config.batch_size, generator):
            rate = learning_rate(config, step, steps)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            images, labels = self.train.images[chosen], self.train.labels[chosen]
            if config.augment:
                images = data.augment(images, generator)
            features, scores = self.model(self._input(images))
            loss = self._fit_term(scores, labels) + self._penalty(features, count / len(labels))
            value = loss.item()
            if not torch.isfinite(loss):
                raise DivergedError(
                    f"the loss is {value} at step {step} (epoch {epoch}) with learning rate "
                    f"{rate:.3g}; run {config.id}"
                )
            self.optimizer.zero_grad(set_to_none=True)
            self.fabric.backward(loss)
            self.optimizer.step()
            total += value * len(labels)
            correct += int((self._predict(scores.detach()) == labels).sum())
            step += 1
        return {"loss": total / count, "train_accuracy": correct / count, "lr": rate}

    def _input(self, images: Tensor) -> Tensor:
        images = data.to_float(images, self.info.mean, self.info.std)
        return images.contiguous(memory_format=torch.channels_last)

    def _fit_term(self, scores: Tensor, labels: Tensor) -> Tensor:
        r"""The batch mean of :math:`\ell(W h_i + b, \bar y_{c_i})`."""
        wanted = self.targets[labels]
        if self.config.loss == "ce":
            return functional.cross_entropy(scores.float(), wanted)
        return 0.5 * (scores.float() - wanted).square().sum(1).mean()

    def _penalty(self, features: Tensor, scale: float) -> Tensor:
        r"""The three squared norms; ``scale`` is N/B, so that the sum over features is unbiased."""
        config, head = self.config, self.model.head
        penalty = 0.5 * config.lam_w * head.weight.square().sum()
        penalty = penalty + 0.5 * config.lam_h * scale * features.float().square().sum()
        if head.bias is not None:
            penalty = penalty + 0.5 * config.lam_b * head.bias.square().sum()
        return penalty

    def _decoder(self) -> tuple[Tensor, Tensor]:
        r"""Class scores from network scores :math:`z`: :math:`\bar y_k^\top z - \|\bar y_k\|^2/2`.

        The largest belongs to the nearest label (``mse``); for ``ce`` the label of the least
        cross-entropy wins, which has no second term. One-hot labels give the usual argmax.
        """
        offset = 0.5 * self.targets.square().sum(1)
        return self.targets, -offset if self.config.loss == "mse" else torch.zeros_like(offset)

    def _predict(self, scores: Tensor) -> Tensor:
        labels, offset = self._decoder()
        return (scores.float() @ labels.T + offset).argmax(1)

    @torch.no_grad()
    def _pass(self, split: data.Split) -> _Passed:
        self.model.eval()
        parts = [self.model(self._input(images)) for images in split.images.split(1000)]
        features = torch.cat([part[0] for part in parts]).float()
        scores = torch.cat([part[1] for part in parts]).float()
        return _Passed(features, scores, split.labels, self._predict(scores))

    def _head(self) -> tuple[Tensor, Tensor]:
        head = self.model.head
        bias = head.bias if head.bias is not None else head.weight.new_zeros(len(head.weight))
        return head.weight.detach(), bias.detach()

    def _report(self, passed: _Passed) -> CollapseReport:
        """The collapse report of the head.

        NC4 compares the nearest class mean with the class that is predicted, so it is measured
        with the decoder after the head.
        """
        weight, bias = self._head()
        labels, offset = self._decoder()
        report = partial(measure, passed.features, passed.labels, num_classes=self.info.num_classes)
        decoded = report(weight=labels @ weight, bias=labels @ bias + offset)
        return dataclasses.replace(report(weight=weight, bias=bias), nc4=decoded.nc4)

    def measure_into(self, collapse: dict[str, list[dict[str, Any]]], epoch: int) -> None:
        """Append the reports of both splits."""
        for name, split in (("train", self.train), ("test", self.test)):
            passed = self._pass(split)
            accuracy = (passed.predictions == passed.labels).double().mean().item()
            report = self._report(passed).to_dict()
            collapse[name].append({"epoch": epoch, "accuracy": accuracy, "report": report})

    @torch.no_grad()
    def results(self) -> tuple[dict[str, float], dict[str, Any]]:
        """Final metrics, and the small arrays of the record."""
        train, test = self._pass(self.train), self._pass(self.test)
        classes = self.info.num_classes
        weight, bias = self._head()
        term = self._fit_term(train.scores, train.labels)
        correct = test.predictions == test.labels
        final = {
            "train_accuracy": (train.predictions == train.labels).double().mean().item(),
            "test_accuracy": correct.double().mean().item(),
            "train_loss": term.item(),
            "objective": (term + self._penalty(train.features, 1.0)).item(),
        }
        arrays = {
            "class_means": _class_means(train.features, train.labels, classes),
            "global_mean": train.features.double().mean(0),
            "test_class_means": _class_means(test.features, test.labels, classes),
            "weight": weight,
            "bias": bias,
            "per_class_accuracy": _class_means(correct[:, None], test.labels, classes)[:, 0],
        }
        return final, {name: array.cpu().numpy() for name, array in arrays.items()}


def _class_means(values: Tensor, labels: Tensor, num_classes: int) -> Float[Tensor, "K P"]:
    sums = values.new_zeros(num_classes, values.shape[1], dtype=torch.float64)
    sums.index_add_(0, labels, values.double())
    return sums / labels.bincount(minlength=num_classes)[:, None]


def _generator(seed: int, epoch: int) -> torch.Generator:
    """A stream of its own for every epoch, so that a resumed run draws what it would have drawn."""
    return torch.Generator().manual_seed(seed * 1_000_003 + epoch)
