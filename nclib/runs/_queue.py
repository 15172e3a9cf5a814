"""Many runs: one after the other, or several at once in processes of their own."""

from __future__ import annotations

import os
import signal
import threading
import time
from bisect import insort
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from functools import partial
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.process import BaseProcess

import torch

from nclib.runs import _torchrun, ledger
from nclib.runs._config import RunConfig
from nclib.runs._get import get
from nclib.runs._lock import BusyError
from nclib.runs._record import RunRecord

_PAUSE = 2.0  # seconds between looks at a run that another process is training

Call = Callable[..., RunRecord]


class FailedRunsError(RuntimeError):
    """Some runs failed; the others have their records.

    Attributes:
        errors: what each raised, by the run's id.
    """

    def __init__(self, errors: Mapping[str, Exception]) -> None:
        self.errors = dict(errors)
        super().__init__("\n".join(f"run {name} failed: {e}" for name, e in errors.items()))


def get_all(
    configs: Iterable[RunConfig],
    *,
    jobs: int = 1,
    recompute: bool = False,
    until: float | None = None,
) -> Iterator[RunRecord]:
    """The record of each configuration in turn, as soon as there is one.

    Interrupted, the next call skips what is finished and resumes what is not. A run that fails, or
    whose process dies, does not keep the others from theirs. What another process is training comes
    later, and several queues with the same cache share the work.

    Args:
        configs: in the order in which they are wanted.
        jobs: runs trained at once, each in a process of its own with its share of the threads.
        recompute: train all of them anew.
        until: when to stop, as :func:`get` does.

    Raises:
        FailedRunsError: at the end, if a run failed.
        StoppedError: on SIGTERM, or as :func:`get` does; what was being trained is saved.
        ValueError: if several jobs are asked for in each process of ``torchrun``.
    """
    from nclib.train import StoppedError

    if jobs > 1 and _torchrun.started():
        raise ValueError(f"jobs is {jobs}, but the processes of torchrun train one run together")
    listed, shown = list(configs), 0
    made: dict[int, RunRecord | None] = {}
    failed: dict[str, Exception] = {}
    stopped: StoppedError | None = None
    call = partial(get, recompute=recompute, until=until, wait=False)
    with closing(_outcomes(listed, call, jobs, recompute)) as outcomes:
        for position, outcome in outcomes:
            if isinstance(outcome, StoppedError):
                stopped = outcome
                continue
            made[position] = outcome if isinstance(outcome, RunRecord) else None
            if isinstance(outcome, Exception):
                failed[listed[position].id] = outcome
            while shown in made:
                record = made.pop(shown)
                shown += 1
                if record is not None:
                    yield record
    yield from (record for _, record in sorted(made.items()) if record is not None)
    if stopped is not None:
        raise StoppedError("\n".join(map(str, [stopped, FailedRunsError(failed)])).strip())
    if failed:
        raise FailedRunsError(failed) from next(iter(failed.values()))


