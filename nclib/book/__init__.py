"""Build the book: executed chapters and pages in a mirror of the sources, and HTML from there.

Everything happens below ``build/``; the tree is read only. `build` runs ``workflow/Snakefile``,
whose jobs are the steps of ``python -m nclib.book``. What was built from the same content is kept:
a chapter's key hashes its source, its parameters, the library, the ledger, the data sets at hand,
versions and device; the executed notebook lies under its key.
"""

from nclib.book import chapters
from nclib.book._flow import build, refresh, train_in_jobs
from nclib.book._folder import BuildError, build_folder, evidence_folder, index
from nclib.book._keys import chapter_key, record_key, site_key
from nclib.book._site import draft
from nclib.book._steps import grids

__all__ = [
    "BuildError",
    "build",
    "build_folder",
    "chapter_key",
    "chapters",
    "draft",
    "evidence_folder",
    "grids",
    "index",
    "record_key",
    "refresh",
    "site_key",
    "train_in_jobs",
]
