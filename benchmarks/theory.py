"""``label_spectrum`` and the bounds: time, and peak memory beside the labels.

``python -m benchmarks.theory [--quick]``

Rows have up to three labels, drawn by Zipf's law, in a scipy sparse matrix. The time of the
eigenvalues, of every multiplicity and of all samples, is shown beside.
"""

import argparse
from typing import Any

import numpy as np
from scipy import sparse

from benchmarks._timing import extra_memory, machine, seconds, show, time_alternately
from nclib.theory import label_spectrum, lower_bound

SIZES = [(10_000, 20), (100_000, 100), (1_000_000, 1000)]  # rows N, classes K


def drawn_labels(rows: int, num_classes: int) -> Any:
    """(N, K) multi-hot rows of three draws each, as a CSR array of int8."""
    generator = np.random.default_rng(0)
    shares = 1 / np.arange(1, num_classes + 1)
    columns = generator.choice(num_classes, (rows, 3), p=shares / shares.sum())
    entries = np.ones(columns.size, dtype=np.int8)
    starts = np.arange(0, columns.size + 1, 3)
    labels = sparse.csr_array((entries, columns.ravel(), starts), shape=(rows, num_classes))
    labels.sum_duplicates()
    labels.data[:] = 1
    return labels


def largest_labels() -> tuple[Any]:
    """The arguments whose memory is measured."""
    return (drawn_labels(*SIZES[-1]),)


def small_labels() -> tuple[Any]:
    """The arguments of the run that loads libraries."""
    return (drawn_labels(*SIZES[0]),)


def all_kappas(labels: Any) -> list[float]:
    """Every κ of the labels."""
    spectrum = label_spectrum(labels)
    return [
        kappa
        for moment in (*spectrum, spectrum.pooled)
        for kappa in (moment.kappa_min, moment.kappa_max, moment.covariance_kappa_min)
    ]


def row(size: tuple[int, int]) -> list[str]:
    """One line of the table."""
    labels, largest = drawn_labels(*size), size == SIZES[-1]
    penalties = {"lam_w": 1e-3, "lam_h": 1e-3 / size[0]}
    candidates = {"moments": lambda: label_spectrum(labels), "kappas": lambda: all_kappas(labels)}
    if not largest:  # Newton's steps on (K, K) matrices
        candidates["bound"] = lambda: lower_bound(labels, **penalties)
    times = time_alternately(candidates, repeats=3)
    line = [f"{size[0]:,} x {size[1]:,}", *(seconds(value) for value in times.values())]
    if not largest:
        return [*line, ""]
    memory = extra_memory(label_spectrum, largest_labels, small_labels)
    return [*line, "", "" if memory is None else f"{memory:.0f} MiB"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without the largest labels")
    sizes = SIZES[:-1] if parser.parse_args().quick else SIZES
    columns = ["labels", "label_spectrum", "and all κ", "lower_bound", "memory"]
    show(f"Spectra of label distributions ({machine()})", columns, (row(size) for size in sizes))


if __name__ == "__main__":
    main()
