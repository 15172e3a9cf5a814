"""The paper's reasons, sentence by sentence."""

from __future__ import annotations

from nclib.papers._claim import Check, Claim, Evidence
from nclib.papers.mlc_nc.claims import _checks as checks

_THEORY = "mlc_nc/theory"


def _no_record() -> Evidence | None:
    """What networks show, their records will say."""
    return None


THEORY = (
    Claim(
        "mlc-nc/co-occurrence",
        "Introduction",
        "In VOC-LT the co-occurrence rate between head and tail classes reaches 100 %, in COCO-LT "
        "it is 99.26 %.",
        (
            Check("tail images with a head label, VOC-LT", checks.voc_co_occurrence),
            Check("the same, COCO-LT", checks.coco_co_occurrence),
        ),
        chapter=_THEORY,
    ),
    Claim(
        "mlc-nc/alignment",
        "Equation (6)",
        "Through $L_{FLA}$ the features of labels point along their embeddings, and the cosines of "
        r"the others reflect the ETF structure as $-\frac1{C-1}$.",
        (
            Check("descent of free features ends there", checks.descent_aligns),
            Check("any labels, any counts: the least loss is 0", checks.loss_is_zero_there),
        ),
        (Check("features of other classes do not collapse", checks.negatives_are_free),),
        _THEORY,
        "thm-mn-alignment",
    ),
    Claim(
        "mlc-nc/etf-features",
        "Introduction",
        "By aligning the class-wise features with the label embeddings, features from different "
        "classes on each instance are maximally distinguishable, ultimately forming an ETF.",
        (
            Check("eqs. (3)–(5) can do it, with free tokens", checks.tokens_align),
            Check(
                "so can the tokens of a ResNet, which come after a ReLU",
                checks.nonnegative_tokens_align,
            ),
        ),
        (
            Check(r"their cosine is at most $\|[l_c]_+\|$", checks.nonnegative_cosines),
            Check("an image without labels cannot, with any tokens", checks.empty_images),
        ),
        _THEORY,
        "thm-mn-tokens",
    ),
    Claim(
        "mlc-nc/relu",
        "Equation (7), reason (i)",
        "If the last layer of the feature extractor is a ReLU, features are easily orthogonal, "
        "making it difficult to collapse into the ETF structure.",
        (Check("angles are at most 90°", checks.nonnegative_angles),),
        (Check("projected features may have any angle", checks.projections_reach_the_simplex),),
        _THEORY,
        "thm-mn-relu",
    ),
    Claim(
        "mlc-nc/centres",
        "Equation (9)",
        "$L_{FPC}$ encourages features to collapse into their class prototypes while remaining "
        "distant from the prototypes of other classes.",
        (
            Check("simplex centres: the best feature is its centre", checks.simplex_centres_hold),
            Check("epochs lead to the simplex", checks.epochs_reach_the_simplex),
        ),
        chapter=_THEORY,
        label="thm-mn-centres",
    ),
    Claim(
        "mlc-nc/fixed-classifier",
        "Equation (10)",
        "To minimize the impact of imbalance on the classifier, we employ the binarized fixed ETF "
        "classifier.",
        (
            Check("binary cross-entropy: logits do not depend on counts", checks.counts_cancel),
            Check("the two-way loss that it is trained with: neither", checks.two_way_cancels),
        ),
        (
            Check("the row term alone: neither", checks.rows_cancel),
            Check("a trainable classifier: they do", checks.trainable_depends),
        ),
        _THEORY,
        "thm-mn-fixed",
    ),
    Claim(
        "mlc-nc/optimal-angle",
        "Figure 3, caption",
        r"The optimal ETF pair-wise angle for 20 classes is $\arccos(-1/19)\approx93°$.",
        (Check("the largest common angle of 20 vectors", checks.optimal_angle),),
        chapter=_THEORY,
    ),
    Claim(
        "mlc-nc/angles",
        "Figure 3",
        "Pair-wise angles of the centred feature means: around 78° with the fixed ETF label "
        "embedding, 43° with a trainable one.",
        (Check("networks on VOC-LT, both embeddings", _no_record),),
        (
            Check("centred means of equal norm: at least 83.2° on average", checks.mean_angles),
            Check("unequal norms: less is possible", checks.unequal_norms_allow_less),
        ),
        _THEORY,
        "thm-mn-angles",
        profile="paper",
    ),
)
