"""What the processes of the training tests run: ``python workers.py FOLDER CONFIG``."""

import sys
from pathlib import Path

import torch

from nclib.runs import RunConfig
from nclib.train import fit


def main(folder: str, text: str) -> None:
    """Train with a checkpoint an epoch, and leave the record."""
    torch.set_num_threads(1)
    place = Path(folder)
    record = fit(
        RunConfig.model_validate_json(text),
        progress=False,
        checkpoint=place / "state.pt",
        checkpoint_every=1,
    )
    record.save(place / "record.json")


if __name__ == "__main__":
    main(*sys.argv[1:])
