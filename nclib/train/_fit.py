"""From a configuration to its record."""

from __future__ import annotations

import dataclasses
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from torch import Tensor

from nclib._io import latest, rescue_path
from nclib._provenance import describe
from nclib.models import Classifier
from nclib.runs import RunConfig, RunRecord
from nclib.runs._provenance import provenance
from nclib.train import _checkpoint, _evaluate, _precision, _processes
from nclib.train._memory import forget_peak_memory, peak_memory_mib
from nclib.train._progress import Progress
from nclib.train._random import NOISE, generator
from nclib.train._run import DivergedError, Position, Run
from nclib.train._stop import Stop, StoppedError

__all__ = ["DivergedError", "StoppedError", "fit", "measure_again", "trained_network"]


def fit(
    config: RunConfig,
    *,
    base: Path | Mapping[str, Tensor] | None = None,
    progress: bool | None = None,
    checkpoint: Path | None = None,
    checkpoint_every: int = 10,
    network: Path | None = None,
    until: float | None = None,
) -> RunRecord:
    """Train one network and record what it became.

    The seed fixes the subset, the initial weights, the batches and the augmentation. On the same
    CPU, with the same versions and number of threads, a configuration gives the same numbers bit by
    bit, interrupted and resumed or not; the record's provenance differs, since it has the date, and
    names every device that the run was trained on.
    The precision ``bf16-mixed`` is autocast; a CPU without instructions for bfloat16 rounds float32
    to the same, and the provenance says so. On a CPU the process keeps the memory that tensors
    free, up to 2 GiB of it, instead of handing it back to the system.

    Args:
        config: what to run.
        base: the network of the run that this one starts from, ``config.previous()``: the file that
            ``network`` named when that was trained, or the weights (a module's ``state_dict``);
            None: where there is no such run. ``nclib.queue.get`` finds or trains that run first.
        progress: show a line of progress on stderr; None: when that is a terminal, and neither
            ``NCLIB_QUIET`` nor ``CI`` is set.
        checkpoint: file for the unfinished run's state; if it exists, training goes on from it.
            Where it cannot be written, the state goes to the folder of temporary files, and the
            next call finds it there. None: no checkpoints.
        checkpoint_every: epochs between checkpoints, at least 1.
        network: file for the weights of the finished network, which go to the folder of temporary
            files if it cannot be written; None: they are not kept.
        until: when to stop, in seconds since the epoch as ``time.time()`` gives them; None: at the
            end alone.

    Raises:
        DataError: if the data set is absent or corrupted.
        DivergedError: if the loss or the scores are not finite; the message names step, rate and
            the last checkpoint, which stays.
        StoppedError: if it is time, or if SIGTERM came and there is a checkpoint to write; the
            checkpoint is saved after the step.
        FileNotFoundError: if ``base`` names no file.
        ValueError: if ``base`` is missing, not wanted, or of another run; if the checkpoint is
            damaged or belongs to another configuration; or if ``checkpoint_every`` is below 1.
    """
    if checkpoint_every < 1:
        raise ValueError(f"checkpoint_every is {checkpoint_every}, expected 1 or more epochs")
    run = Run(config, _base_weights(config, base))
    forget_peak_memory(run.device)
    here = describe(run.device)
    history = History([], {"train": [], "test": []}, 0.0, 0.0, None, (here,))
    saved = latest(checkpoint) if checkpoint is not None else None
    if saved is not None:
        state = _checkpoint.load(saved, config)
        run.load_state(state["run"])
        history = History(**{name: state[name] for name in History._fields})
        history = history._replace(devices=tuple(dict.fromkeys((*history.devices, here))))
    with Stop(until, listen=checkpoint is not None) as stop:
        try:
            history = _train(run, history, stop, progress, checkpoint, checkpoint_every)
        except DivergedError as error:
            good = latest(checkpoint) if checkpoint is not None else None
            if good is None:
                raise
            raise DivergedError(f"{error}; its last good state is in {good}") from error
    record = _record(run, history)
    if network is not None:
        weights = run.evaluated.state_dict()
        _save(network, config, {"network": weights}, "training is over")
    _processes.wait()
    return record


def _base_weights(
    config: RunConfig, base: Path | Mapping[str, Tensor] | None
) -> Mapping[str, Tensor] | None:
    """The weights that a run starts from; None: random ones."""
    previous = config.previous()
    if previous is None:
        if base is not None:
            raise ValueError(
                f"base is given, but run {config.id} ({config.trains}) starts from random weights: "
                f"expected None"
            )
        return None
    if base is None:
        raise ValueError(
            f"base is None, but run {config.id} ({config.trains}) starts from the network of run "
            f"{previous.id} ({previous.trains}): expected its weights; nclib.queue.get trains both"
        )
    if isinstance(base, Mapping):
        return base
    if not Path(base).exists():
        raise FileNotFoundError(f"the weights of run {previous.id} are not kept: {base}")
    weights: Mapping[str, Tensor] = _checkpoint.load(Path(base), previous)["network"]
    return weights


