"""``nclib doctor``: what this machine has, what it can run, and how long records say it takes."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer

from nclib.cli._output import reported, table

if TYPE_CHECKING:
    from nclib.runs import RunRecord

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def doctor() -> None:
    """Say what this machine has, what it can run, and roughly how long that takes."""
    with reported():
        rows, well = examine()
    table(["what", "here", "means"], rows)
    raise typer.Exit(0 if well else 1)


def examine() -> tuple[list[list[str]], bool]:
    """Rows (what, what is here, what that means), and whether the smoke book can be built."""
    import torch

    import data_recipes
    from nclib import data
    from nclib.book import chapters
    from nclib.runs import ledger

    kernel = importlib.util.find_spec("ipykernel") is not None
    cuda = torch.cuda.is_available()
    root = data.data_root()
    built = [
        name
        for name, recipe in data_recipes.RECIPES.items()
        if all((root / file).exists() for file in recipe.files)
    ]
    problems = ledger.verify()
    records = [] if problems else ledger.records()
    rows = [
        ["Python", platform.python_version(), sys.executable],
        ["torch", torch.__version__, "CUDA " + (torch.version.cuda or "not compiled in")],
        ["GPU", _gpu() if cuda else "none", "" if cuda else "the paper profile needs one"],
        ["cores", str(os.cpu_count()), "chapters executed at once"],
        ["memory", _gibibytes(_memory()), "a chapter at the smoke profile needs about 1 GiB"],
        ["kernel", "python3" if kernel else "none", "" if kernel else "install ipykernel"],
        _browser(),
        ["chapters", str(len(chapters.list_chapters())), "listed by nclib chapters"],
        ["data root", str(root), "set NCLIB_DATA to put it elsewhere"],
        ["data sets", ", ".join(built) or "none built", _build_hint(built)],
        ["ledger", f"{len(records)} records", "; ".join(problems) or "whole and unedited"],
        ["smoke profile", "yes" if kernel else "no", _smoke_time()],
        ["laptop profile", "yes" if "cifar10" in built else "no", _time(records, "laptop")],
        ["paper profile", "yes" if cuda and "cifar10" in built else "no", _time(records, "paper")],
    ]
    return rows, kernel and not problems


def _gpu() -> str:
    import torch

    memory = torch.cuda.get_device_properties(0).total_memory
    return f"{torch.cuda.get_device_name()}, {_gibibytes(memory)}"


def _browser() -> list[str]:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    lacking = " and ".join(
        name for name, path in (("chromium", browser), ("chromium-driver", driver)) if path is None
    )
    meaning = f"install {lacking} to run the browser tests" if lacking else "runs the browser tests"
    return ["browser", browser or "none", meaning]


def _build_hint(built: list[str]) -> str:
    import data_recipes

    lacking = [name for name in data_recipes.RECIPES if name not in built]
    return f"python -m data_recipes build {' '.join(lacking)}" if lacking else "all of them"


def _smoke_time() -> str:
    """What the executed chapters of the last smoke build say, if there was one."""
    import nbformat

    from nclib.book import build_folder, chapters

    seconds = []
    for chapter in chapters.list_chapters():
        path = build_folder() / "site" / "notebooks" / f"{chapter.name}.ipynb"
        if path.exists():
            stamp = nbformat.read(path, as_version=4).metadata.get("nclib", {})
            if stamp.get("parameters", {}).get("profile") == "smoke":
                seconds.append(stamp["seconds"])
    if not seconds:
        return "needs no data and no network; not built here yet: make book"
    return f"{len(seconds)} chapters took {sum(seconds):.0f} s of one core at the last build"


def _time(records: Iterable[RunRecord], profile: str) -> str:
    """How long training took, by device, as the ledger's records of that profile say."""
    spent: dict[str, list[float]] = {}
    for record in records:
        if record.profile == profile and "train_seconds" in record.provenance:
            device = str(record.provenance["device"])
            spent.setdefault(device, []).append(float(record.provenance["train_seconds"]))
    if not spent:
        return "no record says how long it takes"
    return "; ".join(
        f"{len(seconds)} runs took {sum(seconds) / 60:.0f} min on {device}"
        for device, seconds in spent.items()
    )


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _gibibytes(size: int) -> str:
    return f"{size / 2**30:.0f} GiB"
