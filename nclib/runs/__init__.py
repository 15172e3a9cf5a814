"""Runs: a validated configuration, the record of what it gave, and the ledger of records."""

from nclib.runs import ledger
from nclib.runs._config import RunConfig
from nclib.runs._get import get, get_all
from nclib.runs._grid import read_grid
from nclib.runs._record import RecordError, RunRecord, Trajectory

__all__ = [
    "RecordError",
    "RunConfig",
    "RunRecord",
    "Trajectory",
    "get",
    "get_all",
    "ledger",
    "read_grid",
]
