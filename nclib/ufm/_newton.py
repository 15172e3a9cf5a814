r"""The convex program of the unconstrained features model, solved by Newton's method.

.. math:: \min_{Z, b}\ f(Z, b) + \theta \|Z\|_*, \qquad
   f = \sum_c n_c\,\ell(z_c/\sqrt{n_c} + b, t_c) + \tfrac{N\lambda_b}{2}\|b\|^2 .

The augmented Lagrangian method splits X = Z and removes Z: with :math:`V = X + \Lambda/\sigma`
the nuclear norm becomes its Moreau envelope, whose gradient :math:`\sigma` times the projection
of V onto the spectral ball of radius :math:`\theta/\sigma` is also the next multiplier. The
inner problem in (X, b) is smooth and is solved by a semismooth Newton method; the multiplier is
always inside the dual norm ball. Few outer steps suffice, whatever the loss's conditioning
(Sun, Toh and Yang's family of methods for nuclear norm problems).
"""

from __future__ import annotations

import math
from copy import copy
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from nclib.ufm._losses import SquaredError
from nclib.ufm._problem import Problem

DENSE_UNKNOWNS = 300  # up to here the Newton matrix is assembled and factorised
MAX_OUTER = 60
MAX_NEWTON = 60
MAX_SIGMA = 100.0  # against losses whose curvature is of order one
MAX_CONJUGATE_GRADIENTS = 500
ACCURACY = 0.03  # of an inexact Newton step


class Solution(NamedTuple):
    """What the convex solver returns; objective and bound are times N."""

    left: Tensor  # (K, r)
    singular_values: Tensor  # (r,), positive
    right: Tensor  # (C, r)
    bias: Tensor  # (K,)
    objective: float  # N times the primal value at this point
    bound: float  # N times the best dual value
    iterations: int  # Newton steps


class _Envelope:
    """The Moreau envelope of the nuclear norm at V, its gradient and generalised Hessian."""

    def __init__(self, point: Float[Tensor, "K C"], sigma: float, threshold: float) -> None:
        self.sigma = sigma
        self.radius = threshold / sigma
        self.left, self.values, self.right = _thin_svd(point)
        self.clipped = self.values.clamp(max=self.radius)
        self.gradient = sigma * (self.left * self.clipped) @ self.right

    @property
    def value(self) -> Tensor:
        over = (self.values - self.clipped).sum()
        return self.sigma * (self.radius * over + 0.5 * self.clipped.square().sum())

    def curvature(self) -> tuple[Tensor, Tensor, Tensor]:
        """Divided differences of the clipped singular values: symmetric, skew, and outside."""
        s, c = self.values, self.clipped
        difference, total = s[:, None] - s, s[:, None] + s
        equal = difference.abs() <= 1e-12 * total
        inside = (s < self.radius).to(s.dtype)
        symmetric = torch.where(equal, inside[:, None] * inside, (c[:, None] - c) / difference)
        skew = torch.where(total > 0, (c[:, None] + c) / total, 1.0)
        return symmetric, skew, torch.where(s > 0, c / s, 1.0)

    def apply(
        self, direction: Float[Tensor, "... K C"], curvature: tuple[Tensor, Tensor, Tensor]
    ) -> Float[Tensor, "... K C"]:
        """The generalised derivative of the projection onto the spectral ball, at a direction."""
        symmetric, skew, outside = curvature
        half = self.left.T @ direction
        core = half @ self.right.T
        even = 0.5 * (core + core.mT)
        inner = symmetric * even + skew * (core - even) - outside[:, None] * core
        result = self.left @ (inner @ self.right + outside[:, None] * half)
        if len(self.left) > len(self.values):  # what the left singular vectors do not span
            rest = direction @ self.right.T - self.left @ core
            result = result + (rest * outside) @ self.right
        return result


def _thin_svd(
    point: Float[Tensor, "K C"],
) -> tuple[Float[Tensor, "K r"], Float[Tensor, " r"], Float[Tensor, "r C"]]:
    """The singular value decomposition; of many columns by way of QR, which LAPACK does slower."""
    if point.shape[1] <= 2 * len(point):
        left, values, right = torch.linalg.svd(point, full_matrices=False)
        return left, values, right
    q, r = torch.linalg.qr(point.T)
    left, values, right = torch.linalg.svd(r.T)
    return left, values, right @ q.T


