"""Collapse of a matrix of features, in two readings of it."""

import functools
import math
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.linalg import vector_norm
from torch.nn.functional import embedding_bag

from nclib._scale import is_ordinary, magnitude, unit_of
from nclib.metrics import _validate
from nclib.metrics._agreement import Agreement
from nclib.metrics._pairs import Pairs, positive_pairs
from nclib.metrics._products import full_precision, padded, working_dtype
from nclib.metrics._report import (
    ClassMoments,
    ClassSpan,
    CollapseReport,
    class_span,
    classifier_of,
    collapse_report,
    refined,
    scaled_classifier,
    with_absent,
)

_SEGMENT = 64  # rows summed in the features' own precision before float64 takes over


def measure(
    features: Tensor,
    labels: Tensor,
    *,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    num_classes: int | None = None,
    centring: str = "class",
    chunk_size: int | None = None,
) -> CollapseReport:
    r"""Neural collapse of features: NC1 to NC4, every variant that :class:`CollapseReport` has.

    The features are read twice: once for the class means, once for the residuals
    :math:`r_i = h_i - \mu_{y_i}` and their products with the axes of the class means. With
    :math:`U` the axes of :math:`\Sigma_B` and :math:`\Lambda` its eigenvalues,
    :math:`\operatorname{tr}(\Sigma_W\Sigma_B^\dagger)` is
    :math:`\tfrac1N\sum_i \|\Lambda^{-1/2}U^\top r_i\|^2`, so no (P, P) matrix is formed: time
    O(NPK), extra memory O(KP + K²) and a chunk. NC4 is exact, but forms the products with the
    classifier only for samples whose distance to their mean leaves the decision open.

    Accuracy: sums and everything of size K are in float64; residuals and products are in float32
    (float64 for float64 features), with neither autocast nor TF32. Working on residuals keeps the
    scatter right to about 1e-6 relative however small it is beside the means, as long as the
    features' own precision resolves it. Means closer than 16 units of rounding of the largest mean
    count as equal, and the rank of :math:`\Sigma_B` is decided likewise. Extreme features are read
    again after division by a power of two, and an extreme classifier is divided likewise, so that
    what is free of scale is right at every scale that the dtype holds.

    With several labels a sample, a positive pair (sample, label) is what is counted, averaged and
    measured: a pooled feature is a sample of each of its m classes, and the class-wise feature
    :math:`h_{ik}` one of class k for every label k of sample i. Samples without labels have no
    pair, and classes without samples are skipped and named (``absent``). NC4 asks for as many
    decisions about a feature as classes share it: of a pooled one, it is the share of pairs whose
    classes are both among the m largest logits and among the m nearest means, summed over samples
    and divided by the number of pairs. NC1 of pooled features is not 0 at exact collapse, when
    every support has one feature, since its classes share it; :func:`support_report` judges
    supports.

    Args:
        features: (N, P), or (N, K, P) class by class; floating point, on any device that has
            float64.
        labels: (N,), integers from 0 to K − 1, or multi-hot (N, K).
        weight: (K, P), the classifier as ``torch.nn.Linear`` holds it; None leaves NC3 and NC4 out,
            and so does a classifier (K, K·P) of the features of all classes one after another.
        bias: (K,), its bias; None for zero.
        num_classes: K, at least 2; None: the rows of ``weight``, else the columns of multi-hot
            labels or class-wise features, else the largest label plus one.
        centring: what centres the class means and weights :math:`\Sigma_B`: ``"class"``, every
            class alike (the field's habit), or ``"sample"``, every sample alike.
        chunk_size: rows worked on at a time; None: about 4 MiB of them (256 MiB off the CPU).

    Returns:
        The report; its tensors are on the CPU.

    Raises:
        ValueError: naming it, if shapes disagree, a label is out of range or neither 0 nor 1, or
            the classifier or a pair's feature is NaN or infinite; if a class has no sample (of
            class ids) or only one class has; if ``centring`` is unknown or ``chunk_size`` not
            positive.
        TypeError: if features are not floating point, labels not integers, or anything no tensor.

    Source: Papyan, Han and Donoho (2020); Zhu et al. (2021); the fields of :class:`CollapseReport`.

    >>> from nclib.geometry import simplex_etf
    >>> means = simplex_etf(3, 8)
    >>> labels = torch.arange(30) % 3
    >>> report = measure(means[labels], labels, weight=means)
    >>> round(report.nc1, 6), round(report.nc2_etf, 6), round(report.nc3, 6), report.nc4
    (0.0, 0.0, 0.0, 1.0)
    """
    _validate.check_batch(features, labels)
    num_classes = _validate.check_classifier(weight, bias, num_classes, features.shape[-1])
    _validate.check_centring(centring)
    if chunk_size is not None and chunk_size < 1:
        raise ValueError(f"chunk_size must be positive, got {chunk_size}")
    pairs, num_classes = positive_pairs(features, labels, num_classes)
    counts = torch.bincount(pairs.classes, minlength=num_classes)
    present = _validate.present_classes(counts, all_needed=labels.ndim == 1)
    if len(present) < num_classes:
        pairs, counts = pairs.of(present, num_classes), counts[present]

    classifier = classifier_of(weight, bias, pairs.features.shape[1], present)
    read = functools.partial(_read, pairs, counts, classifier, centring, chunk_size)
    with full_precision(features.device):
        report = read()
        if report is None:
            largest = pairs.magnitude()
            if not math.isfinite(largest):
                raise pairs.nonfinite_error()
            report = read(unit_of(largest, working_dtype(features)))
    assert report is not None
    return with_absent(report, present, num_classes)


