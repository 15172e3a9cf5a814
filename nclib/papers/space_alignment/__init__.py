"""Space alignment matters (long-tailed classes): its claims, classifiers and networks."""

from nclib.papers._paper import Paper
from nclib.papers.space_alignment import grid
from nclib.papers.space_alignment.claims import CLAIMS

__all__ = ["PAPER"]

PAPER = Paper(
    "space-alignment",
    "Space alignment matters: the missing piece for inducing neural collapse in long-tailed "
    "learning",
    "{cite:t}`wang2026alignment`, of which the abstract, the names of the theorems and the "
    "captions are public: {doc}`/notebooks/space_alignment/theory` states and proves, "
    "{doc}`/notebooks/space_alignment/strategies` takes the three strategies apart, "
    "{doc}`/notebooks/space_alignment/experiments` looks at networks. Where a statement is not "
    "published to us, the claim says how it is read.",
    CLAIMS,
    grid=grid.grid,
    trained=("space_alignment/experiments",),
)
