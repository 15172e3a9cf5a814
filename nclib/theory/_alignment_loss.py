"""What class-wise attention can reach of the loss that aligns features with label embeddings."""

from __future__ import annotations

import math

import scipy
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nclib import _check

_SIMPLEX = 1e-6  # how far the cosines of embeddings may be from those of a simplex ETF


def aligned_tokens(
    embeddings: Float[Tensor, "K P"], labels: Bool[Tensor, " K"]
) -> Float[Tensor, "T P"]:
    r"""Tokens of one image whose class-wise features have the alignment loss 0.

    Cosine attention makes the feature of class c from tokens :math:`z_1, \dots, z_T`,

    .. math:: f_c = \sum_t \sigma_{tc} z_t,\qquad
       \sigma_{tc} = e^{\cos(z_t, l_c)} / \textstyle\sum_s e^{\cos(z_s, l_c)} ,

    and the loss is 0 where :math:`\cos(f_c, l_c)` is 1 for the labels S of the image and −1/(K − 1)
    for the other classes. Tokens :math:`l_c - r\sum_{j \in S, j \ne c} l_j`, one for each label,
    have the features of S right at one r. Pairs ±u with :math:`u \perp l_c` for the labels cancel
    in those features. They do not cancel in the others, whose cosines they correct. An even number
    of other classes needs one pair; for an odd number three classes have a pair each of their own.

    Args:
        embeddings: (K, P), a simplex ETF of any length.
        labels: (K,), whether the image has each class: of one, of at most K − 2, or of all.

    Returns:
        (T, P). T = m for one label or all; else m + 2 for an even number of other classes, m + 6
        for three of them, m + 8 for another odd number. All may be repeated equally often.

    Raises:
        TypeError: if the embeddings are no floating-point matrix.
        ValueError: if they are no simplex ETF, if there is not one label a class, or if their
            number is 0 (no tokens have the loss 0) or K − 1 > 1 (without a closed form here).

    Source: MLC-NC (Tao et al., AAAI 2025), equations (3) to (6), for attention and loss; the tokens
    are this book's.

    >>> from nclib.geometry import simplex_etf
    >>> tuple(aligned_tokens(simplex_etf(20, 64), torch.arange(20) < 2).shape)
    (4, 64)
    """
    unit = _simplex(embeddings)
    labels = torch.as_tensor(labels, dtype=torch.bool)
    if labels.shape != (len(unit),):
        raise ValueError(
            f"labels must have shape ({len(unit)},), one a class, got {tuple(labels.shape)}"
        )
    count = int(labels.sum())
    if count == 0 or 1 < count == len(unit) - 1:
        raise ValueError(f"labels has {count} classes, expected 1 to {len(unit) - 2}, or all")
    share = _repulsion(count, len(unit))
    tokens = (1 + share) * unit[labels] - share * unit[labels].sum(0)
    if count == 1:  # each feature is the one token, which has the right cosine with all embeddings
        return tokens
    others = unit[~labels]
    odd = 3 * (len(others) % 2)
    three, rest = others[:odd], others[odd:]
    half = len(rest) // 2
    pairs = []
    if len(three):
        pairs.append(_corrected(tokens, three - three.mean(0), unit))
    if len(rest):
        contrast = rest[:half].sum(0) - rest[half:].sum(0)
        pairs.append(_corrected(tokens, contrast[None], unit))
    return torch.cat([tokens, *(sign * rows for rows in pairs for sign in (1, -1))])


def largest_nonnegative_cosine(embeddings: Float[Tensor, "K P"]) -> Float[Tensor, " K"]:
    r"""The largest cosine that features without negative entries have with each embedding.

    It is :math:`\|[l_c]_+\| / \|l_c\|`, attained by :math:`[l_c]_+` alone. Features that attention
    averages from tokens after a ReLU are such features. For a simplex ETF in a random orientation
    it is about :math:`1/\sqrt 2`. The least of the K values is at most :math:`\sqrt{(K-1)/K}` in
    every orientation, which :math:`l_c \propto e_c - \mathbf 1/K` attains.

    Args:
        embeddings: (K, P), any rows; a zero row has the value 0.

    Raises:
        TypeError: if the embeddings are no floating-point matrix.

    Source: this book; the Cauchy-Schwarz inequality.

    >>> from nclib.geometry import centring_matrix
    >>> largest_nonnegative_cosine(centring_matrix(4)).square()
    tensor([0.7500, 0.7500, 0.7500, 0.7500], dtype=torch.float64)
    """
    return _unit(embeddings).clamp(min=0).norm(dim=1)