def _read(
    pairs: Pairs,
    counts: Int[Tensor, " K"],
    classifier: tuple[Tensor, Tensor | None] | None,
    centring: str,
    chunk_size: int | None,
    unit: float | None = None,
) -> CollapseReport | None:
    """The report of features in a unit; without one, None if they are too extreme to be squared."""
    as_they_are, unit = unit is None, unit or 1.0
    means = _class_sums(pairs, counts, unit) / counts[:, None]
    largest = magnitude(means)  # not finite if any feature is not
    if as_they_are and not (largest < 1 or is_ordinary(largest)):
        return None
    dtype = working_dtype(pairs.features)
    eps = torch.finfo(dtype).eps
    span = class_span(means, counts.double(), centring, eps)
    weight, agreement = None, None
    if classifier is not None:
        weight, bias = scaled_classifier(*classifier, unit, means)
        agreement = Agreement(means, span, weight, bias, dtype)
    moments, within, nc4 = _read_residuals(pairs, counts, means, span, agreement, chunk_size, unit)
    largest = float((moments.means.square().sum(1) + moments.variances).max().sqrt())
    if as_they_are and not is_ordinary(largest):
        return None
    span = refined(span, moments.means)
    return collapse_report(moments, span, within, weight, nc4, centring, unit)


def _class_sums(pairs: Pairs, counts: Int[Tensor, " K"], unit: float) -> Float[Tensor, "K P"]:
    """Sums by class in float64, of float32 sums over segments of one class and at most 64 rows."""
    features, labels = pairs.features, pairs.classes
    num_classes, dim = len(counts), features.shape[1]
    dtype = working_dtype(features)
    order = labels.argsort()
    if pairs.rows is not None:
        order = pairs.rows[order]
    segments = (counts + _SEGMENT - 1) // _SEGMENT
    classes = torch.arange(num_classes, device=labels.device).repeat_interleave(segments)
    within_class = torch.arange(len(classes), device=labels.device) - (
        segments.cumsum(0) - segments
    ).repeat_interleave(segments)
    starts = (counts.cumsum(0) - counts)[classes] + _SEGMENT * within_class

    sums = torch.zeros(num_classes, dim, dtype=torch.float64, device=features.device)
    size = max(1, _default_chunk(features, dim) // _SEGMENT)  # segments at a time
    edges = [*starts[::size].tolist(), len(labels)]
    for chunk, (begin, end) in enumerate(pairwise(edges)):
        block = slice(chunk * size, (chunk + 1) * size)
        rows = order[begin:end]
        if features.dtype == dtype and unit == 1:
            source = features
        else:
            source = _in_unit(features[rows], unit)
            rows = torch.arange(end - begin, device=rows.device)
        partial = embedding_bag(rows, source, starts[block] - begin, mode="sum")
        sums.index_add_(0, classes[block], partial.double())
    return sums


def _in_unit(rows: Float[Tensor, "B P"], unit: float) -> Float[Tensor, "B P"]:
    """The rows as they are worked on."""
    rows = rows.to(working_dtype(rows))
    return rows if unit == 1 else rows / unit


def _default_chunk(features: Tensor, width: int) -> int:
    """Rows of ``width`` working numbers: few enough for a cache, enough for a matrix product."""
    numbers = 2**20 if features.device.type == "cpu" else 2**26
    return max(512, numbers // max(1, width))


def _read_residuals(
    pairs: Pairs,
    counts: Int[Tensor, " K"],
    means: Float[Tensor, "K P"],
    span: ClassSpan,
    agreement: Agreement | None,
    chunk_size: int | None,
    unit: float,
) -> tuple[ClassMoments, Float[Tensor, " r"], float | None]:
    """Second reading: refined moments, residual variance along each axis, share of agreement."""
    features, labels = pairs.features, pairs.classes
    dtype, device = working_dtype(features), features.device
    (samples, dim), num_classes, rank = (
        (len(labels), features.shape[1]),
        len(counts),
        len(span.spread),
    )
    table, basis = means.to(dtype), padded(span.basis).to(dtype)
    size = chunk_size or _default_chunk(features, dim + 2 * rank)
    residuals = torch.empty(min(size, samples), dim, dtype=dtype, device=device)
    products = torch.empty(min(size, samples), basis.shape[1], dtype=dtype, device=device)
    drift = torch.zeros(num_classes, dim, dtype=dtype, device=device)
    squares = torch.zeros(num_classes, dtype=torch.float64, device=device)
    energy = torch.zeros(basis.shape[1], dtype=torch.float64, device=device)
    agreed = torch.zeros((), dtype=torch.int64, device=device)

    chunks = (features if pairs.rows is None else pairs.rows).split(size)
    for chunk, classes in zip(chunks, labels.split(size), strict=True):
        rows = chunk if pairs.rows is None else features[chunk]
        r = residuals[: len(rows)]
        torch.index_select(table, 0, classes, out=r)
        torch.sub(_in_unit(rows, unit), r, out=r)
        lengths = vector_norm(r, dim=1)
        drift.index_add_(0, classes, r)
        squares.index_add_(0, classes, lengths.double().square())
        along = torch.mm(r, basis, out=products[: len(rows)])
        energy += vector_norm(along, dim=0).double().square()
        if agreement is not None and pairs.hot is None:
            lengths_along = vector_norm(along, dim=1)
            agreed += agreement.count(r, along[:, :rank], lengths, lengths_along, classes)

    # The table is rounded and its sums were too: the mean residual of a class is what they missed.
    missed = drift.double() / counts[:, None]
    moments = ClassMoments(
        counts=counts.double(),
        means=table.double() + missed,
        variances=(squares / counts - missed.square().sum(1)).clamp(min=0),
    )
    missed_along = counts.double() @ (missed @ span.basis).square()
    within = ((energy[:rank] - missed_along) / samples).clamp(min=0)
    if agreement is None:
        return moments, within, None
    if pairs.hot is not None:
        labelled = pairs.hot.any(1).nonzero().flatten()
        for chunk in labelled.split(size):
            hot = pairs.hot[chunk]
            centres = (hot.double() @ means / hot.sum(1, keepdim=True)).to(dtype)
            r = _in_unit(features[chunk], unit) - centres
            agreed += agreement.count_shared(r, (r @ basis)[:, :rank], hot)
    return moments, within, float(agreed) / samples if rank else math.nan
