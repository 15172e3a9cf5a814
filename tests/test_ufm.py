"""The certified solver, its certificate, and gradient descent."""

import itertools
import math

import cvxpy as cp
import numpy as np
import pytest
import torch
from torch import Tensor

from nclib import ufm
from nclib.ufm._descend import Flow
from nclib.ufm._problem import make_problem

LOSSES = ("mse", "ce", "bce", "pal")
BIASES = (math.inf, 0.3, 0.0)


def random_targets(loss: str, k: int, c: int, generator: torch.Generator) -> Tensor:
    """Targets of the kind the loss takes; every label positive somewhere, and not everywhere."""
    if loss == "mse":
        return torch.randn(k, c, generator=generator, dtype=torch.float64)
    if loss == "ce":
        soft = torch.rand(k, c, generator=generator, dtype=torch.float64) ** 3
        return soft / soft.sum(0)
    targets = (torch.rand(k, c, generator=generator) < 0.4).to(torch.float64)
    targets[torch.arange(c) % k, torch.arange(c)] = 1
    targets[(torch.arange(c) + 1) % k, torch.arange(c)] = 0
    return targets


def problem(
    loss: str, seed: int, k: int = 4, c: int = 6
) -> tuple[Tensor, Tensor, dict[str, float]]:
    generator = torch.Generator().manual_seed(seed)
    targets = random_targets(loss, k, c, generator)
    counts = 10 ** (2 * torch.rand(c, generator=generator, dtype=torch.float64))
    strength = 10 ** (-3 + 2.5 * float(torch.rand(1, generator=generator)))
    return targets, counts, {"lam_w": strength, "lam_h": 0.5 * strength / float(counts.sum())}


def pairs(k: int) -> Tensor:
    """Multi-hot columns: every single label, then every pair."""
    supports = [*((i,) for i in range(k)), *itertools.combinations(range(k), 2)]
    targets = torch.zeros(k, len(supports), dtype=torch.float64)
    for column, support in enumerate(supports):
        targets[list(support), column] = 1
    return targets


# ------------------------------------------------------------------ the certificate


