"""The training loop against the usual one on CIFAR-10, and where its time goes.

``python -m benchmarks.training [--steps N] [--epochs N]``

Images per second of a ResNet-32 with batches of 128, of ``nclib.train`` (images on the device,
augmented in batch, channels last; in bfloat16 as well where the CPU has instructions for it) and of
the usual loop (torchvision's data set, PIL transforms, a DataLoader with two workers, float32,
eager), which has a process of its own, since the engine sets how its process allocates memory; the
same network on one batch over and over has no data to wait for, and what a loop takes beyond that
is outside the network. Then what a step with several labels an image costs beside one with a class
id, the network and the batch being the same, and what a measurement of collapse costs. Where there
is CUDA: a long-tailed run of 200 epochs alone, and eight at once, from the seconds of a few epochs.
CIFAR-10 must lie under the data root (``$NCLIB_DATA``).
"""

import argparse
import itertools
import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from threading import Barrier

import torch
from torch.nn.functional import cross_entropy, one_hot

from benchmarks._timing import machine, seconds, show, time_alternately
from nclib import data, models
from nclib.papers.inducing_nc.grid import config as long_tailed
from nclib.runs import RunConfig
from nclib.train import _evaluate
from nclib.train._objective import Targets
from nclib.train._precision import is_rounded
from nclib.train._run import Run

BATCH = 128
EPOCHS = 200  # of a run at the paper profile
TOGETHER = 8  # runs on one GPU

Rows = Iterator[list[str]]


def engines(device: str) -> dict[str, Run]:
    """The engine as it trains on a device; on a CPU that has instructions for bfloat16, there too.

    The first is float32 on a CPU, and bfloat16 on CUDA.
    """
    if device == "cuda":
        return {"nclib": Run(configuration("bf16-mixed"), None)}
    runs = {"nclib": Run(configuration("32-true"), None)}
    if not is_rounded("bf16-mixed", device):
        runs["nclib, bf16"] = Run(configuration("bf16-mixed"), None)
    return runs


def configuration(precision: str) -> RunConfig:
    """All of CIFAR-10, plain cross-entropy."""
    return RunConfig(
        paper="inducing-nc",
        profile="laptop",
        dataset="cifar10",
        model="resnet32",
        width=16,
        feature_layer="native",
        method="ce",
        augment=True,
        lr=0.1,
        weight_decay=5e-4,
        batch_size=BATCH,
        epochs=1,
        precision=precision,
    )


def ours(run: Run, steps: int) -> Callable[[], object]:
    """So many steps of an epoch of the engine's."""

    def train() -> object:
        calls = itertools.count(1)
        return run.train_epoch(1, None, lambda: next(calls) >= steps)

    return train


def usual_rounds(device: str, steps: int) -> dict[str, Callable[[], None]]:
    """Rounds of the usual loop and of its network alone, in another process."""
    spawn = multiprocessing.get_context("spawn")
    other = ProcessPoolExecutor(1, spawn, _begin, (device, steps))

    def round_of(name: str) -> Callable[[], None]:
        return lambda: other.submit(_round, name).result()

    return {name: round_of(name) for name in ("usual", "usual network")}


_rounds: dict[str, Callable[[], None]] = {}  # of the process that has the usual loop


def _begin(device: str, steps: int) -> None:
    _rounds["usual"] = usual(device, steps)
    _rounds["usual network"] = network_alone(device, steps)


