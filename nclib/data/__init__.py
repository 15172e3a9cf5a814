"""Data sets as tensors on the device: uint8 images kept whole, batched and augmented there."""

from nclib.data._batches import augment, batches, per_class_subset, to_float
from nclib.data._files import DataError, checksum, data_root
from nclib.data._sets import DATASETS, Dataset, DatasetInfo, Split, info, load

__all__ = [
    "DATASETS",
    "DataError",
    "Dataset",
    "DatasetInfo",
    "Split",
    "augment",
    "batches",
    "checksum",
    "data_root",
    "info",
    "load",
    "per_class_subset",
    "to_float",
]
