"""Processes that ``torchrun`` started together: they train one run, and the first one tells."""

import os


def started() -> bool:
    """Whether this process is one of several, or at least started as such."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def leads() -> bool:
    """Whether this process is the one that writes and prints."""
    return not started() or os.environ["RANK"] == "0"
