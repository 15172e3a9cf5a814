r"""Closed forms of the unconstrained features model: optima, thresholds, and labels by design.

Balanced results are in terms of :math:`c = K\sqrt{n\lambda_W\lambda_H}` (``shrinkage``), the
amount by which singular values shrink in the scale of the labels; imbalanced ones in terms of
:math:`\theta = N\sqrt{\lambda_W\lambda_H}` (``threshold``), to be compared with square roots of
counts. Every function raises ValueError for penalties, counts and sizes out of range.
:math:`C = I - J/K` centres, :math:`J = 11^\top`. The loss is ``mse`` unless a function says
otherwise; "paper" is the class-encoding paper, and what is not in it names this book.
"""

from nclib.ufm.closed_form._common import Optimum, factorise, shrinkage, threshold
from nclib.ufm.closed_form.balanced import (
    invertible,
    means_coincide,
    nc2_labels,
    one_hot,
    one_hot_transition,
    regime_margin,
    rotated_alignment,
    ssetf,
)
from nclib.ufm.closed_form.imbalance import (
    TwoSizes,
    bias_bound,
    bias_free_norms,
    free_bias_spectrum,
    labels_for_gram,
    merging_count,
    two_sizes,
)
from nclib.ufm.closed_form.narrow import narrow_one_hot, truncated
from nclib.ufm.closed_form.nonnegative import nonnegative_one_hot
from nclib.ufm.closed_form.smoothing import smoothed_cross_entropy

__all__ = [
    "Optimum",
    "TwoSizes",
    "bias_bound",
    "bias_free_norms",
    "factorise",
    "free_bias_spectrum",
    "invertible",
    "labels_for_gram",
    "means_coincide",
    "merging_count",
    "narrow_one_hot",
    "nc2_labels",
    "nonnegative_one_hot",
    "one_hot",
    "one_hot_transition",
    "regime_margin",
    "rotated_alignment",
    "shrinkage",
    "smoothed_cross_entropy",
    "ssetf",
    "threshold",
    "truncated",
    "two_sizes",
]