class _NewtonSystem:
    """The linear system of one Newton step in (X, b)."""

    def __init__(self, problem: Problem, logits: Float[Tensor, "K C"], envelope: _Envelope) -> None:
        self.problem = problem
        self.envelope = envelope
        self.curvature = envelope.curvature()
        self.diagonal, self.vectors = problem.loss.hessian(logits)
        # A little damping where the loss is flat to round-off.
        self.diagonal = self.diagonal + 1e-12 * envelope.sigma

    def to(self, dtype: torch.dtype) -> _NewtonSystem:
        """The same system in another precision."""
        system, envelope = copy(self), copy(self.envelope)
        for part in (system, envelope):
            for name, value in vars(part).items():
                if isinstance(value, Tensor):
                    setattr(part, name, value.to(dtype))
        roots, counts = self.problem.roots.to(dtype), self.problem.counts.to(dtype)
        system.problem = self.problem._replace(roots=roots, counts=counts)
        symmetric, skew, outside = self.curvature
        system.curvature = symmetric.to(dtype), skew.to(dtype), outside.to(dtype)
        system.envelope = envelope
        return system

    def loss_hessian(self, direction: Float[Tensor, "... K C"]) -> Float[Tensor, "... K C"]:
        image = self.diagonal * direction
        if self.vectors is not None:
            image = image - self.vectors * (self.vectors * direction).sum(-2, keepdim=True)
        return image

    def apply(
        self, x: Float[Tensor, "... K C"], bias: Float[Tensor, "... K"]
    ) -> tuple[Float[Tensor, "... K C"], Float[Tensor, "... K"]]:
        problem = self.problem
        ball = self.envelope.sigma * self.envelope.apply(x, self.curvature)
        if not problem.has_bias:
            return self.loss_hessian(x) + ball, bias
        image = self.loss_hessian(x + bias[..., None] * problem.roots)
        return image + ball, image @ problem.roots + problem.bias_weight * bias

    def solve(
        self, x: Float[Tensor, "K C"], bias: Float[Tensor, " K"], dtype: torch.dtype
    ) -> tuple[Float[Tensor, "K C"], Float[Tensor, " K"]]:
        """The step; where it is not exact, computed in this precision."""
        if isinstance(self.problem.loss, SquaredError):
            return self._solve_squared_error(x, bias)
        if _is_exact(self.problem):
            return self._solve_dense(x, bias)
        self._prepare()
        size = math.hypot(float(x.norm()), float(bias.norm()))
        step_x, step_b = self.to(dtype)._solve_iteratively(
            (x / size).to(dtype), (bias / size).to(dtype)
        )
        return size * step_x.to(x), size * step_b.to(bias)

    def _solve_squared_error(
        self, x: Float[Tensor, "K C"], bias: Float[Tensor, " K"]
    ) -> tuple[Float[Tensor, "K C"], Float[Tensor, " K"]]:
        """Exactly: but for the bias the matrix is diagonal in the singular vectors.

        With the bias eliminated the step D satisfies (I + sigma P') D = R + gamma (D u) u^T,
        u = sqrt(n / N), P' the ball's part: K equations in w = D u, then D itself.
        """
        problem, sigma, envelope = self.problem, self.envelope.sigma, self.envelope
        inverse = [1 / (1 + sigma * part) for part in self.curvature]
        symmetric, skew, outside = inverse
        weight = problem.samples + problem.bias_weight
        u = problem.roots / math.sqrt(problem.samples)
        gamma = problem.samples / weight
        x = x - (bias / weight)[:, None] * problem.roots
        q = envelope.apply(x, (symmetric, skew, outside)) @ u
        left, inner = envelope.left, envelope.right @ u
        squares = 0.5 * (symmetric + skew) @ inner.square()
        squares = squares + outside * (1 - inner.square().sum()).clamp(min=0)
        matrix = -gamma * 0.5 * (symmetric - skew) * torch.outer(inner, inner)
        matrix.diagonal().add_(1 - gamma * squares)
        core = left.T @ q
        beyond = (q - left @ core) / (1 - gamma * (outside @ inner.square()))
        w = left @ torch.linalg.solve(matrix, core) + beyond
        step = envelope.apply(x + gamma * torch.outer(w, u), (symmetric, skew, outside))
        return step, (bias - step @ problem.roots) / weight

    def _solve_dense(
        self, x: Float[Tensor, "K C"], bias: Float[Tensor, " K"]
    ) -> tuple[Float[Tensor, "K C"], Float[Tensor, " K"]]:
        k, size = len(bias), x.numel()
        unknowns = size + (k if self.problem.has_bias else 0)
        identity = torch.eye(unknowns, dtype=x.dtype, device=x.device)
        padding = identity[:, size:] if self.problem.has_bias else identity.new_zeros(unknowns, k)
        image = self.apply(identity[:, :size].reshape(-1, *x.shape), padding)
        matrix = torch.cat([image[0].reshape(unknowns, -1), image[1]], 1)[:, :unknowns]
        if self.problem.has_bias and self.problem.loss.shift_invariant:
            matrix[size:, size:] += self.problem.samples / k  # no part of the step goes there
        right = torch.cat([x.reshape(-1), bias])[:unknowns]
        step = torch.linalg.solve(matrix, right)
        return step[:size].reshape(x.shape), (
            step[size:] if self.problem.has_bias else torch.zeros_like(bias)
        )

    def _solve_iteratively(
        self, x: Float[Tensor, "K C"], bias: Float[Tensor, " K"]
    ) -> tuple[Float[Tensor, "K C"], Float[Tensor, " K"]]:
        """Conjugate gradients, preconditioned with a multiple of I for the ball."""
        step_x, step_b = torch.zeros_like(x), torch.zeros_like(bias)
        z_x, z_b = self._precondition(x, bias)
        p_x, p_b = z_x, z_b
        product = (x * z_x).sum() + bias @ z_b
        goal = ACCURACY**2 * product
        for _ in range(MAX_CONJUGATE_GRADIENTS):
            q_x, q_b = self.apply(p_x, p_b)
            bend = (p_x * q_x).sum() + p_b @ q_b
            if not bend > 0:
                break
            length = product / bend
            step_x, step_b = step_x + length * p_x, step_b + length * p_b
            x, bias = x - length * q_x, bias - length * q_b
            z_x, z_b = self._precondition(x, bias)
            previous, product = product, (x * z_x).sum() + bias @ z_b
            if not product > goal:
                break
            p_x, p_b = z_x + (product / previous) * p_x, z_b + (product / previous) * p_b
        return step_x, step_b

    def _prepare(self) -> None:
        problem, ball = self.problem, self._ball_level()
        self.inverse = 1 / (self.diagonal + ball)
        if self.vectors is not None:
            self.scaled = self.vectors * self.inverse
            # 1 - v^T (d + ball)^-1 v, without cancellation as v^2 = d p
            self.shrink = 1 - (self.vectors * self.scaled).sum(0)
        if problem.has_bias:
            schur = -(ball**2) * (self.inverse @ problem.counts).diag()
            if self.vectors is not None:
                schur -= ball**2 * (self.scaled * (problem.counts / self.shrink)) @ self.scaled.T
            schur.diagonal().add_(ball * problem.samples + problem.bias_weight)
            level = schur.diagonal().mean()
            if problem.loss.shift_invariant:
                schur += level / len(schur)
            schur.diagonal().add_(1e-12 * (level + ball * problem.samples))
            self.schur = torch.linalg.cholesky(schur)

    def _ball_level(self) -> float:
        """The ball's part on columns outside the right singular vectors: its geometric mean.

        With many columns nearly every direction lies there, and the part is sigma for a left
        singular vector inside the ball but theta / s, far less, for one outside. The ones are left
        out where the loss does not feel them: no step has a part along them.
        """
        outside = self.curvature[2]
        inside = len(self.envelope.left) - len(outside)  # what no singular vector spans
        if self.problem.loss.shift_invariant:
            inside, outside = (inside - 1, outside) if inside else (0, outside[:-1])
        size = inside + len(outside)
        mean = float(outside.log().sum()) / size if size else 0.0
        return self.envelope.sigma * math.exp(mean)

    def _block_inverse(self, x: Float[Tensor, "K C"]) -> Float[Tensor, "K C"]:
        image = self.inverse * x
        if self.vectors is not None:
            image = image + self.scaled * ((self.scaled * x).sum(0) / self.shrink)
        return image

    def _precondition(
        self, x: Float[Tensor, "K C"], bias: Float[Tensor, " K"]
    ) -> tuple[Float[Tensor, "K C"], Float[Tensor, " K"]]:
        z_x, z_b = self._block_inverse(x), bias
        if self.problem.has_bias:
            rest = bias - self.loss_hessian(z_x) @ self.problem.roots
            z_b = torch.cholesky_solve(rest[:, None], self.schur)[:, 0]
            z_x = z_x - self._block_inverse(self.loss_hessian(z_b[:, None] * self.problem.roots))
        if self.problem.loss.shift_invariant:
            z_x, z_b = z_x - z_x.mean(0), z_b - z_b.mean()
        return z_x, z_b


