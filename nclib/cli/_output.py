"""What the commands print: tables, a bar of progress, and errors in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer


@contextmanager
def reported() -> Iterator[None]:
    """Turn an error that a user can act on into one line (or report) and exit status 1."""
    try:
        yield
        return
    except (ValueError, FileNotFoundError) as error:
        message = str(error)
    except (ArithmeticError, RuntimeError) as error:
        if not _is_for_users(error):
            raise
        message = str(error)
    refuse(message)


def _is_for_users(error: Exception) -> bool:
    from nclib.book import BuildError  # slow to import, and so only where they may be it
    from nclib.book.chapters import ChapterError
    from nclib.data import DataError
    from nclib.queue import FailedRunsError
    from nclib.train import DivergedError
    from nclib.ufm import ConvergenceError

    kinds = (BuildError, ChapterError, ConvergenceError, DataError, DivergedError)
    if isinstance(error, FailedRunsError):
        of_a_run = (*kinds, ValueError, FileNotFoundError, ChildProcessError)
        return all(isinstance(one, of_a_run) for one in error.errors.values())
    return isinstance(error, kinds)


def refuse(message: str) -> NoReturn:
    """Say why a command is not carried out, and exit with status 1."""
    typer.echo(f"nclib: {message}", err=True)
    raise typer.Exit(1)


def number(value: float | None) -> str:
    """Six digits; a dash for None."""
    return "–" if value is None else f"{value:.6g}"


def table(head: list[str], rows: list[list[str]]) -> None:
    """A table on a terminal; elsewhere plain lines, a tab between columns."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        for row in rows:
            typer.echo("\t".join(row))
        return
    drawn = Table(*head, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        drawn.add_row(*row)
    console.print(drawn)


class Bar:
    """A bar of finished cells on a terminal; nothing elsewhere."""

    def __init__(self, title: str) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
        )

        from nclib._terminal import watched

        self._progress = Progress(
            TextColumn(title),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("cells"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not watched(),
        )

    def __enter__(self) -> Callable[[int, int], None]:
        self._progress.start()
        task = self._progress.add_task("", total=None)
        return lambda done, total: self._progress.update(task, completed=done, total=total)

    def __exit__(self, *error: object) -> None:
        self._progress.stop()
