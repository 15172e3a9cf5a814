r"""Losses, regularisers and class weights of long-tailed learning: functions with scalar values.

Logits are (N, K), features (N, P) or class by class (N, K, P), class centres (K, P), all one row a
sample or a class (papers write columns); labels are class ids, or multi-hot (N, K) where an image
has several. A loss is the batch mean, and with ``weight`` (K,) the weighted mean
:math:`\sum_i w_{y_i}\ell_i / \sum_i w_{y_i}`, as in :func:`torch.nn.functional.cross_entropy`. Half
precision is computed in float32.

Every function refuses arguments whose shapes or types do not fit. Values are checked only where
that is free of a wait for the accelerator: on the CPU, and not under ``torch.compile``.
"""

from nclib.losses._binary import (
    asymmetric,
    binary_focal,
    binary_ldam,
    class_balanced_focal,
    distribution_balanced,
)
from nclib.losses._class_wise import feature_label_alignment, projected_collapse
from nclib.losses._contrastive import assigned_targets, supervised_contrastive
from nclib.losses._experts import ride
from nclib.losses._features import (
    between_class,
    center_loss,
    class_means,
    dot_regression,
    misalignment,
    within_class,
)
from nclib.losses._multi_label import binary_cross_entropy, pick_all_label, two_way
from nclib.losses._softmax import (
    arb,
    balanced_softmax,
    cb_focal,
    focal,
    label_aware_smoothing,
    ldam,
    logit_adjusted,
)
from nclib.losses._weights import effective_number_weights, inverse_frequency_weights

__all__ = [
    "arb",
    "assigned_targets",
    "asymmetric",
    "balanced_softmax",
    "between_class",
    "binary_cross_entropy",
    "binary_focal",
    "binary_ldam",
    "cb_focal",
    "center_loss",
    "class_balanced_focal",
    "class_means",
    "distribution_balanced",
    "dot_regression",
    "effective_number_weights",
    "feature_label_alignment",
    "focal",
    "inverse_frequency_weights",
    "label_aware_smoothing",
    "ldam",
    "logit_adjusted",
    "misalignment",
    "pick_all_label",
    "projected_collapse",
    "ride",
    "supervised_contrastive",
    "two_way",
    "within_class",
]
