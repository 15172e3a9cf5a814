"""The collapse report, and how it follows from class statistics of size K."""

import dataclasses
import math
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nclib._scale import magnitude, rescaled_rows, unit_of
from nclib.geometry import etf_distance


@dataclasses.dataclass(frozen=True, eq=False)
class CollapseReport:
    r"""How far features have collapsed: 0 at neural collapse, unless a value says otherwise.

    Notation: :math:`\mu_k` the mean and :math:`n_k` the count of class k, N samples,
    :math:`\mu_G` the centre, :math:`\tilde\mu_k = \mu_k - \mu_G`, M the (K, P) matrix of the
    :math:`\tilde\mu_k`, W the (K, P) classifier, :math:`J = 11^\top`, and

    .. math::
        \Sigma_W = \frac1N \sum_i (h_i - \mu_{y_i})(h_i - \mu_{y_i})^\top, \qquad
        \Sigma_B = \sum_k \pi_k\, \tilde\mu_k \tilde\mu_k^\top, \qquad
        \mu_G = \sum_k \pi_k\, \mu_k .

    The weights :math:`\pi_k` are the centring: ``"class"`` is :math:`1/K`, every class counting
    alike (Papyan et al.; Zhu et al.); ``"sample"`` is :math:`n_k/N`, so that :math:`\mu_G` is the
    mean of all samples and :math:`\Sigma_W + \Sigma_B` their covariance. :math:`\Sigma_W` is an
    average over samples in both. For balanced classes the two agree.

    Values that need the classifier are None without one. Undefined values are nan (an angle of a
    class mean that lies at the centre; everything about the shape of means that are all equal), a
    ratio to a distance of zero is inf (NC1 when all means are equal; CDNV and the uniformity when
    any two are). Means count as equal when rounding cannot tell them apart
    (:func:`nclib.metrics.measure` says how far that is).
    """

    nc1: float
    r""":math:`\operatorname{tr}(\Sigma_W \Sigma_B^\dagger)/K` (Papyan, Han and Donoho 2020)."""
    nc1_ratio: float
    r""":math:`\operatorname{tr}\Sigma_W / \operatorname{tr}\Sigma_B` (Tirer, Huang and Niles-Weed
    2023)."""
    nc1_cdnv: float
    r"""Class-distance normalised variance, the mean over pairs :math:`k \ne l` of
    :math:`(v_k + v_l) / (2\|\mu_k - \mu_l\|^2)` (Galanti, György and Hutter 2022)."""
    nc1_per_class: Float[Tensor, " K"]
    r""":math:`v_k / \operatorname{tr}\Sigma_B`; its average over samples is ``nc1_ratio``."""
    nc2_norm_cv: float
    r"""Equal norms: standard deviation over mean of :math:`\|\tilde\mu_k\|` (Papyan et al.)."""
    nc2_angle: float
    r"""Equal and largest angles: mean over pairs of
    :math:`|\cos(\tilde\mu_k, \tilde\mu_l) + 1/(K-1)|` (Papyan et al. 2020)."""
    nc2_etf: float
    r""":math:`\|MM^\top/\|MM^\top\|_F - (I - J/K)/\sqrt{K-1}\|_F` (Zhu et al. 2021)."""
    nc2_uniformity: float
    r"""Hyperspherical uniformity as the logarithmic energy, the mean over pairs of
    :math:`\log(1/\|u_k - u_l\|)`, :math:`u_k = \tilde\mu_k/\|\tilde\mu_k\|` (Liu et al. 2023).
    Least where directions are most uniform: :math:`-\tfrac12\log(2K/(K-1))` at a simplex ETF if
    :math:`P \ge K - 1`; not zero there, and still meaningful for :math:`K > P + 1`."""
    nc3: float | None
    r"""Self-duality: :math:`\|W/\|W\|_F - M/\|M\|_F\|_F` (Papyan et al. 2020)."""
    nc3_duality: float | None
    r""":math:`\|WM^\top/\|WM^\top\|_F - (I - J/K)/\sqrt{K-1}\|_F` (Zhu et al. 2021)."""
    nc3_alignment: float | None
    r"""Mean of ``nc3_alignment_per_class``; 1 at collapse."""
    nc3_alignment_per_class: Float[Tensor, " K"] | None
    r""":math:`\cos(w_k - \bar w, \tilde\mu_k)`, :math:`\bar w = \tfrac1K\sum_k w_k`."""
    nc3_prime: float | None
    r"""NC3′: :math:`\min_Q \|W/\|W\|_F - Q\bar H^\top/\|\bar H\|_F\|_F` over orthogonal (K, K)
    matrices Q, with the means as the paper has them, not centred: :math:`\bar H^\top` has the rows
    :math:`\mu_k`. Q is the polar factor of :math:`W \bar H`. Zero iff
    :math:`W^\top = \kappa \bar H Q^\top` for some Q and :math:`\kappa > 0` (class-encoding paper,
    equation (12) and Theorem IV.4)."""
    nc4: float | None
    r"""Share of samples where :math:`\arg\max_k (w_k^\top h + b_k)` is the class whose mean
    :math:`\mu_k` is nearest to h (Papyan et al. 2020); 1 at collapse. Equal means tie, and a tie
    counts as agreement."""
    counts: Int[Tensor, " K"]
    r""":math:`n_k`."""
    variances: Float[Tensor, " K"]
    r"""Within-class variance :math:`v_k = \tfrac1{n_k}\sum_{y_i=k}\|h_i - \mu_k\|^2`."""
    class_means: Float[Tensor, "K P"]
    r""":math:`\mu_k`, not centred. (K, 0) in a report that was stored without them."""
    global_mean: Float[Tensor, " P"]
    r""":math:`\mu_G`. Empty in a report that was stored without the means."""
    centring: str
    r"""``"class"`` or ``"sample"``."""
    absent: tuple[int, ...] | None = None
    r"""Classes of multi-hot labels that no sample carries. They are skipped: K is the number of the
    other classes in every formula, and what is listed by class has 0 (counts) or nan for them. None
    where every class has a sample."""

    def to_dict(self, *, means: bool = False) -> dict[str, Any]:
        """The report as JSON holds it: numbers, None, lists, and nan and ±inf as strings.

        Args:
            means: include ``class_means`` and ``global_mean`` (K·P + P numbers).
        """
        skipped: tuple[str, ...] = () if means else ("class_means", "global_mean")
        if self.absent is None:  # as in a report from before there was such a field
            skipped += ("absent",)
        names = [field.name for field in dataclasses.fields(self) if field.name not in skipped]
        return {name: _to_json(getattr(self, name)) for name in names}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "CollapseReport":
        """The report that :meth:`to_dict` wrote.

        Raises:
            ValueError: if a field is missing or unknown.
        """
        fields = {field.name for field in dataclasses.fields(cls)}
        missing = fields - {"class_means", "global_mean", "absent"} - values.keys()
        unknown = values.keys() - fields
        if missing or unknown:
            raise ValueError(
                "not a collapse report:"
                f" missing fields {sorted(missing)}, unknown fields {sorted(unknown)}"
            )
        parsed = {name: _from_json(name, value) for name, value in values.items()}
        parsed.setdefault("class_means", torch.empty(len(parsed["counts"]), 0).double())
        parsed.setdefault("global_mean", torch.empty(0).double())
        return cls(**parsed)

    def __str__(self) -> str:
        scalars = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name.startswith("nc") and not field.name.endswith("per_class")
        }
        lines = [
            f"{name:<15}{value:>12.4g}" for name, value in scalars.items() if value is not None
        ]
        classes, dim = self.class_means.shape
        size = f"{int(self.counts.sum())} samples, {classes} classes, dimension {dim}"
        return "\n".join([f"Collapse of {size} ({self.centring} centring)", *lines])


