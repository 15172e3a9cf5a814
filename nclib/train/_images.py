"""Where a run's images come from: tensors on the device, or files that are decoded as they go."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from nclib import data
from nclib.runs import RunConfig
from nclib.train._processes import local_rows
from nclib.train._random import BEFORE, VIEWS, generator

Batches = Iterator[tuple[UInt8[Tensor, "B C H W"], data.Labels]]
_CHUNKS = {"cpu": 200, "cuda": 2500}  # images evaluated at once
_STREAMED_CHUNK = 100  # they are larger


@runtime_checkable
class Images(Protocol):
    """The training and test images of a run."""

    info: data.DatasetInfo
    labels: data.Labels  # of the training images, on the device

    def batches(
        self,
        order: Sequence[Int64[Tensor, " _"]],
        begin: int,
        draws: torch.Generator,
        epoch: int,
        view: int = 0,
    ) -> Batches:
        """The epoch's training batches from number ``begin`` on, augmented: one of its views."""

    def chunks(self, split: Literal["train", "test"], *, part: bool) -> Batches:
        """A split in order, as it is; with ``part`` this process's part."""


def load(config: RunConfig, device: torch.device) -> Images:
    """The images that a configuration names."""
    if data.info(config.dataset).read is None:
        return Streamed(config, device)
    return InMemory(config, device)


class InMemory:
    """Images that live on the device."""

    def __init__(self, config: RunConfig, device: torch.device) -> None:
        dataset = data.load(config.dataset, device=device, options=dict(config.dataset_options))
        if config.imbalance > 1:
            dataset = data.long_tailed(
                dataset, config.imbalance, kind=config.imbalance_kind, seed=config.subset_seed
            )
        train = dataset.train
        if config.per_class is not None:
            chosen = data.per_class_subset(
                train.labels, config.per_class, generator(config.seed, BEFORE)
            ).to(device)
            train = data.Split(train.images[chosen], train.labels[chosen])
        self.info, self.labels, self.augment = dataset.info, train.labels, config.augment
        self.splits = {"train": train, "test": dataset.test}

    def batches(
        self,
        order: Sequence[Int64[Tensor, " _"]],
        begin: int,
        draws: torch.Generator,
        epoch: int,
        view: int = 0,
    ) -> Batches:
        """Cropped and flipped in batch, if at all."""
        images, labels = self.splits["train"]
        for chosen in order[begin:]:
            chosen = chosen.to(images.device, non_blocking=True)
            batch = images[chosen]
            yield data.augment(batch, draws) if self.augment else batch, labels[chosen]

    def chunks(self, split: Literal["train", "test"], *, part: bool) -> Batches:
        """Slices of the tensors."""
        images, labels = self.splits[split]
        if part:
            images, labels = local_rows(images), local_rows(labels)
        size = _CHUNKS[images.device.type]
        yield from zip(images.split(size), labels.split(size), strict=True)


class Streamed:
    """Images in files, decoded by worker processes; the data set names how they are augmented.

    The number of workers is that of the cores, at most eight. Several training processes decode
    every batch each.
    """

    def __init__(self, config: RunConfig, device: torch.device) -> None:
        files = data.load_files(config.dataset)
        self.info, self.seed = files.info, config.seed
        self.labels = files.train.labels.to(device)
        workers = min(8, os.cpu_count() or 1)
        stream = partial(data.Stream, workers=workers, size=self.info.shape[1], device=device)
        augmented, whole = self.info.transforms
        self.training = [  # one a view; what is not asked for starts no workers
            stream(
                files.train,
                batch_size=config.batch_size,
                augmentation=augmented if config.augment else whole,
            )
            for _ in VIEWS
        ]
        self.splits = {
            name: (stream(split, batch_size=_STREAMED_CHUNK, augmentation=whole), len(split))
            for name, split in (("train", files.train), ("test", files.test))
        }

    def batches(
        self,
        order: Sequence[Int64[Tensor, " _"]],
        begin: int,
        draws: torch.Generator,
        epoch: int,
        view: int = 0,
    ) -> Batches:
        """The augmentation of a view has a stream of its own, since workers decode ahead."""
        seeds = generator(self.seed, VIEWS[view] + epoch)
        done = sum(len(chosen) for chosen in order[:begin])
        torch.randint(2**62, (done,), generator=seeds)  # those of the images before
        yield from self.training[view].epoch(torch.cat(list(order[begin:])), seeds)

    def chunks(self, split: Literal["train", "test"], *, part: bool) -> Batches:
        """Resized and cut, not augmented."""
        stream, count = self.splits[split]
        indices = torch.arange(count)
        yield from stream.epoch(local_rows(indices) if part else indices)
