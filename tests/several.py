"""A tiny data set with several labels an image, which tests register under the name ``several``."""

import dataclasses

import torch

from nclib import data

NAME, CLASSES = "several", 6
SUPPORTS = [(0,), (1,), (2,), (3,), (0, 1), (1, 2), (0, 2, 3), (3, 4), (4,), ()]
COUNTS = [30, 20, 20, 10, 20, 10, 10, 5, 5, 3]  # training images that have these labels


def _split(repeats: list[int], seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Each label lights a row of an image, beneath noise; nobody has the last label."""
    labels = torch.zeros(sum(repeats), CLASSES, dtype=torch.bool)
    rows = torch.arange(len(SUPPORTS)).repeat_interleave(torch.tensor(repeats)).tolist()
    for image, row in enumerate(rows):
        labels[image, list(SUPPORTS[row])] = True
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(labels), generator=generator)
    labels = labels[order]
    images = 60 * torch.nn.functional.pad(labels, (0, 2))[:, None, :, None].int()
    noise = torch.randint(0, 60, (len(labels), 1, 8, 8), generator=generator)
    return (images + noise).to(torch.uint8), labels


def _read(_):
    test = [max(1, n // 5) for n in COUNTS]
    return {"train": _split(COUNTS, 0), "test": _split(test, 1)}


def _read_everybody(_):
    """One training image has the last label, too."""
    splits = _read(None)
    splits["train"][1][0, -1] = True
    return splits


INFO = data.DatasetInfo(
    name=NAME,
    title="several labels",
    num_classes=CLASSES,
    shape=(1, 8, 8),
    train_per_class=(0, 60),
    pixels=data.Statistics((0.2,), (0.2,)),
    read=_read,
    augmentable=False,
    task="multi_label",
)

EVERYBODY = dataclasses.replace(
    INFO, name="everybody", read=_read_everybody, train_per_class=(1, 60)
)
