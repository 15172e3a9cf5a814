"""What the processes of the training tests run: ``python workers.py FOLDER CONFIG…``."""

import sys
from pathlib import Path

import torch

from nclib.runs import RunConfig
from nclib.train import fit


def main(folder: str, *texts: str) -> None:
    """Train each with a checkpoint an epoch; leave ``record.json``, ``network.pt``, and so on."""
    torch.set_num_threads(1)
    place = Path(folder)
    for number, text in enumerate(texts):
        again = str(number or "")
        run = RunConfig.model_validate_json(text)
        previous, base = run.previous(), None
        if previous is not None:
            base = place / f"base{again}.pt"
            fit(previous, progress=False, network=base)
        record = fit(
            run,
            base=base,
            progress=False,
            checkpoint=place / f"state{again}.pt",
            checkpoint_every=1,
            network=place / f"network{again}.pt",
        )
        record.save(place / f"record{again}.json")


if __name__ == "__main__":
    main(*sys.argv[1:])
