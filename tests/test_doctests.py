"""The examples in the docstrings of the library are true."""

import doctest
import importlib
import pkgutil

import pytest

import nclib

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(nclib.__path__, "nclib.")
    if not module.name.endswith("__main__")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0
