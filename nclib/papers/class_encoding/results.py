"""Results beyond the paper; the chapter that is named proves each and credits its sources.

What a theorem predicts is the library's closed form; what it is compared with is the certified
optimum, or the end of a descent.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor

from nclib import encodings
from nclib.papers._cases import (
    Balanced,
    Decay,
    Penalties,
    at_least,
    at_most,
    centring,
    counts_of,
    descended,
    etf_misfit,
    gaussian,
    misfit,
    orthogonal,
    solve_to_gap,
    ssetf_misfit,
)
from nclib.papers._claim import Check, Claim, Evidence
from nclib.papers.class_encoding._stationary import critical_points
from nclib.papers.class_encoding.claims._networks import book_claim
from nclib.ufm import UFMSolution, closed_form, objective

_INF = math.inf
_LAM_B = (0.0, 0.2, 1.0, 5.0, _INF)
_POSITIVE = _LAM_B[1:]


def _eye(size: int) -> Float[Tensor, "K K"]:
    return torch.eye(size, dtype=torch.float64)


# --- Every critical point ------------------------------------------------------------------------


def _critical_saddles() -> Evidence:
    saddles = sum(point.excess > 1e-6 for point in critical_points())
    return Evidence(saddles, 20, len(critical_points()), "points that are no minimum", ">=")


def _critical_nc1() -> Evidence:
    return at_most((p.spread for p in critical_points()), "relative spread within classes")


def _critical_balance() -> Evidence:
    return at_most((p.imbalance for p in critical_points()), "relative misfit of the two sides")


def _critical_bias() -> Evidence:
    return at_most((p.bias_misfit for p in critical_points()), "relative misfit of the bias")


def _landscape() -> Evidence:
    """At width ≥ min(K, C): the certified objective, or a direction in which it falls."""
    wide = [p for p in critical_points() if p.dim >= 4]
    wrong = sum(not (abs(p.excess) < 1e-8 or p.point.curvature < -1e-4) for p in wide)
    return Evidence(wrong, 0, len(wide), "points that are neither")


# --- 1: SSETF encodings --------------------------------------------------------------------------


@cache
def _shifted() -> list[tuple[Balanced, float, closed_form.Optimum]]:
    """Random SSETF labels with α on both sides of c, their α, and the predicted optimum."""
    cases = []
    for seed in range(40):
        k, lam_b = 3 + seed % 3, _LAM_B[seed % 5]
        alpha, beta = 0.1 + 0.025 * seed, (-4.0, 0.0, 0.8, 2.5, 7.0, 1.0, -1.0)[seed % 7]
        frame = orthogonal(k, seed)
        model = Balanced(frame @ encodings.shifted(k, scale=alpha, shift=beta), 0.4, lam_b)
        predicted = closed_form.ssetf(
            k, model.n, scale=alpha, shift=beta, frame=frame, **model.penalties
        )
        cases.append((model, alpha, predicted))
    return cases


def _ssetf_closed_form() -> Evidence:
    return at_most(
        (m.misfit(predicted) for m, _, predicted in _shifted()),
        "relative misfit of the logits, the Gram matrix and the bias",
    )


# --- 2: the conjecture ---------------------------------------------------------------------------


def _settled_if() -> Evidence:
    above = [m for m, alpha, _ in _shifted() if alpha > m.c]
    return at_most((ssetf_misfit(m.gram) for m in above), "SSETF misfit of the means")


def _settled_below() -> Evidence:
    below = [m for m, alpha, _ in _shifted() if alpha <= m.c]
    spread = (float((m.modulus @ centring(m.k)).norm()) for m in below)
    return at_most(spread, "spread of the means")


def _settled_only_if() -> Evidence:
    optima = [
        Balanced(encodings.random(3 + seed % 3, seed=seed), 0.2, lam_b)
        for seed, lam_b in enumerate(_POSITIVE * 5)
    ]
    return at_least((ssetf_misfit(m.gram) for m in optima), "smallest SSETF misfit of the means")


def _settled_free_bias() -> Evidence:
    misfits = []
    for seed in range(8):
        k = 3 + seed % 4
        labels = orthogonal(k, seed) @ encodings.one_hot(k) + gaussian(k, 1, seed=seed)
        means = Balanced(labels, 0.5, 0.0).descended.features
        misfits.append(ssetf_misfit(means @ means.T))
    return at_most(misfits, "SSETF misfit of the means for centred labels in a simplex ETF")


# --- 3: invertible encodings, NC2, coinciding means, the bias ------------------------------------


@cache
def _generic() -> list[tuple[Balanced, float]]:
    """Random labels, some larger than others, and their margin to the closed form's regime."""
    cases = []
    for seed, lam_b in enumerate(_POSITIVE * 6):
        k = 3 + seed % 3
        labels = orthogonal(k, seed) @ (gaussian(k, k, seed=seed + 100) + (seed % 4) * _eye(k))
        model = Balanced(labels, 0.3, lam_b)
        cases.append((model, closed_form.regime_margin(labels, model.n, **model.penalties)))
    return cases


