"""Runs: a validated configuration, the record of what it gave, and the ledger of records."""

from nclib.runs import ledger
from nclib.runs._config import RunConfig
from nclib.runs._described import described
from nclib.runs._files import read_config, read_configs
from nclib.runs._get import get
from nclib.runs._lock import BusyError
from nclib.runs._queue import FailedRunsError, get_all
from nclib.runs._record import RecordError, RunRecord, Trajectory

__all__ = [
    "BusyError",
    "FailedRunsError",
    "RecordError",
    "RunConfig",
    "RunRecord",
    "Trajectory",
    "described",
    "get",
    "get_all",
    "ledger",
    "read_config",
    "read_configs",
]
