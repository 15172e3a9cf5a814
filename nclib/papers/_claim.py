"""A claim of a paper, the evidence for it, and the one rule that turns evidence into a verdict."""

from __future__ import annotations

import hashlib
import json
import math
import os
import pickle
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from nclib._io import write_atomic
from nclib.runs import ledger

Verdict = Literal["reproduced", "partly", "contradicted", "undecided", "not run"]


@dataclass(frozen=True)
class Evidence:
    """What a check measured: it passes when ``value`` stands in ``relation`` to ``bound``.

    ``value`` is the worst over all cases (the largest misfit for ``"<="``, the smallest effect for
    ``">="``), in the unit that ``quantity`` names; a value that is not finite never passes. A value
    that is known within ``margin`` only (half its 95 % interval; inf: a single run, no interval)
    passes with its whole interval, and decides nothing where the interval has the bound inside.
    """

    value: float
    bound: float
    cases: int
    quantity: str  # what the value is, e.g. "relative misfit of the Gram matrix"
    relation: Literal["<=", ">="] = "<="
    margin: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the measured value, with its interval, is on the right side of the bound."""
        if not math.isfinite(self.value):
            return False
        if self.relation == "<=":
            return self.value + self.margin <= self.bound
        return self.value - self.margin >= self.bound

    @property
    def undecided(self) -> bool:
        """Whether the interval of the value has the bound inside."""
        return math.isfinite(self.value) and abs(self.value - self.bound) < self.margin

    def __str__(self) -> str:
        cases = "1 case" if self.cases == 1 else f"{self.cases:,} cases"
        if self.margin > 0:
            within = f"± {self.margin:.2g}" if math.isfinite(self.margin) else "(single runs)"
            return f"{self.quantity} = {self.value:.3g} {within}"
        if self.bound == 0:  # a count of wrong answers
            return f"{self.quantity}: {self.value:.0f} of {cases}"
        # A residual near rounding differs between processors: only its bound is printed.
        if self.relation == "<=" and self.ok and self.bound < 1e-3:
            number = f"≤ {self.bound:.0e}".replace("e-0", "e-")
        else:
            number = f"= {self.value:.3g}" if abs(self.value) > 1e-6 else "= 0 to rounding"
        return f"{self.quantity} {number} ({cases})"


@dataclass(frozen=True)
class Check:
    """One assertion and the function that tests it; the function returns None without a record."""

    text: str
    run: Callable[[], Evidence | None]

    def evidence(self) -> Evidence | None:
        """The evidence, computed once for a state of the published ledger.

        Where ``NCLIB_EVIDENCE`` names a folder, checks of the library are computed once for all the
        processes that do so. Whoever names it answers for the library being the same.
        """
        return _evidence(self.run, ledger.version())


@cache
def _evidence(run: Callable[[], Evidence | None], state: object) -> Evidence | None:
    folder, function = os.environ.get("NCLIB_EVIDENCE"), getattr(run, "func", run)
    if not folder or not function.__module__.startswith("nclib."):
        return run()
    which = hashlib.sha256(pickle.dumps((run, state))).hexdigest()  # the function's full name
    path = Path(folder, f"{which[:20]}.json")
    if path.exists():
        fields = json.loads(path.read_text())
        return None if fields is None else Evidence(**fields)
    evidence = run()
    write_atomic(path, json.dumps(None if evidence is None else asdict(evidence)).encode())
    return evidence


@dataclass(frozen=True)
class Claim:
    """A statement as a paper prints it, taken apart into assertions that can be tested.

    ``printed`` holds the paper's own assertions and alone decides the verdict; ``corrected``
    holds what this book shows in place of an assertion that fails.
    """

    id: str  # paper/name, unique
    where: str  # "Theorem III.1"
    statement: str
    printed: tuple[Check, ...]
    corrected: tuple[Check, ...] = ()
    chapter: str = ""  # as `nclib run` names it
    label: str = ""  # of the theorem block in that chapter, where there is one
    profile: str = "exact"  # exact (certified optima), or the profile of the records that it needs

    @property
    def paper(self) -> str:
        """The paper that makes the claim."""
        return self.id.partition("/")[0]

    @property
    def verdict(self) -> Verdict:
        """The verdict by :func:`judge` on the printed assertions."""
        return judge([check.evidence() for check in self.printed])


def judge(printed: Sequence[Evidence | None]) -> Verdict:
    """The verdict on a claim from the evidence for each of its printed assertions.

    - *not run*: there is no evidence for any of them;
    - *reproduced*: every one holds in all the cases tried;
    - *contradicted*: some fails (one counterexample is enough) and none holds;
    - *undecided*: what has been run neither holds nor fails: it differs by less than seeds do;
    - *partly*: anything else: some hold, and others fail, are undecided or have not been run.

    Raises:
        ValueError: without assertions, since nothing can be said of a claim that asserts nothing.

    >>> exact, wrong = Evidence(0.0, 1e-6, 10, "misfit"), Evidence(0.4, 1e-6, 1, "misfit")
    >>> judge([exact, exact]), judge([exact, wrong]), judge([wrong]), judge([None, None])
    ('reproduced', 'partly', 'contradicted', 'not run')
    >>> judge([exact, None])
    'partly'
    """
    if not printed:
        raise ValueError("a claim needs at least one printed assertion, got none")
    held = sum(evidence is not None and evidence.ok for evidence in printed)
    run = [evidence for evidence in printed if evidence is not None]
    if not run:
        return "not run"
    if held == len(printed):
        return "reproduced"
    if held:
        return "partly"
    return "undecided" if all(evidence.undecided for evidence in run) else "contradicted"