def _invertible_inside() -> Evidence:
    inside = [m for m, margin in _generic() if margin >= 0]
    return at_most(
        (m.misfit(closed_form.invertible(m.labels, m.n, **m.penalties)) for m in inside),
        "relative misfit of the logits, the Gram matrix and the bias",
    )


def _invertible_only_if() -> Evidence:
    outside = [m for m, margin in _generic() if margin < -0.01]
    smallest = (float(torch.linalg.eigvalsh(m.modulus)[0]) for m in outside)
    return at_most(smallest, "smallest singular value of $Z^*$ outside the regime")


def _leaning(k: int, a: float, u: Float[Tensor, " K"], s: float) -> Float[Tensor, "K K"]:
    """X = aC + u1ᵀ + 1uᵀ + sJ."""
    return a * centring(k) + u[:, None] + u[None, :] + s


def _direction(k: int, seed: int) -> Float[Tensor, " K"]:
    u = centring(k) @ gaussian(k, seed=seed)
    return u / u.norm()


def _nc2_if() -> Evidence:
    """Labels P(X + cTM⁻¹) with X singular (T = I − (1−t)ŵŵᵀ) and X ≻ 0 (T = I)."""
    misfits = []
    for seed, lam_b in enumerate(_POSITIVE):
        k, c, a = 3 + seed % 3, 0.3, 0.5
        u = 0.4 * _direction(k, seed)
        for t, extra in ((1.0, 0.3), (1.0, 0.0), (0.2, 0.0), (-0.9, 0.0)):
            level = float(u @ u) / a + extra
            labels = closed_form.nc2_labels(
                k, c, lam_b=lam_b, scale=a, tilt=u, level=level, kink=t, frame=orthogonal(k, seed)
            )
            m = Balanced(labels, c, lam_b)
            misfits += [misfit(m.modulus, _leaning(k, a, u, level)), etf_misfit(m.gram)]
    return at_most(misfits, "misfit of $|Z^*| = X$ and of NC2", 1e-4)


def _nc2_boundary(factor: float) -> list[Balanced]:
    """Labels aC + u1ᵀ + 1uᵀ + sJ with ‖u‖ the given multiple of the regime's edge."""
    models = []
    for seed, lam_b in enumerate(_POSITIVE * 3):
        k, c, a, s = 3 + seed % 3, 0.2, 1.0, 0.8
        edge = math.sqrt((a - c) * (s - c * (1 + 1 / lam_b) / k))
        models.append(Balanced(_leaning(k, a, factor * edge * _direction(k, seed), s), c, lam_b))
    return models


def _nc2_edge() -> Evidence:
    """The regime's margin changes its sign there."""
    margins = [
        sign * closed_form.regime_margin(m.labels, m.n, **m.penalties)
        for factor, sign in ((0.98, 1), (1.02, -1))
        for m in _nc2_boundary(factor)
    ]
    return at_least(margins, "distance from the regime's edge on the right side, ±2 %", 1e-3)


def _nc2_inside() -> Evidence:
    optima = _nc2_boundary(0.98)
    return at_most((etf_misfit(m.gram) for m in optima), "misfit of the centred Gram matrix")


def _nc2_inside_no_ssetf() -> Evidence:
    return at_least((ssetf_misfit(m.gram) for m in _nc2_boundary(0.98)), "smallest SSETF misfit")


def _nc2_outside() -> Evidence:
    optima = _nc2_boundary(1.3)
    return at_least((etf_misfit(m.gram) for m in optima), "smallest misfit of NC2", bound=1e-3)


