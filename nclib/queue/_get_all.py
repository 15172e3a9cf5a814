"""Many runs: one after the other, or several at once in processes of their own."""

from __future__ import annotations

import signal
import time
from bisect import insort
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial

from nclib import _torchrun
from nclib.queue._get import BusyError, get
from nclib.queue._workers import Call, DiedError, Outcome, Worker, ended, outcome_of, workers
from nclib.runs import RunConfig, RunRecord, ledger
from nclib.train import StoppedError

_PAUSE = 2.0  # seconds between looks at a run that another process is training


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
    whose process dies, does not keep the others from theirs. A run that another process trains
    comes later, and several queues with the same cache share the work.

    Args:
        configs: in the order in which they are wanted.
        jobs: runs trained at once, each in a process of its own with its share of the threads; one
            alone is trained in this process.
        recompute: train all of them anew.
        until: when to stop, as :func:`get` does.

    Raises:
        FailedRunsError: at the end, if a run failed.
        StoppedError: on SIGTERM, or as :func:`get` does; what was being trained is saved.
        ValueError: if several jobs are asked for in each process of ``torchrun``.
    """
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
) -> Generator[tuple[int, Outcome], None, None]:
    """What each run gave or raised, by its position, as they end; none begins after a stop."""
    waiting = list(range(len(configs)))
    if not recompute:
        for position in [p for p in waiting if ledger.find_path(configs[p]) is not None]:
            waiting.remove(position)
            yield position, outcome_of(partial(call, configs[position]))
    busy: set[int] = set()  # of the waiting: those that another process was training
    running: dict[Worker, int] = {}
    with workers(jobs) as team, _sigterm(team) as received:
        free = list(team)
        while waiting or running:
            if received and waiting:
                yield waiting[0], StoppedError(f"run {configs[waiting[0]].id} was not started")
                waiting.clear()
            for position in [p for p in waiting if p not in busy][: len(free)]:
                waiting.remove(position)
                worker = free.pop()
                running[worker] = position
                worker.begin(partial(call, configs[position]))
            if received:  # perhaps while a process was being started
                _terminate(team)
            if waiting and not running:
                time.sleep(_PAUSE)
            done = ended(running, _PAUSE if busy else None)
            still_busy = set()
            for worker in done:
                position = running.pop(worker)
                free.append(worker)
                outcome = worker.outcome()
                if isinstance(outcome, BusyError):
                    still_busy.add(position)
                    insort(waiting, position)
                    continue
                if isinstance(outcome, DiedError) and received:
                    # A second SIGTERM, when the state was saved or there was none yet.
                    outcome = StoppedError(f"run {configs[position].id} was stopped")
                if isinstance(outcome, StoppedError):
                    waiting.clear()
                elif isinstance(outcome, Exception):
                    worker.end()  # its process may be dead, or its accelerator out of order
                yield position, outcome
            # When a run has ended, or some time has gone by, the others may be free.
            busy = busy | still_busy if 0 < len(still_busy) == len(done) else still_busy


@contextmanager
def _sigterm(team: Sequence[Worker]) -> Iterator[list[int]]:
    """Pass SIGTERM on to the processes of the queue; the list has it once it came."""
    received: list[int] = []

    def receive(number: int, frame: object) -> None:
        received.append(number)
        _terminate(team)

    try:
        before = signal.signal(signal.SIGTERM, receive)
    except ValueError:  # not the main thread
        yield received
        return
    try:
        yield received
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(team: Iterable[Worker]) -> None:
    for worker in team:
        worker.terminate()
