"""The parameters of a chapter: what its cell tagged ``parameters`` declares."""

from __future__ import annotations

import ast
import contextlib
import io
import tokenize
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import nbformat
import pydantic

from nclib._profiles import PROFILES
from nclib.book.chapters._find import Chapter, find, suggestion

# What a parameters cell may name: it stands before all imports.
_NAMES: dict[str, Any] = {t.__name__: t for t in (bool, int, float, str, list, tuple, dict)} | {
    "Literal": Literal
}


@dataclass(frozen=True)
class Parameter:
    """One assignment of a chapter's parameters cell."""

    name: str
    type: Any  # its annotation, or the type of its default
    default: Any
    comment: str  # what stands behind it on its line

    @property
    def type_name(self) -> str:
        """The type as it is written."""
        return self.type.__name__ if isinstance(self.type, type) else str(self.type)

    def parse(self, text: str) -> Any:
        """The value that a command line's ``text`` means for this parameter.

        Raises:
            ValueError: if the text is no value of the parameter's type.
        """
        adapter = pydantic.TypeAdapter(self.type)
        with contextlib.suppress(pydantic.ValidationError):
            return self.check(adapter.validate_strings(text))
        try:
            return self.check(adapter.validate_json(text))
        except pydantic.ValidationError:
            raise self._refusal(text) from None

    def check(self, value: Any) -> Any:
        """``value``, if it is one of the parameter's type.

        Raises:
            ValueError: if it is not, names no profile, or is a negative seed.
        """
        try:
            value = pydantic.TypeAdapter(self.type).validate_python(value, strict=True)
        except pydantic.ValidationError:
            raise self._refusal(value) from None
        if self.name == "profile" and value not in PROFILES:
            raise ValueError(
                f"profile {value!r} is unknown{suggestion(str(value), PROFILES)}: "
                f"choose one of {', '.join(PROFILES)}"
            )
        if self.name == "seed" and isinstance(value, int) and value < 0:
            raise ValueError(f"parameter seed takes 0 or more, got {value}")
        return value

    def _refusal(self, value: Any) -> ValueError:
        return ValueError(f"parameter {self.name} takes {self.type_name}, got {value!r}")


def parameters(chapter: str | Chapter) -> dict[str, Parameter]:
    """The parameters of a chapter by name, in the order of its parameters cell.

    Raises:
        ValueError: if there is no such chapter, or not exactly one cell tagged ``parameters``.
    """
    chapter = find(chapter)
    cells = [
        c
        for c in nbformat.read(chapter.path, as_version=4).cells
        if "parameters" in c.metadata.get("tags", [])
    ]
    if len(cells) != 1:
        raise ValueError(f"{chapter.name}: {len(cells)} cells tagged parameters, expected one")
    source = cells[0].source
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    declared = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            name, kind = node.target.id, _evaluate(node.annotation)
            default = _evaluate(node.value)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name, default = node.targets[0].id, _evaluate(node.value)
            kind = type(default)
        else:
            raise ValueError(
                f"{chapter.name}: the parameters cell holds more than assignments: "
                f"{ast.unparse(node)!r}"
            )
        declared[name] = Parameter(name, kind, default, comments.get(node.end_lineno or 0, ""))
    return declared


def validate(chapter: str | Chapter, params: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters of a chapter: its defaults, overridden by ``params``.

    Raises:
        ValueError: if a name is unknown (with near matches) or a value is of the wrong type.
    """
    declared = check_names(chapter, params)
    return {n: p.check(params[n]) if n in params else p.default for n, p in declared.items()}


def check_names(chapter: str | Chapter, names: Iterable[str]) -> dict[str, Parameter]:
    """The chapter's parameters, if all ``names`` are among them.

    Raises:
        ValueError: if one is not; the message has near matches.
    """
    chapter = find(chapter)
    declared = parameters(chapter)
    for name in names:
        if name not in declared:
            raise ValueError(
                f"{chapter.name} has no parameter {name!r}{suggestion(name, declared)}; "
                f"it has {', '.join(declared)}"
            )
    return declared


def _evaluate(node: ast.expr) -> Any:
    code = compile(ast.Expression(node), "parameters", "eval")
    return eval(code, {"__builtins__": {}}, dict(_NAMES))