def _coincide() -> Evidence:
    """Labels 5 % on either side of the criterion: does the prediction match the spread?"""
    wrong, cases = 0, 0
    for seed, lam_b in enumerate(_LAM_B):
        k, c = 3 + seed % 3, 0.3
        partly = centring(k) + (1 - 1 / (1 + lam_b)) / k  # M
        labels = orthogonal(k, seed) @ gaussian(k, k, seed=seed)
        axis = _direction(k, seed + 7)
        away = (_eye(k) - torch.outer(axis, axis)) @ labels @ centring(k)
        mean = 9 * c * axis[:, None]  # a large mean label, at right angles to the centred ones
        for size in (0.95, 1.05):
            whole = size * c * labels / torch.linalg.matrix_norm(labels @ partly, 2)
            split = size * c * away / torch.linalg.matrix_norm(away, 2) + mean
            for encoding in (whole, split):
                m = Balanced(encoding, c, lam_b)
                coincide = float((m.modulus @ centring(k)).norm()) <= 1e-4
                wrong += coincide != closed_form.means_coincide(m.labels, m.n, **m.penalties)
                wrong += coincide != (size < 1)
                cases += 2
    return Evidence(wrong, 0, cases, "optima on the wrong side of the criterion")


def _bias_bound() -> Evidence:
    ratios = []
    for seed, counts in enumerate(((5.0, 5, 5, 5), (9.0, 4, 2, 1), (40.0, 1, 1, 1))):
        for lam_b in (0.05, 0.5, 5.0):
            penalties = Penalties(lam_w=0.02, lam_h=0.01, lam_b=lam_b)
            labels = 3 * encodings.random(4, seed=seed)
            bias = solve_to_gap(labels, counts_of(*counts), **penalties).bias
            ratios.append(float(bias.norm()) / closed_form.bias_bound(sum(counts), **penalties))
    return at_most(ratios, r"largest $\|b^*\|$ in units of $\mu\sqrt N/\lambda_b$", 1 + 1e-6)


def _bias_bound_attained() -> Evidence:
    misfits = []
    for m, margin in _generic():
        if margin >= 0 and m.lam_b < _INF:
            bound = closed_form.bias_bound(m.n * m.k, **m.penalties)
            misfits.append(abs(float(m.descended.bias.norm()) / bound - 1))
    return at_most(misfits, r"relative distance of $\|b^*\|$ from the bound, in the regime")


def _bias_bound_narrow() -> Evidence:
    """One-hot labels, d = K − 1, c = 0.3, λ_b = 5: ‖b*‖ is λ_b/(c(1 + λ_b)) times the bound."""
    m = Balanced(encodings.one_hot(4), 0.3, 5.0)
    ends = [descended(m.labels, m.counts, **m.penalties, dim=3, seed=seed) for seed in range(3)]
    lowest = min(ends, key=lambda end: end.objective)
    ratio = float(lowest.bias.norm()) / closed_form.bias_bound(m.n * m.k, **m.penalties)
    return at_least(
        [ratio],
        r"$\|b^*\|$ in units of $\mu\sqrt N/\lambda_b$ at the best of three descents, $d = K - 1$",
        2.7,
    )


# --- 4: imbalance --------------------------------------------------------------------------------

_LONG_TAIL = counts_of(100, 40, 16, 6, 2)


def _decay(theta: float, counts: Float[Tensor, " C"]) -> Decay:
    """λ_W = 4λ_H with Nμ = θ."""
    mu = theta / float(counts.sum())
    return Decay(lam_w=2 * mu, lam_h=mu / 2)


def _imbalance_norms() -> Evidence:
    misfits = []
    for theta in (0.5, 1.0, 2.0, 3.0, 5.0):
        decay = _decay(theta, _LONG_TAIL)
        squares = closed_form.bias_free_norms(_LONG_TAIL, **decay)
        for optimum in (
            solve_to_gap(_eye(5), _LONG_TAIL, **decay, lam_b=_INF).means,
            descended(_eye(5), _LONG_TAIL, **decay, lam_b=_INF).features,
        ):
            misfits.append(misfit(optimum @ optimum.T, squares.diag()))
    return at_most(misfits, "relative misfit of the means' Gram matrix, optima and descents")


def _imbalance_interlacing() -> Evidence:
    misfits = []
    roots = closed_form.free_bias_spectrum(_LONG_TAIL).sqrt()
    for theta in (0.5, 1.5, 3.0):
        decay = _decay(theta, _LONG_TAIL)
        optimum = solve_to_gap(_eye(5), _LONG_TAIL, **decay, lam_b=0.0)
        end = descended(_eye(5), _LONG_TAIL, **decay, lam_b=0.0)
        for weight, means in ((optimum.weight, optimum.means), (end.weight, end.features)):
            values = torch.linalg.svdvals(weight @ means.T * _LONG_TAIL.sqrt())
            misfits.append(misfit(values[:-1], (roots - theta).clamp(min=0)))
    return at_most(misfits, "relative misfit of the singular values, optima and descents")


