"""Where a result came from: versions, device and commit, but nothing that names a machine."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

import nclib


def provenance(device: torch.device) -> dict[str, Any]:
    """Versions of Python, torch and nclib, the device, the commit, and the date in UTC.

    ``commit`` is None outside a git checkout; ``dirty`` says whether the package's own files
    differed from that commit.
    """
    return {
        "nclib": nclib.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": describe(device),
        **commit(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def describe(device: torch.device) -> str:
    """The kind of device, such as ``2-core CPU`` or ``NVIDIA H200``."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{os.cpu_count()}-core CPU" if device.type == "cpu" else device.type


def commit() -> dict[str, Any]:
    """The checkout's commit, and whether the package's files differ from it."""
    package = Path(nclib.__file__).resolve().parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(package), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return {
            "commit": git("rev-parse", "HEAD"),
            "dirty": bool(git("status", "--porcelain", "--", ".")),
        }
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "dirty": None}
