"""An unconstrained features model, validated, with its objective and its certificate."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Real
from torch import Tensor

from nclib.ufm._losses import LOSSES, Loss


class Problem(NamedTuple):
    """The data of one model, in the scaling in which it is solved (the objective times N)."""

    targets: Tensor  # (K, C)
    counts: Tensor  # (C,)
    roots: Tensor  # (C,), square roots of the counts
    samples: float  # N, the sum of the counts
    lam_w: float
    lam_h: float
    lam_b: float
    threshold: float  # theta = N sqrt(lam_w lam_h), the weight of the nuclear norm
    loss: Loss

    @property
    def has_bias(self) -> bool:
        """Whether the bias is a variable."""
        return not math.isinf(self.lam_b)

    @property
    def bias_weight(self) -> float:
        """N lam_b, and zero where there is no bias to weigh."""
        return self.samples * self.lam_b if self.has_bias else 0.0

    def logits(self, z: Float[Tensor, "K C"], bias: Float[Tensor, " K"]) -> Float[Tensor, "K C"]:
        """Logits from ``Z = W H D^(1/2)`` and the bias."""
        return z / self.roots + bias[:, None]

    def smooth(self, logits: Float[Tensor, "K C"], bias: Float[Tensor, " K"]) -> Tensor:
        """The loss and the bias penalty, times N."""
        data = self.counts @ self.loss.value(logits)
        return data + 0.5 * self.bias_weight * (bias @ bias)

    def dual(self, gradient: Float[Tensor, "K C"]) -> float:
        r"""A lower bound of the optimum, times N, from the loss's gradient near it.

        For any G with columns in the domain of the conjugate, :math:`\|G D^{1/2}\|_{op} \le
        \theta` and, for a free bias, :math:`G n = 0`, weak duality gives the bound

        .. math:: -\sum_c n_c \ell_c^*(g_c) - \frac{\|G n\|^2}{2 N \lambda_b}.

        ``gradient`` is moved to such a point first: mixed with an interior point and shifted
        until Gn = 0, then scaled into the ball (zero lies in every domain, so scaling stays in).
        """
        dual = gradient
        penalty = torch.zeros((), dtype=dual.dtype, device=dual.device)
        if self.lam_b == 0:
            dual = self._balanced(dual)
        scaled = dual * self.roots
        gram = scaled @ scaled.T if len(scaled) <= scaled.shape[1] else scaled.T @ scaled
        # The largest eigenvalue is accurate, and cheaper than singular values.
        norm = math.sqrt(max(float(torch.linalg.eigvalsh(gram)[-1]), 0.0))
        dual = dual * min(1.0, self.threshold / norm) if norm > 0 else dual
        if self.has_bias and self.lam_b > 0:
            penalty = (dual @ self.counts).square().sum() / (2 * self.bias_weight)
        return float(-(self.counts @ self.loss.conjugate(dual)) - penalty)

    def _balanced(self, dual: Float[Tensor, "K C"]) -> Float[Tensor, "K C"]:
        """The nearest-by dual point whose count-weighted row sums vanish."""
        interior = self.loss.centre(self.counts)
        if interior is not None:
            centre, room = interior
            # The shift below may move each entry by up to |excess|/N: first make that much room.
            excess = (dual @ self.counts).abs() / self.samples
            share = min(1.0, 2 * float((excess / room).max()))
            dual = (1 - share) * dual + share * centre
        return dual - (dual @ self.counts / self.samples)[:, None]

    def best_bias(
        self, z: Float[Tensor, "K C"], bias: Float[Tensor, " K"], *, steps: int = 50
    ) -> Float[Tensor, " K"]:
        """The bias that minimises the objective at fixed Z, by damped Newton steps."""
        if not self.has_bias:
            return torch.zeros_like(bias)
        logits = self.logits(z, bias)
        value = self.smooth(logits, bias)
        # Each row of the gradient is a sum of about this size: below 1e-13 of it is round-off.
        scale = (self.targets.abs() @ self.counts).clamp(min=1e-100)
        best = math.inf
        for _ in range(steps):
            gradient = self.loss.gradient(logits) @ self.counts + self.bias_weight * bias
            excess = float((gradient.abs() / scale).max())
            if excess <= 1e-13 or 0.5 * best <= excess <= 1e-8:
                break
            best = min(best, excess)
            diagonal, vectors = self.loss.hessian(logits)
            hessian = (diagonal @ self.counts).diag()
            if vectors is not None:
                hessian -= (vectors * self.counts) @ vectors.T
            hessian.diagonal().add_(self.bias_weight + 1e-14 * self.samples)
            if self.loss.shift_invariant:  # the gradient has no part along the ones
                hessian += hessian.diagonal().mean()
            step = torch.linalg.solve(hessian, -gradient)
            length = 1.0
            while length > 1e-6:
                trial = bias + length * step
                trial_logits = self.logits(z, trial)
                trial_value = self.smooth(trial_logits, trial)
                if trial_value <= value + 1e-14 * value.abs():
                    break
                length *= 0.5
            else:
                break
            bias, logits, value = trial, trial_logits, trial_value
        return bias


def number(name: str, value: float) -> float:
    """The value as a float, once it is known to be a number."""
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {value!r}") from None


def positive(name: str, value: float) -> float:
    """The value, once it is known to be a positive, finite number."""
    value = number(name, value)
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be positive and finite, got {value}")
    return value


def bias_penalty(value: float) -> float:
    """lam_b, once it is known to be one."""
    value = number("lam_b", value)
    if not value >= 0:
        raise ValueError(f"lam_b must be non-negative (math.inf: no bias), got {value}")
    return value


def whole(name: str, value: int, *, least: int) -> int:
    """The value, once it is known to be an integer of at least that much."""
    try:
        value = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    return value


def real(name: str, value: Any) -> Tensor:
    """The value as a float64 tensor, once it is known to be finite real numbers."""
    try:
        # torch would read Python's numbers as float32
        plain = not hasattr(value, "dtype")
        value = torch.as_tensor(value, dtype=torch.float64 if plain else None)
    except (TypeError, ValueError, RuntimeError) as error:
        kind = type(value).__name__
        raise TypeError(f"{name} must be a tensor of real numbers, got {kind}: {error}") from None
    if value.is_complex():
        raise TypeError(f"{name} must be real, got {value.dtype}")
    value = value.to(torch.float64)
    wrong = value[~value.isfinite()]
    if len(wrong):
        raise ValueError(f"{name} must be finite, got {float(wrong[0])}")
    return value


def positive_counts(value: Any) -> Float[Tensor, " C"]:
    """The counts as a float64 vector, once they are known to be positive."""
    counts = real("counts", value)
    if counts.ndim != 1 or not len(counts):
        raise ValueError(f"counts must be a non-empty vector, got shape {tuple(counts.shape)}")
    if not bool((counts > 0).all()):
        raise ValueError(f"counts must be positive, got {float(counts.min())}")
    return counts


def make_problem(
    targets: Real[Tensor, "K C"] | Sequence[Sequence[float]],
    counts: Real[Tensor, " C"] | Sequence[float],
    *,
    lam_w: float,
    lam_h: float,
    lam_b: float,
    loss: str,
) -> Problem:
    """Check the data of a model and gather it; every message names what is wrong."""
    if loss not in LOSSES:
        raise ValueError(f"loss must be one of {', '.join(LOSSES)}, got {loss!r}")
    rounding = torch.finfo(_floating_dtype(targets)).eps
    targets = real("targets", targets)
    counts = positive_counts(counts).to(targets.device)
    if targets.ndim != 2 or 0 in targets.shape:
        raise ValueError(f"targets must be a (K, C) matrix, got shape {tuple(targets.shape)}")
    if counts.shape != targets.shape[1:]:
        raise ValueError(
            f"counts must have one entry a column of targets, shape ({targets.shape[1]},), "
            f"got {tuple(counts.shape)}"
        )
    lam_b = bias_penalty(lam_b)
    targets = _targets(targets, loss, rounding)
    samples = float(counts.sum())
    lam_w, lam_h = positive("lam_w", lam_w), positive("lam_h", lam_h)
    problem = Problem(
        targets=targets,
        counts=counts,
        roots=counts.sqrt(),
        samples=samples,
        lam_w=lam_w,
        lam_h=lam_h,
        lam_b=lam_b,
        threshold=samples * math.sqrt(lam_w * lam_h),
        loss=LOSSES[loss](targets),
    )
    if lam_b == 0:
        _check_attained(targets, loss)
    return problem


def _floating_dtype(targets: Any) -> torch.dtype:
    """That in which the targets were rounded: float64 if they were in none."""
    dtype = torch.as_tensor(targets).dtype if hasattr(targets, "dtype") else torch.float64
    return dtype if dtype.is_floating_point else torch.float64


def _targets(targets: Float[Tensor, "K C"], loss: str, rounding: float) -> Float[Tensor, "K C"]:
    """The targets, once the loss is known to take them; distributions sum to 1 to round-off."""
    if loss == "mse":
        return targets
    if bool(((targets < 0) | (targets > 1)).any()):
        raise ValueError(f"targets of {loss!r} must lie in [0, 1]")
    mass = targets.sum(0)
    if loss == "ce":
        excess = (mass - 1).abs()
        # Entries and their sum were rounded; half precision is summed in float32.
        summing = len(targets) * min(rounding, torch.finfo(torch.float32).eps)
        if bool((excess > max(1e-9, 4 * rounding + summing)).any()):
            column = int(excess.argmax())
            raise ValueError(
                f"each column of targets of 'ce' must be a distribution, but column {column} sums "
                f"to {float(mass[column])}"
            )
        return targets / mass
    if loss == "pal":
        if bool(((targets != 0) & (targets != 1)).any()):
            raise ValueError("targets of 'pal' must be multi-hot (zeros and ones)")
        if bool((mass == 0).any()):
            column = int((mass == 0).nonzero()[0])
            raise ValueError(f"column {column} of targets has no positive label")
    return targets


def _check_attained(targets: Float[Tensor, "K C"], loss: str) -> None:
    """With a free bias a label that is never (or, for bce, always) positive has no minimiser."""
    if loss == "mse":
        return
    never = (targets == 0).all(1)
    always = (targets == 1).all(1) if loss == "bce" else torch.zeros_like(never)
    for kind, rows in (("never", never), ("always", always)):
        if bool(rows.any()):
            label = int(rows.nonzero()[0])
            raise ValueError(
                f"the infimum is not attained: label {label} is {kind} positive, and with "
                f"lam_b = 0 its bias runs off to infinity; take lam_b > 0"
            )
