"""Tables 1–4 of "MLC-NC" as they are printed, and what their totals should be."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from nclib.data import label_list, label_statistics, vg200_statistics
from nclib.papers._tables import Row, Source, Table, rows_against

_PARTS = {"Head": "test_head", "Medium": "test_medium", "Tail": "test_tail"}


def _columns(dataset: str, prefix: str = "", **others: str) -> dict[str, dict[str, Any]]:
    metrics = {"Total": "test_map", **others, **_PARTS}
    return {
        prefix + title: {"dataset": dataset, "metric": metric} for title, metric in metrics.items()
    }


#: By number, in per cent; the last row of Table 4 is the last one of Table 3.
TABLES = {
    table.number: table
    for table in (
        Table(
            1,
            "COCO-LT and VOC-LT: mean average precision (%)",
            {**_columns("coco-lt", "COCO-LT, "), **_columns("voc-lt", "VOC-LT, ")},
            rows_against(
                "ERM",
                ("ML-GCN", "ml-gcn", 44.24, 44.04, 48.36, 38.96, 68.92, 70.14, 76.41, 62.39),
                ("Focal", "bce-focal", 49.46, 49.80, 54.77, 42.14, 73.88, 69.41, 81.43, 71.56),
                ("ASL", "asl", 54.35, 50.59, 58.76, 51.82, 78.31, 71.12, 84.95, 78.71),
                ("ERM", "bce", 41.27, 48.48, 49.06, 24.25, 70.86, 68.91, 80.20, 65.31),
                ("RS", "bce-rs", 46.97, 47.58, 50.55, 41.70, 75.38, 70.95, 82.94, 73.05),
                ("RW", "bce-rw", 42.27, 48.62, 45.80, 32.02, 74.70, 67.58, 82.81, 73.96),
                ("OLTR", "oltr", 45.83, 47.45, 50.63, 38.05, 71.02, 70.31, 79.80, 64.96),
                ("LDAM", "bce-ldam", 40.53, 48.77, 48.38, 22.92, 70.33, 68.73, 80.38, 69.09),
                (
                    "CB Focal",
                    "bce-cb-focal",
                    49.06,
                    47.91,
                    53.01,
                    44.85,
                    75.24,
                    70.30,
                    83.53,
                    72.74,
                ),
                ("BBN", "bbn", 50.00, 49.79, 53.99, 44.91, 73.37, 71.31, 81.76, 68.62),
                ("DB", "db", 52.53, 50.25, 56.33, 49.54, 78.65, 73.16, 84.11, 78.66),
                ("DB-Focal", "db-focal", 53.55, 51.13, 57.05, 51.06, 78.94, 73.22, 84.18, 79.30),
                ("URS", "urs", 56.90, 54.13, 60.59, 54.47, 81.44, 75.68, 85.53, 82.69),
                ("MFM", "mfm", 55.25, 48.71, 58.24, 57.08, 79.64, 66.32, 84.69, 85.83),
                ("MLC-NC", "mlc-nc", 60.52, 49.69, 64.94, 64.21, 84.37, 72.75, 88.15, 90.31),
            ),
            Source,
        ),
        Table(
            2,
            "VG200: mean average precision (%), over images in the second column",
            _columns("vg200", **{"G-mAP": "test_global_map"}),
            rows_against(
                "BCE",
                ("BCE", "bce", 24.74, 38.39, 39.73, 22.70, 19.26),
                ("DB", "db", 30.83, 44.69, 47.07, 29.07, 22.80),
                ("DB-Focal", "db-focal", 30.51, 44.46, 47.65, 28.58, 22.36),
                ("ASL", "asl", 26.75, 42.99, 42.54, 24.73, 20.38),
                ("URS", "urs", 10.23, 17.8, 24.28, 8.73, 3.17),
                ("MFM", "mfm", 29.43, 44.51, 44.12, 27.54, 23.52),
                ("MLC-NC", "mlc-nc", 36.87, 50.07, 49.78, 35.13, 32.09),
            ),
            Source,
        ),
        Table(
            3,
            "VOC-LT, one part switched off: mean average precision (%)",
            _columns("voc-lt"),
            rows_against(
                "MLC-NC",
                ("without EGFL", "mlc-nc-without-egfl", 82.13, 72.47, 87.99, 84.98),
                ("without FPC", "mlc-nc-without-fpc", 83.43, 71.12, 87.88, 89.34),
                ("without BEC", "mlc-nc-without-bec", 79.59, 66.40, 85.64, 84.96),
                ("MLC-NC", "mlc-nc", 84.37, 72.75, 88.15, 90.31),
            ),
            Source,
        ),
        Table(
            4,
            "VOC-LT, other label embeddings: mean average precision (%)",
            _columns("voc-lt"),
            rows_against(
                "ETF embedding",
                ("Trainable embedding", "mlc-nc-trainable", 83.92, 71.99, 87.57, 90.14),
                ("GloVe embedding", "mlc-nc-glove", 83.74, 71.89, 87.74, 89.65),
                ("ETF embedding", "mlc-nc", 84.37, 72.75, 88.15, 90.31),
            ),
            Source,
        ),
    )
}

_ROUNDING = 0.01  # half a unit of the last digit in the total, and as much in the parts


@cache
def split_sizes(dataset: str) -> tuple[int, int, int]:
    """Classes of head, medium and tail.

    For ``voc-lt`` and ``coco-lt`` they are counted in the published training list, for ``vg200``
    they are the authors'.

    >>> split_sizes("voc-lt")
    (6, 6, 8)
    """
    if dataset == "vg200":
        groups, _ = vg200_statistics()
        return len(groups["head"]), len(groups["medium"]), len(groups["tail"])
    statistics = label_statistics(label_list(dataset).labels)
    return len(statistics.head), len(statistics.medium), len(statistics.tail)


def split_by_counts() -> tuple[int, int, int]:
    """Classes of VG200 with 100 training images or more, with 20 to 99, and with fewer.

    >>> split_by_counts()
    (30, 137, 33)
    """
    images = vg200_statistics()[1].diagonal()
    head, tail = int((images >= 100).sum()), int((images < 20).sum())
    return head, len(images) - head - tail, tail


@dataclass(frozen=True)
class Total:
    """A printed total, and the mean of its printed parts weighted by their classes."""

    table: int
    row: str
    dataset: str
    printed: float
    implied: float

    @property
    def consistent(self) -> bool:
        """Whether rounding alone can explain the difference."""
        return abs(self.printed - self.implied) <= _ROUNDING + 1e-9


def _total(table: Table[Source], row: Row, dataset: str) -> Total:
    numbers = {
        column["metric"]: number
        for column, number in zip(table.columns.values(), row.printed, strict=True)
        if column["dataset"] == dataset
    }
    sizes = split_sizes(dataset)
    parts = (numbers[metric] for metric in _PARTS.values())
    weighted = sum(size * (part or 0.0) for size, part in zip(sizes, parts, strict=True))
    return Total(
        table.number, row.title, dataset, numbers["test_map"] or 0.0, weighted / sum(sizes)
    )


def totals(number: int) -> list[Total]:
    """The totals of a table beside what its parts imply.

    Raises:
        KeyError: if there is no such table.

    >>> [f"{t.row} {t.dataset}" for t in totals(1) if abs(t.printed - t.implied) > 1]
    ['LDAM voc-lt']
    """
    table = TABLES[number]
    datasets = dict.fromkeys(column["dataset"] for column in table.columns.values())
    return [_total(table, row, dataset) for row in table.rows for dataset in datasets]
