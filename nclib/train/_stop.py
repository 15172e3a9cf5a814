"""Stopping before the end: on SIGTERM, or when time is up."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

from nclib.train import _processes


class StoppedError(RuntimeError):
    """Training stopped before its end, and its state is saved; the same call goes on from there."""


class Stop:
    """Whether training is to stop after the step that it is in.

    While it is entered, SIGTERM asks for that instead of ending the process; a signal handler is
    possible in the main thread alone, so elsewhere only the time counts.

    Args:
        until: in seconds since the epoch, as ``time.time()``; None: no limit.
        listen: whether to mind SIGTERM.
    """

    def __init__(self, until: float | None, *, listen: bool) -> None:
        self._until = until
        self._listen = listen and threading.current_thread() is threading.main_thread()
        self._asked = False
        self._before: Any = None

    def __enter__(self) -> Stop:
        if self._listen:
            self._before = signal.signal(signal.SIGTERM, self._ask)
        return self

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._listen:
            signal.signal(signal.SIGTERM, self._before)
            if self._asked and not isinstance(error, StoppedError):
                signal.raise_signal(signal.SIGTERM)  # for whoever minded it before

    def __call__(self) -> bool:
        """Whether any process has been asked to stop, or its time is up."""
        late = self._until is not None and time.time() >= self._until
        return _processes.any_of(self._asked or late)
