"""What papers prove about numbers rather than about training: closed forms and bounds.

Class means are rows, (K, P); papers write columns. Everything is in float64.
"""

from nclib.theory._alignment_loss import (
    aligned_tokens,
    largest_attention,
    largest_nonnegative_cosine,
)
from nclib.theory._angles import spread_means
from nclib.theory._bounds import cdnv_bound
from nclib.theory._divergence import jensen_shannon, mixture_jensen_shannon
from nclib.theory._error_exponent import (
    ErrorExponent,
    Thirds,
    class_covariances,
    error_exponent,
    head_medium_tail,
)
from nclib.theory._error_exponent_sampling import ErrorProbability, error_probability
from nclib.theory._error_exponent_simplex import misaligned_exponent, optimal_exponent
from nclib.theory._fixed_classifier import (
    TwoLogits,
    UnitBlocks,
    fixed_classifier_logits,
    fixed_norm_logits,
    unit_block_optimum,
)
from nclib.theory._label_spectrum import LabelMoment, LabelSpectrum, label_spectrum
from nclib.theory._label_spectrum_balanced import BalancedOptimum, balanced_optimum
from nclib.theory._label_spectrum_bounds import lower_bound, upper_bound
from nclib.theory._label_spectrum_critical import (
    SynthesisResiduals,
    TerminalGrams,
    synthesis_residuals,
    terminal_grams,
)
from nclib.theory._label_spectrum_thresholds import (
    merging_thresholds,
    stability_bound,
    trivial_threshold,
)
from nclib.theory._least_squares import LeastSquares, least_squares_classifier
from nclib.theory._prototype_loss import least_mean_angle, simplex_prototype_loss

__all__ = [
    "BalancedOptimum",
    "ErrorExponent",
    "ErrorProbability",
    "LabelMoment",
    "LabelSpectrum",
    "LeastSquares",
    "SynthesisResiduals",
    "TerminalGrams",
    "Thirds",
    "TwoLogits",
    "UnitBlocks",
    "aligned_tokens",
    "balanced_optimum",
    "cdnv_bound",
    "class_covariances",
    "error_exponent",
    "error_probability",
    "fixed_classifier_logits",
    "fixed_norm_logits",
    "head_medium_tail",
    "jensen_shannon",
    "label_spectrum",
    "largest_attention",
    "largest_nonnegative_cosine",
    "least_mean_angle",
    "least_squares_classifier",
    "lower_bound",
    "merging_thresholds",
    "misaligned_exponent",
    "mixture_jensen_shannon",
    "optimal_exponent",
    "simplex_prototype_loss",
    "spread_means",
    "stability_bound",
    "synthesis_residuals",
    "terminal_grams",
    "trivial_threshold",
    "unit_block_optimum",
    "upper_bound",
]
