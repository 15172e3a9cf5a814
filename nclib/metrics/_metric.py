"""Collapse measured batch by batch, over several processes."""

import copy
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.linalg import vector_norm
from torchmetrics import Metric
from torchmetrics.utilities.distributed import gather_all_tensors

from nclib._scale import unit_of
from nclib.metrics import _validate
from nclib.metrics._agreement import Agreement
from nclib.metrics._classifier import WatchedClassifier, fingerprint
from nclib.metrics._pairs import positive_pairs
from nclib.metrics._products import full_precision, working_dtype
from nclib.metrics._report import (
    ClassMoments,
    ClassSpan,
    CollapseReport,
    class_span,
    classifier_of,
    collapse_report,
    scaled_classifier,
    with_absent,
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
    samples are kept too (of class-wise features, the pairs), in the dtype in which they came and in
    the process that saw them (with ``compute_on_cpu=True``, in its main memory). ``nc4=False``
    keeps none and leaves NC4 out.

    The classifier is watched, not copied: ``compute`` uses its values at that time.

    * A layer is watched with its bias, through casts, moves and new parameters.
    * A parameter is watched through casts and moves. When its layer replaces it, ``compute``
      refuses, unless something else keeps the old one alive (an optimiser does): a layer is safer.
    * Other tensors are values: ``compute`` sees changes in place, and nothing else.
    * A function is called at every ``compute``.

    Layers and parameters are held weakly, and ``compute`` refuses when they no longer exist. A copy
    of the metric or of its collection alone (``clone``, ``deepcopy``) watches the original; a copy
    made together with the layer, as in a copy of the model that contains both, watches the copy of
    the layer. The same holds for a bound method of a module; any other function is called as it is.
    A pickle of the model watches the unpickled layer; pickled alone, only a metric that watches
    values still has its classifier.

    Labels are class ids or multi-hot, features pooled or class-wise, as :func:`measure` has them; a
    batch of either kind may follow one of the other. Once multi-hot labels were given, classes
    without samples are skipped and named.

    Sums are kept in float64 through every cast of the metric or of a module that contains it. They
    are kept in a unit, a power of two that grows with the largest feature so far, so that they are
    right at every scale that the features' dtype holds.

    States of metrics with other settings are refused, by the setting's name: another K, P or
    centring, a classifier with other values, samples kept here and not there. While a model is
    loaded its layers may change after the metric, so the values of layers, parameters and functions
    are not compared then. No two metrics ever share a compute group of a ``MetricCollection``.

    A device needs float64 to hold the state, so Apple's MPS does not work; features that are there
    have to be moved to the CPU first.

    Time for a batch of B samples: O(BP²), in float32 (float64 for float64 features). Where the
    features fit in memory as one matrix, :func:`measure` is faster: O(BPK). ``forward`` takes twice
    as long as ``update``.

    Args:
        num_classes: K, at least 2.
        dim: P.
        weight: the classifier: a layer, a (K, P) parameter or tensor, or a function that returns a
            layer, a weight or a pair of weight and bias; None leaves NC3 and NC4 out.
        bias: (K,), with a parameter or tensor alone; None for zero.
        nc4: whether to keep the samples for NC4; of no effect without a classifier.
        centring: ``"class"`` or ``"sample"``, see :class:`CollapseReport`.
        kwargs: those of ``torchmetrics.Metric``.

    Raises:
        ValueError: if shapes disagree, the classifier is not finite or ``centring`` is unknown.
            ``update`` raises as :func:`measure` does and leaves the state as it was; ``compute``
            raises when a class has no sample or the classifier is gone; ``merge_state`` and
            ``load_state_dict`` raise when the settings differ, and leave the state as it was.

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

    settings: Tensor
    moments: Tensor
    rounding: Tensor
    multi_hot: Tensor
    features: list[Tensor]
    labels: list[Tensor]

    def __init__(
        self,
        num_classes: int,
        dim: int,
        *,
        weight: Tensor | nn.Module | Callable[[], Any] | None = None,
        bias: Tensor | None = None,
        nc4: bool = True,
        centring: str = "class",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._classifier = WatchedClassifier(weight, bias)
        given, given_bias = self._classifier()
        _validate.check_classifier(given, given_bias, num_classes, dim)
        _validate.check_centring(centring)
        self.num_classes = num_classes
        self.dim = dim
        self.centring = centring
        self.keeps_samples = nc4 and given is not None and given.shape[1] == dim
        size = 1 + 2 * num_classes + num_classes * dim + dim**2
        merge = functools.partial(_merge, num_classes=num_classes, dim=dim)
        # First, so that states which must not be merged are refused before anything is.
        self.add_state("settings", self._settings(), dist_reduce_fx=_agreed)
        # One state: the parts of two sets of moments can only be merged together.
        self.add_state("moments", torch.zeros(size, dtype=torch.float64), dist_reduce_fx=merge)
        self.add_state("rounding", torch.zeros(()).double(), dist_reduce_fx="max")
        self.add_state("multi_hot", torch.zeros(()).double(), dist_reduce_fx="max")  # 1 if seen
        self.add_state("features", [], dist_reduce_fx="cat")
        self.add_state("labels", [], dist_reduce_fx="cat")

    def update(self, features: Tensor, labels: Tensor) -> None:
        """Add a batch of features (B, P) or (B, K, P) with labels (B,), or (B, K) if multi-hot.

        Any class may be absent from it.
        """
        _validate.check_batch(features, labels)
        if features.shape[-1] != self.dim:
            raise ValueError(
                f"features must have dimension {self.dim}, got {tuple(features.shape)}"
            )
        pairs, _ = positive_pairs(features, labels, self.num_classes)
        largest = pairs.magnitude()
        if not math.isfinite(largest):
            raise pairs.nonfinite_error()
        if labels.ndim == 2:
            self.multi_hot = torch.ones_like(self.multi_hot)
        if not len(pairs.classes):
            return
        features = pairs.take()
        if self.moments.is_inference() and not torch.is_inference_mode_enabled():
            self.moments = self.moments.clone()  # which may be written to here
        with full_precision(features.device):
            total = _unpack(self.moments, self.num_classes, self.dim)
            unit = before = float(total.unit)
            if largest:
                unit = max(before, unit_of(largest))
                _use_unit(total, before, unit)
            present, position, sizes = pairs.classes.unique(return_inverse=True, return_counts=True)
            exact = _in_unit(features, unit)
            means = exact.new_zeros(len(present), self.dim).index_add_(0, position, exact)
            means /= sizes[:, None]
            residuals = (exact - means[position]).to(working_dtype(features))
            squares = means.new_zeros(len(present))
            squares.index_add_(0, position, residuals.double().square().sum(1))

            earlier = total.counts[present]
            share = sizes / (earlier + sizes)
            moved = means - total.means[present]
            between = (earlier * share).sqrt()[:, None] * moved
            factors = torch.cat([residuals, between.to(residuals.dtype)])
            total.scatter.add_(factors.T @ factors)
            total.squares.index_add_(0, present, squares + between.square().sum(1))
            total.means.index_add_(0, present, share[:, None] * moved)
            total.counts.index_add_(0, present, sizes.double())
            self.rounding = self.rounding.clamp(min=torch.finfo(working_dtype(features)).eps)
        if self.keeps_samples:
            # Copies: the caller may write the next batch into the same memory.
            shared = pairs.hot is not None
            self.features.append((pairs.features if shared else features).clone())
            self.labels.append((pairs.classes if pairs.hot is None else pairs.hot).clone())

    def forward(self, features: Tensor, labels: Tensor) -> CollapseReport | None:
        """Update, and report this batch alone.

        None if a class of class ids is absent from it, or all but one of multi-hot labels.
        """
        batch = copy.copy(self)
        batch.features, batch.labels = [], []
        batch.reset()
        batch.update(features, labels)
        with batch.sync_context(self.dist_sync_fn, should_sync=self.dist_sync_on_step):
            counts = _unpack(batch.moments, self.num_classes, self.dim).counts
            enough = 2 if bool(batch.multi_hot) else self.num_classes
            report = batch._report() if int(counts.count_nonzero()) >= enough else None
        # A collection may have lent these to others, which are given the batch themselves.
        self.moments = self.moments.clone()
        self.features, self.labels = [*self.features], [*self.labels]
        self.update(features, labels)
        return report

    def compute(self) -> CollapseReport:
        """The report of all batches, over all processes."""
        return self._report()

    def _report(self) -> CollapseReport:
        weight, bias = self._classifier()
        _validate.check_classifier(weight, bias, self.num_classes, self.dim)
        total = _unpack(self.moments, self.num_classes, self.dim)
        present = _validate.present_classes(total.counts, all_needed=not bool(self.multi_hot))
        means, counts, squares = (
            part.index_select(0, present) for part in (total.means, total.counts, total.squares)
        )
        classifier = classifier_of(weight, bias, self.dim, present)
        with full_precision(means.device):
            span = class_span(means, counts, self.centring, float(self.rounding))
            within = ((total.scatter @ span.basis) * span.basis).sum(0).clamp(min=0) / counts.sum()
            moments = ClassMoments(counts, means, squares / counts)
            unit = float(total.unit) or 1.0
            nc4, weight = None, None
            if classifier is not None:
                weight, bias = scaled_classifier(*classifier, unit, means)
                if self.keeps_samples:
                    nc4 = self._agreement_share(moments, span, weight, bias, unit, present)
            report = collapse_report(moments, span, within, weight, nc4, self.centring, unit)
        return with_absent(report, present, self.num_classes)

    def _agreement_share(
        self,
        moments: ClassMoments,
        span: ClassSpan,
        weight: Float[Tensor, "K P"],
        bias: Float[Tensor, " K"] | None,
        unit: float,
        present: Int[Tensor, " L"],
    ) -> float:
        """NC4 of the samples kept here and in the other processes."""
        device = self.moments.device
        wide = any(features.dtype == torch.float64 for features in self.features)
        dtype = torch.float64 if wide else torch.float32
        agreement = Agreement(moments.means, span, weight, bias, dtype)
        basis = span.basis.to(dtype)
        kept = sum(int(part.sum()) if part.ndim == 2 else len(part) for part in self.labels)
        number = torch.zeros(self.num_classes, dtype=torch.int64, device=device)
        number[present] = torch.arange(len(present), device=device)
        agreed = torch.zeros((), dtype=torch.int64, device=device)
        for batch, batch_labels in zip(self.features, self.labels, strict=True):
            for rows, classes in zip(batch.split(4096), batch_labels.split(4096), strict=True):
                classes = classes.to(device)
                exact = _in_unit(rows.to(device), unit)
                if classes.ndim == 2:
                    labelled = classes.any(1)
                    hot = classes[labelled][:, present]
                    centres = hot.double() @ moments.means / hot.sum(1, keepdim=True)
                    residuals = (exact[labelled] - centres).to(dtype)
                    agreed += agreement.count_shared(residuals, residuals @ basis, hot)
                    continue
                classes = number[classes]
                residuals = (exact - moments.means[classes]).to(dtype)
                lengths = vector_norm(residuals, dim=1)
                along = residuals @ basis
                lengths_along = vector_norm(along, dim=1)
                agreed += agreement.count(residuals, along, lengths, lengths_along, classes)
        numbers = torch.stack([agreed, torch.full_like(agreed, kept)])
        if self._is_synced:
            gather = self.dist_sync_fn or gather_all_tensors
            numbers = torch.stack(gather(numbers, group=self.process_group)).sum(0)
        agreed_everywhere, kept_everywhere = numbers.tolist()
        samples = int(moments.counts.sum())
        if kept_everywhere != samples:
            raise ValueError(
                f"{kept_everywhere} samples kept for NC4, expected all {samples}: this state was"
                " lent or set by something that keeps none"
            )
        return agreed_everywhere / samples if len(span.spread) else math.nan

    @property
    def metric_state(self) -> dict[str, Any]:
        """The state, with the settings of now."""
        self.settings = self._settings()
        state: dict[str, Any] = super().metric_state
        return state

    def merge_state(self, incoming_state: dict[str, Any] | Metric) -> None:
        """Add the samples of another metric (or of its ``metric_state``).

        Raises:
            ValueError: naming it, if a setting differs; this metric is as it was then.
        """
        if isinstance(incoming_state, CollapseMetric):
            incoming_state = incoming_state.metric_state
        if isinstance(incoming_state, dict):
            incoming_state = {
                name: state.to(self.device) if isinstance(state, Tensor) else state
                for name, state in incoming_state.items()
            }
        self.settings = self._settings()
        super().merge_state(incoming_state)
        # torchmetrics would go on to return the report from before, or warn that there is none.
        self._computed = None
        self._update_count += 1

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """The state if it is persistent, with the settings of now."""
        if self._persistent["settings"]:
            self.settings = self._settings()
        state: dict[str, Any] = super().state_dict(*args, **kwargs)
        return state

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        missing = [name for name in self._defaults if prefix + name not in state_dict]
        if len(missing) < len(self._defaults):
            if missing:
                raise ValueError(f"a collapse state without {missing}: expected all its parts")
            present, incoming = self._settings(), state_dict[prefix + "settings"].to(self.device)
            if prefix and self._classifier.changes_elsewhere and present[4] and incoming[4]:
                incoming = torch.cat([incoming[:4], present[4:]])  # the layer may be loaded later
            _agreed(torch.stack([incoming, present]))
            for name in self._defaults:  # a copy, which only this metric writes to
                state = copy.deepcopy(state_dict[prefix + name])
                if isinstance(state, Tensor):
                    state = state.to(self.device, torch.float64)
                state_dict[prefix + name] = state
            self._computed = None
            self._update_count = max(1, self._update_count)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def _settings(self) -> Float[Tensor, " 6"]:
        """What a state must share with another to be merged with it, and a nan.

        As nan equals nothing, no collection finds two of these states equal, so that none of its
        metrics is given the state of another.
        """
        settings = [
            self.num_classes,
            self.dim,
            _CENTRINGS.index(self.centring),
            self.keeps_samples,
            fingerprint(*self._classifier()),
            math.nan,
        ]
        return torch.tensor(settings, dtype=torch.float64, device=self.device)

    def _apply(
        self, fn: Callable[[Tensor], Tensor], exclude_state: Sequence[str] = ""
    ) -> nn.Module:
        """Move the state, and never cast it."""

        def moved(tensor: Tensor) -> Tensor:
            result = fn(tensor)
            return result if result.dtype == tensor.dtype else tensor.to(result.device)

        module: nn.Module = super()._apply(moved, exclude_state)
        return module

    def _sync_dist(self, *args: Any, **kwargs: Any) -> None:
        # The samples stay in their process; only the number that agrees is added up.
        reductions = self._reductions
        self.settings = self._settings()
        self._reductions = {
            name: reductions[name] for name in ("settings", "moments", "rounding", "multi_hot")
        }
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


_CENTRINGS = ("class", "sample")


def _agreed(settings: Float[Tensor, "R 6"]) -> Float[Tensor, " 6"]:
    """The settings of R states, once they are found to be the same."""
    for position, name in enumerate(("num_classes", "dim", "centring", "nc4", "classifier")):
        values = sorted(map(int, set(settings[:, position].tolist())))
        if len(values) == 1:
            continue
        if name == "centring":
            shown = " and ".join(_CENTRINGS[value] for value in values)
        elif name == "nc4":
            shown = "samples kept in one alone"
        elif name == "classifier":
            shown = "two with other values" if values[0] else "none and one"
        else:
            shown = " and ".join(map(str, values))
        raise ValueError(f"states with different {name}: {shown}; expected the same")
    return settings[0]


class _Moments(NamedTuple):
    """Views of a state; all but the counts are in the unit."""

    unit: Float[Tensor, ""]  # a power of two; 0 before the first feature that is not zero
    counts: Float[Tensor, " K"]
    squares: Float[Tensor, " K"]  # sum of squared distances to the class mean
    means: Float[Tensor, "K P"]
    scatter: Float[Tensor, "P P"]  # N Σ_W


def _unpack(state: Float[Tensor, " S"], num_classes: int, dim: int) -> _Moments:
    """Views of the parts of a state."""
    sizes = [1, num_classes, num_classes, num_classes * dim, dim**2]
    unit, counts, squares, means, scatter = state.split(sizes)
    return _Moments(unit[0], counts, squares, means.view(num_classes, dim), scatter.view(dim, dim))


def _use_unit(total: _Moments, before: float, unit: float) -> None:
    """Turn moments in the unit ``before`` into those in a unit at least as large."""
    if unit == before:
        return
    total.unit.fill_(unit)
    total.means.mul_(before / unit)
    for squared in (total.squares, total.scatter):
        squared.mul_(before / unit).mul_(before / unit)


def _in_unit(features: Float[Tensor, "B P"], unit: float) -> Float[Tensor, "B P"]:
    """In float64 and in the unit, if there is one."""
    return features.double() if unit in (0, 1) else features.double() / unit


def _merge(states: Float[Tensor, "R S"], num_classes: int, dim: int) -> Float[Tensor, " S"]:
    """The moments of the union of the samples behind R states (Chan, Golub and LeVeque 1979)."""
    states = states.clone()
    total, *others = (_unpack(state, num_classes, dim) for state in states)
    units = states[:, 0].tolist()
    for part, before in zip((total, *others), units, strict=True):
        _use_unit(part, before, max(units))
    for other in others:
        counts = total.counts + other.counts
        share = torch.where(counts > 0, other.counts / counts, 0.0)
        moved = other.means - total.means
        between = (total.counts * share).sqrt()[:, None] * moved
        total.scatter.add_(other.scatter).addmm_(between.T, between)
        total.squares.add_(other.squares).add_(between.square().sum(1))
        total.means.add_(share[:, None] * moved)
        total.counts.copy_(counts)
    return states[0].clone()
