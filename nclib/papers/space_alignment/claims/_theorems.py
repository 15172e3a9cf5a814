"""The theorems by their names; what they state is not published to us but for the first words."""

from __future__ import annotations

from nclib.papers._claim import Check, Claim
from nclib.papers.space_alignment.claims import _checks as checks

_THEORY = "space_alignment/theory"

THEOREMS = (
    Claim(
        "space-alignment/thm-1",
        "Theorem 1, Large-Deviations Error Exponent",
        '"If modeling classification with a bit of noise, the error exponent is defined as" '
        r"(formula not published to us; read as $-\lim_{\sigma\to0}\sigma^2\log P_e(\sigma)$), "
        r'"where $\sigma$ represents the noise level."',
        (
            Check(
                r"the limit exists and is $\min_{k\ne j}\frac12d_{kj}^2$: exact errors in the "
                "plane, within the explicit bounds",
                checks.exponent_of_exact_errors,
            ),
        ),
        chapter=_THEORY,
        label="thm-sa-exponent",
    ),
    Claim(
        "space-alignment/thm-2",
        "Theorem 2, Optimal Error Exponent",
        "Statement not published to us. Read as: over means in the unit ball and all classifiers, "
        r"the largest exponent is $K/(4(K-1))$.",
        (
            Check("the simplex ETF attains it", checks.simplex_attains),
            Check("a search reaches it, and no more", checks.searches_reach_no_more),
        ),
        (Check("ten means on a circle fall short of it", checks.circle_of_ten),),
        _THEORY,
        "thm-sa-optimal",
    ),
    Claim(
        "space-alignment/thm-3",
        "Theorem 3, Standard Simplex ETF Distance Properties",
        r"Statement not published to us. Read as: all means are $\sqrt{2K/(K-1)}$ from each other, "
        r"and $\sqrt{K/(2(K-1))}$ from the nearest boundary.",
        (Check("simplex ETFs in random positions", checks.simplex_distances),),
        chapter=_THEORY,
        label="thm-sa-distances",
    ),
    Claim(
        "space-alignment/thm-4",
        "Theorem 4, Error Exponent under simplex misalignment setting",
        r"Statement not published to us. Read as: means and classifier are simplex ETFs at a mean "
        r"cosine $\cos\varphi$; then $\beta\le[\cos\varphi]_+^2K/(4(K-1))$.",
        (Check("random simplex classifiers, any bias", checks.mean_cosine_bounds),),
        (
            Check(
                r"a rotation within the span, $K=3$: $\frac12[\cos(\varphi+30°)]_+^2$",
                checks.rotations_in_the_plane,
            ),
            Check("it leaves less than a tilt by the same angle", checks.rotations_cost_more),
        ),
        _THEORY,
        "thm-sa-misaligned",
    ),
    Claim(
        "space-alignment/thm-5",
        "Theorem 5, Optimal Error Exponent Under Simplex Misalignment Setting",
        "Statement not published to us. Read as: "
        r"$[\cos\varphi]_+^2K/(4(K-1))$ is the largest exponent at the angle $\varphi$.",
        (
            Check("a tilt out of the span attains it", checks.tilts_have_the_formula),
            Check("no simplex classifier exceeds it", checks.mean_cosine_bounds),
        ),
        (
            Check(
                r"with less than $2(K-1)$ dimensions it is not reached: $K=P=3$, $\varphi=20°$",
                checks.too_little_room,
            ),
        ),
        _THEORY,
        "thm-sa-misaligned",
    ),
)
