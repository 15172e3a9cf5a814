"""The command ``python -m data_recipes``."""

from __future__ import annotations

from typing import Annotated

import typer

from data_recipes import RECIPES, Recipe, manifest_path
from nclib import data
from nclib._names import unknown

app = typer.Typer(help="Get, check and describe the data sets.", no_args_is_help=True)
Names = Annotated[list[str], typer.Argument(help="Names of data sets, or: all.")]


@app.command("list")
def list_() -> None:
    """List the data sets, and whether each is built."""
    typer.echo(f"data root: {data.data_root()}")
    for recipe in RECIPES.values():
        state = "built" if manifest_path(recipe.name).exists() else "not built"
        typer.echo(f"{recipe.name:<10} {state:<10} {recipe.source}")


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
        return list(RECIPES.values())
    for name in names:
        if name not in RECIPES:
            _fail(unknown("data set", name, RECIPES))
    return [RECIPES[name] for name in names]


def _fail(error: Exception) -> None:
    typer.echo(str(error), err=True)
    raise typer.Exit(1) from error


if __name__ == "__main__":
    app()
