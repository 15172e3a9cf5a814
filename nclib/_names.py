"""How a name that nobody knows is refused: with those that are near it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable


def near(name: str, known: Iterable[str]) -> list[str]:
    """At most four of the known names that are like this one, the nearest first.

    Those that contain it, in any case and without its hyphens; else those that contain one of its
    longer words; else those that are spelt alike.
    """
    known = list(known)
    words = [word for word in re.split(r"[\W_]+", name.lower()) if len(word) > 3]
    for part in (_letters(name), *words):
        if part and (holding := [one for one in known if part in _letters(one)]):
            return sorted(holding, key=lambda one: -_likeness(name, one))[:4]
    names = {one.lower(): one for one in known}
    found = difflib.get_close_matches(name.lower(), list(names), n=3, cutoff=0.5)
    return [names[one] for one in found]


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one.lower(), other.lower()).ratio()


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def unknown(kind: str, name: str, known: Iterable[str]) -> ValueError:
    """The error that lists near matches, or every known name where none is near."""
    known = sorted(known)
    if choices := near(name, known):
        return ValueError(f"unknown {kind} {name!r}; did you mean {' or '.join(choices)}?")
    return ValueError(f"unknown {kind} {name!r}; expected one of {', '.join(known)}")
