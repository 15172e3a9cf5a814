"""Losses of class-wise features, one for each class of each image: the two of MLC-NC."""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.linalg import vector_norm

from nclib import _check
from nclib._names import unknown
from nclib._scale import power_of_two
from nclib.losses import _arguments
from nclib.losses._features import unit_rows
from nclib.losses._multi_label import MultiHot

CollapseReduction = Literal["paper", "pairs"]
_LEAST = 1e-6  # of what a logarithm is taken of


def feature_label_alignment(
    features: Float[Tensor, "N K P"], embeddings: Float[Tensor, "K P"], targets: MultiHot
) -> Float[Tensor, ""]:
    r"""L_FLA: features of labels along the label's embedding, the others at a simplex's angle.

    With the cosine :math:`s_{ik}` between the feature of class k in image i and the embedding of
    that class,

    .. math:: -\frac1{NK} \sum_{ik} y_{ik} \log\frac{1 + s_{ik}}2 + (1 - y_{ik})
        \log\Bigl(1 - \frac{K - 1}K \Bigl|\frac1{K - 1} + s_{ik}\Bigr|\Bigr) .

    The logarithms' arguments are at least 1e-6. Cosines are free of either scale; a feature that is
    zero has cosine 0 and no gradient.

    Args:
        features: class by class, :math:`f_i^k`.
        embeddings: of the labels, :math:`l_k`: a simplex ETF in the source; the gradient flows to
            them too.
        targets: multi-hot: 1 where an image has the label, else 0; y.

    Raises:
        TypeError: if features or embeddings are not floating point, or targets no tensor.
        ValueError: if shapes do not fit, or a target is neither 0 nor 1.

    Source: MLC-NC (2025), equation 6.

    >>> import torch
    >>> features = torch.tensor([[[0.0, 2.0], [3.0, 0.0]]])  # at right angles to their labels
    >>> feature_label_alignment(features, torch.eye(2), torch.tensor([[1, 0]]))  # log 2 each
    tensor(0.6931)
    """
    features, embeddings, targets = _arguments.class_wise(
        features, "embeddings", embeddings, targets
    )
    num_classes = len(embeddings)
    cosines = class_wise_cosines(features, unit_rows(embeddings))
    positive = (1 + cosines) / 2
    # (K − 1)/K · |1/(K − 1) + s|, without a division by 0 for a class alone.
    negative = 1 - (1 + (num_classes - 1) * cosines).abs() / num_classes
    return -torch.where(targets > 0, positive, negative).clamp_min(_LEAST).log().mean()


def projected_collapse(
    features: Float[Tensor, "N K P"],
    centres: Float[Tensor, "K P"],
    targets: MultiHot,
    *,
    tau: float = 0.5,
    reduction: CollapseReduction = "paper",
) -> Float[Tensor, ""]:
    r"""L_FPC: features of labels to the centre of their class, away from the other centres.

    With the cosine :math:`S_i^{kl}` between the feature of class k in image i and the centre of
    class l, over the positive pairs (i, k),

    .. math:: -\frac1N \sum_{ik} y_{ik}
        \log\frac{e^{S_i^{kk}/\tau}}{\sum_l e^{S_i^{kl}/\tau}} .

    Features and centres are scaled to unit norm here; those that are zero have cosine 0.

    Args:
        features: class by class, projected.
        centres: of the classes; the gradient flows to them as well.
        targets: multi-hot: 1 where an image has the label, else 0; y.
        tau: τ.
        reduction: what the sum is divided by: ``paper``: N; ``pairs``: the number of positive
            pairs, as the released code of the source has it. Without any the loss is 0.

    Raises:
        TypeError: if features or centres are not floating point, or targets no tensor.
        ValueError: if shapes do not fit, a target is neither 0 nor 1, ``tau`` is not positive, or
            ``reduction`` is unknown.

    Source: MLC-NC (2025), equation 9 with :math:`\tau_1 = \tau_2`, as in its experiments.

    >>> import torch
    >>> features = torch.tensor([[[0.0, 2.0], [3.0, 0.0]]])
    >>> projected_collapse(features, torch.eye(2), torch.tensor([[1, 0]]), tau=1.0)  # log(1 + e)
    tensor(1.3133)
    """
    _check.number("tau", tau, above=0.0)
    if reduction not in get_args(CollapseReduction):
        raise unknown("reduction", reduction, get_args(CollapseReduction))
    features, centres, targets = _arguments.class_wise(features, "centres", centres, targets)
    with torch.autocast(features.device.type, enabled=False):
        directions = unit_rows(features.flatten(0, 1)).view_as(features)
        scores = directions @ unit_rows(centres).T / tau
    log_p = scores.log_softmax(2).diagonal(dim1=1, dim2=2)
    count = len(features) if reduction == "paper" else targets.sum().clamp_min(1)
    return -(log_p * targets).sum() / count


def class_wise_cosines(
    features: Float[Tensor, "N K P"], directions: Float[Tensor, "K P"]
) -> Float[Tensor, "N K"]:
    """Cosines between the feature of each class and its unit vector, from any scale."""
    cosines: Tensor = _Cosines.apply(features, directions)
    return cosines


class _Cosines(torch.autograd.Function):
    """It keeps the features alone, where autograd would keep and make five arrays of that size."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, directions: Tensor) -> Tensor:
        unit = power_of_two(vector_norm(features, torch.inf, dim=2))
        with torch.autocast(features.device.type, enabled=False):
            scaled = features / unit[:, :, None]
            norms = vector_norm(scaled, dim=2)
            # Of a feature that is zero (its entries are below the normal numbers) all is zero.
            inverse = torch.where(norms < 1, 0.0, 1 / norms)
            cosines = _products(scaled, directions) * inverse
        ctx.save_for_backward(features, directions, cosines, inverse / unit)
        return cosines

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor | None, Tensor | None]:
        features, directions, cosines, inverse = ctx.saved_tensors
        to_features = to_directions = None
        unit_features = features * inverse[:, :, None]
        if ctx.needs_input_grad[1]:
            to_directions = torch.bmm(slopes.T[:, None, :], unit_features.transpose(0, 1))[:, 0]
        if ctx.needs_input_grad[0]:  # (g/‖f‖)(l − s f/‖f‖)
            slopes = slopes * inverse
            to_features = unit_features.mul_((-slopes * cosines)[:, :, None])
            to_features.addcmul_(directions, slopes[:, :, None])
        return to_features, to_directions


def _products(features: Tensor, directions: Tensor) -> Tensor:
    """⟨f_ik, l_k⟩, of each class by itself."""
    return torch.bmm(features.transpose(0, 1), directions[:, :, None])[:, :, 0].T
