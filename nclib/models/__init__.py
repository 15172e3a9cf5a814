"""Networks that expose their last features, and the heads that score them."""

from nclib.models._heads import (
    HEADS,
    CosineHead,
    ExpertsHead,
    FixedETFHead,
    LearnableScalingHead,
    LinearETFHead,
    ProbeHead,
    assign,
    by_expert,
    check_head,
    expert_scores,
    rows_of,
    tau_normalise,
)
from nclib.models._networks import (
    FEATURE_LAYERS,
    MODELS,
    Classifier,
    Outputs,
    build,
    check_name,
    check_use,
    native_dim,
)
from nclib.models._resnet import Branches

__all__ = [
    "FEATURE_LAYERS",
    "HEADS",
    "MODELS",
    "Branches",
    "Classifier",
    "CosineHead",
    "ExpertsHead",
    "FixedETFHead",
    "LearnableScalingHead",
    "LinearETFHead",
    "Outputs",
    "ProbeHead",
    "assign",
    "build",
    "by_expert",
    "check_head",
    "check_name",
    "check_use",
    "expert_scores",
    "native_dim",
    "rows_of",
    "tau_normalise",
]
