"""Measuring neural collapse: NC1 to NC4 and their variants, from a matrix or batch by batch.

Where samples have several labels, :func:`support_report` and :func:`synthesis_fits` judge the
features of label sets.
"""

from typing import TYPE_CHECKING, Any

from nclib.metrics._measure import measure
from nclib.metrics._report import CollapseReport
from nclib.metrics._supports import (
    SupportReport,
    SynthesisFit,
    released_code_metrics,
    support_report,
    synthesis_fits,
)

if TYPE_CHECKING:
    from nclib.metrics._metric import CollapseMetric

__all__ = [
    "CollapseMetric",
    "CollapseReport",
    "SupportReport",
    "SynthesisFit",
    "measure",
    "released_code_metrics",
    "support_report",
    "synthesis_fits",
]


def __getattr__(name: str) -> Any:
    # torchmetrics takes longer to import than all the rest: only who streams waits for it.
    if name == "CollapseMetric":
        from nclib.metrics._metric import CollapseMetric

        return CollapseMetric
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
