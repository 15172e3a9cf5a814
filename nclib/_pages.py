"""Pages of the book that are computed: the scorecard and the evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat

from nclib import chapters, papers
from nclib.runs import RunConfig, RunRecord, ledger

EVIDENCE = """\
# Evidence

Behind every number of this book stands a run. This page lists them: how each chapter on these
pages was executed, and every record of the ledger with the command that repeats it.

## The chapters as you see them

{chapters}

Another run of the same chapter is one command, `nclib run CHAPTER -p name value`: see
[](reproduce.md).

## The records of the ledger

{records}
"""


def generated(site: Path) -> dict[str, str]:
    """The computed pages by path, from the executed notebooks below ``site`` and the ledger."""
    return {
        "book/scorecard.md": papers.scorecard_markdown(),
        "book/evidence.md": EVIDENCE.format(
            chapters=_chapters(site), records=_records(ledger.records())
        ),
    }


def _chapters(site: Path) -> str:
    rows = []
    for chapter in chapters.list_chapters():
        path = site / "notebooks" / f"{chapter.name}.ipynb"
        stamp = nbformat.read(path, as_version=4).metadata.get("nclib")
        if stamp is None:  # a draft shows the outputs that the notebook came with
            rows.append([f"[](../notebooks/{chapter.name}.ipynb)", "as committed", "", "", "", ""])
            continue
        given = {k: v for k, v in stamp["parameters"].items() if k != "profile"}
        rows.append(
            [
                f"[](../notebooks/{chapter.name}.ipynb)",
                stamp["parameters"]["profile"],
                ", ".join(f"`{name}={value!r}`" for name, value in given.items()),
                stamp["device"],
                f"{stamp['seconds']:.0f} s",
                _commit(stamp),
            ]
        )
    head = ["chapter", "profile", "parameters", "device", "time", "commit"]
    return _table(head, rows) if rows else "There are no chapters."


def _records(records: list[RunRecord]) -> str:
    if not records:
        return "The ledger is empty."
    rows = []
    for record in records:
        config, origin = record.config, record.provenance
        rows.append(
            [
                f"`{record.id}`",
                config.paper,
                _run(config),
                record.profile,
                str(config.seed),
                str(origin.get("device", "")),
                str(origin.get("date", ""))[:10],
                f"`nclib train --id {record.id}`",
            ]
        )
    head = ["record", "paper", "run", "profile", "seed", "device", "date", "repeat"]
    return _table(head, rows)


def _run(config: RunConfig) -> str:
    """What sets a run apart from the others of its paper."""
    parts = [config.dataset, config.model, config.trains]
    if config.imbalance > 1:
        parts.insert(1, f"ratio {config.imbalance:g}")
    if config.method == "plain":
        parts += [f"{name} {value:g}" for name, value in config.encoding_options]
        parts += ["no bias" if math.isinf(config.lam_b) else f"$\\lambda_b = {config.lam_b:g}$"]
        if config.feature_layer != "linear":
            parts.append(f"{config.feature_layer} features")
    if config.precision != "32-true":
        parts.append(config.precision)
    return ", ".join([*parts, f"{config.epochs} epochs"])


def _commit(stamp: Mapping[str, Any]) -> str:
    if stamp["commit"] is None:
        return "none"
    return f"`{stamp['commit'][:10]}`" + (" and changes" if stamp["dirty"] else "")


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(text) for text in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
