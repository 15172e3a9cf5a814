"""``nclib chapters`` and ``nclib run``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nclib.cli._output import Bar, reported, table


def list_chapters(
    chapter: Annotated[
        str | None, typer.Argument(help="Show this chapter's parameters.", show_default=False)
    ] = None,
) -> None:
    """List the chapters, or the parameters of one."""
    from nclib.book import chapters

    if chapter is None:
        with reported():
            rows = [
                [c.name, c.title, ", ".join(chapters.parameters(c))]
                for c in chapters.list_chapters()
            ]
        table(["chapter", "title", "parameters"], rows)
        return
    with reported():
        parameters = chapters.parameters(chapter)
    table(
        ["parameter", "type", "default", "meaning"],
        [[p.name, p.type_name, repr(p.default), p.comment] for p in parameters.values()],
    )


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
    from nclib.book import chapters

    with reported():
        texts = dict(_pairs(context.args))
        parameters = chapters.check_names(chapter, texts)
        values = {name: parameters[name].parse(text) for name, text in texts.items()}
        if output is None:
            from nclib.book import build_folder

            output = build_folder() / "runs" / f"{chapter}.ipynb"
        with Bar(chapter) as progress:
            chapters.execute(chapter, output, values, progress=progress, threads=threads)
    typer.echo(str(output))


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
