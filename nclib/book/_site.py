"""The site: a mirror of the book's sources with the executed notebooks, and HTML from there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from nclib._io import write_atomic
from nclib._lock import locked
from nclib.book import _keys, chapters
from nclib.book._folder import BuildError, build_folder, evidence_folder, index, keeping
from nclib.book.chapters import checkout


def make_site(folder: Path, *, strict: bool = True) -> None:
    """Complete the mirror ``folder/site`` and build the HTML from it.

    A build that was interrupted or failed leaves a mark; the next one then starts afresh, since
    pages may be torn, and warnings are given only for pages that are read anew.
    """
    _mirror(folder / "site")
    mark, log = folder / "site.unfinished", folder / "html.log"
    settings, settled = _keys.content_hash(_keys.settings()), folder / "site.settings"
    if mark.exists() or not settled.exists() or settled.read_text() != settings:
        shutil.rmtree(folder / "_build", ignore_errors=True)
    write_atomic(mark, b"")
    call = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    call += ["build", str(folder / "site"), "--path-output", str(folder), "-n", "--keep-going"]
    clock = time.monotonic()
    with log.open("wb") as file:
        done = subprocess.run(
            [*call, "-W"] if strict else call, stdout=file, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode or not index(folder).is_file():
        raise BuildError(_excerpt(log))
    write_atomic(settled, settings.encode())
    mark.unlink()
    print(f"  built     HTML  {time.monotonic() - clock:.0f} s", flush=True)


def _excerpt(log: Path) -> str:
    lines = _warnings(log) or log.read_text(errors="replace").splitlines()[-30:]
    return "\n".join(["jupyter-book stopped:", *lines, f"(all of it: {log})"])


def _warnings(log: Path) -> list[str]:
    """The lines that name a warning or an error, without colours and our own folder."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", log.read_text(errors="replace"))
    text = text.replace(f"{log.parent / 'site'}{os.sep}", "")
    return [line for line in text.splitlines() if re.search(r"WARNING|ERROR|^[\w.]+Error:", line)]


def _mirror(site: Path) -> None:
    """Bring ``site`` in step with the sources; what is equal keeps its time, so that Sphinx
    reads only what changed."""
    root = checkout()
    wanted = {site / "notebooks" / f"{c.name}.ipynb" for c in chapters.list_chapters()}
    sources = ["_config.yml", "_toc.yml", *_keys.tree("book")]
    for name in sources:
        if not name.startswith("book/ledger/"):
            wanted.add(_update(site / name, (root / name).read_bytes()))
    from nclib.book import _pages  # imports papers, and so the whole library

    with keeping("NCLIB_EVIDENCE", evidence_folder()):  # that the chapters have shown is there
        pages = _pages.generated(site)
    for name, text in pages.items():
        wanted.add(_update(site / name, text.encode()))
    for path in [p for p in site.rglob("*") if p.is_file() and p not in wanted]:
        path.unlink()


def _update(path: Path, content: bytes) -> Path:
    if not path.is_file() or path.read_bytes() != content:
        write_atomic(path, content)
    return path


def draft() -> Path:
    """A quick look at the pages, in ``build/draft``: from the outputs that the notebooks in the
    tree have, executing nothing and letting warnings pass (they are printed).

    Returns:
        The first page.

    Raises:
        BuildError: if the HTML cannot be built.
    """
    folder = build_folder() / "draft"
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock"):
        for chapter in chapters.list_chapters():
            place = folder / "site" / "notebooks" / f"{chapter.name}.ipynb"
            _update(place, chapter.path.read_bytes())
        make_site(folder, strict=False)
    print("\n".join(_warnings(folder / "html.log")))
    return index(folder)
