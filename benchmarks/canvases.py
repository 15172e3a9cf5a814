"""Canvases made per second, against training on them.

``python -m benchmarks.canvases [--canvases N] [--steps N]``

For the published ML-CIFAR10, the small canvases of a laptop, and crowded ones with tiles of several
scales and distractors among the label sets of VOC-LT, in images per second: laying canvases out,
painting them in batches as a stream would, and training a small network (a ResNet-32 of width 8
with batches of 128) on them, forwards and backwards, without data to wait for. CIFAR-10 must lie
under the data root (``$NCLIB_DATA``).
"""

import argparse
from collections.abc import Callable, Iterator

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from benchmarks._timing import machine, show, time_alternately
from nclib import data, models

BATCH = 128
CASES = {
    "ML-CIFAR10, 64×64": {"placement": "corners", "shift": 7},
    "two tiles, 32×64": {"size": (32, 64), "placement": "grid"},
    "two tiles at free places, 64×64": {},
}
CROWDED = {"tile": (16, 16), "distractors": 2, "shrink": 2}  # tiles of 16 and of 8 pixels


def training(images: torch.Tensor, labels: torch.Tensor, steps: int) -> Callable[[], None]:
    """Steps of a small network on one batch that is there already."""
    network = models.build(
        "resnet32",
        tuple(images.shape[1:]),
        labels.shape[1],
        width=8,
        feature_dim=32,
        feature_layer="native",
    )
    network = network.to(images.device, memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), 0.1, 0.9)
    inputs = data.to_float(images[:BATCH], *data.info("cifar10").pixels)
    inputs, targets = inputs.contiguous(memory_format=torch.channels_last), labels[:BATCH].float()

    def train() -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            scores = network(inputs).scores
            binary_cross_entropy_with_logits(scores, targets).backward()
            optimizer.step()

    return train


def rates(device: str, count: int, steps: int) -> Iterator[list[str]]:
    """Canvases per second of each case."""
    images, labels = data.load("cifar10", device=device).train
    table = data.all_supports(10, {1: count // 20, 2: count // 90})
    cases = {name: (labels, table, options) for name, options in CASES.items()}
    of_voc = data.tabulate(data.label_list("voc-lt").labels)
    classes = torch.arange(len(images)) % 20  # what a tile shows costs nothing
    cases["crowded, 64×64"] = classes, of_voc, CROWDED
    for name, (classes, supports, options) in cases.items():
        complete = {"tile": (32, 32), "size": (64, 64), **options}

        def lay_out(c=classes, s=supports, o=complete) -> data.Layout:
            return data.lay_out(c, *s, **o)

        layout = lay_out()
        made = data.paint(images, layout)
        times = time_alternately(
            {
                "layout": lay_out,
                "paint": lambda on=layout: [
                    data.paint(images, on, rows) for rows in torch.arange(len(on)).split(BATCH)
                ],
                "train": training(made, layout.labels.to(device), steps),
            },
            repeats=3,
        )
        trained = steps * BATCH / times["train"]
        making = len(layout) / (times["layout"] + times["paint"])
        yield [
            name,
            f"{len(layout) / times['layout']:,.0f}/s",
            f"{len(layout) / times['paint']:,.0f}/s",
            f"{trained:,.0f}/s",
            f"{making / trained:.0f}x",
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--canvases", type=int, default=4000, help="of each case, about")
    parser.add_argument("--steps", type=int, default=4, help="of training in a round")
    given = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    columns = ["canvases", "laid out", "painted", "trained on", "made / trained"]
    rows = rates(device, given.canvases, given.steps)
    show(f"canvases of CIFAR-10 ({machine()})", columns, rows)


if __name__ == "__main__":
    main()
