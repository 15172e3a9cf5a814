"""The checks of what the strategies do to a classifier.

A formula is tested at random classifiers, against flows that are integrated, minima that a search
reaches, or exponents that know nothing of it.
"""

from __future__ import annotations

from functools import cache

import torch
from jaxtyping import Float
from scipy.optimize import minimize
from torch import Tensor

from nclib import losses, methods, theory
from nclib.data import long_tail_sizes
from nclib.papers import _cases
from nclib.papers._cases import at_least, at_most
from nclib.papers._claim import Evidence
from nclib.papers.space_alignment import classifiers, strategies
from nclib.papers.space_alignment.claims._checks import ROUNDING, exponent, trained
from nclib.papers.space_alignment.classifiers import Classifier, make_classifier

Rows = Float[Tensor, "K P"]
_SHARES = (0.0, 0.25, 0.5, 0.9, 1.0)


def _pairs() -> list[tuple[Rows, Rows]]:
    """Random rows and means, from three classes in the plane to twelve in thirty dimensions."""
    shapes = ((3, 2), (4, 3), (5, 8), (12, 30))
    return [
        (_cases.gaussian(k, dim, seed=7 * k), _cases.gaussian(k, dim, seed=7 * k + 1))
        for k, dim in shapes
    ]


def _angles(rows: Rows, means: Rows) -> Float[Tensor, " K"]:
    """By the chord, which is exact for small angles too."""
    a, b = (one / one.norm(dim=1, keepdim=True) for one in (rows, means))
    return 2 * torch.atan2((a - b).norm(dim=1), (a + b).norm(dim=1))


def slerp_leaves_a_share() -> Evidence:
    misfits = []
    for rows, means in _pairs():
        for t in _SHARES:
            turned = methods.slerp(rows, means, t, centre=False)
            expected = (1 - t) * _angles(rows, means)
            misfits.append(float((_angles(turned, means) - expected).abs().max()))
            misfits.append(_cases.misfit(turned.norm(dim=1), rows.norm(dim=1)))
    return at_most(misfits, "misfit of angles and norms", 1e-7)


def slerp_of_a_tilt() -> Evidence:
    misfits = []
    for size, angle, t in ((3, 0.6, 0.5), (10, 1.2, 0.25), (7, 0.9, 1.0)):
        start = classifiers.tilted(size, angle)
        turned = strategies.adjusted(start, "spa-slerp", t=t)
        expected = theory.misaligned_exponent(size, (1 - t) * angle)
        misfits.append(abs(exponent(turned) - expected))
    return at_most(misfits, "misfit of the exponent", ROUNDING)


def _with_norms(spread: float, seed: int) -> Classifier:
    """Random classifiers whose centred rows have the lengths of the centred means, or others."""
    means = _cases.gaussian(6, 9, seed=seed)
    directions = _cases.gaussian(6, 9, seed=seed + 1)
    directions = directions - directions.mean(0)
    lengths = (means - means.mean(0)).norm(dim=1)
    lengths = lengths * (1 + spread * torch.linspace(0, 1, 6, dtype=torch.float64))
    turned = directions / directions.norm(dim=1, keepdim=True) * lengths[:, None]
    return make_classifier(means, turned)


def _recorded(spread: float) -> list[float]:
    """Smallest cosines that are recorded once rows are turned onto centred means."""
    cosines = []
    for seed in range(0, 10, 2):
        means, rows, _ = _with_norms(spread, seed)
        turned = methods.slerp(rows, means - means.mean(0), 1.0, centre=False)
        cosines.append(float(make_classifier(means, turned).cosines().min()))
    return cosines


def kept_norms_decide() -> Evidence:
    """Rows of the means' lengths, turned onto them: the recorded cosine is 1."""
    return at_most((1 - x for x in _recorded(0.0)), "one less the recorded cosine", ROUNDING)


def other_norms_do_not_align() -> Evidence:
    return at_least((1 - x for x in _recorded(2.0)), "one less the smallest recorded cosine")


def projection_is_interpolation() -> Evidence:
    misfits = []
    for rows, means in _pairs():
        means = torch.where((rows * means).sum(1, keepdim=True) < 0, -means, means)
        cosines = torch.cosine_similarity(rows, means)
        turned = methods.slerp(rows, means, 1.0, centre=False) * cosines[:, None]
        misfits.append(_cases.misfit(methods.project(rows, means, centre=False), turned))
    return at_most(misfits, "relative misfit of the rows", ROUNDING)


def repeated_projections() -> Evidence:
    """They end at the orthogonal projection of the rows on the multiples of the centred means."""
    misfits = []
    for ratio in (10.0, 100.0):
        now = start = trained(ratio)
        for _ in range(400):
            now = strategies.adjusted(now, "spa-proj")
        means, rows = (one - one.mean(0) for one in (start.means, start.weight))
        misfits.append(
            _cases.misfit(now.weight, (rows * means).sum() / means.square().sum() * means)
        )
    return at_most(misfits, "relative misfit of the rows")


@cache
def _flows() -> list[tuple[Rows, Rows, float, Rows]]:
    """Rows, means, the time that the term acts, and the rows then."""
    flows = []
    for rows, means in _pairs():
        time = 0.5 * float(rows.square().sum(1).mean()) * len(rows)
        course = strategies.gradient_flow(rows, means, time=time, steps=100)
        flows.append((rows, means, time, course[-1]))
    return flows


