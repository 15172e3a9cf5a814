"""The digits that ship inside scikit-learn: nothing to fetch."""

from pathlib import Path

from data_recipes._recipe import Recipe, whole


def _fetch(root: Path) -> None:
    """There is no file to get."""


DIGITS = Recipe(
    name="digits",
    source="sklearn.datasets.load_digits (UCI optical recognition of handwritten digits)",
    fetch=_fetch,
    files={},
    content=whole("digits"),
)
