r"""Heads: from features to one score a class.

Each has ``weight`` (K, P) and ``bias`` (K,) or None such that the class of the largest
:math:`\langle w_k, h\rangle + b_k` is the one that it chooses.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from nclib import geometry
from nclib._names import unknown
from nclib._scale import power_of_two

Head = Callable[[int, int, bool], nn.Module]


def linear_head(dim: int, num_classes: int, bias: bool) -> nn.Linear:
    """Scores W h + b, with b = 0 at first, and W as ``torch.nn.Linear`` draws it."""
    head = nn.Linear(dim, num_classes, bias=bias)
    if bias:
        nn.init.zeros_(head.bias)
    return head


def kaiming_head(dim: int, num_classes: int, bias: bool) -> nn.Linear:
    r"""Scores W h + b, with b = 0 and :math:`W_{kj} \sim N(0, 2/P)` at first.

    As the released code of LDAM has it (its bias, though, starts as that of ``torch.nn.Linear``):
    about 2.4 times as large as :func:`linear_head`, whose variance is :math:`1/(3P)`.

    Source: He et al. (2015), "Delving deep into rectifiers", eq. (10); Cao et al. (2019).
    """
    head = linear_head(dim, num_classes, bias)
    nn.init.kaiming_normal_(head.weight)
    return head


class ProbeHead(nn.Linear):
    """Scores W h + b that learn from the features, but do not teach them: no gradient goes back.

    For networks whose features learn from something else, to see at any time what they are worth.
    """

    def __init__(self, dim: int, num_classes: int, bias: bool) -> None:
        super().__init__(dim, num_classes, bias=bias)
        if bias:
            nn.init.zeros_(self.bias)

    def forward(self, features: Float[Tensor, "B P"]) -> Float[Tensor, "B K"]:
        """Scores of the features as they are."""
        return super().forward(features.detach())


class CosineHead(nn.Module):
    r"""Cosines between features and the rows of a learnt matrix, :math:`\cos\angle(h, v_k)`.

    The rows start uniform in the cube, then scaled to unit norm. The scale of a loss belongs to the
    loss. ``weight`` has the rows at unit norm.

    Source: Cao et al. (2019), the normalised last layer of LDAM.
    """

    bias = None

    def __init__(self, dim: int, num_classes: int) -> None:
        super().__init__()
        directions = torch.empty(num_classes, dim).uniform_(-1, 1)
        self.directions = nn.Parameter(functional.normalize(directions))

    @property
    def weight(self) -> Float[Tensor, "K P"]:
        """The rows at unit norm."""
        return functional.normalize(self.directions)

    def forward(self, features: Float[Tensor, "B P"]) -> Float[Tensor, "B K"]:
        """Cosines, in float32 at least."""
        return _cosines(features, self.weight)


class FixedETFHead(nn.Module):
    r"""Cosines between features and the vertices of a simplex ETF that is never trained.

    Args:
        dim: P, at least K − 1.
        num_classes: K.

    Raises:
        ValueError: if ``dim < num_classes - 1``.

    Source: Yang et al. (2022), "Inducing neural collapse in imbalanced learning".
    """

    bias = None
    weight: Tensor

    def __init__(self, dim: int, num_classes: int) -> None:
        super().__init__()
        etf = geometry.simplex_etf(num_classes, dim, dtype=torch.float32)
        self.register_buffer("weight", etf)

    def forward(self, features: Float[Tensor, "B P"]) -> Float[Tensor, "B K"]:
        """Cosines, in float32 at least."""
        return _cosines(features, self.weight)


class LinearETFHead(FixedETFHead):
    r"""Scores W h with the vertices of a simplex ETF in W, which is never trained.

    They grow with the features. So softmax and sigmoid reach any probability without a scale, and
    the classifier is that of the unconstrained features model.

    Args:
        dim: P, at least K − 1.
        num_classes: K.

    Raises:
        ValueError: if ``dim < num_classes - 1``.

    Source: Li et al. (2024), the fixed classifier of their experiments.
    """

    def forward(self, features: Float[Tensor, "B P"]) -> Float[Tensor, "B K"]:
        """Scores of the features as they are."""
        return functional.linear(features, self.weight)


class ScaledETFHead(nn.Module):
    r"""Scores :math:`\gamma V h`, with the vertices of a simplex ETF in V and a learnt factor γ.

    Features are class by class, each of unit norm, and stand side by side: a score is at most
    :math:`\gamma\sqrt K` then. γ starts at 1.

    Args:
        dim: of the features side by side, at least K − 1.
        num_classes: K.
        trained: whether V, which starts as a simplex ETF, learns too.

    Raises:
        ValueError: if ``dim < num_classes - 1``.

    Source: MLC-NC (2025), equation 10; its released code trains V.
    """

    bias = None

    def __init__(self, dim: int, num_classes: int, *, trained: bool = False) -> None:
        super().__init__()
        self.trained = trained
        etf = geometry.simplex_etf(num_classes, dim, dtype=torch.float32)
        self.directions = nn.Parameter(etf, requires_grad=trained)
        self.factor = nn.Parameter(torch.ones(()))

    @property
    def weight(self) -> Float[Tensor, "K P"]:
        """The scaled rows, γV."""
        return self.factor * self.directions

    def forward(self, features: Float[Tensor, "B P"]) -> Float[Tensor, "B K"]:
        """Scores, in float32 at least."""
        with torch.autocast(features.device.type, enabled=False):
            features = features.to(torch.promote_types(features.dtype, self.directions.dtype))
            return self.factor * functional.linear(features, self.directions)


class ClassWiseHead(nn.Module):
    r"""Scores :math:`\langle w_k, h^k\rangle + b_k`: each class from its own feature alone.

    The rows start from Xavier's normal distribution, the bias at 0.

    Args:
        dim: of the features of all classes side by side, a multiple of K.
        num_classes: K.
        bias: whether there is one.
    """

    bias: Tensor | None

    def __init__(self, dim: int, num_classes: int, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_classes, dim // num_classes))
        nn.init.xavier_normal_(self.weight)
        self.register_parameter("bias", nn.Parameter(torch.zeros(num_classes)) if bias else None)

    def forward(self, features: Float[Tensor, "B P"]) -> Float[Tensor, "B K"]:
        """Scores of the features, which stand side by side."""
        scores = (features.unflatten(1, self.weight.shape) * self.weight).sum(2)
        return scores if self.bias is None else scores + self.bias


class ExpertsHead(nn.Module):
    r"""Mean of the cosines that each expert finds for its own features.

    The features of the E experts stand side by side, each of unit norm, so the score is
    :math:`\langle w_k, h\rangle` with the experts' unit rows over E in :math:`w_k`.

    Args:
        dim: of all experts' features together.
        num_classes: K.
        experts: E, a divisor of ``dim``.

    Source: Wang et al. (2021), RIDE.
    """

    bias = None

    def __init__(self, dim: int, num_classes: int, experts: int) -> None:
        super().__init__()
        directions = torch.empty(num_classes, experts, dim // experts).uniform_(-1, 1)
        self.directions = nn.Parameter(functional.normalize(directions, dim=2))

    @property
    def weight(self) -> Float[Tensor, "K P"]:
        """The experts' rows side by side, of norm 1/E each."""
        unit = functional.normalize(self.directions, dim=2)
        return unit.flatten(1) / unit.shape[1]

    def forward(self, features: Float[Tensor, "B P"]) -> Float[Tensor, "B K"]:
        """Mean cosines, in float32 at least."""
        return expert_scores(features, self.weight, self.directions.shape[1]).mean(1)


