"""The command ``python -m data_recipes``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

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
    typer.echo("of your own images, listed in NAME/labels.csv under the data root: folder-NAME")


@app.command()
def build(names: Names) -> None:
    """Get data sets, check them, and write their manifests.

    One that cannot be built, such as ImageNet-LT without its training list, does not keep the
    others from it: the last line names those that lack, and the exit status is 1.
    """
    _each(names, "built", lambda recipe: f"{recipe.name}: {recipe.build()}")


@app.command()
def verify(names: Names) -> None:
    """Check data sets against their manifests, each of them; the exit status is 1 if one fails."""

    def check(recipe: Recipe) -> str:
        recipe.verify()
        return f"{recipe.name}: as its manifest says"

    _each(names, "verified", check)


def _each(names: list[str], done: str, action: Callable[[Recipe], str]) -> None:
    """Do it to every data set, whatever becomes of the others."""
    recipes, failed = _recipes(names), []
    for recipe in recipes:
        try:
            typer.echo(action(recipe))
        except (data.DataError, OSError) as error:  # such as a folder that cannot be written
            typer.echo(str(error), err=True)
            failed.append(recipe.name)
    if failed:
        if len(recipes) > 1:
            typer.echo(f"not {done}: {', '.join(failed)}", err=True)
        raise typer.Exit(1)


def _recipes(names: list[str]) -> list[Recipe]:
    if names == ["all"]:
        return data_recipes.listed()
    try:
        return [data_recipes.find(name) for name in names]
    except ValueError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


if __name__ == "__main__":
    app()
