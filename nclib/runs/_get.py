"""The ledger first: train only what nobody has trained."""

from __future__ import annotations

import gc
import time
import warnings
from contextlib import suppress

import torch

from nclib._io import clear_parts, discard, latest
from nclib.runs import _torchrun, ledger
from nclib.runs._config import RunConfig
from nclib.runs._lock import locked
from nclib.runs._record import RunRecord


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
    of the finished network are cached too: a run that starts from another's takes them there, and
    trains the other where they are not. What another process is training is waited for. What the
    cache cannot take goes to the folder of temporary files, with a warning that names it.

    Args:
        config: what to run.
        recompute: train although there is a record, and cache the new one.
        progress: show a line of progress; None: as ``nclib.train.fit`` does.
        until: when to stop, as ``nclib.train.fit`` does.
        wait: whether to wait for other processes.

    Raises:
        RecordError: if the record's file is torn or was edited.
        DataError: if a run must be trained and its data set is absent or corrupted.
        FileNotFoundError: if the network that it starts from could not be stored anywhere.
        StoppedError: if training stopped before its end; the next call goes on.
        BusyError: without ``wait``, if another process trains the run or the one it starts from.
    """
    record = None if recompute else ledger.find(config)
    if record is not None:
        return record
    _check_time(config, until)
    with locked(ledger.checkpoint_path(config), wait=wait):
        if recompute:
            discard(ledger.checkpoint_path(config))
        else:
            record = ledger.find(config)  # another process may have made it meanwhile
        return record if record is not None else _train(config, progress, until, wait)


def _check_time(config: RunConfig, until: float | None) -> None:
    if until is not None and time.time() >= until:
        from nclib.train import StoppedError  # training needs far more imports than reading

        raise StoppedError(f"run {config.id} was not started: time is up")


def _train(
    config: RunConfig, progress: bool | None, until: float | None, wait: bool = True
) -> RunRecord:
    from nclib.train import fit

    first, base = config.first_stage(), None
    if first is not None:
        base = ledger.network_path(first)
        with locked(ledger.checkpoint_path(first), wait=wait):
            if latest(base) is None:
                _train(first, progress, until)
            base = latest(base)
            if base is None:
                raise FileNotFoundError(
                    f"the network of the first stage, run {first.id}, could not be stored: neither "
                    f"in {ledger.network_path(first)} nor in the folder of temporary files"
                )
    _check_time(config, until)
    checkpoint, network = ledger.checkpoint_path(config), ledger.network_path(config)
    if _torchrun.leads():
        with suppress(OSError):  # a folder that cannot be written has no need of it
            for path in (checkpoint, network, ledger.cache_path(config)):
                clear_parts(path)
    if torch.cuda.is_initialized():  # by an earlier run, whose memory is not this one's
        gc.collect()
        torch.cuda.empty_cache()
    record = fit(
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