def expert_scores(
    features: Float[Tensor, "B P"], weight: Float[Tensor, "K P"], experts: int
) -> Float[Tensor, "B E K"]:
    """Cosines of each expert, from the features and the weight of an :class:`ExpertsHead`.

    Args:
        features: side by side, each expert's of unit norm.
        weight: of the head.
        experts: E, a divisor of P.

    Raises:
        ValueError: if E does not divide P.
    """
    if features.shape[1] % experts:
        raise ValueError(f"{experts} experts cannot share {features.shape[1]} dimensions")
    with torch.autocast(features.device.type, enabled=False):
        features = features.to(torch.promote_types(features.dtype, weight.dtype))
        parts = features.unflatten(1, (experts, -1))
        rows = experts * weight.unflatten(1, (experts, -1))
        return torch.einsum("bep,kep->bek", parts, rows)


class LearnableScalingHead(nn.Module):
    r"""A trained head with a learnt scale a class, :math:`s_k(\langle w_k, h\rangle + b_k)`.

    The scales start at 1, so the scores are the trained head's. (The second stage LWS; with
    ``frozen=False``, that of MiSLAS, where W and b go on learning too.)

    Args:
        head: a copy of it becomes ``base``; it has ``weight`` (K, P) and ``bias`` (K,) or None.
        frozen: whether the copy's parameters are frozen, so that only ``scales`` is learnt.

    Source: Kang et al. (2020), Section 4.2; Zhong et al. (2021), Section 3.3.
    """

    base: Any

    def __init__(self, head: nn.Module, *, frozen: bool = True) -> None:
        super().__init__()
        self.base = copy.deepcopy(head).requires_grad_(not frozen)
        self.scales = nn.Parameter(torch.ones_like(self.base.weight.detach()[:, 0]))

    @property
    def weight(self) -> Float[Tensor, "K P"]:
        """The scaled rows."""
        return self.scales[:, None] * self.base.weight

    @property
    def bias(self) -> Float[Tensor, " K"] | None:
        """The scaled bias, if there is one."""
        return None if self.base.bias is None else self.scales * self.base.bias

    def forward(self, features: Float[Tensor, "B P"]) -> Float[Tensor, "B K"]:
        """The scaled scores."""
        return self.scales * self.base(features)


