"""``measure`` against its peers, a dense implementation and the least that must be done.

``python -m benchmarks.metrics [--quick] [--no-memory] [--size 1 2 3] [--part collapse ranking]``

Peers are measured when they can be imported (neither is on PyPI):

* https://github.com/rhubarbwu/neural-collapse
* https://github.com/felixsh/nc-toolbox (needs dask)

Features are float32, unit Gaussian class means with Gaussian scatter of 0.5. Two classifiers: the
centred class means, as training gives them, where most decisions follow from distances alone; and a
random one, the worst case, where every product with the classifier is formed.

The second part is average precision on 40,504 images and 80 classes, as the validation set of
COCO 2014 has them, with as many positives: scikit-learn's function is called class by class.
"""

import argparse
import functools
import importlib
from collections.abc import Callable
from typing import NamedTuple

import torch
from sklearn.metrics import average_precision_score
from torch import Tensor

from benchmarks._timing import extra_memory, machine, seconds, show, time_alternately
from nclib.evaluate import average_precision, multilabel_report
from nclib.metrics import CollapseMetric, measure


class Size(NamedTuple):
    samples: int
    dim: int
    classes: int
    ratio: float  # largest class over smallest
    repeats: int


SIZES = {
    1: Size(50_000, 512, 10, 1, 9),
    2: Size(50_000, 512, 100, 1, 9),
    3: Size(115_846, 2048, 1000, 256, 3),
}
PEERS = {
    "rhubarbwu/neural-collapse": (
        "neural_collapse",
        "https://github.com/rhubarbwu/neural-collapse",
    ),
    "felixsh/nc-toolbox": ("nc_toolbox", "https://github.com/felixsh/nc-toolbox"),
}
CHUNK = 2048
PARTS = ("collapse", "ranking")


class Data(NamedTuple):
    features: Tensor
    labels: Tensor
    dual: Tensor
    random: Tensor
    bias: Tensor


def make(size: Size) -> Data:
    """The same features on every call."""
    generator = torch.Generator().manual_seed(0)
    decay = torch.linspace(0, 1, size.classes, dtype=torch.float64)
    shares = size.ratio**-decay
    counts = (size.samples * shares / shares.sum()).long().clamp(min=1)
    counts[0] += size.samples - counts.sum()
    labels = torch.arange(size.classes).repeat_interleave(counts)
    labels = labels[torch.randperm(size.samples, generator=generator)]
    means = torch.randn(size.classes, size.dim, generator=generator)
    features = torch.randn(size.samples, size.dim, generator=generator).mul_(0.5)
    for rows, own in zip(features.split(CHUNK), labels.split(CHUNK), strict=True):
        rows += means[own]
    random = torch.randn(size.classes, size.dim, generator=generator)
    return Data(features, labels, means - means.mean(0), random, torch.zeros(size.classes))


def ours(*data: Tensor) -> object:
    features, labels, dual, _, bias = data
    return measure(features, labels, weight=dual, bias=bias)


def ours_random(*data: Tensor) -> object:
    features, labels, _, random, bias = data
    return measure(features, labels, weight=random, bias=bias)


def streamed(*data: Tensor) -> object:
    features, labels, dual, _, bias = data
    metric = CollapseMetric(len(dual), features.shape[1], weight=dual, bias=bias)
    for rows, own in zip(features.split(CHUNK), labels.split(CHUNK), strict=True):
        metric.update(rows, own)
    return metric.compute()


