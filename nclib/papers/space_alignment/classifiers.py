"""Classifiers of Gaussian classes: tilted, turned, shifted, and those of certified optima.

The chapters and the checks of the paper's claims share them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from nclib import ufm
from nclib.geometry import simplex_etf
from nclib.methods import slerp
from nclib.theory import ErrorExponent, error_exponent


class Classifier(NamedTuple):
    """Class means and a linear classifier of them."""

    means: Float[Tensor, "K P"]
    weight: Float[Tensor, "K P"]
    bias: Float[Tensor, " K"]

    @property
    def exponents(self) -> ErrorExponent:
        """How fast its errors vanish with isotropic noise."""
        return error_exponent(*self)

    def cosines(self, *, centre: bool = True) -> Float[Tensor, " K"]:
        """Of each row with its mean, both about their averages over the classes or as they are."""
        weight, means = self.weight, self.means
        if centre:
            weight, means = weight - weight.mean(0), means - means.mean(0)
        return torch.cosine_similarity(weight, means)

    def shifted(self, shift: Float[Tensor, " P"]) -> Classifier:
        """The same vector added to every row."""
        return self._replace(weight=self.weight + shift)


class Optimum(NamedTuple):
    """A certified optimum of unequal classes."""

    counts: Float[Tensor, " K"]
    classifier: Classifier  # in the unit of the longest mean
    theta: float  # θ = N√(λ_Wλ_H)


def make_classifier(
    means: Float[Tensor, "K P"],
    weight: Float[Tensor, "K P"],
    bias: Float[Tensor, " K"] | None = None,
) -> Classifier:
    """Means and rows, without a bias unless one is given."""
    return Classifier(means, weight, means.new_zeros(len(means)) if bias is None else bias)


def in_the_plane(classifier: Classifier) -> Classifier:
    """Three classes that span a plane, in coordinates of it with the first mean on top.

    Args:
        classifier: whose means and rows lie in two dimensions.
    """
    means, weight, bias = classifier
    basis = torch.linalg.svd(torch.cat([means, weight])).Vh[:2].T
    x, y = (means[0] @ basis / means[0].norm()).tolist()
    basis = basis @ torch.tensor([[y, x], [-x, y]]).to(basis)
    return Classifier(means @ basis, weight @ basis, bias)


def nearest_mean(means: Float[Tensor, "K P"]) -> Classifier:
    r"""The classifier :math:`w_k = \mu_k`, :math:`b_k = -\|\mu_k\|^2/2`.

    >>> means = torch.tensor([[0.0, 0.0], [2.0, 0.0]], dtype=torch.float64)
    >>> nearest_mean(means).exponents.overall
    0.5
    """
    return Classifier(means, means, -means.square().sum(1) / 2)


def simplex(num_classes: int, *, seed: int = 0) -> Float[Tensor, "K P"]:
    """A simplex ETF of unit vectors that fills its space, P = K − 1."""
    generator = torch.Generator().manual_seed(seed)
    return simplex_etf(num_classes, num_classes - 1, generator=generator)


def tilted(num_classes: int, angle: float) -> Classifier:
    r"""A simplex ETF with its classifier leaning out of the span of the means by an angle.

    :math:`w_k = \cos\varphi\,\mu_k + \sin\varphi\,u_k` with a simplex ETF u in an orthogonal space,
    P = 2(K − 1).

    Args:
        num_classes: K.
        angle: φ in radians.

    >>> round(tilted(3, math.radians(45)).exponents.overall, 6)
    0.1875
    """
    means = simplex(num_classes)
    weight = torch.cat([math.cos(angle) * means, math.sin(angle) * means], 1)
    return make_classifier(torch.cat([means, torch.zeros_like(means)], 1), weight)


def turned(num_classes: int, angle: float, *, seed: int = 0) -> Classifier:
    r"""A simplex ETF with its classifier turned within the span of the means by an angle.

    P = K − 1 is even, its axes are paired, and each plane of two turns by φ: so every row is at the
    angle φ to its mean. For K = 3 that is the rotation of the plane.

    Args:
        num_classes: K, odd.
        angle: φ in radians.
        seed: of the simplex's position in the space.

    Raises:
        ValueError: if K is even.

    >>> round(turned(3, math.radians(20)).exponents.overall, 5)
    0.20659
    """
    if num_classes % 2 == 0:
        raise ValueError(
            f"a space of P = K - 1 dimensions has no pairs of axes for K={num_classes}"
        )
    means = simplex(num_classes, seed=seed)
    first, second = means[:, ::2], means[:, 1::2]
    cosine, sine = math.cos(angle), math.sin(angle)
    weight = torch.empty_like(means)
    weight[:, ::2], weight[:, 1::2] = cosine * first - sine * second, sine * first + cosine * second
    return make_classifier(means, weight)


def evenly_turned(num_classes: int, angle: float) -> Classifier:
    r"""A simplex ETF with its classifier turned within the span, as far from all rivals alike.

    :math:`W = \cos\varphi\,M + \sin\varphi\,QM/\sqrt K` with Paley's tournament
    :math:`Q_{jk} = \chi(k - j)`, the quadratic character: no rotation by φ in every plane of the
    span leaves a larger exponent.

    Args:
        num_classes: K, a prime that leaves 3 when divided by 4.
        angle: φ in radians.

    Raises:
        ValueError: for another K.

    Source: Paley (1933) for the matrix.

    >>> round(evenly_turned(3, math.radians(20)).exponents.overall, 5)
    0.20659
    """
    if num_classes % 4 != 3 or any(num_classes % p == 0 for p in range(3, num_classes, 2)):
        raise ValueError(f"expected a prime K with K % 4 == 3, got {num_classes}")
    squares = {x * x % num_classes for x in range(1, num_classes)}
    line = [0.0] + [1.0 if x in squares else -1.0 for x in range(1, num_classes)]
    places = torch.arange(num_classes)
    tournament = torch.tensor(line).double()[(places - places[:, None]) % num_classes]
    means = simplex(num_classes)
    away = tournament @ means / math.sqrt(num_classes)
    return make_classifier(means, math.cos(angle) * means + math.sin(angle) * away)


def three_at(cosines: Float[Tensor, " 3"], skew: float) -> Classifier | None:
    r"""A simplex classifier of three classes at given angles to a simplex of means, P = 4.

    Every simplex ETF of three vectors is :math:`W = M\,[A, B]^\top` with orthonormal columns. The
    cosines fix the symmetric part of A, which leaves one number.

    Args:
        cosines: of each row with its mean.
        skew: the antisymmetric part of A.

    Returns:
        The classifier, without a bias; None if there is none.
    """
    means = simplex(3)
    x, y = means.T
    a, b, c = torch.linalg.solve(torch.stack([x * x, 2 * x * y, y * y], 1), cosines)
    block = torch.stack([torch.stack([a, b - skew]), torch.stack([b + skew, c])])
    values, vectors = torch.linalg.eigh(torch.eye(2).to(block) - block.T @ block)
    if values[0] < 0:
        return None
    frame = torch.cat([block, values.sqrt()[:, None] * vectors.T])
    return make_classifier(torch.cat([means, torch.zeros_like(means)], 1), means @ frame.T)


def optimum(
    counts: Float[Tensor, " K"],
    *,
    lam: float = 0.03,
    lam_b: float = math.inf,
    loss: str = "ce",
) -> Optimum:
    r"""The certified optimum of one-hot labels, scaled so that the longest mean is a unit vector.

    Args:
        counts: class sizes.
        lam: λ where the penalties have no factor ½: :math:`\lambda_W = 2\lambda` and
            :math:`\lambda_H = 2\lambda/N` for :func:`nclib.ufm.solve`.
        lam_b: of the bias; infinite: none.
        loss: as :func:`nclib.ufm.solve` names it.
    """
    lam_w, lam_h = 2 * lam, 2 * lam / float(counts.sum())
    labels = torch.eye(len(counts), dtype=torch.float64)
    best = ufm.solve(labels, counts, lam_w=lam_w, lam_h=lam_h, lam_b=lam_b, loss=loss, tol=1e-11)
    unit = best.means.norm(dim=1).max()
    classifier = Classifier(best.means / unit, best.weight, best.bias / unit)
    return Optimum(counts, classifier, float(counts.sum()) * math.sqrt(lam_w * lam_h))


def repaired(classifier: Classifier) -> dict[str, Classifier]:
    """A classifier, with its directions, then its norms, then its bias taken from the means.

    The first step turns each centred row towards its centred mean and keeps its length. The second
    gives it the mean's length. The third is the classifier of the nearest mean.
    """
    means = classifier.means
    bias = classifier.bias
    return {
        "as trained": classifier,
        "directions of the means": Classifier(means, slerp(classifier.weight, means, 1.0), bias),
        "and norms": Classifier(means, means - means.mean(0), bias),
        "and bias": nearest_mean(means),
    }


def squared_error_exponents(counts: Float[Tensor, " K"], theta: float) -> Float[Tensor, " K"]:
    r"""Of the optimum for squared error without a bias, in the unit of the longest mean.

    .. math:: \beta_k = \frac{(1 - \theta/\sqrt{n_k})_+^2}{2\max_l (\sqrt{n_l} - \theta)/n_l}\,
        \Bigl((\sqrt{n_k} - \theta)_+ + \max_{j \ne k}(\sqrt{n_j} - \theta)_+\Bigr)^{-1} .

    Args:
        counts: class sizes.
        theta: θ, below the root of the largest.

    Raises:
        ValueError: if no mean is left.

    >>> squared_error_exponents(torch.ones(3, dtype=torch.float64), 0.5)
    tensor([0.2500, 0.2500, 0.2500], dtype=torch.float64)
    """
    roots = counts.sqrt()
    left = (roots - theta).clamp(min=0)
    if not bool(left.any()):
        raise ValueError(f"theta is {theta}, expected less than {float(roots.max()):.4g}")
    others = left.expand(len(left), -1).clone().fill_diagonal_(0).amax(1)
    longest = (left / counts).max()
    return (left / roots).square() / (2 * longest * (left + others).clamp(min=1e-300))


def vanishing_limit(counts: Float[Tensor, " K"]) -> Classifier:
    r"""Means and classifier as the regularisation of cross-entropy vanishes, without a bias.

    The logits are a multiple of C (the matrix of simplex-encoded labels), the norms balanced:
    :math:`WW^\top = (CDC)^{1/2}` up to scale. The longest mean is a unit vector.

    Args:
        counts: class sizes, D their diagonal matrix.

    >>> limit = vanishing_limit(torch.ones(3, dtype=torch.float64))
    >>> round(limit.exponents.overall, 6)  # a simplex
    0.375
    """
    num_classes = len(counts)
    logits = torch.eye(num_classes, dtype=torch.float64) - 1 / num_classes
    left, values, right = torch.linalg.svd(logits * counts.sqrt(), full_matrices=False)
    left, values, right = left[:, :-1], values[:-1], right[:-1].T
    means = right * values.sqrt() / counts.sqrt()[:, None]
    return make_classifier(means / means.norm(dim=1).max(), left * values.sqrt())


def planar_log_error(classifier: Classifier, sigma: float, *, directions: int = 20_000) -> float:
    r"""The logarithm of the probability of error in the plane, by Craig's formula.

    The cell of a class is convex and has the class's mean in it. With the distance
    :math:`r_k(\varphi)` from the mean to the cell's border in a direction,

    .. math:: P_e = \frac1K \sum_k \frac1{2\pi} \int_0^{2\pi} e^{-r_k(\varphi)^2/2\sigma^2}
        \,d\varphi .

    The rule of equal weights over the directions integrates it.

    Args:
        classifier: with (K, 2) means, none of them misclassified.
        sigma: standard deviation of the noise.
        directions: of the integration.

    Raises:
        ValueError: if P is not 2, or a mean is misclassified.

    Source: Craig (1991).

    >>> line = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    >>> round(math.exp(planar_log_error(make_classifier(line, line), 1.0)), 6)  # Q(1)
    0.158655
    """
    means, weight, bias = classifier
    if means.shape[1] != 2:
        raise ValueError(f"expected means in the plane, got {means.shape[1]} dimensions")
    angles = 2 * math.pi * torch.arange(directions, dtype=torch.float64) / directions
    rays = torch.stack([angles.cos(), angles.sin()])
    logs = []
    for k, mean in enumerate(means):
        normals = weight[k] - weight
        leads = normals @ mean + bias[k] - bias
        others = torch.arange(len(means)) != k
        if not bool((leads[others] > 0).all()):
            raise ValueError(f"the mean of class {k} is misclassified")
        # Towards rival j the lead falls by the speed; the border is where the first is at zero.
        speeds = -(normals @ rays)[others] / leads[others, None]
        squares = speeds.amax(0).clamp(min=0).square().reciprocal()
        logs.append((-squares / (2 * sigma**2)).logsumexp(0))
    return float(torch.stack(logs).logsumexp(0)) - math.log(len(means) * directions)
