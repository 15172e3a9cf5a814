"""Runs: a validated configuration, the record of what it gave, and the ledger of records."""

from nclib.runs import ledger
from nclib.runs._config import RunConfig
from nclib.runs._described import described
from nclib.runs._files import read_config, read_configs
from nclib.runs._record import RecordError, RunRecord, Trajectory

__all__ = [
    "RecordError",
    "RunConfig",
    "RunRecord",
    "Trajectory",
    "described",
    "ledger",
    "read_config",
    "read_configs",
]
