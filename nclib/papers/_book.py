"""Results beyond the papers; the chapter that is named proves each and credits its sources."""

from __future__ import annotations

import math
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from nclib import encodings
from nclib.papers._cases import (
    Balanced,
    apart,
    averaging,
    centring,
    etf_misfit,
    gaussian,
    misfit,
    near,
    orthogonal,
    root,
    solve_to_gap,
    ssetf_misfit,
)
from nclib.papers._claim import Check, Claim, Evidence
from nclib.papers.class_encoding._networks import book_claim
from nclib.papers.inducing_nc.claims import _checks as theory

_INF = math.inf
_LAM_B = (0.0, 0.2, 1.0, 5.0, _INF)
_POSITIVE = _LAM_B[1:]


def _inflation(lam_b: float) -> float:
    """1/(1 − γ) = 1 + 1/λ_b, the eigenvalue of M⁻¹ along 1."""
    return 1.0 if math.isinf(lam_b) else 1 + 1 / lam_b


def _soft(value: float, threshold: float) -> float:
    return math.copysign(max(abs(value) - threshold, 0.0), value)


def _inverse_m(num_classes: int, lam_b: float) -> Float[Tensor, "K K"]:
    """M⁻¹ = I + J/(Kλ_b)."""
    return centring(num_classes) + _inflation(lam_b) * averaging(num_classes)


# --- 1: SSETF encodings --------------------------------------------------------------------------


@cache
def _shifted() -> list[tuple[Balanced, float, float]]:
    """Random SSETF labels with α on both sides of c, and their α and β."""
    found = []
    for seed in range(40):
        k, lam_b = 3 + seed % 3, _LAM_B[seed % 5]
        alpha, beta = 0.1 + 0.025 * seed, (-4.0, 0.0, 0.8, 2.5, 7.0, 1.0, -1.0)[seed % 7]
        labels = orthogonal(k, seed) @ encodings.shifted(k, scale=alpha, shift=beta)
        found.append((Balanced(labels, 0.4, lam_b), alpha, beta))
    return found


def _ssetf_closed_form() -> Evidence:
    misfits = []
    for m, alpha, beta in _shifted():
        across = max(alpha - m.c, 0.0)
        threshold = _INF if m.lam_b == 0 else m.c * _inflation(m.lam_b)
        along = abs(_soft(alpha * (1 - beta), threshold))
        misfits.append(misfit(m.modulus, across * centring(m.k) + along * averaging(m.k)))
    return near(misfits, "relative misfit of |Z*|")


# --- 2: the conjecture ---------------------------------------------------------------------------


def _settled_if() -> Evidence:
    above = [m for m, alpha, _ in _shifted() if alpha > m.c]
    return near((ssetf_misfit(m.gram) for m in above), "SSETF misfit of the means")


def _settled_below() -> Evidence:
    below = [m for m, alpha, _ in _shifted() if alpha <= m.c]
    spread = (float((m.gram @ centring(m.k)).norm()) / m.scale for m in below)
    return near(spread, "spread of the means")


def _settled_only_if() -> Evidence:
    optima = [
        Balanced(encodings.random(3 + seed % 3, seed=seed), 0.2, lam_b)
        for seed, lam_b in enumerate(_POSITIVE * 5)
    ]
    return apart((ssetf_misfit(m.gram) for m in optima), "smallest SSETF misfit of the means")


def _settled_free_bias() -> Evidence:
    misfits = []
    for seed in range(8):
        k = 3 + seed % 4
        offset = gaussian(k, 1, seed=seed)
        labels = orthogonal(k, seed) @ encodings.one_hot(k) + offset
        misfits.append(ssetf_misfit(Balanced(labels, 0.5, 0.0).gram))
    return near(misfits, "SSETF misfit of the means for centred labels in a simplex ETF")


# --- 3: invertible encodings, NC2, coinciding means, the bias ------------------------------------


def _leaning(k: int, a: float, u: Float[Tensor, " K"], s: float) -> Float[Tensor, "K K"]:
    """aC + u1ᵀ + 1uᵀ + sJ."""
    return a * centring(k) + u[:, None] + u[None, :] + s


def _direction(k: int, seed: int) -> Float[Tensor, " K"]:
    u = centring(k) @ gaussian(k, seed=seed)
    return u / u.norm()


