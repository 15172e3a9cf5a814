"""The statements of "The role of class encoding in neural collapse", each with its checks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nclib import encodings
from nclib.papers._cases import (
    Balanced,
    Decay,
    at_least,
    at_most,
    averaging,
    centring,
    counts_of,
    descended,
    etf_misfit,
    gaussian,
    misfit,
    orthogonal,
    root,
    solve_to_gap,
    ssetf_misfit,
)
from nclib.papers._claim import Check, Claim, Evidence
from nclib.ufm import CriticalPoint, closed_form

_INF = math.inf
_LAM_B = (0.0, 0.1, 1.0, 5.0, _INF)
_COUNTS = ((3, 3, 3, 3), (7, 4, 2, 1))


# --- Theorem III.1 -------------------------------------------------------------------------------


@cache
def _one_hot_grid() -> list[tuple[Balanced, closed_form.Optimum]]:
    """One-hot models for λ_b on both sides of the threshold c/(1 − c), and the paper's optimum."""
    models = [
        Balanced(encodings.one_hot(k), c, factor * closed_form.one_hot_transition(c))
        for k in (3, 6)
        for c in (0.2, 0.7)
        for factor in (0.0, 0.5, 1.0, 2.0, 8.0, _INF)
    ]
    return [(m, closed_form.one_hot(m.k, m.n, **m.penalties)) for m in models]


def _thm_iii_1_duality() -> Evidence:
    # At the threshold itself the minimum is flat, and descents have few digits.
    models = [m for m, _ in _one_hot_grid() if m.k == 3]
    models = [m for m in models if m.lam_b != closed_form.one_hot_transition(m.c)]
    return at_most(
        (misfit(m.descended.weight, m.kappa * m.descended.features) for m in models),
        "relative misfit of eq. (3) where descents end",
    )


def _thm_iii_1_gram() -> Evidence:
    return at_most(
        (
            misfit(m.gram / m.gram.norm(), predicted.gram / predicted.gram.norm())
            for m, predicted in _one_hot_grid()
        ),
        "relative misfit of the normalised Gram matrix",
    )


def _thm_iii_1_bias() -> Evidence:
    return at_most(
        (misfit(m.solution.bias, predicted.bias) for m, predicted in _one_hot_grid()),
        "relative misfit of eq. (5)",
    )


def _scale_of(m: Balanced) -> float:
    """α of eq. (4), measured on the centred part, in units of √(λ_W/(nλ_H))."""
    return float((m.modulus * centring(m.k)).sum()) / (m.k - 1)


def _thm_iii_1_scale_varies() -> Evidence:
    groups: dict[tuple[int, float], list[float]] = {}
    for m, _ in _one_hot_grid():
        groups.setdefault((m.k, m.c), []).append(_scale_of(m))
    return at_least(
        (max(scales) / min(scales) - 1 for scales in groups.values()),
        r"relative change of the scale over $\lambda_b$",
        bound=1e-3,
    )


def _thm_iii_1_scale() -> Evidence:
    return at_most(
        (m.misfit(predicted) for m, predicted in _one_hot_grid()),
        "relative misfit of the optimum, with that scale",
    )


# --- Geometry: Figure 1, Definition III.1, Proposition III.2 -------------------------------------


def _fig_1() -> Evidence:
    frame = torch.eye(3, dtype=torch.float64)
    centred = frame @ centring(3)
    return at_most([misfit(centred.T @ centred, centring(3))], "misfit of the Gram matrix", 1e-12)


def _shifted_frames() -> list[tuple[torch.Tensor, float, float]]:
    frames = []
    for seed in range(40):
        k = 2 + seed % 5
        alpha, beta = 0.2 + seed / 10, -3 + seed / 6
        p = torch.linalg.qr(gaussian(k + seed % 3, k, seed=seed)).Q
        eye = torch.eye(k, dtype=torch.float64)
        frames.append((alpha * p @ (eye - beta * averaging(k)), alpha, beta))
    return frames


def _def_iii_1() -> Evidence:
    cases = []
    for k in (2, 3, 7):
        p, eye = orthogonal(k, seed=k), torch.eye(k, dtype=torch.float64)
        for beta, gram in ((0.0, eye), (1.0, centring(k))):
            m = p @ (eye - beta * averaging(k))
            cases.append(misfit(m.T @ m, gram))
    return at_most(cases, "misfit of the Gram matrix", 1e-12)


