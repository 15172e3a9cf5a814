"""Where a record came from: versions of Python, torch and nclib, the device, and the commit."""

from __future__ import annotations

import platform
from typing import Any

import torch

import nclib
from nclib._provenance import commit, describe, now


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
        "date": now(),
    }