def flow_has_the_formula() -> Evidence:
    misfits = []
    for rows, means, time, end in _flows():
        expected = strategies.flow_angles(_angles(rows, means), rows.norm(dim=1), time)
        misfits.append(float((_angles(end, means) - expected).abs().max()))
    return at_most(misfits, "misfit of an angle, in radians")


def flow_is_interpolation() -> Evidence:
    """Each row of the flow is where spherical interpolation with a share of its own puts it."""
    misfits = []
    for rows, means, _, end in _flows():
        shares = 1 - _angles(end, means) / _angles(rows, means)
        for k, t in enumerate(shares.tolist()):
            turned = methods.slerp(rows[k : k + 1], means[k : k + 1], t, centre=False)
            misfits.append(_cases.misfit(end[k : k + 1], turned))
    return at_most(misfits, "relative misfit of a row")


def _minimiser(means: Rows, *, centre: bool, seed: int) -> Rows:
    """Where a search from random rows ends that knows the term alone."""

    def value(flat: object) -> tuple[float, object]:
        rows = torch.tensor(flat, dtype=torch.float64).view_as(means).requires_grad_()
        term = losses.misalignment(rows, means, centre=centre)
        term.backward()
        assert rows.grad is not None
        return float(term.detach()), rows.grad.flatten().numpy()

    start = _cases.gaussian(*means.shape, seed=seed).flatten().numpy()
    options = {"maxiter": 20_000, "maxfun": 20_000, "ftol": 0.0, "gtol": 1e-12}
    end = minimize(value, start, jac=True, method="L-BFGS-B", options=options)
    return torch.from_numpy(end.x).view_as(means)


def centred_minimum_is_self_dual() -> Evidence:
    misfits = []
    for seed in range(0, 6, 2):
        means = _cases.gaussian(5, 7, seed=seed)
        rows = _minimiser(means, centre=True, seed=seed + 1)
        rows, points = rows - rows.mean(0), means - means.mean(0)
        misfits.append(_cases.misfit(rows / rows.norm(), points / points.norm()))
    return at_most(misfits, "misfit of the centred rows from a multiple of the centred means", 1e-4)


def raw_minimum_is_not() -> Evidence:
    gaps = []
    for seed in range(0, 6, 2):
        means = _cases.gaussian(5, 7, seed=seed)
        rows = _minimiser(means, centre=False, seed=seed + 1)
        gaps.append(_cases.misfit(rows / rows.norm(), means / means.norm()))
    return at_least(gaps, "smallest misfit of the rows from a multiple of the means")


def unit_rows_of_equal_means() -> Evidence:
    """Centred means of one length, rows along them, a recentred bias: the best for these means."""
    misfits = []
    for seed, size in ((1, 3), (2, 4), (3, 6)):
        means = _equal_norms(size, seed)
        rows = means + 0.3 * _cases.gaussian(*means.shape, seed=seed + 20)
        turned = strategies.adjusted(
            make_classifier(means, rows), "spa-slerp", t=1.0, norm="unit", bias="recentre"
        )
        best = float(torch.pdist(means).min()) ** 2 / 8
        misfits.append(abs(exponent(turned) - best) / best)
    return at_most(misfits, "relative misfit of the exponent", 1e-6)


def _equal_norms(size: int, seed: int) -> Rows:
    """Random means at one distance from their average, which is not zero."""
    means = _cases.gaussian(size, size + 1, seed=seed)
    for _ in range(2000):
        means = means - means.mean(0)
        means = means / means.norm(dim=1, keepdim=True)
    return means + 0.5 * _cases.gaussian(1, size + 1, seed=seed + 10)


def strategies_raise_the_least() -> Evidence:
    """At ratio 100 each strategy raises the least exponent of the certified optimum."""
    after = {name: exponent(c) for name, c in strategies.after_each(trained(100.0)).items()}
    first = after.pop("as trained")
    return at_least((value - first for value in after.values()), "smallest gain", 0.005)


def norms_give_more_than_directions() -> Evidence:
    start = trained(100.0)
    kept, unit = (
        exponent(strategies.adjusted(start, "spa-slerp", t=1.0, norm=norm))
        for norm in ("keep", "unit")
    )
    more = (unit - kept) - (kept - exponent(start))
    return at_least([more], "gain of unit norms less that of directions", 0.005)


def directions_do_not_repair_a_bias() -> Evidence:
    """A free bias: interpolation with norms and bias kept leaves most of what dropping it gains."""
    counts = long_tail_sizes(10, 100.0)
    free = classifiers.optimum(counts, lam_b=0.0).classifier
    tails = [
        theory.head_medium_tail(c.exponents.per_class, counts).tail
        for c in (
            free,
            strategies.adjusted(free, "spa-slerp", t=1.0),
            make_classifier(free.means, free.weight),
        )
    ]
    gains = [(tails[2] - tails[0]) / (tails[1] - tails[0])]
    return at_least(gains, "gain of the tail without the bias over that of directions", 2.0)


def less_than_a_simplex() -> Evidence:
    """What no strategy on the classifier gives back: the means' own loss, at least a half."""
    best = exponent(classifiers.nearest_mean(trained(100.0).means))
    lost = 1 - best / theory.optimal_exponent(10)
    return at_least([lost], "share of the optimal exponent that the means lose", 0.5)
