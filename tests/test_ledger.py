"""The index of the published records: by id and by fields, never older than the files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nclib.runs import RecordError, RunConfig, RunRecord, ledger


@pytest.fixture(autouse=True)
def _own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NCLIB_LEDGER", str(tmp_path / "ledger"))
    monkeypatch.setenv("NCLIB_CACHE", str(tmp_path / "cache"))


def record(accuracy: float = 0.5, **changes: Any) -> RunRecord:
    fields = {"paper": "class-encoding", "profile": "smoke", "dataset": "digits", "epochs": 2}
    config = RunConfig.model_validate({**fields, **changes})
    return RunRecord(config, [], {"test_accuracy": accuracy}, {"train": [], "test": []}, {}, {})


def test_records_are_selected_by_paper_and_fields() -> None:
    for run in (record(), record(seed=1), record(profile="laptop"), record(paper="inducing-nc")):
        ledger.publish(run)
    assert len(ledger.records()) == 4
    assert len(ledger.records("class-encoding")) == 3
    assert [r.config.seed for r in ledger.records(profile="smoke", seed=1)] == [1]
    with pytest.raises(ValueError, match="unknown field 'sed'; did you mean seed"):
        ledger.records(sed=1)


def test_a_record_is_named_by_the_beginning_of_its_id() -> None:
    first = record()
    ledger.publish(first)
    ledger.publish(record(seed=1))
    assert ledger.record(first.id[:8]).id == first.id
    with pytest.raises(ValueError, match="2 records of the ledger begin with ''"):
        ledger.record("")


def test_a_changed_file_is_read_anew_and_an_unchanged_one_is_not() -> None:
    ledger.publish(record(0.5))
    before, state = ledger.records()[0], ledger.version()
    assert ledger.records()[0] is before
    assert ledger.version() == state
    ledger.publish(record(0.6))  # the same configuration, trained again
    assert ledger.records()[0].to_json() == record(0.6).to_json()
    assert ledger.version() != state


def test_a_file_that_was_torn_since_it_was_read_is_refused() -> None:
    path = ledger.publish(record())
    assert len(ledger.records()) == 1
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(RecordError, match="torn"):
        ledger.records()


def test_a_cached_record_is_not_published() -> None:
    run = record()
    ledger.cache(run)
    assert ledger.find(run.config) is not None
    assert ledger.published(run.config) is None


def test_groups_differ_in_nothing_but_the_seed() -> None:
    for run in (record(), record(seed=1), record(lr=0.1)):
        ledger.publish(run)
    sizes = [len(group) for group in ledger.groups("class-encoding", "smoke")]
    assert sorted(sizes) == [1, 2]
    ledger.publish(record(lr=0.1, seed=1))
    sizes = [len(group) for group in ledger.groups("class-encoding", "smoke")]
    assert sizes == [2, 2]
