"""From a configuration to its record."""

from __future__ import annotations

import dataclasses
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from nclib._io import latest, rescue_path
from nclib.runs import RunConfig, RunRecord
from nclib.runs._provenance import describe, provenance
from nclib.train import _checkpoint, _evaluate, _precision, _processes
from nclib.train._memory import forget_peak_memory, peak_memory_mib
from nclib.train._progress import Progress
from nclib.train._random import generator
from nclib.train._run import DivergedError, Position, Run
from nclib.train._stop import Stop, StoppedError

__all__ = ["DivergedError", "StoppedError", "fit", "measure_again"]


def fit(
    config: RunConfig,
    *,
    progress: bool | None = None,
    checkpoint: Path | None = None,
    checkpoint_every: int = 10,
    network: Path | None = None,
    base: Path | None = None,
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
        progress: show a line of progress on stderr; None: when that is a terminal, and neither
            ``NCLIB_QUIET`` nor ``CI`` is set.
        checkpoint: file for the unfinished run's state; if it exists, training goes on from it.
            Where it cannot be written, the state goes to the folder of temporary files, and the
            next call finds it there. None: no checkpoints.
        checkpoint_every: epochs between checkpoints, at least 1.
        network: file for the weights of the finished network, which go to the folder of temporary
            files if it cannot be written; None: they are not kept.
        base: the file that ``network`` named when ``config.first_stage()`` was trained, where there
            is such a stage; None: that is trained first.
        until: when to stop, in seconds since the epoch as ``time.time()`` gives them; None: at the
            end alone.

    Raises:
        DataError: if the data set is absent or corrupted.
        DivergedError: if the loss or the scores are not finite; the message names step, rate and
            the last checkpoint, which stays.
        StoppedError: if it is time, or if SIGTERM came and there is a checkpoint to write; the
            checkpoint is saved after the step.
        ValueError: if the checkpoint is damaged or belongs to another configuration, or
            ``checkpoint_every`` is below 1.
    """
    if checkpoint_every < 1:
        raise ValueError(f"checkpoint_every is {checkpoint_every}, expected 1 or more epochs")
    record, _ = _fitted(config, progress, checkpoint, checkpoint_every, network, base, until)
    first = config.first_stage()
    if first is not None and base is None and checkpoint is not None and _processes.rank() == 0:
        with suppress(OSError):  # what is left behind costs no run
            _first_checkpoint(checkpoint, first).unlink()
    return record


def _fitted(
    config: RunConfig,
    progress: bool | None,
    checkpoint: Path | None,
    checkpoint_every: int,
    network: Path | None,
    base: Path | None,
    until: float | None,
) -> tuple[RunRecord, dict[str, Tensor]]:
    """What :func:`fit` does; the record, and the weights of the finished network."""
    run = Run(config, _base_network(config, base, progress, checkpoint, checkpoint_every, until))
    forget_peak_memory(run.device)
    here = describe(run.device)
    course = _Course([], {"train": [], "test": []}, 0.0, 0.0, None, (here,))
    kept = latest(checkpoint) if checkpoint is not None else None
    if kept is not None:
        state = _checkpoint.load(kept, config)
        run.load_state(state["run"])
        course = _Course(
            state["epochs"],
            state["collapse"],
            state["seconds"],
            state.get("wall_seconds", state["seconds"]),  # older checkpoints lack it
            state["position"],
            tuple(dict.fromkeys((*state["devices"], here))),
        )
    with Stop(until, listen=checkpoint is not None) as stop:
        try:
            course = _train(run, course, stop, progress, checkpoint, checkpoint_every)
        except DivergedError as error:
            good = latest(checkpoint) if checkpoint is not None else None
            if good is None:
                raise
            raise DivergedError(f"{error}; its last good state is in {good}") from error
    record = _record(run, course)
    weights: dict[str, Tensor] = run.evaluated.state_dict()
    if network is not None:
        _save(network, config, {"network": weights}, "training is over")
    _processes.wait()
    return record, weights


class _Course(NamedTuple):
    """How far training has come, and what it gave."""

    epochs: list[dict[str, Any]]
    collapse: dict[str, list[dict[str, Any]]]
    seconds: float  # in steps
    wall_seconds: float  # in all: measuring and saving too
    position: tuple[Any, ...] | None  # within the epoch that follows
    devices: tuple[str, ...]  # those that it was trained on, in this order


def _train(
    run: Run,
    course: _Course,
    stop: Stop,
    progress: bool | None,
    checkpoint: Path | None,
    checkpoint_every: int,
) -> _Course:
    """Go on until the last epoch, or until it is to stop."""
    config, (epochs, collapse, seconds, wall, position, devices) = run.config, course
    first, last = run.stage.start, run.stage.end
    entered = time.perf_counter() - wall
    if not collapse["train"]:
        _measure(run, collapse, epoch=first)

    kept = "the same call goes on from there" if checkpoint else "without a checkpoint"

    def save(position: Position | None) -> None:
        nonlocal kept
        if checkpoint is not None:
            wall, within = time.perf_counter() - entered, position and tuple(position)
            reached = _Course(epochs, collapse, seconds, wall, within, devices)
            state = {"run": run.state(), **reached._asdict()}
            if not _save(checkpoint, config, state, "training goes on"):
                kept = "its state could not be saved"

    def watch(seen: int, loss: float, accuracy: float) -> None:
        spent = seconds + time.perf_counter() - began
        part = epoch - 1 + seen / run.shown
        speed = (part - first) * run.shown / spent
        so_far = {"epoch": part, "loss": loss, "train_accuracy": accuracy}
        shown.update(so_far, speed, collapse["train"])

    with closing(Progress(progress, config, first + len(epochs), last)) as shown:
        for epoch in range(first + len(epochs) + 1, last + 1):
            began = time.perf_counter()
            within = Position(*position) if position else None
            made = run.train_epoch(epoch, within, stop, watch)
            seconds += time.perf_counter() - began
            position = None
            if isinstance(made, Position):
                save(made)
                raise StoppedError(f"run {config.id} stopped in epoch {epoch} of {last}; {kept}")
            entry: dict[str, Any] = {"epoch": epoch, **made}
            epochs.append(entry)
            if epoch % config.measure_every == 0 or epoch == last:
                entry.update(_measure(run, collapse, epoch))
            elif epoch % config.evaluate_every == 0:
                entry.update(_evaluate.shots(run.passed("test"), run.counts))
            told = stop()
            if (epoch - first) % checkpoint_every == 0 or epoch == last or told:
                save(None)
            speed = len(epochs) * run.shown / seconds
            shown.update(entry, speed, collapse["train"])
            if told and epoch < last:
                raise StoppedError(f"run {config.id} stopped after epoch {epoch} of {last}; {kept}")
    return _Course(epochs, collapse, seconds, time.perf_counter() - entered, None, devices)


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


def _base_network(
    config: RunConfig,
    base: Path | None,
    progress: bool | None,
    checkpoint: Path | None,
    checkpoint_every: int,
    until: float | None,
) -> Any:
    """The weights that a run starts from, where its method has a base."""
    first = config.first_stage()
    if first is None:
        return None
    if base is not None:
        return _checkpoint.load(base, first)["network"]
    before = None if checkpoint is None else _first_checkpoint(checkpoint, first)
    return _fitted(first, progress, before, checkpoint_every, None, None, until)[1]


def _first_checkpoint(checkpoint: Path, first: RunConfig) -> Path:
    """Where the first stage of a run keeps its state, until the second has ended too."""
    return checkpoint.with_name(f"{first.id}-for-{checkpoint.name}")


def _measure(run: Run, collapse: dict[str, list[dict[str, Any]]], epoch: int) -> dict[str, float]:
    """Append the reports of both splits; returns the accuracies by frequency.

    That of all training images is the minibatches' in an epoch, and the report's after it.
    """
    train, test = run.passed("train"), run.passed("test")
    for name, passed in (("train", train), ("test", test)):
        found = _evaluate.collapse(passed, run.evaluated.head, run.objective)
        collapse[name].append({"epoch": epoch, **found})
    groups = _evaluate.shots(train, run.counts, "train")
    del groups["train_accuracy"]
    return {**groups, **_evaluate.shots(test, run.counts)}


def measure_again(record: RunRecord, network: Path, *, base: Path | None = None) -> RunRecord:
    """A record with its finished network measured anew, as when what is measured has changed.

    Epochs and reports of collapse stay as they are; the provenance says when and where the rest was
    measured.

    Args:
        record: of the run.
        network: its weights, as :func:`fit` saves them.
        base: those that it started from, where its method has a base.

    Raises:
        DataError: if the data set is absent or corrupted.
        FileNotFoundError: if there are no weights.
        ValueError: if they are not this record's, or a file cannot be read.
    """
    config, first = record.config, record.config.first_stage()
    for path, owner in ((network, config), *(((base, first),) if first is not None else ())):
        if path is None or not path.exists():
            raise FileNotFoundError(f"the weights of run {owner.id} are not kept: {path}")
    weights = None if first is None or base is None else _checkpoint.load(base, first)["network"]
    run = Run(config, weights)
    run.evaluated.load_state_dict(_checkpoint.load(network, config)["network"])
    final, found = _finished(run, record.epochs)
    # Not bit by bit: the weight of a normalised classifier is computed, on whatever device.
    if not _alike(found["weight"], record.arrays["weight"]):
        raise ValueError(f"{network} is not the network that record {record.id} is of")
    here = {**provenance(run.device), "device": describe(run.device)}
    told = {f"measured_{name}": here[name] for name in ("commit", "dirty", "date", "device")}
    return dataclasses.replace(
        record, final=final, arrays=found, provenance={**record.provenance, **told}
    )


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and np.allclose(one, other, rtol=1e-4, atol=1e-6)


def _record(run: Run, course: _Course) -> RunRecord:
    config, (epochs, collapse, seconds, wall, _, devices) = run.config, course
    final, found = _finished(run, epochs)
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
        origin["images_per_second"] = round(len(epochs) * run.shown / seconds)
    return RunRecord(config, epochs, final, collapse, found, origin)


def _finished(
    run: Run, epochs: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What a record says of the finished network: metrics and arrays."""
    config = run.config
    train, test = run.passed("train").whole(), run.passed("test").whole()
    final = _evaluate.finals(train, test, run.counts, run.objective)
    reached = [(e["test_accuracy"], -e["epoch"]) for e in epochs if "test_accuracy" in e]
    best, at = max(reached, default=(final["test_accuracy"], -run.stage.start))
    final |= {"best_test_accuracy": best, "best_epoch": -at}
    for number, std in enumerate(config.noise):
        draws = generator(config.seed, 1_000_000 + number)
        noisy = run.passed("test", noise=std, draws=draws)
        final[f"noisy_test_accuracy_{std:g}"] = noisy.accuracy
    return final, _evaluate.arrays(train, test, run.counts, run.evaluated.head)