def dense(*data: Tensor) -> object:
    """Every value of the report as its formula reads, in float32."""
    features, labels, weight, _, bias = data
    (samples, dim), classes = features.shape, len(weight)
    counts = labels.bincount(minlength=classes)
    means = torch.zeros(classes, dim).index_add_(0, labels, features) / counts[:, None]
    centred = means - means.mean(0)
    residuals = features - means[labels]
    within = residuals.T @ residuals / samples
    between = centred.T @ centred / classes
    variances = torch.zeros(classes).index_add_(0, labels, residuals.square().sum(1)) / counts
    upper = torch.triu_indices(classes, classes, offset=1).unbind()
    unit = centred / centred.norm(dim=1, keepdim=True)
    etf = (torch.eye(classes) - 1 / classes) / (classes - 1) ** 0.5
    gram, cross = centred @ centred.T, weight @ centred.T
    left, _, right = torch.linalg.svd(weight @ means.T)
    rows = weight - weight.mean(0)
    nearest = torch.cdist(features, means).argmin(1)
    chosen = (features @ weight.T + bias).argmax(1)
    squares = torch.cdist(means, means).square()[upper]
    return {
        "nc1": torch.trace(within @ torch.linalg.pinv(between)) / classes,
        "nc1_ratio": torch.trace(within) / torch.trace(between),
        "nc1_cdnv": ((variances[:, None] + variances)[upper] / 2 / squares).mean(),
        "nc2_norm_cv": centred.norm(dim=1).std(correction=0) / centred.norm(dim=1).mean(),
        "nc2_angle": ((unit @ unit.T)[upper] + 1 / (classes - 1)).abs().mean(),
        "nc2_etf": (gram / gram.norm() - etf).norm(),
        "nc2_uniformity": -torch.cdist(unit, unit)[upper].log().mean(),
        "nc3": (weight / weight.norm() - centred / centred.norm()).norm(),
        "nc3_duality": (cross / cross.norm() - etf).norm(),
        "nc3_alignment": torch.cosine_similarity(rows, centred).mean(),
        "nc3_prime": (weight / weight.norm() - left @ right @ means / means.norm()).norm(),
        "nc4": (nearest == chosen).float().mean(),
    }


def floor(*data: Tensor) -> object:
    """Class means, and the products of the features with them and with the classifier."""
    features, labels, weight, _, _ = data
    counts = labels.bincount(minlength=len(weight))
    means = torch.zeros_like(weight).index_add_(0, labels, features) / counts[:, None]
    return products(features, labels, weight, means)


def products(*data: Tensor) -> object:
    """The two products alone."""
    features, _, weight, means = data[:4]
    buffer = torch.empty(CHUNK, len(weight))
    for rows in features.split(CHUNK):
        for matrix in (means, weight):
            torch.mm(rows, matrix.T, out=buffer[: len(rows)])
    return buffer


def neural_collapse(*data: Tensor) -> object:
    """What its README computes, in its order: four readings of the features."""
    import neural_collapse.accumulate as accumulate
    import neural_collapse.kernels as kernels
    import neural_collapse.measure as peer

    features, labels, weight, _, _ = data
    classes, dim = weight.shape
    batches = list(zip(features.split(512), labels.split(512), strict=True))
    tile = 64
    mean_sums = accumulate.MeanAccumulator(classes, dim, "cpu")
    for rows, own in batches:
        mean_sums.accumulate(rows, own)
    means, centre = mean_sums.compute()
    covariance = accumulate.CovarAccumulator(classes, dim, "cpu", M=means)
    variances = accumulate.VarNormAccumulator(classes, dim, "cpu", M=means)
    decisions = accumulate.DecAccumulator(classes, dim, "cpu", M=means, W=weight)
    for rows, own in batches:
        covariance.accumulate(rows, own, means)
    for rows, own in batches:
        variances.accumulate(rows, own, means)
    for rows, own in batches:
        decisions.accumulate(rows, own, weight, means)
    within, (norms, _) = covariance.compute(), variances.compute()
    return (
        peer.covariance_ratio(within, means, centre, "pinv"),
        peer.covariance_ratio(within, means, centre, "quotient"),
        peer.variability_cdnv(norms, means, tile_size=tile),
        peer.mean_norms(means, centre),
        peer.simplex_etf_error(means, centre),
        kernels.kernel_stats(means, centre, kernel=kernels.log_kernel, tile_size=tile),
        peer.self_duality_error(weight, means, centre),
        peer.similarities(weight, means, centre, cos=True),
        peer.clf_ncc_agreement(decisions),
    )


def nc_toolbox(*data: Tensor) -> object:
    import nc_toolbox as peer

    features, labels, weight, _, bias = (tensor.numpy() for tensor in data)
    means = peer.class_embedding_means(features, labels)
    centre = peer.global_embedding_mean(features)
    variances = peer.class_embedding_variances(features, labels, means)
    return (
        peer.nc1_strong(features, labels, means, centre),
        peer.nc1_weak(features, labels, means, centre),
        peer.nc1_cdnv(means, variances),
        peer.nc2_equinormness(means, centre),
        peer.nc2_equiangularity(means, centre),
        peer.gnc2_hypershperical_uniformity(means, centre),
        peer.nc3_self_duality(weight, means, centre),
        peer.nc4_classifier_agreement(features, weight, bias, means),
    )


