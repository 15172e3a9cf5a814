"""How fast the errors of a linear classifier vanish with the noise of its features."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64, Real
from torch import Tensor

from nclib import _check
from nclib.theory._error_exponent_distances import checked, least_distances, least_mahalanobis


class ErrorExponent(NamedTuple):
    """The error exponents of a classifier (:func:`error_exponent`)."""

    overall: float  # β, the least of all classes
    per_class: Float[Tensor, " K"]  # β_k; 0 where a class is misclassified
    binding: tuple[int, int]  # (k, j): true class k mistaken for j, the pair with exponent β
    misclassified: Bool[Tensor, " K"]  # whether a class mean is on a boundary or beyond it


class Thirds(NamedTuple):
    """Means over the classes by their size (:func:`head_medium_tail`)."""

    head: float  # of the third with the largest classes
    medium: float  # of the classes between
    tail: float  # of the third with the smallest


def error_exponent(
    means: Float[Tensor, "K P"],
    weight: Float[Tensor, "K P"],
    bias: Float[Tensor, " K"] | None = None,
    *,
    within: Float[Tensor, " K"] | Float[Tensor, "K P P"] | None = None,
) -> ErrorExponent:
    r"""The exponents with which a linear classifier's errors vanish as the noise does.

    Features of class k are :math:`h = \mu_k + \sigma\varepsilon` with
    :math:`\varepsilon \sim \mathcal N(0, \Sigma_k)`, all classes are equally likely, and the
    decision is :math:`\arg\max_j\, \langle w_j, h\rangle + b_j`. The exponent of the probability of
    an error, :math:`\beta = -\lim_{\sigma \to 0} \sigma^2 \log P_e(\sigma)`, is

    .. math:: \beta = \min_k \beta_k, \qquad \beta_k = \min_{j \ne k} \tfrac12 d_{kj}^2, \qquad
        d_{kj} = \left[\frac{\langle w_k - w_j, \mu_k\rangle + b_k - b_j}
            {\sqrt{(w_k - w_j)^\top \Sigma_k (w_k - w_j)}}\right]_+ .

    With :math:`\Sigma_k = I`, the default, :math:`d_{kj}` is the distance of :math:`\mu_k` to its
    boundary with class j. It is 0 where :math:`\mu_k` is misclassified. For equal rows the bias
    decides: :math:`d_{kj}` is infinite if :math:`b_k > b_j` and 0 otherwise.

    With the noise of a trained model (``within``) the exponents have no unit, and
    :math:`e^{-\beta_k/\sigma^2}` is the order of the error of class k, the model's own at σ = 1.

    Each distance that counts is right to the rounding of float64 in :math:`w_k - w_j` and
    :math:`\mu_k`, also between rows that nearly agree. Nothing of size K × K × P is made.

    Args:
        means: (K, P), :math:`\mu`.
        weight: (K, P), w.
        bias: (K,), b; None: zeros.
        within: the noise :math:`\Sigma_k`: (K,) variances :math:`v_k` for :math:`v_k I` (the
            isotropic estimate, ``report.variances / P`` of a collapse report), or (K, P, P)
            covariances, the Mahalanobis form (:func:`class_covariances`); None: the identity. A
            boundary that no noise can reach is at distance ∞.

    Returns:
        The exponents; ``misclassified`` says which of them are 0 because the classifier is wrong
        about the mean itself.

    Raises:
        TypeError: if an argument is no floating-point tensor.
        ValueError: if shapes disagree, there are fewer than two classes, a number is not finite,
            all rows of ``weight`` are equal, a variance is not positive or a covariance is none.

    Source: "Space alignment matters" (arXiv 2512.07844), Theorem 1, for the name; the setting is
    that of Papyan, Han and Donoho (2020). The formula for any classifier is proved in the chapter.

    >>> means = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    >>> exponents = error_exponent(means, means)
    >>> round(exponents.overall, 6), exponents.binding
    (0.25, (0, 2))
    >>> error_exponent(means, means.roll(1, 0)).misclassified
    tensor([True, True, True])
    """
    classifier = checked(means, weight, bias)
    if within is None:
        signed, beyond = least_distances(classifier)
        unit = classifier.mean_unit
    else:
        unit, within = 1.0, _check.floating("within", within).detach()
        if within.shape == means.shape[:1]:
            signed, beyond = least_distances(classifier)
            signed = signed / _deviations(within.to(signed)) * classifier.mean_unit
        else:
            signed, beyond = least_mahalanobis(classifier, within)
    per_class = signed.clamp(min=0).square() / 2 * unit * unit
    least = int(signed.argmin())  # the worst of several misclassified ones
    return ErrorExponent(
        float(per_class[least]), per_class, (least, int(beyond[least])), signed <= 0
    )


def class_covariances(
    features: Float[Tensor, "N P"], labels: Int64[Tensor, " N"], means: Float[Tensor, "K P"]
) -> Float[Tensor, "K P P"]:
    r"""The noise of each class about given means, as :func:`error_exponent` takes it.

    .. math:: \Sigma_k = \frac1{n_k} \sum_{y_i = k} (h_i - \mu_k)(h_i - \mu_k)^\top

    About the means of the training samples, test samples show what noise a new feature has; samples
    about the means that were computed from them show too little of it.

    Args:
        features: (N, P), h.
        labels: (N,), y.
        means: (K, P), the means about which the noise is measured.

    Raises:
        TypeError: if features or means are not floating point, or labels not integers.
        ValueError: if shapes disagree, or a class has no sample.

    >>> features = torch.tensor([[1.0, 2.0], [1.0, -2.0], [5.0, 0.0]])
    >>> means = torch.tensor([[1.0, 0.0], [4.0, 0.0]])
    >>> class_covariances(features, torch.tensor([0, 0, 1]), means)[0]
    tensor([[0., 0.],
            [0., 4.]], dtype=torch.float64)
    """
    features, means = _check.matrix("features", features), _check.matrix("means", means)
    _check.same_dim("means", means, features)
    labels = _check.class_ids("labels", labels, len(means)).to(features.device)
    if len(labels) != len(features):
        raise ValueError(f"{len(features)} features but {len(labels)} labels")
    counts = labels.bincount(minlength=len(means))
    if not bool(counts.all()):
        raise ValueError(f"classes without samples: {(counts == 0).nonzero().flatten().tolist()}")
    features = features.detach().double()
    residuals = features - means.detach().to(features)[labels]
    covariances = residuals.new_empty(*means.shape, means.shape[1])
    for k, count in enumerate(counts.tolist()):
        rows = residuals[labels == k]
        torch.matmul(rows.T / count, rows, out=covariances[k])
    return covariances


def head_medium_tail(values: Real[Tensor, " K"], counts: Real[Tensor, " K"]) -> Thirds:
    """Means of a value by class over the largest, the medium and the smallest classes.

    Head and tail are ⌊K/3⌋ classes each; among classes of one size the first is the larger.

    Args:
        values: (K,), a number a class, such as its exponent.
        counts: (K,), the class sizes.

    Raises:
        ValueError: if there are fewer than three classes or as many counts as values are missing.

    >>> head_medium_tail(torch.tensor([3.0, 1.0, 2.0, 2.0]), torch.tensor([900, 10, 300, 50]))
    Thirds(head=3.0, medium=2.0, tail=1.0)
    """
    counts = _check.counts(counts, least=0)
    values = _check.per_class("values", values, len(counts)).double()
    if len(counts) < 3:
        raise ValueError(f"expected at least three classes, got {len(counts)}")
    ordered = values[counts.to(values.device).argsort(descending=True, stable=True)]
    third = len(counts) // 3
    parts = ordered.split([third, len(counts) - 2 * third, third])
    return Thirds(*(float(part.mean()) for part in parts))


def _deviations(variances: Float[Tensor, " K"]) -> Float[Tensor, " K"]:
    """Their roots, if all are positive."""
    wrong = (~((variances > 0) & variances.isfinite())).nonzero()
    if len(wrong):
        k = int(wrong[0])
        raise ValueError(
            f"within has the variance {float(variances[k])} for class {k}, expected > 0"
        )
    return variances.sqrt()
