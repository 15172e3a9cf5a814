"""From a configuration to its record."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nclib.runs._config import RunConfig
from nclib.runs._provenance import provenance
from nclib.runs._record import RunRecord
from nclib.train import _checkpoint, _evaluate
from nclib.train._memory import peak_memory_mib
from nclib.train._progress import Progress
from nclib.train._run import DivergedError, Run, generator

__all__ = ["DivergedError", "fit"]


def fit(
    config: RunConfig,
    *,
    progress: bool | None = None,
    checkpoint: Path | None = None,
    checkpoint_every: int = 10,
    network: Path | None = None,
    base: Path | None = None,
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
        network: file for the weights of the finished network; None: they are not kept.
        base: the file that ``network`` named when ``config.first_stage()`` was trained, where there
            is such a stage; None: that is trained first.

    Raises:
        DataError: if the data set is absent or corrupted.
        DivergedError: if the loss is not finite; the message names the step and the learning rate,
            and the last checkpoint stays.
        ValueError: if the checkpoint is damaged or belongs to another configuration.
    """
    run = Run(config, _base_network(config, base, progress, checkpoint, checkpoint_every))
    first, last = run.stage.start, run.stage.end
    epochs: list[dict[str, Any]] = []
    collapse: dict[str, list[dict[str, Any]]] = {"train": [], "test": []}
    seconds = 0.0
    if checkpoint is not None and checkpoint.exists():
        state = _checkpoint.load(checkpoint, config, run.device)
        run.load_state(state["run"])
        epochs, collapse, seconds = state["epochs"], state["collapse"], state["seconds"]
    start = first + len(epochs)
    if start == first:
        _measure(run, collapse, epoch=first)

    shown = Progress(progress, config, last)
    training = time.perf_counter()
    for epoch in range(start + 1, last + 1):
        entry: dict[str, Any] = {"epoch": epoch, **run.train_epoch(epoch)}
        seconds += time.perf_counter() - training
        epochs.append(entry)
        ends = epoch == last
        if epoch % config.measure_every == 0 or ends:
            entry.update(_measure(run, collapse, epoch))
        elif epoch % config.evaluate_every == 0:
            entry.update(_evaluate.shots(run.passed(run.test), run.counts))
        if checkpoint is not None and (epoch - first) % checkpoint_every == 0 and not ends:
            state = {
                "run": run.state(),
                "epochs": epochs,
                "collapse": collapse,
                "seconds": seconds,
            }
            _checkpoint.save(checkpoint, config, state)
        shown.update(entry, images_per_second=len(epochs) * len(run.train.labels) / seconds)
        training = time.perf_counter()
    shown.close()

    record = _record(run, epochs, collapse, seconds)
    if network is not None:
        _checkpoint.save(network, config, {"network": run.final_state()})
    return record


def _base_network(
    config: RunConfig,
    base: Path | None,
    progress: bool | None,
    checkpoint: Path | None,
    checkpoint_every: int,
) -> Any:
    """The weights that a run starts from, where its method has a base."""
    first = config.first_stage()
    if first is None:
        return None
    if base is not None:
        return _checkpoint.load(base, first, "cpu")["network"]
    before = None
    if checkpoint is not None:
        before = checkpoint.with_name(f"{first.id}-for-{checkpoint.name}")
    with TemporaryDirectory() as folder:
        made = Path(folder) / "network.pt"
        fit(
            first,
            progress=progress,
            checkpoint=before,
            checkpoint_every=checkpoint_every,
            network=made,
        )
        return _checkpoint.load(made, first, "cpu")["network"]


def _measure(run: Run, collapse: dict[str, list[dict[str, Any]]], epoch: int) -> dict[str, float]:
    """Append the reports of both splits; returns the test accuracies."""
    test = run.passed(run.test)
    for name, passed in (("train", run.passed(run.train)), ("test", test)):
        found = _evaluate.collapse(passed, run.head, run.objective)
        collapse[name].append({"epoch": epoch, **found})
    return _evaluate.shots(test, run.counts)


def _record(
    run: Run,
    epochs: list[dict[str, Any]],
    collapse: dict[str, list[dict[str, Any]]],
    seconds: float,
) -> RunRecord:
    config = run.config
    train, test = run.passed(run.train), run.passed(run.test)
    final = _evaluate.finals(train, test, run.counts, run.objective)
    reached = [(e["test_accuracy"], -e["epoch"]) for e in epochs if "test_accuracy" in e]
    best, at = max(reached, default=(final["test_accuracy"], -run.stage.start))
    final |= {"best_test_accuracy": best, "best_epoch": -at}
    for number, std in enumerate(config.noise):
        draws = generator(config.seed, 1_000_000 + number)
        noisy = run.passed(run.test, noise=std, generator=draws)
        final[f"test_accuracy_noise_{std:g}"] = noisy.accuracy
    origin = {
        **provenance(run.device),
        "train_seconds": round(seconds, 1),
        "peak_memory_mib": peak_memory_mib(run.device),
    }
    if seconds:
        origin["images_per_second"] = round(len(epochs) * len(run.train.labels) / seconds)
    found = _evaluate.arrays(train, test, run.counts, run.head)
    return RunRecord(config, epochs, final, collapse, found, origin)
