"""The state of an unfinished run in one file, whole or absent."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

from nclib._io import write_atomic
from nclib.runs import RunConfig


def save(path: Path, config: RunConfig, state: dict[str, Any]) -> None:
    """Write the state atomically, under the configuration's id."""
    buffer = io.BytesIO()
    torch.save({"id": config.id, **state}, buffer)
    write_atomic(path, buffer.getvalue())


def load(path: Path, config: RunConfig) -> dict[str, Any]:
    """Read the state that :func:`save` wrote, on whatever device, into the CPU's memory.

    States of generators belong there, and everything else is copied to where it is used.

    Raises:
        ValueError: if the file cannot be read, or belongs to another configuration.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        raise ValueError(
            f"{path} is no readable checkpoint ({type(error).__name__}); "
            f"delete it to train from the start"
        ) from error
    if not isinstance(state, dict) or "id" not in state:
        raise ValueError(f"{path} is no checkpoint: it names no run")
    if state["id"] != config.id:
        raise ValueError(f"{path} belongs to run {state['id']}, expected {config.id}")
    return state
