"""What a data set is: its description, and its images and labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from jaxtyping import UInt8
from torch import Tensor

from nclib import _options
from nclib._options import Option, Value
from nclib.data._canvases import Canvases
from nclib.data._labels import Labels
from nclib.data._stream import ImageFiles
from nclib.data._supports import SupportTable

Tensors = dict[str, tuple[Tensor, Tensor]]


class Statistics(NamedTuple):
    """Mean and deviation of each channel, of pixels scaled to [0, 1]."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


class Split(NamedTuple):
    """Images and labels on one device: class ids, or a row of truth values an image."""

    images: UInt8[Tensor, "N C H W"]
    labels: Labels


@dataclass(frozen=True)
class DatasetInfo:
    """What is known of a data set before it is read."""

    name: str
    title: str
    num_classes: int
    shape: tuple[int, int, int]  # channels, height, width
    train_per_class: tuple[int, int]  # smallest and largest class, in pairs of image and label
    pixels: Statistics  # over the training set
    read: Callable[[Path | None], Tensors] | None = None  # None: too large for the device
    read_files: Callable[[Path | None], dict[str, ImageFiles]] | None = None  # the images by path
    usual: Statistics | None = None  # what most code takes in their place, if it does
    augmentable: bool = True  # flips and crops keep what an image shows
    task: Literal["single_label", "multi_label"] = "single_label"
    transforms: tuple[str, str] = ("randaugment", "none")  # of streamed images: training, test
    #: Head, medium and tail, where those of the published set are not by count.
    groups: Mapping[str, tuple[int, ...]] | None = None
    options: Mapping[str, Option] = field(default_factory=dict)  # the choices that it leaves
    configure: Callable[[Mapping[str, Value]], DatasetInfo] | None = None  # what all options make
    #: The canvases with their layouts, on a device.
    compose: Callable[[Path | None, torch.device | str], dict[str, Canvases]] | None = None
    #: The label sets of its training images, where they are prescribed.
    train_supports: SupportTable | None = field(default=None, compare=False)

    def resolve(self, given: Mapping[str, Value]) -> dict[str, Value]:
        """Every option with its value, in alphabetical order.

        Raises:
            ValueError: if an option is unknown (near matches are listed) or out of range.
        """
        _options.check_names(f"data set {self.name!r}", given, self.options)
        return {
            name: option.parse(name, given.get(name, option.default))
            for name, option in sorted(self.options.items())
        }

    def spelt_out(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """The options that an id names: all but those that were added later, at their default."""
        return _options.spelt_out(self.options, values)


@dataclass(frozen=True)
class Dataset:
    """A data set on a device."""

    info: DatasetInfo
    train: Split
    test: Split


@dataclass(frozen=True)
class FileDataset:
    """A data set whose images stay in their files; ``Stream`` reads them."""

    info: DatasetInfo
    train: ImageFiles
    test: ImageFiles
    validation: ImageFiles | None = None  # some sets have none
