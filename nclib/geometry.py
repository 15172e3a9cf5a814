r"""Simplex equiangular tight frames and their relatives: making, fitting and measuring them.

Everything here stands on one family. With :math:`J = 11^\top` and :math:`C = I - J/K`, a *shifted
simplex ETF* is :math:`\alpha P (I - \beta J/K)` with orthonormal columns :math:`P` and
:math:`\alpha > 0` (columns are vectors, as papers write them; here vectors are rows). Its Gram
matrix is :math:`\alpha^2 (C + t J/K)`, :math:`t = (1-\beta)^2`: a simplex ETF at
:math:`\beta = 1`, an orthogonal frame at :math:`\beta = 0`.

Source: class-encoding paper (arXiv 2606.00344), Definitions II.1, II.2 and III.1; Papyan, Han and
Donoho (2020).
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from nclib._scale import rescaled, rescaled_rows

__all__ = [
    "ShiftedSimplexETF",
    "centring_matrix",
    "etf_distance",
    "fit_shifted_simplex_etf",
    "orthogonal_frame",
    "pairwise_angles",
    "shifted_simplex_etf",
    "simplex_etf",
    "uniform_directions",
]


class ShiftedSimplexETF(NamedTuple):
    """The shifted simplex ETF nearest to given means (:func:`fit_shifted_simplex_etf`)."""

    scale: float  # α, at least 0 (0: all means are equal, so there is none)
    shift: float  # β, at most 1: β and 2 − β have the same Gram matrix
    residual: float  # ‖G − α²(C + tJ/K)‖_F / ‖G‖_F, the misfit of the Gram matrix


def centring_matrix(
    num_classes: int, *, dtype: torch.dtype = torch.float64
) -> Float[Tensor, "K K"]:
    r"""The projection :math:`C = I - J/K` that subtracts the mean of K vectors.

    Args:
        num_classes: K, at least 1.
        dtype: of the result.

    Raises:
        ValueError: if ``num_classes < 1``.

    >>> centring_matrix(2)
    tensor([[ 0.5000, -0.5000],
            [-0.5000,  0.5000]], dtype=torch.float64)
    """
    if num_classes < 1:
        raise ValueError(f"num_classes must be at least 1, got {num_classes}")
    return torch.eye(num_classes, dtype=dtype) - 1 / num_classes


def simplex_etf(
    num_classes: int,
    dim: int,
    *,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float64,
) -> Float[Tensor, "K P"]:
    r"""Vertices of a randomly oriented simplex equiangular tight frame.

    Rows :math:`m_k` with
    :math:`\langle m_k, m_l\rangle = \tfrac{K}{K-1}\delta_{kl} - \tfrac{1}{K-1}`: unit norm, and the
    largest common angle that K vectors can have.

    Args:
        num_classes: K, at least 2.
        dim: P, at least K − 1, the dimension that a simplex with K vertices spans.
        generator: source of the orientation (uniform over rotations and reflections); None: the
            global generator. The result lies on its device.
        dtype: of the result.

    Raises:
        ValueError: if ``num_classes < 2`` or ``dim < num_classes - 1``.

    Source: class-encoding paper, Definition II.1; Papyan, Han and Donoho (2020).

    >>> etf = simplex_etf(4, 3)
    >>> torch.allclose(etf @ etf.T, torch.eye(4, dtype=etf.dtype) * 4 / 3 - 1 / 3)
    True
    """
    _check_size("a simplex ETF", num_classes, dim, least=num_classes - 1)
    scale = math.sqrt(num_classes / (num_classes - 1))
    return _frame(num_classes, dim, scale, 1.0, generator, dtype)


def uniform_directions(
    count: int,
    dim: int,
    *,
    temperature: float = 0.07,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float64,
) -> Float[Tensor, "K P"]:
    r"""Unit vectors spread over the sphere, also more of them than a simplex has vertices.

    Minimises :math:`\frac1K\sum_k \log \sum_{l \ne k} e^{\langle u_k, u_l \rangle/\tau}`. Up to
    P + 1 vectors that is a simplex ETF, which is returned; for more it is what descent from a
    random beginning finds, a local minimum.

    Args:
        count: K, at least 2.
        dim: P, at least 1; at least 2 for more than two vectors.
        temperature: τ; the smaller, the more the nearest pairs count.
        generator: of the orientation, or the beginning; None: the global generator.
        dtype: of the result.

    Raises:
        ValueError: if there are too few vectors or dimensions, or the temperature is not positive.

    Source: Li et al. (2022), TSC, equation 2, without the pairs of a vector with itself, beside
    which all others are small; the temperature of its released code.

    >>> rows = uniform_directions(8, 4, generator=torch.Generator().manual_seed(0))
    >>> bool((rows @ rows.T).sum(1).abs().max() < 1e-4)  # opposite pairs, orthogonal to each other
    True
    """
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}, expected a positive number")
    if count <= dim + 1:
        return simplex_etf(count, dim, generator=generator, dtype=dtype)
    _check_size("directions", count, dim, least=2)
    device = generator.device if generator is not None else None
    free = torch.randn(count, dim, generator=generator, dtype=torch.float64, device=device)
    free = torch.nn.functional.normalize(free).requires_grad_()
    itself = torch.eye(count, dtype=torch.bool, device=device)
    descent = torch.optim.LBFGS([free], max_iter=150, line_search_fn="strong_wolfe")

    def energy() -> Tensor:
        descent.zero_grad()
        rows = torch.nn.functional.normalize(free)
        value = (rows @ rows.T / temperature).masked_fill(itself, -torch.inf).logsumexp(1).mean()
        value.backward()
        return value

    descent.step(energy)
    return torch.nn.functional.normalize(free.detach()).to(dtype)


def orthogonal_frame(
    num_classes: int,
    dim: int,
    *,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float64,
) -> Float[Tensor, "K P"]:
    r"""Randomly oriented orthonormal rows, :math:`\langle m_k, m_l\rangle = \delta_{kl}`.

    Args:
        num_classes: K, at least 1.
        dim: P, at least K.
        generator: source of the orientation; None: the global generator.
        dtype: of the result.

    Raises:
        ValueError: if ``num_classes < 1`` or ``dim < num_classes``.

    Source: class-encoding paper, Definition II.2.

    >>> frame = orthogonal_frame(3, 5)
    >>> torch.allclose(frame @ frame.T, torch.eye(3, dtype=frame.dtype))
    True
    """
    _check_size("an orthogonal frame", num_classes, dim, least=num_classes, fewest=1)
    return _frame(num_classes, dim, 1.0, 0.0, generator, dtype)


def shifted_simplex_etf(
    num_classes: int,
    dim: int,
    *,
    scale: float,
    shift: float,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float64,
) -> Float[Tensor, "K P"]:
    r"""Rows of a randomly oriented shifted simplex ETF, :math:`(\alpha P (I - \beta J/K))^\top`.

    Centring its rows gives a simplex ETF whatever the shift; a shift of 1 is that simplex ETF
    itself, a shift of 0 an orthogonal frame. The Gram matrix:
    :math:`\langle m_k, m_l\rangle = \alpha^2(\delta_{kl} + ((1-\beta)^2 - 1)/K)`.

    Args:
        num_classes: K, at least 2.
        dim: P, at least K; K − 1 is enough when ``shift == 1``.
        scale: α > 0.
        shift: β, any finite number.
        generator: source of the orientation; None: the global generator.
        dtype: of the result.

    Raises:
        ValueError: if ``num_classes < 2``, ``dim`` is too small, ``scale`` is not positive, or
            either of ``scale`` and ``shift`` is not finite.

    Source: class-encoding paper, Definition III.1 and Proposition III.2.

    >>> means = shifted_simplex_etf(3, 4, scale=2.0, shift=0.5)
    >>> fit = fit_shifted_simplex_etf(means)
    >>> round(fit.scale, 6), round(fit.shift, 6)
    (2.0, 0.5)
    """
    if not (math.isfinite(scale) and scale > 0):
        raise ValueError(f"scale must be positive and finite, got {scale}")
    if not math.isfinite(shift):
        raise ValueError(f"shift must be finite, got {shift}")
    if shift == 1:
        _check_size("a shifted simplex ETF with shift 1", num_classes, dim, least=num_classes - 1)
    else:
        name = f"a shifted simplex ETF with shift {shift}"
        _check_size(name, num_classes, dim, least=num_classes)
    return _frame(num_classes, dim, scale, shift, generator, dtype)


def fit_shifted_simplex_etf(means: Tensor) -> ShiftedSimplexETF:
    r"""The shifted simplex ETF whose Gram matrix is nearest to that of the means.

    Minimises :math:`\|G - \alpha^2 (C + t J/K)\|_F` for :math:`G = \bar H^\top \bar H` over
    :math:`\alpha > 0, t = (1-\beta)^2 \ge 0`. As :math:`C \perp J/K`, the minimiser is
    :math:`\alpha^2 = \operatorname{tr}(GC)/(K-1)` and :math:`\alpha^2 t = 1^\top G 1 / K`;
    neither can be negative, so the constraint on t never binds. The result depends on the means
    only through their Gram matrix, hence not on a rotation.

    Equal means (to rounding) leave no scale: they belong to no shifted simplex ETF, and the result
    is ``scale=0.0, shift=nan, residual=nan``.

    Args:
        means: (K, P), one mean a row, not centred.

    Returns:
        ``scale`` α, ``shift`` β ≤ 1 (2 − β has the same Gram matrix) and the relative ``residual``.

    Raises:
        ValueError: if ``means`` is not a matrix of at least two rows, or not finite.

    Source: class-encoding paper, Definition III.1.

    >>> fit = fit_shifted_simplex_etf(orthogonal_frame(5, 8))
    >>> round(fit.scale, 6), abs(round(fit.shift, 6)), fit.residual < 1e-12
    (1.0, 0.0, True)
    """
    vectors = _check_vectors("means", means)
    eps = torch.finfo(means.dtype).eps if means.is_floating_point() else 0.0
    means, unit = rescaled(vectors)
    num_classes = len(means)
    centre = means.mean(0)
    centred = means - centre
    if centred.norm() <= num_classes * eps * means.norm():
        return ShiftedSimplexETF(scale=0.0, shift=math.nan, residual=math.nan)
    square = centred.square().sum() / (num_classes - 1)  # α²
    along_ones = num_classes * centre.square().sum()  # α² t
    gram = means @ means.T
    centring = centring_matrix(num_classes).to(gram.device)
    misfit = gram - square * centring - along_ones / num_classes
    return ShiftedSimplexETF(
        scale=unit * math.sqrt(float(square)),
        shift=1 - math.sqrt(float(along_ones / square)),
        residual=float(misfit.norm() / gram.norm()),
    )


def etf_distance(gram: Tensor) -> float:
    r"""Distance of a Gram matrix to that of a simplex ETF, whatever their scales.

    .. math:: \Bigl\| \frac{G}{\|G\|_F} - \frac{I - J/K}{\sqrt{K-1}} \Bigr\|_F

    Zero if and only if G is a positive multiple of :math:`C = I - J/K`, and at most 2. G may be a
    cross-Gram matrix such as :math:`W \bar H`, which is how self-duality is measured.

    Args:
        gram: (K, K), not necessarily symmetric.

    Returns:
        The distance; nan if G is zero.

    Raises:
        ValueError: if ``gram`` is not a square matrix with at least two rows, or not finite.

    Source: Zhu et al. (2021), Section 5; Kothapalli (2023).

    >>> etf = simplex_etf(4, 3)
    >>> etf_distance(etf @ etf.T) < 1e-12
    True
    """
    gram = _check_vectors("gram", gram)
    num_classes = len(gram)
    if gram.shape[1] != num_classes:
        raise ValueError(f"a Gram matrix is square, got shape {tuple(gram.shape)}")
    gram, _ = rescaled(gram)
    etf = centring_matrix(num_classes).to(gram.device) / math.sqrt(num_classes - 1)
    return float((gram / gram.norm() - etf).norm())


def pairwise_angles(means: Tensor, *, centre: bool = True) -> Float[Tensor, "K K"]:
    r"""Angles between class means, in degrees, :math:`\angle(m_k - \bar m, m_l - \bar m)`.

    Exact to rounding at every angle, near 0° and 180° too:
    :math:`2\operatorname{atan2}(\|u - v\|, \|u + v\|)` for unit vectors u, v.

    Args:
        means: (K, P), one mean a row.
        centre: subtract the mean of the means first (the angles of NC2); False: angles at the
            origin.

    Returns:
        (K, K), symmetric, with zero diagonal; nan in the row and column of a vector that is zero.
        The angles of a simplex ETF are arccos(−1/(K − 1)).

    Raises:
        ValueError: if ``means`` is not a matrix of at least two rows, or not finite.

    >>> pairwise_angles(simplex_etf(3, 2)).round()
    tensor([[  0., 120., 120.],
            [120.,   0., 120.],
            [120., 120.,   0.]], dtype=torch.float64)
    """
    vectors = _check_vectors("means", means)
    if centre:
        vectors, _ = rescaled(vectors)
        vectors = vectors - vectors.mean(0)
    vectors = rescaled_rows(vectors)  # an angle is free of the length of either vector
    unit = vectors / vectors.norm(dim=1, keepdim=True)
    exact = "donot_use_mm_for_euclid_dist"  # a product of matrices would cancel at small angles
    difference = torch.cdist(unit, unit, compute_mode=exact)
    together = torch.cdist(unit, -unit, compute_mode=exact)
    return torch.rad2deg(2 * torch.atan2(difference, together)).fill_diagonal_(0)


def _frame(
    num_classes: int,
    dim: int,
    scale: float,
    shift: float,
    generator: torch.Generator | None,
    dtype: torch.dtype,
) -> Float[Tensor, "K P"]:
    """α(I − βJ/K) in an orthonormal basis of R^K whose last vector is 1/√K, turned at random."""
    if not dtype.is_floating_point:
        raise TypeError(f"dtype must be floating point, got {dtype}")
    device = generator.device if generator is not None else None
    basis = _centred_basis(num_classes)
    if shift != 1:
        along_ones = basis.new_full((num_classes, 1), (1 - shift) / math.sqrt(num_classes))
        basis = torch.cat([basis, along_ones], dim=1)
    rank = basis.shape[1]
    gaussian = torch.randn(dim, rank, generator=generator, dtype=torch.float64, device=device)
    rotation, triangle = torch.linalg.qr(gaussian)
    # The signs make the distribution uniform (Haar); torch fixes no convention for them.
    rotation = rotation * torch.where(triangle.diagonal() < 0, -1.0, 1.0)
    return (scale * basis.to(rotation.device) @ rotation.T).to(dtype)


def _centred_basis(num_classes: int) -> Float[Tensor, "K K-1"]:
    """Helmert's orthonormal basis of the vectors that sum to zero."""
    basis = torch.zeros(num_classes, num_classes - 1, dtype=torch.float64)
    for j in range(1, num_classes):
        basis[:j, j - 1] = 1 / math.sqrt(j * (j + 1))
        basis[j, j - 1] = -math.sqrt(j / (j + 1))
    return basis


def _check_size(name: str, num_classes: int, dim: int, *, least: int, fewest: int = 2) -> None:
    for argument, value in (("num_classes", num_classes), ("dim", dim)):
        if not hasattr(value, "__index__"):
            raise TypeError(f"{argument} must be an integer, got {value!r}")
    if num_classes < fewest:
        raise ValueError(f"num_classes must be at least {fewest}, got {num_classes}")
    if dim < least:
        raise ValueError(
            f"{name} of {num_classes} vectors needs a dimension of at least {least}, got dim={dim}"
        )


def _check_vectors(name: str, vectors: Tensor) -> Float[Tensor, "K P"]:
    """The vectors in float64, once they are known to be a finite matrix of at least two rows."""
    if not isinstance(vectors, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, got {type(vectors).__name__}")
    if vectors.is_complex():
        raise TypeError(f"{name} must be real, got {vectors.dtype}")
    if vectors.ndim != 2 or len(vectors) < 2:
        raise ValueError(f"expected a (K, P) matrix with K >= 2, got shape {tuple(vectors.shape)}")
    vectors = vectors.detach().double()
    if not bool(vectors.isfinite().all()):
        raise ValueError("expected finite vectors, got NaN or infinity among them")
    return vectors