class ClassMoments(NamedTuple):
    """What the samples say class by class, in float64 and in the unit of the features."""

    counts: Float[Tensor, " K"]
    means: Float[Tensor, "K P"]
    variances: Float[Tensor, " K"]  # mean squared distance to the class mean


class ClassSpan(NamedTuple):
    """Principal axes of the centred class means: the eigenvectors of Σ_B with eigenvalues > 0."""

    weights: Float[Tensor, " K"]  # π, which makes the centre
    centre: Float[Tensor, " P"]  # μ_G
    basis: Float[Tensor, "P r"]  # orthonormal columns
    spread: Float[Tensor, " r"]  # eigenvalues of Σ_B
    coordinates: Float[Tensor, "K r"]  # of the centred means, in the basis
    distances: Float[Tensor, "K K"]  # between the means
    resolution: float  # distance below which two means are equal but for rounding


def class_span(
    means: Float[Tensor, "K P"], counts: Float[Tensor, " K"], centring: str, eps: float
) -> ClassSpan:
    """The axes of Σ_B through the (K, K) Gram matrix of the weighted centred means.

    ``eps`` is the unit of rounding of the sums that gave the means.
    """
    num_classes, dim = means.shape
    if centring == "class":
        weights = torch.full_like(counts, 1 / num_classes)
    else:
        weights = counts / counts.sum()
    centre = weights @ means
    centred = means - centre
    root = weights.sqrt()[:, None]
    gram = centred @ centred.T
    eigenvalues, vectors = torch.linalg.eigh(root * gram * root.T)
    # Rounding moves each mean by about eps times its size (before centring), and the eigenvalues of
    # a Gram matrix by about K float64 units; what is smaller than both is no direction of its own.
    resolution = 16 * eps * float(means.norm(dim=1).max())
    floor = num_classes * torch.finfo(torch.float64).eps * float(eigenvalues[-1])
    kept = eigenvalues > max(resolution**2, floor)
    kept[: num_classes - min(num_classes - 1, dim)] = False  # the rank is at most min(K − 1, P)
    spread = eigenvalues[kept].flip(0)
    axes = vectors[:, kept].flip(1)
    basis = centred.T @ (root * axes / spread.sqrt())
    coordinates = axes * spread.sqrt() / root
    distances = pair_distances(centred, gram)
    return ClassSpan(weights, centre, basis, spread, coordinates, distances, resolution)


