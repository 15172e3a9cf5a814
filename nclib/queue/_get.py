"""The ledger first: train only what nobody has trained."""

from __future__ import annotations

import gc
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import torch

from nclib import _torchrun, train
from nclib._io import clear_parts, discard, latest
from nclib._lock import locked
from nclib.runs import RunConfig, RunRecord, ledger
from nclib.train import StoppedError


class BusyError(RuntimeError):
    """Another process is training the run."""


def get(
    config: RunConfig,
    *,
    recompute: bool = False,
    progress: bool | None = None,
    until: float | None = None,
    wait: bool = True,
) -> RunRecord:
    """The record of a run: published, else cached, else trained now and cached.

    Training writes checkpoints; interrupted, the next call goes on from the last one. The weights
    of the finished network are cached too. A run that starts from the network of another one takes
    it from there; where it is not there, that run is trained first, and so on back to a run that
    starts from random weights. A run that another process trains is waited for. What the cache
    cannot take goes to the folder of temporary files, with a warning that names the file.

    Args:
        config: the run.
        recompute: train although there is a record, and cache the new one.
        progress: show a line of progress; None: as ``nclib.train.fit`` does.
        until: when to stop, as ``nclib.train.fit`` does.
        wait: whether to wait for other processes.

    Raises:
        RecordError: if the record's file is torn or was edited.
        DataError: if a run must be trained and its data set is absent or corrupted.
        FileNotFoundError: if the network that it starts from could not be stored anywhere.
        StoppedError: if training stopped before its end; the next call goes on.
        BusyError: without ``wait``, if another process trains the run or one that it starts from.
    """
    record = None if recompute else ledger.find(config)
    if record is not None:
        return record
    _check_time(config, until)
    with _held(config, wait):
        if recompute:
            discard(ledger.checkpoint_path(config))
        else:
            record = ledger.find(config)  # another process may have made it meanwhile
        return record if record is not None else _train(config, progress, until, wait)


@contextmanager
def _held(config: RunConfig, wait: bool) -> Iterator[None]:
    """Let no other process train the run; those of ``torchrun`` train it together."""
    with ExitStack() as stack:
        if not _torchrun.started():
            try:
                stack.enter_context(locked(lock_path(config), wait=wait))
            except BlockingIOError as error:
                raise BusyError(f"another process is training run {config.id}: {error}") from None
        yield


def lock_path(config: RunConfig) -> Path:
    """The file whose lock a process has that trains the run."""
    return ledger.checkpoint_path(config).with_suffix(".lock")


def _check_time(config: RunConfig, until: float | None) -> None:
    if until is not None and time.time() >= until:
        raise StoppedError(f"run {config.id} was not started: time is up")


def _train(
    config: RunConfig, progress: bool | None, until: float | None, wait: bool = True
) -> RunRecord:
    """Train a run, and before it those that it starts from whose networks are not there."""
    previous = config.previous()
    base = None if previous is None else _network_of(previous, progress, until, wait)
    _check_time(config, until)
    checkpoint, network = ledger.checkpoint_path(config), ledger.network_path(config)
    if _torchrun.leads():
        with suppress(OSError):  # a folder that cannot be written has no need of it
            for path in (checkpoint, network, ledger.cache_path(config)):
                clear_parts(path)
    if torch.cuda.is_initialized():  # by an earlier run, whose memory is not this one's
        gc.collect()
        torch.cuda.empty_cache()
    record = train.fit(
        config,
        progress=progress,
        checkpoint=checkpoint,
        # An epoch of a small network is less than a save takes.
        checkpoint_every=10 if config.profile == "smoke" or torch.cuda.is_available() else 1,
        network=network,
        base=base,
        until=until,
    )
    if not _torchrun.leads():
        return record
    try:
        ledger.cache(record)
    except OSError as error:
        _rescue(record, error)
    else:
        discard(checkpoint)
    return record


def _network_of(config: RunConfig, progress: bool | None, until: float | None, wait: bool) -> Path:
    """The file with the weights of a finished network; without one, the run is trained."""
    path = ledger.network_path(config)
    with _held(config, wait):
        if latest(path) is None:
            _train(config, progress, until, wait)
        stored = latest(path)
    if stored is None:
        raise FileNotFoundError(
            f"the network of run {config.id}, from which another run starts, could not be stored: "
            f"neither in {path} nor in the folder of temporary files"
        )
    return stored


def _rescue(record: RunRecord, error: OSError) -> None:
    """Keep a record that the cache cannot take."""
    try:
        path = ledger.rescue_path(record.config)
        record.save(path)
        place = f"the record is in {path}"
    except OSError:
        place = "the checkpoint, if it could be saved, has every epoch"
    where = ledger.cache_path(record.config)
    warnings.warn(f"{where} could not be written: {error}; {place}", stacklevel=3)