def _prop_iii_2() -> Evidence:
    misfits = []
    for m, alpha, _ in _shifted_frames():
        centred = m @ centring(m.shape[1])
        misfits.append(misfit(centred.T @ centred, alpha**2 * centring(m.shape[1])))
    return at_most(misfits, "misfit of the centred Gram matrix", 1e-12)


# --- Optimality: Lemma III.3, Theorem III.4, Theorem IV.1 ----------------------------------------


_DECAY = Decay(lam_w=0.02, lam_h=0.005)


@dataclass(frozen=True)
class _Sampled:
    """An optimum of the full model, one column a *sample*: nothing is assumed about collapse."""

    targets: Float[Tensor, "K N"]
    classes: Int[Tensor, " N"]
    lam_b: float
    weight: Float[Tensor, "K P"]
    features: Float[Tensor, "P N"]
    bias: Float[Tensor, " K"]


@cache
def _samples() -> list[_Sampled]:
    optima = []
    for counts in _COUNTS:
        for seed, lam_b in enumerate(_LAM_B):
            classes = torch.repeat_interleave(torch.arange(4), torch.tensor(counts))
            y = encodings.random(4, seed=seed)[:, classes]
            s = solve_to_gap(y, counts_of(*[1.0] * len(classes)), **_DECAY, lam_b=lam_b, dim=5)
            optima.append(_Sampled(y, classes, lam_b, s.weight, s.means.T, s.bias))
    return optima


def _lemma_iii_3() -> Evidence:
    residuals = []
    for s in _samples():
        y, w, h, n = s.targets, s.weight, s.features, len(s.classes)
        gamma = 1 / (1 + s.lam_b)
        m = torch.eye(n, dtype=torch.float64) - gamma / n
        residuals.append(misfit(w @ h @ m @ h.T + _DECAY["lam_w"] * n * w, y @ m @ h.T))
        residuals.append(misfit(w.T @ w @ h @ m + _DECAY["lam_h"] * n * h, w.T @ y @ m))
        residuals.append(misfit(s.bias, gamma * (y - w @ h).mean(1)))
    return at_most(residuals, "relative residual of (6), (7), (8)")


@cache
def _free_biases() -> list[tuple[Tensor, Tensor, CriticalPoint]]:
    """Labels, counts and a minimiser with a free bias that descent found."""
    cases = []
    for seed, counts in enumerate(_COUNTS * 2):
        labels, n = encodings.random(4, seed=seed) + 0.5, counts_of(*counts)
        cases.append((labels, n, descended(labels, n, **_DECAY, lam_b=0.0)))
    return cases


def _thm_iii_4_bias() -> Evidence:
    return at_most(
        (misfit(end.bias, labels @ n / n.sum()) for labels, n, end in _free_biases()),
        "relative misfit of the bias where descents end",
    )


def _thm_iii_4_reduces() -> Evidence:
    misfits = []
    for labels, n, end in _free_biases():
        centred = labels - (labels @ n / n.sum())[:, None]
        bare = solve_to_gap(centred, n, **_DECAY, lam_b=_INF).means
        misfits.append(misfit(end.features @ end.features.T, bare @ bare.T))
    return at_most(misfits, "relative misfit of the Gram matrix")


def _thm_iii_4_centred() -> Evidence:
    sizes = []
    for counts in _COUNTS:
        n = counts_of(*counts)
        labels = encodings.random(4, seed=9)
        labels = labels - (labels @ n / n.sum())[:, None]
        for lam_b in _LAM_B:
            sizes.append(float(solve_to_gap(labels, n, **_DECAY, lam_b=lam_b).bias.norm()))
            if lam_b < _INF:
                sizes.append(float(descended(labels, n, **_DECAY, lam_b=lam_b).bias.norm()))
    return at_most(sizes, "norm of the bias, optima and descents")


def _spread(s: _Sampled) -> float:
    """Spread of the features within classes, relative to all features."""
    one_hot = torch.nn.functional.one_hot(s.classes).to(s.features.dtype)
    means = s.features @ one_hot / one_hot.sum(0)
    return misfit(means[:, s.classes], s.features)


def _thm_iv_1(balanced: bool) -> Evidence:
    part = [s for s in _samples() if (len(set(s.classes.bincount().tolist())) == 1) == balanced]
    return at_most((_spread(s) for s in part), "relative spread within classes")


def _thm_iv_1_balanced() -> Evidence:
    return _thm_iv_1(balanced=True)


