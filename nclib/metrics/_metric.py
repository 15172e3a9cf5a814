"""Collapse measured batch by batch, over several processes."""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.linalg import vector_norm
from torchmetrics import Metric
from torchmetrics.utilities.distributed import gather_all_tensors

from nclib.metrics import _validate
from nclib.metrics._agreement import Agreement
from nclib.metrics._products import full_precision, working_dtype
from nclib.metrics._report import (
    ClassMoments,
    ClassSpan,
    CollapseReport,
    class_span,
    collapse_report,
)


class CollapseMetric(Metric):
    r"""Neural collapse from batches: the report of :func:`measure`, each batch seen once.

    A ``torchmetrics.Metric`` whose ``compute`` returns a :class:`CollapseReport`. NC1 needs
    :math:`\Sigma_W` along the axes of class means that are known only at the end, so the pooled
    scatter is kept whole, about class means that move as batches arrive: each batch is centred
    about its own class means, and the two sets of moments are merged by the formula of Chan, Golub
    and LeVeque, which subtracts no large numbers. Processes and ``merge_state`` merge in the same
    way.

    Memory in float64: K·P for the means and P² for the scatter. NC4 asks of each sample which of
    the *final* class means is nearest, which no running sum can answer: with a classifier the
    samples are kept too, N·P in the dtype in which they came, in the process that saw them (with
    ``compute_on_cpu=True``, in its main memory). ``nc4=False`` keeps none and leaves NC4 out.

    A device needs float64 to hold the state, so Apple's MPS does not work; features that are there
    have to be moved to the CPU first.

    Time for a batch of B samples: O(BP²), in float32 (float64 for float64 features). Where the
    features fit in memory as one matrix, :func:`measure` is faster: O(BPK).

    Args:
        num_classes: K, at least 2.
        dim: P.
        weight: (K, P), the classifier; None leaves NC3 and NC4 out. It is shared, not copied:
            ``compute`` uses its values at that time.
        bias: (K,), its bias, shared likewise; None for zero.
        nc4: whether to keep the samples for NC4; of no effect without a classifier.
        centring: ``"class"`` or ``"sample"``, see :class:`CollapseReport`.
        kwargs: those of ``torchmetrics.Metric``.

    Raises:
        ValueError: if shapes disagree, the classifier is not finite or ``centring`` is unknown.
            ``update`` raises as :func:`measure` does and leaves the state as it was; ``compute``
            raises when a class has no sample.

    Source: Chan, Golub and LeVeque (1979) for the merging; the fields of :class:`CollapseReport`.

    >>> from nclib.geometry import simplex_etf
    >>> means, labels = simplex_etf(3, 8), torch.arange(30) % 3
    >>> metric = CollapseMetric(num_classes=3, dim=8)
    >>> for batch in labels.split(7):
    ...     metric.update(means[batch], batch)
    >>> round(metric.compute().nc2_etf, 6)
    0.0
    """

    is_differentiable = False
    higher_is_better = None
    full_state_update = False

    moments: Tensor
    rounding: Tensor
    features: list[Tensor]
    labels: list[Tensor]

    def __init__(
        self,
        num_classes: int,
        dim: int,
        *,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        nc4: bool = True,
        centring: str = "class",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _validate.check_classifier(weight, bias, num_classes, dim)
        _validate.check_centring(centring)
        self.num_classes = num_classes
        self.dim = dim
        self.centring = centring
        self.weight = None if weight is None else weight.detach()
        self.bias = None if bias is None else bias.detach()
        self.keeps_samples = nc4 and weight is not None
        size = 2 * num_classes + num_classes * dim + dim**2
        merge = functools.partial(_merge, num_classes=num_classes, dim=dim)
        # One state: the parts of two sets of moments can only be merged together.
        self.add_state("moments", torch.zeros(size, dtype=torch.float64), dist_reduce_fx=merge)
        self.add_state("rounding", torch.zeros(()).double(), dist_reduce_fx="max")
        self.add_state("features", [], dist_reduce_fx="cat")
        self.add_state("labels", [], dist_reduce_fx="cat")

    def update(self, features: Tensor, labels: Tensor) -> None:
        """Add a batch of features (B, P) with labels (B,); any class may be absent from it."""
        _validate.check_batch(features, labels)
        if features.shape[1] != self.dim:
            raise ValueError(
                f"features must have dimension {self.dim}, got {tuple(features.shape)}"
            )
        features = features.detach()
        labels = labels.to(features.device, torch.int64)
        _validate.check_labels(labels, self.num_classes)
        with full_precision(features.device):
            present, own, sizes = labels.unique(return_inverse=True, return_counts=True)
            exact = features.double()
            means = exact.new_zeros(len(present), self.dim).index_add_(0, own, exact)
            means /= sizes[:, None]
            residuals = (exact - means[own]).to(working_dtype(features))
            squares = means.new_zeros(len(present))
            squares.index_add_(0, own, residuals.double().square().sum(1))
            if not bool(squares.isfinite().all()):
                raise _validate.nonfinite_error(features)

            self.rounding.clamp_(min=torch.finfo(working_dtype(features)).eps)
            total = _unpack(self.moments, self.num_classes, self.dim)
            before = total.counts[present]
            share = sizes / (before + sizes)
            moved = means - total.means[present]
            between = (before * share).sqrt()[:, None] * moved
            rows = torch.cat([residuals, between.to(residuals.dtype)])
            total.scatter.add_(rows.T @ rows)
            total.squares.index_add_(0, present, squares + between.square().sum(1))
            total.means.index_add_(0, present, share[:, None] * moved)
            total.counts.index_add_(0, present, sizes.double())
        if self.keeps_samples:
            self.features.append(features)
            self.labels.append(labels)

    def forward(self, features: Tensor, labels: Tensor) -> None:
        """Update and return nothing: a batch that misses a class has no report of its own."""
        self.update(features, labels)

    def compute(self) -> CollapseReport:
        """The report of all batches, over all processes."""
        _validate.check_classifier(self.weight, self.bias, self.num_classes, self.dim)
        counts, squares, means, scatter = _unpack(self.moments, self.num_classes, self.dim)
        _validate.check_counts(counts)
        with full_precision(means.device):
            span = class_span(means, counts, self.centring, float(self.rounding))
            within = ((scatter @ span.basis) * span.basis).sum(0).clamp(min=0) / counts.sum()
            moments = ClassMoments(counts, means.clone(), squares / counts)
            nc4 = None
            if self.keeps_samples and self.weight is not None:
                nc4 = self._agreement_share(moments, span, self.weight)
            return collapse_report(moments, span, within, self.weight, nc4, self.centring)

    def _agreement_share(self, moments: ClassMoments, span: ClassSpan, weight: Tensor) -> float:
        """NC4 of the samples kept here and in the other processes."""
        if not len(span.spread):
            return math.nan
        device = self.moments.device
        wide = any(features.dtype == torch.float64 for features in self.features)
        dtype = torch.float64 if wide else torch.float32
        agreement = Agreement(moments.means, span, weight, self.bias, dtype)
        basis = span.basis.to(dtype)
        agreed = torch.zeros((), dtype=torch.int64, device=device)
        for batch, batch_labels in zip(self.features, self.labels, strict=True):
            for rows, own in zip(batch.split(4096), batch_labels.split(4096), strict=True):
                own = own.to(device)
                residuals = (rows.to(device, torch.float64) - moments.means[own]).to(dtype)
                lengths = vector_norm(residuals, dim=1)
                along = residuals @ basis
                lengths_along = vector_norm(along, dim=1)
                agreed += agreement.count(residuals, along, lengths, lengths_along, own)
        if self._is_synced:
            gather = self.dist_sync_fn or gather_all_tensors
            agreed = torch.stack(gather(agreed, group=self.process_group)).sum()
        return float(agreed / moments.counts.sum())

    def merge_state(self, incoming_state: dict[str, Any] | Metric) -> None:
        """Add the samples of another metric (or of its ``metric_state``)."""
        super().merge_state(incoming_state)
        # torchmetrics would go on to return the report from before, or warn that there is none.
        self._computed = None
        self._update_count += 1

    def _sync_dist(self, *args: Any, **kwargs: Any) -> None:
        # The samples stay in their process; only the number that agrees is added up.
        reductions = self._reductions
        self._reductions = {name: reductions[name] for name in ("moments", "rounding")}
        try:
            super()._sync_dist(*args, **kwargs)
        finally:
            self._reductions = reductions

    def _wrap_compute(self, compute: Callable[[], CollapseReport]) -> Callable[[], CollapseReport]:
        # torchmetrics rewrites the fields of what compute returns; a frozen report goes in a box.
        wrapped = super()._wrap_compute(lambda: _Box(compute()))

        @functools.wraps(compute)
        def unboxed() -> CollapseReport:
            report: CollapseReport = wrapped().report
            return report

        return unboxed


class _Box:
    def __init__(self, report: CollapseReport) -> None:
        self.report = report


class _Moments(NamedTuple):
    counts: Float[Tensor, " K"]
    squares: Float[Tensor, " K"]  # sum of squared distances to the class mean
    means: Float[Tensor, "K P"]
    scatter: Float[Tensor, "P P"]  # N Σ_W


def _unpack(state: Float[Tensor, " S"], num_classes: int, dim: int) -> _Moments:
    """Views of the parts of a state."""
    sizes = [num_classes, num_classes, num_classes * dim, dim**2]
    counts, squares, means, scatter = state.split(sizes)
    return _Moments(counts, squares, means.view(num_classes, dim), scatter.view(dim, dim))


def _merge(states: Float[Tensor, "R S"], num_classes: int, dim: int) -> Float[Tensor, " S"]:
    """The moments of the union of the samples behind R states (Chan, Golub and LeVeque 1979)."""
    merged = states[0].clone()
    total = _unpack(merged, num_classes, dim)
    for state in states[1:]:
        other = _unpack(state, num_classes, dim)
        counts = total.counts + other.counts
        share = torch.where(counts > 0, other.counts / counts, 0.0)
        moved = other.means - total.means
        between = (total.counts * share).sqrt()[:, None] * moved
        total.scatter.add_(other.scatter).addmm_(between.T, between)
        total.squares.add_(other.squares).add_(between.square().sum(1))
        total.means.add_(share[:, None] * moved)
        total.counts.copy_(counts)
    return merged
