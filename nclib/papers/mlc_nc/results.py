"""Results on class-wise features; the chapter proves each and credits its sources."""

from __future__ import annotations

from nclib.papers._claim import Check, Claim
from nclib.papers.mlc_nc.claims import _checks as checks

_THEORY = "mlc_nc/theory"

RESULTS = (
    Claim(
        "book/alignment-tokens",
        "What attention can reach of the alignment loss",
        r"Equations (3)–(5) with free tokens reach $L_{FLA}=0$ for an image with 1 to $K-2$ or "
        r"all labels; one without labels keeps at least $\frac1K\log\frac K{K-1}$.",
        (
            Check("closed-form tokens have the loss 0", checks.tokens_align),
            Check("searches for an image without labels stay above", checks.empty_images),
        ),
        chapter=_THEORY,
        label="thm-mn-tokens",
    ),
    Claim(
        "book/nonnegative-tokens",
        "Tokens after a ReLU",
        r"$\cos(f_c,l_c)\le\|[l_c]_+\|$, whose least is at most $\sqrt{(K-1)/K}$ in any "
        "orientation of the simplex; along the axes it is that.",
        (
            Check("searches reach the bound, and no more", checks.nonnegative_cosines),
            Check("orientations", checks.orientations),
            Check("angles are at most 90°", checks.nonnegative_angles),
        ),
        chapter=_THEORY,
        label="thm-mn-relu",
    ),
    Claim(
        "book/attention-bound",
        "Attention without a temperature",
        r"A tile that fills a share $q$ of the map gets at most $qe^2/(qe^2+1-q)$ of the weight; "
        r"of tokens after a ReLU $qe^{\sqrt2}/(qe^{\sqrt2}+1-q)$.",
        (Check("searches reach both, and no more", checks.attention_bound),),
        chapter=_THEORY,
        label="thm-mn-attention",
    ),
    Claim(
        "book/fixed-binary",
        "The binary model with a fixed simplex classifier",
        r"Images decouple; the logits are $(K-m)t$ and $-mt$ with $\lambda_H(K-1)t="
        r"\sigma(-(K-m)t)+\sigma(-mt)$, and 0 for an image with all labels or none.",
        (
            Check("descent over all images together", checks.closed_logits),
            Check(r"$K=80$, $\lambda_H=.01$", checks.all_labels_are_zero),
            Check("a shared layer brings the counts back", checks.shared_layers_keep_counts),
        ),
        chapter=_THEORY,
        label="thm-mn-fixed",
    ),
    Claim(
        "book/unit-blocks",
        "Unit features, one a class",
        "The optimum depends on the rotation of the classifier and on the class, between two "
        r"closed forms; with $\gamma$ free the infimum is 0 and not attained.",
        (
            Check("searches agree with the certificate", checks.searches_agree_on_blocks),
            Check("rotations stay within the two", checks.rotations_stay_in_range),
            Check("and they matter", checks.rotation_matters),
            Check("twice the scale, a fifth of the loss or less", checks.free_scale_has_no_optimum),
        ),
        chapter=_THEORY,
        label="thm-mn-blocks",
    ),
    Claim(
        "book/two-way-couples",
        "The column term couples images again",
        "Under the two-way loss the optimal logits depend on the counts.",
        (
            Check("with the column term they change", checks.two_way_couples),
            Check("without it they do not", checks.rows_cancel),
        ),
        chapter=_THEORY,
        label="thm-mn-columns",
    ),
    Claim(
        "book/binary-no-bias",
        "A trainable classifier without a bias",
        r"Balanced classes, binary cross-entropy: the means have one cosine, which tends to "
        r"$(K-4)/(3K-4)$ as $\lambda\to0$; with a free bias they are a simplex ETF.",
        (
            Check("certified optima against two numbers", checks.no_bias_no_simplex),
            Check("the limit", checks.no_bias_limit),
            Check("a free bias", checks.a_free_bias_restores_it),
        ),
        chapter=_THEORY,
        label="thm-mn-trainable",
    ),
    Claim(
        "book/epoch-centres",
        "Centres of the last epoch",
        "Collapsed features with centres of the last epoch rest at a simplex, whatever the counts; "
        "where the centres move with the features, a simplex is stationary for equal counts alone.",
        (
            Check("epochs end at the simplex", checks.epochs_reach_the_simplex),
            Check("jointly, equal counts: too", checks.balanced_centres_are_simplex),
            Check("jointly, unequal counts: elsewhere", checks.unequal_centres_are_not),
        ),
        chapter=_THEORY,
        label="thm-mn-centres",
    ),
    Claim(
        "book/mean-angle",
        "Angles of centred means",
        r"Of equal norm: their mean cosine is $-1/(K-1)$, and their mean angle at least "
        r"$\frac K{K-1}\,\theta/(1-\cos\theta)$ with $\tan\frac\theta2=\theta$.",
        (
            Check("the mean cosine", checks.average_cosine),
            Check("searches stay above the angle", checks.mean_angles),
            Check("of unequal norms: far below", checks.unequal_norms_allow_less),
        ),
        chapter=_THEORY,
        label="thm-mn-angles",
    ),
    Claim(
        "book/vg200-split",
        "The split of VG200",
        "The published split is not the one by 100 and 20 training images: 30/140/30 classes where "
        "the counts give 30/137/33.",
        (Check("classes in another part", checks.vg200_split),),
        chapter=_THEORY,
    ),
)
