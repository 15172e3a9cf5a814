"""What papers prove about numbers rather than about training: closed forms and bounds.

Class means are rows, (K, P); papers write columns. Everything is in float64.
"""

from nclib.theory._angles import spread_means
from nclib.theory._bounds import cdnv_bound
from nclib.theory._divergence import jensen_shannon, mixture_jensen_shannon
from nclib.theory._label_spectrum import LabelMoment, LabelSpectrum, label_spectrum
from nclib.theory._label_spectrum_balanced import BalancedOptimum, balanced_optimum
from nclib.theory._label_spectrum_bounds import lower_bound, upper_bound
from nclib.theory._label_spectrum_thresholds import (
    merging_thresholds,
    stability_bound,
    trivial_threshold,
)
from nclib.theory._least_squares import LeastSquares, least_squares_classifier

__all__ = [
    "BalancedOptimum",
    "LabelMoment",
    "LabelSpectrum",
    "LeastSquares",
    "balanced_optimum",
    "cdnv_bound",
    "jensen_shannon",
    "label_spectrum",
    "least_squares_classifier",
    "lower_bound",
    "merging_thresholds",
    "mixture_jensen_shannon",
    "spread_means",
    "stability_bound",
    "trivial_threshold",
    "upper_bound",
]
