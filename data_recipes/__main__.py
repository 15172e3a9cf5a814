"""The command ``python -m data_recipes``."""

from __future__ import annotations

from typing import Annotated, NoReturn

import typer

import data_recipes
from data_recipes import Recipe, manifest_path
from nclib import data

app = typer.Typer(help="Get, check and describe the data sets.", no_args_is_help=True)
Names = Annotated[
    list[str],
    typer.Argument(help="Names of data sets (any ratio: cifar10-lt-20), or: all that are listed."),
]


@app.command("list")
def list_() -> None:
    """List the data sets, and whether each is built."""
    typer.echo(f"data root: {data.data_root()}")
    for recipe in data_recipes.listed():
        state = "built" if manifest_path(recipe.name).exists() else "not built"
        typer.echo(f"{recipe.name:<20} {state:<10} {recipe.source}")
    typer.echo("any other: BASE-lt-RATIO, BASE-lt-RATIO-step; add -seedN for another draw")


@app.command()
def build(names: Names) -> None:
    """Get data sets, check them, and write their manifests."""
    for recipe in _recipes(names):
        try:
            typer.echo(f"{recipe.name}: {recipe.build()}")
        except data.DataError as error:
            _fail(error)


@app.command()
def verify(names: Names) -> None:
    """Check data sets against their manifests."""
    for recipe in _recipes(names):
        try:
            recipe.verify()
        except data.DataError as error:
            _fail(error)
        typer.echo(f"{recipe.name}: as its manifest says")


def _recipes(names: list[str]) -> list[Recipe]:
    if names == ["all"]:
        return data_recipes.listed()
    try:
        return [data_recipes.find(name) for name in names]
    except ValueError as error:
        _fail(error)


def _fail(error: Exception) -> NoReturn:
    typer.echo(str(error), err=True)
    raise typer.Exit(1) from error


if __name__ == "__main__":
    app()
