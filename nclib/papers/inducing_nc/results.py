"""Results beyond the paper; the chapter that is named proves each and credits its sources."""

from __future__ import annotations

from nclib.papers._claim import Check, Claim
from nclib.papers.inducing_nc.claims import _checks as theory

_THEORY = "inducing_nc/theory"

RESULTS = (
    Claim(
        "book/counts",
        "The collapsed classifier does not know the counts",
        "Under NC1 with affinely independent class means the least-squares classifier is the "
        "pseudo-inverse of the centred means, whatever the counts.",
        (Check("$W_{LS}$ and $b_{LS}$ do not change with the counts", theory.prop_1_skew_instead),),
        chapter=_THEORY,
        label="thm-in-counts",
    ),
    Claim(
        "book/divergence",
        "Collapse attains the maximum",
        "Under label shift the Jensen-Shannon divergence of the features is at most that of the "
        "labels (data processing); collapse attains it, merged or not, where merged classes share "
        "their ratio.",
        (
            Check("Gaussian mixtures: at most", theory.eq_12_instead),
            Check("attained as the classes collapse", theory.eq_12_collapse),
            Check("and with two classes merged", theory.eq_12_merged),
            Check("but not where the two differ in their ratio", theory.eq_12_unlike),
        ),
        chapter=_THEORY,
        label="thm-in-js",
    ),
    Claim(
        "book/nearest-angles",
        "The optimum of $L_B$",
        r"$P \ge K - 1$: the average angle to the nearest other class mean is at most "
        r"$\arccos(-1/(K - 1))$, and only simplex ETF directions reach it.",
        (
            Check("no configuration is above it", theory.lb_bound),
            Check("at the optimum all angles are it", theory.lb_optimum),
        ),
        chapter=_THEORY,
        label="thm-in-lb",
    ),
    Claim(
        "book/equal-norms",
        "Optimal angles force equal norms",
        "Centred vectors with the directions of a simplex ETF have one common norm.",
        (Check(r"at the optimum of $L_B$, $P \ge K - 1$", theory.lb_equal_norms),),
        chapter=_THEORY,
        label="thm-in-norms",
    ),
    Claim(
        "book/self-dual",
        "When the classifier is self-dual",
        "Under NC1 with affinely independent class means, NC3 holds if and only if NC2 does, "
        "whatever the counts.",
        (
            Check("a simplex ETF, counts 500 to 2: NC3", theory.prop_4_instead),
            Check("other means: no NC3", theory.prop_4_converse),
        ),
        chapter=_THEORY,
        label="thm-in-nc3",
    ),
)
