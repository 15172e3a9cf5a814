"""``nclib book`` and ``nclib notebooks``."""

from __future__ import annotations

from typing import Annotated

import typer

from nclib.cli._output import reported


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

    with reported():
        if draft:
            page = builder.draft()
        else:
            extra = [argument for argument in context.args if argument != "--"]
            page = builder.build(profile, jobs=jobs, executor=executor, device=device, extra=extra)
    typer.echo(f"The book: {page.as_uri()}")


def notebooks() -> None:
    """Refresh the committed, normalised smoke outputs: the one command that writes notebooks/."""
    from nclib import book as builder

    with reported():
        changed = builder.refresh()
    typer.echo("\n".join(f"refreshed {name}" for name in changed) or "nothing changed")
