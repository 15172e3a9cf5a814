"""Configurations and their ids, records and their hashes, the ledger's order."""

import dataclasses
import json
import math
import os
import re
import subprocess
import sys
import tempfile

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import nclib
from nclib import _io, encodings, train
from nclib._provenance import commit
from nclib.metrics import measure
from nclib.queue import FailedRunsError, get, get_all
from nclib.runs import (
    RecordError,
    RunConfig,
    RunRecord,
    ledger,
    read_config,
    read_configs,
)


def config(**changes):
    fields = {"paper": "class-encoding", "profile": "smoke", "dataset": "digits", "epochs": 1}
    return RunConfig.model_validate({**fields, **changes})


def record(run, **changes):
    features = torch.randn(40, 6, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(40) % 10
    report = measure(features, labels).to_dict()
    entry = {"epoch": 1, "accuracy": 0.5, "report": report}
    fields = {
        "config": run,
        "epochs": [{"epoch": 1, "loss": 0.25, "train_accuracy": 0.5, "lr": 0.0}],
        "final": {"test_accuracy": 0.75, "objective": math.nan},
        "collapse": {"train": [entry], "test": [entry]},
        "arrays": {"class_means": np.arange(6, dtype=np.float32).reshape(2, 3)},
        "provenance": {"device": "2-core CPU"},
    }
    return RunRecord(**{**fields, **changes})


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("NCLIB_LEDGER", str(tmp_path / "ledger"))
    monkeypatch.setenv("NCLIB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))


# Configurations


def test_ids_never_change():
    """As they were when the first records were published: an id that changes loses its record."""
    plain = config()
    full = config(
        dataset="cifar10",
        per_class=500,
        encoding="smoothed",
        encoding_options={"delta": 0.1},
        lam_w=0.02,
        lam_b=math.inf,
        seed=3,
    )
    assert plain.id == "0558b940aa3684df"
    assert full.id == "f2997dc282af49d9"


def test_a_field_at_its_default_leaves_the_id_as_it_is():
    assert config(lr=0.05, seed=0, encoding_options={}).id == config().id


@pytest.mark.parametrize(
    "changes",
    [{"seed": 1}, {"lam_b": math.inf}, {"encoding": "smoothed"}, {"epochs": 2}, {"lr": 0.051}],
)
def test_every_other_value_has_an_id_of_its_own(changes):
    assert config(**changes).id != config().id


def test_a_later_field_keeps_the_ids_of_earlier_configurations():
    class Later(RunConfig):
        imbalance_ratio: float = 1.0

    old = config(seed=4)
    new = Later.model_validate(old.model_dump())
    assert new.id == old.id
    assert new.replace(imbalance_ratio=100).id != old.id


@given(
    lam_b=st.one_of(st.just(math.inf), st.floats(0, 1e6)),
    lr=st.floats(1e-6, 10),
    seed=st.integers(0, 2**31),
    delta=st.floats(0, 1),
)
def test_canonical_json_reads_back_as_the_same_configuration(lam_b, lr, seed, delta):
    options = {"encoding": "smoothed", "encoding_options": {"delta": delta}}
    run = config(lam_b=lam_b, lr=lr, seed=seed, **options)
    again = RunConfig.model_validate_json(run.to_json())
    assert again == run
    assert again.id == run.id
    json.loads(run.to_json(), parse_constant=pytest.fail)  # no Infinity, which is not JSON


def test_options_are_the_same_in_any_order_and_as_whole_floats():
    first = config(encoding="shifted", encoding_options={"scale": 2, "shift": 0.5})
    second = config(encoding="shifted", encoding_options={"shift": 0.5, "scale": 2.0})
    assert first.id == second.id


@pytest.mark.parametrize(
    ("encoding", "options"),
    [
        ("smoothed", {"delta": 0.1}),
        ("random", {"seed": 0}),
        ("rotated", {"seed": 0}),  # its angle is None
        ("shifted", {"scale": 1, "shift": 0}),
        ("one_hot", {}),
    ],
)
def test_an_id_does_not_depend_on_how_a_default_is_spelt(encoding, options):
    plain = config(encoding=encoding)
    assert plain == config(encoding=encoding, encoding_options=options)
    assert dict(plain.encoding_options) == options
    for name, value in options.items():
        part = {name: value}
        assert config(encoding=encoding, encoding_options=part).id == plain.id
        other = config(
            encoding=encoding, encoding_options={name: value + (1 if name == "seed" else 0.5)}
        )
        assert other.id != plain.id


def test_a_later_default_of_an_encoding_leaves_what_an_id_means(monkeypatch):
    before = config(encoding="smoothed")

    def smoothed(num_classes, delta=0.2):
        return encodings.smoothed(num_classes, delta)

    monkeypatch.setitem(encodings.ENCODINGS, "smoothed", smoothed)
    again = RunConfig.model_validate_json(before.to_json())
    assert again.id == before.id
    assert torch.equal(again.targets(), encodings.smoothed(10, 0.1))
    assert config(encoding="smoothed").id != before.id


def test_another_encoding_starts_from_its_own_options():
    run = config(encoding="smoothed", encoding_options={"delta": 0.3})
    assert run.replace(encoding="one_hot") == config()
    assert run.replace(seed=1).encoding_options == (("delta", 0.3),)


def test_published_configurations_are_written_as_they_were(monkeypatch):
    monkeypatch.delenv("NCLIB_LEDGER")
    paths = sorted(ledger.published_root().glob("*/*.json"))
    assert paths
    for path in paths:
        published = json.loads(path.read_text())["config"]
        run = RunConfig.model_validate(published)
        assert json.loads(run.to_json()) == published
        assert run.id == path.stem


def test_targets_are_the_encoding_for_the_data_sets_classes():
    run = config(encoding="smoothed", encoding_options={"delta": 0.3})
    assert torch.equal(run.targets(), encodings.smoothed(10, 0.3))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"paper": "Class Encoding"}, "'Class Encoding'.*lower-case"),
        ({"dataset": "digit"}, "'digit'.*digits"),
        ({"dataset": "cifar10", "per_class": 5001}, "per_class is 5001, expected 1 to 5000"),
        ({"encoding": "onehot"}, "'onehot'.*one_hot"),
        ({"encoding": "smoothed", "encoding_options": {"eps": 1}}, "'eps'.*delta"),
        ({"encoding_options": 5}, "encoding_options.*got 5, expected numbers by name"),
        ({"encoding_options": ["a"]}, "encoding_options.*got .'a'., expected numbers by name"),
        ({"encoding_options": {"delta": "x"}}, "encoding_options.*'x'"),
        ({"encoding_options": {"delta": 1, 2: 3}}, "encoding_options.*expected numbers by name"),
        ({"model": "mpl"}, "'mpl'.*mlp"),
        ({"model": "resnet18"}, "'resnet18'.*32×32, got 8×8"),
        ({"normalisation": "usual"}, "normalisation is 'usual'.*digits has its own alone"),
        ({"augment": True}, "augment is True.*digits"),
        ({"lam_b": -1}, "-1.0.*inf"),
        ({"lam_w": math.inf}, "got inf, expected 0 or a positive finite"),
        ({"lam_h": math.nan}, "got nan"),
        ({"lr": 0}, "got 0.0, expected a positive"),
        ({"momentum": 1}, r"got 1.0, expected in \[0, 1\)"),
        ({"momentum": 0.5, "optimizer": "adamw"}, "momentum is 0.5, but optimizer is 'adamw'.*0.9"),
        ({"momentum": 0.5, "optimizer": "adam"}, "momentum is 0.5, but optimizer is 'adam'.*0.9"),
        ({"dataset": "cifar10", "model": "resnet18", "width": 32}, "width is 32.*width of 64"),
        ({"epochs": 0}, "got 0, expected at least 1"),
        ({"epochs": 3, "warmup_epochs": 4}, "warmup_epochs is 4, expected at most epochs = 3"),
        ({"seed": -1}, "got -1, expected 0 or more"),
        ({"seed": 2**32}, "seed.*got 4294967296, expected 0 or more and below 2³²"),
        ({"subset_seed": 2**32}, "subset_seed.*below 2³²"),
        ({"subset_seed": 1}, "subset_seed is 1, but imbalance is 1.*expected 0"),
        ({"imbalance_kind": "step"}, "imbalance_kind is 'step', but imbalance is 1.*'exp'"),
        ({"noise": (0.1, 0.10000001)}, "got .0.1, 0.10000001., expected levels that differ"),
        ({"loss": "ce", "encoding": "rotated"}, "'ce' needs labels that are distributions"),
        ({"profile": "huge"}, "smoke.*laptop.*paper"),
        ({"lamb_w": 1}, "lamb_w"),
    ],
)
def test_a_bad_value_is_refused_by_name(changes, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        config(**changes)


def test_a_configuration_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        config().seed = 1


# Files


def test_a_grid_file_is_a_list_of_configurations(tmp_path):
    path = tmp_path / "grid.json"
    runs = [config(seed=seed) for seed in (1, 2)]
    path.write_text(f"[{runs[0].to_json()}, {runs[1].to_json()}]")
    assert read_configs(path) == runs


@pytest.mark.parametrize(
    ("text", "message"),
    [("[{]", "is not JSON"), ("{}", "holds a dict"), ('[{"seed": 1}]', "run 0.*paper")],
)
def test_a_bad_grid_file_is_refused_with_its_path(tmp_path, text, message):
    path = tmp_path / "grid.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"(?s)grid.json.*{message}"):
        read_configs(path)


def test_a_configuration_is_read_from_its_file(tmp_path):
    path = tmp_path / "run.json"
    path.write_text(config(lam_b=math.inf, seed=3).to_json())
    assert read_config(path) == config(lam_b=math.inf, seed=3)
    with pytest.raises(FileNotFoundError, match=r"absent\.json"):
        read_config(tmp_path / "absent.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "valid dictionary"),
        (
            '{"paper": "x", "profile": "smoke", "dataset": "cifar11", "epochs": 0}',
            "dataset: unknown data set 'cifar11'; did you mean cifar10 or cifar100 or "
            "canvas-cifar10?; "
            "epochs: got 0, expected at least 1",
        ),
        (
            '{"paper": "x", "profile": "smoke", "dataset": "digits", "epochs": 2, '
            '"method": "etf-dr", "feature_dim": 8}',
            ": head 'etf' of 10 classes needs features of dimension at least 9, got 8",
        ),
    ],
)
def test_a_bad_configuration_is_refused_in_one_line_with_its_path(tmp_path, text, message):
    path = tmp_path / "run.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        read_config(path)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(str(path))


