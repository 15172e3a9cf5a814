"""What stands for training in the tests of the queue; imported anew by its processes."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from nclib.queue import _get_all, get_all
from nclib.runs import RunConfig, RunRecord

SECONDS_TO_WAIT = 600
KILLED, STUBBORN = 13, 14  # seeds


def runs(*seeds: int) -> list[RunConfig]:
    """Configurations that differ in their seed."""
    fields = {"paper": "x", "profile": "smoke", "dataset": "digits", "epochs": 1}
    return [RunConfig.model_validate({**fields, "seed": seed}) for seed in seeds]


class Stubborn(Exception):
    """Cannot be read back from what pickling keeps of it."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what}: {why}")


def call(config: RunConfig, **_: Any) -> RunRecord:
    """One seed takes the process with it, one raises that error, the others give a record."""
    if config.seed == KILLED:
        os.kill(os.getpid(), signal.SIGKILL)
    if config.seed == STUBBORN:
        raise Stubborn("no luck", "as usual")
    return RunRecord(config, [], {"test_accuracy": 1.0}, {"train": [], "test": []}, {}, {})


def endless(config: RunConfig, **_: Any) -> RunRecord:
    """Says that it has begun, and that it was told to end."""
    place = Path(os.environ["QUEUE_TEST"])

    def told(*_: object) -> None:
        (place / "told").touch()
        os._exit(0)

    signal.signal(signal.SIGTERM, told)
    (place / "begun").touch()
    time.sleep(SECONDS_TO_WAIT)
    raise TimeoutError


if __name__ == "__main__":
    from queue_calls import endless as importable

    _get_all.get = importable
    sys.exit(not list(get_all(runs(0), jobs=2)))