@cache
def _in_regime() -> list[Balanced]:
    """Random labels with |Ȳ| ⪰ cM⁻¹, built from any positive semi-definite part."""
    found = []
    for seed, lam_b in enumerate(_POSITIVE * 4):
        k, c = 3 + seed % 3, 0.3
        factor = gaussian(k, k, seed=seed)
        above = c * _inverse_m(k, lam_b) + 0.3 * factor @ factor.T
        found.append(Balanced(orthogonal(k, seed + 100) @ above, c, lam_b))
    return found


def _predicted(m: Balanced) -> Float[Tensor, "K K"]:
    return root(m.labels.T @ m.labels) - m.c * _inverse_m(m.k, m.lam_b)


def _invertible_gram() -> Evidence:
    return near((misfit(m.modulus, _predicted(m)) for m in _in_regime()), "relative misfit of |Z*|")


def _invertible_bias() -> Evidence:
    misfits = []
    for m in _in_regime():
        u = m.labels @ torch.linalg.inv(root(m.labels.T @ m.labels))
        factor = 0.0 if math.isinf(m.lam_b) else m.c / (m.lam_b * m.k)
        misfits.append(misfit(m.solution.bias, factor * u.sum(1)))
    return near(misfits, "misfit of the bias")


def _invertible_only_if() -> Evidence:
    outside = [
        m
        for seed, lam_b in enumerate(_POSITIVE * 5)
        if float(torch.linalg.eigvalsh(_predicted(m := _random(seed, lam_b)))[0]) < -0.01
    ]
    smallest = (float(torch.linalg.eigvalsh(m.modulus)[0]) for m in outside)
    return near(smallest, "smallest singular value of Z* outside the regime")


def _random(seed: int, lam_b: float) -> Balanced:
    return Balanced(encodings.random(4, seed=seed), 0.3, lam_b)


def _nc2_if() -> Evidence:
    """Labels P(X + cTM⁻¹) with X singular (T = I − (1−t)ŵŵᵀ) and X ≻ 0 (T = I)."""
    misfits = []
    for seed, lam_b in enumerate(_POSITIVE):
        k, c, a = 3 + seed % 3, 0.3, 0.5
        u = 0.4 * _direction(k, seed)
        for t, extra in ((1.0, 0.3), (1.0, 0.0), (0.2, 0.0), (-0.9, 0.0)):
            x = _leaning(k, a, u, float(u @ u) / a + extra)
            null = torch.linalg.eigh(x).eigenvectors[:, 0]
            kernel = torch.eye(k, dtype=x.dtype) - (1 - t) * torch.outer(null, null)
            labels = orthogonal(k, seed) @ (x + c * kernel @ _inverse_m(k, lam_b))
            m = Balanced(labels, c, lam_b)
            misfits.append(misfit(m.modulus, x))
            misfits.append(etf_misfit(m.gram))
    return near(misfits, "misfit of |Z*| = X and of NC2", 1e-4)


def _edge(k: int, c: float, lam_b: float, a: float, s: float) -> float:
    """The largest ‖u‖ of the family in the closed form's regime."""
    return math.sqrt((a - c) * (s - c * _inflation(lam_b) / k))


def _nc2_boundary(factor: float) -> list[Balanced]:
    found = []
    for seed, lam_b in enumerate(_POSITIVE * 3):
        k, c, a, s = 3 + seed % 3, 0.2, 1.0, 0.8
        u = factor * _edge(k, c, lam_b, a, s) * _direction(k, seed)
        found.append(Balanced(_leaning(k, a, u, s), c, lam_b))
    return found


def _nc2_inside() -> Evidence:
    optima = _nc2_boundary(0.98)
    return near((etf_misfit(m.gram) for m in optima), "misfit of the centred Gram matrix")


def _nc2_inside_no_ssetf() -> Evidence:
    return apart((ssetf_misfit(m.gram) for m in _nc2_boundary(0.98)), "smallest SSETF misfit")


def _nc2_outside() -> Evidence:
    optima = _nc2_boundary(1.3)
    return apart((etf_misfit(m.gram) for m in optima), "smallest misfit of NC2", bound=1e-3)


