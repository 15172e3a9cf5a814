"""Measuring neural collapse: NC1 to NC4 and their variants, from a matrix or batch by batch."""

from nclib.metrics._measure import measure
from nclib.metrics._metric import CollapseMetric
from nclib.metrics._report import Centring, CollapseReport

__all__ = ["Centring", "CollapseMetric", "CollapseReport", "measure"]
