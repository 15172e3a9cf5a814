"""Exact error exponents of a thousand classes in 2048 dimensions.

``python -m benchmarks.exponents [--quick]``

Three classifiers: a random one; the simplex ETF of the means, where all pairs bind; and one whose
minority rows nearly agree, where products of matrices cancel.
"""

import argparse

import torch
from torch import Tensor

from benchmarks._timing import machine, seconds, show, time_alternately
from nclib.geometry import simplex_etf
from nclib.theory import error_exponent


def classifiers(num_classes: int, dim: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Class means and the classifiers."""
    generator = torch.Generator().manual_seed(0)
    means = simplex_etf(num_classes, dim, generator=generator)
    random = torch.randn(num_classes, dim, generator=generator, dtype=torch.float64)
    collapsed, majority = means.clone(), num_classes // 2
    collapsed[majority:] = means[majority] + 1e-4 * random[majority:] / dim**0.5
    return means, {"random": random, "simplex ETF": means, "minority collapse": collapsed}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a hundred classes, one repeat")
    options = parser.parse_args()
    num_classes, dim, repeats = (100, 512, 1) if options.quick else (1000, 2048, 5)
    print(machine())
    means, weights = classifiers(num_classes, dim)
    runs = {
        name: lambda weight=weight: error_exponent(means, weight)
        for name, weight in weights.items()
    }
    times = time_alternately(runs, repeats=repeats)
    rows = [(name, seconds(time)) for name, time in times.items()]
    show(f"error_exponent, K = {num_classes}, P = {dim}", ("classifier", "time"), rows)


if __name__ == "__main__":
    main()
