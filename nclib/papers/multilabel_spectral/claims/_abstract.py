"""Every sentence of the abstract that asserts something: the paper's public text."""

from __future__ import annotations

from nclib.papers._claim import Check, Claim, Evidence
from nclib.papers.multilabel_spectral.claims import _checks as checks

_THEORY = "multilabel_spectral/theory"
_EXPERIMENTS = "multilabel_spectral/experiments"


def _no_record() -> Evidence | None:
    """The abstract's experiments have no settings that could be repeated."""
    return None


ABSTRACT = (
    Claim(
        "multilabel-spectral/assumptions",
        "Abstract, sentence 2",
        "The tag-wise averaging structure relies on implicit assumptions of label balance and "
        "combinatorial symmetry.",
        (
            Check("complete designs and the Fano plane: exact", checks.balanced_is_tag_wise),
            Check("a long tail of singletons: not exact", checks.imbalanced_is_not),
        ),
        chapter=_THEORY,
        label="thm-ms-balanced",
    ),
    Claim(
        "multilabel-spectral/distortions",
        "Abstract, sentence 3",
        "It fails to account for the geometrical distortions caused by label correlations and "
        "data imbalance.",
        (
            Check("a long tail: the classifier is no simplex ETF", checks.imbalance_bends),
            Check("pairs that occur together: no simplex ETF", checks.correlation_bends),
        ),
        chapter=_THEORY,
        label="thm-ms-isotropy",
    ),
    Claim(
        "multilabel-spectral/synthesis",
        "Abstract, sentence 4",
        "Under multiplicity-one imbalance, prototypes of higher multiplicity obey a "
        "class-frequency-weighted synthesis rule rather than uniform averaging (read literally, as "
        "a weighted sum).",
        (
            Check(
                r"$h_S\propto\sum_{k\in S}n_kh_k$, with the counts of the singletons",
                checks.weighted_by_counts,
            ),
            Check(
                r"$h_S\propto\sum_{k\in S}\pi_kh_k$, with the class frequencies",
                checks.weighted_by_frequencies,
            ),
        ),
        (
            Check("no bias: the uniform sum, almost", checks.uniform_without_bias),
            Check(
                r"free bias: $\sum_{k\in S}h_k-\frac{m-1}{\bar m-1}\sum_k\pi_kh_k$ misses by a "
                "fraction of what the uniform sum misses by",
                checks.centred_with_bias,
            ),
        ),
        _THEORY,
        "thm-ms-limit",
    ),
    Claim(
        "multilabel-spectral/kappa",
        "Abstract, sentence 6",
        r"The label covariance spectrum $\kappa_m$, derived from the second-order moment matrix, "
        "controls the distribution-dependent lower-bound geometry.",
        (
            Check(
                r"read as a bound on the logits: $E\|W^\top\tilde y\|^2\ge\kappa^{\min}\|W\|^2$",
                checks.kappa_min_bounds_the_logits,
            ),
            Check(
                r"read as a bound on the objective: the tangent bound with $\kappa^{\min}$",
                checks.kappa_min_in_the_bound,
            ),
        ),
        (Check(r"the tangent bound with $\kappa^{\max}$", checks.kappa_max_in_the_bound),),
        _THEORY,
        "thm-ms-lower",
    ),
    Claim(
        "multilabel-spectral/stability",
        "Abstract, sentence 7",
        "The centred label covariance spectrum controls the stability of the terminal geometry "
        "by quantifying the weakest centred inter-class contrast directions.",
        (
            Check(
                r"$\kappa^{\min}$ is the least second moment of a contrast",
                checks.weakest_contrast,
            ),
            Check(
                r"maps that fit the prototypes differ by at most $(\varepsilon+\varepsilon')/"
                r"\sqrt{\kappa^{\min}}$",
                checks.stability_bound,
            ),
            Check(
                r"labels drawn again: $WW^\top$ varies more where $\hat\kappa$ is smaller",
                checks.whole_gram_is_controlled,
            ),
        ),
        (
            Check(
                "its entry along the weakest contrast does",
                checks.weakest_contrast_is_controlled,
            ),
        ),
        _THEORY,
        "thm-ms-stability",
    ),
    Claim(
        "multilabel-spectral/only-if",
        "Abstract, sentence 8",
        "Tag-wise averaging emerges only as a special case under perfect orthogonality (read as "
        r"isotropy, $\tilde M_m=\kappa_m C$).",
        (
            Check("isotropic tables: exact", checks.balanced_is_tag_wise),
            Check("tables that are not isotropic: not exact", checks.anisotropic_is_not_tag_wise),
        ),
        (
            Check(
                r"exact for two disjoint pairs of four classes, $\hat\kappa_2=0$, no bias and a "
                "free one",
                checks.couples_are_tag_wise,
            ),
            Check(
                "no bias: exact for four classes with equal singletons and pairs of any counts",
                checks.pairs_of_four_are_tag_wise,
            ),
        ),
        _THEORY,
        "thm-ms-symmetry",
    ),
    Claim(
        "multilabel-spectral/experiments",
        "Abstract, sentence 9",
        "Numerical experiments on synthetic distributions validate the theoretical bounds.",
        (Check("the paper's own bounds and distributions", _no_record),),
        (
            Check(
                r"this book's $L\le f^*\le f_{\rm bal}$, and the bound with a free bias, at Zipf "
                "and Dirichlet tables",
                checks.bounds_of_synthetic_tables,
            ),
        ),
        chapter=_EXPERIMENTS,
        profile="paper",
    ),
    Claim(
        "multilabel-spectral/scaled-average",
        "Abstract, sentence 10",
        "The scaled-average aspect of the conjecture of Li et al. is resolved: under "
        "multiplicity-one imbalance the prototypes are no scaled tag-wise averages.",
        (
            Check("a free bias: the cosines miss 1 by 0.002 or more", checks.not_uniform_with_bias),
            Check("no bias: the cosines miss 1 by 0.002 or more", checks.not_uniform_without_bias),
        ),
        (Check("no bias: they miss 1 by less", checks.uniform_without_bias),),
        _THEORY,
        "thm-ms-limit",
    ),
)
