"""Networks that expose their last features and a linear head."""

from nclib.models._networks import MODELS, Classifier, build, check_shape, known

__all__ = ["MODELS", "Classifier", "build", "check_shape", "known"]
