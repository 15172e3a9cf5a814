"""How a name that nobody knows is refused: with those that are near it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def near(name: str, known: Iterable[str]) -> list[str]:
    """At most three of the known names that are like this one in any case, the nearest first."""
    names = {one.lower(): one for one in known}
    found = difflib.get_close_matches(name.lower(), list(names), n=3, cutoff=0.4)
    return [names[one] for one in found]


def unknown(kind: str, name: str, known: Iterable[str]) -> ValueError:
    """The error that lists near matches, or every known name where none is near."""
    known = sorted(known)
    choices = near(name, known) or known
    return ValueError(f"unknown {kind} {name!r}; did you mean {' or '.join(choices)}?")
