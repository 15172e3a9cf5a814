"""Pages of the book that are computed: scorecard, evidence, differences of methods."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat

from nclib import papers
from nclib.book import chapters
from nclib.runs import RunRecord, described, ledger

EVIDENCE = """\
# Evidence

Behind every number of this book stands a run. This page lists them: how each chapter on these
pages was executed, and every record of the ledger.

## The chapters as you see them

{chapters}

Another run of the same chapter is one command, `nclib run CHAPTER -p name value`: see
[](reproduce.md).

## The records of the ledger

`nclib train --id RECORD` repeats a run; `nclib ledger show RECORD` prints its configuration, its
final metrics, and where it came from: device, versions, commit, date.

{records}
"""


def generated(site: Path) -> dict[str, str]:
    """The computed pages by path, from the executed notebooks below ``site`` and the ledger."""
    return {
        "book/api/differences.md": papers.differences_markdown(),
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
    """A table a paper, the runs of one kind together."""
    names = dict(zip(records, described([record.config for record in records]), strict=True))
    parts = []
    folders = {record.config.paper for record in records}
    for paper in sorted(folders, key=[*papers.PAPERS, *sorted(folders)].index):  # the book's order
        of_paper = [record for record in records if record.config.paper == paper]
        of_paper.sort(key=lambda r: (r.profile, names[r], r.config.seed))
        rows = [
            [
                names[record],
                str(record.config.seed),
                record.profile,
                f"{100 * record.score:.1f}",
                str(record.provenance.get("device", "")),
                str(record.provenance.get("date", ""))[:10],
                f"`{record.id}`",
            ]
            for record in of_paper
        ]
        metrics = " or ".join(sorted({record.config.task.title for record in of_paper}))
        head = ["run", "seed", "profile", f"test {metrics} (%)", "device", "date", "record"]
        title = papers.PAPERS[paper].title if paper in papers.PAPERS else paper
        parts += [f"### {title}", _table(head, rows)]
    return "\n\n".join(parts) or "The ledger is empty."


def _commit(stamp: Mapping[str, Any]) -> str:
    if stamp["commit"] is None:
        return "none"
    return f"`{stamp['commit'][:10]}`" + (" and changes" if stamp["dirty"] else "")


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(text) for text in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
