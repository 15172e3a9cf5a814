"""Logistic losses of several labels an image under a long tail, a binary problem for each class."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from nclib import _check
from nclib._check import Counts
from nclib.losses import _arguments
from nclib.losses._multi_label import MultiHot
from nclib.losses._weights import effective_number_weights


def binary_focal(
    logits: Float[Tensor, "N K"], targets: MultiHot, *, gamma: float = 2.0
) -> Float[Tensor, ""]:
    r"""Logistic losses that discount what is already right: :math:`-(1 - q)^\gamma\log q`.

    q is the probability of what is true: :math:`\sigma(z)` of a label that the image has, else
    :math:`\sigma(-z)`. The value is the mean over all N K entries. The gradient flows through the
    discount too. At γ = 0 it is :func:`binary_cross_entropy` with the reduction ``mean``.

    Args:
        logits: z.
        targets: multi-hot: 1 where an image has the label, else 0.
        gamma: γ, the focusing parameter.

    Raises:
        TypeError: if logits are not floating point, or targets no tensor.
        ValueError: if shapes differ, a target is neither 0 nor 1, or ``gamma`` is negative.

    Source: Lin et al. (2017), without the weight of the positives.

    >>> import torch
    >>> binary_focal(torch.zeros(1, 2), torch.tensor([[1, 0]]))  # (1/2)² log 2
    tensor(0.1733)
    """
    _check.number("gamma", gamma, least=0.0)
    logits, targets = _arguments.multi_hot(logits, targets)
    return _focal(_signed(logits, targets), gamma).mean()


def class_balanced_focal(
    logits: Float[Tensor, "N K"],
    targets: MultiHot,
    counts: Counts,
    *,
    beta: float = 0.9999,
    gamma: float = 2.0,
) -> Float[Tensor, ""]:
    r""":func:`binary_focal` with each class weighted by its effective number of images.

    The weights, which sum to K, multiply all entries of their class. The value is the mean over all
    N K entries, not divided by the weights.

    Args:
        logits: z.
        targets: multi-hot: 1 where an image has the label, else 0.
        counts: training images that have each label, n_k.
        beta: β of :func:`effective_number_weights`.
        gamma: γ of :func:`binary_focal`.

    Raises:
        TypeError, ValueError: as those two.

    Source: Cui et al. (2019), the class-balanced focal loss; by class, as Wu et al. (2020) have it.

    >>> import torch
    >>> one = torch.zeros(1, 2), torch.tensor([[1, 0]])
    >>> class_balanced_focal(*one, [1, 2], beta=0.5)  # weights 1.2 and 0.8
    tensor(0.1733)
    """
    _check.number("gamma", gamma, least=0.0)
    logits, targets = _arguments.multi_hot(logits, targets)
    counts = _check.counts(counts, logits.shape[1])
    weight = effective_number_weights(counts, beta=beta).to(logits)
    return (weight * _focal(_signed(logits, targets), gamma)).mean()


def binary_ldam(
    logits: Float[Tensor, "N K"],
    targets: MultiHot,
    counts: Counts,
    *,
    max_margin: float = 0.5,
    scale: float = 30.0,
) -> Float[Tensor, ""]:
    r"""Logistic losses of :math:`s\,(z_{ik} - y_{ik}\Delta_k)`: margins for the labels there are.

    The margins :math:`\Delta_k \propto n_k^{-1/4}`, the largest of them ``max_margin``, are those
    of :func:`ldam`. The value is the mean over all N K entries.

    Args:
        logits: the cosines of a normalised layer, not yet scaled.
        targets: multi-hot: 1 where an image has the label, else 0; y.
        counts: training images that have each label, n_k.
        max_margin: margin of the rarest class.
        scale: s.

    Raises:
        TypeError: if logits are not floating point, or targets no tensor.
        ValueError: if shapes do not fit, a target is neither 0 nor 1, a count is below 1,
            ``max_margin`` is negative or ``scale`` is not positive.

    Source: Cao et al. (2019), the LDAM loss, here with a sigmoid for each class.

    >>> import torch
    >>> one = torch.tensor([[0.5, 0.0]]), torch.tensor([[1, 0]])
    >>> binary_ldam(*one, [16, 1], max_margin=1.0, scale=4.0)  # log 2: the margins are 1/2 and 1
    tensor(0.6931)
    """
    _check.number("max_margin", max_margin, least=0.0)
    _check.number("scale", scale, above=0.0)
    logits, targets = _arguments.multi_hot(logits, targets)
    relative = _check.counts(counts, logits.shape[1]).to(logits) ** -0.25
    margins = max_margin / relative.amax() * relative
    moved = scale * (logits - margins * targets)
    return functional.binary_cross_entropy_with_logits(moved, targets)


def asymmetric(
    logits: Float[Tensor, "N K"],
    targets: MultiHot,
    *,
    gamma_neg: float = 4.0,
    gamma_pos: float = 1.0,
    clip: float = 0.05,
) -> Float[Tensor, ""]:
    r"""ASL: focal logistic losses that forget negatives which are clear, summed over all entries.

    With :math:`p = \sigma(z)` and :math:`p_m = \max(p - m, 0)`, m being ``clip``,

    .. math:: -\sum_{ik} y_{ik} (1 - p_{ik})^{\gamma_+} \log p_{ik}
        + (1 - y_{ik})\, p_{m,ik}^{\gamma_-} \log(1 - p_{m,ik}) .

    No gradient flows through the powers. It is neither divided by N nor by K.

    Args:
        logits: z.
        targets: multi-hot: 1 where an image has the label, else 0; y.
        gamma_neg: :math:`\gamma_-`.
        gamma_pos: :math:`\gamma_+`.
        clip: m in [0, 1).

    Raises:
        TypeError: if logits are not floating point, or targets no tensor.
        ValueError: if shapes differ, a target is neither 0 nor 1, or an option is out of range.

    Source: Ridnik et al. (2021), "Asymmetric loss for multi-label classification", and its
    released code, which stops the gradient of the powers and sums.

    >>> import torch
    >>> asymmetric(torch.zeros(1, 1), torch.tensor([[1]]))  # (1/2) log 2
    tensor(0.3466)
    >>> asymmetric(torch.full((1, 1), -3.0), torch.tensor([[0]]))  # p = 0.047 is below the clip
    tensor(0.)
    """
    _check.number("gamma_neg", gamma_neg, least=0.0)
    _check.number("gamma_pos", gamma_pos, least=0.0)
    _check.number("clip", clip, least=0.0)
    if clip >= 1:
        raise ValueError(f"clip is {clip}, expected in [0, 1)")
    logits, targets = _arguments.multi_hot(logits, targets)
    # log(1 − p_m) = log min(1 − p + m, 1), in logarithms since 1 − p may vanish.
    log_clip = logits.new_tensor(clip).log()
    log_rest = torch.logaddexp(functional.logsigmoid(-logits), log_clip).clamp_max(0)
    with torch.no_grad():
        wrong = (-logits).sigmoid() ** gamma_pos
        kept = (logits.sigmoid() - clip).clamp_min(0) ** gamma_neg
    positive = wrong * functional.logsigmoid(logits)
    return (-torch.where(targets > 0, positive, kept * log_rest)).sum()


def distribution_balanced(
    logits: Float[Tensor, "N K"],
    targets: MultiHot,
    counts: Counts,
    num_samples: int,
    *,
    mu: float,
    lam: float,
    alpha: float = 0.1,
    beta: float = 10.0,
    init_bias: float = 0.05,
    focal: bool = True,
) -> Float[Tensor, ""]:
    r"""Distribution-balanced loss: rebalanced weights, and logits that tolerate negatives.

    An image that is drawn for one of its labels shows the others too. Its weights undo that:
    :math:`r_{ik} = n_k^{-1} / \sum_{j \in S_i} n_j^{-1}` with the labels :math:`S_i` of image i,
    smoothed to :math:`\hat r = \alpha + \sigma(\beta(r - \mu))`, for labels that it has and for
    those that it has not; an image without labels has :math:`\hat r = \alpha + 1`. With
    :math:`\tilde z_k = z_k - \tfrac{b}{\lambda}\log(N/n_k - 1)`, b being ``init_bias``, the loss is
    the mean over all entries of

    .. math:: \hat r \left( -y \log\sigma(\tilde z)
        - \tfrac1\lambda (1 - y) \log\sigma(-\lambda\tilde z) \right) ,

    and with ``focal`` each entry is multiplied by :math:`2(1 - q)^2`, q being the sigmoid in it.
    Predictions come from z, not from :math:`\tilde z`.

    Args:
        logits: z.
        targets: multi-hot: 1 where an image has the label, else 0; y.
        counts: training images that have each label, n_k; one that all images have counts as N − 1.
        num_samples: training images, N.
        mu: μ: 0.3 for VOC-LT and 0.2 for COCO-LT in the source.
        lam: λ: 5 and 2 there.
        alpha: α.
        beta: β.
        init_bias: b.
        focal: whether it is DB-Focal.

    Raises:
        TypeError: if logits are not floating point, targets no tensor, or N no whole number.
        ValueError: if shapes do not fit, a target is neither 0 nor 1, a count is below 1 or above
            N, N is below 2, or an option is out of range.

    Source: Wu et al. (2020), equations 4 to 9; DB-Focal and its factor 2 from their released code.

    >>> import torch
    >>> one = torch.zeros(1, 2), torch.tensor([[1, 0]])
    >>> options = {"alpha": 0.0, "beta": 0.0, "mu": 0.0, "lam": 1.0, "focal": False}
    >>> distribution_balanced(*one, [5, 5], 10, **options)  # N/n − 1 is 1, r̂ is 1/2: (log 2)/2
    tensor(0.3466)
    """
    for name, value in (("alpha", alpha), ("beta", beta), ("init_bias", init_bias)):
        _check.number(name, value, least=0.0)
    _check.number("mu", mu)
    _check.number("lam", lam, above=0.0)
    _check.whole("num_samples", num_samples, least=2)
    logits, targets = _arguments.multi_hot(logits, targets)
    numbers = _check.counts(counts, logits.shape[1])
    if _check.readable(numbers) and numbers.max() > num_samples:
        k = int(numbers.argmax())
        raise ValueError(
            f"counts has {numbers[k].item()} for class {k}, expected at most "
            f"num_samples = {num_samples}"
        )
    numbers = numbers.to(logits)
    inverse = 1 / numbers
    shared = (targets * inverse).sum(1, keepdim=True)  # 0 without labels, where r is infinite
    smoothed = alpha + (beta * (inverse / shared - mu)).sigmoid()
    balanced = torch.where(shared > 0, smoothed, alpha + 1)
    odds = (num_samples / numbers.clamp_max(num_samples - 1) - 1).log()
    moved = logits - init_bias / lam * odds
    signed = torch.where(targets > 0, moved, -lam * moved)
    losses = 2 * _focal(signed, 2.0) if focal else -functional.logsigmoid(signed)
    return (balanced * torch.where(targets > 0, losses, losses / lam)).mean()


def _signed(logits: Tensor, targets: Tensor) -> Tensor:
    """The logits of what is true."""
    return torch.where(targets > 0, logits, -logits)


def _focal(signed: Tensor, gamma: float) -> Tensor:
    """−(1 − q)^γ log q with q = σ(signed), in logarithms, so that nothing is 0 to a power."""
    log_q, log_rest = functional.logsigmoid(signed), functional.logsigmoid(-signed)
    return -(gamma * log_rest).exp() * log_q
