"""The book's chapters as parameterised notebooks: find, inspect, run, normalise.

A chapter is a notebook below ``notebooks/`` with one code cell tagged ``parameters``. Its name is
its path without the suffix, such as ``class_encoding/theory``. Plain papermill runs it too; `run`
adds what papermill leaves out: unknown and ill-typed parameters are refused by name, the output
appears whole or not at all, and it carries its own provenance.
"""

from nclib.book.chapters._execute import ChapterError, execute, run, versions
from nclib.book.chapters._find import Chapter, checkout, find, list_chapters
from nclib.book.chapters._normalise import normalise, stderr_cells, write
from nclib.book.chapters._parameters import Parameter, check_names, parameters, validate

__all__ = [
    "Chapter",
    "ChapterError",
    "Parameter",
    "check_names",
    "checkout",
    "execute",
    "find",
    "list_chapters",
    "normalise",
    "parameters",
    "run",
    "stderr_cells",
    "validate",
    "versions",
    "write",
]
