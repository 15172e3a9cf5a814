"""Results on several labels an image; the chapter proves each and credits its sources."""

from __future__ import annotations

from nclib.papers._claim import Check, Claim
from nclib.papers.multilabel_spectral.claims import _checks as checks
from nclib.papers.multilabel_spectral.claims import _networks as networks

_THEORY = "multilabel_spectral/theory"
_SYNTHESIS = "multilabel_spectral/synthesis"

RESULTS = (
    Claim(
        "book/label-spectrum",
        "The spectrum of a label distribution",
        r"$\operatorname{tr}\tilde M_m=m(K-m)/K$ for every distribution of the supports, so that "
        r"$\kappa_m^{\min}\le m(K-m)/(K(K-1))\le\kappa_m^{\max}$; 2-designs are isotropic.",
        (
            Check("the eigenvalues sum to it, random tables", checks.trace_identity),
            Check("the Fano plane, a star of pairs, all pairs", checks.isotropic_designs),
        ),
        chapter=_THEORY,
        label="thm-ms-trace",
    ),
    Claim(
        "book/pal-dual",
        "The exact dual of pick-all-label",
        r"The optimum is the largest weighted entropy of one distribution a support, subject to "
        r"$\|GD^{1/2}\|\le\theta$; the optimal distributions are the softmax vectors.",
        (
            Check("dual value and optimum agree, any bias", checks.dual_value),
            Check("the residuals are feasible", checks.dual_feasible),
        ),
        chapter=_THEORY,
        label="thm-ms-dual",
    ),
    Claim(
        "book/pal-bounds",
        "Two-sided bounds",
        r"$L\le f^*\le f_{\rm bal}$ for every label table; with a free bias, the bound from "
        "frequency-weighted tangents.",
        (
            Check("no bias: both, random tables", checks.both_bounds),
            Check("free bias: its own lower bound", checks.free_bias_bound),
        ),
        chapter=_THEORY,
        label="thm-ms-lower",
    ),
    Claim(
        "book/pal-tight",
        "When the bounds are tight",
        r"No bias, some $\kappa_m^{\min}>0$, an optimum that is not zero: $L=f^*$ if and only if "
        r"$f^*=f_{\rm bal}$, if and only if the weighted moments at the closed form's levels are "
        "isotropic.",
        (
            Check("isotropic tables: both gaps vanish", checks.tight_designs),
            Check("long tails: neither does", checks.tight_only_together),
        ),
        chapter=_THEORY,
        label="thm-ms-tight",
    ),
    Claim(
        "book/pal-balanced",
        "The balanced optimum",
        r"Balanced multiplicities: $WW^\top=s^2C$, residuals $\gamma_m\tilde y_S$ and the value in "
        "closed form.",
        (Check("complete designs, no bias and a free one", checks.balanced_closed_form),),
        chapter=_THEORY,
        label="thm-ms-balanced",
    ),
    Claim(
        "book/pal-residuals",
        "Self-consistent synthesis and residual isotropy",
        r"At every critical point $h_S=\theta^{-2}\sum_Tn_T\langle g_T,g_S\rangle h_T$; where $W$ "
        r"has rank $K-1$, $\sum_Sn_Sg_Sg_S^\top=\theta^2C$.",
        (
            Check("the synthesis, no bias and a free one", checks.self_consistent),
            Check("the isotropy", checks.residual_isotropy),
        ),
        chapter=_THEORY,
        label="thm-ms-isotropy",
    ),
    Claim(
        "book/pal-thresholds",
        "When all is zero, and when classes merge",
        r"$W=0$ iff $\lambda_{\max}(E[(y-mq)(y-mq)^\top])\le N\mu^2$, with $q$ uniform without a "
        r"bias and the class frequencies with a free one. No bias: rows of $W$ are distinct if "
        r"$\kappa^{\min}>N\mu^2$. Exchangeable classes merge iff "
        r"$\frac12E(y_i-y_j)^2\le N\mu^2$, with any bias.",
        (
            Check("zero: both thresholds, ±1 %", checks.trivial_thresholds),
            Check("exchangeable classes merge: the threshold, ±1 %", checks.merging_thresholds),
            Check(r"no bias, $N\mu^2<\kappa^{\min}$: distinct rows", checks.no_merging),
            Check("but not with a free bias: $K=2$", checks.free_bias_merges),
        ),
        chapter=_THEORY,
        label="thm-ms-merging",
    ),
    Claim(
        "book/pal-stability",
        "What the weakest contrast identifies",
        r"Two maps that fit the prototypes to $\varepsilon$ and $\varepsilon'$ differ across the "
        r"contrasts by at most $(\varepsilon+\varepsilon')/\sqrt{\kappa^{\min}}$.",
        (
            Check("random maps and prototypes", checks.stability_bound),
            Check("attained along the weakest contrast", checks.stability_attained),
        ),
        chapter=_THEORY,
        label="thm-ms-stability",
    ),
    Claim(
        "book/fixed-etf",
        "A fixed simplex classifier",
        "No bias: with a simplex ETF held fixed as the classifier, tag-wise averaging is exact "
        "under every label distribution.",
        (Check("prototypes from descent, long tails", checks.fixed_etf),),
        chapter=_THEORY,
        label="thm-ms-fixed",
    ),
    Claim(
        "book/pal-symmetry",
        "Symmetry is enough",
        r"Where the symmetries of the table that fix $S$ act transitively on $S$ and on its "
        r"complement, $h_S$ is a multiple of $\sum_{k\in S}h_k$, with any bias.",
        (
            Check("two disjoint pairs of four classes", checks.couples_are_tag_wise),
            Check(
                "six classes: couples, triples, pairs across halves, any bias",
                checks.symmetric_tables_are_tag_wise,
            ),
            Check(
                "rings of five and six, which lack the symmetry: not exact",
                checks.rings_are_not_tag_wise,
            ),
        ),
        chapter=_THEORY,
        label="thm-ms-symmetry",
    ),
    Claim(
        "book/pal-hadamard",
        "Any spectrum, and tag-wise averaging",
        r"$K=2^r$, equal singletons and hyperplanes of $\mathbb F_2^r$ with any counts: without a "
        "bias every prototype is a multiple of its tag-wise sum.",
        (
            Check("pairs of four classes, random counts", checks.pairs_of_four_are_tag_wise),
            Check(
                "hyperplanes of eight classes, random counts",
                checks.hyperplanes_of_eight_are_tag_wise,
            ),
            Check("a free bias: not exact", checks.hyperplanes_with_bias_are_not),
        ),
        chapter=_THEORY,
        label="thm-ms-hadamard",
    ),
    Claim(
        "book/pal-limit",
        "The limit of vanishing regularisation",
        r"Under a sign condition $WW^\top\propto\Gamma^{1/2}$ in the limit; then the uniform sum "
        "is exact without a bias, and the frequency-centred one with a free bias.",
        (
            Check("no bias: the uniform sum's miss falls", checks.vanishing_no_bias),
            Check("free bias: the centred sum's miss falls", checks.vanishing_free_bias),
            Check(r"$WW^\top$ comes nearer to $\Gamma^{1/2}$", checks.vanishing_gram),
        ),
        chapter=_THEORY,
        label="thm-ms-limit",
    ),
    Claim(
        "book/affine-synthesis",
        "The affine sum",
        r"At every critical point $E\,h=\frac{\lambda_b}{N\lambda_H}W^\top b$, zero with a free "
        r"bias. Prototypes that are affine in the labels obey $h_S=\sum_{k\in S}h_k-"
        r"\frac{m-1}{\bar m-1}\bigl(\sum_k\pi_kh_k-E\,h\bigr)$. At "
        "long tails the optimum is close to that, with any bias.",
        (
            Check("the mean feature, a free bias and a penalised one", checks.mean_feature),
            Check("long tails, any bias: it is close", checks.affine_is_close),
        ),
        chapter=_SYNTHESIS,
        label="thm-ms-affine",
    ),
    Claim(
        "book/symmetric-designs",
        "Blocks of symmetric designs",
        "Equal singletons, and the blocks of a symmetric design with equal counts: singletons and "
        "blocks are simplex ETFs, and every block is a multiple of its tag-wise sum.",
        (
            Check("7 classes and lines, 11 classes and biplanes: ETFs", checks.block_etfs),
            Check("their tag-wise sums", checks.blocks_are_tag_wise),
        ),
        chapter=_SYNTHESIS,
        label="thm-ms-blocks",
    ),
    networks.book_claim("laptop"),
    networks.book_claim("paper"),
)
