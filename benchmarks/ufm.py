"""``solve`` against gradient descent to the same objective, and its own times by size.

``python -m benchmarks.ufm [--quick]``

Descent has to come within 1e-6 (relative) of the certified optimum; where it has not after the
most steps allowed, its time and the ratio are lower bounds (marked >). Plain descent moves W, H
and b by their gradients with backtracking; balanced descent has units that suit it.
"""

import argparse
import itertools
import math
import time
from typing import NamedTuple

import torch
from torch import Tensor

from benchmarks._timing import machine, seconds, show, time_alternately
from nclib import ufm

ACCURACY = 1e-6


class Case(NamedTuple):
    """One model."""

    name: str
    targets: Tensor  # (K, C)
    counts: Tensor  # (C,)
    lam_b: float
    loss: str
    steps: int  # the most that plain descent may take; 0: solve alone
    lam_w: float = 1e-3
    lam_h: float | None = None  # None: 1e-3 / N

    def options(self) -> dict[str, object]:
        """Penalties and loss as keyword arguments."""
        lam_h = 1e-3 / float(self.counts.sum()) if self.lam_h is None else self.lam_h
        return {"lam_w": self.lam_w, "lam_h": lam_h, "lam_b": self.lam_b, "loss": self.loss}

    def solve(self) -> ufm.UFMSolution:
        """The certified optimum."""
        return ufm.solve(self.targets, self.counts, **self.options())

    def descend(self, stop: float, *, balanced: bool) -> ufm.Trajectory:
        """Descent from a fixed start to the objective ``stop``."""
        return ufm.descend(
            self.targets,
            self.counts,
            **self.options(),
            balanced=balanced,
            steps=self.steps,
            record_every=self.steps,
            generator=torch.Generator().manual_seed(0),
            stop=stop,
        )


def supports(num_classes: int, most: int, limit: int | None = None) -> Tensor:
    """Multi-hot columns for every set of at most ``most`` labels, or the first ``limit``."""
    sets = itertools.chain.from_iterable(
        itertools.combinations(range(num_classes), size) for size in range(1, most + 1)
    )
    columns = list(itertools.islice(sets, limit))
    targets = torch.zeros(num_classes, len(columns), dtype=torch.float64)
    for column, labels in enumerate(columns):
        targets[list(labels), column] = 1
    return targets


def long_tailed(size: int) -> Tensor:
    """Counts from 1000 down to 10, exponentially."""
    return torch.logspace(3, 1, size, dtype=torch.float64)


def cases(quick: bool) -> list[Case]:
    """The models of the table; quick: the small ones, and fewer steps of descent."""

    def one_hot(k: int, loss: str, lam_b: float, steps: int) -> Case:
        bias = {math.inf: "no bias", 0.0: "free bias"}.get(lam_b, f"lam_b {lam_b}")
        eye = torch.eye(k, dtype=torch.float64)
        return Case(f"{loss}, K = {k}, {bias}", eye, long_tailed(k), lam_b, loss, steps)

    def multi_hot(name: str, targets: Tensor, lam_b: float, steps: int) -> Case:
        return Case(name, targets, long_tailed(targets.shape[1]), lam_b, "pal", steps)

    def equal(name: str, targets: Tensor) -> Case:
        counts = torch.full((targets.shape[1],), 10.0, dtype=torch.float64)
        return Case(name, targets, counts, math.inf, "pal", 0)

    small = [
        one_hot(10, "mse", math.inf, 20_000),
        one_hot(10, "mse", 0.01, 20_000),
        one_hot(10, "ce", math.inf, 20_000),
        one_hot(10, "ce", 0.01, 20_000),
        one_hot(10, "bce", 0.01, 20_000),
        multi_hot("pal, K = 10, all pairs", supports(10, 2), math.inf, 20_000),
        multi_hot("pal, K = 10, all pairs, free bias", supports(10, 2), 0.0, 20_000),
        Case(
            "ce, K = 10, counts 500 to 5, strong",
            torch.eye(10, dtype=torch.float64),
            torch.logspace(math.log10(500), math.log10(5), 10, dtype=torch.float64),
            math.inf,
            "ce",
            20_000,
            lam_w=5e-3,
            lam_h=1e-5,
        ),
    ]
    if quick:
        return small
    return [
        *small,
        one_hot(100, "mse", 0.01, 5_000),
        one_hot(100, "ce", math.inf, 5_000),
        one_hot(100, "ce", 0.01, 5_000),
        multi_hot("pal, K = 20, all triples", supports(20, 3), math.inf, 2_000),
        multi_hot("pal, K = 100, 5,000 columns", supports(100, 2, 5000), math.inf, 0),
        equal("pal, K = 20, all triples, equal counts", supports(20, 3)),
        equal("pal, K = 50, all triples, equal counts", supports(50, 3)),
        one_hot(1000, "mse", math.inf, 0),
        one_hot(1000, "mse", 0.01, 0),
    ]


def row(case: Case) -> list[str]:
    """One line of the table."""
    large = case.targets.numel() > 10_000
    best = case.solve()
    solved = time_alternately({"": case.solve}, repeats=1 if large else 9, warm_up=False)[""]
    line = [case.name, seconds(solved), f"{best.gap:.0e}"]
    goal = best.objective + ACCURACY * abs(best.objective)
    for balanced in (False, True):
        if not case.steps:
            line += ["", ""]
            continue
        start = time.perf_counter()
        path = case.descend(goal, balanced=balanced)
        elapsed = time.perf_counter() - start
        mark = "" if float(path.objective[-1]) <= goal else "> "
        line += [f"{mark}{seconds(elapsed)}", f"{mark}{elapsed / solved:.0f}x"]
    return line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the small models, with fewer steps")
    quick = parser.parse_args().quick
    columns = ["model", "solve", "gap", "descent", "ratio", "balanced", "ratio"]
    show(f"solve against descent ({machine()})", columns, (row(case) for case in cases(quick)))


if __name__ == "__main__":
    main()