def _imbalance_two_sizes() -> Evidence:
    """Majority 3 × 50, minority 4 × 8: three thresholds, each crossed from both sides."""
    counts, wrong, cases = counts_of(*[50.0] * 3, *[8.0] * 4), 0, 0
    edges = closed_form.two_sizes((3, 50.0), (4, 8.0))
    thresholds = (edges.minorities_merge, edges.minority_mean_vanishes, edges.majorities_merge)
    for edge in thresholds:
        for theta in (0.98 * edge, 1.02 * edge):
            means = solve_to_gap(_eye(7), counts, **_decay(theta, counts), lam_b=0.0).means
            minority = means[3:]
            sizes = (minority - minority.mean(0), minority.mean(0), means)
            vanished = [float(size.norm()) <= 1e-4 for size in sizes]
            expected = [theta >= threshold for threshold in thresholds]
            wrong += sum(a != b for a, b in zip(vanished, expected, strict=True))
            cases += 3
    return Evidence(wrong, 0, cases, "answers on the wrong side of a threshold")


@cache
def _designed() -> list[tuple[UFMSolution, Tensor, Tensor, Tensor, float]]:
    """Optima for designed labels: with the wished Gram matrix, the counts, the frame, λ_b."""
    cases = []
    counts = [counts_of(1000, 1, 1, 5, 20), counts_of(100, 40, 16, 6, 2), counts_of(4, 4, 4, 4, 4)]
    for seed, (n, lam_b) in enumerate(product(counts, _POSITIVE)):
        factor = gaussian(5, 3 + seed % 3, seed=seed)
        for gram in (0.6 * centring(5), 0.2 * factor @ factor.T):
            penalties = Penalties(lam_w=0.01, lam_h=0.002, lam_b=lam_b)
            frame = orthogonal(5, seed)
            labels = closed_form.labels_for_gram(gram, n, **penalties, frame=frame)
            cases.append((solve_to_gap(labels, n, **penalties), gram, n, frame, lam_b))
    return cases


def _any_gram() -> Evidence:
    return at_most(
        (misfit(s.means @ s.means.T, gram) for s, gram, *_ in _designed()),
        "relative misfit of the Gram matrix",
    )


def _any_gram_etf() -> Evidence:
    wished = [s for s, gram, *_ in _designed() if misfit(gram, 0.6 * centring(5)) == 0]
    return at_most(
        (etf_misfit(s.means @ s.means.T) for s in wished),
        "misfit of the centred Gram matrix, counts up to 1000 : 1",
    )


def _any_gram_bias() -> Evidence:
    mu = math.sqrt(0.01 * 0.002)
    return at_most(
        (misfit(s.bias, (mu / lam_b) * frame @ n.sqrt()) for s, _, n, frame, lam_b in _designed()),
        "misfit of the bias",
    )


def _any_gram_unique() -> Evidence:
    """Gram matrices of full rank, labels moved a little but by no rotation: other means."""
    changes = []

    def reached(labels: Tensor, penalties: Penalties) -> Tensor:
        means = solve_to_gap(labels, _LONG_TAIL, **penalties).means
        return means @ means.T

    for seed, lam_b in enumerate(_POSITIVE):
        n, penalties = _LONG_TAIL, Penalties(lam_w=0.01, lam_h=0.002, lam_b=lam_b)
        factor = gaussian(5, 5, seed=seed)
        labels = closed_form.labels_for_gram(factor @ factor.T, n, **penalties)
        for other in (1.1 * labels, labels + 0.1 * gaussian(5, 5, seed=seed + 9)):
            changes.append(misfit(reached(other, penalties), reached(labels, penalties)))
    return at_least(changes, "smallest change of the Gram matrix")


