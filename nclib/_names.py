"""How an unknown name is refused: with the closest of those that exist."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable


def close_matches(name: str, names: Iterable[str]) -> list[str]:
    """At most four of the names that are like this one, the closest first.

    Those that contain it, in any case and without its hyphens; else those that contain one of its
    longer words; else those that are spelt alike.
    """
    names = list(names)
    words = [word for word in re.split(r"[\W_]+", name.lower()) if len(word) > 3]
    for part in (_letters(name), *words):
        if part and (holding := [one for one in names if part in _letters(one)]):
            return sorted(holding, key=lambda one: -_likeness(name, one))[:4]
    by_letters = {one.lower(): one for one in names}
    matches = difflib.get_close_matches(name.lower(), list(by_letters), n=3, cutoff=0.5)
    return [by_letters[match] for match in matches]


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one.lower(), other.lower()).ratio()


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def unknown(kind: str, name: str, names: Iterable[str]) -> ValueError:
    """The error that lists close matches, or every name where none is close."""
    names = sorted(names)
    if choices := close_matches(name, names):
        return ValueError(f"unknown {kind} {name!r}; did you mean {' or '.join(choices)}?")
    return ValueError(f"unknown {kind} {name!r}; expected one of {', '.join(names)}")