def tau_normalise(weight: Float[Tensor, "K P"], tau: float = 1.0) -> Float[Tensor, "K P"]:
    r"""The rows of a trained classifier over a power of their norms, :math:`w_k/\|w_k\|^\tau`.

    The bias is dropped, as the source does.

    Args:
        weight: (K, P), rows that are not zero.
        tau: τ in [0, 1]: 0 changes nothing, 1 makes the norms equal.

    Raises:
        ValueError: if ``tau`` is not in [0, 1].

    Source: Kang et al. (2020), Section 4.2.

    >>> tau_normalise(torch.tensor([[3.0, 4.0], [0.0, 2.0]]))
    tensor([[0.6000, 0.8000],
            [0.0000, 1.0000]])
    """
    if not 0 <= tau <= 1:
        raise ValueError(f"tau is {tau}, expected in [0, 1]")
    unit = power_of_two(weight.abs().amax(1, keepdim=True))  # squares of it neither vanish nor end
    return weight / (unit * (weight / unit).norm(dim=1, keepdim=True)) ** tau


def _cosines(features: Tensor, weight: Tensor) -> Tensor:
    """⟨ĥ, w_k⟩ for unit rows w_k: three digits of bfloat16 are too few once a loss scales them."""
    with torch.autocast(features.device.type, enabled=False):
        features = features.to(torch.promote_types(features.dtype, weight.dtype))
        return functional.linear(functional.normalize(features), weight)


def _experts(count: int) -> Head:
    return lambda dim, num_classes, bias: ExpertsHead(dim, num_classes, count)