def _free_bias_etf() -> Evidence:
    """λ_b = 0: the simplex ETF about the mean of all samples, by descent."""
    misfits = []
    for n in (counts_of(60, 9, 4, 2, 1), _LONG_TAIL):
        shift = _eye(5) - n[:, None] / n.sum()
        gram = 0.6 * shift.T @ centring(5) @ shift
        penalties = Penalties(lam_w=0.02, lam_h=0.01, lam_b=0.0)
        labels = closed_form.labels_for_gram(gram, n, **penalties) + gaussian(5, 1, seed=3)
        means = descended(labels, n, **penalties).features
        misfits += [misfit(means @ means.T, gram), etf_misfit(means @ means.T)]
    return at_most(misfits, "misfit of the Gram matrix and of NC2")


# --- Non-negative features -----------------------------------------------------------------------


def _nonnegative_end(m: Balanced, seed: int) -> tuple[float, Tensor]:
    """Objective and means where projected gradient descent on (W, H ≥ 0) ends, one-hot labels.

    The bias is eliminated, and W and H are in units in which both penalties are c/2.
    """
    k = m.k
    partly = _eye(k) - (1 / (1 + m.lam_b)) / k  # M
    weight, features = gaussian(k, 2 * k, seed=seed), gaussian(2 * k, k, seed=seed + 50).abs()

    def value(w: Tensor, h: Tensor) -> float:
        error = w @ h - _eye(k)
        return float(
            0.5 * ((error @ partly) * error).sum()
            + 0.5 * m.c * (w.square().sum() + h.square().sum())
        )

    for _ in range(150):  # exact in W, projected in H
        ridge = features @ partly @ features.T + m.c * _eye(2 * k)
        weight = torch.linalg.solve(ridge, features @ partly).T
        rate = 1 / (float(torch.linalg.matrix_norm(weight, 2)) ** 2 + m.c)
        for _ in range(4):
            slope = weight.T @ (weight @ features - _eye(k)) @ partly + m.c * features
            features = (features - rate * slope).clamp(min=0)
    return value(weight, features) / k, features.T


@cache
def _nonnegative_cases() -> list[tuple[Balanced, closed_form.Optimum, list[tuple[float, Tensor]]]]:
    cases = []
    for k, c, lam_b in product((3, 4), (0.2, 0.6), (0.0, 0.5, _INF)):
        m = Balanced(encodings.one_hot(k), c, lam_b)
        predicted = closed_form.nonnegative_one_hot(k, m.n, **m.penalties)
        cases.append((m, predicted, [_nonnegative_end(m, seed) for seed in range(3)]))
    return cases


def _frame_objective(m: Balanced, predicted: closed_form.Optimum) -> float:
    """The model's objective at the predicted frame, one coordinate a class."""
    lengths = predicted.gram.diagonal().sqrt()
    weight = predicted.scores / lengths
    return objective(weight, lengths.diag(), predicted.bias, m.labels, m.counts, **m.penalties)


def _nonnegative_value() -> Evidence:
    excess = (
        abs(min(value for value, _ in ends) / _frame_objective(m, predicted) - 1)
        for m, predicted, ends in _nonnegative_cases()
    )
    return at_most(excess, "relative misfit of the objective, best of three projected descents")


def _nonnegative_gram() -> Evidence:
    misfits = []
    for m, predicted, ends in _nonnegative_cases():
        _, means = min(ends, key=lambda end: end[0])
        misfits.append(misfit(means @ means.T, predicted.gram / m.scale))
    return at_most(misfits, "relative misfit of the Gram matrix there", 1e-3)


# --- 6, 7, 8: smoothing, merging, narrow layers --------------------------------------------------

_STRENGTHS = ((0.1, 0.0), (0.1, 0.2), (0.2, 0.1), (0.5, 0.3), (0.6, 0.5))  # c and δ


def _smoothing(loss: str) -> Evidence:
    misfits = []
    for (c, delta), lam_b in product(_STRENGTHS, (0.0, 1.0, _INF)):
        m = Balanced(encodings.smoothed(4, delta=delta), c, lam_b)
        if loss == "mse":
            predicted = closed_form.ssetf(
                4, m.n, scale=1 - delta, shift=-delta / (1 - delta), **m.penalties
            )
        else:
            predicted = closed_form.smoothed_cross_entropy(4, m.n, smoothing=delta, **m.decay)
        s = solve_to_gap(m.labels, m.counts, **m.penalties, loss=loss)
        misfits.append(misfit(s.weight @ s.means.T @ centring(4), predicted.scores @ centring(4)))
    return at_most(misfits, "relative misfit of the centred logits", 1e-4)


def _smoothing_ce() -> Evidence:
    return _smoothing("ce")


def _smoothing_mse() -> Evidence:
    return _smoothing("mse")