def _round(name: str) -> None:
    _rounds[name]()
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def usual(device: str, steps: int) -> Callable[[], None]:
    """The loop of most repositories. Its workers go on between rounds, so that their start is not
    counted, and up to four batches of a round are ready when it begins: to its advantage."""
    from torch.utils.data import DataLoader
    from torchvision import transforms
    from torchvision.datasets import CIFAR10

    found = data.info("cifar10")
    transform = transforms.Compose(
        [
            transforms.RandomCrop(32, padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(*found.pixels),
        ]
    )
    images = CIFAR10(str(data.data_root()), transform=transform)
    loader = DataLoader(images, BATCH, shuffle=True, num_workers=2, pin_memory=device == "cuda")
    batches = itertools.chain.from_iterable(itertools.repeat(loader))
    network, optimizer = network_and_optimizer(device)

    def train() -> None:
        for inputs, labels in itertools.islice(batches, steps):
            step(network, optimizer, inputs.to(device), labels.to(device))

    return train


def network_alone(device: str, steps: int) -> Callable[[], None]:
    """The usual steps on one batch that is there already."""
    network, optimizer = network_and_optimizer(device)
    inputs, labels = one_batch(device)

    def train() -> None:
        for _ in range(steps):
            step(network, optimizer, inputs, labels)

    return train


def network_of(run: Run, steps: int) -> Callable[[], None]:
    """The engine's steps on one batch that is there already: on CUDA its graph."""
    inputs, labels = one_batch(run.device.type)
    inputs, optimizer = inputs.contiguous(memory_format=torch.channels_last), run.optimizers[0]

    def train() -> None:
        run.network.train()
        for _ in range(steps):
            run.gradients(inputs, Targets(labels), 1)
            optimizer.step()

    return train


def one_batch(device: str) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(BATCH, 3, 32, 32, device=device), torch.arange(BATCH, device=device) % 10


def network_and_optimizer(device: str) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    found = data.info("cifar10")
    network = models.build(
        "resnet32", found.shape, 10, width=16, feature_dim=64, feature_layer="native"
    ).to(device)
    return network, torch.optim.SGD(network.parameters(), 0.1, 0.9, weight_decay=5e-4)


def step(
    network: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    inputs: torch.Tensor,
    labels: torch.Tensor,
) -> None:
    scores = network(inputs).scores
    optimizer.zero_grad()
    cross_entropy(scores, labels).backward()
    optimizer.step()


def loops(runs: dict[str, Run], device: str, steps: int, repeats: int) -> dict[str, float]:
    """Seconds of so many steps of every loop, and of its network alone."""
    rounds = usual_rounds(device, steps)
    for name, run in runs.items():
        rounds[name], rounds[f"{name} network"] = ours(run, steps), network_of(run, steps)
    return time_alternately(rounds, repeats=repeats)


def compared(times: dict[str, float], images: int) -> Rows:
    """Images per second of every loop, and the share of its time outside the network."""
    for name in (name for name in times if not name.endswith("network")):
        alone = times[f"{name} network"] / times[name]
        outside = f"{100 * max(0.0, 1 - alone):.0f} %"
        speed, ratio = images / times[name], times["usual"] / times[name]
        yield [f"{name} loop", f"{speed:.0f} images/s", outside, f"{ratio:.2f}x"]


# Network and batch of a step with class ids, and with several labels an image.
NETWORKS = {
    "ResNet-32": {"model": "resnet32", "width": 16, "batch_size": BATCH},
    "smoke network": {"model": "mlp", "width": 64, "batch_size": 64},
}
METHODS = ("ce", "pal", "bce")
CLASSES = 10


def several(network: str, method: str, device: str) -> tuple[Run, torch.Tensor, Targets]:
    """A run on images of noise, and a batch of it: two labels an image, or a class id."""
    fields = NETWORKS[network]
    shape = (3, 32, 32) if fields["model"] == "resnet32" else (1, 8, 8)
    draws = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (256, *shape), generator=draws, dtype=torch.uint8)
    ids = torch.arange(256) % CLASSES
    labels = ids if method == "ce" else one_hot(ids) + one_hot(ids.roll(1)) > 0
    data.DATASETS["noise"] = data.DatasetInfo(
        name="noise",
        title="noise",
        num_classes=CLASSES,
        shape=shape,
        train_per_class=(25, 26),
        pixels=data.Statistics((0.5,) * shape[0], (0.3,) * shape[0]),
        read=lambda _: {"train": (images, labels), "test": (images, labels)},
        task="single_label" if method == "ce" else "multi_label",
    )
    config = RunConfig(
        paper="multilabel-spectral",
        profile="smoke",
        dataset="noise",
        feature_layer="native",
        feature_dim=64,
        method=method,
        epochs=1,
        precision="bf16-mixed" if device == "cuda" else "32-true",
        **fields,
    )
    run = Run(config, None)
    chosen = slice(fields["batch_size"])
    inputs = data.to_float(images[chosen].to(device), run.mean, run.std)
    inputs = inputs.contiguous(memory_format=torch.channels_last)
    run.network.train()
    return run, inputs, Targets(run.task.targets(labels[chosen].to(device)))