def largest_attention(
    share: float, *, temperature: float = 1.0, nonnegative: bool = False
) -> float:
    r"""The largest share of cosine attention that a share q of the tokens can have.

    Cosines differ by at most 2, so weights differ by a factor of at most
    :math:`e^{2/\tau}`, and

    .. math:: \sum_{t \in A} \sigma_t \le \frac{q e^{2/\tau}}{q e^{2/\tau} + 1 - q},\qquad q = |A|/T

    Cosines of tokens without negative entries lie between :math:`-\|[l]_-\|` and
    :math:`\|[l]_+\|`, which differ by at most :math:`\sqrt 2`, since their squares add up to 1.

    Args:
        share: q, from 0 to 1: of the map that a tile fills, say.
        temperature: τ > 0, which the paper does not have (1).
        nonnegative: whether the tokens have no negative entries, as after a ReLU.

    Raises:
        TypeError: if an argument is no number.
        ValueError: if one is out of range.

    Source: MLC-NC (Tao et al., AAAI 2025), equation (3). That bounded scores cannot be sharp among
    many tokens is in Veličković et al. (2024), arXiv 2410.01104.

    >>> round(largest_attention(1 / 4), 3), round(largest_attention(1 / 49), 3)
    (0.711, 0.133)
    """
    _check.number("share", share, least=0)
    _check.number("temperature", temperature, above=0)
    if share > 1:
        raise ValueError(f"share is {share}, expected at most 1")
    width = math.sqrt(2) if nonnegative else 2.0
    return share / (share + (1 - share) * math.exp(-width / temperature))


def _unit(embeddings: Tensor) -> Float[Tensor, "K P"]:
    rows = _check.matrix("embeddings", embeddings).detach().double()
    return torch.nn.functional.normalize(rows, dim=1, eps=torch.finfo(torch.float64).tiny)


def _simplex(embeddings: Tensor) -> Float[Tensor, "K P"]:
    """Unit embeddings, if they are a simplex ETF."""
    unit = _unit(embeddings)
    k = len(unit)
    if k < 2:
        raise ValueError(f"embeddings has {k} class, expected at least 2")
    expected = (k * torch.eye(k, dtype=unit.dtype, device=unit.device) - 1) / (k - 1)
    misfit = float((unit @ unit.T - expected).abs().max())
    if not misfit <= _SIMPLEX:
        raise ValueError(f"embeddings is no simplex ETF: a cosine differs by {misfit:.2g}")
    return unit


def _repulsion(count: int, num_classes: int) -> float:
    """r, at which the other labels cancel in the feature of each label."""
    if count == 1:
        return 0.0
    cosine, others = -1 / (num_classes - 1), count - 1

    def lead(r: float) -> float:
        """log of the needed ratio of weights, less what attention gives."""
        squared = 1 - 2 * r * others * cosine + r**2 * others * (1 + (others - 1) * cosine)
        return math.log(1 / r - (others - 1)) - (1 - cosine) * (1 + r) / math.sqrt(squared)

    edge = 1 / others
    return float(scipy.optimize.brentq(lead, 1e-9 * edge, (1 - 1e-12) * edge, xtol=1e-16))


def _corrected(
    tokens: Float[Tensor, "T P"], pairs: Float[Tensor, "G P"], unit: Float[Tensor, "K P"]
) -> Float[Tensor, "G P"]:
    """The pairs, at the length that gives the first class of theirs the cosine -1/(K - 1).

    The feature of that class is the weighted sum of the tokens and, orthogonal to it, that of the
    pairs, so that the length solves a quadratic equation.
    """
    embedding = unit[int((unit @ pairs[0]).argmax())]
    base = tokens.sum(0) * float(torch.cosine_similarity(tokens[0], embedding, dim=0).exp())
    added = (2 * torch.cosine_similarity(pairs, embedding[None]).sinh()) @ pairs
    along, across = float(base @ embedding), float(added @ embedding)
    first, second = float(base @ base), float(added @ added)
    level = 1 / (len(unit) - 1) ** 2
    root = math.sqrt(level * (across**2 * first + along**2 * second - level * first * second))
    return (along**2 - level * first) / (root - along * across) * pairs
