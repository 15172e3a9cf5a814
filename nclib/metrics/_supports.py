"""Collapse of several labels a sample, judged support by support."""

import dataclasses
import math
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nclib import _check
from nclib._scale import magnitude, unit_of
from nclib.geometry import etf_distance
from nclib.metrics import _validate
from nclib.metrics._report import cosines

_ROWS = 4096  # read at a time

Support = tuple[int, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class SupportReport:
    r"""How far pooled features have collapsed to a prototype a support, and those to tag-wise sums.

    Notation: S a support (a set of labels) with :math:`n_S` samples and the mean :math:`h_S`, N all
    samples with labels, :math:`h_k` the mean of the samples whose only label is k (a singleton),
    and :math:`h_G = \tfrac1N\sum_S n_S h_S`. What needs something that is not there is None, or nan
    where it is listed by support.
    """

    supports: tuple[Support, ...]
    """Class ids of each support, by multiplicity and then in order."""
    counts: Float[Tensor, " C"]
    r""":math:`n_S`, or the sum of the counts that were given."""
    means: Float[Tensor, "C P"]
    r""":math:`h_S`."""
    variances: Float[Tensor, " C"]
    r"""Within-support variance :math:`v_S`, the mean of :math:`\|h_i - h_S\|^2`."""
    variability: float
    r""":math:`\sum_S n_S v_S \,/\, \sum_S n_S \|h_S - h_G\|^2`, the NC1 ratio with supports for
    classes: 0 if every support has one feature, whatever the scale."""
    variability_per_support: Float[Tensor, " C"]
    r""":math:`N v_S \,/\, \sum_T n_T \|h_T - h_G\|^2`."""
    not_alone: Support
    """Classes that are never a sample's only label."""
    singleton_etf: float | None
    r"""Distance of the singletons :math:`h_k - \bar h`, :math:`\bar h = \tfrac1K\sum_k h_k`, to a
    simplex ETF (:func:`nclib.geometry.etf_distance`); None unless every class stands alone."""
    classifier_etf: float | None
    r"""The same of the Gram matrix :math:`WW^\top`."""
    self_duality: float | None
    r""":math:`\|W/\|W\|_F - M/\|M\|_F\|_F` for the matrix M of the centred singletons."""
    tagwise_angles: Float[Tensor, " C"]
    r"""Angle in degrees between :math:`h_S - \bar h` and :math:`\sum_{k \in S}(h_k - \bar h)`, with
    :math:`\bar h` the mean of the singletons that there are; nan for singletons themselves, and
    where one of S is missing or S has all of them (these sum to zero)."""
    tagwise_angle: float | None
    r"""Mean of the ``tagwise_angles`` of pairs, over the mean angle between the same :math:`h_S`
    and the sums of all *other* pairs of singletons: 0 at collapse, about 1 without structure."""
    tagwise_angle_reference: float | None
    r"""As pick-all-label collapse was first measured (released code of Li et al. 2023): not
    centred, so that an offset that all features share hides every angle, and the sum that belongs
    to S among those of the denominator, so that no structure gives less than 1."""


class SynthesisFit(NamedTuple):
    """How well a rule gives the prototypes of supports with several labels."""

    supports: tuple[Support, ...]  #: Those with at least two labels.
    cosines: Float[Tensor, " C"]  #: Between each prototype and the rule's vector; nan: no vector.
    scales: Float[Tensor, " C"]  #: The multiple of the rule's vector that is nearest.


class _Table(NamedTuple):
    """Means by support, in float64 and in a unit."""

    hot: Bool[Tensor, "C K"]
    supports: tuple[Support, ...]
    counts: Float[Tensor, " C"]
    means: Float[Tensor, "C P"]
    variances: Float[Tensor, " C"]
    unit: float

    def singletons(self) -> tuple[Float[Tensor, "K P"], Float[Tensor, " K"]]:
        """Their means and counts, zero for a class that never stands alone."""
        single = self.hot.sum(1) == 1
        labels = self.hot[single].double().T
        return labels @ self.means[single], labels @ self.counts[single]


def support_report(
    features: Tensor,
    labels: Tensor,
    *,
    counts: Tensor | None = None,
    weight: Tensor | None = None,
) -> SupportReport:
    r"""Collapse of pooled features, support by support.

    At exact multi-label collapse all samples with the same labels share one feature. NC1 of
    positive pairs is then not 0, since the samples of a class have many supports; the variability
    within supports is.

    Args:
        features: (N, P), floating point: samples, or the prototypes of a table of supports.
        labels: (N, K), multi-hot; samples without labels are skipped.
        counts: (N,), how many samples a row stands for, any positive numbers; None: 1.
        weight: (K, P), the classifier; None leaves what needs it out.

    Returns:
        The report; its tensors are in float64 and on the CPU.

    Raises:
        ValueError: naming it, if shapes disagree, a label is neither 0 nor 1, a count is not
            positive, anything is NaN or infinite, or no sample has a label.
        TypeError: if features are not floating point, or anything is no tensor.

    Source: Li et al. (2024), "Neural collapse in multi-label learning with pick-all-label loss",
    for what collapses; the fields of :class:`SupportReport`.

    >>> from nclib.geometry import simplex_etf
    >>> labels = torch.tensor([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]])
    >>> means = simplex_etf(3, 4)
    >>> report = support_report(labels.double() @ means, labels, counts=torch.tensor([9, 5, 5, 2]))
    >>> report.supports, report.variability, round(report.singleton_etf, 6)
    (((0,), (1,), (2,), (0, 1)), 0.0, 0.0)
    >>> round(float(report.tagwise_angles[3]), 4)
    0.0
    """
    table = _table(features, labels, counts, weight, None)
    hot, supports, numbers, means, variances, unit = table
    total = numbers.sum()
    between = (numbers @ (means - numbers @ means / total).square().sum(1)) / total
    singletons, alone = table.singletons()
    present = alone > 0
    complete = bool(present.all())
    centre = singletons.sum(0) / present.sum()
    centred = torch.where(present[:, None], singletons - centre, 0.0)
    classifier: dict[str, Any] = {"classifier_etf": None, "self_duality": None}
    if weight is not None:
        weight = weight.detach().to(means)
        weight = weight / unit_of(magnitude(weight))
        classifier["classifier_etf"] = etf_distance(weight @ weight.T)
        if complete:
            difference = weight / weight.norm() - centred / centred.norm()
            classifier["self_duality"] = float(difference.norm())
    angles = _angles(means - centre, hot.double() @ centred)
    # All of them together sum to zero but for rounding.
    undefined = (hot.sum(1) == 1) | hot[:, ~present].any(1) | hot[:, present].all(1)
    return SupportReport(
        supports=supports,
        counts=numbers.cpu(),
        means=(means * unit).cpu(),
        variances=(variances * unit * unit).cpu(),
        variability=float(numbers @ variances / total / between),
        variability_per_support=(variances / between).cpu(),
        not_alone=tuple((~present).nonzero().flatten().tolist()),
        singleton_etf=etf_distance(centred @ centred.T) if complete else None,
        **classifier,
        tagwise_angles=angles.masked_fill(undefined, math.nan).cpu(),
        tagwise_angle=_tagwise_angle(table, singletons - centre, centre, present, others=True),
        tagwise_angle_reference=_tagwise_angle(table, singletons, 0 * centre, present),
    )


def synthesis_fits(
    features: Tensor,
    labels: Tensor,
    *,
    counts: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
) -> dict[str, SynthesisFit]:
    r"""How well each rule of synthesis gives the prototypes of supports with several labels.

    With :math:`n_k` the singletons of class k and :math:`h_k` their mean, :math:`\pi_k` the share
    of samples that carry class k, :math:`\bar m = \sum_k \pi_k`, :math:`q = \pi/\bar m` and
    :math:`m = |S|`:

    * ``uniform``: :math:`\sum_{k \in S} h_k`
    * ``count``: :math:`\sum_{k \in S} n_k h_k`
    * ``frequency``: :math:`\sum_{k \in S} \pi_k h_k`
    * ``root_count``: :math:`\sum_{k \in S} \sqrt{n_k}\, h_k`
    * ``frequency_centred``:
      :math:`\sum_{k \in S} h_k - \tfrac{m-1}{\bar m-1} \sum_k \pi_k h_k`
    * ``affine``: :math:`\sum_{k \in S} h_k - \tfrac{m-1}{\bar m-1} (\sum_k \pi_k h_k - h_G)`,
      :math:`h_G` the mean of all samples: what every affine map from labels to prototypes obeys,
      and no offset of the features disturbs
    * ``classifier``: :math:`W^\top(y_S - \tfrac mK 1)`
    * ``classifier_frequency``: :math:`W^\top(y_S - m q)`
    * ``residual``: :math:`W^\top r_S`, :math:`r_S = y_S - m\,\mathrm{softmax}(W h_S + b)`, which
      is exact at every critical point of the pick-all-label model.

    A rule gives no vector, and nan, where a class that it needs never stands alone.

    Args:
        features: (N, P), floating point: samples, or the prototypes of a table of supports.
        labels: (N, K), multi-hot; samples without labels are skipped.
        counts: (N,), how many samples a row stands for; None: 1.
        weight: (K, P), the classifier; None leaves the last three rules out.
        bias: (K,), its bias; None for zero.

    Returns:
        The fit of each rule; tensors are in float64 and on the CPU.

    Raises:
        ValueError, TypeError: as :func:`support_report` does.

    Source: tag-wise averages are those of Li et al. (2024); the others are this book's.

    >>> labels = torch.tensor([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]])
    >>> prototypes = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0.8, 0.8, 0]])
    >>> fit = synthesis_fits(prototypes, labels)["uniform"]
    >>> fit.supports, round(float(fit.cosines[0]), 6), round(float(fit.scales[0]), 6)
    (((0, 1),), 1.0, 0.8)
    """
    table = _table(features, labels, counts, weight, bias)
    several = table.hot.sum(1) > 1
    hot, means = table.hot[several].double(), table.means[several]
    supports = tuple(support for support in table.supports if len(support) > 1)
    sizes = hot.sum(1, keepdim=True)
    h, n = table.singletons()
    missing = (hot @ (n == 0).double()) > 0
    frequencies = table.counts @ table.hot.double() / table.counts.sum()
    mean_size = frequencies.sum()
    pull = frequencies @ h
    if bool(((n == 0) & (frequencies > 0)).any()):
        pull = pull * math.nan
    excess = (sizes - 1) / (mean_size - 1)
    mean = table.counts @ table.means / table.counts.sum()
    rules = {
        "uniform": hot @ h,
        "count": hot @ (n[:, None] * h),
        "frequency": hot @ (frequencies[:, None] * h),
        "root_count": hot @ (n.sqrt()[:, None] * h),
        "frequency_centred": hot @ h - excess * pull,
        "affine": hot @ h - excess * (pull - mean),
    }
    rules = {
        name: vectors.masked_fill(missing[:, None], math.nan) for name, vectors in rules.items()
    }
    units = dict.fromkeys(rules, 1.0)
    if weight is not None:
        weight = weight.detach().to(means)
        unit = unit_of(magnitude(weight))
        logits = means * table.unit @ weight.T
        if bias is not None:
            logits = logits + bias.detach().to(means)
        weight = weight / unit
        rules["classifier"] = (hot - sizes / hot.shape[1]) @ weight
        rules["classifier_frequency"] = (hot - sizes * frequencies / mean_size) @ weight
        rules["residual"] = (hot - sizes * logits.softmax(1)) @ weight
        units |= dict.fromkeys(list(rules)[-3:], table.unit / unit)
    return {
        name: SynthesisFit(
            supports,
            cosines(means, vectors).cpu(),
            ((means * vectors).sum(1) / vectors.square().sum(1) * units[name]).cpu(),
        )
        for name, vectors in rules.items()
    }


def released_code_metrics(features: Tensor, labels: Tensor, weight: Tensor) -> dict[str, float]:
    r"""What the released code of pick-all-label collapse prints, its slips included.

    All is of singletons, in the order of the samples:

    * The global mean is the sum of singletons over the number of *all* samples, so that
      :math:`\Sigma_B` has a direction more than the differences of the class means.
    * The running sum of a class shares memory with its first sample, which so becomes the class
      mean: the scatter loses that sample, and the means that ``angle`` takes are moved by it.
    * ``nc2_h`` does not centre the class means, and ``angle`` neither
      (``tagwise_angle_reference`` of :func:`support_report` is it without the second slip).

    Compare ``nc1`` with :func:`measure` of the singletons, the others with :func:`support_report`.

    Args:
        features: (N, P), samples with one label or more.
        labels: (N, K), multi-hot.
        weight: (K, P), the classifier.

    Returns:
        ``nc1``, ``nc2_w``, ``nc2_h``, ``nc3`` and ``angle`` (nan without pairs).

    Raises:
        ValueError, TypeError: as :func:`support_report` does; if a class never stands alone.

    Source: https://github.com/Heimine/NC_MLab, ``utility.py``; Li et al. (2024).

    >>> from nclib.geometry import simplex_etf
    >>> labels = torch.tensor([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]])
    >>> etf = simplex_etf(3, 4)
    >>> round(released_code_metrics(labels.double() @ etf, labels, etf)["nc3"], 6)
    0.0
    """
    table = _table(features, labels, None, weight, None)
    means, alone = table.singletons()
    if bool((alone == 0).any()):
        never = (alone == 0).nonzero().flatten().tolist()
        raise ValueError(f"classes {never} never stand alone: expected singletons of every class")
    hot = _check.multi_hot("labels", labels).to(means.device)
    single = hot.sum(1) == 1
    rows = features.detach()[single].double() / table.unit
    classes = hot[single].int().argmax(1)
    centred = means - rows.sum(0) / hot.any(1).sum()
    first = torch.stack([classes.eq(k).int().argmax() for k in range(len(means))])
    overwritten = rows.index_copy(0, first, means)
    residuals = overwritten - means[classes]
    between = centred.T @ centred / len(means)
    cut = len(between) * torch.finfo(torch.float32).eps
    inverse = torch.linalg.pinv(between, rtol=cut, hermitian=True)
    within = ((residuals @ inverse) * residuals).sum() / len(rows)
    moved = means + (means - rows[first]) / alone[:, None]
    weight = weight.detach().to(means)
    weight = weight / unit_of(magnitude(weight))
    present = alone > 0
    angle = _tagwise_angle(table, moved, 0 * means[0], present)
    return {
        "nc1": float(within) / len(means),
        "nc2_w": etf_distance(weight @ weight.T),
        "nc2_h": etf_distance(means @ means.T),
        "nc3": etf_distance(weight @ centred.T),
        "angle": math.nan if angle is None else angle,
    }


def _table(
    features: Tensor,
    labels: Tensor,
    counts: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
) -> _Table:
    """Counts, means and variances by support, after every check."""
    _check.tensor("features", features)
    _check.tensor("labels", labels)
    features = _check.matrix("features", features).detach()
    hot = _check.multi_hot("labels", labels).to(features.device)
    if len(hot) != len(features):
        raise ValueError(f"{len(features)} features but {len(hot)} labels")
    _validate.check_classifier(weight, bias, hot.shape[1], features.shape[1])
    if weight is not None and weight.shape[1] != features.shape[1]:
        raise ValueError(
            f"weight must have shape (K, {features.shape[1]}), as the features,"
            f" got {tuple(weight.shape)}"
        )
    shares = torch.ones(len(hot), dtype=torch.float64, device=features.device)
    if counts is not None:
        shares = _check.per_class("counts", counts, len(hot)).to(shares)
        wrong = (~((shares > 0) & shares.isfinite())).nonzero()
        if len(wrong):
            row = int(wrong[0])
            raise ValueError(
                f"counts has {float(shares[row]):g} in row {row}, expected a positive number"
            )
    largest = magnitude(features)
    if not math.isfinite(largest):
        row = int((~features.isfinite().all(1)).nonzero()[0])
        raise ValueError(f"features contain NaN or infinity, first in sample {row}")
    labelled = hot.any(1)
    if not bool(labelled.all()):
        features, hot, shares = features[labelled], hot[labelled], shares[labelled]
    if not len(hot):
        raise ValueError("no sample has a label: expected at least one")
    rows, place = hot.unique(dim=0, return_inverse=True)
    classes = rows.nonzero()[:, 1].cpu().split(rows.sum(1).tolist())
    sets = [tuple(some.tolist()) for some in classes]
    order = sorted(range(len(sets)), key=lambda c: (len(sets[c]), sets[c]))
    place = torch.tensor(order).argsort().to(place.device)[place]
    unit = unit_of(largest)
    total = shares.new_zeros(len(sets)).index_add_(0, place, shares)
    means = shares.new_zeros(len(sets), features.shape[1])
    for chunk in torch.arange(len(hot), device=place.device).split(_ROWS):
        values = features[chunk].double() / unit * (shares / total[place])[chunk, None]
        means.index_add_(0, place[chunk], values)
    # What the first sum missed by rounding is in the mean residual of a second reading.
    missed, squares = torch.zeros_like(means), torch.zeros_like(total)
    for chunk in torch.arange(len(hot), device=place.device).split(_ROWS):
        residuals = features[chunk].double() / unit - means[place[chunk]]
        part = (shares / total[place])[chunk]
        missed.index_add_(0, place[chunk], part[:, None] * residuals)
        squares.index_add_(0, place[chunk], part * residuals.square().sum(1))
    variances = (squares - missed.square().sum(1)).clamp(min=0)
    supports = tuple(sets[c] for c in order)
    return _Table(rows[order], supports, total, means + missed, variances, unit)


def _angles(a: Float[Tensor, "C P"], b: Float[Tensor, "C P"]) -> Float[Tensor, " C"]:
    """Row by row in degrees; accurate when small, nan where a row is zero."""
    a, b = (rows / rows.norm(dim=1, keepdim=True) for rows in (a, b))
    return 2 * torch.atan2((a - b).norm(dim=1), (a + b).norm(dim=1)).rad2deg()


def _tagwise_angle(
    table: _Table,
    singletons: Float[Tensor, "K P"],
    centre: Float[Tensor, " P"],
    present: Bool[Tensor, " K"],
    *,
    others: bool = False,
) -> float | None:
    """Mean angle of pairs to their sums, over that to all sums of two, or to all others."""
    alone = present.nonzero().flatten()
    first, second = torch.combinations(alone).unbind(1) if len(alone) > 1 else (alone[:0],) * 2
    number = {pair: c for c, pair in enumerate(zip(first.tolist(), second.tolist(), strict=True))}
    rows = [c for c, support in enumerate(table.supports) if support in number]
    if not rows or (others and len(number) < 2):
        return None
    sums = singletons[first] + singletons[second]
    theirs = torch.tensor([number[table.supports[c]] for c in rows], device=sums.device)  # type: ignore[index]
    prototypes = table.means[rows] - centre
    matched = _angles(prototypes, sums[theirs])
    a, b = (v / v.norm(dim=1, keepdim=True) for v in (prototypes, sums))
    total = (a @ b.T).clamp(-1, 1).arccos().rad2deg()
    if others:
        total[torch.arange(len(rows), device=total.device), theirs] = 0.0
    average = total.sum() / (total.numel() - len(rows) * others)
    return float(matched.mean() / average)
