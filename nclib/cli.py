"""The command ``nclib``: run a chapter, train a configuration, show the ledger, build the book."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from nclib.runs import RunConfig, RunRecord

app = typer.Typer(
    help="The Neural Collapse Companion: chapters, runs, ledger and book.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


@app.command("chapters")
def list_chapters(
    chapter: Annotated[
        str | None, typer.Argument(help="Show this chapter's parameters.", show_default=False)
    ] = None,
) -> None:
    """List the chapters, or the parameters of one."""
    from nclib import chapters

    if chapter is None:
        with _told():
            rows = [
                [c.name, c.title, ", ".join(chapters.parameters(c))]
                for c in chapters.list_chapters()
            ]
        _table(["chapter", "title", "parameters"], rows)
        return
    with _told():
        found_parameters = chapters.parameters(chapter)
    _table(
        ["parameter", "type", "default", "meaning"],
        [[p.name, p.type_name, repr(p.default), p.comment] for p in found_parameters.values()],
    )


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(
    context: typer.Context,
    chapter: Annotated[str, typer.Argument(help="As listed by nclib chapters.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The executed notebook.", show_default="build/runs/CHAPTER.ipynb"
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of the kernel (smoke: 1; else: its choice).")
    ] = None,
) -> None:
    """Execute a chapter with other parameters: [bold]-p name value[/bold], as often as needed.

    The names, types and defaults of a chapter's parameters: nclib chapters CHAPTER.

    Example: nclib run class_encoding/conjecture -p num_classes 6 -o six.ipynb
    """
    from nclib import chapters

    with _told():
        texts = dict(_pairs(context.args))
        known = chapters.check_names(chapter, texts)
        values = {name: known[name].parse(text) for name, text in texts.items()}
        if output is None:
            from nclib.book import build_folder

            output = build_folder() / "runs" / f"{chapter}.ipynb"
        with _bar(chapter) as progress:
            chapters.execute(chapter, output, values, progress=progress, threads=threads)
    print(output)


@app.command(context_settings={"allow_extra_args": True})
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
        _refuse("name one of --config, --grid and --id")
    if executor is None and (device or context.args):
        _refuse(f"{' '.join(context.args) or '--device'}: this goes with --executor alone")
    if executor is not None and (record or recompute or time_limit is not None):
        _refuse("--executor goes without --id, --recompute and --time-limit")
    import time

    from nclib import runs
    from nclib.runs import _torchrun, ledger
    from nclib.train import StoppedError

    until = None if time_limit is None else time.time() + time_limit
    before, problems = None, []
    with _told():
        if record is not None:
            before = _record(record)
            configs, recompute = [before.config], True
        elif config is not None:
            configs = [runs.read_config(config)]
        else:
            listed = [one for source in grid or [] for one in runs.read_grid(source)]
            configs = list({one.id: one for one in listed}.values())
        if executor is not None:
            problems += _in_jobs(configs, jobs, executor, device, context.args)
            configs = [one for one in configs if ledger.find_path(one) is not None]
            jobs = 1
        try:
            for made in runs.get_all(configs, jobs=jobs, recompute=recompute, until=until):
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
        builder.train(configs, jobs=jobs, executor=executor, device=device, extra=extra)
    except builder.BuildError as error:
        return [str(error)]
    return []


def _compare(before: RunRecord, made: RunRecord) -> None:
    """Two records' final metrics side by side."""
    rows = [[k, _number(before.final.get(k)), _number(made.final[k])] for k in made.final]
    _table(["final", "in the ledger", "now"], rows)


ledger_app = typer.Typer(help="The published run records.", no_args_is_help=True)
app.add_typer(ledger_app, name="ledger")


@ledger_app.command("list")
def ledger_list() -> None:
    """List the published records."""
    from nclib.runs import described, ledger

    with _told():
        records = ledger.records()
    told = described([record.config for record in records])
    rows = [
        [record.id, record.config.paper, record.profile, run, str(record.config.seed)]
        for record, run in zip(records, told, strict=True)
    ]
    _table(["record", "paper", "profile", "run", "seed"], rows)


@ledger_app.command("show")
def ledger_show(record: Annotated[str, typer.Argument(help="Its id, or how that begins.")]) -> None:
    """Show a record: configuration, final metrics, provenance."""
    import json

    with _told():
        found = _record(record)
    shown = {
        "config": json.loads(found.config.to_json()),
        "final": dict(found.final),
        "provenance": dict(found.provenance),
    }
    typer.echo(json.dumps(shown, indent=1))


@ledger_app.command("measure")
def ledger_measure(
    record: Annotated[str, typer.Argument(help="Its id, or how that begins.")],
) -> None:
    """Measure a record's network anew: its weights must be in the cache."""
    from nclib.runs import ledger

    with _told():
        from nclib.train import measure_again

        found = _record(record)
        first = found.config.first_stage()
        base = None if first is None else ledger.network_path(first)
        again = measure_again(found, ledger.network_path(found.config), base=base)
        path = ledger.publish(again)
    typer.echo(str(path))


