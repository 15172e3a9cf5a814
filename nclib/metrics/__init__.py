"""Measuring neural collapse: NC1 to NC4 and their variants, from a matrix or batch by batch."""

from typing import TYPE_CHECKING, Any

from nclib.metrics._measure import measure
from nclib.metrics._report import CollapseReport

if TYPE_CHECKING:
    from nclib.metrics._metric import CollapseMetric

__all__ = ["CollapseMetric", "CollapseReport", "measure"]


def __getattr__(name: str) -> Any:
    # torchmetrics takes longer to import than all the rest: only who streams waits for it.
    if name == "CollapseMetric":
        from nclib.metrics._metric import CollapseMetric

        return CollapseMetric
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
