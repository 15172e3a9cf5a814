"""Shapes and types, checked at every call of the packages that the tests name."""

import ast
import dataclasses
import functools
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any

from beartype import BeartypeConf, beartype
from jaxtyping import config, jaxtyped

# An int is a float to it, as it is to Python's annotations.
_typed = beartype(conf=BeartypeConf(is_pep484_tower=True))


def checked(entity: Any) -> Any:
    """A function whose arguments and result are checked; a dataclass whose fields are.

    The names of axes mean the same sizes within a call. It is what ``jaxtyping.jaxtyped`` does in
    half the time: one check a call, and messages of beartype alone.
    """
    if isinstance(entity, type):
        if dataclasses.is_dataclass(entity):
            entity.__init__ = checked(entity.__init__)
        return entity
    typed = _typed(entity)

    @functools.wraps(entity)
    def call(*args: Any, **options: Any) -> Any:
        if config.jaxtyping_disable:
            return entity(*args, **options)
        with jaxtyped("context"):
            return typed(*args, **options)

    return call


class _Decorate(ast.NodeTransformer):
    """Writes the decorator onto functions, methods and classes, not onto functions in functions."""

    _name = "__import__('shapes').checked"

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.decorator_list.append(ast.parse(self._name, mode="eval").body)  # innermost
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        self.generic_visit(node)
        node.decorator_list.insert(0, ast.parse(self._name, mode="eval").body)  # a dataclass by now
        return node


class _Loader(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        """Compiled each time: the bytecode that Python keeps is without the decorators."""
        tree = _Decorate().visit(ast.parse(self.get_data(self.path)))
        return compile(ast.fix_missing_locations(tree), self.path, "exec", dont_inherit=True)


class _Finder(MetaPathFinder):
    def __init__(self, packages: Sequence[str]) -> None:
        self.packages = packages

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not any(f"{name}.".startswith(f"{package}.") for package in self.packages):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


def check(*packages: str) -> None:
    """Check the annotations of these packages from now on; nobody has imported them yet."""
    sys.meta_path.insert(0, _Finder(packages))
