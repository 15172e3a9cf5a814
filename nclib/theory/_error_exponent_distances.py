"""Signed distances of class means to the boundaries of a linear classifier.

Most come from products of matrices, in blocks. A pair whose rows nearly agree cancels there; the
distance is then computed again from the difference of the rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from nclib import _check
from nclib._scale import magnitude, power_of_two, unit_of

BLOCK = 2**22  # numbers in a block: 32 MiB

_CLOSE = 16.0  # rows whose norms add up to more than this times their distance are close
_TINY = 1e-140  # lengths whose squares lose digits


class Classifier(NamedTuple):
    """Class means and a linear classifier, each in a unit in which its squares are ordinary."""

    means: Float[Tensor, "K P"]
    weight: Float[Tensor, "K P"]
    bias: Float[Tensor, " K"]  # as given
    mean_unit: float
    weight_unit: float

    def in_units(self, bias: Tensor) -> Tensor:
        """Differences of biases in the unit of the scores."""
        smaller, larger = sorted((self.mean_unit, self.weight_unit))
        return bias / larger / smaller  # in this order no number overflows on the way


class _Block(NamedTuple):
    """Distances of a few means, (B, K), in the unit of the means."""

    distances: Float[Tensor, "B K"]  # inf of a class to itself
    close: Bool[Tensor, "B K"]  # pairs of rows that cancel, whose distances are rough:
    error: Float[Tensor, "B K"]  # they are wrong by at most this; inf or nan: anything is possible
    classes: Int64[Tensor, " B"]


def checked(means: Tensor, weight: Tensor, bias: Tensor | None) -> Classifier:
    """Means and classifier in float64 and in units of their own, if they make sense."""
    means, weight = _check.matrix("means", means), _check.matrix("weight", weight)
    if means.shape != weight.shape or len(means) < 2:
        raise ValueError(
            "expected means and weight of one shape (K, P) with K >= 2, "
            f"got {tuple(means.shape)} and {tuple(weight.shape)}"
        )
    if bias is None:
        bias = weight.new_zeros(len(weight))
    bias = _check.per_class("bias", _check.floating("bias", bias), len(weight))
    for name, values in (("means", means), ("weight", weight), ("bias", bias)):
        if not bool(values.isfinite().all()):
            raise ValueError(f"{name} must be finite, got NaN or infinity")
    if bool((weight == weight[0]).all()):
        raise ValueError(
            f"all {len(weight)} rows of weight are equal, expected a classifier that tells at "
            "least two classes from each other"
        )
    means = means.detach().double()
    weight, bias = weight.detach().to(means), bias.detach().to(means)
    units = unit_of(magnitude(means)), unit_of(magnitude(weight))
    return Classifier(means / units[0], weight / units[1], bias, *units)


def all_distances(classifier: Classifier) -> Float[Tensor, "K K"]:
    """Of each mean to its boundary with each class; inf to itself. Negative: the wrong side."""
    rows = []
    for block in _blocks(classifier):
        for k, row, close in zip(block.classes, block.distances, block.close, strict=True):
            row[close] = _from_differences(classifier, k, close.nonzero().squeeze(1))
        rows.append(block.distances)
    return torch.cat(rows)


def least_distances(classifier: Classifier) -> tuple[Float[Tensor, " K"], Int64[Tensor, " K"]]:
    """Of each mean to its least distant boundary, and the class beyond that boundary."""
    least, beyond = [], []
    for block in _blocks(classifier):
        plain = block.distances.masked_fill(block.close, torch.inf)
        rough = (block.distances + block.error).where(block.close, torch.inf)
        most = torch.minimum(plain, rough.nan_to_num(torch.inf)).amin(1, keepdim=True)
        # A comparison with nan is false: what may be anything stays a candidate.
        candidates = block.close & ~(block.distances - block.error > most)
        candidates.scatter_(1, plain.argmin(1, keepdim=True), True)
        candidates[_itself(block.classes)] = False
        for k, row in zip(block.classes, candidates, strict=True):
            others = row.nonzero().squeeze(1)
            value, place = _from_differences(classifier, k, others).min(0)
            least.append(value)
            beyond.append(others[place])
    return torch.stack(least), torch.stack(beyond)


def least_mahalanobis(
    classifier: Classifier, covariances: Float[Tensor, "K P P"]
) -> tuple[Float[Tensor, " K"], Int64[Tensor, " K"]]:
    """The same in standard deviations of each class's noise along the normal of the boundary."""
    means, weight, bias, mean_unit, _ = classifier
    if covariances.shape != (*means.shape, means.shape[1]):
        raise ValueError(
            f"within must have shape ({len(means)},) or {(*means.shape, means.shape[1])}, "
            f"got {tuple(covariances.shape)}"
        )
    unit = unit_of(magnitude(covariances))
    rounding = means.shape[1] * torch.finfo(means.dtype).eps
    least, beyond = [], []
    for k, covariance in enumerate(covariances.to(means) / unit):
        size = float(torch.linalg.matrix_norm(covariance))
        if not (covariance - covariance.T).abs().max() <= 1e-6 * size:
            raise ValueError(f"within must be symmetric and finite, the one of class {k} is not")
        normals, lengths, units = _differences(weight[k], weight)
        leads = normals @ means[k] + classifier.in_units(bias[k] - bias) / units
        squares, floor = ((normals @ covariance) * normals).sum(1), rounding * size * lengths**2
        if not bool((squares >= -floor).all()):
            raise ValueError(f"within of class {k} has a negative variance, expected none")
        squares = torch.where(squares > floor, squares, 0.0)
        distances = (leads / squares.sqrt()).nan_to_num(0.0, torch.inf, -torch.inf)
        distances = torch.where(lengths > 0, distances, _by_bias(bias[k] > bias))
        distances[k] = torch.inf
        value, place = distances.min(0)
        least.append(value)
        beyond.append(place)
    return torch.stack(least) * (mean_unit / math.sqrt(unit)), torch.stack(beyond)


