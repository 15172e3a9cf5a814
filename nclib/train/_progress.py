"""One line of progress on a terminal, and silence elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from nclib.runs._config import RunConfig


class Progress:
    """Rewrites one line of stderr after every epoch.

    Args:
        enabled: None: when stderr is a terminal, which it is not in a notebook or in CI.
        config: of the run that is shown.
        last: its last epoch.
    """

    def __init__(self, enabled: bool | None, config: RunConfig, last: int) -> None:
        self._enabled = sys.stderr.isatty() if enabled is None else enabled
        self._config, self._last = config, last
        self._shown = False

    def update(self, epoch: Mapping[str, Any], images_per_second: float) -> None:
        """Show an epoch's numbers."""
        if not self._enabled:
            return
        line = (
            f"{self._config.id}  epoch {epoch['epoch']}/{self._last}  "
            f"loss {epoch['loss']:.4f}  accuracy {epoch['train_accuracy']:.1%}  "
            f"{images_per_second:,.0f} images/s"
        )
        sys.stderr.write(f"\r{line:<78}")
        sys.stderr.flush()
        self._shown = True

    def close(self) -> None:
        """End the line."""
        if self._shown:
            sys.stderr.write("\n")
