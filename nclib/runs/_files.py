"""Configurations in files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nclib.runs._config import RunConfig, refused


def read_config(path: Path | str) -> RunConfig:
    """The configuration in a JSON file, an object with the fields of RunConfig.

    Raises:
        ValueError: if the file holds no such object, in one line that names the file and what is
            wrong with each field.
        FileNotFoundError: if there is no such file.
    """
    return _config(_json(Path(path)), str(path))


def read_configs(path: Path | str) -> list[RunConfig]:
    """The configurations in a JSON file that holds a list of objects with the fields of RunConfig.

    Raises:
        ValueError: if the file holds no such list, or an empty one; the message names the file and
            each wrong entry.
        FileNotFoundError: if there is no such file.
    """
    entries = _json(Path(path))
    if not isinstance(entries, list):
        raise ValueError(f"{path} holds a {type(entries).__name__}, expected a list of runs")
    if not entries:
        raise ValueError(f"{path} holds an empty list, expected at least one run")
    configs, refusals = [], []
    for number, entry in enumerate(entries):
        try:
            configs.append(_config(entry, f"{path}, run {number}"))
        except ValueError as error:
            refusals.append(str(error))
    if refusals:
        raise ValueError("\n".join(refusals))
    return configs


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
