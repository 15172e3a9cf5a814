"""Where a result came from, without torch: device, commit and date; nothing names a machine."""

from __future__ import annotations

import datetime
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nclib

if TYPE_CHECKING:
    import torch


def now() -> str:
    """The date and time in UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def describe_processor() -> str:
    """Such as ``2-core CPU``."""
    return f"{os.cpu_count()}-core CPU"


def describe(device: torch.device) -> str:
    """The kind of device, such as ``2-core CPU`` or ``NVIDIA H200``."""
    if device.type == "cuda":
        import torch

        return torch.cuda.get_device_name(device)
    return describe_processor() if device.type == "cpu" else device.type


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