def test_a_folder_is_no_configuration(tmp_path):
    with pytest.raises(ValueError, match="is a folder"):
        read_config(tmp_path)


# Records


def test_a_record_reads_back_as_it_was_written(tmp_path):
    made = record(config(lam_b=math.inf))
    path = tmp_path / "run.json"
    made.save(path)
    read = RunRecord.load(path)
    assert read.config == made.config
    assert read.epochs == made.epochs
    assert read.final == {"test_accuracy": 0.75, "objective": None}  # JSON has no NaN
    np.testing.assert_array_equal(read.arrays["class_means"], made.arrays["class_means"])
    assert read.arrays["class_means"].dtype == np.float32
    assert read.to_json() == made.to_json()


def test_a_record_gives_its_reports_and_their_course():
    made = record(config())
    report = made.report("train")
    assert report.nc1 > 0
    assert report.counts.tolist() == [4] * 10
    assert made.trajectory("test", "nc1") == ([1], [report.nc1])


def test_an_edited_record_is_refused_with_its_path(tmp_path):
    path = tmp_path / "run.json"
    record(config()).save(path)
    path.write_text(path.read_text().replace("0.75", "0.95"))
    with pytest.raises(RecordError, match=r"run\.json was edited"):
        RunRecord.load(path)


def test_a_record_torn_anywhere_is_refused(tmp_path):
    path = tmp_path / "run.json"
    record(config()).save(path)
    whole = path.read_bytes()
    for size in range(0, len(whole) - 1, len(whole) // 40):
        path.write_bytes(whole[:size])
        with pytest.raises(RecordError, match=r"run\.json is torn"):
            RunRecord.load(path)


def test_a_file_that_is_no_record_is_refused(tmp_path):
    path = tmp_path / "run.json"
    path.write_text("{}")
    with pytest.raises(RecordError, match="no run record"):
        RunRecord.load(path)


@pytest.mark.parametrize("name", ["config", "arrays"])
def test_a_whole_file_that_lacks_a_part_is_refused(tmp_path, name):
    path = tmp_path / "run.json"
    document = json.loads(record(config()).to_json())
    del document[name], document["sha256"]
    document["sha256"] = nclib.runs._record._digest(document)
    path.write_text(json.dumps(document))
    with pytest.raises(RecordError, match=rf"run\.json is no run record: it has no {name}"):
        RunRecord.load(path)


def test_a_failed_save_leaves_the_old_record_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "records" / "run.json"
    record(config()).save(path)
    before = path.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        record(config(seed=1)).save(path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


# Provenance


def test_a_result_is_dirty_when_package_or_source_differs_from_the_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    package, chapter = tmp_path / "nclib" / "__init__.py", tmp_path / "chapter.ipynb"
    package.parent.mkdir()
    for path in (package, chapter):
        path.write_text("")
    name = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "."], [*name, "commit", "-q", "-m", "All"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    monkeypatch.setattr(nclib, "__file__", str(package))
    assert commit(chapter) == {**commit(), "dirty": False}
    chapter.write_text("{}")
    assert commit(chapter) == {**commit(), "dirty": True}
    assert commit()["dirty"] is False
    assert commit(tmp_path.parent / "elsewhere.ipynb")["dirty"] is True
    package.write_text("pass")
    assert commit()["dirty"] is True


# The ledger


@pytest.fixture
def counted(monkeypatch):
    """Training that takes no time and counts its calls."""
    calls = []

    def fit(run, **_):
        calls.append(run.seed)
        return record(run)

    monkeypatch.setattr(train, "fit", fit)
    return calls


def test_what_was_trained_once_is_not_trained_again(counted):
    assert get(config()).to_json() == get(config()).to_json()
    assert counted == [0]
    get(config(), recompute=True)
    assert counted == [0, 0]


def test_the_published_record_comes_before_the_cached_one(counted):
    get(config())
    published = record(config(), final={"test_accuracy": 1.0})
    ledger.publish(published)
    assert get(config()).final == {"test_accuracy": 1.0}
    assert counted == [0]


def test_a_queue_trains_what_is_missing_in_order(counted):
    get(config(seed=2))
    made = list(get_all([config(seed=seed) for seed in (1, 2, 3)]))
    assert [one.config.seed for one in made] == [1, 2, 3]
    assert counted == [2, 1, 3]


def test_a_torn_cached_record_is_refused_by_name(counted):
    get(config())
    path = ledger.find_path(config())
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RecordError, match=config().id):
        get(config())


def test_records_are_listed_by_paper_and_profile():
    for run in (config(), config(profile="laptop"), config(paper="inducing-nc")):
        ledger.publish(record(run))
    assert len(ledger.records()) == 3
    assert {one.profile for one in ledger.records("class-encoding")} == {"smoke", "laptop"}
    assert [one.profile for one in ledger.records(profile="laptop")] == ["laptop"]


def test_a_sound_ledger_has_no_problems():
    ledger.published_root().mkdir()
    assert ledger.verify() == []
    ledger.publish(record(config()))
    assert ledger.verify() == []


def test_an_absent_ledger_is_not_sound():
    assert ledger.verify() == [f"{ledger.published_root()}: there is no such folder"]


def test_verify_names_torn_misplaced_and_foreign_files():
    root = ledger.published_root()
    good = ledger.publish(record(config()))
    (good.parent / "notes.txt").write_text("?")
    (good.parent / f"{config(seed=1).id}.json").write_bytes(good.read_bytes())
    (good.parent / f"{config(seed=2).id}.json").write_bytes(good.read_bytes()[:50])
    problems = "\n".join(ledger.verify())
    assert problems.count("\n") == 2
    for part in (
        f"{root}/class-encoding/notes.txt: no run record",
        f"{config(seed=1).id}.json: its place is",
        f"{config(seed=2).id}.json is torn",
    ):
        assert part in problems


def test_the_published_ledger_of_this_checkout_is_sound(monkeypatch):
    monkeypatch.delenv("NCLIB_LEDGER")
    assert ledger.published_root().parts[-2:] == ("book", "ledger")
    assert ledger.verify() == []


def test_published_records_name_no_machine_and_no_folder(monkeypatch):
    monkeypatch.delenv("NCLIB_LEDGER")
    for one in ledger.records():
        assert "/" not in one.to_json().split('"provenance":')[1]


def test_a_record_is_immutable():
    with pytest.raises(dataclasses.FrozenInstanceError):
        record(config()).final = {}


def test_reading_the_ledger_does_not_load_the_trainer():
    code = "import sys; from nclib.runs import ledger; ledger.records(); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "lightning" not in run.stdout.split()
    assert "nclib.runs" in run.stdout.split()


# What is lost when a folder cannot be written: nothing


@pytest.fixture
def full_disk(monkeypatch):
    """Nothing can be written below the cache."""
    real = _io.write_atomic

    def write(path, content):
        if ledger.cache_root() in path.parents:
            raise OSError(28, "No space left on device")
        real(path, content)

    for module in ("nclib.train._checkpoint", "nclib.runs._record"):
        monkeypatch.setattr(f"{module}.write_atomic", write)


@pytest.fixture(params=["full", "absent"])
def full_disks(full_disk, monkeypatch, request):
    """Nor in the folder of temporary files, or there is none."""
    if request.param == "full":
        monkeypatch.setattr(tempfile, "tempdir", str(ledger.cache_root()))
        return

    def absent():
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", absent)


def test_a_full_disk_loses_no_finished_run(full_disk, tmp_path):
    with pytest.warns(UserWarning, match="No space left") as told:
        made = get(config(epochs=2))
    assert "the record is in" in str(told[-1].message)
    path = tmp_path / "temporary" / f"nclib-{made.id}.json"
    assert RunRecord.load(path).final == made.final
    assert ledger.holder(made) == path
    assert ledger.find(made.config) is None  # what lies there is never read by itself


@pytest.fixture
def trained(monkeypatch):
    """The epochs that are trained, as they come."""
    epochs = []
    real = train._run.Run.train_epoch

    def counting(self, epoch, *rest):
        epochs.append(epoch)
        return real(self, epoch, *rest)

    monkeypatch.setattr(train._run.Run, "train_epoch", counting)
    return epochs


def test_a_full_disk_loses_no_epoch(full_disk, trained, monkeypatch, tmp_path):
    run = config(epochs=3, batch_size=2000)
    told = iter([False, False, False, True])  # after a step, and after its epoch
    spare = tmp_path / "temporary" / f"nclib-{run.id}.pt"
    with monkeypatch.context() as patch:
        patch.setattr("nclib.train._stop.Stop.__call__", lambda _: next(told))
        with (
            pytest.warns(UserWarning, match=f"it is in {spare}"),
            pytest.raises(train.StoppedError, match="epoch 2 of 3; the same call goes on"),
        ):
            get(run)
    monkeypatch.setattr("nclib.train._checkpoint.write_atomic", _io.write_atomic)
    monkeypatch.setattr("nclib.runs._record.write_atomic", _io.write_atomic)
    made = get(run)  # there is room again
    assert trained == [1, 2, 3]
    assert made.final == train.fit(run).final
    assert not spare.exists()


def test_a_stop_whose_state_is_nowhere_says_so(full_disks):
    with (
        pytest.warns(UserWarning, match="training goes on"),
        pytest.raises(train.StoppedError, match="epoch 1 of 3; its state could not be saved"),
    ):
        train.fit(config(epochs=3), checkpoint=ledger.checkpoint_path(config(epochs=3)), until=0)


@pytest.mark.skipif(os.name != "posix", reason="files have owners")
def test_what_another_user_left_in_the_temporary_folder_is_not_taken(monkeypatch, tmp_path):
    spare = tmp_path / "temporary" / "nclib-state.pt"
    spare.touch()
    assert _io.latest(tmp_path / "state.pt") == spare
    mine = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    assert _io.latest(tmp_path / "state.pt") is None


def test_a_record_in_no_file_is_told_from_an_older_one(full_disks):
    with pytest.warns(UserWarning, match="No space left") as told:
        made = get(config())
    assert "the checkpoint, if it could be saved" in str(told[-1].message)
    assert ledger.find(config()) is None
    ledger.publish(record(config()))
    assert ledger.holder(made) is None
    ledger.publish(made)
    assert ledger.holder(made) == ledger.find_path(config())
    assert ledger.holder(made, published=False) is None


def test_a_first_stage_whose_network_is_nowhere_is_named(full_disks):
    run = config(method="ce-crt", method_options={"second_epochs": 1})
    first = run.previous()
    message = f"network of run {first.id}, from which another run starts, could not be stored: "
    with (
        pytest.warns(UserWarning, match="No space left"),
        pytest.raises(FileNotFoundError, match=f"{message}neither in {ledger.network_path(first)}"),
    ):
        get(run)


def test_a_second_stage_goes_on_where_the_first_ones_network_cannot_be_kept(
    full_disk, trained, tmp_path
):
    run = config(epochs=2, method="ce-crt", method_options={"second_epochs": 1})
    with pytest.warns(UserWarning, match="No space left") as told:
        made = get(run)
    assert any("networks" in str(one.message) and "it is in" in str(one.message) for one in told)
    assert trained == [1, 2, 3]
    network = tmp_path / "network.pt"
    train.fit(run.previous(), network=network)
    assert made.final == train.fit(run, base=network).final


def test_a_record_that_could_not_be_written_is_made_again_from_its_checkpoint(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(RunRecord, "save", full)
        with pytest.warns(UserWarning, match="No space left"):
            made = get(config(epochs=2))

    def again(*_):
        raise AssertionError("an epoch was trained again")

    monkeypatch.setattr("nclib.train._run.Run.train_epoch", again)
    again = get(config(epochs=2))
    assert again.final == made.final
    assert again.epochs == made.epochs
    assert not ledger.checkpoint_path(config(epochs=2)).exists()


def test_a_time_limit_stops_and_the_next_call_goes_on():
    run = config(epochs=3)
    with pytest.raises(train.StoppedError, match="was not started"):
        list(get_all([run], until=0))
    straight = train.fit(run)
    path = ledger.checkpoint_path(run)
    with pytest.raises(train.StoppedError, match="stopped in epoch 1 of 3"):
        train.fit(run, checkpoint=path, until=0)
    assert path.exists()
    assert get(run).final == straight.final


def test_a_run_that_diverges_does_not_keep_the_others_from_theirs():
    runs = [config(seed=1), config(lr=1e30), config(seed=2)]
    made = []
    with pytest.raises(FailedRunsError, match=f"run {runs[1].id} failed: the loss is"):
        made.extend(get_all(runs))
    assert ledger.find(runs[0]) is not None
    assert ledger.find(runs[2]) is not None
