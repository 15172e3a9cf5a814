"""Data sets as tensors on the device: uint8 images kept whole, batched and augmented there.

Sets too large for the device are streamed from their files instead: ``load_files``, ``Stream``.
"""

from nclib.data._batches import augment, batches, mixup, per_class_subset, to_float
from nclib.data._canvas_sets import CANVAS_PRESETS
from nclib.data._canvases import PLACEMENTS, Canvases, Layout, canvases, lay_out, paint
from nclib.data._files import DataError, checksum, data_root
from nclib.data._fitted_supports import HeadTail, InfeasibleError, fit_supports
from nclib.data._image_sets import image_folder, vg200_statistics
from nclib.data._info import Dataset, DatasetInfo, FileDataset, Split, Statistics
from nclib.data._label_lists import LABEL_LISTS, LabelList, LabelListFile, label_list
from nclib.data._label_statistics import LabelStatistics, label_statistics
from nclib.data._labels import Labels, class_counts
from nclib.data._long_tail import (
    LONG_TAIL_KINDS,
    long_tail_counts,
    long_tail_indices,
    long_tail_sizes,
    long_tailed,
)
from nclib.data._samplers import SAMPLERS, Sampler, epoch_length, sampler
from nclib.data._sets import DATASETS, info, load, load_canvases, load_files, statistics
from nclib.data._stream import AUGMENTATIONS, ImageFiles, Stream
from nclib.data._supports import SupportTable, all_supports, support_table, tabulate

__all__ = [
    "AUGMENTATIONS",
    "CANVAS_PRESETS",
    "DATASETS",
    "LABEL_LISTS",
    "LONG_TAIL_KINDS",
    "PLACEMENTS",
    "SAMPLERS",
    "Canvases",
    "DataError",
    "Dataset",
    "DatasetInfo",
    "FileDataset",
    "HeadTail",
    "ImageFiles",
    "InfeasibleError",
    "LabelList",
    "LabelListFile",
    "LabelStatistics",
    "Labels",
    "Layout",
    "Sampler",
    "Split",
    "Statistics",
    "Stream",
    "SupportTable",
    "all_supports",
    "augment",
    "batches",
    "canvases",
    "checksum",
    "class_counts",
    "data_root",
    "epoch_length",
    "fit_supports",
    "image_folder",
    "info",
    "label_list",
    "label_statistics",
    "lay_out",
    "load",
    "load_canvases",
    "load_files",
    "long_tail_counts",
    "long_tail_indices",
    "long_tail_sizes",
    "long_tailed",
    "mixup",
    "paint",
    "per_class_subset",
    "sampler",
    "statistics",
    "support_table",
    "tabulate",
    "to_float",
    "vg200_statistics",
]