def _is_exact(problem: Problem) -> bool:
    """Whether Newton's steps are exact: in closed form, or from a matrix that is small enough."""
    unknowns = problem.targets.numel() + len(problem.targets)
    return isinstance(problem.loss, SquaredError) or unknowns <= DENSE_UNKNOWNS


def solve_convex(problem: Problem, tol: float) -> Solution:
    """Minimise until the relative duality gap is at most ``tol``, or as far as it goes."""
    if isinstance(problem.loss, SquaredError) and problem.lam_b in (0.0, math.inf):
        return _solve_squared(problem)
    return _solve_augmented(problem, tol)


def _solve_squared(problem: Problem) -> Solution:
    """Squared error without or with a free bias: soft-thresholded singular values."""
    labels = problem.targets * problem.roots
    bias = torch.zeros_like(problem.targets[:, 0])
    if problem.has_bias:
        bias = problem.targets @ problem.counts / problem.samples
        labels = (problem.targets - bias[:, None]) * problem.roots
    left, values, right = torch.linalg.svd(labels, full_matrices=False)
    multiplier = (left * values.clamp(max=problem.threshold)) @ right
    bound = problem.dual(-multiplier / problem.roots)
    return _finish(problem, left, values - problem.threshold, right, bias, bound, 0)


def _finish(
    problem: Problem,
    left: Tensor,
    values: Tensor,
    right: Tensor,
    bias: Tensor,
    bound: float,
    iterations: int,
) -> Solution:
    keep = values > 0
    left, values, right = left[:, keep], values[keep], right[keep]
    logits = problem.logits((left * values) @ right, bias)
    objective = float(problem.smooth(logits, bias) + problem.threshold * values.sum())
    return Solution(left, values, right.T, bias, objective, bound, iterations)


