"""The parts of a run on their device: data, network, objective, optimisers; and one epoch."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from nclib import data, methods
from nclib.models import Outputs
from nclib.runs import RunConfig
from nclib.train import _evaluate, _images, _processes, _random, _stage
from nclib.train._average import AveragedWeights
from nclib.train._class_wise import ClassWiseObjective
from nclib.train._declared import MethodObjective
from nclib.train._encoded import EncodedObjective
from nclib.train._graphed import Graphed
from nclib.train._memory import keep_freed_memory
from nclib.train._objective import Objective, Targets, Views
from nclib.train._plugged import PluggedTerm, adjust, is_due
from nclib.train._schedule import learning_rate

_LOOK_EVERY = 50, 1.0  # steps or seconds; on an accelerator, looking at a loss waits for it

Watch = Callable[[int, float, float], None]
Replayed = Callable[..., tuple[Tensor, ...]]


class DivergedError(ArithmeticError):
    """The loss, or what the network gives, is no longer finite."""


class Position(NamedTuple):
    """Where training stopped within an epoch."""

    batches: int  # done
    draws: Tensor  # state of the epoch's generator
    loss: float  # sum over the images
    hits: float


class Run:
    """The parts of a run on their device.

    Args:
        config: of the run.
        base: the weights of the finished network of ``config.previous()``, where there is one.
    """

    def __init__(self, config: RunConfig, base: Mapping[str, Tensor] | None) -> None:
        self.config = config
        self.stage, self.task = _stage.stage(config), config.task
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
        # Images that an epoch shows.
        self.epoch_images = data.epoch_length(self.stage.sampler, self.labels)
        self.counts = data.class_counts(self.labels, self.info.num_classes)
        self.network = _stage.network(config, self.info, self.counts, base)
        self.network = self.network.to(memory_format=torch.channels_last).to(self.device)
        self.objective = self._objective().to(self.device)
        self.averaged: AveragedWeights | None = None
        if self.stage.schedule.ema:
            self.averaged = AveragedWeights(self.network, self.stage.schedule.ema)
        self.model: Any = self.network
        self.optimizers: list[Any] = []  # the network's first
        if self.stage.schedule.epochs:
            optimizer = _stage.optimizer(config, self.network, self.objective.extra_parameters())
            self.model, optimizer = self.fabric.setup(self.network, optimizer)
            self.optimizers = [optimizer, *self.objective.optimizers()]
        alone = _processes.world_size() == 1 and self.objective.second_view is None
        self.replays = self.device.type == "cuda" and alone
        self.graphs: dict[int, Replayed] = {}  # one for each number of images, of one phase
        self.phase: Hashable = None
        if config.post_hoc:  # with the options of one whose turn is after every epoch
            self._adjust_classifier(epochs=1)

    def _objective(self) -> Objective:
        objective = self._loss()
        for plugin, options in self.config.acting_plugins:
            if plugin.term is not None:
                term = PluggedTerm(plugin, options, self.network.head, self.stage.start)
                objective.plugins.append(term)
        return objective

    def _loss(self) -> Objective:
        config, method = self.config, methods.get(self.config.method)
        if method.loss is None:
            return EncodedObjective(config, len(self.labels))
        kind = ClassWiseObjective if method.class_wise else MethodObjective
        return kind(
            method,
            config.options,
            self.network,
            counts=self.counts,
            generator=_random.generator(config.seed, _random.BEFORE),
            epochs=config.epochs,
            images=len(self.labels),
        )

    def state(self) -> dict[str, Any]:
        """All that training changes."""
        return {
            "network": self.network.state_dict(),
            "objective": self.objective.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "averaged": self.averaged.state_dict() if self.averaged is not None else None,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state` gave."""
        self.network.load_state_dict(state["network"])
        self.objective.load_state_dict(state["objective"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            # Rates and kernels are those of this run on this device.
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({**saved, "param_groups": groups})
        if self.averaged is not None:
            self.averaged.load_state_dict(state["averaged"])

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
            watch: called now and then with the number of images that are done, their mean loss, and
                the share of hits among their labels.
        """
        config = self.stage.schedule
        draws = _random.generator(config.seed, epoch)
        orders = [order.split(config.batch_size) for order in self._orders(draws, epoch)]
        steps = len(orders[0])
        begin, loss, hits = 0, 0.0, 0.0
        if position is not None:
            begin, state, loss, hits = position
            draws.set_state(state)
        recent: list[tuple[Tensor, Tensor]] = []
        sizes: list[int] = []
        done, looked = begin * config.batch_size, time.monotonic()
        alone = _processes.world_size() == 1  # several look at the same steps, and fail together
        self._training_mode()
        self.objective.begin_epoch(self.network, epoch - 1)
        loaded = [self.images.batches(o, begin, draws, epoch, n) for n, o in enumerate(orders)]
        for number, batch in enumerate(zip(*loaded, strict=True), begin):
            step = (epoch - 1 - self.stage.start) * steps + number
            rate = learning_rate(config, step, steps)
            views, targets = self._inputs(batch, draws, epoch)
            recent.append(self._step(views, targets, rate, epoch, draws))
            sizes.append(len(targets.first))
            ends = number == steps - 1
            stops = stop() and not ends
            late = alone and time.monotonic() - looked > _LOOK_EVERY[1]
            if len(recent) == _LOOK_EVERY[0] or late or ends or stops:
                values, counted = (
                    torch.stack(numbers).tolist() for numbers in zip(*recent, strict=True)
                )
                self._check(values, step, epoch, steps)
                for value, count, size in zip(values, counted, sizes, strict=True):
                    loss += value * size
                    hits += count
                done, looked = done + sum(sizes), time.monotonic()
                recent.clear()
                sizes.clear()
                if watch is not None and not ends:
                    watch(done, loss / done, hits / done)
            if stops:
                return Position(number + 1, draws.get_state(), loss, hits)
        _processes.same_buffers(self.network, self.averaged.network if self.averaged else None)
        self._check_scores(views.images, step, epoch, rate)
        self._adjust_classifier(epoch - self.stage.start)
        return {"loss": loss / done, f"train_{self.task.hits}": hits / done, "lr": rate}

    def _adjust_classifier(self, epochs: int) -> None:
        """Let the plug-ins whose turn it is adjust it, with the class means of the training set.

        Args:
            epochs: that the stage has behind it.
        """
        due = [
            (plugin, options)
            for plugin, options in self.config.acting_plugins
            if plugin.adjust is not None and is_due(options, epochs)
        ]
        networks = [self.network, *([self.averaged.network] if self.averaged else [])]
        for network in networks if due else []:
            train = self.outputs("train", network=network).whole()
            means, _ = self.task.means(train.outputs.features, train.labels, len(self.counts))
            for plugin, options in due:
                adjust(network.head, means, self.counts > 0, plugin, options)

    def _orders(self, draws: torch.Generator, epoch: int) -> list[Tensor]:
        """The images of an epoch, and those that stand beside them, if any do."""
        kind = self.stage.sampler
        if data.SAMPLERS[kind].continues:
            lists = _random.generator(self.config.seed, _random.LISTS)
            epochs_before = epoch - 1 - self.stage.start
            order = data.sampler(kind, self.labels, generator=lists, epoch=epochs_before)
        else:
            order = data.sampler(kind, self.labels, generator=draws)
        view = self.objective.second_view
        if view is None:
            return [order]
        if view.images == "same":
            return [order, order]
        return [order, data.sampler(view.images, self.labels, generator=draws)]

    def _inputs(
        self,
        batch: Sequence[tuple[UInt8[Tensor, "B C H W"], data.Labels]],
        draws: torch.Generator,
        epoch: int,
    ) -> tuple[Views, Targets]:
        """The images of a step, as the network takes them, and its labels.

        Args:
            batch: images and labels of each view.
            draws: of mixup.
            epoch: from 1.
        """
        images, *others = (data.to_float(view, self.mean, self.std) for view, _ in batch)
        targets, unmixed = Targets(self.task.targets(batch[0][1])), None
        share = self.objective.second_share(epoch - 1)
        if share is not None:
            targets = Targets(batch[0][1], batch[1][1], 1 - share)
        if self.stage.schedule.mixup:
            unmixed = images
            images, *labels_and_share = data.mixup(
                unmixed, batch[0][1], self.stage.schedule.mixup, draws
            )
            targets = Targets(*labels_and_share)
        second = _dense(others[0]) if others else None
        return Views(_dense(images), unmixed, second), targets

    def _step(
        self, views: Views, targets: Targets, rate: float, epoch: int, draws: torch.Generator
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """One step; the batch's loss, and its hits."""
        for group in self.optimizers[0].param_groups:
            group["lr"] = rate
        with self.fabric.autocast():
            shown = self.objective.shown(self.network, views.local(), epoch - 1, draws)
        images = torch.cat([_dense(view) for view in shown]) if len(shown) > 1 else shown[0]
        value, hits = self.gradients(images, targets, epoch)
        for optimizer in self.optimizers:
            optimizer.step()
        if self.averaged is not None:
            self.averaged.update()
        return value, hits

    def gradients(
        self, images: Float[Tensor, "b C H W"], targets: Targets, epoch: int
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """The batch's loss and its hits; gradients go to the parameters."""
        if not self.replays:
            return self._backward(images, targets, epoch)
        arguments = [images, *targets.tensors()]
        in_force = (term.in_force(epoch - 1) for term in self.objective.plugins)
        phase = (self.objective.phase(epoch - 1), *in_force)
        if phase != self.phase:
            self.graphs.clear()  # frees their memory first
            self.phase = phase
        if len(images) not in self.graphs:
            self.graphs[len(images)] = self._recorded(arguments, targets, epoch)
        value, hits = self.graphs[len(images)](*arguments)
        return value, hits

    def _recorded(self, arguments: list[Tensor], targets: Targets, epoch: int) -> Replayed:
        """The passes of a step as a graph, for the phase that an epoch is in."""

        def function(images: Tensor, *tensors: Tensor) -> tuple[Tensor, Tensor]:
            return self._backward(images, targets.with_tensors(tensors), epoch)

        groups = [group for optimizer in self.optimizers for group in optimizer.param_groups]
        moved = [*self.network.buffers(), *self.objective.buffers()]
        return Graphed(function, arguments, [p for group in groups for p in group["params"]], moved)

    def _backward(
        self, images: Float[Tensor, "b C H W"], targets: Targets, epoch: int
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """The forward and the backward pass themselves."""
        rows = len(_processes.local_rows(targets.first))
        outputs = _by_view(self.model(images), rows)
        loss = self.objective(outputs, targets, self.network.head, epoch - 1)
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(loss)
        with torch.no_grad():
            scores = self.objective.class_scores(outputs[0].scores)
            count = partial(
                self.task.count_hits,
                self.task.predictions(scores),
                shift_invariant=self.objective.shift_invariant,
            )
            hits = targets.hits(count)
        return loss.detach(), hits

    def _training_mode(self) -> None:
        self.model.train()
        if self.stage.frozen and not self.stage.statistics:
            self.network.eval()

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
            scores = self.network(_processes.local_rows(images)).scores
        if _processes.any_of(not bool(scores.isfinite().all())):
            raise self._diverged(f"the scores are not finite after step {step}", epoch, rate)

    def _diverged(self, what: str, epoch: int, rate: float) -> DivergedError:
        return DivergedError(
            f"{what} (epoch {epoch}) with learning rate {rate:.3g}; run {self.config.id}"
        )

    def outputs(
        self,
        split: Literal["train", "test"],
        *,
        noise: float = 0.0,
        draws: torch.Generator | None = None,
        network: Any = None,
    ) -> _evaluate.SplitOutputs:
        """Those of a split, of a network; None: of that which is evaluated and kept."""
        chunks = self.images.chunks(split, part=not noise)  # the noise is drawn for all in order
        batches: _evaluate.Batches = (
            (data.to_float(images, self.mean, self.std), labels) for images, labels in chunks
        )
        if noise:
            assert draws is not None
            batches = _evaluate.noisy(batches, noise, draws)
        with self.fabric.autocast():
            return _evaluate.outputs(
                network or self.evaluated, batches, self.objective, self.task, part=not noise
            )

    @property
    def evaluated(self) -> Any:
        """The network that is evaluated and kept: with the running mean of the weights, if any."""
        return self.network if self.averaged is None else self.averaged.network


def _by_view(outputs: Outputs, rows: int) -> list[Outputs]:
    """All processes' outputs in float32, for each time that so many images of this one passed."""
    parts = [outputs._replace(attention=None)]  # no loss looks at it
    if len(outputs.scores) != rows:
        begins = range(0, len(outputs.scores), rows)
        parts = [parts[0].map(itemgetter(slice(at, at + rows))) for at in begins]
    return [part.map(lambda tensor: _processes.gather(tensor.float())) for part in parts]


def _dense(images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
    """In the order of memory that the network has."""
    return images.contiguous(memory_format=torch.channels_last)