class History(NamedTuple):
    """How far training has come, and what it gave."""

    epochs: list[dict[str, Any]]
    collapse: dict[str, list[dict[str, Any]]]
    seconds: float  # in steps
    wall_seconds: float  # in all: measuring and saving too
    position: tuple[Any, ...] | None  # within the epoch that follows
    devices: tuple[str, ...]  # those that it was trained on, in this order


def _train(
    run: Run,
    history: History,
    stop: Stop,
    progress: bool | None,
    checkpoint: Path | None,
    checkpoint_every: int,
) -> History:
    """Go on until the last epoch, or until it is to stop."""
    config, (epochs, collapse, seconds, wall, position, devices) = run.config, history
    first, last = run.stage.start, run.stage.end
    entered = time.perf_counter() - wall
    if not collapse["train"]:
        _measure(run, collapse, epoch=first)

    outlook = "the same call goes on from there" if checkpoint else "without a checkpoint"

    def save(position: Position | None) -> None:
        nonlocal outlook
        if checkpoint is not None:
            wall, within = time.perf_counter() - entered, position and tuple(position)
            reached = History(epochs, collapse, seconds, wall, within, devices)
            state = {"run": run.state(), **reached._asdict()}
            if not _save(checkpoint, config, state, "training goes on"):
                outlook = "its state could not be saved"

    def watch(done: int, loss: float, hits: float) -> None:
        spent = seconds + time.perf_counter() - began
        part = epoch - 1 + done / run.epoch_images
        speed = (part - first) * run.epoch_images / spent
        so_far = {"epoch": part, "loss": loss, f"train_{run.task.hits}": hits}
        line.update(so_far, speed, collapse["train"])

    with closing(Progress(progress, config, first + len(epochs), last)) as line:
        for epoch in range(first + len(epochs) + 1, last + 1):
            began = time.perf_counter()
            within = Position(*position) if position else None
            made = run.train_epoch(epoch, within, stop, watch)
            seconds += time.perf_counter() - began
            position = None
            if isinstance(made, Position):
                save(made)
                raise StoppedError(f"run {config.id} stopped in epoch {epoch} of {last}; {outlook}")
            entry: dict[str, Any] = {"epoch": epoch, **made}
            epochs.append(entry)
            if epoch % config.measure_every == 0 or epoch == last:
                entry.update(_measure(run, collapse, epoch))
            elif epoch % config.evaluate_every == 0:
                test = run.outputs("test")
                entry.update(run.task.metrics(test.judged, run.counts, "test"))
            stops = stop()
            if (epoch - first) % checkpoint_every == 0 or epoch == last or stops:
                save(None)
            speed = len(epochs) * run.epoch_images / seconds
            line.update(entry, speed, collapse["train"])
            if stops and epoch < last:
                raise StoppedError(
                    f"run {config.id} stopped after epoch {epoch} of {last}; {outlook}"
                )
    return History(epochs, collapse, seconds, time.perf_counter() - entered, None, devices)


def _save(path: Path, config: RunConfig, state: dict[str, Any], otherwise: str) -> bool:
    """Save from one process, on a disk that is full to the folder of temporary files.

    Args:
        path: of the file.
        config: whose state it is.
        state: what to save.
        otherwise: what is true when it could not be saved anywhere.

    Returns:
        Whether it was saved somewhere.
    """
    if _processes.rank() > 0:
        return True
    try:
        _checkpoint.save(path, config, state)
    except OSError as error:
        where = otherwise
        with suppress(OSError):  # also if there is no folder of temporary files
            spare = rescue_path(path.name)
            _checkpoint.save(spare, config, state)
            where = f"it is in {spare}"
        warnings.warn(f"{path} could not be saved: {error}; {where}", stacklevel=2)
        return where != otherwise
    return True


def _measure(run: Run, collapse: dict[str, list[dict[str, Any]]], epoch: int) -> dict[str, float]:
    """Append the reports of both splits; returns the metrics of both.

    The hits on training images are those of the minibatches in an epoch, not those after it.
    """
    train, test = run.outputs("train"), run.outputs("test")
    for name, split in (("train", train), ("test", test)):
        measured = _evaluate.collapse(split, run.evaluated.head, run.objective, run.task)
        collapse[name].append({"epoch": epoch, **measured})
    on_train = run.task.metrics(train.judged, run.counts, "train")
    del on_train[f"train_{run.task.hits}"]
    return {**on_train, **run.task.metrics(test.judged, run.counts, "test")}