def _thm_iv_1_imbalanced() -> Evidence:
    return _thm_iv_1(balanced=False)


# --- Section IV: NC2, NC3, NC3' ------------------------------------------------------------------


@cache
def _shifted_optima() -> list[Balanced]:
    """Optima for random SSETF labels with α > c."""
    optima = []
    for seed, lam_b in enumerate(_LAM_B * 4):
        k = 3 + seed % 3
        beta = (-2.0, 0.0, 0.5, 1.0)[seed % 4]
        labels = orthogonal(k, seed) @ encodings.shifted(k, scale=0.9, shift=beta)
        optima.append(Balanced(labels, 0.3, lam_b))
    return optima


@cache
def _random_optima() -> list[Balanced]:
    return [
        Balanced(encodings.random(3 + seed % 3, seed=seed), 0.2, lam_b)
        for seed, lam_b in enumerate(_LAM_B * 4)
    ]


def _cor_iv_2() -> Evidence:
    shifted = [m for m in _shifted_optima() + _random_optima() if ssetf_misfit(m.gram) < 1e-4]
    return at_most((etf_misfit(m.gram) for m in shifted), "misfit of the centred Gram matrix")


def _rotated(model: Balanced, q: torch.Tensor) -> Balanced:
    return Balanced(q @ model.labels, model.c, model.lam_b, model.n)


def _prop_iv_3() -> Evidence:
    misfits = []
    for seed, model in enumerate(_random_optima()[:10]):
        q = orthogonal(model.k, seed + 50)
        turned = _rotated(model, q)
        misfits.append(misfit(turned.gram, model.gram))
        misfits.append(misfit(turned.solution.bias, q @ model.solution.bias))
        misfits.append(misfit(turned.scores, q @ model.scores))
    return at_most(misfits, "relative misfit of the rotated optimum")


def _alignment(model: Balanced) -> float:
    """Cosine between classifier and class means as matrices: 1 is exact self-duality."""
    w, h = model.solution.weight, model.solution.means
    return float((w * h).sum() / (w.norm() * h.norm()))


def _nc3_fails() -> Evidence:
    models = [
        Balanced(encodings.rotated(k, seed=3), 0.3, lam_b) for k in (3, 5) for lam_b in _LAM_B
    ]
    return at_least((1 - _alignment(m) for m in models), r"$1 -$ cosine of $W^*$ and $\bar H^*$")


def _nc3_always_fails() -> Evidence:
    # A reflection along 1 leaves the column space of W* fixed while the bias is free enough.
    q = centring(4) - averaging(4)
    models = [Balanced(q @ encodings.one_hot(4), 0.3, lam_b) for lam_b in (0.0, 0.2, 0.4)]
    return at_least(
        (1 - _alignment(m) for m in models),
        r"$1 -$ cosine of $W^*$ and $\bar H^*$ for $Q = C - J/K$",
    )


def _nc3_cosine() -> Evidence:
    misfits = []
    for angle in (0.3, 1.2, 3.0):
        for lam_b in _LAM_B:
            m = Balanced(encodings.rotated(5, angle=angle), 0.3, lam_b)
            misfits.append(abs(_alignment(m) - closed_form.rotated_alignment(5, angle)))
    return at_most(misfits, "misfit of the cosine")


def _thm_iv_4() -> Evidence:
    # The solver's own factors are balanced by construction: only a descent can show this.
    ends = [(m, m.descended) for m in _random_optima()]
    return at_most(
        (
            misfit(end.weight.T @ end.weight, m.kappa**2 * end.features.T @ end.features)
            for m, end in ends
        ),
        "relative misfit of NC3′ where descents end",
    )


def _thm_iv_4_minima() -> Evidence:
    return at_most(
        (m.descended.objective / m.solution.objective - 1 for m in _random_optima()),
        "excess of the objective there over the certified optimum",
    )


def _thm_iv_4_reverts() -> Evidence:
    misfits = []
    for m in _random_optima():
        u, _, v = torch.linalg.svd(m.scores)
        back = _rotated(m, (u @ v).T).solution  # labels Qᵀ Y, Q the polar factor of W H̄
        misfits.append(misfit(back.weight, m.kappa * back.means))
    return at_most(misfits, r"relative misfit of NC3 for the labels $Q^\top Y$")


# --- Label smoothing, and the conjecture ---------------------------------------------------------

_DELTAS = (0.05, 0.1, 0.3, 0.6, 0.9)


