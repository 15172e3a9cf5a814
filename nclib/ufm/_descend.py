"""Gradient descent on an unconstrained features model, for its dynamics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int, Real
from torch import Tensor

from nclib.ufm._problem import Problem, make_problem, positive, whole


class Trajectory(NamedTuple):
    """Snapshots of a descent; the first is the start and the last the end."""

    steps: Int[Tensor, " R"]  # steps taken at each snapshot
    objective: Float[Tensor, " R"]  # the model's objective
    weight: Float[Tensor, "R K P"]  # classifier
    features: Float[Tensor, "R N P"]  # one row a sample, samples of a column together
    bias: Float[Tensor, "R K"]  # zeros without a bias


def descend(
    targets: Real[Tensor, "K C"] | Sequence[Sequence[float]],
    counts: Real[Tensor, " C"] | Sequence[float],
    *,
    lam_w: float,
    lam_h: float,
    lam_b: float,
    loss: str = "mse",
    dim: int | None = None,
    samples: int = 1,
    steps: int = 1000,
    lr: float | None = None,
    momentum: float = 0.0,
    balanced: bool = False,
    init: float = 0.1,
    generator: torch.Generator | None = None,
    record_every: int = 10,
    stop: float | None = None,
) -> Trajectory:
    r"""Gradient descent on (W, H, b) from small random values.

    Every sample's feature is a variable, as in the model; samples that start equal stay equal, so
    one feature a column describes them all. By default each step is found by backtracking and the
    objective never rises; with ``lr`` the step is fixed, and ``momentum`` is Polyak's heavy ball.

    The features' gradients are smaller than the classifier's by about the number of samples, and
    plain descent is slow to match. ``balanced`` descends instead in the units in which both
    factors are penalised alike, :math:`(\lambda_W/\lambda_H)^{1/4} W` and
    :math:`(\lambda_H/\lambda_W)^{1/4} H` (and the bias in units of its curvature): other dynamics
    with the same critical points, reached much sooner.

    Args:
        targets: (K, C), as for ``solve``.
        counts: (C,), as for ``solve``; so are ``lam_w``, ``lam_h``, ``lam_b`` and ``loss``.
        dim: P; by default min(K, C).
        samples: features a column, each standing for an equal share of its count. With more than
            one the within-class variability is seen to vanish (NC1).
        steps: the most steps to take.
        lr: the fixed step on the objective; ``None`` for backtracking.
        momentum: in [0, 1); needs ``lr``.
        balanced: whether to descend in balanced units.
        init: standard deviation of the entries of the first weight and features; b starts at 0.
        generator: of the start; the global one if ``None``.
        record_every: steps between snapshots.
        stop: end once the objective is at most this (and in any case when backtracking finds no
            descent above round-off).

    Raises:
        ValueError: for data or options out of range, momentum without ``lr``, or a step that
            diverges.
        TypeError: as ``solve``, and for ``steps``, ``samples`` or ``record_every`` that are no
            integers.
    """
    if momentum and lr is None:
        raise ValueError(f"momentum needs a fixed lr, got momentum = {momentum} and lr = None")
    if not 0 <= momentum < 1:
        raise ValueError(f"momentum must lie in [0, 1), got {momentum}")
    if not (math.isfinite(init) and init >= 0):
        raise ValueError(f"init must be non-negative and finite, got {init}")
    steps = whole("steps", steps, least=0)
    samples = whole("samples", samples, least=1)
    record_every = whole("record_every", record_every, least=1)
    collapsed = make_problem(targets, counts, lam_w=lam_w, lam_h=lam_h, lam_b=lam_b, loss=loss)
    problem = make_problem(
        collapsed.targets.repeat_interleave(samples, 1),
        collapsed.counts.repeat_interleave(samples) / samples,
        lam_w=lam_w,
        lam_h=lam_h,
        lam_b=lam_b,
        loss=loss,
    )
    width = min(collapsed.targets.shape) if dim is None else whole("dim", dim, least=1)
    flow = Flow(problem, width, balanced)
    point = flow.start(init, generator)
    value, gradient = flow.value_and_gradient(point)
    velocity = torch.zeros_like(point)
    step = 1.0 if lr is None else positive("lr", lr)
    kept = [(0, value, point)]
    taken = 0
    for count in range(1, steps + 1):
        if lr is None:
            step *= 2.0
            square = float(gradient.square().sum())
            least = 1e-16 * float(point.norm()) / max(math.sqrt(square), 1e-300)
            while step > least:
                trial = point - step * gradient
                new_value, new_gradient = flow.value_and_gradient(trial)
                if new_value <= value - 0.5 * step * square:
                    break
                step *= 0.5
            else:  # no descent is left above round-off
                break
            point, value, gradient = trial, new_value, new_gradient
        else:
            velocity = momentum * velocity - lr * gradient
            point = point + velocity
            value, gradient = flow.value_and_gradient(point)
            if not math.isfinite(value):
                raise ValueError(f"the descent diverged at step {count}: lr = {lr} is too large")
        done = stop is not None and value <= stop
        taken = count
        if count % record_every == 0:
            kept.append((count, value, point))
        if done:
            break
    if kept[-1][0] != taken:
        kept.append((taken, value, point))
    weight, features, bias = zip(*(flow.variables(p) for _, _, p in kept), strict=True)
    return Trajectory(
        steps=torch.tensor([k[0] for k in kept]),
        objective=torch.tensor([k[1] for k in kept], dtype=point.dtype),
        weight=torch.stack(weight),
        features=torch.stack(features),
        bias=torch.stack(bias),
    )


class Flow:
    """The objective and its gradient as functions of one vector.

    Its parts are the weight, the features times the root of the samples that each stands for (so
    that a step moves every sample by its own gradient), and the bias, each over its unit.
    """

    def __init__(self, problem: Problem, width: int, balanced: bool) -> None:
        self.problem = problem
        rows, columns = problem.targets.shape
        self.shapes = ((rows, width), (columns, width), (rows,))
        self.units = (1.0, 1.0, 1.0 if problem.has_bias else 0.0)
        if balanced:
            ratio = (problem.lam_h / problem.lam_w) ** 0.25
            root = math.sqrt(math.sqrt(problem.samples) * (1 + problem.lam_b))
            self.units = (ratio, 1 / ratio, 1 / root if problem.has_bias else 0.0)

    def start(self, init: float, generator: torch.Generator | None) -> Float[Tensor, " M"]:
        roots = self.problem.roots
        device = roots.device if generator is None else generator.device
        weight, features = (
            init * torch.randn(shape, generator=generator, dtype=roots.dtype, device=device)
            for shape in self.shapes[:2]
        )
        return self.join(weight.to(roots), features.to(roots), roots.new_zeros(self.shapes[2]))

    def join(
        self,
        weight: Float[Tensor, "K P"],
        features: Float[Tensor, "N P"],
        bias: Float[Tensor, " K"],
    ) -> Float[Tensor, " M"]:
        """The vector whose ``variables`` these are."""
        roots = self.problem.roots
        for part, shape in zip((weight, features, bias), self.shapes, strict=True):
            if part.shape != shape:
                raise ValueError(f"expected variables of shape {shape}, got {tuple(part.shape)}")
        parts = weight.to(roots), features.to(roots) * roots[:, None], bias.to(roots)
        scaled = (
            part.reshape(-1) / unit if unit > 0 else torch.zeros_like(part).reshape(-1)
            for part, unit in zip(parts, self.units, strict=True)
        )
        return torch.cat(list(scaled))

    def _split(self, point: Float[Tensor, " M"]) -> list[Tensor]:
        parts = point.split([math.prod(shape) for shape in self.shapes])
        return [
            unit * part.view(shape)
            for unit, part, shape in zip(self.units, parts, self.shapes, strict=True)
        ]

    def variables(self, point: Float[Tensor, " M"]) -> tuple[Tensor, Tensor, Tensor]:
        weight, features, bias = self._split(point)
        return weight, features / self.problem.roots[:, None], bias

    def value_and_gradient(self, point: Float[Tensor, " M"]) -> tuple[float, Float[Tensor, " M"]]:
        problem = self.problem
        weight, features, bias = self._split(point)
        logits = problem.logits(weight @ features.T, bias)
        value = problem.smooth(logits, bias) / problem.samples
        value = value + 0.5 * problem.lam_w * weight.square().sum()
        value = value + 0.5 * problem.lam_h * features.square().sum()
        slope = problem.loss.gradient(logits) * (problem.roots / problem.samples)
        gradient = (
            slope @ features + problem.lam_w * weight,
            slope.T @ weight + problem.lam_h * features,
            slope @ problem.roots + problem.bias_weight / problem.samples * bias,
        )
        parts = [u * g.reshape(-1) for u, g in zip(self.units, gradient, strict=True)]
        return float(value), torch.cat(parts)

    def hessian(self, point: Float[Tensor, " M"]) -> Float[Tensor, "M M"]:
        """The second derivatives, dense: the gradient's derivative along each coordinate."""
        problem = self.problem
        weight, features, bias = self._split(point)
        logits = problem.logits(weight @ features.T, bias)
        slope = problem.loss.gradient(logits) * (problem.roots / problem.samples)
        diagonal, vectors = problem.loss.hessian(logits)
        basis = torch.eye(len(point), dtype=point.dtype, device=point.device)
        sizes = [math.prod(shape) for shape in self.shapes]
        d_weight, d_features, d_bias = (
            unit * part.view(-1, *shape)
            for unit, part, shape in zip(
                self.units, basis.split(sizes, 1), self.shapes, strict=True
            )
        )
        d_logits = (d_weight @ features.T + weight @ d_features.mT) / problem.roots
        d_logits = d_logits + d_bias[..., None]
        d_slope = diagonal * d_logits
        if vectors is not None:
            d_slope = d_slope - vectors * (vectors * d_logits).sum(-2, keepdim=True)
        d_slope = d_slope * (problem.roots / problem.samples)
        derivative = (
            d_slope @ features + slope @ d_features + problem.lam_w * d_weight,
            d_slope.mT @ weight + slope.T @ d_weight + problem.lam_h * d_features,
            d_slope @ problem.roots + problem.bias_weight / problem.samples * d_bias,
        )
        parts = [u * g.flatten(1) for u, g in zip(self.units, derivative, strict=True)]
        return torch.cat(parts, 1)
