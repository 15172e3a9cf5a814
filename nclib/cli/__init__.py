"""The command ``nclib``: run a chapter, train a configuration, show the ledger, build the book.

The modules here import at their top only what ``--help`` needs; the rest comes with the call.
"""

import typer

from nclib.cli import _ledger
from nclib.cli._book import book, notebooks
from nclib.cli._doctor import doctor
from nclib.cli._run import list_chapters, run
from nclib.cli._train import train

__all__ = ["app"]

app = typer.Typer(
    help="The Neural Collapse Companion: chapters, runs, ledger and book.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

_PARAMETERS = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
}  # -p name value, or after --

app.command("chapters")(list_chapters)
app.command(context_settings=_PARAMETERS)(run)
app.command(context_settings={"allow_extra_args": True})(train)
app.add_typer(_ledger.app, name="ledger")
app.command(context_settings=_PARAMETERS)(book)
app.command()(notebooks)
app.command()(doctor)
