"""Images that stay in their files: decoded and transformed by worker processes, batch by batch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from nclib._names import unknown
from nclib.data._files import DataError
from nclib.data._labels import Labels

#: What a stream does to a decoded image before it has its size.
AUGMENTATIONS = ("none", "whole", "crop", "jitter", "randaugment", "scales")
_FIXED = ("none", "whole")  # nothing is drawn


@dataclass(frozen=True)
class ImageFiles:
    """Images by their paths.

    Attributes:
        folder: what the paths are relative to.
        paths: one for every image.
        labels: class of every image, or multi-hot.
    """

    folder: Path
    paths: tuple[str, ...]
    labels: Labels

    def __len__(self) -> int:
        return len(self.paths)

    def missing(self) -> list[str]:
        """The paths at which there is no file; each folder is listed once."""
        present: set[str] = set()
        for parent in {os.path.dirname(path) for path in self.paths}:
            if (self.folder / parent).is_dir():
                names = os.listdir(self.folder / parent)
                present |= {f"{parent}/{name}" if parent else name for name in names}
        return [path for path in self.paths if path not in present]


def check_present(name: str, splits: Mapping[str, ImageFiles], hint: str) -> None:
    """Refuse images that are absent.

    Args:
        name: of the data set.
        splits: its images.
        hint: what to put where; it stands behind what is absent.

    Raises:
        DataError: in one line, with the first of them.
    """
    absent = [files.folder / path for files in splits.values() for path in files.missing()]
    if absent:
        total = sum(map(len, splits.values()))
        raise DataError(
            f"{name}: {len(absent):,} of {total:,} images are missing, the first is {absent[0]}; "
            f"{hint}"
        )


def check_images(name: str, splits: Mapping[str, ImageFiles], hint: str) -> None:
    """Refuse images that are absent, that are none, or that have one pixel.

    Their headers alone are read, which takes a second for some thousand of them. The arguments are
    those of :func:`check_present`.

    Raises:
        DataError: in one line, with the first image that is concerned.
    """
    check_present(name, splits, hint)
    with ThreadPoolExecutor() as pool:
        for files in splits.values():
            for _ in pool.map(_header, (files.folder / path for path in files.paths)):
                pass


def _header(path: Path) -> None:
    from PIL import Image

    try:
        with Image.open(path) as file:
            _check_size(path, file.size)
    except (OSError, SyntaxError) as error:  # Pillow raises the latter for a broken PNG
        raise DataError(f"{path} cannot be read as an image: {error}") from None


def _check_size(path: Path, size: tuple[int, int]) -> None:
    if min(size) < 2:
        width, height = size
        raise DataError(f"{path} has {width}×{height} pixels, expected at least 2 on each side")


def read_image(path: Path) -> Any:
    """The decoded image in colour; a grey one has three equal channels.

    Raises:
        DataError: if the file is absent or is no whole image, or one side has a single pixel; the
            message names it.
    """
    from PIL import Image

    try:
        with Image.open(path) as file:
            _check_size(path, file.size)
            return file.convert("RGB")
    except (OSError, SyntaxError) as error:
        raise DataError(f"{path} cannot be read as an image: {error}") from None


def _transform(augmentation: str, size: int) -> Callable[[Any], Tensor]:
    from torchvision.transforms import v2

    if augmentation == "none":
        steps = [v2.Resize(round(size * 256 / 224)), v2.CenterCrop(size)]
        return v2.Compose([*steps, v2.PILToTensor()])
    whole = v2.Resize((size, size), v2.InterpolationMode.BICUBIC)
    if augmentation == "whole":
        return v2.Compose([whole, v2.PILToTensor()])
    if augmentation == "scales":
        crops = v2.RandomChoice([v2.RandomCrop(round(size * part / 7)) for part in (7, 6, 5)])
        return v2.Compose([whole, crops, whole, v2.RandomHorizontalFlip(), v2.PILToTensor()])
    steps = [v2.RandomResizedCrop(size), v2.RandomHorizontalFlip()]
    if augmentation == "jitter":
        steps.append(v2.ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4))
    elif augmentation == "randaugment":
        steps.append(v2.RandAugment())
    return v2.Compose([*steps, v2.PILToTensor()])


class _Decoded(TorchDataset):
    """Transformed images by (index, seed of the transform's draws)."""

    def __init__(self, files: ImageFiles, transform: Callable[[Any], Tensor]) -> None:
        self.files = files
        self.transform = transform

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, Tensor]:
        index, seed = key
        image = read_image(self.files.folder / self.files.paths[index])
        with torch.random.fork_rng(devices=[]):  # the transforms draw from torch's own generator
            torch.default_generator.manual_seed(seed)
            return self.transform(image), self.files.labels[index]