def _smoothed_is_ssetf() -> Evidence:
    labels = [encodings.smoothed(k, delta=d) for k in (3, 10) for d in _DELTAS]
    return at_most((ssetf_misfit(y.T @ y) for y in labels), "misfit of the Gram matrix", 1e-12)


def _smoothed_with(sign: float) -> Evidence:
    misfits = []
    for k in (3, 10):
        for d in _DELTAS:
            y = encodings.smoothed(k, delta=d)
            shape = encodings.shifted(k, scale=1 - d, shift=sign * d / (1 - d))
            # Gram matrices: equal exactly when some orthogonal P relates the two.
            misfits.append(misfit(y.T @ y, shape.T @ shape))
    return at_most(misfits, "largest misfit of the Gram matrix", 1e-12)


def _smoothed_printed() -> Evidence:
    return _smoothed_with(1.0)


def _smoothed_corrected() -> Evidence:
    return _smoothed_with(-1.0)


@cache
def _too_small() -> list[Balanced]:
    """SSETF labels with α ≤ c."""
    large_shift = encodings.shifted(4, scale=0.4, shift=-6.0)
    return [Balanced(large_shift, 0.5, 5.0, n=3), Balanced(0.4 * encodings.one_hot(4), 0.5, _INF)]


@cache
def _leaning() -> list[Balanced]:
    """I + v1ᵀ with a free bias: no SSETF unless v is a multiple of 1."""
    return [
        Balanced(encodings.one_hot(k) + gaussian(k, seed=k)[:, None], 0.3, 0.0) for k in (3, 4, 7)
    ]


def _conjecture_if() -> Evidence:
    optima = _shifted_optima() + _too_small()
    return at_most(
        (ssetf_misfit(m.gram) for m in optima), "largest SSETF misfit of the means", 1e-4
    )


def _conjecture_if_instead() -> Evidence:
    return at_most((ssetf_misfit(m.gram) for m in _shifted_optima()), "SSETF misfit of the means")


def _means_that_are_ssetf(optima: list[Balanced]) -> list[Balanced]:
    return [m for m in optima if ssetf_misfit(m.gram) < 1e-4]


def _conjecture_only_if() -> Evidence:
    optima = _means_that_are_ssetf(_shifted_optima() + _random_optima() + _leaning())
    return at_most(
        (ssetf_misfit(m.labels.T @ m.labels) for m in optima),
        "largest SSETF misfit of labels whose means are an SSETF",
        1e-4,
    )


def _conjecture_only_if_instead() -> Evidence:
    # The other direction, contraposed: labels that are no SSETF have means that are none.
    optima = [m for m in _random_optima() if m.lam_b > 0]
    return at_least((ssetf_misfit(m.gram) for m in optima), "smallest SSETF misfit of the means")


def _conjecture_free_bias() -> Evidence:
    misfits = []
    for m in _leaning():
        misfits.append(ssetf_misfit(m.gram))
        centred = m.labels @ centring(m.k)
        misfits.append(misfit(root(centred.T @ centred), centring(m.k)))
    return at_most(misfits, "misfit of the means, and of the centred labels")


# --- Text ----------------------------------------------------------------------------------------


def _shift_at(lam_b: float) -> float:
    """Share t of |Z*| = z⊥(C + tJ/K) for one-hot labels: 0 is a simplex ETF, 1 a frame."""
    m = Balanced(encodings.one_hot(4), 0.3, lam_b)
    return float((m.modulus * averaging(4)).sum()) / _scale_of(m)


def _towards_frame() -> Evidence:
    steps = [_shift_at(lam_b) for lam_b in (0.2, 1.0, 10.0, _INF)]
    return at_least(
        (after - before for before, after in pairwise(steps)),
        r"smallest step from simplex ETF (0) towards frame (1) as $\lambda_b$ grows",
    )


def _towards_etf() -> Evidence:
    steps = [_shift_at(lam_b) for lam_b in (0.2, 1.0, 10.0, _INF)]
    return at_least(
        (before - after for before, after in pairwise(steps)),
        r"smallest step from frame (1) towards simplex ETF (0) as $\lambda_b$ grows",
    )


_SIMPLEX = "foundations/simplex_etf"
_THEORY = "class_encoding/theory"
_CONJECTURE = "class_encoding/conjecture"

