"""Methods as data: a row of a table is a loss and the steps around it, declared."""

from nclib.methods._alignment import project, slerp
from nclib.methods._method import (
    Batch,
    Centres,
    Contrast,
    Difference,
    Embedded,
    Loss,
    Method,
    Option,
    SecondStage,
    SecondView,
    Term,
    Value,
)
from nclib.methods._plugins import PLUGINS, Plugin, adjusted_bias, get_plugin
from nclib.methods._registry import METHODS, get

__all__ = [
    "METHODS",
    "PLUGINS",
    "Batch",
    "Centres",
    "Contrast",
    "Difference",
    "Embedded",
    "Loss",
    "Method",
    "Option",
    "Plugin",
    "SecondStage",
    "SecondView",
    "Term",
    "Value",
    "adjusted_bias",
    "get",
    "get_plugin",
    "project",
    "slerp",
]
