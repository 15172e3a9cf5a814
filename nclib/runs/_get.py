"""The ledger first: train only what nobody has trained."""

from __future__ import annotations

import os
import signal
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

import torch

from nclib.runs import ledger
from nclib.runs._config import RunConfig
from nclib.runs._lock import locked
from nclib.runs._record import RunRecord


def get(
    config: RunConfig,
    *,
    recompute: bool = False,
    progress: bool | None = None,
    until: float | None = None,
) -> RunRecord:
    """The record of a run: published, else cached, else trained now and cached.

    Training writes checkpoints; interrupted, the next call goes on from the last one. The weights
    of the finished network are cached too: a run that starts from another's takes them there, and
    trains the other where they are not. A run that another process is training is waited for.

    Args:
        config: what to run.
        recompute: train although there is a record, and cache the new one.
        progress: show a line of progress; None: on a terminal only.
        until: when to stop, as ``nclib.train.fit`` does.

    Raises:
        RecordError: if the record's file is torn or was edited.
        DataError: if a run must be trained and its data set is absent or corrupted.
        StoppedError: if training stopped before its end; the next call goes on.
    """
    if recompute:
        ledger.checkpoint_path(config).unlink(missing_ok=True)
        return _train(config, progress, until)
    record = ledger.find(config)
    if record is not None:
        return record
    with locked(ledger.checkpoint_path(config)):
        record = ledger.find(config)  # another process may have made it meanwhile
        return record if record is not None else _train(config, progress, until)


def _train(config: RunConfig, progress: bool | None, until: float | None) -> RunRecord:
    from nclib.train import StoppedError, fit  # training needs far more imports than reading

    first, base = config.first_stage(), None
    if first is not None:
        base = ledger.network_path(first)
        with locked(ledger.checkpoint_path(first)):
            if not base.exists():
                _train(first, progress, until)
    if until is not None and time.time() >= until:
        raise StoppedError(f"run {config.id} was not started: time is up")
    checkpoint = ledger.checkpoint_path(config)
    record = fit(
        config,
        progress=progress,
        checkpoint=checkpoint,
        checkpoint_every=10 if config.profile == "smoke" else 1,  # a smoke epoch is milliseconds
        network=ledger.network_path(config),
        base=base,
        until=until,
    )
    if int(os.environ.get("RANK", "0")) > 0:  # of several processes, one writes
        return record
    try:
        ledger.cache(record)
    except OSError as error:
        _rescue(record, error)
    else:
        checkpoint.unlink(missing_ok=True)
    return record


def _rescue(record: RunRecord, error: OSError) -> None:
    """Keep a record that the cache cannot take."""
    path = Path(tempfile.gettempdir()) / f"nclib-{record.id}.json"
    try:
        record.save(path)
        place = f"the record is in {path}"
    except OSError:
        place = "the checkpoint, if it could be saved, has every epoch"
    where = ledger.cache_path(record.config)
    warnings.warn(f"{where} could not be written: {error}; {place}", stacklevel=3)


def get_all(
    configs: Iterable[RunConfig],
    *,
    jobs: int = 1,
    recompute: bool = False,
    until: float | None = None,
) -> Iterator[RunRecord]:
    """The record of each configuration in turn, as soon as there is one.

    Interrupted, the next call skips what is finished and resumes what is not. A run that diverges
    does not keep the others from theirs.

    Args:
        configs: in the order in which they are wanted.
        jobs: runs trained at once, each in a process of its own with its share of the cores.
        recompute: train all of them anew.
        until: when to stop, as :func:`get` does.

    Raises:
        DivergedError: at the end, the first that was raised.
        StoppedError: as :func:`get` does.
    """
    from nclib.train import DivergedError

    failed: list[DivergedError] = []
    with _queue(jobs) as submit:
        waiting = [
            submit(partial(get, config, recompute=recompute, until=until)) for config in configs
        ]
        for result in waiting:
            try:
                yield result()
            except DivergedError as error:
                failed.append(error)
    if failed:
        raise failed[0]


@contextmanager
def _queue(jobs: int) -> Iterator[Any]:
    """From a call to a function that gives its result: in this process, or in one of several."""
    if jobs == 1:
        yield lambda call: call
        return
    threads = max(1, (os.cpu_count() or 1) // jobs)
    pool = ProcessPoolExecutor(
        jobs,
        mp_context=get_context("spawn"),  # a forked process cannot use CUDA
        initializer=torch.set_num_threads,
        initargs=(threads,),
    )
    with pool, _passed_on() as told:

        def submit(call: partial[RunRecord]) -> Any:
            future = pool.submit(partial(call, progress=False))

            def result() -> RunRecord:
                try:
                    return future.result()
                except BrokenProcessPool:
                    if not told:
                        raise
                    from nclib.train import StoppedError

                    raise StoppedError("SIGTERM stopped the runs; their states are saved") from None

            return result

        try:
            yield submit
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


@contextmanager
def _passed_on() -> Iterator[list[int]]:
    """Pass SIGTERM on to the processes of the queue; the list has it once it came."""
    told: list[int] = []

    def tell(number: int, frame: object) -> None:
        told.append(number)
        for child in active_children():
            child.terminate()

    try:
        before = signal.signal(signal.SIGTERM, tell)
    except ValueError:  # not the main thread
        yield told
        return
    try:
        yield told
    finally:
        signal.signal(signal.SIGTERM, before)