STATEMENTS = (
    Claim(
        "class-encoding/thm-iii-1",
        "Theorem III.1",
        r"One-hot labels, balanced classes, $c = K\sqrt{n\lambda_W\lambda_H} < 1$: NC1, NC3 with "
        r"$W^\top = \sqrt{n\lambda_H/\lambda_W}\,\bar H$, the Gram matrix (4) with its transition "
        r"at $\lambda_b = c/(1 - c)$, for scales $\alpha_1$ and $\alpha_2$ that depend on "
        r"$\lambda_W$, $\lambda_H$ and $\lambda_b$, and the bias (5).",
        (
            Check(r"$W^{*\top} = \sqrt{n\lambda_H/\lambda_W}\,\bar H^*$", _thm_iii_1_duality),
            Check(
                r"$\bar H^{*\top}\bar H^*$ is proportional to (4) on both sides of the threshold",
                _thm_iii_1_gram,
            ),
            Check("the bias is (5)", _thm_iii_1_bias),
            Check(r"the scale of (4) depends on $\lambda_b$", _thm_iii_1_scale_varies),
        ),
        (
            Check(
                r"the scale is $\sqrt{\lambda_W/(n\lambda_H)}\,(1 - c)$ for every $\lambda_b$",
                _thm_iii_1_scale,
            ),
        ),
        _THEORY,
        "thm-ce-one-hot",
    ),
    Claim(
        "class-encoding/abstract",
        "Abstract",
        "The mean features go from a simplex ETF to an orthogonal frame when the bias is "
        "regularised more.",
        (Check(r"as $\lambda_b$ grows: simplex ETF to frame", _towards_frame),),
        chapter=_THEORY,
        label="thm-ce-one-hot",
    ),
    Claim(
        "class-encoding/conclusion",
        "Conclusion",
        "Increasing the bias regularisation yields a continuous transition from an OF to an ETF.",
        (Check(r"as $\lambda_b$ grows: frame to simplex ETF", _towards_etf),),
        (Check("the other way, as the abstract says", _towards_frame),),
        _THEORY,
        "thm-ce-one-hot",
    ),
    Claim(
        "class-encoding/fig-1",
        "Figure 1",
        r"Centring an orthogonal frame ($d = K = 3$, $P = I$, $\alpha = 1$) gives a simplex ETF.",
        (Check("the centred frame has the Gram matrix $I - J/3$", _fig_1),),
        chapter=_SIMPLEX,
        label="def-etf-shifted",
    ),
    Claim(
        "class-encoding/def-iii-1",
        "Definition III.1",
        r"Shifted simplex ETFs $\alpha P(I - \beta J/K)$ contain the orthogonal frames ($\beta = "
        r"0$) and the simplex ETFs ($\beta = 1$).",
        (Check(r"their Gram matrices at $\beta = 0$ and $\beta = 1$ are those", _def_iii_1),),
        chapter=_SIMPLEX,
        label="def-etf-shifted",
    ),
    Claim(
        "class-encoding/prop-iii-2",
        "Proposition III.2",
        "Centring a shifted simplex ETF gives a simplex ETF.",
        (
            Check(
                r"for random $\alpha$, $\beta$ and $P$, the centred Gram matrix is "
                r"$\alpha^2(I - J/K)$",
                _prop_iii_2,
            ),
        ),
        chapter=_SIMPLEX,
        label="prop-etf-centring",
    ),
    Claim(
        "class-encoding/lemma-iii-3",
        "Lemma III.3",
        "Any encoding, any counts: global minimisers satisfy the first-order conditions (6), (7), "
        "(8).",
        (Check("the residuals vanish at the optimum of the full model", _lemma_iii_3),),
        chapter=_THEORY,
        label="lem-ce-foc",
    ),
    Claim(
        "class-encoding/thm-iii-4",
        "Theorem III.4",
        r"Any encoding, any counts: with $\lambda_b = 0$ the bias is $Y\mathbf 1/N$ and the model "
        "reduces to the bias-free one on centred labels; centred labels give $b^* = 0$ for every "
        r"$\lambda_b$.",
        (
            Check(r"$\lambda_b = 0$: $b^* = Y\mathbf 1/N$", _thm_iii_4_bias),
            Check(
                r"$\lambda_b = 0$: the features are those of the bias-free model",
                _thm_iii_4_reduces,
            ),
            Check("centred labels: $b^* = 0$", _thm_iii_4_centred),
        ),
        chapter=_THEORY,
        label="thm-ce-bias-paper",
    ),
    Claim(
        "class-encoding/thm-iv-1",
        "Theorem IV.1",
        "Any encoding, balanced classes: NC1 holds at the optimum; its introduction adds "
        "imbalanced classes.",
        (
            Check("balanced: features of a class coincide", _thm_iv_1_balanced),
            Check("imbalanced: features of a class coincide", _thm_iv_1_imbalanced),
        ),
        chapter=_THEORY,
        label="thm-ce-nc1",
    ),
    Claim(
        "class-encoding/cor-iv-2",
        "Corollary IV.2",
        "If the optimal means form a shifted simplex ETF, NC2 holds.",
        (Check("optima whose means are an SSETF have centred means in a simplex ETF", _cor_iv_2),),
        chapter=_THEORY,
    ),
    Claim(
        "class-encoding/prop-iv-3",
        "Proposition IV.3",
        "Labels $QY$ have the minimisers $(QW^*, H^*, Qb^*)$.",
        (Check("the optimum for $QY$ is the rotated optimum for $Y$", _prop_iv_3),),
        chapter=_THEORY,
        label="thm-ce-rotation-paper",
    ),
    Claim(
        "class-encoding/nc3",
        "Section IV-C, text",
        "NC3 may fail, depending on the encoding; an orthogonal transformation $Q$ of the labels "
        r"destroys the alignment of $W^*$ and $\bar H^*$.",
        (
            Check("one-hot labels turned at random: NC3 fails", _nc3_fails),
            Check(r"for every $Q \ne I$: NC3 fails", _nc3_always_fails),
        ),
        (
            Check(
                r"a turn by $\theta$ in a coordinate plane gives the cosine $(K - 2 + "
                r"2\cos\theta)/K$, whatever $\lambda_b$",
                _nc3_cosine,
            ),
        ),
        _THEORY,
        "prop-ce-rotation",
    ),
    Claim(
        "class-encoding/thm-iv-4",
        "Theorem IV.4",
        r"Any encoding, balanced classes: NC3′, $W^{*\top}W^* = \kappa^2\bar H^*\bar H^{*\top}$ "
        r"with $\kappa = \sqrt{n\lambda_H/\lambda_W}$; and some $Q$ restores NC3 for the labels "
        r"$Q^\top Y$.",
        (
            Check(r"$W^{*\top}W^* = \kappa^2\bar H^*\bar H^{*\top}$", _thm_iv_4),
            Check("at minimisers: these are the certified optima", _thm_iv_4_minima),
            Check(r"the labels $Q^\top Y$ have $W^{*\top} = \kappa\bar H^*$", _thm_iv_4_reverts),
        ),
        chapter=_THEORY,
        label="thm-ce-nc3prime",
    ),
    Claim(
        "class-encoding/smoothing",
        "Section IV-B, text",
        r"Smoothed labels $(1 - \delta)I + (\delta/K)J$ are a shifted simplex ETF with $\alpha = "
        r"1 - \delta$ and $\beta = \delta/(1 - \delta)$.",
        (
            Check("smoothed labels are an SSETF", _smoothed_is_ssetf),
            Check(r"with $\beta = \delta/(1 - \delta)$, for some $P$", _smoothed_printed),
        ),
        (Check(r"with $\beta = -\delta/(1 - \delta)$", _smoothed_corrected),),
        _THEORY,
    ),
    Claim(
        "class-encoding/conjecture-if",
        "Conjecture, ⇐",
        r"Balanced classes: if the encoding $\bar Y$ is an SSETF, the optimal means $\bar H^*$ "
        "are one.",
        (
            Check(
                r"SSETF labels, $\alpha > c$ and $\alpha \le c$: the means are an SSETF",
                _conjecture_if,
            ),
        ),
        (Check(r"$\alpha > c$: the means are an SSETF", _conjecture_if_instead),),
        _CONJECTURE,
        "thm-ce-conjecture",
    ),
    Claim(
        "class-encoding/conjecture-only-if",
        "Conjecture, ⇒",
        r"Balanced classes: if the optimal means $\bar H^*$ are an SSETF, the encoding $\bar Y$ "
        "is one.",
        (
            Check(
                r"every $\lambda_b \ge 0$: labels whose means are an SSETF are one",
                _conjecture_only_if,
            ),
        ),
        (
            Check(
                r"$\lambda_b > 0$: labels that are no SSETF have means that are none",
                _conjecture_only_if_instead,
            ),
            Check(r"$\lambda_b = 0$: the centred labels are a simplex ETF", _conjecture_free_bias),
        ),
        _CONJECTURE,
        "thm-ce-conjecture",
    ),
)
