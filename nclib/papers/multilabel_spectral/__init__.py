"""How label imbalance shapes geometry (several labels an image): claims, tables, networks."""

from nclib.papers._paper import Paper
from nclib.papers.multilabel_spectral import grid
from nclib.papers.multilabel_spectral.claims import CLAIMS

__all__ = ["PAPER"]

PAPER = Paper(
    "multilabel-spectral",
    "How label imbalance shapes geometry: a spectral analysis of multi-label neural collapse",
    "{cite:t}`ma2026imbalance`, of which the abstract alone is public: "
    "{doc}`/notebooks/multilabel_spectral/theory` states its sentences as claims, and derives and "
    "proves theorems of its own.",
    CLAIMS,
    grid=grid.grid,
    trained=("multilabel_spectral/experiments",),
)
