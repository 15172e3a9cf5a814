"""The loss of MLC-NC against its two products that cannot be avoided, and against a plain loop.

``python -m benchmarks.mlc_nc [--batch B] [--classes C] [--channels D] [--places L] [--loop N]``

From a map of features to the loss and back: cosine attention, projections, the alignment, the
collapse and the two-way loss, at the size of COCO-LT on a ResNet-50 (batches of 64, 80 classes, 49
places, 2,048 channels). What cannot be avoided are the products of every image's map with the label
embeddings and with the weights of attention, forwards and backwards. The loop takes one image and
one class at a time, as the released code of the losses and projections does; it runs on the first
images alone, and its time is multiplied up. On a small machine, make all of it smaller.
"""

import argparse
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks._timing import extra_memory, machine, seconds, show, time_alternately
from nclib import losses, models

PROJECTED, TAU, ALPHA, BETA = 20, 0.5, 0.5, 0.2
Case = tuple[Tensor, models.ClassWise, models.ScaledETFHead, Tensor, Tensor]


def case(batch: int, classes: int, channels: int, places: int) -> Case:
    """A map of nonnegative features, the layers after it, centres, and labels (2.5 an image)."""
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    side = round(places**0.5)
    maps = torch.rand(batch, channels, side, side)
    # As a network in channels-last gives it.
    maps = maps.to(device, memory_format=torch.channels_last).requires_grad_()
    layers = models.ClassWise(channels, classes, PROJECTED, attention="cosine-attention")
    head = models.ScaledETFHead(classes * PROJECTED, classes)
    centres = functional.normalize(torch.randn(classes, PROJECTED))
    targets = (torch.rand(batch, classes) < 2.5 / classes).float()
    return maps, layers.to(device), head.to(device), centres.to(device), targets.to(device)


def ours(
    maps: Tensor,
    layers: models.ClassWise,
    head: models.ScaledETFHead,
    centres: Tensor,
    targets: Tensor,
) -> Tensor:
    """The loss, and its gradients."""
    features, attended, _ = layers(maps)
    value = losses.two_way(head(features.flatten(1)), targets)
    value = value + ALPHA * losses.feature_label_alignment(attended, layers.embedding, targets)
    value = value + BETA * losses.projected_collapse(features, centres, targets, tau=TAU)
    value.backward()
    return value.detach()


def products(
    maps: Tensor,
    layers: models.ClassWise,
    head: models.ScaledETFHead,
    centres: Tensor,
    targets: Tensor,
) -> Tensor:
    """The two batched products alone, and their gradients."""
    tokens = maps.flatten(2).transpose(1, 2)
    scores = layers.embedding @ tokens.transpose(1, 2)
    attended = scores @ tokens
    attended.backward(torch.ones_like(attended))
    return attended.detach()


def loop(
    maps: Tensor,
    layers: models.ClassWise,
    head: models.ScaledETFHead,
    centres: Tensor,
    targets: Tensor,
) -> Tensor:
    """The same value as ours, an image and a class at a time."""
    features, scores = [], []
    classes = targets.shape[1]
    alignment = collapse = maps.new_zeros(())
    for image, target in zip(maps, targets, strict=True):
        tokens = image.flatten(1).T
        rows = []
        for k in range(classes):
            label = layers.embedding[k]
            weights = torch.cosine_similarity(tokens, label[None], dim=1).softmax(0)
            attended = weights @ tokens
            cosine = torch.cosine_similarity(attended, label, dim=0)
            if target[k] == 1:
                alignment = alignment - ((1 + cosine) / 2).clamp_min(1e-6).log()
            else:
                gap = (classes - 1) / classes * (1 / (classes - 1) + cosine).abs()
                alignment = alignment - (1 - gap).clamp_min(1e-6).log()
            row = functional.normalize(attended @ layers.weight[k] + layers.bias[k], dim=0)
            if target[k] == 1:
                collapse = collapse - (centres @ row / TAU).log_softmax(0)[k]
            rows.append(row)
        features.append(torch.stack(rows))
        scores.append(head.weight @ torch.cat(rows))
    value = losses.two_way(torch.stack(scores), targets)
    value = value + ALPHA * alignment / targets.numel() + BETA * collapse / len(targets)
    value.backward()
    return value.detach()


def rows(given: argparse.Namespace) -> Iterator[list[str]]:
    """Time and memory of each."""
    size = (given.batch, given.classes, given.channels, given.places)
    few = (min(given.loop, given.batch), *size[1:])
    arguments, part = case(*size), case(*few)
    torch.testing.assert_close(ours(*part), loop(*part), rtol=1e-4, atol=1e-5)
    times = time_alternately(
        {
            "two products": lambda: products(*arguments),
            "the loss": lambda: ours(*arguments),
            "a loop": lambda: loop(*part),
        },
        repeats=given.repeats,
    )
    times["a loop"] *= given.batch / few[0]
    map_mib = given.batch * given.channels * given.places * 4 / 2**20
    small = Make(2, 4, 8, 4)
    for name, run in (("two products", products), ("the loss", ours), ("a loop", None)):
        memory = extra_memory(run, Make(*size), small) if run is not None else None
        yield [
            name,
            seconds(times[name]),
            f"{times[name] / times['two products']:.2f}x",
            f"{times[name] / times['the loss']:.2f}x",
            "" if memory is None else f"{memory:.0f} MiB, {memory / map_mib:.1f}x the map",
        ]


class Make:
    """A case of some size, made where it is called; a process of its own can have it."""

    def __init__(self, *size: int) -> None:
        self.size = size

    def __call__(self) -> Case:
        return case(*self.size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=64, help="images")
    parser.add_argument("--classes", type=int, default=80)
    parser.add_argument("--channels", type=int, default=2048)
    parser.add_argument("--places", type=int, default=49, help="of the map, a square number")
    parser.add_argument("--loop", type=int, default=2, help="images that the loop takes")
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    if round(given.places**0.5) ** 2 != given.places:
        parser.error(f"--places is {given.places}, expected a square number")
    columns = ["forwards and backwards", "time", "/ products", "/ loss", "extra peak memory"]
    title = f"MLC-NC's loss, {given.batch} images, {given.classes} classes ({machine()})"
    show(title, columns, rows(given))


if __name__ == "__main__":
    main()
