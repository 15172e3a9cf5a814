"""``nclib train``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nclib.cli._output import number, refuse, reported, table

if TYPE_CHECKING:
    from nclib.runs import RunConfig, RunRecord


def train(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option(help="A JSON file with the fields of one RunConfig.")
    ] = None,
    grid: Annotated[
        list[Path] | None,
        typer.Option(help="A JSON file with a list of such, or PAPER/PROFILE; several in order."),
    ] = None,
    record: Annotated[
        str | None, typer.Option("--id", help="Repeat this record of the ledger.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Runs at once.")] = 1,
    recompute: Annotated[
        bool, typer.Option("--recompute", help="Train although there is a record.")
    ] = False,
    publish: Annotated[
        bool, typer.Option("--publish", help="Put the records into the published ledger.")
    ] = False,
    time_limit: Annotated[
        float | None,
        typer.Option(min=0, help="Seconds after which to save the unfinished runs and stop."),
    ] = None,
    executor: Annotated[
        str | None,
        typer.Option(help="A Snakemake executor, such as slurm.", show_default="this process"),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(help="cpu or cuda: what its jobs ask for.", show_default="this machine's"),
    ] = None,
) -> None:
    """Train what the ledger lacks: one configuration, grids, or a record's once more.

    Stopped by the time limit or SIGTERM, it saves what it was training and exits with status 3; the
    same command goes on, also on another machine with the folder that NCLIB_CACHE names. A run that
    fails, or whose record cannot be stored, stops no other; it is named at the end, and the status
    is 1.

    With --executor each run is a job of its own, and what stands behind -- goes to Snakemake:
    nclib train --grid GRID --executor slurm --jobs 20 -- --default-resources slurm_partition=gpu
    """
    if sum(bool(choice) for choice in (config, grid, record)) != 1:
        refuse("name one of --config, --grid and --id")
    if executor is None and (device or context.args):
        refuse(f"{' '.join(context.args) or '--device'}: this goes with --executor alone")
    if executor is not None and (record or recompute or time_limit is not None):
        refuse("--executor goes without --id, --recompute and --time-limit")
    from nclib import _torchrun, queue, runs
    from nclib.papers import read_grid
    from nclib.runs import ledger
    from nclib.train import StoppedError

    until = None if time_limit is None else time.time() + time_limit
    before, problems = None, []
    with reported():
        if record is not None:
            before = ledger.record(record)
            configs, recompute = [before.config], True
        elif config is not None:
            configs = [runs.read_config(config)]
        else:
            listed = [one for source in grid or [] for one in read_grid(source)]
            configs = list({one.id: one for one in listed}.values())
        if executor is not None:
            problems += _in_jobs(configs, jobs, executor, device, context.args)
            configs = [one for one in configs if ledger.find_path(one) is not None]
            jobs = 1
        try:
            for made in queue.get_all(configs, jobs=jobs, recompute=recompute, until=until):
                if not _torchrun.leads():
                    continue
                place = ledger.holder(made, published=not recompute)
                if publish:
                    try:
                        place = ledger.publish(made)
                    except OSError as error:  # the others go on
                        problems.append(f"{made.id} could not be published: {error}")
                if place is None:
                    problems.append(
                        f"{made.id} could not be stored: neither in "
                        f"{ledger.cache_path(made.config)} nor in the folder of temporary files"
                    )
                else:
                    typer.echo(f"{made.id}  {made.profile}  {place}")
                if before is not None:
                    _compare(before, made)
        except StoppedError as error:
            if _torchrun.leads():
                typer.echo(f"nclib: {error}", err=True)
            raise typer.Exit(3) from None
        finally:
            for problem in problems:
                typer.echo(f"nclib: {problem}", err=True)
    if problems:
        raise typer.Exit(1)


def _in_jobs(
    configs: list[RunConfig], jobs: int, executor: str, device: str | None, extra: list[str]
) -> list[str]:
    """Train each in a job of its own; what went wrong."""
    from nclib import book as builder

    try:
        builder.train_in_jobs(configs, jobs=jobs, executor=executor, device=device, extra=extra)
    except builder.BuildError as error:
        return [str(error)]
    return []


def _compare(before: RunRecord, made: RunRecord) -> None:
    """Two records' final metrics side by side."""
    rows = [[k, number(before.final.get(k)), number(made.final[k])] for k in made.final]
    table(["final", "in the ledger", "now"], rows)
