"""Options by name, as methods and data sets take them: each a number in a range, or a word."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nclib._names import unknown

Value = float | str


@dataclass(frozen=True)
class Option:
    """A number or a word.

    Attributes:
        default: its value where none is given.
        low: smallest number.
        high: largest number.
        choices: the words; none: it is a number.
        whole: whether it is a whole number.
        added: whether it came after records were published without it: ids omit it at its default,
            which is what those records did.
    """

    default: Any
    low: float = 0.0
    high: float = math.inf
    choices: tuple[str, ...] = ()
    whole: bool = False
    added: bool = False

    def parse(self, name: str, value: Value) -> Value:
        """The value itself.

        Raises:
            ValueError: if it is out of range, naming the option, the value and the range.
        """
        if self.choices:
            if value not in self.choices:
                raise ValueError(
                    f"option {name} is {value!r}, expected one of {', '.join(self.choices)}"
                )
            return value
        if isinstance(value, str):
            raise ValueError(f"option {name} is {value!r}, expected a number")
        if not self.low <= value <= self.high or not math.isfinite(value):
            above = "or more" if self.high == math.inf else f"to {self.high:.10g}"
            expected = f"{self.low:g} {above}" if self.low > -math.inf else "a finite number"
            raise ValueError(f"option {name} is {value:g}, expected {expected}")
        if self.whole and value != int(value):
            raise ValueError(f"option {name} is {value:g}, expected a whole number")
        return float(value)


def check_names(owner: str, given: Mapping[str, Value], options: Mapping[str, Option]) -> None:
    """Refuse options that their owner, such as ``method 'ce'``, does not take.

    Raises:
        ValueError: naming the first; near matches are listed.
    """
    for name in given:
        if name not in options:
            if not options:
                raise ValueError(f"{owner} takes no options, got {name!r}")
            raise unknown(f"option of {owner}:", name, options)


def spelt_out(options: Mapping[str, Option], values: Mapping[str, Value]) -> dict[str, Value]:
    """The options that an id names: all but those that were added later, at their default."""
    return {
        name: value
        for name, value in values.items()
        if not (options[name].added and value == options[name].default)
    }
