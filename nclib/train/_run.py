"""The parts of a run on their device: data, network, objective, optimiser; and one epoch."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from nclib import data
from nclib.methods import known
from nclib.models import Branches
from nclib.runs import RunConfig
from nclib.train import _evaluate, _images, _processes, _stage
from nclib.train._average import AveragedWeights
from nclib.train._declared import MethodObjective
from nclib.train._graphed import Graphed
from nclib.train._memory import keep_freed_memory
from nclib.train._objective import EncodedObjective, Mixed, Objective
from nclib.train._random import generator
from nclib.train._schedule import learning_rate

_LOOK_EVERY = 50, 1.0  # steps or seconds; on an accelerator, looking at a loss waits for it

_LISTS = 250_000  # the stream of a sampler that goes on over epochs, beyond those of the epochs

Watch = Callable[[int, float, float], None]


class DivergedError(ArithmeticError):
    """The loss, or what the network gives, is no longer finite."""


class Position(NamedTuple):
    """Where training stopped within an epoch."""

    batches: int  # done
    draws: Tensor  # state of the epoch's generator
    loss: float  # sum over the images
    correct: float


class Run:
    """The parts of a run on their device.

    Args:
        config: what to run.
        network: the weights of the network to start from, where the method has a base.
    """

    def __init__(self, config: RunConfig, network: Mapping[str, Tensor] | None) -> None:
        self.config = config
        self.stage = _stage.stage(config)
        self.fabric = _processes.fabric(config.precision)
        self.device = self.fabric.device
        if self.device.type == "cpu":
            keep_freed_memory()
        else:
            torch.backends.cudnn.benchmark = True  # the shapes of batches do not change
        self.images = _images.load(config, self.device)
        self.info, self.labels = self.images.info, self.images.labels
        pixels = data.statistics(config.dataset, config.normalisation)
        # On the device, since what is copied there in a step waits for the one before.
        self.mean, self.std = (torch.tensor(values, device=self.device) for values in pixels)
        self.shown = data.epoch_length(self.stage.sampler, self.labels)  # images of an epoch
        self.counts = self.labels.bincount(minlength=self.info.num_classes)
        if network is None:
            self.network = _stage.build(config, self.info)
        else:
            self.network = _stage.continued(config, self.info, network, self.counts)
        self.network = self.network.to(memory_format=torch.channels_last).to(self.device)
        self.objective = self._objective()
        self.averaged: AveragedWeights | None = None
        if self.stage.schedule.ema:
            self.averaged = AveragedWeights(self.network, self.stage.schedule.ema)
        self.model: Any = self.network
        self.optimizers: list[Any] = []
        self.contrast = getattr(self.objective, "contrast", None)
        if self.stage.schedule.epochs:
            beside = self.contrast.projection if self.contrast is not None else None
            self.model, main = self.fabric.setup(
                self.network, _stage.optimizer(config, self.network, beside)
            )
            self.optimizers.append(main)
        centres = getattr(self.objective, "centres", None)
        self.centres = centres
        if centres is not None and (own := centres.optimizer()) is not None:
            self.optimizers.append(own)
        alone = _processes.world_size() == 1 and self.stage.second_view is None
        self.replays = self.device.type == "cuda" and alone
        self.graphs: dict[int, Graphed] = {}  # one for each number of images, of one phase
        self.phase: Hashable = None

    def _objective(self) -> Objective:
        config, method = self.config, known(self.config.method)
        if method.loss is None:
            return EncodedObjective(config, self.network.head, len(self.labels))
        return MethodObjective(
            method,
            config.options,
            self.network,
            self.counts,
            config.feature_dim,
            generator(config.seed, 0),
            loss=method.second.loss if method.second else None,
        )

    def state(self) -> dict[str, Any]:
        """All that training changes."""
        return {
            "network": self.network.state_dict(),
            "optimizers": [one.state_dict() for one in self.optimizers],
            "averaged": self.averaged.state_dict() if self.averaged is not None else None,
            "centres": self.centres.state_dict() if self.centres is not None else None,
            "contrast": self.contrast.state_dict() if self.contrast is not None else None,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state` gave."""
        self.network.load_state_dict(state["network"])
        for own, saved in zip(self.optimizers, state["optimizers"], strict=True):
            # Rates and kernels are those of this run on this device.
            own.load_state_dict({**saved, "param_groups": own.state_dict()["param_groups"]})
        if self.averaged is not None:
            self.averaged.load_state_dict(state["averaged"])
        if self.centres is not None:
            self.centres.load_state_dict(state["centres"])
        if self.contrast is not None:
            self.contrast.load_state_dict(state["contrast"])

    def train_epoch(
        self,
        epoch: int,
        position: Position | None,
        stop: Callable[[], bool],
        watch: Watch | None = None,
    ) -> dict[str, float] | Position:
        """One epoch; the means of what the minibatches gave.

        Args:
            epoch: its number, from 1.
            position: where to go on; None: from the epoch's beginning.
            stop: asked after every step; if so, the position is returned instead.
            watch: told now and then how many images were seen, their mean loss, and the share of
                them that was right.
        """
        config = self.stage.schedule
        draws = generator(config.seed, epoch)
        views = [order.split(config.batch_size) for order in self._orders(draws, epoch)]
        steps = len(views[0])
        begin, loss, correct = 0, 0.0, 0.0
        if position is not None:
            begin, state, loss, correct = position
            draws.set_state(state)
        recent: list[tuple[Tensor, Tensor]] = []
        sizes: list[int] = []
        seen, looked = begin * config.batch_size, time.monotonic()
        alone = _processes.world_size() == 1  # several look at the same steps, and fail together
        self._training_mode()
        share = self._share(epoch)
        shown = [self.images.batches(v, begin, draws, epoch, n) for n, v in enumerate(views)]
        for number, batch in enumerate(zip(*shown, strict=True), begin):
            step = (epoch - 1 - self.stage.start) * steps + number
            rate = learning_rate(config, step, steps)
            inputs, labels = self._inputs(batch, share, draws, epoch)
            value, right = self._step(inputs, labels, rate, epoch, draws)
            recent.append((value, right))
            sizes.append(len(inputs[0]))
            ends = number == steps - 1
            told = stop() and not ends
            late = alone and time.monotonic() - looked > _LOOK_EVERY[1]
            if len(recent) == _LOOK_EVERY[0] or late or ends or told:
                values, rights = (
                    torch.stack(list(found)).tolist() for found in zip(*recent, strict=True)
                )
                self._check(values, step, epoch, steps)
                for value, right, size in zip(values, rights, sizes, strict=True):
                    loss += value * size
                    correct += right
                seen, looked = seen + sum(sizes), time.monotonic()
                recent.clear()
                sizes.clear()
                if watch is not None and not ends:
                    watch(seen, loss / seen, correct / seen)
            if told:
                return Position(number + 1, draws.get_state(), loss, correct)
        _processes.same_buffers(self.network, self.averaged.network if self.averaged else None)
        self._check_scores(inputs[0], step, epoch, rate)
        return {"loss": loss / self.shown, "train_accuracy": correct / self.shown, "lr": rate}

    def _orders(self, draws: torch.Generator, epoch: int) -> list[Tensor]:
        """The images of an epoch, and those that stand beside them, if any do."""
        kind = self.stage.sampler
        if data.SAMPLERS[kind].continues:
            lists, before = generator(self.config.seed, _LISTS), epoch - 1 - self.stage.start
            order = data.sampler(kind, self.labels, generator=lists, epoch=before)
        else:
            order = data.sampler(kind, self.labels, generator=draws)
        view = self.stage.second_view
        if view is None:
            return [order]
        if view.images == "same":
            return [order, order]
        return [order, data.sampler(view.images, self.labels, generator=draws)]

    def _share(self, epoch: int) -> float | None:
        """That of the second branch in an epoch, which the network is told; None: it has none."""
        view = self.stage.second_view
        if view is None or view.share is None:
            return None
        assert isinstance(self.network.trunk, Branches)
        self.network.trunk.share = view.share((epoch - 1) / self.config.epochs)
        return self.network.trunk.share

    def _step(
        self, views: list[Tensor], labels: Mixed, rate: float, epoch: int, draws: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """One step; the batch's loss, and how many of its predictions are right."""
        for group in self.optimizers[0].param_groups:
            group["lr"] = rate
        parts = [_processes.local_rows(images) for images in views]
        if self.contrast is not None:
            with self.fabric.autocast():
                self.contrast.embed(self.network, parts.pop(), draws)
        images = torch.cat(parts) if len(parts) > 1 else parts[0]
        value, right = self.gradients(images, labels, epoch)
        for optimizer in self.optimizers:
            optimizer.step()
        if self.averaged is not None:
            self.averaged.update()
        return value, right

    def gradients(self, images: Tensor, labels: Mixed, epoch: int) -> tuple[Tensor, Tensor]:
        """The batch's loss and how many predictions are right; gradients go to the parameters."""
        if not self.replays:
            return self._backward(images, labels, epoch)
        arguments = [images, *(part for pair in labels for part in pair if torch.is_tensor(part))]
        phase = self.objective.phase(epoch - 1)
        if phase != self.phase:
            self.graphs.clear()  # frees their memory first
            self.phase = phase
        if len(images) not in self.graphs:
            self.graphs[len(images)] = self._recorded(arguments, labels, epoch)
        value, right = self.graphs[len(images)](*arguments)
        return value, right

    def _recorded(self, arguments: list[Tensor], labels: Mixed, epoch: int) -> Graphed:
        """The passes of a step as a graph, for the phase that an epoch is in."""

        def function(images: Tensor, *parts: Tensor) -> tuple[Tensor, Tensor]:
            rest = iter(parts)
            own = [(next(rest), next(rest) if torch.is_tensor(s) else s) for _, s in labels]
            return self._backward(images, own, epoch)

        groups = [group for optimizer in self.optimizers for group in optimizer.param_groups]
        moved = [*self.network.buffers(), *(self.centres.buffers() if self.centres else ())]
        return Graphed(function, arguments, [p for group in groups for p in group["params"]], moved)

    def _backward(self, images: Tensor, labels: Mixed, epoch: int) -> tuple[Tensor, Tensor]:
        """The forward and the backward pass themselves."""
        features, scores = self.model(images)
        clean = None
        if self.objective.wants_clean(epoch - 1):  # half of the images are as they were, unmixed
            features, clean = features.chunk(2)
            scores, clean = scores.chunk(2)[0], _processes.gather(clean.float())
        features = _processes.gather(features.float())
        scores = _processes.gather(scores.float())
        loss = self.objective.loss(features, scores, labels, epoch - 1, clean)
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(loss)
        with torch.no_grad():
            predicted = self.objective.predict(scores)
            right = torch.stack([(predicted == own).sum() * share for own, share in labels]).sum()
        return loss.detach(), right

    def _training_mode(self) -> None:
        self.model.train()
        if self.stage.frozen and not self.stage.statistics:
            self.network.eval()

    def _inputs(
        self,
        batch: Sequence[tuple[Tensor, Tensor]],
        share: float | None,
        draws: torch.Generator,
        epoch: int,
    ) -> tuple[list[Tensor], Mixed]:
        """The views of a batch as the network takes them, and its labels with shares.

        Args:
            batch: images and labels of each view.
            share: of the second view's labels; None: those of the first are the labels.
            draws: of mixup.
            epoch: from 1.
        """
        views = [data.to_float(images, self.mean, self.std) for images, _ in batch]
        labels: Mixed = [(batch[0][1], 1.0)]
        if share is not None:
            labels = [(batch[0][1], 1 - share), (batch[1][1], share)]
        if self.stage.schedule.mixup:
            mixed, first, second, part = data.mixup(
                views[0], batch[0][1], self.stage.schedule.mixup, draws
            )
            views = [mixed, views[0]] if self.objective.wants_clean(epoch - 1) else [mixed]
            labels = [(first, part), (second, 1 - part)]
        return [view.contiguous(memory_format=torch.channels_last) for view in views], labels

    def _check(self, losses: list[float], step: int, epoch: int, steps: int) -> None:
        """Refuse losses that are not finite; ``step`` is that of the last."""
        for back, value in zip(range(len(losses) - 1, -1, -1), losses, strict=True):
            if value - value != 0:  # neither nan nor inf differ from themselves by nothing
                at = step - back
                rate = learning_rate(self.stage.schedule, at, steps)
                raise self._diverged(f"the loss is {value} at step {at}", epoch, rate)

    @torch.no_grad()
    def _check_scores(self, images: Tensor, step: int, epoch: int, rate: float) -> None:
        """Refuse a network that the epoch's last step has ruined, before it is measured or kept."""
        self.network.eval()
        with self.fabric.autocast():
            _, scores = self.network(_processes.local_rows(images))
        if _processes.any_of(not bool(scores.isfinite().all())):
            raise self._diverged(f"the scores are not finite after step {step}", epoch, rate)

    def _diverged(self, what: str, epoch: int, rate: float) -> DivergedError:
        return DivergedError(
            f"{what} (epoch {epoch}) with learning rate {rate:.3g}; run {self.config.id}"
        )

    def passed(
        self, split: Literal["train", "test"], *, noise: float = 0.0, draws: Any = None
    ) -> _evaluate.Passed:
        """A split through the network, or through the running mean of its weights."""
        chunks = self.images.chunks(split, part=not noise)  # the noise is drawn for all in order
        inputs: _evaluate.Inputs = (
            (data.to_float(i, self.mean, self.std), own) for i, own in chunks
        )
        if noise:
            inputs = _evaluate.noisy(inputs, noise, draws)
        with self.fabric.autocast():
            return _evaluate.run_through(self.evaluated, inputs, self.objective, part=not noise)

    @property
    def evaluated(self) -> Any:
        """The network that is evaluated and kept: with the running mean of the weights, if any."""
        return self.network if self.averaged is None else self.averaged.network