def several_labels(device: str, repeats: int) -> Rows:
    """A step with several labels an image beside the step with a class id."""
    for network, steps in (("ResNet-32", 5), ("smoke network", 300)):

        def steps_of(method: str, network: str = network, steps: int = steps) -> Callable[[], None]:
            run, inputs, targets = several(network, method, device)

            def train() -> None:
                for _ in range(steps):
                    run.gradients(inputs, targets, 1)
                    run.optimizers[0].step()

            return train

        times = time_alternately({m: steps_of(m) for m in METHODS}, repeats=repeats)
        for method in METHODS:
            one, base = times[method] / steps, times["ce"] / steps
            more = f"{1e6 * (one - base):+.0f} µs".replace("-", "−")
            yield [f"{network}, {method}", f"{1e3 * one:.3f} ms", more, f"{one / base:.3f}x"]


def measurement(run: Run, trained: float, images: int) -> Rows:
    """A report of collapse on some training images, beside training on them once."""
    chosen = {"train": data.Split(*(part[:images] for part in run.images.splits["train"]))}
    run.images.splits = {**run.images.splits, **chosen}
    split = run.outputs("train")
    times = time_alternately(
        {
            "their features and scores": lambda: run.outputs("train"),
            "the report of collapse": lambda: _evaluate.collapse(
                split, run.evaluated.head, run.objective, run.task
            ),
        },
        repeats=3,
    )
    for name, taken in ((f"training on {images} images once", trained), *times.items()):
        yield [name, seconds(taken), f"{100 * taken / trained:.1f} %"]


def epoch_seconds(seed: int, epochs: int, begin: Barrier) -> float:
    """Seconds of an epoch of NC-DRW at the paper profile, beside others that begin with it."""
    run = Run(long_tailed("paper", "nc-drw", seed=seed), None)
    run.train_epoch(1, None, lambda: False)  # records its graphs
    begin.wait()
    start = time.perf_counter()
    for epoch in range(2, 2 + epochs):  # of one phase
        run.train_epoch(epoch, None, lambda: False)
    return (time.perf_counter() - start) / epochs


def gpu(epochs: int) -> Rows:
    """A run of 200 epochs alone and eight at once, from a few epochs of each."""
    alone = EPOCHS * epoch_seconds(0, epochs, Barrier(1))
    yield ["one run", seconds(alone), seconds(alone), "1.00x"]
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager, ProcessPoolExecutor(TOGETHER, spawn) as pool:
        begin = manager.Barrier(TOGETHER)
        each = pool.map(epoch_seconds, range(TOGETHER), repeat(epochs), repeat(begin))
        together = EPOCHS * max(each)
    ratio = f"{TOGETHER * alone / together:.2f}x"
    yield [f"{TOGETHER} at once", seconds(together), seconds(together / TOGETHER), ratio]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=12, help="of each loop in a round")
    parser.add_argument("--repeats", type=int, default=2, help="rounds, after one to warm up")
    parser.add_argument("--images", type=int, default=2000, help="measured for collapse")
    parser.add_argument("--epochs", type=int, default=10, help="timed on a GPU, after one more")
    given = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    runs = engines(device)
    times, count = loops(runs, device, given.steps, given.repeats), given.steps * BATCH
    columns = ["loop", "speed", "outside the network", "ratio"]
    show(f"ResNet-32 on CIFAR-10 ({machine()})", columns, compared(times, count))
    columns = ["a step", "time", "more than ce", "ratio"]
    rows = several_labels(device, 5 * given.repeats)
    show("class ids, and several labels an image", columns, rows)
    trained = given.images * times["nclib"] / count
    columns = ["measurement", "time", "of training"]
    rows = measurement(runs["nclib"], trained, given.images)
    show("what a measurement of collapse costs", columns, rows)
    if device == "cuda":
        columns = ["CIFAR-10-LT, 200 epochs", "time", "a run", "throughput"]
        show(f"ResNet-32 on {torch.cuda.get_device_name()}", columns, gpu(given.epochs))


if __name__ == "__main__":
    main()