def measure_again(
    record: RunRecord, network: Path, *, base: Path | Mapping[str, Tensor] | None = None
) -> RunRecord:
    """A record with its finished network measured anew, as when what is measured has changed.

    Epochs and reports of collapse stay as they are; the provenance says when and where the rest was
    measured.

    Args:
        record: of the run.
        network: its weights, as :func:`fit` saves them.
        base: those that it started from, as :func:`fit` takes them.

    Raises:
        DataError: if the data set is absent or corrupted.
        FileNotFoundError: if there are no weights.
        ValueError: if they are not this record's, or a file cannot be read.
    """
    run = _with_network(record.config, network, base)
    final, arrays = _finished(run, record.epochs)
    # Not bit by bit: the weight of a normalised classifier is computed, on whatever device.
    if not _alike(arrays["weight"], record.arrays["weight"]):
        raise ValueError(f"{network} is not the network that record {record.id} is of")
    here = {**provenance(run.device), "device": describe(run.device)}
    origin = {f"measured_{name}": here[name] for name in ("commit", "dirty", "date", "device")}
    return dataclasses.replace(
        record, final=final, arrays=arrays, provenance={**record.provenance, **origin}
    )


def trained_network(
    config: RunConfig, network: Path, *, base: Path | Mapping[str, Tensor] | None = None
) -> Classifier:
    """The finished network of a run in evaluation mode, such as for its maps of attention.

    Args:
        config: of the run.
        network: its weights, as :func:`fit` saves them.
        base: the weights that it started from, as :func:`fit` takes them.

    Raises:
        DataError: if the data set is absent or corrupted.
        FileNotFoundError: if there are no weights.
        ValueError: if they are another run's, or a file cannot be read.
    """
    trained: Classifier = _with_network(config, network, base).evaluated.eval()
    return trained.requires_grad_(False)


def features(
    record: RunRecord,
    network: Path,
    split: Literal["train", "test"] = "test",
    *,
    base: Path | Mapping[str, Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """Features that a finished network gives to the images of a split, and their labels.

    Args:
        record: of the run.
        network: its weights, as :func:`fit` saves them.
        split: ``train``, without augmentation, or ``test``.
        base: the weights that it started from, as :func:`fit` takes them.

    Raises:
        DataError: if the data set is absent or corrupted.
        FileNotFoundError: if there are no weights.
        ValueError: if a file cannot be read.
    """
    given = _with_network(record.config, network, base).outputs(split).whole()
    return given.outputs.features, given.labels


def _with_network(
    config: RunConfig, network: Path, base: Path | Mapping[str, Tensor] | None
) -> Run:
    """A run with the weights of its finished network."""
    previous = config.previous()
    if not network.exists():
        raise FileNotFoundError(f"the weights of run {config.id} are not kept: {network}")
    if previous is not None and base is None:
        raise FileNotFoundError(f"the weights of run {previous.id} are not kept: base is None")
    run = Run(config, _base_weights(config, base))
    run.evaluated.load_state_dict(_checkpoint.load(network, config)["network"])
    return run


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and np.allclose(one, other, rtol=1e-4, atol=1e-6)


def _record(run: Run, history: History) -> RunRecord:
    config, (epochs, collapse, seconds, wall, _, devices) = run.config, history
    final, arrays = _finished(run, epochs)
    origin = {
        **provenance(run.device),
        "device": ", then ".join(devices),
        "train_seconds": round(seconds, 1),
        "wall_seconds": round(wall, 1),
        "peak_memory_mib": peak_memory_mib(run.device),
    }
    if _precision.is_rounded(config.precision, run.device.type):
        origin["bf16"] = "rounded float32"
    if seconds:
        origin["images_per_second"] = round(len(epochs) * run.epoch_images / seconds)
    return RunRecord(config, epochs, final, collapse, arrays, origin)


def _finished(
    run: Run, epochs: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What a record says of the finished network: metrics and arrays."""
    config, task, head = run.config, run.task, run.evaluated.head
    train, test = run.outputs("train").whole(), run.outputs("test").whole()
    final: dict[str, Any] = _evaluate.final_metrics(
        train, test, run.counts, head, run.objective, task
    )
    headline = f"test_{task.headline}"
    reached = [(e[headline], -e["epoch"]) for e in epochs if headline in e]
    best, at = max(reached, default=(final[headline], -run.stage.start))
    final |= {f"best_{headline}": best, "best_epoch": -at}
    for number, std in enumerate(config.noise):
        draws = generator(config.seed, NOISE + number)
        noisy = run.outputs("test", noise=std, draws=draws)
        name = f"noisy_{headline}"
        final[f"{name}_{std:g}"] = task.metrics(noisy.judged, run.counts, "noisy_test")[name]
    return final, _evaluate.arrays(train, test, run.counts, head, task)