@ledger_app.command("verify")
def ledger_verify() -> None:
    """Check every record: whole, unedited, in its place."""
    from nclib.runs import ledger

    problems = ledger.verify()
    for problem in problems:
        typer.echo(problem, err=True)
    if problems:
        raise typer.Exit(1)
    typer.echo(f"{len(ledger.records())} records, all whole and in their place")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def book(
    context: typer.Context,
    profile: Annotated[str, typer.Option(help="smoke, laptop or paper.")] = "smoke",
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Chapters at once.", show_default="all cores")
    ] = None,
    executor: Annotated[str, typer.Option(help="A Snakemake executor: local, slurm, …")] = "local",
    device: Annotated[
        str | None,
        typer.Option(help="cpu or cuda, where the chapters run.", show_default="this machine's"),
    ] = None,
    draft: Annotated[
        bool,
        typer.Option(
            "--draft", help="Only look: take the outputs in notebooks/, let warnings pass."
        ),
    ] = False,
) -> None:
    """Execute the chapters that changed and build the book.

    What stands behind -- goes to Snakemake, such as the resources of a cluster's jobs:
    nclib book --executor slurm --jobs 20 -- --default-resources slurm_partition=gpu
    """
    from nclib import book as builder

    with _told():
        if draft:
            page = builder.draft()
        else:
            extra = [argument for argument in context.args if argument != "--"]
            page = builder.build(profile, jobs=jobs, executor=executor, device=device, extra=extra)
    typer.echo(f"The book: {page.as_uri()}")


@app.command()
def notebooks() -> None:
    """Refresh the committed, normalised smoke outputs: the one command that writes notebooks/."""
    from nclib import book as builder

    with _told():
        changed = builder.refresh()
    typer.echo("\n".join(f"refreshed {name}" for name in changed) or "nothing changed")


@app.command()
def doctor() -> None:
    """Say what this machine has, what it can run, and roughly how long that takes."""
    from nclib import _doctor

    with _told():
        rows, well = _doctor.examine()
    _table(["what", "found", "means"], rows)
    raise typer.Exit(0 if well else 1)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.6g}"


def _record(name: str) -> Any:
    from nclib.runs import ledger

    found = [r for r in ledger.records() if r.id.startswith(name)]
    if len(found) != 1:
        raise ValueError(f"{len(found)} records of the ledger begin with {name!r}, expected one")
    return found[0]


def _pairs(arguments: list[str]) -> list[tuple[str, str]]:
    """``-p name value -p name value`` as pairs."""
    rest, pairs = list(arguments), []
    while rest:
        option = rest.pop(0)
        if option not in ("-p", "--parameter"):
            raise ValueError(f"{option!r} is no option; parameters are given as -p name value")
        if len(rest) < 2:
            raise ValueError(f"{option} {' '.join(rest)}: expected -p name value")
        pairs.append((rest.pop(0), rest.pop(0)))
    return pairs


class _told:
    """Turns an error that a user can act on into one line (or report) and exit status 1."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, (ValueError, FileNotFoundError)):
            _refuse(str(error))
        if not isinstance(error, (ArithmeticError, RuntimeError)):
            return
        from nclib.book import BuildError  # slow to import, and so only where they may be it
        from nclib.chapters import ChapterError
        from nclib.data import DataError
        from nclib.runs import FailedRunsError
        from nclib.train import DivergedError
        from nclib.ufm import ConvergenceError

        known = (BuildError, ChapterError, ConvergenceError, DataError, DivergedError)
        in_a_run = (*known, ValueError, FileNotFoundError, ChildProcessError)
        failed = isinstance(error, FailedRunsError) and error.errors.values()
        if isinstance(error, known) or (failed and all(isinstance(e, in_a_run) for e in failed)):
            _refuse(str(error))


def _refuse(message: str) -> NoReturn:
    typer.echo(f"nclib: {message}", err=True)
    raise typer.Exit(1)


def _console() -> Console:
    from rich.console import Console

    return Console()


def _table(head: list[str], rows: list[list[str]]) -> None:
    """A table on a terminal; elsewhere plain lines, a tab between columns."""
    console = _console()
    if not console.is_terminal:
        for row in rows:
            typer.echo("\t".join(row))
        return
    from rich.table import Table

    table = Table(*head, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*row)
    console.print(table)


class _bar:
    """A bar of finished cells on a terminal; nothing elsewhere."""

    def __init__(self, title: str) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
        )

        columns = [TextColumn(title), BarColumn(), MofNCompleteColumn(), TextColumn("cells")]
        from rich.console import Console

        from nclib._terminal import watched

        self._progress = Progress(
            *columns,
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not watched(),
        )

    def __enter__(self) -> Any:
        self._progress.start()
        task = self._progress.add_task("", total=None)
        return lambda done, total: self._progress.update(task, completed=done, total=total)

    def __exit__(self, *error: object) -> None:
        self._progress.stop()


if __name__ == "__main__":
    app()
