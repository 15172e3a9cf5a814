"""Results on error exponents and alignment; the chapter proves each and credits its sources."""

from __future__ import annotations

from nclib.papers._claim import Check, Claim
from nclib.papers.space_alignment.claims import _checks as checks
from nclib.papers.space_alignment.claims import _strategies as strategies

_THEORY = "space_alignment/theory"
_STRATEGIES = "space_alignment/strategies"

RESULTS = (
    Claim(
        "book/error-exponent",
        "The error exponent of any linear classifier",
        r"$\frac1K\max Q(\delta_{kj}/\sigma)\le P_e\le\frac1K\sum_{k\ne j}Q(\delta_{kj}/\sigma)$ "
        r"with signed distances, hence $\beta=\min_{k\ne j}\frac12[\delta_{kj}]_+^2$.",
        (
            Check("exact errors in the plane lie between the bounds", checks.two_sided_bound),
            Check("the exponent, with explicit rates", checks.exponent_of_exact_errors),
            Check("sampled errors agree with exact ones", checks.sampled_errors),
            Check("truncated distances give no upper bound", checks.truncated_bound_fails),
        ),
        chapter=_THEORY,
        label="thm-sa-exponent",
    ),
    Claim(
        "book/optimal-exponent",
        "The optimal exponent, and its dimension",
        r"$K/(4(K-1))$ for $P\ge K-1$, and $1/4$ for $P+2\le K\le2P$.",
        (
            Check("searches reach both, and no more", checks.searches_reach_no_more),
            Check("ten means on a circle", checks.circle_of_ten),
        ),
        chapter=_THEORY,
        label="thm-sa-optimal",
    ),
    Claim(
        "book/nearest-mean",
        "Given means, the nearest-mean classifier is optimal",
        r"$\beta\le\frac18\min_{k\ne j}\|\mu_k-\mu_j\|^2$ for every classifier, attained by the "
        "nearest mean and by others.",
        (
            Check("random means and rivals", checks.nearest_mean_is_optimal),
            Check("another optimum, better for one class", checks.nearest_mean_is_not_unique),
        ),
        chapter=_THEORY,
        label="thm-sa-nearest",
    ),
    Claim(
        "book/unequal-noise",
        "Given means and sizes of the noise, a power diagram is optimal",
        r"With noise of size $\sigma_k$ in class $k$, $\beta\le\frac12\tau^2$ with "
        r"$\tau=\min\|\mu_k-\mu_j\|/(\sigma_k+\sigma_j)$, attained by $w_k=\mu_k$, "
        r"$b_k=-\frac12(\|\mu_k\|^2-\tau^2\sigma_k^2)$.",
        (Check("random means, sizes and rivals", checks.power_diagram_is_optimal),),
        chapter=_THEORY,
        label="prop-sa-sizes",
    ),
    Claim(
        "book/simplex-misaligned",
        "A misaligned simplex: equality, room, biases",
        r"Equality in $\beta\le[\cos\varphi]_+^2K/(4(K-1))$ for $0<\varphi<90°$ iff the classifier "
        r"is a tilt out of the span, which needs $P\ge2(K-1)$; with unequal biases the mean cosine "
        "bounds, and the least does not.",
        (
            Check("tilts attain it", checks.tilts_have_the_formula),
            Check("any simplex, any bias: the mean cosine", checks.mean_cosine_bounds),
            Check("$K=P=3$: rotations are all there is", checks.too_little_room),
            Check("unequal biases: the least cosine is no bound", checks.least_cosine_is_no_bound),
        ),
        chapter=_THEORY,
        label="thm-sa-misaligned",
    ),
    Claim(
        "book/rotation",
        "Rotations within the span",
        r"Turned by $\varphi$ in every plane of its span, equal biases: a simplex keeps at most "
        r"the share $[\cos\varphi-\sin\varphi/\sqrt K]_+^2$; tournaments of Paley attain it.",
        (Check("both, $K=3$ to 19", checks.best_rotations),),
        chapter=_THEORY,
        label="thm-sa-rotation",
    ),
    Claim(
        "book/common-shift",
        "Alignment is measured on centred vectors",
        "A vector added to every row changes no decision, and lowers raw cosines.",
        (
            Check("exponents stay", checks.shifts_change_no_exponent),
            Check("raw cosines fall", checks.shifts_change_the_raw_cosine),
        ),
        chapter=_THEORY,
        label="thm-sa-shift",
    ),
    Claim(
        "book/squared-error-exponent",
        "The exponent of the imbalanced optimum, squared error",
        "One-hot labels, no bias: the exponents in closed form; a class's is zero from "
        r"$\sqrt{n_k}=\theta$ on, though every row is along its mean.",
        (
            Check("certified optima", checks.squared_error_formula),
            Check("raw cosines are 1", checks.raw_alignment_is_perfect),
        ),
        chapter=_THEORY,
        label="thm-sa-squared",
    ),
    Claim(
        "book/vanishing-exponent",
        "The exponent as the regularisation vanishes",
        r"Cross-entropy, no bias: $d_{kj}=d_{jk}\propto1/\|w_k-w_j\|$ with "
        r"$WW^\top\propto(CDC)^{1/2}$.",
        (
            Check("its sign condition, any class sizes", checks.sign_condition),
            Check("the closed form", checks.limit_is_half_way),
            Check("certified optima come nearer to it", checks.optima_approach_the_limit),
        ),
        chapter=_THEORY,
        label="thm-sa-limit",
    ),
    Claim(
        "book/exponent-steps",
        "What the imbalanced optimum loses",
        r"Cross-entropy, $K=10$, ratio 100, $\lambda=.03$, no bias: directions, norms and bias of "
        "the classifier each give back a part; what the means lose is more.",
        (
            Check("each step gains", checks.steps_of_repair),
            Check("the means lose more than directions give back", checks.directions_are_a_part),
        ),
        chapter=_THEORY,
    ),
    Claim(
        "book/slerp-angle",
        "What spherical interpolation leaves of an angle",
        r"The angle $(1-t)\Omega_k$ and the norm of the row; a simplex tilted by $\varphi$ has the "
        r"exponent $\cos^2((1-t)\varphi)\,K/(4(K-1))$ afterwards.",
        (
            Check("angles and norms of random rows", strategies.slerp_leaves_a_share),
            Check("exponents of tilts", strategies.slerp_of_a_tilt),
        ),
        chapter=_STRATEGIES,
        label="thm-sa-slerp",
    ),
    Claim(
        "book/kept-norms",
        "Kept norms, and the cosine that is recorded",
        r"$K\ge3$ rows turned onto means that span $K-1$ dimensions have centred cosines 1 iff "
        "their lengths are proportional to those of the centred means.",
        (
            Check("proportional lengths: 1", strategies.kept_norms_decide),
            Check("other lengths: less", strategies.other_norms_do_not_align),
        ),
        chapter=_STRATEGIES,
        label="thm-sa-kept",
    ),
    Claim(
        "book/projection",
        "A projection is an interpolation with another norm",
        r"At an acute angle the projection is spherical interpolation at $t=1$ with the norm "
        r"$\|w_k\|\cos\Omega_k$; repeated, centred projections end at a multiple of the centred "
        "means.",
        (
            Check("random rows", strategies.projection_is_interpolation),
            Check("repeated at certified optima", strategies.repeated_projections),
        ),
        chapter=_STRATEGIES,
        label="thm-sa-proj",
    ),
    Claim(
        "book/alignment-flow",
        "SpA-Reg on the classifier is spherical interpolation in time",
        r"With fixed means, not centred, each row keeps its length and turns on the great circle: "
        r"$\tan\frac{\Omega_k}2$ decays at the rate $\lambda/(K\|w_k\|^2)$.",
        (
            Check("angles of integrated flows", strategies.flow_has_the_formula),
            Check("rows of integrated flows", strategies.flow_is_interpolation),
        ),
        chapter=_STRATEGIES,
        label="thm-sa-flow",
    ),
    Claim(
        "book/centred-minimum",
        "The centred term asks for the norms too",
        r"$K\ge3$ and centred means that span $K-1$ dimensions: the centred term is zero iff all "
        "centred rows are one positive multiple of the centred means; the raw term leaves norms "
        "free.",
        (
            Check("searches for the minimum, centred", strategies.centred_minimum_is_self_dual),
            Check("and raw", strategies.raw_minimum_is_not),
        ),
        chapter=_STRATEGIES,
        label="thm-sa-minimum",
    ),
    Claim(
        "book/unit-rows",
        "When alignment is all that is missing",
        "If all centred means have one length, unit rows along them with a recentred bias decide "
        "as the nearest mean does, and are optimal for these means.",
        (Check("random means of one length", strategies.unit_rows_of_equal_means),),
        chapter=_STRATEGIES,
        label="thm-sa-unit",
    ),
    Claim(
        "book/strategies-at-the-optimum",
        "The strategies at the imbalanced optimum",
        r"Cross-entropy, $K=10$, ratio 100, $\lambda=.03$, no bias: each strategy raises the least "
        "exponent; norms give more than directions, and the means' own loss stays.",
        (
            Check("each raises it", strategies.strategies_raise_the_least),
            Check(
                "unit norms give more than directions", strategies.norms_give_more_than_directions
            ),
            Check("a free bias costs the tail more", strategies.directions_do_not_repair_a_bias),
            Check("more than half is lost by the means", strategies.less_than_a_simplex),
        ),
        chapter=_STRATEGIES,
    ),
)
