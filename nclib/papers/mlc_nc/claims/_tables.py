"""What the tables say of themselves: a total is the mean over all classes."""

from __future__ import annotations

from functools import partial

from nclib.papers._claim import Check, Claim
from nclib.papers.mlc_nc.claims import _checks as checks

_TEXT = {
    1: "COCO-LT and VOC-LT, by method",
    2: "VG200, by method",
    3: "VOC-LT, one part switched off",
    4: "VOC-LT, other label embeddings",
}

TABLES = tuple(
    Claim(
        f"mlc-nc/table-{number}-totals",
        f"Table {number}, {text}",
        '"We evaluate mean average precision (mAP) across all classes": the total is the mean of '
        "head, medium and tail, weighted by their classes, to rounding.",
        (Check("every total is what its parts give", partial(checks.wrong_totals, number)),),
        chapter="mlc_nc/theory",
    )
    for number, text in _TEXT.items()
)
