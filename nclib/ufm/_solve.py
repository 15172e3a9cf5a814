"""The certified global optimum of an unconstrained features model, and its first-order check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Real
from torch import Tensor

from nclib.ufm._newton import relative_gap, solve_convex
from nclib.ufm._problem import Problem, make_problem, positive, whole

RANK_CUT = 1e-8  # a singular value counts when it exceeds this share of the largest


class ConvergenceError(RuntimeError):
    """The duality gap asked for was not reached."""


class UFMSolution(NamedTuple):
    """A global minimiser with its certificate."""

    weight: Float[Tensor, "K P"]  # classifier W*, one row a logit
    means: Float[Tensor, "C P"]  # features, one row a target column
    bias: Float[Tensor, " K"]  # zeros without a bias
    objective: float  # the value at (weight, means, bias)
    gap: float  # (objective - dual bound) / |objective|, at most the tolerance
    rank: int  # singular values of W H^T D^(1/2) above 1e-8 of the largest
    iterations: int  # Newton steps (0: closed form)

    @property
    def dual(self) -> float:
        """The dual bound: no point of the model has a lower objective."""
        return self.objective - self.gap * abs(self.objective)

    @property
    def logits(self) -> Float[Tensor, "K C"]:
        """Logits of the columns, W h_c + b; their softmax p_c is unique for ``ce`` and ``pal``."""
        return self.weight @ self.means.T + self.bias[:, None]


class FirstOrderResiduals(NamedTuple):
    """How far a point is from stationary, each relative to the terms that should cancel."""

    weight: float  # equation (6) of the paper: the derivative by W
    means: float  # equation (7): the derivatives by the features
    bias: float  # equation (8): the derivative by the bias


def solve(
    targets: Real[Tensor, "K C"] | Sequence[Sequence[float]],
    counts: Real[Tensor, " C"] | Sequence[float],
    *,
    lam_w: float,
    lam_h: float,
    lam_b: float,
    loss: str = "mse",
    tol: float = 1e-9,
    dim: int | None = None,
) -> UFMSolution:
    r"""The global optimum of the unconstrained features model, with a proof of optimality.

    .. math:: \min_{W, H, b}\ \frac1N \sum_c n_c\,\ell(W h_c + b, t_c)
       + \frac{\lambda_W}{2}\|W\|^2 + \frac{\lambda_H}{2}\sum_c n_c\|h_c\|^2
       + \frac{\lambda_b}{2}\|b\|^2

    with :math:`N = \sum_c n_c`. All samples of a class share one feature at every critical point,
    and in :math:`Z = W \bar H D^{1/2}`, :math:`D = \mathrm{diag}(n)`, the problem is convex, the
    two penalties becoming :math:`\sqrt{\lambda_W\lambda_H}\|Z\|_*`. The convex program is solved,
    its duality gap is the certificate, and Z* is split evenly:
    :math:`\lambda_W W^\top W = \lambda_H \bar H D \bar H^\top`.

    The objective is right to ``gap``. The program is strongly convex only in the logits, so the
    Gram matrices of weight and means are right to about the square root of ``tol`` in the worst
    case, and far better as a rule.

    ``pal`` is the program of the label spectrum: with :math:`p_c = \mathrm{softmax}(W h_c + b)` and
    m the number of positive labels its dual is

    .. math:: \max_p\ -\frac1N \sum_c n_c m_c \sum_k p_{ck}\log p_{ck} \quad\text{subject to}\quad
       \Big\|\sum_c n_c g_c g_c^\top\Big\|_{op} \le N^2\lambda_W\lambda_H,\quad g_c = m_c p_c - t_c,

    less :math:`\|\sum_c n_c g_c\|^2 / (2 N^2 \lambda_b)` for the bias, whose sum is zero where the
    bias is free. ``solution.dual`` is the value of a point that satisfies the constraints to
    round-off, and the softmax of ``solution.logits`` is right to about the root of the gap.

    A column may be given twice: both then have the same mean, and the model is that of one column
    with the sum of the counts.

    Args:
        targets: (K, C), one column a class (or support): any real labels for ``mse``,
            distributions for ``ce`` (hard or soft; a column may miss the sum 1 by the round-off of
            its dtype, and is divided by its sum), values in [0, 1] for ``bce``, multi-hot for
            ``pal``.
        counts: (C,), samples of each column, any positive numbers.
        lam_w: :math:`\lambda_W > 0`.
        lam_h: :math:`\lambda_H > 0`.
        lam_b: :math:`\lambda_b`; ``math.inf`` for no bias, ``0.0`` for a free one.
        loss: ``mse`` (:math:`\tfrac12\|\cdot\|^2`), ``ce``, ``bce`` (summed over the labels) or
            ``pal`` (pick-all-label: cross-entropy summed over the positive labels).
        tol: the largest relative duality gap to return.
        dim: P, the width of the features; by default min(K, C), which is always enough. More is
            padded with zeros.

    Raises:
        ValueError: for data out of range; if ``dim`` is below the optimum's rank (the convex
            program is then only a lower bound; for ``mse`` see ``closed_form.truncated``); or if
            the infimum is not attained (``lam_b = 0`` and a label that is never positive).
        TypeError: for what is no real number or tensor of them, or a ``dim`` that is no integer.
        ConvergenceError: if the gap stays above ``tol``; the message gives what was reached.

    Source: this book, "The model is convex in disguise"; for cross-entropy under imbalance Hong
    and Ling (2023), earlier Zhu et al. (2021) and Fang et al. (2021).

    >>> import math, torch
    >>> from nclib.ufm import solve
    >>> solution = solve(torch.eye(3), [4, 4, 4], lam_w=0.01, lam_h=0.01, lam_b=math.inf)
    >>> bool(solution.gap <= 1e-9), solution.rank
    (True, 3)
    >>> gram = solution.means @ solution.means.T  # an orthogonal frame: no bias
    >>> bool((gram - gram[0, 0] * torch.eye(3, dtype=gram.dtype)).abs().max() < 1e-12)
    True
    """
    problem = make_problem(targets, counts, lam_w=lam_w, lam_h=lam_h, lam_b=lam_b, loss=loss)
    tol = positive("tol", tol)
    width = min(problem.targets.shape) if dim is None else whole("dim", dim, least=1)
    solution = solve_convex(problem, tol)
    values = solution.singular_values
    rank = int((values > RANK_CUT * values.max()).sum()) if len(values) else 0
    if width < rank:
        raise ValueError(
            f"dim must be at least the rank of the optimum, {rank}, got {dim}: for narrower "
            "features the convex program is only a lower bound"
        )
    weight, means = balanced_factors(
        solution.left, values, solution.right, problem.roots, problem.lam_w, problem.lam_h, width
    )
    value = _objective(problem, weight, means, solution.bias)
    gap = relative_gap(problem, solution._replace(objective=value * problem.samples))
    if not gap <= tol:
        raise ConvergenceError(
            f"the relative duality gap is {gap:.3g} after {solution.iterations} Newton steps, "
            f"above tol = {tol:.3g}"
        )
    return UFMSolution(weight, means, solution.bias, value, gap, rank, solution.iterations)


def balanced_factors(
    left: Float[Tensor, "K r"],
    values: Float[Tensor, " r"],
    right: Float[Tensor, "C r"],
    roots: Float[Tensor, " C"],
    lam_w: float,
    lam_h: float,
    dim: int,
) -> tuple[Float[Tensor, "K P"], Float[Tensor, "C P"]]:
    """Split Z = left values right^T so that lam_w W^T W = lam_h H D H^T, in dim columns."""
    kept = min(len(values), dim)
    ratio = (lam_h / lam_w) ** 0.25
    half = values[:kept].sqrt()
    weight, means = values.new_zeros(len(left), dim), values.new_zeros(len(right), dim)
    weight[:, :kept] = ratio * left[:, :kept] * half
    means[:, :kept] = right[:, :kept] * half / (ratio * roots[:, None])
    return weight, means


def objective(
    weight: Float[Tensor, "K P"],
    means: Float[Tensor, "C P"],
    bias: Float[Tensor, " K"],
    targets: Real[Tensor, "K C"],
    counts: Real[Tensor, " C"] | Sequence[float],
    *,
    lam_w: float,
    lam_h: float,
    lam_b: float,
    loss: str = "mse",
) -> float:
    """The model's objective at collapsed variables: every sample at its column's mean.

    Arguments as for ``solve``; with ``lam_b = math.inf`` the bias must be zero.

    Raises:
        ValueError: for data out of range, shapes that disagree, or a bias where there is none.
    """
    problem = make_problem(targets, counts, lam_w=lam_w, lam_h=lam_h, lam_b=lam_b, loss=loss)
    return _objective(problem, *_variables(problem, weight, means, bias))


def _variables(
    problem: Problem, weight: Tensor, means: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    weight, means, bias = (v.to(problem.targets) for v in (weight, means, bias))
    k, c = problem.targets.shape
    if (
        (len(weight), len(means)) != (k, c)
        or weight.shape[1:] != means.shape[1:]
        or bias.shape != (k,)
    ):
        raise ValueError(
            f"weight, means and bias must have shapes ({k}, P), ({c}, P) and ({k},), got "
            f"{tuple(weight.shape)}, {tuple(means.shape)} and {tuple(bias.shape)}"
        )
    if not problem.has_bias and bool(bias.any()):
        raise ValueError("bias must be zero where lam_b = inf (no bias)")
    return weight, means, bias


def _objective(problem: Problem, weight: Tensor, means: Tensor, bias: Tensor) -> float:
    logits = weight @ means.T + bias[:, None]
    penalty = 0.5 * problem.lam_w * weight.square().sum()
    penalty = penalty + 0.5 * problem.lam_h * (problem.counts @ means.square().sum(1))
    return float(problem.smooth(logits, bias) / problem.samples + penalty)


def first_order_residuals(
    weight: Float[Tensor, "K P"],
    means: Float[Tensor, "C P"],
    bias: Float[Tensor, " K"],
    targets: Real[Tensor, "K C"],
    counts: Real[Tensor, " C"] | Sequence[float],
    *,
    lam_w: float,
    lam_h: float,
    lam_b: float,
    loss: str = "mse",
) -> FirstOrderResiduals:
    r"""How far (W, H, b) is from satisfying the first-order conditions.

    With :math:`g_c = \nabla\ell(W h_c + b, t_c)` they are

    .. math:: \sum_c n_c g_c h_c^\top + N\lambda_W W = 0, \quad
       W^\top g_c + N\lambda_H h_c = 0, \quad \sum_c n_c g_c + N\lambda_b b = 0,

    for ``mse`` equations (6)-(8) of the paper, (8) being solved for b and put into the others.
    Each residual is the norm of the left side over the sum of its terms' norms (for the bias:
    over :math:`\sum_c n_c (\|g_c\| + \|\nabla\ell(0, t_c)\|)`); zero where both terms are zero,
    or where there is no bias. Arguments as for ``objective``.

    Source: class-encoding paper, Lemma III.3; for any convex loss, this book.
    """
    problem = make_problem(targets, counts, lam_w=lam_w, lam_h=lam_h, lam_b=lam_b, loss=loss)
    weight, means, bias = _variables(problem, weight, means, bias)
    gradient = problem.loss.gradient(weight @ means.T + bias[:, None])
    n = problem.samples

    def relative(data: Tensor, penalty: Tensor) -> float:
        scale = float(data.norm() + penalty.norm())
        return float((data + penalty).norm()) / scale if scale > 0 else 0.0

    pull = gradient @ problem.counts
    at_zero = problem.loss.gradient(torch.zeros_like(gradient))
    scale = float((gradient.norm(dim=0) + at_zero.norm(dim=0)) @ problem.counts)
    free = float((pull + problem.bias_weight * bias).norm()) / scale if scale > 0 else 0.0
    return FirstOrderResiduals(
        weight=relative((gradient * problem.counts) @ means, n * problem.lam_w * weight),
        means=relative(
            (gradient.T @ weight) * problem.roots[:, None],
            n * problem.lam_h * means * problem.roots[:, None],
        ),
        bias=free if problem.has_bias else 0.0,
    )
