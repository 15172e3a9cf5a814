"""Lists of runs: from a file, or those that a paper's chapters show."""

from __future__ import annotations

from pathlib import Path

from nclib._names import close_matches
from nclib._profiles import PROFILES
from nclib.papers._registry import PAPERS
from nclib.runs import RunConfig, read_configs


def read_grid(source: Path | str) -> list[RunConfig]:
    """The configurations of a grid.

    Args:
        source: a JSON file that holds a list of objects with the fields of RunConfig; or, where
            there is no such file, a paper and a profile such as ``class-encoding/laptop``: the
            runs that the paper's chapters show.

    Raises:
        ValueError: if it is neither, or empty; the message names the source and each wrong entry.
    """
    if Path(source).exists():
        return read_configs(source)
    grids = {
        f"{paper.id}/{profile}": (paper.grid, profile)
        for paper in PAPERS.values()
        if paper.grid is not None
        for profile in PROFILES
    }
    if str(source) not in grids:
        meant = " or ".join(close_matches(str(source), grids) or grids)
        raise ValueError(
            f"{str(source)!r} is neither a file nor the runs of a paper, such as {meant}"
        )
    grid, profile = grids[str(source)]
    return grid(profile)