HEADS: dict[str, Head] = {
    "linear": linear_head,
    "linear-kaiming": kaiming_head,
    "cosine": lambda dim, num_classes, bias: CosineHead(dim, num_classes),
    "etf": lambda dim, num_classes, bias: FixedETFHead(dim, num_classes),
    "etf-linear": lambda dim, num_classes, bias: LinearETFHead(dim, num_classes),
    "etf-scaled": lambda dim, num_classes, bias: ScaledETFHead(dim, num_classes),
    "etf-scaled-trained": lambda dim, num_classes, bias: ScaledETFHead(
        dim, num_classes, trained=True
    ),
    "class-wise": ClassWiseHead,
    "probe": ProbeHead,
    "experts-2": _experts(2),
    "experts-3": _experts(3),
    "experts-4": _experts(4),
}


_OF_CLASS_WISE = ("etf-scaled", "etf-scaled-trained", "class-wise")


def rows_of(head: str) -> Literal["free", "unit", "fixed"]:
    """What a head, by name, lets the rows of its weight be.

    ``free``: any, beside a bias; ``unit``: scaled to a norm that all share, with no bias beside;
    ``fixed``: as they are made.

    >>> rows_of("linear"), rows_of("experts-2"), rows_of("etf-linear")
    ('free', 'unit', 'fixed')
    """
    if head.startswith("etf"):
        return "free" if head.endswith("-trained") else "fixed"
    return "unit" if head == "cosine" or head.startswith("experts-") else "free"


def by_expert(head: nn.Module, rows: Float[Tensor, "K P"]) -> Float[Tensor, "E K p"]:
    """Rows of the features' dimension as each expert of a head sees them; E = 1 without experts."""
    if isinstance(head, LearnableScalingHead):
        return by_expert(head.base, rows)
    count = head.directions.shape[1] if isinstance(head, ExpertsHead) else 1
    return rows.unflatten(1, (count, -1)).transpose(0, 1)


@torch.no_grad()
def assign(head: nn.Module, weight: Float[Tensor, "K P"], bias: Float[Tensor, " K"]) -> None:
    """Give a head another weight and bias, in place.

    Where a head scales its rows to one norm, those of ``weight`` give their directions alone (a row
    that is zero leaves the direction that there is), and learnt scales beside such rows their
    norms. The bias counts where the head has one.

    Raises:
        TypeError: if the head's rows are fixed.
    """
    if isinstance(head, LearnableScalingHead):
        assign(head.base, weight, bias)
        ratio = weight.norm(dim=1) / head.base.weight.norm(dim=1)
        head.scales.copy_(torch.where(ratio > 0, ratio, 1.0))
    elif isinstance(head, (CosineHead, ExpertsHead)):
        rows = weight.view_as(head.directions)
        norms = head.directions.norm(dim=-1, keepdim=True)
        turned = functional.normalize(rows, dim=-1) * norms
        head.directions.copy_(torch.where(turned.any(-1, keepdim=True), turned, head.directions))
    elif isinstance(head, ScaledETFHead) and head.trained:
        head.directions.copy_(weight / head.factor)
    elif isinstance(head, (nn.Linear, ClassWiseHead)):
        head.weight.copy_(weight)
        if head.bias is not None:
            head.bias.copy_(bias)
    else:
        raise TypeError(f"the rows of a {type(head).__name__} are fixed")


def check_head(head: str, num_classes: int, feature_dim: int, *, class_wise: bool = False) -> None:
    """Refuse a head that does not exist or does not fit.

    Args:
        head: a key of ``HEADS``.
        num_classes: K.
        feature_dim: of the features, or of those of all classes side by side.
        class_wise: whether each class has a feature of its own.

    Raises:
        ValueError: if there is no head of that name (the near matches are listed), the fixed ETF
            of K vectors is asked of features of fewer than K − 1 dimensions, or a head that is made
            for class-wise features would score others.
    """
    if head not in HEADS:
        raise unknown("head", head, HEADS)
    if head in _OF_CLASS_WISE and not class_wise:
        raise ValueError(
            f"head {head!r} scores class-wise features, got one feature for all classes"
        )
    if head.startswith("etf") and feature_dim < num_classes - 1:
        raise ValueError(
            f"head {head!r} of {num_classes} classes needs features of dimension at least "
            f"{num_classes - 1}, got {feature_dim}"
        )