class _Plan:
    """The batches of the current epoch; the loader, which outlives it, asks anew every epoch."""

    def __init__(self) -> None:
        self.batches: list[list[tuple[int, int]]] = []

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class Stream:
    """Batches of images read from their files.

    ``"none"``: the shorter side to 256, the central 224 × 224. ``"crop"`` cuts a random area (8 to
    100 % of the image) to 224 × 224 and flips half of the images; ``"jitter"`` then changes
    brightness, contrast and saturation by up to 40 %, ``"randaugment"`` applies two operations of
    RandAugment (torchvision's magnitude 9 of 30). ``"whole"``: the whole image to 448 × 448,
    whatever its shape; ``"scales"`` cuts a random 448, 384 or 320 pixels from that, of which it
    makes 448 again, and flips half of the images. Other sizes are scaled alike. Labels are a class
    an image, or a row of truth values.

    Args:
        files: the images.
        batch_size: images in a batch; the last one may be smaller.
        augmentation: one of ``AUGMENTATIONS``.
        size: side of the square images; the shorter side is scaled with it.
        workers: processes that decode; they live as long as the stream. 0: this process.
        device: where the batches go.

    Raises:
        ValueError: if the augmentation is unknown, or a number is out of its range.
    """

    def __init__(
        self,
        files: ImageFiles,
        *,
        batch_size: int,
        augmentation: str = "none",
        size: int = 224,
        workers: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        if augmentation not in AUGMENTATIONS:
            raise unknown("augmentation", augmentation, AUGMENTATIONS)
        for name, value, least in (
            ("batch_size", batch_size, 1),
            ("size", size, 1),
            ("workers", workers, 0),
        ):
            if value < least:
                raise ValueError(f"{name} {value} must be at least {least}")
        self.batch_size = batch_size
        self.random = augmentation not in _FIXED
        self.device = torch.device(device)
        self._plan = _Plan()
        self._loader: DataLoader[Any] = DataLoader(
            _Decoded(files, _transform(augmentation, size)),
            batch_sampler=self._plan,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=self.device.type == "cuda",
            generator=torch.Generator(),  # else each epoch draws from the global one
        )

    def epoch(
        self, indices: Int64[Tensor, " n"], generator: torch.Generator | None = None
    ) -> Iterator[tuple[UInt8[Tensor, "B 3 S S"], Labels]]:
        """The images of these indices in order, and their labels.

        Every image has its own seed, drawn from the generator before the first batch, so that the
        batches do not depend on the number of workers. An epoch may be left early; with workers,
        the next call ends it.

        Args:
            indices: of the images; for training, what ``sampler`` gives.
            generator: of the augmentation; not needed where there is none.

        Raises:
            ValueError: if there is augmentation and no generator.
            DataError: if a file is absent, is no image, or has one pixel; the message names it.
        """
        if self.random and generator is None:
            raise ValueError("augmentation needs a generator")
        seeds = torch.zeros(len(indices), dtype=torch.int64)
        if self.random and generator is not None:
            seeds = torch.randint(
                2**62, (len(indices),), generator=generator, device=generator.device
            )
        keys = list(zip(indices.tolist(), seeds.tolist(), strict=True))
        self._plan.batches = [
            keys[start : start + self.batch_size] for start in range(0, len(keys), self.batch_size)
        ]
        for images, labels in self._loader:
            yield (
                images.to(self.device, non_blocking=True),
                labels.to(self.device, non_blocking=True),
            )
