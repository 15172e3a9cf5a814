"""Units to measure in: what is free of scale is computed after division by a power of two.

Such a division changes no digit. Without it squares of extreme numbers under- or overflow, and
values that are ratios of squares are wrong without a sign of it.
"""

import math

import torch
from torch import Tensor

_ORDINARY = 2.0**20  # up to here, and down to its inverse, numbers stay as they are


def is_ordinary(largest: float) -> bool:
    """Whether numbers whose largest magnitude is this can be squared as they are."""
    return 1 / _ORDINARY <= largest <= _ORDINARY


def unit_of(largest: float, dtype: torch.dtype = torch.float64) -> float:
    """The unit for numbers of that largest magnitude: 1 if it is ordinary or zero.

    Otherwise it is the power of two just below, as far as ``dtype`` holds both it and its inverse.
    """
    if largest == 0 or is_ordinary(largest):
        return 1.0
    smallest = torch.finfo(dtype).tiny
    return min(max(math.ldexp(0.5, math.frexp(largest)[1]), smallest), 1 / smallest)


def magnitude(values: Tensor) -> float:
    """The largest magnitude, in one pass without a copy; nan if anything is, 0 of nothing."""
    if not values.numel():
        return 0.0
    least, greatest = values.aminmax()
    return float(torch.maximum(-least, greatest))


def rescaled(values: Tensor) -> tuple[Tensor, float]:
    """The values in their own unit; and that unit."""
    unit = unit_of(magnitude(values), values.dtype)
    return (values if unit == 1 else values / unit), unit


def power_of_two(largest: Tensor) -> Tensor:
    """The power of two at or below each magnitude; 1 for those below the normal numbers."""
    power = largest / (2 * largest.frexp().mantissa)
    return torch.where(largest < torch.finfo(largest.dtype).tiny, 1.0, power)


def rescaled_rows(rows: Tensor) -> Tensor:
    """Each row over the power of two just below its largest magnitude; a row of zeros stays."""
    if not rows.numel():
        return rows
    largest, tiny = rows.abs().amax(1, keepdim=True), torch.finfo(rows.dtype).tiny
    return rows / torch.where((largest > 0) & (largest < tiny), tiny, power_of_two(largest))