def _solve_augmented(problem: Problem, tol: float) -> Solution:
    state = _AugmentedLagrangian(problem)
    # What no logits can fit (soft labels, several positives) is no part of what is to be solved.
    floor = -float(problem.counts @ problem.loss.conjugate(torch.zeros_like(problem.targets)))
    best = state.step()
    reached = relative_gap(problem, best, floor=floor)
    # A larger sigma asks for fewer outer steps, but conjugate gradients then take more, and more
    # singular values cross the ball's kinks on the way.
    growth = 10.0 if _is_exact(problem) else 1.5
    if isinstance(problem.loss, SquaredError):  # only the kinks count
        growth = 3.0
    # Where the tolerance is just met, one step more: the gap falls by orders, and with its root
    # the Gram matrix's error.
    spare = 1
    for _ in range(MAX_OUTER):
        if state.exhausted and relative_gap(problem, best) <= tol:
            break
        if reached <= tol:
            if spare == 0 or reached <= 0.01 * tol:
                break
            spare -= 1
        state.sigma = min(growth * state.sigma, MAX_SIGMA)
        new = state.step()
        if new.objective > best.objective:
            new = new._replace(**{name: getattr(best, name) for name in _PRIMAL})
        best = new._replace(bound=max(best.bound, new.bound))
        reached = relative_gap(problem, best, floor=floor)
    return best


_PRIMAL = ("left", "singular_values", "right", "bias", "objective")


