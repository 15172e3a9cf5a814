"""One line of progress on a terminal, and silence elsewhere."""

from __future__ import annotations

import datetime
import math
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from nclib._terminal import watched
from nclib.runs import RunConfig
from nclib.train import _processes


class Progress:
    """Rewrites one line of stderr as training goes on; of several processes, the first one does.

    Args:
        enabled: None: when stderr is a terminal, which it is not in a notebook, and neither
            ``NCLIB_QUIET`` nor ``CI`` is set.
        config: of the run that is shown.
        first: epochs that are done.
        last: its last epoch.
    """

    def __init__(self, enabled: bool | None, config: RunConfig, first: int, last: int) -> None:
        self._enabled = (watched() if enabled is None else enabled) and _processes.rank() == 0
        self._config, self._first, self._last = config, first, last
        self._began = time.monotonic()
        self._shown = False

    def update(
        self,
        epoch: Mapping[str, Any],
        images_per_second: float,
        collapse: Sequence[Mapping[str, Any]],
    ) -> None:
        """Show an epoch's numbers so far, and the last NC1 measured on the training images.

        Args:
            epoch: its number, loss and share of hits; 2.25 is the third after a quarter.
            images_per_second: since the run began.
            collapse: of the training images, as a record has it.
        """
        if not self._enabled:
            return
        spent = time.monotonic() - self._began
        done = epoch["epoch"] - self._first
        rest = spent / done * (self._last - epoch["epoch"])
        left = datetime.timedelta(seconds=round(rest))
        hits = self._config.task.hits
        line = (  # the beginning of the id, and last what a narrow terminal may lack
            f"{self._config.id[:8]}  epoch {math.ceil(epoch['epoch'])}/{self._last}  {left} left  "
            f"loss {epoch['loss']:.4f}  {hits} {epoch[f'train_{hits}']:.1%}  "
            f"NC1 {float(collapse[-1]['report']['nc1']):.3g}  {images_per_second:,.0f} images/s"
        )
        width = shutil.get_terminal_size().columns - 1  # a full line may wrap
        sys.stderr.write(f"\r{line[:width]:<{width}}")
        sys.stderr.flush()
        self._shown = True

    def close(self) -> None:
        """End the line."""
        if self._shown:
            sys.stderr.write("\n")
