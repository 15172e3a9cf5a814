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


def provenance(device: torch.device, *sources: Path) -> dict[str, Any]:
    """Versions of Python, torch and nclib, the device, the commit, and the date in UTC.

    ``commit`` is None outside a git checkout; ``dirty`` says whether the package's own files, or
    the further ``sources`` of the result, differed from that commit.
    """
    return {
        "nclib": nclib.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": describe(device),
        **commit(*sources),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def describe(device: torch.device) -> str:
    """The kind of device, such as ``2-core CPU`` or ``NVIDIA H200``."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{os.cpu_count()}-core CPU" if device.type == "cpu" else device.type


def commit(*sources: Path) -> dict[str, Any]:
    """The checkout's commit, and whether the package's files, or further ones, differ from it."""
    package = Path(nclib.__file__).resolve().parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(package), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        top = Path(git("rev-parse", "--show-toplevel"))
        inside = [str(path) for path in sources if path.resolve().is_relative_to(top)]
        changed = bool(git("status", "--porcelain", "--", ".", *inside))
        # What lies elsewhere is in no commit of this checkout.
        return {
            "commit": git("rev-parse", "HEAD"),
            "dirty": changed or len(inside) < len(sources),
        }
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "dirty": None}