def available_peers() -> dict[str, Callable[..., object]]:
    """The peers that can be imported; the others are named with their address."""
    runs = {"neural_collapse": neural_collapse, "nc_toolbox": nc_toolbox}
    found = {}
    for name, (module, address) in PEERS.items():
        try:
            importlib.import_module(module)
        except ImportError as error:
            print(f"{name} is not measured: {error} (from {address})")
        else:
            found[name] = runs[module]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the samples, one repeat")
    parser.add_argument("--no-memory", action="store_true", help="leave out the memory column")
    parser.add_argument("--size", type=int, nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    options = parser.parse_args()
    print(machine())
    if "ranking" in options.part:
        ranking(40_504 // (10 if options.quick else 1), repeats=1 if options.quick else 5)
    if "collapse" not in options.part:
        return
    peers = available_peers()
    for number in options.size:
        size = SIZES[number]
        if options.quick:
            size = size._replace(samples=max(size.samples // 10, 2 * size.classes), repeats=1)
        chosen = dict(peers)
        if number == 3 and not options.quick and chosen.pop("felixsh/nc-toolbox", None):
            print("felixsh/nc-toolbox is left out of the third size: minutes and 16 GiB")
        report(size, chosen, memory=not options.no_memory)


def ranking(samples: int, *, repeats: int) -> None:
    """One table: medians of average precision, and ratios to scikit-learn's loop."""
    generator = torch.Generator().manual_seed(0)
    share = 0.30 / torch.arange(1, 81) ** 0.7  # 2.9 labels an image
    targets = torch.rand(samples, 80, generator=generator) < share
    scores = torch.randn(samples, 80, generator=generator)
    counts = targets.sum(0)

    def loop() -> list[float]:
        columns = zip(targets.numpy().T, scores.numpy().T, strict=True)
        return [average_precision_score(*column) for column in columns]

    candidates: dict[str, Callable[[], object]] = {
        "nclib average_precision": functools.partial(average_precision, scores, targets),
        "... of float64 scores": functools.partial(average_precision, scores.double(), targets),
        "nclib multilabel_report": functools.partial(multilabel_report, scores, targets, counts),
        "scikit-learn, class by class": loop,
    }
    times = time_alternately(candidates, repeats=repeats)
    slowest = times["scikit-learn, class by class"]
    rows = [(n, seconds(time), f"{slowest / time:.1f}") for n, time in times.items()]
    title = f"Average precision, {samples:,} × 80, {int(counts.sum()):,} positives"
    show(title, ("", "time", "scikit-learn ÷ it"), rows)


def report(size: Size, peers: dict[str, Callable[..., object]], *, memory: bool) -> None:
    """One table: medians, ratios to measure and to the two products, extra memory."""
    candidates: dict[str, Callable[..., object]] = {
        "nclib measure": ours,
        "nclib measure, random classifier": ours_random,
        "nclib CollapseMetric": streamed,
        "dense, float32": dense,
        **peers,
        "class means and two products": floor,
        "two products": products,
    }
    data = make(size)
    runs = {name: functools.partial(run, *data) for name, run in candidates.items()}
    times = time_alternately(runs, repeats=size.repeats)
    del data, runs
    maker = functools.partial(make, size)
    small = functools.partial(make, size._replace(samples=3 * size.classes, ratio=1))
    rows = []
    for name, run in candidates.items():
        extra = extra_memory(run, maker, small) if memory else None
        rows.append(
            (
                name,
                seconds(times[name]),
                f"{times[name] / times['nclib measure']:.2f}",
                f"{times[name] / times['two products']:.2f}",
                "–" if extra is None else f"{extra:.0f} MiB",
            )
        )
    samples, dim, classes = size[:3]
    columns = ("", "time", "÷ measure", "÷ products", "extra memory")
    show(f"N = {samples:,}, P = {dim}, K = {classes}", columns, rows)


if __name__ == "__main__":
    main()
