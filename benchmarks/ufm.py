"""``solve`` against gradient descent to the same objective, and its own times by size.

``python -m benchmarks.ufm [--quick]``

Descent has to come within 1e-6 (relative) of the certified optimum; where it has not after the
most steps allowed, its time and the ratio are lower bounds (marked >). Plain descent moves W, H
and b by their gradients with backtracking; balanced descent has units that suit it.

L-BFGS (scipy's, in the same units) is run on pick-all-label models from five starts, each until
it is as close to the optimum as the certificate is asked to be.
"""

import argparse
import itertools
import math
import time
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import OptimizeResult, minimize
from torch import Tensor

from benchmarks._timing import machine, seconds, show, time_alternately
from nclib import data, ufm
from nclib.ufm._descend import Flow
from nclib.ufm._problem import make_problem

ACCURACY = 1e-6
CERTIFIED = 1e-9  # the largest gap that solve returns by default
STARTS = 5


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

    def zipf(name: str, targets: Tensor) -> Case:
        """Counts that are products of the classes' frequencies 1/k."""
        ranks = torch.arange(1, len(targets) + 1, dtype=torch.float64)
        counts = (-(targets.T @ ranks.log())).exp()
        return Case(name, targets, counts / counts.min(), math.inf, "pal", 0)

    def real(name: str, lam_w: float, lam_b: float) -> Case:
        labels = data.label_list(name).labels
        rows, counts = labels[labels.any(1)].to(torch.float64).unique(dim=0, return_counts=True)
        bias = "free bias" if lam_b == 0 else "no bias"
        lam_h = lam_w / float(counts.sum())
        title = f"pal, {name}, lam_w = {lam_w:g}, {bias}"
        return Case(title, rows.T, counts.to(torch.float64), lam_b, "pal", 0, lam_w, lam_h)

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
        zipf("pal, K = 20, all triples, Zipf counts", supports(20, 3)),
        equal("pal, K = 50, all triples, equal counts", supports(50, 3)),
        zipf("pal, K = 50, all triples, Zipf counts", supports(50, 3)),
        *(
            real("coco-lt", lam, lam_b)
            for lam, lam_b in itertools.product((1e-2, 1e-3), (math.inf, 0.0))
        ),
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


def lbfgs_row(case: Case) -> list[str]:
    """One line of the table of L-BFGS: its starts together against one certified solution."""
    best = case.solve()
    solved = time_alternately({"": case.solve}, repeats=9, warm_up=False)[""]
    problem = make_problem(case.targets, case.counts, **case.options())
    flow = Flow(problem, min(case.targets.shape), balanced=True)
    goal = best.objective * (1 + CERTIFIED)

    def value_and_gradient(point: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = flow.value_and_gradient(torch.from_numpy(point))
        return value, gradient.numpy()

    def stop(intermediate_result: OptimizeResult) -> None:
        if intermediate_result.fun <= goal:
            raise StopIteration

    worst, began = 0.0, time.perf_counter()
    for seed in range(STARTS):
        end = minimize(
            value_and_gradient,
            flow.start(0.1, torch.Generator().manual_seed(seed)).numpy(),
            jac=True,
            method="L-BFGS-B",
            callback=stop,
            options={"maxiter": case.steps, "maxfun": 2 * case.steps, "ftol": 0.0, "gtol": 0.0},
        )
        worst = max(worst, end.fun / best.objective - 1)
    elapsed = time.perf_counter() - began
    mark = "" if worst <= CERTIFIED else "> "
    ratio = f"{mark}{elapsed / solved:.0f}x"
    return [case.name, seconds(solved), f"{mark}{seconds(elapsed)}", f"{worst:.0e}", ratio]


def random_problems(number: int = 200) -> float:
    """Seconds for certified optima of random supports and counts, K <= 8, penalties and biases."""
    source = torch.Generator().manual_seed(0)

    def uniform(low: float, high: float, size: int = 1) -> Tensor:
        return low + (high - low) * torch.rand(size, generator=source, dtype=torch.float64)

    elapsed = 0.0
    for index in range(number):
        k = 2 + index % 7
        targets = (uniform(0, 1, k * 3 * k).view(k, 3 * k) < 0.4).to(torch.float64)
        targets[torch.arange(3 * k) % k, torch.arange(3 * k)] = 1
        counts = 10 ** uniform(0, 2, 3 * k)
        lam = float(10 ** uniform(-3, -1))
        penalties = {"lam_w": lam, "lam_h": lam / float(counts.sum())}
        lam_b = (math.inf, 0.1, 0.0)[index % 3]
        start = time.perf_counter()
        ufm.solve(targets, counts, **penalties, lam_b=lam_b, loss="pal")
        elapsed += time.perf_counter() - start
    return elapsed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the small models, with fewer steps")
    quick = parser.parse_args().quick
    columns = ["model", "solve", "gap", "descent", "ratio", "balanced", "ratio"]
    show(f"solve against descent ({machine()})", columns, (row(case) for case in cases(quick)))
    compared = [case for case in cases(quick) if case.loss == "pal" and case.steps]
    columns = ["model", "solve", f"L-BFGS, {STARTS} starts", "its worst distance", "ratio"]
    show("solve against L-BFGS", columns, (lbfgs_row(case) for case in compared))
    print(f"200 random pick-all-label problems, K <= 8: {seconds(random_problems())}")


if __name__ == "__main__":
    main()
