"""Every sentence of the abstract that asserts something."""

from __future__ import annotations

from functools import partial

from nclib.papers._claim import Check, Claim, Evidence
from nclib.papers.space_alignment import grid
from nclib.papers.space_alignment.claims import _checks as checks
from nclib.papers.space_alignment.claims import _networks as networks

_THEORY = "space_alignment/theory"
_EXPERIMENTS = "space_alignment/experiments"


def _no_record() -> Evidence | None:
    """No number of the paper's tables is public to compare with."""
    return None


ABSTRACT = (
    Claim(
        "space-alignment/balanced",
        "Abstract, sentence 1",
        "Under class-balanced conditions, the class feature means and classifier weights "
        "spontaneously align into a simplex equiangular tight frame.",
        (Check("certified optima: both are, and aligned", checks.balanced_is_aligned),),
        chapter=_THEORY,
    ),
    Claim(
        "space-alignment/imbalance",
        "Abstract, sentence 2",
        "In long-tailed regimes, severe sample imbalance tends to prevent the emergence of neural "
        "collapse ...",
        (Check("certified optima: neither is a simplex ETF", checks.imbalanced_is_no_simplex),),
        chapter=_THEORY,
    ),
    Claim(
        "space-alignment/harm",
        "Abstract, sentence 4",
        "The harm of such misalignment is theoretically quantified through an optimal error "
        "exponent analysis.",
        (
            Check(r"simplex ETFs: at most the share $\cos^2\varphi$", checks.mean_cosine_bounds),
            Check("a tilt keeps just that share", checks.tilts_have_the_formula),
        ),
        (
            Check("the same angle within the span costs more", checks.rotations_cost_more),
            Check(
                "a common shift costs nothing, though the raw cosine falls",
                checks.shifts_change_the_raw_cosine,
            ),
        ),
        _THEORY,
        "thm-sa-misaligned",
    ),
    Claim(
        "space-alignment/plug-and-play",
        "Abstract, sentence 5",
        "Three explicit alignment strategies plug and play into existing long-tail methods without "
        "architectural change.",
        tuple(
            Check(
                f"{grid.STRATEGIES[name].title}: each of five base methods has room for it",
                partial(networks.takes, name),
            )
            for name in grid.THREE
        ),
        chapter=_EXPERIMENTS,
    ),
    Claim(
        "space-alignment/state-of-the-art",
        "Abstract, sentence 6",
        "... and achieve the state-of-the-art performances.",
        (Check("the paper's tables, not published to us", _no_record),),
        chapter=_EXPERIMENTS,
        profile="paper",
    ),
    *networks.network_claims("laptop"),
    *networks.network_claims("paper"),
)
