"""Processes that ``torchrun`` started together train one run; the first of them writes."""

import os


def started() -> bool:
    """Whether ``torchrun`` started this process, alone or with others."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def leads() -> bool:
    """Whether this process is the one that writes and prints."""
    return not started() or os.environ["RANK"] == "0"
