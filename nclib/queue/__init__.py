"""Configurations executed: the ledger first, then training, one run or many at once."""

from nclib.queue._get import BusyError, get
from nclib.queue._get_all import FailedRunsError, get_all

__all__ = ["BusyError", "FailedRunsError", "get", "get_all"]
