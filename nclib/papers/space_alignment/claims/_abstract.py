"""Every sentence of the abstract that asserts something; what needs trained networks is not run."""

from __future__ import annotations

from nclib.papers._claim import Check, Claim, Evidence
from nclib.papers.space_alignment.claims import _checks as checks

_THEORY = "space_alignment/theory"


def _no_record() -> Evidence | None:
    """What networks show, their records will say."""
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
        "space-alignment/generalisation",
        "Abstract, sentence 2",
        "... resulting in poor generalization performance.",
        (Check("networks in a long tail", _no_record),),
        chapter=_THEORY,
        profile="laptop",
    ),
    Claim(
        "space-alignment/misalignment",
        "Abstract, sentence 3",
        "Current efforts overlook a critical problem: there is a pronounced misalignment between "
        "the feature and the classifier weight spaces.",
        (Check("centred cosines of trained networks", _no_record),),
        chapter=_THEORY,
        profile="laptop",
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
        (Check("each strategy with each method", _no_record),),
        chapter=_THEORY,
        profile="laptop",
    ),
    Claim(
        "space-alignment/boost",
        "Abstract, sentence 6",
        "Extensive experiments on CIFAR-10-LT, CIFAR-100-LT and ImageNet-LT consistently boost "
        "examined baselines ...",
        (
            Check("CIFAR-10-LT", _no_record),
            Check("CIFAR-100-LT", _no_record),
            Check("ImageNet-LT", _no_record),
        ),
        chapter=_THEORY,
        profile="paper",
    ),
    Claim(
        "space-alignment/state-of-the-art",
        "Abstract, sentence 6",
        "... and achieve the state-of-the-art performances.",
        (Check("the paper's tables, not published to us", _no_record),),
        chapter=_THEORY,
        profile="paper",
    ),
    Claim(
        "space-alignment/recovery",
        "A public summary, not the paper's own text",
        "Recovery of neural collapse properties in both feature and decision spaces is observed.",
        (Check("NC1 to NC4 of networks with each strategy", _no_record),),
        chapter=_THEORY,
        profile="paper",
    ),
)