def reference_loss(loss: str, logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Each column's loss, written out again."""
    if loss == "mse":
        return 0.5 * ((logits - targets) ** 2).sum(0)
    if loss == "bce":
        return (np.logaddexp(0, logits) - targets * logits).sum(0)
    return targets.sum(0) * np.logaddexp.reduce(logits, 0) - (targets * logits).sum(0)


def reference_dual(loss: str, p: np.ndarray, targets: np.ndarray, counts: np.ndarray) -> float:
    """The dual value at predictions p: the (multi-)entropy, for mse from the residual."""

    def xlogx(x: np.ndarray) -> np.ndarray:
        return np.where(x > 0, x * np.log(np.where(x > 0, x, 1)), 0.0)

    if loss == "mse":
        value = 0.5 * (targets**2 - p**2).sum(0)
    elif loss == "bce":
        value = -(xlogx(p) + xlogx(1 - p)).sum(0)
    else:
        mass = targets.sum(0)
        value = -mass * xlogx(p / mass).sum(0)
    return float(value @ counts)


@pytest.mark.parametrize("lam_b", BIASES)
@pytest.mark.parametrize("loss", LOSSES)
def test_certificate_recomputed_independently(loss: str, lam_b: float) -> None:
    """A dual point made here, from the solution's logits alone, bounds the objective from below."""
    for seed in range(8):
        targets, counts, lam = problem(loss, seed)
        found = ufm.solve(targets, counts, **lam, lam_b=lam_b, loss=loss, tol=1e-11)
        assert found.gap <= 1e-11
        t, n = targets.numpy(), counts.numpy()
        samples = n.sum()
        logits = (found.weight @ found.means.T + found.bias[:, None]).numpy()
        primal = (
            float(reference_loss(loss, logits, t) @ n) / samples
            + 0.5 * lam["lam_w"] * float(found.weight.square().sum())
            + 0.5 * lam["lam_h"] * float(counts @ found.means.square().sum(1))
            + (0.0 if math.isinf(lam_b) else 0.5 * lam_b * float(found.bias.square().sum()))
        )
        assert found.objective == pytest.approx(primal, rel=1e-12)
        mass = t.sum(0)
        if loss == "mse":
            p = logits
        elif loss == "bce":
            p = 1 / (1 + np.exp(-logits))
        else:
            p = mass * np.exp(logits - np.logaddexp.reduce(logits, 0))
        gradient = p - t
        if lam_b == 0:  # the free bias: weighted rows of the dual point sum to zero
            gradient = gradient - (gradient @ n / samples)[:, None]
        norm = np.linalg.norm(gradient * np.sqrt(n), 2)
        gradient *= min(1.0, samples * math.sqrt(lam["lam_w"] * lam["lam_h"]) / norm)
        p = gradient + t
        if loss != "mse":
            assert p.min() >= -1e-12
        dual = reference_dual(loss, np.clip(p, 0, None) if loss != "mse" else p, t, n)
        if 0 < lam_b < math.inf:
            dual -= ((gradient @ n) ** 2).sum() / (2 * samples * lam_b)
        # first order in the error of the logits, which is the root of the gap at worst
        assert dual / samples <= primal * (1 + 1e-12)
        assert primal - dual / samples <= 1e-5 * primal


@pytest.mark.parametrize("lam_b", BIASES)
@pytest.mark.parametrize("loss", LOSSES)
def test_no_dual_point_exceeds_the_optimum(loss: str, lam_b: float) -> None:
    """Weak duality at points far from the optimum: the bound is made feasible, whatever comes."""
    targets, counts, lam = problem(loss, 3)
    found = ufm.solve(targets, counts, **lam, lam_b=lam_b, loss=loss)
    model = make_problem(targets, counts, **lam, lam_b=lam_b, loss=loss)
    generator = torch.Generator().manual_seed(0)
    for scale in (1e-3, 0.1, 1.0, 10.0):
        z = scale * torch.randn(targets.shape, generator=generator, dtype=torch.float64)
        bound = model.dual(model.loss.gradient(z)) / model.samples
        assert bound <= found.objective


@pytest.mark.parametrize("lam_b", BIASES)
@pytest.mark.parametrize("loss", LOSSES)
def test_objective_matches_cvxpy(loss: str, lam_b: float) -> None:
    targets, counts, lam = problem(loss, 11, k=3, c=4)
    t, n = targets.numpy(), counts.numpy()
    samples = n.sum()
    z, b = cp.Variable(t.shape), cp.Variable((3, 1))
    logits = z @ np.diag(1 / np.sqrt(n))
    if not math.isinf(lam_b):
        logits = logits + b @ np.ones((1, 4))
    if loss == "mse":
        columns = 0.5 * cp.sum(cp.square(logits - t), axis=0)
    elif loss == "bce":
        columns = cp.sum(cp.logistic(logits) - cp.multiply(t, logits), axis=0)
    else:
        columns = cp.multiply(t.sum(0), cp.log_sum_exp(logits, axis=0))
        columns = columns - cp.sum(cp.multiply(t, logits), axis=0)
    value = columns @ n / samples + math.sqrt(lam["lam_w"] * lam["lam_h"]) * cp.normNuc(z)
    if 0 < lam_b < math.inf:
        value = value + 0.5 * lam_b * cp.sum_squares(b)
    elif math.isinf(lam_b):
        value = value + cp.sum_squares(b)
    expected = cp.Problem(cp.Minimize(value)).solve(solver=cp.CLARABEL)
    found = ufm.solve(targets, counts, **lam, lam_b=lam_b, loss=loss)
    assert found.objective == pytest.approx(expected, rel=1e-6)


def test_certified_over_random_problems() -> None:
    """Counts up to 1e6 : 1, penalties over eight decades, duplicated columns, any shape."""
    for seed in range(60):
        generator = torch.Generator().manual_seed(seed)

        def uniform(low: float, high: float, generator: torch.Generator = generator) -> float:
            return low + (high - low) * float(torch.rand(1, generator=generator))

        k, c = int(uniform(2, 8)), int(uniform(1, 10))
        loss = LOSSES[seed % 4]
        targets = random_targets(loss, k, c, generator)
        if c > 2 and seed % 3 == 0:
            targets[:, 1] = targets[:, 0]
        counts = 10 ** (6 * torch.rand(c, generator=generator, dtype=torch.float64))
        lam = {"lam_w": 10 ** uniform(-7, 0), "lam_h": 10 ** uniform(-6, 0) / float(counts.sum())}
        lam_b = (math.inf, 10 ** uniform(-6, 3))[seed // 4 % 2]
        found = ufm.solve(targets, counts, **lam, lam_b=lam_b, loss=loss)
        assert 0 <= found.gap <= 1e-9
        assert found.rank <= min(k, c)


@pytest.mark.parametrize("lam_b", BIASES)
@pytest.mark.parametrize("loss", LOSSES)
def test_gram_matrices_are_right_to_the_root_of_the_tolerance(loss: str, lam_b: float) -> None:
    """Against the same solver driven to round-off: what the notebooks and the docstring rely on."""
    for seed in range(4):
        targets, counts, lam = problem(loss, seed)

        def grams(
            tol: float,
            data: tuple[Tensor, Tensor] = (targets, counts),
            lam: dict[str, float] = lam,
        ) -> list[Tensor]:
            found = ufm.solve(*data, **lam, lam_b=lam_b, loss=loss, tol=tol)
            return [found.weight @ found.weight.T, found.means @ found.means.T]

        exact = grams(1e-14)
        for tol in (1e-6, 1e-9, 1e-12):
            for gram, best in zip(grams(tol), exact, strict=True):
                assert float((gram - best).norm()) <= math.sqrt(tol) * float(best.norm())


@pytest.mark.parametrize("loss", LOSSES)
def test_tiny_penalties(loss: str) -> None:
    """The objective of hard labels tends to zero with the penalties, and is still certified."""
    targets = torch.eye(3, dtype=torch.float64)
    previous = math.inf
    for strength in (1e-4, 1e-6, 1e-8):
        found = ufm.solve(
            targets, [50, 20, 5], lam_w=strength, lam_h=strength / 75, lam_b=0.1, loss=loss
        )
        assert found.gap <= 1e-9
        assert found.objective < previous
        previous = found.objective


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("lam_b", BIASES)
def test_strong_penalties_give_zero(loss: str, lam_b: float) -> None:
    targets, counts, _ = problem(loss, 5)
    found = ufm.solve(targets, counts, lam_w=10.0, lam_h=10.0, lam_b=lam_b, loss=loss)
    assert found.rank == 0
    assert not bool(found.means.any())
    assert found.gap <= 1e-9


# ------------------------------------------------------------------ the solution


@pytest.mark.parametrize("lam_b", BIASES)
@pytest.mark.parametrize("loss", LOSSES)
def test_solution_is_stationary_and_balanced(loss: str, lam_b: float) -> None:
    """Lemma III.3, for every loss, and lam_w W^T W = lam_h H D H^T, for any counts."""
    for seed in range(5):
        targets, counts, lam = problem(loss, seed)
        found = ufm.solve(targets, counts, **lam, lam_b=lam_b, loss=loss, tol=1e-12)
        variables = found.weight, found.means, found.bias
        residuals = ufm.first_order_residuals(
            *variables, targets, counts, **lam, lam_b=lam_b, loss=loss
        )
        assert max(residuals) < 1e-5
        left = lam["lam_w"] * found.weight.T @ found.weight
        right = lam["lam_h"] * found.means.T @ (counts[:, None] * found.means)
        torch.testing.assert_close(left, right, rtol=1e-9, atol=1e-12)


def test_residuals_of_mse_are_the_lemmas_equations() -> None:
    """Equations (6) and (7) in the paper's own form, sample by sample, with b from (8)."""
    generator = torch.Generator().manual_seed(0)
    targets = torch.randn(3, 4, generator=generator, dtype=torch.float64)
    counts = torch.tensor([2, 1, 3, 2])
    weight, means = (torch.randn(s, 3, generator=generator, dtype=torch.float64) for s in (3, 4))
    lam = {"lam_w": 0.1, "lam_h": 0.02, "lam_b": 0.5}
    y, h, n = targets.repeat_interleave(counts, 1), means.repeat_interleave(counts, 0).T, 8
    gamma = 1 / 1.5
    bias = gamma / n * (y - weight @ h).sum(1)
    m = torch.eye(n, dtype=torch.float64) - gamma / n
    data = (weight @ h - y) @ m @ h.T
    penalty = 0.1 * n * weight
    expected = (data + penalty).norm() / (data.norm() + penalty.norm())
    data7, penalty7 = weight.T @ (weight @ h - y) @ m, 0.02 * n * h
    expected7 = (data7 + penalty7).norm() / (data7.norm() + penalty7.norm())
    found = ufm.first_order_residuals(weight, means, bias, targets, counts, **lam)
    assert found.weight == pytest.approx(float(expected))
    assert found.means == pytest.approx(float(expected7))
    assert found.bias < 1e-14


def test_free_bias_equals_no_bias_on_centred_labels() -> None:
    """Theorem III.4, with imbalance and random encodings, the free bias solved as a limit too."""
    for seed in range(5):
        targets, counts, lam = problem("mse", seed)
        mean = targets @ counts / counts.sum()
        free = ufm.solve(targets, counts, **lam, lam_b=0.0)
        nearly = ufm.solve(targets, counts, **lam, lam_b=1e-9, tol=1e-12)
        centred = ufm.solve(targets - mean[:, None], counts, **lam, lam_b=math.inf)
        torch.testing.assert_close(free.bias, mean)
        for other in (nearly, centred):
            torch.testing.assert_close(
                free.means @ free.means.T, other.means @ other.means.T, rtol=1e-4, atol=1e-6
            )
        penalised = ufm.solve(targets - mean[:, None], counts, **lam, lam_b=0.7, tol=1e-12)
        assert float(penalised.bias.abs().max()) < 1e-6


def test_weak_self_duality_needs_balance() -> None:
    """NC3': W^T W is proportional to the means' scatter for equal counts, and only then."""
    generator = torch.Generator().manual_seed(0)
    targets = torch.randn(4, 4, generator=generator, dtype=torch.float64)
    lam = {"lam_w": 0.01, "lam_h": 0.002, "lam_b": 0.4}

    def misfit(counts: Tensor) -> float:
        found = ufm.solve(targets, counts, **lam, tol=1e-12)
        left, right = found.weight.T @ found.weight, found.means.T @ found.means
        return float((left / left.norm() - right / right.norm()).norm())

    assert misfit(torch.full((4,), 7.0)) < 1e-9
    assert misfit(torch.tensor([40.0, 10.0, 4.0, 1.0])) > 0.02


@pytest.mark.parametrize("lam_b", BIASES)
def test_rotated_labels_rotate_the_classifier(lam_b: float) -> None:
    """Proposition IV.3: labels QY have the minimisers (QW, H, Qb)."""
    targets, counts, lam = problem("mse", 2)
    q, _ = torch.linalg.qr(
        torch.randn(4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    )
    plain = ufm.solve(targets, counts, **lam, lam_b=lam_b, tol=1e-13)
    turned = ufm.solve(q @ targets, counts, **lam, lam_b=lam_b, tol=1e-13)
    close = {"rtol": 1e-5, "atol": 1e-6}
    torch.testing.assert_close(turned.means @ turned.means.T, plain.means @ plain.means.T, **close)
    torch.testing.assert_close(turned.bias, q @ plain.bias, **close)
    torch.testing.assert_close(
        turned.weight @ turned.means.T, q @ plain.weight @ plain.means.T, **close
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_permuted_columns_permute_the_means(loss: str) -> None:
    targets, counts, lam = problem(loss, 4)
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    plain = ufm.solve(targets, counts, **lam, lam_b=0.2, loss=loss, tol=1e-12)
    moved = ufm.solve(targets[:, order], counts[order], **lam, lam_b=0.2, loss=loss, tol=1e-12)
    gram = plain.means @ plain.means.T
    torch.testing.assert_close(
        moved.means @ moved.means.T, gram[order][:, order], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_split_columns_change_nothing(loss: str) -> None:
    """A column in two halves is the same model (NC1 at the optimum)."""
    targets, counts, lam = problem(loss, 6)
    whole = ufm.solve(targets, counts, **lam, lam_b=0.2, loss=loss)
    halves = ufm.solve(
        targets.repeat(1, 2), counts.repeat(2) / 2, **lam, lam_b=0.2, loss=loss, tol=1e-12
    )
    assert halves.objective == pytest.approx(whole.objective, rel=1e-8)
    torch.testing.assert_close(halves.means[:6], halves.means[6:], rtol=1e-4, atol=1e-5)


def test_ce_and_pal_agree_on_one_hot_labels() -> None:
    lam = {"lam_w": 1e-3, "lam_h": 1e-4, "lam_b": 0.1}
    values = [
        ufm.solve(torch.eye(4), [9, 5, 3, 1], **lam, loss=loss).objective for loss in ("ce", "pal")
    ]
    assert values[0] == pytest.approx(values[1], rel=1e-12)


def test_pick_all_label_regression() -> None:
    """K = 6, all singles, pairs and triples: the balanced closed form's value and scale."""
    supports = [s for m in (1, 2, 3) for s in itertools.combinations(range(6), m)]
    targets = torch.zeros(6, len(supports), dtype=torch.float64)
    for column, support in enumerate(supports):
        targets[list(support), column] = 1
    counts = torch.tensor([{1: 10.0, 2: 3.0, 3: 2.0}[len(s)] for s in supports])
    found = ufm.solve(
        targets, counts, lam_w=2e-3, lam_h=2e-4, lam_b=math.inf, loss="pal", tol=1e-11
    )
    # bisection on the scalar equations of the isotropic case, in the convention lam = 2 lambda
    samples, lam_h = float(counts.sum()), 2e-4
    n_m = {1: 60.0, 2: 45.0, 3: 40.0}
    kappa = {m: m * (6 - m) / 30 for m in n_m}

    def gammas(square: float) -> dict[int, float]:
        out = {}
        for m in n_m:
            low, high = 0.0, 1.0
            for _ in range(200):
                mid = 0.5 * (low + high)
                rhs = 6 / ((6 - m) + m * math.exp(min(700, square * mid / (lam_h * samples))))
                low, high = (mid, high) if mid < rhs else (low, mid)
            out[m] = low
        return out

    low, high = 0.0, 100.0
    for _ in range(200):
        mid = 0.5 * (low + high)
        total = sum(n_m[m] * kappa[m] * g**2 for m, g in gammas(mid).items())
        low, high = (mid, high) if total > 2e-3 * lam_h * samples**2 else (low, mid)
    delta = {m: g * (6 - m) / 6 for m, g in gammas(low).items()}
    value = sum(
        n_m[m] / samples * m * (d * math.log((6 - m) / d) + (1 - d) * math.log(m / (1 - d)))
        for m, d in delta.items()
    )
    assert found.objective == pytest.approx(value, rel=1e-9)
    gram = found.weight @ found.weight.T
    etf = low * (torch.eye(6, dtype=torch.float64) - 1 / 6)
    torch.testing.assert_close(gram, etf, rtol=1e-5, atol=1e-5)


def test_pairs_are_certified() -> None:
    targets = pairs(6)
    counts = torch.linspace(1, 60, targets.shape[1])
    for lam_b in BIASES:
        found = ufm.solve(targets, counts, lam_w=1e-3, lam_h=1e-5, lam_b=lam_b, loss="pal")
        assert found.gap <= 1e-9


def test_dim_pads_and_refuses() -> None:
    targets, counts, lam = problem("mse", 1)
    base = ufm.solve(targets, counts, **lam, lam_b=0.0)
    wide = ufm.solve(targets, counts, **lam, lam_b=0.0, dim=9)
    assert base.weight.shape == (4, 4)
    assert wide.weight.shape == (4, 9)
    assert wide.means.shape == (6, 9)
    assert wide.objective == pytest.approx(base.objective, rel=1e-14)
    assert ufm.solve(targets, counts, **lam, lam_b=0.0, dim=base.rank).gap <= 1e-9
    with pytest.raises(ValueError, match=rf"rank of the optimum, {base.rank}, got 1"):
        ufm.solve(targets, counts, **lam, lam_b=0.0, dim=1)


def test_single_class_and_single_column() -> None:
    lam = {"lam_w": 1e-2, "lam_h": 1e-2}
    for loss in LOSSES:
        one = ufm.solve([[1.0]], [5], **lam, lam_b=1.0, loss=loss)
        assert one.weight.shape == (1, 1)
        column = ufm.solve([[1.0], [0.0], [0.0]], [5], **lam, lam_b=1.0, loss=loss)
        assert column.means.shape == (1, 1)
        assert max(one.gap, column.gap) <= 1e-9


def test_labels_fitted_by_the_bias_alone() -> None:
    """Equal targets and a free bias: the objective is zero, and so is the gap."""
    found = ufm.solve([[0.3, 0.3], [0.1, 0.1]], [3, 4], lam_w=1e-2, lam_h=1e-2, lam_b=0.0)
    assert found.rank == 0
    assert found.objective < 1e-30
    assert found.gap <= 1e-9


# ------------------------------------------------------------------ errors

GOOD = {"lam_w": 0.1, "lam_h": 0.1, "lam_b": 0.1}
EYE = torch.eye(2)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("targets", "counts", "options", "message"),
    [
        (EYE, [1, 1], {"loss": "hinge"}, "one of mse, ce, bce, pal, got 'hinge'"),
        (EYE, [1, 1], {"lam_w": 0.0}, "lam_w must be positive and finite, got 0.0"),
        (EYE, [1, 1], {"lam_h": math.inf}, "lam_h must be positive and finite, got inf"),
        (EYE, [1, 1], {"lam_b": -1.0}, "lam_b must be non-negative .*, got -1.0"),
        (EYE, [1, 1], {"lam_b": math.nan}, "lam_b must be non-negative .*, got nan"),
        (EYE, [1, 1], {"tol": 0.0}, "tol must be positive and finite, got 0.0"),
        (EYE, [1, 0], {}, "counts must be positive, got 0.0"),
        (EYE, [1, 1, 1], {}, r"one entry a column of targets, shape \(2,\), got \(3,\)"),
        (EYE[0], [1, 1], {}, r"targets must be a \(K, C\) matrix, got shape \(2,\)"),
        (EYE * math.nan, [1, 1], {}, "targets must be finite, got nan"),
        (EYE, [1, math.inf], {}, "counts must be finite, got inf"),
        (EYE, 1, {}, r"counts must be a non-empty vector, got shape \(\)"),
        (EYE, [1, 1], {"dim": 0}, "dim must be at least 1, got 0"),
        (2 * EYE, [1, 1], {"loss": "ce"}, r"targets of 'ce' must lie in \[0, 1\]"),
        (0.5 * EYE, [1, 1], {"loss": "ce"}, "a distribution, but column 0 sums to 0.5"),
        (0.5 * EYE, [1, 1], {"loss": "pal"}, "multi-hot"),
        (EYE[:, :1] @ EYE[:1], [1, 1], {"loss": "pal"}, "column 1 of targets has no positive"),
        (
            [[1.0, 1.0], [0.0, 0.0]],
            [1, 1],
            {"loss": "ce", "lam_b": 0.0},
            "infimum is not attained: label 1 is never positive",
        ),
        (
            [[1.0, 1.0], [0.0, 1.0]],
            [1, 1],
            {"loss": "bce", "lam_b": 0.0},
            "infimum is not attained: label 0 is always positive",
        ),
    ],
)
def test_errors_name_what_is_wrong(targets, counts, options, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ufm.solve(targets, counts, **{**GOOD, **options})


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("targets", "counts", "options", "message"),
    [
        ("x", [1, 1], {}, "targets must be a tensor of real numbers, got str"),
        (EYE * 1j, [1, 1], {}, "targets must be real, got torch.complex64"),
        (EYE, "x", {}, "counts must be a tensor of real numbers, got str"),
        (EYE, None, {}, "counts must be a tensor of real numbers, got NoneType"),
        (EYE, [1, 1], {"lam_w": "x"}, "lam_w must be a number, got 'x'"),
        (EYE, [1, 1], {"lam_b": None}, "lam_b must be a number, got None"),
        (EYE, [1, 1], {"dim": 4.7}, "dim must be an integer, got 4.7"),
    ],
)
def test_wrong_types_are_named(targets, counts, options, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        ufm.solve(targets, counts, **{**GOOD, **options})


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("k", [3, 10, 100])
def test_soft_labels_sum_to_one_in_their_own_precision(dtype: torch.dtype, k: int) -> None:
    scores = torch.randn(k, k, generator=torch.Generator().manual_seed(k))
    soft = torch.softmax(scores.to(dtype), 0)
    targets = make_problem(soft, [5] * k, **GOOD, loss="ce").targets
    torch.testing.assert_close(targets.sum(0), torch.ones(k, dtype=torch.float64))
    torch.testing.assert_close(targets, soft.double(), rtol=8 * torch.finfo(dtype).eps, atol=0)
    soft[:, 1] *= 0.9
    with pytest.raises(ValueError, match=r"a distribution, but column 1 sums to 0\.[89]"):
        make_problem(soft, [5] * k, **GOOD, loss="ce")


def test_float32_soft_labels_have_the_optimum_of_the_distributions_they_round() -> None:
    soft = torch.softmax(torch.randn(10, 10, generator=torch.Generator().manual_seed(0)), 0)
    counts, penalties = [5] * 10, {"lam_w": 1e-3, "lam_h": 1e-3, "lam_b": 0.0, "loss": "ce"}
    found = ufm.solve(soft, counts, **penalties)
    exact = soft.double() / soft.double().sum(0)
    assert found.objective == pytest.approx(ufm.solve(exact, counts, **penalties).objective)
    assert found.gap <= 1e-9


def test_lists_are_read_in_double_precision() -> None:
    rows = [[0.1, 0.7], [0.9, 0.3]]
    assert make_problem(rows, [1, 1], **GOOD, loss="mse").targets.tolist() == rows


def test_a_tolerance_that_is_not_reached_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nclib.ufm._newton.MAX_OUTER", 1)
    targets, counts, lam = problem("ce", 0)
    with pytest.raises(ufm.ConvergenceError, match=r"relative duality gap is .* above tol = 1e-14"):
        ufm.solve(targets, counts, **lam, lam_b=0.1, loss="ce", tol=1e-14)


@pytest.mark.unchecked
def test_objective_refuses_shapes_and_a_bias_where_there_is_none() -> None:
    weight, means, bias = torch.zeros(2, 3), torch.zeros(2, 3), torch.ones(2)
    with pytest.raises(ValueError, match=r"shapes \(2, P\), \(2, P\) and \(2,\)"):
        ufm.objective(weight, torch.zeros(2, 4), bias, EYE, [1, 1], **GOOD)
    with pytest.raises(ValueError, match="bias must be zero"):
        ufm.objective(weight, means, bias, EYE, [1, 1], **{**GOOD, "lam_b": math.inf})


# ------------------------------------------------------------------ gradient descent


@pytest.mark.parametrize("lam_b", BIASES)
@pytest.mark.parametrize("loss", LOSSES)
def test_descent_ends_at_the_certified_optimum(loss: str, lam_b: float) -> None:
    targets, counts = torch.eye(3, dtype=torch.float64), torch.tensor([20.0, 10.0, 4.0])
    lam = {"lam_w": 0.02, "lam_h": 0.02 / 34, "lam_b": lam_b, "loss": loss}
    found = ufm.solve(targets, counts, **lam)
    path = ufm.descend(
        targets,
        counts,
        **lam,
        balanced=True,
        steps=3000,
        init=0.5,
        generator=torch.Generator().manual_seed(0),
        stop=found.objective * (1 + 1e-7),
    )
    assert float(path.objective[-1]) == pytest.approx(found.objective, rel=1e-6)
    assert float(path.objective.min()) >= found.objective * (1 - 1e-9)


def test_descent_never_rises_and_reports_its_objective() -> None:
    targets, counts, lam = problem("ce", 0)
    path = ufm.descend(
        targets,
        counts,
        **lam,
        lam_b=0.1,
        loss="ce",
        steps=60,
        record_every=7,
        generator=torch.Generator().manual_seed(0),
    )
    assert path.steps.tolist() == [0, 7, 14, 21, 28, 35, 42, 49, 56, 60]
    assert bool((path.objective.diff() < 0).all())
    for step in range(len(path.steps)):
        value = ufm.objective(
            path.weight[step],
            path.features[step],
            path.bias[step],
            targets,
            counts,
            **lam,
            lam_b=0.1,
            loss="ce",
        )
        assert value == pytest.approx(float(path.objective[step]), rel=1e-12)


def test_descent_is_that_of_autograd_on_every_sample() -> None:
    """One feature a column moves as each of its samples does under plain gradient descent."""
    counts = torch.tensor([3, 1])
    lam = {"lam_w": 0.1, "lam_h": 0.05, "lam_b": 0.2}
    path = ufm.descend(
        EYE,
        counts,
        **lam,
        dim=3,
        steps=5,
        lr=0.3,
        momentum=0.5,
        record_every=1,
        generator=torch.Generator().manual_seed(0),
    )
    variables = [
        path.weight[0].clone(),
        path.features[0].repeat_interleave(counts, 0),
        path.bias[0].clone(),
    ]
    labels = EYE.to(torch.float64).repeat_interleave(counts, 1)
    velocity = [torch.zeros_like(v) for v in variables]
    for _ in range(5):
        weight, features, bias = (v.requires_grad_() for v in variables)
        value = (weight @ features.T + bias[:, None] - labels).square().sum() / 8
        value = value + 0.05 * weight.square().sum() + 0.025 * features.square().sum()
        value = value + 0.1 * bias.square().sum()
        gradients = torch.autograd.grad(value, (weight, features, bias))
        velocity = [0.5 * v - 0.3 * g for v, g in zip(velocity, gradients, strict=True)]
        variables = [(x + v).detach() for x, v in zip(variables, velocity, strict=True)]
    torch.testing.assert_close(path.weight[-1], variables[0])
    torch.testing.assert_close(path.features[-1], variables[1][[0, 3]])
    torch.testing.assert_close(path.bias[-1], variables[2])


def test_within_class_variability_vanishes_in_descent() -> None:
    path = ufm.descend(
        torch.eye(3),
        [12, 12, 12],
        lam_w=0.02,
        lam_h=0.02 / 36,
        lam_b=0.0,
        samples=4,
        balanced=True,
        steps=400,
        generator=torch.Generator().manual_seed(0),
    )
    features = path.features.view(len(path.steps), 3, 4, -1)
    within = (features - features.mean(2, keepdim=True)).square().sum((1, 2, 3))
    assert path.features.shape[1:] == (12, 3)
    assert float(within[0]) > 0.1
    assert float(within[-1]) < 1e-6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"momentum": 0.9}, "momentum needs a fixed lr"),
        ({"momentum": 1.0, "lr": 0.1}, r"momentum must lie in \[0, 1\), got 1.0"),
        ({"samples": 0}, "samples must be at least 1, got 0"),
        ({"record_every": 0}, "record_every must be at least 1, got 0"),
        ({"steps": -1}, "steps must be at least 0, got -1"),
        ({"dim": 0}, "dim must be at least 1, got 0"),
        ({"init": -0.1}, "init must be non-negative and finite, got -0.1"),
        ({"lr": -0.1}, "lr must be positive and finite, got -0.1"),
        ({"lr": 1e6}, "the descent diverged at step"),
    ],
)
def test_descent_refuses_bad_options(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ufm.descend(EYE, [5, 5], **GOOD, **options)


# ------------------------------------------------------------------ critical points


@pytest.mark.parametrize("loss", LOSSES)
def test_the_hessian_is_the_gradient_s_derivative(loss: str) -> None:
    targets, counts, lam = problem(loss, 3, k=3, c=4)
    flow = Flow(make_problem(targets, counts, **lam, lam_b=0.3, loss=loss), 2, balanced=True)
    point = flow.start(1.0, torch.Generator().manual_seed(1))
    step = 1e-5 * torch.eye(len(point), dtype=point.dtype)
    columns = [
        (flow.value_and_gradient(point + h)[1] - flow.value_and_gradient(point - h)[1]) / 2e-5
        for h in step
    ]
    torch.testing.assert_close(flow.hessian(point), torch.stack(columns), rtol=1e-6, atol=1e-8)


def strong_problem(loss: str, seed: int, columns: int) -> tuple[Tensor, Tensor, dict[str, float]]:
    """Penalties strong enough to leave no flat valleys, and weak enough for saddles."""
    targets, counts, _ = problem(loss, seed, k=4, c=columns)
    counts = counts.sqrt()
    level = (0.2 if loss == "mse" else 0.1) / float(counts.sum().sqrt() * columns**0.5)
    return targets, counts, {"lam_w": 2 * level, "lam_h": 0.5 * level}


@pytest.mark.parametrize("lam_b", BIASES)
@pytest.mark.parametrize("loss", ["mse", "ce"])
@pytest.mark.parametrize("columns", [3, 5])
def test_critical_points_are_global_minima_or_strict_saddles(
    columns: int, loss: str, lam_b: float
) -> None:
    """Also where the width is min(K, C): there a full-rank critical point is a minimum."""
    saddles = 0
    for seed in range(4):
        targets, counts, lam = strong_problem(loss, seed, columns)
        lam["lam_b"] = lam_b
        best = ufm.solve(targets, counts, **lam, loss=loss, tol=1e-11)
        point = ufm.critical_point(
            targets, counts, **lam, loss=loss, generator=torch.Generator().manual_seed(seed)
        )
        assert point.weight.shape[1] == min(4, columns)
        assert point.objective >= best.objective * (1 - 1e-9)
        if point.objective > best.objective * (1 + 1e-7):
            assert point.curvature < -1e-5
            saddles += 1
        else:
            assert point.curvature > -1e-8
    assert saddles > 0


def test_critical_points_satisfy_the_first_order_conditions() -> None:
    targets, counts, lam = strong_problem("mse", 5, 6)
    lam["lam_b"] = 0.4
    source = torch.Generator().manual_seed(0)
    point = ufm.critical_point(targets, counts, **lam, dim=2, samples=3, generator=source)
    residuals = ufm.first_order_residuals(
        point.weight,
        point.features,
        point.bias,
        targets.repeat_interleave(3, 1),
        counts.repeat_interleave(3) / 3,
        **lam,
    )
    assert max(residuals) < 1e-8
    torch.testing.assert_close(point.features[0::3], point.features[2::3])  # NC1


def test_newton_stays_at_the_critical_point_where_it_starts() -> None:
    targets, counts, lam = strong_problem("mse", 5, 6)
    lam["lam_b"] = 0.4
    best = ufm.solve(targets, counts, **lam, tol=1e-13)
    point = ufm.critical_point(targets, counts, **lam, start=(best.weight, best.means, best.bias))
    torch.testing.assert_close(point.weight, best.weight, rtol=1e-5, atol=1e-5)
    assert point.objective == pytest.approx(best.objective, rel=1e-11)
    with pytest.raises(ValueError, match=r"expected variables of shape \(6, 4\), got \(4, 4\)"):
        ufm.critical_point(targets, counts, **lam, start=(best.weight, best.weight, best.bias))


def test_no_critical_point_is_reported() -> None:
    with pytest.raises(ufm.ConvergenceError, match="no critical point to within tol = 1e-300"):
        ufm.critical_point(torch.eye(2), [1, 1], lam_w=0.1, lam_h=0.1, lam_b=0.1, tol=1e-300)


# ------------------------------------------------------------------ pick-all-label


@pytest.mark.parametrize(("ratio", "value"), [(1, 0.47332010), (10, 0.74541054), (100, 0.88054652)])
def test_pick_all_label_values_under_imbalance(ratio: float, value: float) -> None:
    """Values computed by L-BFGS: K = 5, singletons 100 r^(-k/4), pairs 20, no bias."""
    targets = pairs(5)
    singles = 100 * float(ratio) ** (-torch.arange(5, dtype=torch.float64) / 4)
    counts = torch.cat([singles, torch.full((10,), 20.0, dtype=torch.float64)])
    lam = {"lam_w": 6e-3, "lam_h": 6e-3 / float(counts.sum()), "lam_b": math.inf}
    assert ufm.solve(targets, counts, **lam, loss="pal").objective == pytest.approx(value, abs=6e-9)


@pytest.mark.parametrize(("lam_b", "value"), [(math.inf, 1.56113), (0.0, 1.51215)])
def test_pick_all_label_values_with_and_without_a_bias(lam_b: float, value: float) -> None:
    """K = 4, pairs 01, 02, 03 ten times each: isotropic, and yet a free bias helps."""
    targets = pairs(4)[:, 4:7]
    lam = {"lam_w": 0.02, "lam_h": 0.02 / 30, "lam_b": lam_b}
    found = ufm.solve(targets, [10, 10, 10], **lam, loss="pal")
    assert found.objective == pytest.approx(value, abs=6e-6)


def test_pick_all_label_with_all_labels_positive_or_a_label_never_positive() -> None:
    """A support of all K labels has logits zero; a label that nobody has is still a class."""
    targets = torch.tensor([[1.0, 0, 1, 1], [0, 1, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]])
    lam = {"lam_w": 0.01, "lam_h": 1e-4, "loss": "pal"}
    everything = ufm.solve(targets[:3], [9, 5, 3, 4], **lam, lam_b=math.inf)
    logits = everything.weight @ everything.means.T
    torch.testing.assert_close(logits[:, 3], torch.zeros_like(logits[:, 3]), rtol=0, atol=1e-8)
    assert ufm.solve(targets, [9, 5, 3, 4], **lam, lam_b=0.1).gap <= 1e-9
    with pytest.raises(ValueError, match="label 3 is never positive"):
        ufm.solve(targets, [9, 5, 3, 4], **lam, lam_b=0.0)


def test_critical_points_of_pick_all_label_satisfy_the_identities() -> None:
    """Points that the solver did not make: prototypes and rows from residuals, and balance."""
    targets = pairs(4)
    counts = torch.linspace(2, 11, 10, dtype=torch.float64)
    lam_w, lam_h, samples = 0.02, 0.02 / float(counts.sum()), float(counts.sum())
    lam = {"lam_w": lam_w, "lam_h": lam_h, "lam_b": math.inf, "loss": "pal"}
    source = torch.Generator().manual_seed(0)
    path = ufm.descend(targets, counts, **lam, balanced=True, steps=200, init=0.5, generator=source)
    ends = path.weight[-1], path.features[-1], path.bias[-1]
    ranks = set()
    for start in (None, None, None, ends):
        point = ufm.critical_point(targets, counts, **lam, start=start, generator=source)
        w, h = point.weight, point.features
        residual = targets - targets.sum(0) * (w @ h.T).softmax(0)
        close = {"rtol": 1e-6, "atol": 1e-6}
        torch.testing.assert_close(h, residual.T @ w / (samples * lam_h), **close)
        torch.testing.assert_close(w, (residual * counts) @ h / (samples * lam_w), **close)
        torch.testing.assert_close(lam_w * w.T @ w, lam_h * h.T @ (counts[:, None] * h), **close)
        synthesis = residual.T @ residual @ (counts[:, None] * h) / (samples**2 * lam_w * lam_h)
        torch.testing.assert_close(h, synthesis, **close)
        ranks.add(int((torch.linalg.svdvals(w) > 1e-6).sum()))
    assert max(ranks) == 3  # not only the trivial point


@pytest.mark.parametrize("lam_b", BIASES)
def test_pick_all_label_dual_value_is_that_of_the_softmax_vectors(lam_b: float) -> None:
    """Entropy of the softmax, its residuals in the ball: a bound at the optimum, sharp there."""
    targets, counts, lam = problem("pal", 5)
    found = ufm.solve(targets, counts, **lam, lam_b=lam_b, loss="pal", tol=1e-11)
    samples, positives = float(counts.sum()), targets.sum(0)
    p = found.logits.softmax(0)
    residual = positives * p - targets
    ball = torch.linalg.matrix_norm((residual * counts) @ residual.T, 2)
    assert float(ball) <= samples**2 * lam["lam_w"] * lam["lam_h"] * (1 + 1e-5)
    pull = residual @ counts
    entropy = -(positives * torch.xlogy(p, p).sum(0)) @ counts / samples
    penalty = float(pull @ pull) / (2 * samples**2 * lam_b) if 0 < lam_b < math.inf else 0.0
    if lam_b == 0:
        assert float(pull.abs().max()) <= 1e-6 * samples
    assert found.dual <= found.objective
    assert found.dual == pytest.approx(float(entropy) - penalty, rel=1e-5)


@pytest.mark.parametrize("lam_b", BIASES)
def test_a_support_given_twice_is_one_support_with_the_sum_of_the_counts(lam_b: float) -> None:
    targets, counts, lam = problem("pal", 2)
    more = torch.tensor([7.0, 0.5], dtype=torch.float64)
    summed = counts.clone()
    summed[:2] += more
    lam["lam_h"] = 0.5 * lam["lam_w"] / float(summed.sum())
    once = ufm.solve(targets, summed, **lam, lam_b=lam_b, loss="pal", tol=1e-11)
    twice = ufm.solve(
        torch.cat([targets, targets[:, :2]], 1),
        torch.cat([counts, more]),
        **lam,
        lam_b=lam_b,
        loss="pal",
        tol=1e-11,
    )
    assert twice.objective == pytest.approx(once.objective, rel=1e-9)
    torch.testing.assert_close(twice.means[6:], twice.means[:2], rtol=1e-5, atol=1e-6)
    gram = once.means @ once.means.T
    torch.testing.assert_close(twice.means[:6] @ twice.means[:6].T, gram, rtol=1e-4, atol=1e-5)
