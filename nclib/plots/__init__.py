"""The figures of the book, shared by its notebooks: each takes data and returns a figure."""

from nclib.plots._style import DIVERGING, PALETTE, SEQUENTIAL, Interactive, interactive, use_style
from nclib.plots.collapse import (
    certificate,
    collapse_movie,
    collapse_trajectories,
    merging,
    minority_collapse,
    objective_gaps,
)
from nclib.plots.conjecture import (
    bias_trap,
    conjecture_scatter,
    gram_pairs,
    mean_triangles,
    nc2_disc,
)
from nclib.plots.encoding import (
    bias_bounds,
    imbalance_phases,
    lambda_b_transition,
    merging_thresholds,
    minority_norms,
    narrow_transition,
    nc3_imbalance,
    planar_means,
    rotation_cosine,
    saddle,
    smoothing_curves,
    transition_check,
)
from nclib.plots.geometry import best_cosines, gram_matrices, simplices, ssetf_slider

__all__ = [
    "DIVERGING",
    "PALETTE",
    "SEQUENTIAL",
    "Interactive",
    "best_cosines",
    "bias_bounds",
    "bias_trap",
    "certificate",
    "collapse_movie",
    "collapse_trajectories",
    "conjecture_scatter",
    "gram_matrices",
    "gram_pairs",
    "imbalance_phases",
    "interactive",
    "lambda_b_transition",
    "mean_triangles",
    "merging",
    "merging_thresholds",
    "minority_collapse",
    "minority_norms",
    "narrow_transition",
    "nc2_disc",
    "nc3_imbalance",
    "objective_gaps",
    "planar_means",
    "rotation_cosine",
    "saddle",
    "simplices",
    "smoothing_curves",
    "ssetf_slider",
    "transition_check",
    "use_style",
]
