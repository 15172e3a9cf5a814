"""Queues of runs: stopped, killed and failing ones, and several with one cache."""

import os
import re
import signal
import subprocess
import sys
import time
from multiprocessing import active_children, get_context
from pathlib import Path

import numpy as np
import pytest
import queue_calls

from nclib import book, train
from nclib._lock import locked
from nclib.book._steps import make_records
from nclib.queue import BusyError, FailedRunsError, _get_all, get, get_all
from nclib.queue._get import lock_path
from nclib.runs import RunConfig, ledger, read_configs

ARROW = r"(\d+) -> (\d+)"
LINUX = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads /proc")


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("NCLIB_LEDGER", str(tmp_path / "ledger"))
    monkeypatch.setenv("NCLIB_CACHE", str(tmp_path / "cache"))


def config(**changes):
    fields = {
        "paper": "x",
        "profile": "smoke",
        "dataset": "digits",
        "per_class": 20,
        "batch_size": 50,
        "epochs": 300,
        "lr": 0.01,
        "measure_every": 1000,
        "evaluate_every": 1000,
    }
    return RunConfig.model_validate({**fields, **changes})


def written(place, *runs):
    place.write_text(f"[{','.join(run.to_json() for run in runs)}]")
    return str(place)


def until(condition, process):
    """Wait for it while the process lives."""
    end = time.monotonic() + 300
    while not (found := condition()):
        assert process.poll() is None, "the process ended"
        assert time.monotonic() < end, "nothing happened in 5 minutes"
        time.sleep(0.01)
    return found


def holder(run):
    """The process that trains a run: it has the lock open."""
    lock = str(lock_path(run))
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(link) == lock:
                return int(link.parts[2])
        except OSError:  # the process has ended, or is another user's
            continue
    raise AssertionError(f"no process has {lock}")


@LINUX
@pytest.mark.unchecked  # thousands of steps
def test_sigterm_saves_every_run_and_the_same_command_goes_on(tmp_path):
    runs = [config(seed=seed, epochs=150) for seed in (1, 2)]
    grid = written(tmp_path / "grid.json", *runs)
    queue = subprocess.Popen(
        [sys.executable, "-m", "nclib.cli", "train", "--grid", grid, "--jobs", "2"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "2"},  # one for each
    )
    runs_by_state = {ledger.checkpoint_path(run): run for run in runs}
    saved = {}
    while len(saved) < len(runs):  # each stands still once it is in the midst of it
        path = until(
            lambda: next((p for p in runs_by_state.keys() - saved if p.exists()), None), queue
        )
        worker = holder(runs_by_state[path])
        os.kill(worker, signal.SIGSTOP)
        saved[path] = worker, path.stat().st_mtime_ns
    queue.terminate()
    for worker, _ in saved.values():
        os.kill(worker, signal.SIGCONT)
    _, told = queue.communicate(timeout=600)
    assert queue.returncode == 3
    assert "stopped" in told
    assert all(path.stat().st_mtime_ns > before for path, (_, before) in saved.items())
    assert not any(ledger.cache_path(run).exists() for run in runs)
    for run, found in zip(runs, get_all(runs), strict=True):
        straight = train.fit(run)
        assert found.epochs == straight.epochs
        assert found.final == straight.final
        np.testing.assert_array_equal(found.arrays["weight"], straight.arrays["weight"])


def test_a_process_that_dies_and_an_error_that_cannot_be_sent_lose_their_runs_alone(monkeypatch):
    monkeypatch.setattr(_get_all, "get", queue_calls.call)
    runs, made = queue_calls.runs(0, queue_calls.KILLED, queue_calls.STUBBORN, 2), []
    with pytest.raises(FailedRunsError) as told:
        made.extend(get_all(runs, jobs=2))
    assert [record.config for record in made] == [runs[0], runs[3]]
    assert told.value.errors.keys() == {runs[1].id, runs[2].id}
    assert f"run {runs[1].id} failed: its process was killed" in str(told.value)
    assert f"run {runs[2].id} failed: Stubborn: no luck: as usual" in str(told.value)


def test_a_queue_that_is_left_ends_its_own_processes_alone(monkeypatch):
    monkeypatch.setattr(_get_all, "get", queue_calls.call)
    before = get_context("spawn").Process(target=time.sleep, args=(600,))
    before.start()
    try:
        records = get_all(queue_calls.runs(0, 2), jobs=2)
        next(records)
        mine = [child for child in active_children() if child.pid != before.pid]
        records.close()
        for child in mine:
            child.join(60)
        assert mine
        assert not any(child.is_alive() for child in mine)
        assert before.is_alive()
    finally:
        before.kill()
        before.join()


@LINUX
def test_the_processes_of_a_killed_queue_end_too(tmp_path):
    environment = {**os.environ, "QUEUE_TEST": str(tmp_path)}
    queue = subprocess.Popen(
        [sys.executable, queue_calls.__file__],
        env=environment,
        stderr=subprocess.DEVNULL,  # Python says that semaphores of the killed process were freed
    )
    until((tmp_path / "begun").exists, queue)
    queue.kill()
    queue.wait()
    end = time.monotonic() + queue_calls.SECONDS_TO_WAIT / 2
    while not (tmp_path / "told").exists():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_run_that_fails_does_not_keep_the_others_from_theirs(monkeypatch):
    def fail(run, **_):
        if run.seed < 2:
            raise train.DivergedError("the loss is nan") if run.seed else OSError("no such disk")
        return queue_calls.call(run)

    monkeypatch.setattr(_get_all, "get", fail)
    runs, made = queue_calls.runs(0, 1, 2), []
    with pytest.raises(FailedRunsError) as told:
        made.extend(get_all(runs))
    assert [record.config for record in made] == runs[2:]
    assert list(told.value.errors) == [runs[0].id, runs[1].id]
    for name, what in ((runs[0].id, "no such disk"), (runs[1].id, "the loss is nan")):
        assert f"run {name} failed: {what}" in str(told.value)