def _coincide() -> Evidence:
    """Labels on either side of the criterion: does the prediction match the spread?"""
    wrong = 0
    cases = 0
    for seed, lam_b in enumerate(_LAM_B):
        k, c = 3 + seed % 3, 0.3
        gamma = 1 / (1 + lam_b)
        m = centring(k) + (1 - gamma) * averaging(k)
        labels = orthogonal(k, seed) @ gaussian(k, k, seed=seed)
        axis = _direction(k, seed + 7)
        away = torch.eye(k, dtype=labels.dtype) - torch.outer(axis, axis)
        mean = 9 * c * axis[:, None]  # a large mean label, at right angles to the centred ones
        for size in (0.95, 1.05):
            whole = size * c * labels / torch.linalg.matrix_norm(labels @ m, 2)
            centred = away @ labels @ centring(k)
            centred = size * c * centred / torch.linalg.matrix_norm(centred, 2)
            for encoding in (whole, centred + mean):
                optimum = Balanced(encoding, c, lam_b)
                spread = float((optimum.modulus @ centring(k)).norm())
                wrong += (spread <= 1e-4) != (size < 1)
                cases += 1
    return Evidence(wrong, 0, cases, "optima on the wrong side of the criterion")


def _bias_bound() -> Evidence:
    ratios = []
    for seed, counts in enumerate(((5.0, 5, 5, 5), (9.0, 4, 2, 1), (40.0, 1, 1, 1))):
        for lam_b in (0.05, 0.5, 5.0):
            n = torch.tensor(counts, dtype=torch.float64)
            s = solve_to_gap(
                3 * encodings.random(4, seed=seed), n, lam_w=0.02, lam_h=0.01, lam_b=lam_b
            )
            bound = math.sqrt(0.02 * 0.01) * math.sqrt(float(n.sum())) / lam_b
            ratios.append(float(s.bias.norm()) / bound)
    return Evidence(max(ratios), 1 + 1e-6, len(ratios), "largest ‖b*‖ in units of μ√N/λ_b")


# --- 4: imbalance --------------------------------------------------------------------------------

_LONG_TAIL = (100.0, 40.0, 16.0, 6.0, 2.0)


def _imbalanced(counts: tuple[float, ...], mu: float, lam_b: float) -> tuple[Tensor, Tensor, float]:
    """Counts, √(n)-weighted logits Z̃ and feature norms of one-hot labels."""
    n = torch.tensor(counts, dtype=torch.float64)
    s = solve_to_gap(encodings.one_hot(len(n)), n, lam_w=2 * mu, lam_h=mu / 2, lam_b=lam_b)
    return s.weight @ s.means.T * n.sqrt(), s.means.norm(dim=1), float(n.sum())


def _imbalance_norms() -> Evidence:
    misfits = []
    n = torch.tensor(_LONG_TAIL, dtype=torch.float64)
    for theta in (0.5, 1.0, 2.0, 3.0, 5.0):
        _, norms, _ = _imbalanced(_LONG_TAIL, theta / float(n.sum()), _INF)
        squares = 2 * (n.sqrt() - theta).clamp(min=0) / n  # √(λ_W/λ_H) = 2
        misfits.append(misfit(norms**2, squares))
    return near(misfits, "relative misfit of the squared norms")


def _imbalance_interlacing() -> Evidence:
    misfits = []
    n = torch.tensor(_LONG_TAIL, dtype=torch.float64)
    inner = torch.linalg.eigvalsh(torch.diag(n) - torch.outer(n, n) / n.sum())
    for theta in (0.5, 1.5, 3.0):
        z, _, _ = _imbalanced(_LONG_TAIL, theta / float(n.sum()), 0.0)
        expected = (inner.clamp(min=0).sqrt() - theta).clamp(min=0).flip(0)
        misfits.append(misfit(torch.linalg.svdvals(z), expected))
    return near(misfits, "relative misfit of the singular values")


def _imbalance_two_sizes() -> Evidence:
    """Majority 3 × 50, minority 4 × 8: three thresholds, each crossed from both sides."""
    counts = (50.0,) * 3 + (8.0,) * 4
    total, wrong, cases = sum(counts), 0, 0
    merge, vanish = math.sqrt(8), math.sqrt(7 * 50 * 8 / total)
    for theta in (merge, vanish, math.sqrt(50)):
        for side in (0.98, 1.02):
            n = torch.tensor(counts, dtype=torch.float64)
            mu = side * theta / total
            s = solve_to_gap(encodings.one_hot(7), n, lam_w=mu, lam_h=mu, lam_b=0.0)
            minority = s.means[3:]
            merged = float((minority - minority.mean(0)).norm()) <= 1e-4
            gone = float(minority.mean(0).norm()) <= 1e-4
            empty = float(s.means.norm()) <= 1e-4
            level = side * theta
            wrong += merged != (level >= merge)
            wrong += gone != (level >= vanish)
            wrong += empty != (level >= math.sqrt(50))
            cases += 3
    return Evidence(wrong, 0, cases, "answers on the wrong side of a threshold")


