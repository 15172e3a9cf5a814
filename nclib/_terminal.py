"""Whether somebody watches."""

from __future__ import annotations

import os
import sys


def watched() -> bool:
    """Whether to show progress on stderr: on a terminal, unless NCLIB_QUIET or CI is set."""
    quiet = os.environ.get("NCLIB_QUIET") or os.environ.get("CI")
    return not quiet and sys.stderr.isatty()
