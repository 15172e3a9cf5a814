"""A paper, or this book, as a source of claims and of runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from nclib._profiles import Profile
from nclib.papers._claim import Claim, Verdict
from nclib.runs import RunConfig

_VERDICTS: dict[Verdict, str] = {
    "reproduced": "reproduced",
    "partly": "partly",
    "contradicted": "contradicted",
    "undecided": "undecided",
    "not run": "not run",
}


@dataclass(frozen=True)
class Paper:
    """A source of claims: a paper, or this book with its results."""

    id: str
    title: str
    note: str  # one line under the title, MyST
    claims: tuple[Claim, ...]
    grid: Callable[[Profile], list[RunConfig]] | None = None  # the runs that its chapters show
    trained: tuple[str, ...] = ()  # the chapters that show them, as `nclib run` names them
    words: Mapping[Verdict, str] = field(default_factory=lambda: _VERDICTS)  # for its verdicts
