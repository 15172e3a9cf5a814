"""Train what the ledger lacks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nclib.runs import RunConfig, RunRecord, get, ledger


def train_missing(
    configs: Iterable[RunConfig], *, publish: bool = False, progress: bool | None = None
) -> Iterator[RunRecord]:
    """Yield the record of each configuration, training the ones that have none.

    Interrupted, the next call skips what is finished and resumes what is not.

    Args:
        configs: in the order in which they are wanted.
        publish: put each record that is not yet published into the published ledger.
        progress: show a line of progress; None: on a terminal only.
    """
    for config in configs:
        record = get(config, progress=progress)
        if publish and not ledger.is_published(config):
            ledger.publish(record)
        yield record