def _smoothing_sum() -> Evidence:
    """MSE, c and δ with the same sum: the same centred logits."""
    misfits = []
    for q, lam_b in product((0.3, 0.8), (0.0, 1.0, _INF)):
        scores = [
            Balanced(encodings.smoothed(4, delta=share * q), (1 - share) * q, lam_b).scores
            for share in (0.1, 0.5, 0.8)
        ]
        misfits += [misfit(z @ centring(4), (1 - q) * centring(4)) for z in scores]
    return at_most(misfits, "relative misfit of the centred logits")


def _merging() -> Evidence:
    wrong, cases = 0, 0
    counts = counts_of(30, 17, 6, 6, 6)
    for loss, (delta, lam_b) in product(("ce", "mse"), ((0.0, 0.0), (0.0, _INF), (0.2, 1.0))):
        labels = encodings.smoothed(5, delta=delta)
        for side in (0.97, 1.03):
            decay = _decay(side * (1 - delta) * math.sqrt(6), counts)
            limit = closed_form.merging_count(float(counts.sum()), **decay, smoothing=delta)
            minority = solve_to_gap(labels, counts, **decay, lam_b=lam_b, loss=loss).means[2:]
            merged = float((minority - minority.mean(0)).norm()) <= 1e-3
            wrong += merged != (limit >= 6)
            cases += 1
    return Evidence(wrong, 0, cases, "optima on the wrong side of the threshold")


def _best_of(m: Balanced, dim: int) -> float:
    """The least objective at which descents of that width end."""
    return min(
        descended(m.labels, m.counts, **m.penalties, dim=dim, seed=seed).objective
        for seed in range(3)
    )


def _at_factors(m: Balanced, predicted: closed_form.Optimum, dim: int) -> float:
    """The model's objective at the cheapest factors of the predicted scores, of that width."""
    factors = closed_form.factorise(predicted.scores, m.counts, **m.decay, dim=dim)
    return objective(*factors, predicted.bias, m.labels, m.counts, **m.penalties)


def _narrow_truncated() -> Evidence:
    misfits = []
    for seed, lam_b in enumerate((0.0, _INF)):
        m = Balanced(gaussian(4, 4, seed=seed), 0.3, lam_b)
        for dim in (1, 2, 3):
            predicted = closed_form.truncated(m.labels, m.counts, dim, **m.penalties)
            misfits.append(abs(_best_of(m, dim) / _at_factors(m, predicted, dim) - 1))
    return at_most(misfits, "relative misfit of the objective, best of three descents")


def _narrow_one_hot() -> Evidence:
    misfits = []
    for seed, lam_b in enumerate((0.0, 5.0)):
        m = Balanced(encodings.one_hot(4), 0.3, lam_b)
        basis = torch.linalg.svd(centring(4) @ gaussian(4, 3, seed=seed), full_matrices=False).U
        for dim in (1, 2, 3):
            projection = basis[:, :dim] @ basis[:, :dim].T
            predicted = closed_form.narrow_one_hot(projection, m.n, **m.penalties)
            misfits.append(abs(_best_of(m, dim) / _at_factors(m, predicted, dim) - 1))
    return at_most(misfits, "relative misfit of the objective, best of three descents")


_THEORY = "class_encoding/theory"
_BEYOND = "class_encoding/beyond"
_CONJECTURE = "class_encoding/conjecture"

