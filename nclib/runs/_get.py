"""The ledger first: train only what nobody has trained."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import torch

from nclib.runs import ledger
from nclib.runs._config import RunConfig
from nclib.runs._record import RunRecord


def get(config: RunConfig, *, recompute: bool = False, progress: bool | None = None) -> RunRecord:
    """The record of a run: published, else cached, else trained now and cached.

    Training writes checkpoints; interrupted, the next call goes on from the last one. The weights
    of the finished network are cached too: a run that starts from another's takes them there, and
    trains the other where they are not.

    Args:
        config: what to run.
        recompute: train although there is a record, and cache the new one.
        progress: show a line of progress; None: on a terminal only.

    Raises:
        RecordError: if the record's file is torn or was edited.
        DataError: if a run must be trained and its data set is absent or corrupted.
    """
    checkpoint = ledger.checkpoint_path(config)
    if recompute:
        checkpoint.unlink(missing_ok=True)
    else:
        record = ledger.find(config)
        if record is not None:
            return record
    return _train(config, progress)


def _train(config: RunConfig, progress: bool | None) -> RunRecord:
    from nclib.train import fit  # training needs far more imports than reading

    first, base = config.first_stage(), None
    if first is not None:
        base = ledger.network_path(first)
        if not base.exists():
            _train(first, progress)
    checkpoint = ledger.checkpoint_path(config)
    record = fit(
        config,
        progress=progress,
        checkpoint=checkpoint,
        checkpoint_every=10 if config.profile == "smoke" else 1,  # a smoke epoch is milliseconds
        network=ledger.network_path(config),
        base=base,
    )
    ledger.cache(record)
    checkpoint.unlink(missing_ok=True)
    return record


def get_all(
    configs: Iterable[RunConfig], *, jobs: int = 1, recompute: bool = False
) -> Iterator[RunRecord]:
    """The record of each configuration in turn, as soon as there is one.

    Interrupted, the next call skips what is finished and resumes what is not.

    Args:
        configs: in the order in which they are wanted.
        jobs: runs trained at once, each in a process of its own with its share of the cores.
        recompute: train all of them anew.
    """
    if jobs == 1:
        for config in configs:
            yield get(config, recompute=recompute)
        return
    threads = max(1, (os.cpu_count() or 1) // jobs)
    with ProcessPoolExecutor(
        jobs,
        mp_context=get_context("spawn"),  # a forked process cannot use CUDA
        initializer=torch.set_num_threads,
        initargs=(threads,),
    ) as pool:
        yield from pool.map(partial(get, recompute=recompute, progress=False), configs)
