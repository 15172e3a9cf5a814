"""Networks that expose their last features, and the heads that score them."""

from nclib.models._heads import (
    HEADS,
    CosineHead,
    ExpertsHead,
    FixedETFHead,
    LearnableScalingHead,
    check_head,
    expert_scores,
    tau_normalise,
)
from nclib.models._networks import (
    FEATURE_LAYERS,
    MODELS,
    Classifier,
    build,
    check_shape,
    known,
    native_dim,
)

__all__ = [
    "FEATURE_LAYERS",
    "HEADS",
    "MODELS",
    "Classifier",
    "CosineHead",
    "ExpertsHead",
    "FixedETFHead",
    "LearnableScalingHead",
    "build",
    "check_head",
    "check_shape",
    "expert_scores",
    "known",
    "native_dim",
    "tau_normalise",
]
