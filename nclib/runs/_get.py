"""The ledger first: train only what nobody has trained."""

from __future__ import annotations

from nclib.runs import ledger
from nclib.runs._config import RunConfig
from nclib.runs._record import RunRecord


def get(config: RunConfig, *, recompute: bool = False, progress: bool | None = None) -> RunRecord:
    """The record of a run: published, else cached, else trained now and cached.

    Training writes checkpoints; interrupted, the next call goes on from the last one.

    Args:
        config: what to run.
        recompute: train although there is a record, and cache the new one.
        progress: show a line of progress; None: on a terminal only.

    Raises:
        RecordError: if the record's file is torn or was edited.
        DataError: if a run must be trained and its data set is absent or corrupted.
    """
    checkpoint = ledger.checkpoint_path(config)
    if recompute:
        checkpoint.unlink(missing_ok=True)
    else:
        record = ledger.find(config)
        if record is not None:
            return record
    from nclib.train import fit  # training needs far more imports than reading

    record = fit(config, progress=progress, checkpoint=checkpoint)
    ledger.cache(record)
    checkpoint.unlink(missing_ok=True)
    return record
