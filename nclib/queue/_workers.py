"""Where the runs of a queue are trained: in its own process, or in processes that it starts."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import connection, get_context, parent_process
from multiprocessing.context import SpawnProcess
from typing import Any, Protocol, runtime_checkable

import torch

from nclib.runs import RunRecord

Call = Callable[..., RunRecord]
Outcome = RunRecord | Exception


class DiedError(ChildProcessError):
    """The process of a worker ended before its run did."""


@runtime_checkable
class Worker(Protocol):
    """Makes one call after the other."""

    def begin(self, call: Call) -> None:
        """Begin a call; the one before has ended."""

    def signals(self) -> Sequence[Any]:
        """What ``multiprocessing.connection.wait`` finds ready when the call has ended.

        Empty: it has ended already.
        """

    def outcome(self) -> Outcome:
        """What the call that has ended returned or raised."""

    def terminate(self) -> None:
        """Have the call save its state and end, if a process of its own makes it."""

    def end(self) -> None:
        """End the process that makes the calls, if there is one; the next call starts another."""


class Here:
    """Makes calls in this process: a call has ended when it has begun."""

    def begin(self, call: Call) -> None:
        """Make the call."""
        self._outcome = outcome_of(call)

    def signals(self) -> Sequence[Any]:
        """None, since nothing has to be waited for."""
        return ()

    def outcome(self) -> Outcome:
        """What the call returned or raised."""
        return self._outcome

    def terminate(self) -> None:
        """Signals reach this process by themselves."""

    def end(self) -> None:
        """There is nothing to end."""


class Elsewhere:
    """Makes calls in a process of its own, which the first call starts.

    Args:
        threads: of torch in that process.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._process: SpawnProcess | None = None
        self._pipe: connection.Connection

    def begin(self, call: Call) -> None:
        """Send the call to the process."""
        if self._process is None:
            context = get_context("spawn")  # a forked process cannot use CUDA
            self._pipe, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, self._threads))
            process.start()  # a signal handler may ask to terminate it: not before it is started
            self._process = process
            theirs.close()  # so that reading ends when the process does
        with suppress(BrokenPipeError):  # killed while it waited: the outcome says so
            self._pipe.send(partial(call, progress=False))

    def signals(self) -> Sequence[Any]:
        """An answer, or the end of the process."""
        assert self._process is not None
        return self._pipe, self._process.sentinel

    def outcome(self) -> Outcome:
        """What the call returned or raised; DiedError where the process ended before."""
        with suppress(EOFError, OSError):
            if self._pipe.poll():
                answer: Outcome = self._pipe.recv()
                return answer
        return DiedError(
            "its process was killed, as when memory runs out; the next call goes on from its "
            "checkpoint"
        )

    def terminate(self) -> None:
        """SIGTERM for the process: it saves the run's state, and ends."""
        if self._process is not None:
            self._process.terminate()

    def end(self) -> None:
        """Wait for the process to end: at once, unless it is in a call."""
        if self._process is not None:
            self._pipe.close()
            self._process.join()
            self._process = None


def outcome_of(call: Call) -> Outcome:
    """What a call returns or raises."""
    try:
        return call()
    except Exception as error:
        return error


def ended(running: Collection[Worker], timeout: float | None) -> list[Worker]:
    """Those whose calls have ended; waits for the first, and no longer than the timeout."""
    done = [worker for worker in running if not worker.signals()]
    if done or not running:
        return done
    ready = connection.wait([one for worker in running for one in worker.signals()], timeout)
    return [worker for worker in running if any(one in ready for one in worker.signals())]


@contextmanager
def workers(jobs: int) -> Iterator[list[Worker]]:
    """So many; one alone is this process. Left by an exception, they save what they train."""
    threads = max(1, torch.get_num_threads() // jobs)
    team: list[Worker] = [Here()] if jobs == 1 else [Elsewhere(threads) for _ in range(jobs)]
    try:
        yield team
    except BaseException:
        for worker in team:
            worker.terminate()
        raise
    finally:
        for worker in team:
            worker.end()


def _serve(pipe: connection.Connection, threads: int) -> None:
    """Make the calls that come, until the queue has closed its end."""
    torch.set_num_threads(threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the queue sends SIGTERM, which saves
    threading.Thread(target=_end_with_the_queue, daemon=True).start()
    with suppress(EOFError, OSError):
        while True:
            message = pipe.recv_bytes()
            pipe.send_bytes(_answer(message))


def _answer(message: bytes) -> bytes:
    """The pickled outcome of a pickled call; an error that cannot be pickled goes as its text."""
    try:
        return pickle.dumps(pickle.loads(message)())
    except Exception as error:
        error.add_note(f"In the process of the run:\n{traceback.format_exc()}")
        try:
            answer = pickle.dumps(error)
            pickle.loads(answer)  # may want arguments that pickling did not keep
        except Exception:
            return pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
        return answer


def _end_with_the_queue() -> None:
    """Save and end when the queue was killed: nobody waits for the record, others for the lock."""
    queue = parent_process()
    assert queue is not None
    queue.join()
    while True:  # the first may only end the run
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)