RESULTS = (
    Claim(
        "book/critical-points",
        "Every critical point",
        "MSE, any labels, counts, width and bias. At every critical point, saddles included: "
        r"NC1; $\lambda_W W^\top W = \lambda_H\bar HD\bar H^\top$; and $b = \gamma(I + (1 - "
        r"\gamma)WW^\top/(N\lambda_H))^{-1}\bar y$, $\bar y$ the mean label.",
        (
            Check("Newton's method from random starts ends at saddles", _critical_saddles),
            Check("features of a class coincide", _critical_nc1),
            Check(r"$\lambda_W W^\top W = \lambda_H\bar HD\bar H^\top$", _critical_balance),
            Check("the bias is the mean label, shrunk by that matrix", _critical_bias),
        ),
        chapter=_THEORY,
        label="thm-ce-nc3prime",
    ),
    Claim(
        "book/landscape",
        "No spurious local minima",
        r"Features of width $P \ge \min(K, C)$: every critical point is a global minimum, or the "
        "Hessian has a negative eigenvalue there.",
        (Check("at the points of width 4 and 5, $K = C = 4$", _landscape),),
        chapter="foundations/unconstrained_features",
        label="thm-ufm-landscape",
    ),
    Claim(
        "book/ssetf",
        "SSETF encodings",
        r"Labels $\alpha P(I - \beta J/K)$, balanced: $|Z^*| = (\alpha - c)_+\,C + "
        r"|\operatorname{soft}(\alpha(1 - \beta), c(1 + \lambda_b)/\lambda_b)|\,J/K$. Label "
        r"smoothing with MSE therefore has NC2 whenever $c + \delta < 1$. (One-hot labels: Zhou "
        "et al., 2022.)",
        (Check("the closed form is the certified optimum", _ssetf_closed_form),),
        chapter=_THEORY,
        label="thm-ce-ssetf",
    ),
    Claim(
        "book/conjecture",
        "The conjecture, settled",
        r"Balanced. For $\lambda_b > 0$ the means are an SSETF if and only if the labels are one "
        r"with $\alpha > c$; for $\lambda_b = 0$ if and only if the centred labels are a simplex "
        r"ETF with $\alpha > c$.",
        (
            Check(r"$\lambda_b > 0$: SSETF labels with $\alpha > c$ have SSETF means", _settled_if),
            Check(r"SSETF labels with $\alpha \le c$: all means coincide", _settled_below),
            Check(r"$\lambda_b > 0$: other labels have other means", _settled_only_if),
            Check(r"$\lambda_b = 0$: the centred labels decide", _settled_free_bias),
        ),
        chapter=_CONJECTURE,
        label="thm-ce-conjecture",
    ),
    Claim(
        "book/invertible",
        "Invertible encodings",
        r"Balanced, $\lambda_b > 0$: $|Z^*| = |\bar Y| - c(I + J/(K\lambda_b))$ and $b^* = "
        r"(c/(K\lambda_b))\,U\mathbf 1$, $\bar Y = U|\bar Y|$, if and only if that matrix is "
        "positive semi-definite. (The form for regression: Andriopoulos et al., 2024.)",
        (
            Check("inside the regime: the optimum is the closed form", _invertible_inside),
            Check("outside the regime: $Z^*$ is singular", _invertible_only_if),
        ),
        chapter=_CONJECTURE,
        label="thm-ce-invertible",
    ),
    Claim(
        "book/nc2",
        "Which labels give NC2",
        r"Balanced, $\lambda_b > 0$: NC2 holds if and only if $\bar Y = P(X + cTM^{-1})$, $X = aC "
        r"+ u\mathbf 1^\top + \mathbf 1u^\top + sJ$. So NC2 without an SSETF exists.",
        (
            Check("labels of that form have NC2, $X$ singular or not", _nc2_if),
            Check(
                r"the regime ends at $\|u\|^2 = (a - c)(s - c(1 + \lambda_b)/(K\lambda_b))$",
                _nc2_edge,
            ),
            Check(r"the family with $u \ne 0$ inside the regime has NC2", _nc2_inside),
            Check("and its means are no SSETF", _nc2_inside_no_ssetf),
            Check("30 % beyond the regime's edge NC2 fails", _nc2_outside),
        ),
        chapter=_CONJECTURE,
        label="thm-ce-nc2",
    ),
    Claim(
        "book/coincide",
        "When all means coincide",
        r"Balanced: all class means are equal if and only if $\|\bar YM\| \le c$, or $(\bar "
        r"YC)^\top\bar Y\mathbf 1 = 0$ and $\|\bar YC\| \le c$.",
        (Check("5 % on either side of both criteria", _coincide),),
        chapter=_CONJECTURE,
        label="prop-ce-coincide",
    ),
    Claim(
        "book/bias-bound",
        "Size of the bias",
        r"Any labels and counts, $d \ge K$, $\lambda_b > 0$: $\|b^*\| \le "
        r"\sqrt{\lambda_W\lambda_H N}/\lambda_b$. For narrower features it may fail.",
        (
            Check("the bound holds", _bias_bound),
            Check("invertible encodings attain it", _bias_bound_attained),
            Check("$d = K - 1$: 2.8 times the bound", _bias_bound_narrow),
        ),
        chapter=_CONJECTURE,
        label="prop-ce-bias-bound",
    ),
    Claim(
        "book/imbalance",
        "One-hot labels under imbalance",
        r"Without bias $\|\bar h_k\|^2 = \sqrt{\lambda_W/\lambda_H}\,(\sqrt{n_k} - N\mu)_+/n_k$ "
        "(Dang et al., 2023); with a free bias the squared singular values before the threshold "
        r"$N\mu$ are the non-zero eigenvalues of $D - nn^\top/N$ (Liu, 2024).",
        (
            Check(r"$\lambda_b = \infty$: the norms", _imbalance_norms),
            Check(r"$\lambda_b = 0$: the singular values", _imbalance_interlacing),
            Check("two class sizes: the three thresholds", _imbalance_two_sizes),
        ),
        chapter=_BEYOND,
        label="thm-ce-imbalance",
    ),
    Claim(
        "book/any-gram",
        "Labels for any class means",
        r"MSE, any counts, $\lambda_b > 0$. The means have the Gram matrix $G$, whichever $G "
        r"\succeq 0$ is wished, for the labels $P(X + \theta M^{-1})D^{-1/2}$, $X = "
        r"\sqrt{\lambda_H/\lambda_W}\,D^{1/2}GD^{1/2}$, $\theta = N\mu$, $M^{-1} = I + "
        r"\nu\nu^\top/(N\lambda_b)$, $\nu = (\sqrt{n_k})$; if $G$ is invertible, only for these. "
        "So NC2 can be had under any imbalance.",
        (
            Check("random $G$ of any rank, counts up to 1000 : 1", _any_gram),
            Check("$G$ a simplex ETF: NC2", _any_gram_etf),
            Check(r"the bias is $\mu P\nu/\lambda_b$", _any_gram_bias),
            Check(
                "$G$ invertible: labels that are no rotation of these give another",
                _any_gram_unique,
            ),
            Check(r"$\lambda_b = 0$: NC2 with $Gn = 0$, by descent", _free_bias_etf),
        ),
        chapter=_BEYOND,
        label="thm-ce-any-gram",
    ),
    Claim(
        "book/nonnegative",
        "Non-negative features",
        r"One-hot labels, balanced, MSE, any $\lambda_b$, regularisation below the threshold of "
        "the theorem: over features without negative entries the optimum is an orthogonal frame, "
        "each coordinate being active for at most one class.",
        (
            Check(
                "no projected descent is below its objective, and one gets there",
                _nonnegative_value,
            ),
            Check("where it ends the means are that frame", _nonnegative_gram),
        ),
        chapter="class_encoding/trained_networks",
        label="prop-ce-nonnegative",
    ),
    Claim(
        "book/smoothing",
        "Smoothing is regularisation",
        r"Balanced, any $\lambda_b$, $q = c + \delta$: the centred logits are $\log(1 + K(1 - "
        r"q)/q)\,C$ with cross-entropy (Guo et al., 2025) and $(1 - q)\,C$ with MSE, and zero "
        r"when $q \ge 1$.",
        (
            Check("cross-entropy", _smoothing_ce),
            Check("MSE", _smoothing_mse),
            Check(r"MSE: $c$ and $\delta$ enter through their sum", _smoothing_sum),
        ),
        chapter=_THEORY,
        label="thm-ce-smoothing",
    ),
    Claim(
        "book/merging",
        "Minority merging",
        r"Classes of the same size $m$ have the same mean if and only if $(1 - \delta)\sqrt m \le "
        r"N\mu$, whatever the other classes. (Two sizes and cross-entropy: Hong and Ling, 2023.)",
        (Check("cross-entropy and MSE, 3 % on either side", _merging),),
        chapter=_BEYOND,
        label="thm-ce-merging",
    ),
    Claim(
        "book/narrow",
        "Too narrow a layer",
        r"Balanced MSE, $d < K$. For $\lambda_b = 0$ or $\infty$ the optimum is the "
        "soft-thresholded singular value decomposition cut at rank $d$; for one-hot labels and "
        r"$\lambda_b < \infty$ it is $(1 - c)\Pi$, $\Pi$ a projection of rank $d$ with "
        r"$\Pi\mathbf 1 = 0$. (One-hot labels without a bias or with a free one: Dang et al., "
        "2023.)",
        (
            Check("no descent of width $d$ ends lower, and the best reaches it", _narrow_truncated),
            Check("one-hot: no descent ends lower, and the best reaches it", _narrow_one_hot),
        ),
        chapter=_BEYOND,
        label="thm-ce-narrow",
    ),
    book_claim("laptop"),
    book_claim("paper"),
)