def refined(span: ClassSpan, means: Float[Tensor, "K P"]) -> ClassSpan:
    """The same axes for class means that are known better by now."""
    centre = span.weights @ means
    coordinates = (means - centre) @ span.basis
    spread = span.weights @ coordinates.square()
    return span._replace(centre=centre, coordinates=coordinates, spread=spread)


def classifier_of(
    weight: Tensor | None, bias: Tensor | None, dim: int, present: Int[Tensor, " L"]
) -> tuple[Tensor, Tensor | None] | None:
    """The rows of the classes that are present; None without a classifier of such features."""
    if weight is None or weight.shape[1] != dim:
        return None
    if len(present) == len(weight):
        return weight, bias
    present = present.to(weight.device)
    return weight[present], None if bias is None else bias[present.to(bias.device)]


def scaled_classifier(
    weight: Tensor, bias: Tensor | None, unit: float, means: Float[Tensor, "K P"]
) -> tuple[Float[Tensor, "K P"], Float[Tensor, " K"] | None]:
    """The classifier in a unit of its own, with the same decisions about features in ``unit``."""
    weight = weight.detach().to(means)
    weight_unit = unit_of(magnitude(weight))
    if bias is not None:
        bias = bias.detach().to(means) / weight_unit / unit
    return weight / weight_unit, bias


def pair_distances(
    vectors: Float[Tensor, "K P"], gram: Float[Tensor, "K K"]
) -> Float[Tensor, "K K"]:
    """Distances between rows: by their Gram matrix, and by differences where that would cancel."""
    norms = gram.diagonal()
    total = norms[:, None] + norms
    squares = (total - 2 * gram).clamp(min=0)
    close = (squares < 1e-6 * total).triu(1).nonzero()
    for k, m in (pairs.unbind(1) for pairs in close.split(4096)):
        squares[k, m] = squares[m, k] = (vectors[k] - vectors[m]).square().sum(1)
    return squares.fill_diagonal_(0).sqrt()


