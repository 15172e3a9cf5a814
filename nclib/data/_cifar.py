"""CIFAR-10 and CIFAR-100 in their original files (A. Krizhevsky, 2009), read with numpy alone.

CIFAR-100 has 100 classes, five in each of 20 superclasses.
"""

from __future__ import annotations

import pickle
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nclib.data._files import DataError, data_root, read_verified


@dataclass(frozen=True)
class CifarFiles:
    """The published archive and the files inside it, with their MD5."""

    name: str
    folder: str
    url: str
    archive_md5: str
    label_key: bytes
    train: dict[str, str]
    test: dict[str, str]


CIFAR10 = CifarFiles(
    name="cifar10",
    folder="cifar-10-batches-py",
    url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    archive_md5="c58f30108f718f92721af3b95e74349a",
    label_key=b"labels",
    train={
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    },
    test={"test_batch": "40351d587109b95175f43aff81a1287e"},
)
CIFAR100 = CifarFiles(
    name="cifar100",
    folder="cifar-100-python",
    url="https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
    archive_md5="eb9058c3a382ffc7106e4002c42a8d85",
    label_key=b"fine_labels",
    train={"train": "16019d7e3df5f24257cddd939b257f8d"},
    test={"test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
)
CIFAR100_COARSE = replace(CIFAR100, name="cifar100-coarse", label_key=b"coarse_labels")


def missing(files: CifarFiles, root: Path | None = None) -> list[Path]:
    """Files of the data set that do not exist under the data root."""
    folder = (root or data_root()) / files.folder
    return [folder / name for name in (*files.train, *files.test) if not (folder / name).exists()]


def read(files: CifarFiles, root: Path | None = None) -> dict[str, tuple[Tensor, Tensor]]:
    """Images (N, 3, 32, 32) uint8 and labels (N,) int64 of the splits ``train`` and ``test``.

    Raises:
        DataError: if a file is absent, corrupted or truncated.
    """
    root = root or data_root()
    absent = missing(files, root)
    if absent:
        raise DataError(
            f"{files.name}: no file {absent[0]}; put the original folder {files.folder}/ "
            f"({files.url}) under {root}, or run: python -m data_recipes build {files.name}"
        )
    folder = root / files.folder
    return {
        "train": _stack([_read_batch(folder / f, md5, files) for f, md5 in files.train.items()]),
        "test": _stack([_read_batch(folder / f, md5, files) for f, md5 in files.test.items()]),
    }


def _read_batch(path: Path, md5: str, files: CifarFiles) -> tuple[np.ndarray, np.ndarray]:
    data = read_verified(path, md5)  # before unpickling: a pickle can run code
    with warnings.catch_warnings():
        # numpy objects to how Python 2 pickled its dtypes
        warnings.simplefilter("ignore", np.exceptions.VisibleDeprecationWarning)
        batch = pickle.loads(data, encoding="bytes")
    return batch[b"data"].reshape(-1, 3, 32, 32), np.asarray(batch[files.label_key])


def _stack(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[Tensor, Tensor]:
    images = np.concatenate([part[0] for part in parts])
    labels = np.concatenate([part[1] for part in parts])
    return torch.from_numpy(images), torch.from_numpy(labels).long()
