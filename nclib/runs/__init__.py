"""Runs: a validated configuration, the record of what it gave, and the ledger of records."""

from nclib.runs import ledger
from nclib.runs._config import RunConfig, read_grid
from nclib.runs._get import get
from nclib.runs._record import RecordError, RunRecord

__all__ = ["RecordError", "RunConfig", "RunRecord", "get", "ledger", "read_grid"]
