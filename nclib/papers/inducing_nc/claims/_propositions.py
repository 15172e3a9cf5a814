"""The propositions of "Inducing neural collapse", each with its checks."""

from __future__ import annotations

from nclib.papers._claim import Check, Claim
from nclib.papers.inducing_nc.claims import _checks as theory

_THEORY = "inducing_nc/theory"

PROPOSITIONS = (
    Claim(
        "inducing-nc/prop-1",
        "Proposition 1",
        r"For fixed features the weight and bias that minimise the squared error are "
        r"$W_{LS} = \Sigma_T^\dagger \bar M \Lambda$ and $b_{LS}$ (eqs. 8, 9).",
        (Check("they minimise the squared error", theory.prop_1_formula),),
        (Check("among all minimisers $W_{LS}$ has the least norm", theory.prop_1_unique),),
        _THEORY,
        "prop-in-1-paper",
    ),
    Claim(
        "inducing-nc/prop-1-text",
        "Section 2.2.1, text",
        r"The optimal weight is strongly affected by $\Lambda$: the classifier weights of the "
        "majority classes will have larger norms.",
        (Check("collapsed features, counts 500 to 2: larger", theory.prop_1_skew),),
        (
            Check(
                "under NC1 with affinely independent means $W_{LS}$ does not depend on the counts",
                theory.prop_1_skew_instead,
            ),
            Check(
                "with isotropic noise about a simplex ETF it does: the more frequent, the longer",
                theory.prop_1_skew_noise,
            ),
            Check("its rows then have a closed form", theory.prop_1_noise_formula),
            Check("about other means the largest class may be shortest", theory.prop_1_skew_close),
        ),
        _THEORY,
        "thm-in-counts",
    ),
    Claim(
        "inducing-nc/prop-2",
        "Proposition 2",
        "The class-distance normalised variance of the target is bounded by that of the source, "
        "up to terms in $n_k$ that vanish as it grows.",
        (Check(r"the bound (10) holds with probability $1 - \delta$", theory.prop_2_printed),),
        (
            Check(
                r"it does with $\min(n_k, n_{k'})$, $(1 + A)^2$ and explicit constants, for "
                "bounded features and one map",
                theory.prop_2_instead,
            ),
            Check("it fails with terms a tenth as large", theory.prop_2_constants),
        ),
        _THEORY,
        "prop-in-2-paper",
    ),
    Claim(
        "inducing-nc/eq-12",
        "Equation (12)",
        "$d_{JS}$ of the features is bounded below by $d_{JS}$ of the labels, and neural collapse "
        "attains the bound.",
        (Check("the features' divergence is not less", theory.eq_12_printed),),
        (
            Check("under label shift it is not more: data processing", theory.eq_12_instead),
            Check("collapse attains the maximum", theory.eq_12_collapse),
            Check("so do merged classes with one ratio of priors", theory.eq_12_merged),
        ),
        _THEORY,
        "prop-in-12-paper",
    ),
    Claim(
        "inducing-nc/prop-3",
        "Proposition 3",
        "The least largest cosine between $n$ vectors is $-1/(n - 1)$.",
        (
            Check("in at least $n - 1$ dimensions", theory.prop_3_instead),
            Check("in fewer", theory.prop_3_printed),
        ),
        chapter=_THEORY,
        label="prop-in-3-paper",
    ),
    Claim(
        "inducing-nc/eq-17",
        "Section 3.2, text and equation (17)",
        "$L_B$ leads all pairs of the $K$ class means to the cosine $-1/(K - 1)$.",
        (
            Check(r"its optimum, $P \ge K - 1$", theory.lb_optimum),
            Check("its optimum for $K = 100$, $P = 64$ and others", theory.lb_narrow),
        ),
        chapter=_THEORY,
        label="thm-in-lb",
    ),
    Claim(
        "inducing-nc/prop-4",
        "Proposition 4",
        "Proposition 1, NC1, NC2 and class-balanced sampling lead to NC3.",
        (Check("the classifier is parallel to the centred means", theory.prop_4_printed),),
        (
            Check("it is without class-balanced sampling too", theory.prop_4_instead),
            Check("and for no other means that are affinely independent", theory.prop_4_converse),
        ),
        _THEORY,
        "prop-in-4-paper",
    ),
    Claim(
        "inducing-nc/prop-4-proof",
        "Proof of Proposition 4",
        r"$W_r = (n/K)(\hat M^\top)^\dagger$.",
        (Check("the factor is $n/K$", theory.prop_4_factor),),
        chapter=_THEORY,
        label="thm-in-nc3",
    ),
    Claim(
        "inducing-nc/eq-6",
        "Equation (6), NC4",
        r"At neural collapse the classifier decides as the nearest class mean, "
        r"$\arg\max_k \langle w_k, h\rangle$.",
        (Check("without a bias", theory.nc4_printed),),
        (Check("with $b_{LS}$", theory.nc4_instead),),
        _THEORY,
        "prop-in-nc4",
    ),
)
