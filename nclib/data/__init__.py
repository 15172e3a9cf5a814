"""Data sets as tensors on the device: uint8 images kept whole, batched and augmented there.

Sets too large for the device are streamed from their files instead: ``load_files``, ``Stream``.
"""

from nclib.data._batches import augment, batches, mixup, per_class_subset, to_float
from nclib.data._files import DataError, checksum, data_root
from nclib.data._labels import Labels, class_counts
from nclib.data._long_tail import (
    LONG_TAIL_KINDS,
    long_tail_counts,
    long_tail_indices,
    long_tailed,
)
from nclib.data._samplers import SAMPLERS, Sampler, epoch_length, sampler
from nclib.data._sets import (
    DATASETS,
    Dataset,
    DatasetInfo,
    FileDataset,
    Split,
    Statistics,
    info,
    load,
    load_files,
    statistics,
)
from nclib.data._stream import AUGMENTATIONS, ImageFiles, Stream

__all__ = [
    "AUGMENTATIONS",
    "DATASETS",
    "LONG_TAIL_KINDS",
    "SAMPLERS",
    "DataError",
    "Dataset",
    "DatasetInfo",
    "FileDataset",
    "ImageFiles",
    "Labels",
    "Sampler",
    "Split",
    "Statistics",
    "Stream",
    "augment",
    "batches",
    "checksum",
    "class_counts",
    "data_root",
    "epoch_length",
    "info",
    "load",
    "load_files",
    "long_tail_counts",
    "long_tail_indices",
    "long_tailed",
    "mixup",
    "per_class_subset",
    "sampler",
    "statistics",
    "to_float",
]