def _outcomes(
    configs: Sequence[RunConfig], call: Call, jobs: int, recompute: bool
) -> Generator[tuple[int, RunRecord | Exception], None, None]:
    """What each run gave or raised, by its position, as they end; none begins after a stop."""
    from nclib.train import StoppedError

    waiting = list(range(len(configs)))
    if not recompute:
        for position in [p for p in waiting if ledger.find_path(configs[p]) is not None]:
            waiting.remove(position)
            yield position, _outcome(_Worker().submit(partial(call, configs[position])))
    busy: set[int] = set()  # of the waiting: those that another process was training
    running: dict[Future[RunRecord], tuple[int, _Worker]] = {}
    with _workers(jobs) as workers, _sigterm(workers) as told:
        free = list(workers)
        while waiting or running:
            if told and waiting:
                yield waiting[0], StoppedError(f"run {configs[waiting[0]].id} was not started")
                waiting.clear()
            for position in [p for p in waiting if p not in busy][: len(free)]:
                waiting.remove(position)
                worker = free.pop()
                running[worker.submit(partial(call, configs[position]))] = position, worker
            if told:  # perhaps while a process was being started
                _terminate(workers)
            if waiting and not running:
                time.sleep(_PAUSE)
            done, _ = wait(running, _PAUSE if busy else None, FIRST_COMPLETED)
            found_busy = set()
            for future in done:
                position, worker = running.pop(future)
                free.append(worker)
                outcome = _outcome(future)
                if isinstance(outcome, BusyError):
                    found_busy.add(position)
                    insort(waiting, position)
                    continue
                if isinstance(outcome, BrokenProcessPool):
                    # A second SIGTERM, when the state was saved or there was none yet.
                    stopped = StoppedError(f"run {configs[position].id} was stopped")
                    outcome = stopped if told else _died()
                if isinstance(outcome, StoppedError):
                    waiting.clear()
                elif isinstance(outcome, Exception):
                    worker.end()  # its process may be dead, or its accelerator out of order
                yield position, outcome
            # When a run has ended, or some time has gone by, the others may be free.
            busy = busy | found_busy if 0 < len(found_busy) == len(done) else found_busy


def _outcome(future: Future[RunRecord]) -> RunRecord | Exception:
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, Exception):
        return error
    raise error


def _died() -> Exception:
    return ChildProcessError(
        "its process was killed, as when memory runs out; the next call goes on from its checkpoint"
    )


class _Worker:
    """This process."""

    processes: Collection[BaseProcess] = ()  # that it has started

    def submit(self, call: Call) -> Future[RunRecord]:
        """Begin a call."""
        future: Future[RunRecord] = Future()
        try:
            future.set_result(call())
        except Exception as error:
            future.set_exception(error)
        return future

    def end(self) -> None:
        """Have no process; the next call starts another."""


class _Apart(_Worker):
    """A process that trains one run after the other; none until it is needed."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._pool: ProcessPoolExecutor | None = None

    def submit(self, call: Call) -> Future[RunRecord]:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                1,
                mp_context=get_context("spawn"),  # a forked process cannot use CUDA
                initializer=_begin,
                initargs=(self._threads,),
            )
        call = partial(call, progress=False)
        if self.processes:
            return self._pool.submit(call)
        others = set(active_children())  # the caller's, which are none of the queue's business
        future = self._pool.submit(call)
        self.processes = set(active_children()) - others
        return future

    def end(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool, self.processes = None, ()


def _begin(threads: int) -> None:
    """What a process of the queue does first."""
    torch.set_num_threads(threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the queue tells by SIGTERM, which saves
    threading.Thread(target=_end_with_the_queue, daemon=True).start()


def _end_with_the_queue() -> None:
    """Save and end when the queue was killed: nobody waits for the record, others for the lock."""
    queue = parent_process()
    assert queue is not None
    queue.join()
    while True:  # the first may only end the run
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)


@contextmanager
def _workers(jobs: int) -> Iterator[list[_Worker]]:
    """So many; left by an exception, they save what they were training."""
    threads = max(1, torch.get_num_threads() // jobs)
    workers: list[_Worker] = [_Worker()] if jobs == 1 else [_Apart(threads) for _ in range(jobs)]
    try:
        yield workers
    except BaseException:
        _terminate(workers)
        raise
    finally:
        for worker in workers:
            worker.end()


@contextmanager
def _sigterm(workers: Sequence[_Worker]) -> Iterator[list[int]]:
    """Pass SIGTERM on to the processes of the queue; the list has it once it came."""
    told: list[int] = []

    def tell(number: int, frame: object) -> None:
        told.append(number)
        _terminate(workers)

    try:
        before = signal.signal(signal.SIGTERM, tell)
    except ValueError:  # not the main thread
        yield told
        return
    try:
        yield told
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(workers: Iterable[_Worker]) -> None:
    """SIGTERM for the processes of the queue, if it has any: they save, and end."""
    for worker in workers:
        for process in worker.processes:
            process.terminate()
