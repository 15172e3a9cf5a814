r"""How labels are encoded: matrices :math:`\bar Y \in \mathbb R^{K\times K}`, one column a class.

To add an encoding, write one function of ``num_classes`` (and its options) and decorate it with
``@encoding``: it is then known by name to :func:`make`, to run configurations and to the command
line.

Source: class-encoding paper (arXiv 2606.00344), Sections II and IV.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from nclib._names import unknown

__all__ = ["ENCODINGS", "encoding", "make", "one_hot", "random", "rotated", "shifted", "smoothed"]

ENCODINGS: dict[str, Callable[..., Tensor]] = {}


def encoding(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Register an encoding under the function's name; it then refuses fewer than two classes."""

    @functools.wraps(function)
    def checked(num_classes: int, *args: float, **options: float | None) -> Tensor:
        if num_classes < 2:
            raise ValueError(f"an encoding needs at least 2 classes, got {num_classes}")
        return function(num_classes, *args, **options)

    ENCODINGS[function.__name__] = checked
    return checked


def make(name: str, num_classes: int, **options: float) -> Float[Tensor, "K K"]:
    """The encoding of that name, with its options.

    Args:
        name: a key of ``ENCODINGS``.
        num_classes: K, at least 2.
        options: keyword arguments of the encoding's function.

    Raises:
        ValueError: if the name is unknown (the near matches are listed), or ``num_classes < 2``.
        TypeError: if the encoding takes no option of that name, or lacks one.

    >>> make("smoothed", 2, delta=0.5)
    tensor([[0.7500, 0.2500],
            [0.2500, 0.7500]], dtype=torch.float64)
    """
    if name not in ENCODINGS:
        raise unknown("encoding", name, ENCODINGS)
    try:
        inspect.signature(ENCODINGS[name]).bind(num_classes, **options)
    except TypeError as error:
        takes = list(inspect.signature(ENCODINGS[name]).parameters)[1:]
        raise TypeError(f"encoding {name!r}: {error}; its options are {takes}") from None
    return ENCODINGS[name](num_classes, **options)


@encoding
def one_hot(num_classes: int) -> Float[Tensor, "K K"]:
    r"""One-hot labels, :math:`\bar Y = I`."""
    return torch.eye(num_classes, dtype=torch.float64)


@encoding
def smoothed(num_classes: int, delta: float = 0.1) -> Float[Tensor, "K K"]:
    r"""Label smoothing, :math:`\bar Y = (1-\delta) I + (\delta/K) J`.

    Raises:
        ValueError: if ``delta`` is not in [0, 1].
    """
    if not 0 <= delta <= 1:
        raise ValueError(f"delta must lie in [0, 1], got {delta}")
    eye = torch.eye(num_classes, dtype=torch.float64)
    return (1 - delta) * eye + delta / num_classes


@encoding
def rotated(num_classes: int, angle: float | None = None, seed: int = 0) -> Float[Tensor, "K K"]:
    r"""Rotated one-hot labels, :math:`\bar Y = Q`, :math:`Q^\top Q = I` (Prop. IV.3).

    Args:
        num_classes: K, at least 2.
        angle: rotation in the plane of the first two coordinates, in radians; None draws Q from the
            Haar measure on the orthogonal group.
        seed: of that draw.

    Raises:
        ValueError: if ``angle`` is not finite.
    """
    if angle is not None:
        if not math.isfinite(angle):
            raise ValueError(f"angle must be finite, got {angle}")
        rotation = torch.eye(num_classes, dtype=torch.float64)
        cosine, sine = math.cos(angle), math.sin(angle)
        plane = torch.tensor([[cosine, -sine], [sine, cosine]], dtype=rotation.dtype)
        rotation[:2, :2] = plane
        return rotation
    q, r = torch.linalg.qr(_gaussian(num_classes, seed))
    return q * r.diagonal().sign()  # the signs make the draw uniform (Mezzadri, 2007)


@encoding
def random(num_classes: int, seed: int = 0) -> Float[Tensor, "K K"]:
    r"""Gaussian labels, entries :math:`\mathcal N(0, 1/K)`: columns of length about one."""
    return _gaussian(num_classes, seed) / math.sqrt(num_classes)


@encoding
def shifted(num_classes: int, scale: float = 1.0, shift: float = 0.0) -> Float[Tensor, "K K"]:
    r"""A shifted simplex ETF, :math:`\bar Y = \alpha(I - \beta J/K)` (Def. III.1 with P = I).

    Args:
        num_classes: K, at least 2.
        scale: :math:`\alpha`, positive.
        shift: :math:`\beta`; 0 gives an orthogonal frame, 1 a simplex ETF.

    Raises:
        ValueError: if ``scale`` is not positive, or either of the two is not finite.
    """
    if not (math.isfinite(scale) and scale > 0):
        raise ValueError(f"scale must be positive and finite, got {scale}")
    if not math.isfinite(shift):
        raise ValueError(f"shift must be finite, got {shift}")
    eye = torch.eye(num_classes, dtype=torch.float64)
    return scale * (eye - shift / num_classes)


def _gaussian(num_classes: int, seed: int) -> Float[Tensor, "K K"]:
    generator = torch.Generator().manual_seed(int(seed))
    return torch.randn(num_classes, num_classes, generator=generator, dtype=torch.float64)