def test_sigterm_between_runs_ends_the_queue(monkeypatch):
    def last(run, **_):
        signal.raise_signal(signal.SIGTERM)
        return queue_calls.call(run)

    monkeypatch.setattr(_get_all, "get", last)
    runs, made = queue_calls.runs(0, 1), []
    with pytest.raises(train.StoppedError, match=f"run {runs[1].id} was not started"):
        made.extend(get_all(runs))
    assert [record.config for record in made] == runs[:1]


def test_what_another_process_trains_comes_later(monkeypatch):
    """Its lock is free after the second run, as if another queue had ended."""
    runs, order = queue_calls.runs(0, 1), []
    elsewhere = locked(lock_path(runs[0]))
    elsewhere.__enter__()

    def fit(run, **_):
        order.append(run)
        if len(order) == 1:
            elsewhere.__exit__(None, None, None)
        return queue_calls.call(run)

    monkeypatch.setattr(train, "fit", fit)
    with pytest.raises(BusyError, match=f"another process is training run {runs[0].id}"):
        get(runs[0], wait=False)
    monkeypatch.setattr(_get_all, "_PAUSE", 0.01)
    assert [record.config for record in get_all([runs[0], runs[1]])] == [runs[0], runs[1]]
    assert order == [runs[1], runs[0]]


def test_a_second_stage_waits_for_the_run_that_it_starts_from():
    first = config(method="nc-drw", imbalance=20, per_class=None)
    second = first.replace(method="nc-drw-crt")
    with locked(lock_path(first)), pytest.raises(BusyError, match=first.id):
        get(second, wait=False)


def test_what_a_killed_process_left_of_a_file_is_removed(monkeypatch):
    runs = queue_calls.runs(0, 1)
    left = [
        path.with_name(f".{path.name}.abc.part")
        for run in runs
        for path in (ledger.checkpoint_path(run), ledger.network_path(run), ledger.cache_path(run))
    ]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.setattr(train, "fit", queue_calls.call)
    get(runs[0])
    assert [path.exists() for path in left] == [False] * 3 + [True] * 3  # others' are their own


def test_several_jobs_in_processes_of_torchrun_are_refused(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    with pytest.raises(ValueError, match="jobs is 2, but the processes of torchrun"):
        list(get_all([], jobs=2))


# Through Snakemake


def test_in_jobs_a_second_stage_comes_after_the_run_that_it_starts_from(tmp_path):
    first = config(method="nc-drw", imbalance=20, per_class=None)
    second = first.replace(method="nc-drw-crt")
    grid = written(tmp_path / "grid.json", second, first, config(seed=1))
    known = ["train", "--grid", grid, "--executor", "local", "--device", "cpu"]
    planned = subprocess.run(
        [sys.executable, "-m", "nclib.cli", *known, "--", "--dag", "dot"],
        capture_output=True,
        text=True,
        env={**os.environ, "NCLIB_BUILD": str(tmp_path / "build")},
        check=False,
    )
    assert f"no record of {second.id}, {first.id}, {config(seed=1).id}" in planned.stderr
    nodes = dict(re.findall(r'(\d+)\[label = "[^"]*run: (\w+)', planned.stdout))
    assert sorted(nodes.values()) == sorted([second.id, first.id, config(seed=1).id])
    edges = {(nodes.get(one), nodes.get(two)) for one, two in re.findall(ARROW, planned.stdout)}
    assert {edge for edge in edges if None not in edge} == {(first.id, second.id)}


def test_a_job_leaves_the_record_of_its_run_in_the_cache(tmp_path, monkeypatch):
    runs = [config(seed=seed, epochs=1) for seed in (1, 2)]
    make_records(written(tmp_path / "grid.json", *runs), runs[1].id)
    assert ledger.find_path(runs[0]) is None
    assert ledger.find_path(runs[1]) == ledger.cache_path(runs[1])


def test_jobs_are_begun_for_what_is_lacking_alone(tmp_path, monkeypatch):
    """As if they had been run, but for the last."""
    runs, asked = queue_calls.runs(0, 1, 2), []
    ledger.cache(queue_calls.call(runs[0]))

    def flow(arguments):
        asked.extend(a for a in arguments if a.startswith("grid="))
        ledger.cache(queue_calls.call(runs[1]))
        return 1

    monkeypatch.setenv("NCLIB_BUILD", str(tmp_path / "build"))
    monkeypatch.setattr("nclib.book._flow._snakemake", flow)
    with pytest.raises(book.BuildError, match=f"status 1\n\nno record of {runs[2].id}$"):
        book.train_in_jobs(runs)
    (grid,) = asked
    assert read_configs(tmp_path / "build" / grid.partition("=")[2]) == runs[1:]
    book.train_in_jobs(runs[:2])  # nothing is lacking
    assert len(asked) == 1