class _AugmentedLagrangian:
    """The state of the outer iteration: X, b, the multiplier and sigma."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.x = torch.zeros_like(problem.targets)
        self.bias = torch.zeros_like(problem.targets[:, 0])
        self.multiplier = torch.zeros_like(problem.targets)
        slope = problem.loss.gradient(problem.logits(self.x, self.bias)) * problem.roots
        if isinstance(problem.loss, SquaredError):
            size = float(problem.counts.mean().sqrt()) / 3
        else:
            # The ball bends by theta / s at the singular value s, and at the solution s is some
            # times the root mean square of the slope's singular values at zero.
            size = 2 * float(slope.norm()) / math.sqrt(len(slope))
        self.sigma = min(3.0, problem.threshold / size) if size > 0 else 3.0
        self.dtype = torch.float64 if _is_exact(problem) else torch.float32  # of Newton's steps
        self.round_off = max(1e-13 * problem.threshold, 1e-15 * float(slope.norm()))
        self.iterations = 0
        self.exhausted = False  # whether the last step moved within round-off

    def step(self) -> Solution:
        """Minimise over (X, b), move the multiplier, and return the point with its bound."""
        problem = self.problem
        envelope = self._minimise()
        self.exhausted = float((envelope.gradient - self.multiplier).norm()) <= self.round_off
        self.multiplier = envelope.gradient
        if isinstance(problem.loss, SquaredError):
            # Every point is in the domain; the multiplier is accurate however small theta is.
            dual = -self.multiplier / problem.roots
        else:
            if problem.lam_b == 0:  # the bound then asks for weighted rows that sum to zero
                self.bias = problem.best_bias(self.x, self.bias)
            dual = problem.loss.gradient(problem.logits(self.x, self.bias))
        values = envelope.values - envelope.clipped
        bias = problem.best_bias((envelope.left * values) @ envelope.right, self.bias, steps=2)
        return _finish(
            problem,
            envelope.left,
            values,
            envelope.right,
            bias,
            problem.dual(dual),
            self.iterations,
        )

    def _evaluate(self, x: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, _Envelope]:
        problem = self.problem
        envelope = _Envelope(x + self.multiplier / self.sigma, self.sigma, problem.threshold)
        logits = problem.logits(x, bias)
        return problem.smooth(logits, bias) + envelope.value, logits, envelope

    def _minimise(self) -> _Envelope:
        """Damped semismooth Newton steps until the multiplier's move outweighs the slope."""
        problem = self.problem
        value, logits, envelope = self._evaluate(self.x, self.bias)
        for _ in range(MAX_NEWTON):
            slope_x = problem.loss.gradient(logits) * problem.roots
            slope_b = torch.zeros_like(self.bias)
            if problem.has_bias:
                slope_b = slope_x @ problem.roots + problem.bias_weight * self.bias
            slope_x = slope_x + envelope.gradient
            if problem.loss.shift_invariant:
                slope_x = slope_x - slope_x.mean(0)
            size = math.hypot(
                float(slope_x.norm()), float(slope_b.norm()) / math.sqrt(problem.samples)
            )
            moved = float((envelope.gradient - self.multiplier).norm())
            if size <= max(0.3 * moved, self.round_off):
                break
            system = _NewtonSystem(problem, logits, envelope)
            step_x, step_b = system.solve(-slope_x, -slope_b, self.dtype)
            if problem.loss.shift_invariant:  # else round-off stays, which no slope corrects
                step_x, step_b = step_x - step_x.mean(0), step_b - step_b.mean()
            descent = float((slope_x * step_x).sum() + slope_b @ step_b)
            length, damped = 1.0, _damping(problem, step_x, step_b)
            self.iterations += 1
            while length > 1e-8:
                x, bias = self.x + length * step_x, self.bias + length * step_b
                trial = self._evaluate(x, bias)
                # The bold step has to give half of what the quadratic model promises: far from the
                # solution, one that gives less leads astray.
                share = 0.25 if length > damped else 1e-4
                if trial[0] <= value + share * length * descent + 1e-14 * value.abs():
                    break
                length = damped if length > damped else 0.5 * length
            else:  # no descent left above round-off
                if self.dtype == torch.float64:
                    break
                self.dtype = torch.float64
                continue
            self.x, self.bias = x, bias
            value, logits, envelope = trial
        return envelope


def _damping(problem: Problem, step_x: Tensor, step_b: Tensor) -> float:
    """The share of a Newton step in which a logistic loss keeps its curvature within a factor.

    Such losses are generalised self-concordant: the Hessian changes by at most exp(d) when
    differences of logits change by d, and log(1 + d)/d of the step decreases them.
    """
    if isinstance(problem.loss, SquaredError):
        return 1.0
    reach = float(problem.logits(step_x, step_b).abs().max())
    return min(1.0, (1 + math.log1p(reach)) / reach) if reach > 0 else 1.0


def relative_gap(problem: Problem, solution: Solution, *, floor: float = 0.0) -> float:
    """(primal - dual) / |primal - floor|; what is zero to round-off counts as round-off."""
    zero = torch.zeros_like(problem.targets)
    least = 1e-15 * float(problem.smooth(zero, zero[:, 0]))
    gap = max(solution.objective - solution.bound, 0.0)
    return gap / max(abs(solution.objective - floor), least) if gap > 0 else 0.0
