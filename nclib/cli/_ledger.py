"""``nclib ledger``: list, show, measure, verify."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from nclib.cli._output import reported, table

app = typer.Typer(help="The published run records.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="RECORD", help="Its id, or how that begins.")]


@app.command("list")
def list_records() -> None:
    """List the published records."""
    from nclib.runs import described, ledger

    with reported():
        records = ledger.records()
    names = described([record.config for record in records])
    rows = [
        [record.id, record.config.paper, record.profile, name, str(record.config.seed)]
        for record, name in zip(records, names, strict=True)
    ]
    table(["record", "paper", "profile", "run", "seed"], rows)


@app.command("show")
def show_record(record_id: Id) -> None:
    """Show a record: configuration, final metrics, provenance."""
    from nclib.runs import ledger

    with reported():
        record = ledger.record(record_id)
    shown = {
        "config": json.loads(record.config.to_json()),
        "final": dict(record.final),
        "provenance": dict(record.provenance),
    }
    typer.echo(json.dumps(shown, indent=1))


@app.command("measure")
def measure_record(record_id: Id) -> None:
    """Measure a record's network anew: its weights must be in the cache."""
    from nclib.runs import ledger
    from nclib.train import measure_again

    with reported():
        record = ledger.record(record_id)
        previous = record.config.previous()
        base = None if previous is None else ledger.network_path(previous)
        again = measure_again(record, ledger.network_path(record.config), base=base)
        path = ledger.publish(again)
    typer.echo(str(path))


@app.command("verify")
def verify_records() -> None:
    """Check every record: whole, unedited, in its place."""
    from nclib.runs import ledger

    problems = ledger.verify()
    for problem in problems:
        typer.echo(problem, err=True)
    if problems:
        raise typer.Exit(1)
    typer.echo(f"{len(ledger.records())} records, all whole and in their place")
