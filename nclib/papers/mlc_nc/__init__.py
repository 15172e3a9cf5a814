"""MLC-NC (long-tailed images of several labels): its claims and tables, and models to solve."""

from nclib.papers._paper import Paper
from nclib.papers.mlc_nc.claims import CLAIMS

__all__ = ["PAPER"]

PAPER = Paper(
    "mlc-nc",
    "MLC-NC: long-tailed multi-label image classification through the lens of neural collapse",
    "{cite:t}`tao2025mlcnc`. {doc}`/notebooks/mlc_nc/theory` decides what theory and arithmetic "
    "can decide.",
    CLAIMS,
)