def _blocks(classifier: Classifier) -> Iterator[_Block]:
    """Distances from products of matrices, with a bound of the error where rows cancel."""
    means, weight, bias = classifier.means, classifier.weight, classifier.bias
    alike = torch.unique(weight, dim=0, return_inverse=True)[1]
    weight = weight - weight.mean(0)  # a common shift changes no distance
    norms, reach = weight.norm(dim=1), means.norm(dim=1)
    rounding = (means.shape[1] + 4) * torch.finfo(means.dtype).eps
    classes = torch.arange(len(means), device=means.device)
    for block in classes.split(max(1, BLOCK // len(means))):
        both = norms[block, None] + norms
        squares = norms[block, None].square() + norms.square() - 2 * weight[block] @ weight.T
        lengths = squares.clamp(min=0).sqrt()
        scores = means[block] @ weight.T
        scores = scores[_itself(block)][:, None] - scores
        distances = (scores + classifier.in_units(bias[block, None] - bias)) / lengths
        ratio = torch.where(lengths > _TINY, both / lengths, torch.inf)
        error = rounding * ratio * (reach[block, None] + ratio * distances.abs())
        error = torch.where(rounding * ratio.square() < 0.5, error, torch.inf)
        equal = alike[block, None] == alike
        distances = torch.where(equal, _by_bias(bias[block, None] > bias), distances)
        distances[_itself(block)] = torch.inf
        close = ~equal & (ratio > _CLOSE)
        yield _Block(distances, close, error, block)


def _itself(classes: Int64[Tensor, " B"]) -> tuple[Int64[Tensor, " B"], Int64[Tensor, " B"]]:
    """The places of a class's distance to itself in a block."""
    return torch.arange(len(classes), device=classes.device), classes


def _from_differences(
    classifier: Classifier, true: Int64[Tensor, ""], others: Int64[Tensor, " n"]
) -> Float[Tensor, " n"]:
    """The distances of a class's mean to its boundaries with others, each from the difference."""
    means, weight, bias = classifier.means, classifier.weight, classifier.bias
    differences, lengths, unit = _differences(weight[true], weight[others])
    lead = classifier.in_units(bias[true] - bias[others]) / unit
    distances = (differences @ means[true] + lead) / lengths
    return torch.where(lengths > 0, distances, _by_bias(bias[true] > bias[others]))


def _differences(
    true: Float[Tensor, " P"], others: Float[Tensor, "n P"]
) -> tuple[Float[Tensor, "n P"], Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Normals of boundaries, their lengths (0 for equal rows), and the units of both."""
    normals = true - others
    lengths, units = normals.norm(dim=1), others.new_ones(len(others))
    small = (lengths < _TINY).nonzero().squeeze(1)
    if len(small):
        smallest = torch.finfo(normals.dtype).tiny
        units[small] = power_of_two(normals[small].abs().amax(1).clamp(min=smallest))
        normals[small] = normals[small] / units[small, None]
        lengths[small] = normals[small].norm(dim=1)
    return normals, lengths, units


def _by_bias(leads: Bool[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Between equal rows the bias decides, whatever the feature; a tie counts as an error."""
    return torch.where(leads, torch.inf, -torch.inf).double()