# --- 6, 7, 8: smoothing, merging, narrow layers --------------------------------------------------


def _smoothing(loss: str) -> Evidence:
    misfits = []
    k, n = 4, 5
    for c, delta in ((0.1, 0.0), (0.1, 0.2), (0.2, 0.1), (0.5, 0.3), (0.6, 0.5)):
        for lam_b in (0.0, 1.0, _INF):
            mu, q = c / (k * math.sqrt(n)), c + delta
            counts = torch.full((k,), float(n), dtype=torch.float64)
            s = solve_to_gap(
                encodings.smoothed(k, delta=delta),
                counts,
                lam_w=mu,
                lam_h=mu,
                lam_b=lam_b,
                loss=loss,
            )
            logits = s.weight @ s.means.T @ centring(k)
            size = max(1 - q, 0.0) if loss == "mse" else math.log(1 + k * max(1 / q - 1, 0.0))
            misfits.append(misfit(logits, size * centring(k)))
    return near(misfits, "relative misfit of the centred logits", 1e-4)


def _smoothing_ce() -> Evidence:
    return _smoothing("ce")


def _smoothing_mse() -> Evidence:
    return _smoothing("mse")


def _merging() -> Evidence:
    wrong, cases = 0, 0
    counts = torch.tensor([30.0, 17.0, 6.0, 6.0, 6.0], dtype=torch.float64)
    for loss in ("ce", "mse"):
        for delta, lam_b in ((0.0, 0.0), (0.0, _INF), (0.2, 1.0)):
            labels = encodings.smoothed(5, delta=delta)
            threshold = (1 - delta) * math.sqrt(6) / float(counts.sum())
            for side in (0.97, 1.03):
                mu = side * threshold
                s = solve_to_gap(labels, counts, lam_w=mu, lam_h=mu, lam_b=lam_b, loss=loss)
                minority = s.means[2:]
                merged = float((minority - minority.mean(0)).norm()) <= 1e-3
                wrong += merged != (side > 1)
                cases += 1
    return Evidence(wrong, 0, cases, "optima on the wrong side of the threshold")


def _value(z: Tensor, labels: Tensor, c: float, lam_b: float) -> float:
    """K times the balanced objective at logits Z with the best bias: ½ tr(EMEᵀ) + c‖Z‖_*."""
    error = labels - z
    loss = 0.5 * ((error @ _m(len(labels), lam_b)) * error).sum()
    return float(loss + c * torch.linalg.svdvals(z).sum())


def _m(k: int, lam_b: float) -> Float[Tensor, "K K"]:
    """M = I − γJ/K."""
    return centring(k) + (1 - 1 / (1 + lam_b)) * averaging(k)


def _alternate(labels: Tensor, c: float, lam_b: float, dim: int, seed: int) -> Tensor:
    """Logits WH of width ``dim`` by exact alternating minimisation from a random start."""
    k = len(labels)
    m = _m(k, lam_b)
    values, vectors = torch.linalg.eigh(m)
    ridge = c * torch.eye(dim, dtype=torch.float64)
    h = gaussian(dim, k, seed=seed)
    w = torch.zeros(k, dim, dtype=torch.float64)
    for _ in range(80):
        w = torch.linalg.solve(h @ m @ h.T + ridge, h @ m @ labels.T).T
        # Wᵀ(WH − Ȳ)M + cH = 0, one system for each eigenvector of M
        right = w.T @ labels @ vectors * values
        left = values[:, None, None] * (w.T @ w) + ridge
        h = torch.linalg.solve(left, right.T[..., None])[..., 0].T @ vectors.T
    return w @ h


def _best_of(labels: Tensor, c: float, lam_b: float, dim: int) -> float:
    runs = (_alternate(labels, c, lam_b, dim, seed) for seed in range(3))
    return min(_value(z, labels, c, lam_b) for z in runs)


def _narrow_truncated() -> Evidence:
    misfits = []
    for seed, lam_b in enumerate((0.0, _INF) * 2):
        labels, c = gaussian(4, 4, seed=seed), 0.3
        u, values, v = torch.linalg.svd(labels @ _m(4, lam_b))
        for dim in (1, 2, 3):
            kept = (values[:dim] - c).clamp(min=0)
            z = u[:, :dim] * kept @ v[:dim]
            formula = _value(z, labels, c, lam_b)
            misfits.append(abs(_best_of(labels, c, lam_b, dim) / formula - 1))
    return near(misfits, "relative misfit of the objective, best of three descents")


