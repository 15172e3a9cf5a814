"""Supervised contrastive losses against a queue of keys: FCL, KCL and TSC."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nclib import _check
from nclib._names import unknown
from nclib.losses import _arguments
from nclib.losses._features import unit_rows

TargetAs = Literal["term", "positive"]


def supervised_contrastive(
    queries: Float[Tensor, "N P"],
    labels: Int[Tensor, " N"],
    views: Float[Tensor, "N P"],
    keys: Float[Tensor, "M P"],
    key_labels: Int[Tensor, " M"],
    *,
    temperature: float = 0.07,
    positives: int | None = None,
    targets: Float[Tensor, "K P"] | None = None,
    target_weight: float = 1.0,
    target_as: TargetAs = "term",
    generator: torch.Generator | None = None,
) -> Float[Tensor, ""]:
    r"""Contrastive loss in which keys of the own class count as positives.

    .. math:: -\frac1N \sum_i \Bigl( \frac1{|A_i|} \sum_{a \in A_i} \log p_i(a)
        + \lambda \log p_i(t_{y_i}) \Bigr), \qquad
        p_i(a) = \frac{e^{\langle q_i, a \rangle/\tau}}{\sum_{b} e^{\langle q_i, b \rangle/\tau}}

    The sum in the denominator is over the other view of image i, all keys, and all targets. The
    positives :math:`A_i` are that other view and keys of the class :math:`y_i`: all of them (FCL),
    or at most k, drawn anew for each query (KCL), so that frequent classes do not pull more. With
    targets it is TSC, which also pulls each query to the target of its class. That pull is a term
    of its own, as above, or one more positive of weight λ, as the released code has it:

    .. math:: -\frac1N \sum_i \frac1{|A_i| + 1} \Bigl( \sum_{a \in A_i} \log p_i(a)
        + \lambda \log p_i(t_{y_i}) \Bigr) .

    All vectors are scaled to unit norm.

    Args:
        queries: embeddings of the images.
        labels: class ids.
        views: embeddings of other views of the same images, row by row.
        keys: embeddings of other images, such as a queue has them.
        key_labels: their class ids; −1: a key of no class, always a negative.
        temperature: τ.
        positives: k, how many keys of the own class at most; None: all.
        targets: a vector for each class; None: none, and no second term.
        target_weight: λ.
        target_as: ``"term"`` or ``"positive"``; it matters with targets alone.
        generator: draws the positives; None: the global generator.

    Raises:
        ValueError: if shapes do not fit, or an option is out of range.

    Source: Kang et al. (2021), equations 2 and 3 (FCL, KCL); Li et al. (2022), TSC, with the
    denominator of its released code.

    >>> one, other = torch.eye(2).split(1)
    >>> none = torch.tensor([-1])
    >>> supervised_contrastive(one, none + 1, one, other, none, temperature=1.0)  # log(1 + 1/e)
    tensor(0.3133)
    """
    _check.number("temperature", temperature, above=0.0)
    _check.number("target_weight", target_weight, least=0.0)
    if target_as not in get_args(TargetAs):
        raise unknown("target_as", target_as, get_args(TargetAs))
    if positives is not None and positives < 0:
        raise ValueError(f"positives is {positives}, expected 0 or more")
    num_classes = math.inf if targets is None else len(targets)
    queries, labels = _arguments.batch("queries", queries, labels, num_classes)
    views, keys = _arguments.matrix("views", views), _arguments.matrix("keys", keys)
    if views.shape != queries.shape:
        raise ValueError(
            f"views must have the shape of the queries, {tuple(queries.shape)}, "
            f"got {tuple(views.shape)}"
        )
    _check.same_dim("keys", keys, queries)
    if not isinstance(key_labels, Tensor):
        raise TypeError(f"key_labels must be a torch.Tensor, got {type(key_labels).__name__}")
    if key_labels.shape != keys.shape[:1]:
        raise ValueError(
            f"key_labels must have shape ({len(keys)},), one for each key, "
            f"got {tuple(key_labels.shape)}"
        )
    queries, views, keys = unit_rows(queries), unit_rows(views), unit_rows(keys)
    others = [keys]
    if targets is not None:
        targets = _arguments.matrix("targets", targets)
        _check.same_dim("targets", targets, queries)
        others.append(unit_rows(targets))
    with torch.autocast(queries.device.type, enabled=False):
        own_view = (queries * views).sum(1, keepdim=True)
        scores = torch.cat([own_view, queries @ torch.cat(others).T], dim=1) / temperature
    log_p = scores.log_softmax(1)
    chosen = labels[:, None] == key_labels
    if positives is not None:
        chosen = _drawn(chosen, positives, generator)
    same = (log_p[:, 1 : 1 + len(keys)] * chosen).sum(1)
    pull, count = log_p[:, 0] + same, 1 + chosen.sum(1)
    if targets is None:
        return -(pull / count).mean()
    to_target = target_weight * log_p[:, 1 + len(keys) :].gather(1, labels[:, None])[:, 0]
    if target_as == "positive":
        return -((pull + to_target) / (count + 1)).mean()
    return -(pull / count + to_target).mean()


def _drawn(candidates: Tensor, most: int, generator: torch.Generator | None) -> Tensor:
    """At most so many of the candidates of each row, every subset equally likely."""
    device = candidates.device
    draws = torch.rand(candidates.shape, generator=generator, device=device)
    draws = draws.masked_fill(~candidates, -1.0)
    best = draws.topk(min(most, candidates.shape[1]), dim=1).indices
    return torch.zeros_like(candidates).scatter(1, best, True) & candidates


def assigned_targets(
    centres: Float[Tensor, "K P"], targets: Float[Tensor, "K P"]
) -> Float[Tensor, "K P"]:
    r"""The targets in the order in which they are nearest to the class centres in all.

    Maximises :math:`\sum_k \langle \hat\mu_k, t_{\pi(k)} \rangle` over permutations π.

    Args:
        centres: of the classes; their lengths do not matter.
        targets: unit vectors such as the rows of a simplex ETF.

    Returns:
        Row k is the target of class k.

    Raises:
        ValueError: if the shapes differ.

    Source: Li et al. (2022), the online assignment of TSC.

    >>> assigned_targets(torch.tensor([[0.0, 2.0], [1.0, 1.0]]), torch.eye(2))
    tensor([[0., 1.],
            [1., 0.]])
    """
    from scipy.optimize import linear_sum_assignment

    centres = _arguments.matrix("centres", centres.detach())
    if targets.shape != centres.shape:
        raise ValueError(
            f"targets must have the shape of the centres, {tuple(centres.shape)}, "
            f"got {tuple(targets.shape)}"
        )
    gains = unit_rows(centres) @ targets.to(centres).T
    _, order = linear_sum_assignment(gains.double().cpu().numpy(), maximize=True)
    return targets[torch.as_tensor(order, device=targets.device)]
