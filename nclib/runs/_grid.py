"""Lists of runs: from a file, or those that a paper's chapter shows."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nclib._names import near
from nclib.runs._config import RunConfig, refused

_PROFILES = ("smoke", "laptop", "paper")


def read_grid(source: Path | str) -> list[RunConfig]:
    """The configurations of a grid.

    Args:
        source: a JSON file that holds a list of objects with the fields of RunConfig; or, where
            there is no such file, a paper and a profile such as ``class-encoding/laptop``: the
            runs that the paper's chapter shows.

    Raises:
        ValueError: if it is neither, or empty; the message names the source and each wrong entry.
    """
    path = Path(source)
    if not path.exists():
        return _of_paper(str(source))
    entries = _json(path)
    if not isinstance(entries, list):
        raise ValueError(f"{path} holds a {type(entries).__name__}, expected a list of runs")
    if not entries:
        raise ValueError(f"{path} holds an empty list, expected at least one run")
    configs, wrong = [], []
    for number, entry in enumerate(entries):
        try:
            configs.append(_config(entry, f"{path}, run {number}"))
        except ValueError as error:
            wrong.append(str(error))
    if wrong:
        raise ValueError("\n".join(wrong))
    return configs


def read_config(path: Path | str) -> RunConfig:
    """The configuration in a JSON file, an object with the fields of RunConfig.

    Raises:
        ValueError: if the file holds no such object, in one line that names the file and what is
            wrong with each field.
        FileNotFoundError: if there is no such file.
    """
    return _config(_json(Path(path)), str(path))


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from None
    except IsADirectoryError:
        raise ValueError(f"{path} is a folder, expected a JSON file") from None


def _config(fields: Any, where: str) -> RunConfig:
    try:
        return RunConfig.model_validate(fields)
    except ValidationError as error:
        raise ValueError(f"{where}: {refused(error)}") from None


def _of_paper(source: str) -> list[RunConfig]:
    paper, _, profile = source.partition("/")
    if profile in _PROFILES and paper.replace("-", "").isalnum():
        name = f"nclib.papers.{paper.replace('-', '_')}"
        if importlib.util.find_spec(name) and importlib.util.find_spec(f"{name}.runs"):
            configs: list[RunConfig] = importlib.import_module(f"{name}.runs").grid(profile)
            return configs
    from nclib.papers import PAPERS  # far more imports than a grid needs

    listed = [f"{paper}/{profile}" for paper in PAPERS for profile in _PROFILES]
    meant = " or ".join(near(source, listed) or listed)
    raise ValueError(f"{source!r} is neither a file nor the runs of a paper, such as {meant}")
