"""Long-tailed subsets by name: ``cifar10-lt-100``, ``cifar100-lt-50-step``, ``digits-lt-10-seed1``.

A name is BASE-lt-RATIO, then ``-step`` for two levels instead of the exponential profile, then
``-seedN`` for another draw than the published one. Any ratio of at least 1 may be asked for.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

from data_recipes import cifar, digits
from data_recipes._recipe import Recipe, splits_of
from nclib import data

BASES = {recipe.name: recipe for recipe in (digits.DIGITS, cifar.CIFAR10, cifar.CIFAR100)}

#: The ratios that the literature reports.
USUAL = (
    "digits-lt-10",
    "digits-lt-20",
    *(f"{base}-lt-{ratio}" for base in ("cifar10", "cifar100") for ratio in (10, 50, 100, 200)),
    *(f"{base}-lt-{ratio}-step" for base in ("cifar10", "cifar100") for ratio in (10, 100)),
)

#: SHA-256 of the indices (int32, little-endian) that the LDAM code draws from the original files.
PUBLISHED = {
    "cifar10-lt-10": "c06ed1d31500880c026c055d7bd2223623333cfbf7bf06be20e8e1e1089e4fd0",
    "cifar10-lt-50": "2477fffcd09bcacdfe3e1918fc95a6ccfa91c0186f92f9508e766e9dd471805f",
    "cifar10-lt-100": "ca97f03cbf4d69c40e0acdacf758852f25c5cd6bdbc78c5d179cf1d64c69bc3f",
    "cifar10-lt-200": "e830cdf210042784f2dc5e7d8b979e74fa04c03b39d11dfb11c628c1582a8d9c",
    "cifar100-lt-10": "3b58e94c18104966827925bcb779f76407d6f89763d6893328f29ff3850b2d31",
    "cifar100-lt-50": "9ae2c06907a23afb04f1697065a8729b60988b90708df3511cc7f387c7955c85",
    "cifar100-lt-100": "92db61d4d8847a2a1140b271ec8575f002729622531a6595aa6f84211fee79e7",
    "cifar100-lt-200": "74508e2d881b880e27d7e764e8a11e9ef9f7cf8ff6b17718f6d26d1b817d8657",
}

_NAME = re.compile(r"(?P<base>.+)-lt-(?P<ratio>[^-_]+)(?:-(?!seed)(?P<kind>[^-]+))?(?:-seed(\d+))?")


def recipe(name: str) -> Recipe | None:
    """The recipe of a long-tailed subset, or None where the name is not of that form.

    Raises:
        ValueError: if the ratio is less than 1 or not finite, the kind is unknown, or a class
            would be empty.
    """
    match = _NAME.fullmatch(name)
    base = BASES.get(match["base"]) if match else None
    if match is None or base is None:
        return None
    try:
        ratio = float(match["ratio"])
    except ValueError:
        return None
    kind, seed = match["kind"] or "exp", int(match[4] or 0)
    entry = data.info(base.name)
    n_max = entry.train_per_class[0]
    counts = data.long_tail_counts(entry.num_classes, n_max, ratio, kind)
    if not seed < 2**32:
        raise ValueError(f"seed {seed} must be less than 2**32")
    step = "" if kind == "exp" else f"-{kind}"
    drawn = f"-seed{seed}" if seed else ""
    shape = {"exp": "exponential", "step": "in a step"}[kind]
    name = f"{base.name}-lt-{repr(ratio).removesuffix('.0')}{step}{drawn}"
    return Recipe(
        name=name,
        source=(
            f"{base.name}, {shape}: {sum(counts):,} images, {max(counts):,} to {min(counts)} "
            f"a class; seed {seed}"
        ),
        fetch=base.fetch,
        files=base.files,
        content=partial(_content, name, base.name, ratio, kind, seed),
    )


def _content(
    name: str, base: str, ratio: float, kind: str, seed: int, root: Path
) -> dict[str, Any]:
    dataset = data.load(base, root=root)
    subset = data.long_tailed(dataset, ratio, kind, seed)
    counts = subset.train.labels.bincount(minlength=subset.info.num_classes).tolist()
    indices = data.long_tail_indices(dataset.train.labels, counts, seed=seed)
    digest = data.checksum(indices.numpy().astype("<i4").tobytes())
    expected = PUBLISHED.get(name, digest)
    if digest != expected:
        raise data.DataError(
            f"{name}: the indices drawn are not the published ones: expected SHA-256 {expected}, "
            f"found {digest}"
        )
    return {
        "base": base,
        "ratio": ratio,
        "kind": kind,
        "seed": seed,
        "splits": splits_of(subset),
        "indices_sha256": digest,
        "indices": [" ".join(map(str, part.tolist())) for part in indices.split(counts)],
    }
