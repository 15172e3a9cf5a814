"""Formulas in the plain text of claims and tables."""

from __future__ import annotations

import re

# A Latin letter by itself, perhaps with a bar or hat, or a Greek one; names like nc2_cv are none.
_INDEXED = re.compile(
    r"((?<![A-Za-z0-9_])[A-Za-z][\u0300-\u036f]?|[Α-Ωα-ω])_([A-Za-z0-9]{1,2})(?![A-Za-z0-9_])"
)


def with_indices(text: str) -> str:
    """An index of one or two letters, as in L_W and b_LS, set below its letter, in HTML.

    >>> with_indices("L_W with nλ_H, nc2_cv")
    '<i>L</i><sub>W</sub> with n<i>λ</i><sub>H</sub>, nc2_cv'
    """
    return _INDEXED.sub(r"<i>\1</i><sub>\2</sub>", text)