def _narrow_one_hot() -> Evidence:
    misfits = []
    for seed, lam_b in enumerate((0.0, 0.3, 5.0)):
        labels, c = encodings.one_hot(4), 0.3
        basis = torch.linalg.svd(centring(4) @ gaussian(4, 3, seed=seed), full_matrices=False).U
        for dim in (1, 2, 3):
            z = (1 - c) * basis[:, :dim] @ basis[:, :dim].T
            formula = _value(z, labels, c, lam_b)
            misfits.append(abs(_best_of(labels, c, lam_b, dim) / formula - 1))
    return near(misfits, "relative misfit of the objective, best of three descents")


_THEORY = "class_encoding/theory"
_BEYOND = "class_encoding/beyond"
_CONJECTURE = "class_encoding/conjecture"
_INDUCING = "inducing_nc/theory"

CLAIMS = (
    Claim(
        "book/ssetf",
        "SSETF encodings",
        "Labels αP(I − βJ/K), balanced: |Z*| = (α − c)₊ C + |soft(α(1 − β), c(1 + λ_b)/λ_b)| J/K. "
        "Label smoothing with MSE therefore has NC2 whenever c + δ < 1. (One-hot labels: Zhou et "
        "al., 2022.)",
        (Check("the closed form is the certified optimum", _ssetf_closed_form),),
        chapter=_THEORY,
        label="thm-ce-ssetf",
    ),
    Claim(
        "book/conjecture",
        "The conjecture, settled",
        "Balanced. For λ_b > 0 the means are an SSETF if and only if the labels are one with α > "
        "c; for λ_b = 0 if and only if the centred labels are a simplex ETF with α > c.",
        (
            Check("λ_b > 0: SSETF labels with α > c have SSETF means", _settled_if),
            Check("SSETF labels with α ≤ c: all means coincide", _settled_below),
            Check("λ_b > 0: other labels have other means", _settled_only_if),
            Check("λ_b = 0: the centred labels decide", _settled_free_bias),
        ),
        chapter=_CONJECTURE,
        label="thm-ce-conjecture",
    ),
    Claim(
        "book/invertible",
        "Invertible encodings",
        "Balanced, λ_b > 0: |Z*| = |Ȳ| − c(I + J/(Kλ_b)) and b* = (c/(Kλ_b)) U1, Ȳ = U|Ȳ|, if and "
        "only if that matrix is positive semi-definite. (The form for regression: Andriopoulos et "
        "al., 2024.)",
        (
            Check("inside the regime: |Z*| is that matrix", _invertible_gram),
            Check("inside the regime: the bias is that vector", _invertible_bias),
            Check("outside the regime: Z* is singular", _invertible_only_if),
        ),
        chapter=_CONJECTURE,
        label="thm-ce-invertible",
    ),
    Claim(
        "book/nc2",
        "Which labels give NC2",
        "Balanced, λ_b > 0: NC2 holds if and only if Ȳ = P(X + cTM⁻¹), X = aC + u1ᵀ + 1uᵀ + sJ. "
        "So NC2 without an SSETF exists.",
        (
            Check("labels of that form have NC2, X singular or not", _nc2_if),
            Check("the family with u ≠ 0 inside the regime has NC2", _nc2_inside),
            Check("and its means are no SSETF", _nc2_inside_no_ssetf),
            Check("30 % beyond the regime's edge NC2 fails", _nc2_outside),
        ),
        chapter=_CONJECTURE,
        label="thm-ce-nc2",
    ),
    Claim(
        "book/coincide",
        "When all means coincide",
        "Balanced: all class means are equal if and only if ‖ȲM‖ ≤ c, or (ȲC)ᵀȲ1 = 0 and ‖ȲC‖ ≤ c.",
        (Check("5 % on either side of both criteria", _coincide),),
        chapter=_CONJECTURE,
        label="prop-ce-coincide",
    ),
    Claim(
        "book/bias-bound",
        "Size of the bias",
        "Any labels and counts: ‖b*‖ ≤ √(λ_Wλ_H N)/λ_b.",
        (Check("the bound holds", _bias_bound),),
        chapter=_CONJECTURE,
        label="prop-ce-bias-bound",
    ),
    Claim(
        "book/imbalance",
        "One-hot labels under imbalance",
        "Without bias ‖h̄_k‖² = √(λ_W/λ_H)(√n_k − Nμ)₊/n_k (Dang et al., 2023); with a free bias "
        "the squared singular values before the threshold Nμ are the non-zero eigenvalues of "
        "D − nnᵀ/N (Liu, 2024).",
        (
            Check("λ_b = ∞: the norms", _imbalance_norms),
            Check("λ_b = 0: the singular values", _imbalance_interlacing),
            Check("two class sizes: the three thresholds", _imbalance_two_sizes),
        ),
        chapter=_BEYOND,
        label="thm-ce-imbalance",
    ),
    Claim(
        "book/smoothing",
        "Smoothing is regularisation",
        "Balanced, any λ_b, q = c + δ: the centred logits are log(1 + K(1 − q)/q) C with "
        "cross-entropy (Guo et al., 2025) and (1 − q) C with MSE, and zero when q ≥ 1.",
        (Check("cross-entropy", _smoothing_ce), Check("MSE", _smoothing_mse)),
        chapter=_THEORY,
        label="thm-ce-smoothing",
    ),
    Claim(
        "book/merging",
        "Minority merging",
        "Classes of the same size m have the same mean if and only if (1 − δ)√m ≤ Nμ, whatever "
        "the other classes. (Two sizes and cross-entropy: Hong and Ling, 2023.)",
        (Check("cross-entropy and MSE, 3 % on either side", _merging),),
        chapter=_BEYOND,
        label="thm-ce-merging",
    ),
    Claim(
        "book/narrow",
        "Too narrow a layer",
        "Balanced MSE, d < K. For λ_b = 0 or ∞ the optimum is the soft-thresholded singular value "
        "decomposition cut at rank d; for one-hot labels and λ_b < ∞ it is (1 − c)Π, Π a "
        "projection of rank d with Π1 = 0. (One-hot labels without a bias or with a free one: "
        "Dang et al., 2023.)",
        (
            Check("no descent of width d finds less, and the best reaches it", _narrow_truncated),
            Check("one-hot: no descent finds less, and the best reaches it", _narrow_one_hot),
        ),
        chapter=_BEYOND,
        label="thm-ce-narrow",
    ),
    book_claim("laptop"),
    book_claim("paper"),
    Claim(
        "book/counts",
        "The collapsed classifier does not know the counts",
        "Under NC1 with affinely independent class means the least-squares classifier is the "
        "pseudo-inverse of the centred means, whatever the counts.",
        (Check("W_LS and b_LS do not change with the counts", theory.prop_1_skew_instead),),
        chapter=_INDUCING,
        label="thm-in-counts",
    ),
    Claim(
        "book/divergence",
        "Collapse attains the maximum",
        "Under label shift the Jensen-Shannon divergence of the features is at most that of the "
        "labels (data processing); collapse attains it, merged or not, where merged classes share "
        "their ratio.",
        (
            Check("Gaussian mixtures: at most", theory.eq_12_instead),
            Check("attained as the classes collapse", theory.eq_12_collapse),
            Check("and with two classes merged", theory.eq_12_merged),
            Check("but not where the two differ in their ratio", theory.eq_12_unlike),
        ),
        chapter=_INDUCING,
        label="thm-in-js",
    ),
    Claim(
        "book/nearest-angles",
        "The optimum of L_B",
        "P ≥ K − 1: the average angle to the nearest other class mean is at most arccos(−1/(K − "
        "1)), and only simplex ETF directions reach it.",
        (
            Check("no configuration is above it", theory.lb_bound),
            Check("at the optimum all angles are it", theory.lb_optimum),
        ),
        chapter=_INDUCING,
        label="thm-in-lb",
    ),
    Claim(
        "book/equal-norms",
        "Optimal angles force equal norms",
        "Centred vectors with the directions of a simplex ETF have one common norm.",
        (Check("at the optimum of L_B, P ≥ K − 1", theory.lb_equal_norms),),
        chapter=_INDUCING,
        label="thm-in-norms",
    ),
    Claim(
        "book/self-dual",
        "When the classifier is self-dual",
        "Under NC1 with affinely independent class means, NC3 holds if and only if NC2 does, "
        "whatever the counts.",
        (
            Check("a simplex ETF, counts 500 to 2: NC3", theory.prop_4_instead),
            Check("other means: no NC3", theory.prop_4_converse),
        ),
        chapter=_INDUCING,
        label="thm-in-nc3",
    ),
)