def collapse_report(
    moments: ClassMoments,
    span: ClassSpan,
    within: Float[Tensor, " r"],
    weight: Float[Tensor, "K P"] | None,
    nc4: float | None,
    centring: str,
    unit: float,
) -> CollapseReport:
    """The report, given the variance ``within`` of the residuals along each axis of the span.

    All that is given is in ``unit``, and the classifier in its own; the report is in neither.
    """
    counts, means, variances = moments
    num_classes = len(counts)
    shares = counts / counts.sum()
    centred = means - span.centre
    norms = centred.norm(dim=1)
    centred = torch.where((norms > span.resolution)[:, None] & (len(span.spread) > 0), centred, 0.0)
    between = span.spread.sum()
    nc1_ratio = float(variances @ shares / between)
    # The pseudo-inverse of a zero Σ_B is zero, which would call equal means collapsed.
    nc1 = float((within / span.spread).sum()) / num_classes if len(span.spread) else nc1_ratio

    upper = torch.triu_indices(num_classes, num_classes, offset=1, device=means.device).unbind()
    gram = centred @ centred.T
    distances = pair_distances(centred, gram)[upper]
    distances = torch.where(distances > span.resolution, distances, 0.0)
    pair_variances = (variances[upper[0]] + variances[upper[1]]) / 2
    norms = centred.norm(dim=1)
    cosines = gram / norms[:, None] / norms
    chords = pair_distances(centred / norms[:, None], cosines)[upper]
    chords = torch.where((distances == 0) & ~chords.isnan(), 0.0, chords)

    return CollapseReport(
        nc1=nc1,
        nc1_ratio=nc1_ratio,
        nc1_cdnv=float((pair_variances / distances.square()).mean()),
        nc1_per_class=(variances / between).cpu(),
        nc2_norm_cv=float(norms.std(correction=0) / norms.mean()),
        nc2_angle=float((cosines[upper] + 1 / (num_classes - 1)).abs().mean()),
        nc2_etf=etf_distance(gram),
        nc2_uniformity=float(-chords.log().mean()),
        **_duality(weight, means, span.centre, centred),
        nc4=nc4,
        counts=counts.long().cpu(),
        variances=(variances * unit * unit).cpu(),
        class_means=(means * unit).cpu(),
        global_mean=(span.centre * unit).cpu(),
        centring=centring,
    )


def with_absent(
    report: CollapseReport, present: Int[Tensor, " L"], num_classes: int
) -> CollapseReport:
    """The report of the classes that are present, as one of all the classes."""
    if len(present) == num_classes:
        return report
    present = present.cpu()

    def spread(values: Tensor | None) -> Tensor | None:
        if values is None:
            return None
        empty = 0 if values.dtype == torch.int64 else math.nan
        return values.new_full((num_classes, *values.shape[1:]), empty).index_copy(
            0, present, values
        )

    names = ("nc1_per_class", "nc3_alignment_per_class", "counts", "variances", "class_means")
    by_class: dict[str, Any] = {name: spread(getattr(report, name)) for name in names}
    absent = sorted(set(range(num_classes)) - set(present.tolist()))
    return dataclasses.replace(report, **by_class, absent=tuple(absent))


def _duality(
    weight: Float[Tensor, "K P"] | None,
    means: Float[Tensor, "K P"],
    centre: Float[Tensor, " P"],
    centred: Float[Tensor, "K P"],
) -> dict[str, Any]:
    """The NC3 family, None in every field without a classifier."""
    if weight is None:
        names = ("nc3", "nc3_duality", "nc3_alignment", "nc3_alignment_per_class", "nc3_prime")
        return dict.fromkeys(names)
    unit = weight / weight.norm()
    alignment = cosines(weight - weight.mean(0), centred)
    cross = weight @ centred.T
    left, _, right = torch.linalg.svd(cross + (weight @ centre)[:, None])  # of W H̄
    return {
        "nc3": float((unit - centred / centred.norm()).norm()),
        "nc3_duality": etf_distance(cross),
        "nc3_alignment": float(alignment.mean()),
        "nc3_alignment_per_class": alignment.cpu(),
        "nc3_prime": float((unit - (left @ right) @ (means / means.norm())).norm()),
    }


def cosines(a: Float[Tensor, "K P"], b: Float[Tensor, "K P"]) -> Float[Tensor, " K"]:
    """Row by row; nan where a row is zero (torch's own cosine would say 0)."""
    a, b = rescaled_rows(a), rescaled_rows(b)
    return (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))


def _to_json(value: Any) -> Any:
    if isinstance(value, Tensor):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_to_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _from_json(name: str, value: Any) -> Any:
    if value is None or name == "centring":
        return value
    if name == "absent":
        return tuple(value)
    if name == "counts":
        return torch.tensor(value, dtype=torch.int64)
    numbers = _floats(value)
    return torch.tensor(numbers, dtype=torch.float64) if isinstance(numbers, list) else numbers


def _floats(value: Any) -> Any:
    return [_floats(item) for item in value] if isinstance(value, list) else float(value)
