"""The command nclib."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from tiny import chapter
from typer.testing import CliRunner

from nclib.cli import app
from nclib.cli._output import Bar
from nclib.runs import ledger


@pytest.fixture
def notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NCLIB_NOTEBOOKS", str(tmp_path / "notebooks"))
    monkeypatch.setenv("NCLIB_BUILD", str(tmp_path / "build"))
    chapter(tmp_path / "notebooks" / "part" / "one.ipynb", "print(lam, sizes, label)")
    return tmp_path / "notebooks"


def call(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout, result.stderr


def test_help_is_quick_since_it_imports_little() -> None:
    heavy = "{'torch', 'matplotlib', 'papermill', 'snakemake', 'lightning'}"
    script = f"import sys, nclib.cli; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
    # The check itself can fail:
    assert subprocess.run([sys.executable, "-c", "import torch; " + script], check=False).returncode


def test_chapters_are_listed(notebooks: Path) -> None:
    names = "profile, seed, lam, sizes, label"
    assert call("chapters") == (0, f"part/one\tThe chapter one\t{names}\n", "")


def test_parameters_of_a_chapter_are_listed(notebooks: Path) -> None:
    code, out, _ = call("chapters", "part/one")
    assert code == 0
    assert "lam\tfloat\t0.1\tweight decay\n" in out


def test_run_takes_parameters_and_says_where_the_output_is(notebooks: Path) -> None:
    given = ["-p", "lam", "-2", "-p", "sizes", "[3]", "-p", "label", "x y"]
    code, out, _ = call("run", "part/one", *given)
    assert code == 0
    notebook = nbformat.read(out.strip(), as_version=4)
    assert [o.text for c in notebook.cells for o in c.get("outputs", [])] == ["-2.0 [3] x y\n"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["part/on"], "no chapter 'part/on' (near: part/one)"),
        (["part/one", "-p", "sed", "1"], "has no parameter 'sed' (near: seed, sizes)"),
        (["part/one", "-p", "seed", "x"], "parameter seed takes int, got 'x'"),
        (["part/one", "-p", "seed", "-1"], "parameter seed takes 0 or more, got -1"),
        (["part/one", "-p", "seed"], "expected -p name value"),
        (["part/one", "--seed", "1"], "'--seed' is no option"),
    ],
)
def test_run_refuses_in_one_line(notebooks: Path, arguments: list[str], message: str) -> None:
    code, out, err = call("run", *arguments)
    assert (code, out) == (1, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_failing_chapter_is_reported(notebooks: Path) -> None:
    chapter(notebooks / "bad.ipynb", "1 / 0")
    code, _, err = call("run", "bad")
    assert code == 1
    assert "bad: cell 3 of 3 failed" in err
    assert "ZeroDivisionError" in err


def test_train_wants_one_thing_to_train() -> None:
    assert call("train")[0] == 1
    assert call("train", "--grid", "a", "--id", "b")[2] == (
        "nclib: name one of --config, --grid and --id\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device", "cuda"], "--device: this goes with --executor alone"),
        (["--", "--keep-going"], "--keep-going: this goes with --executor alone"),
        (["--executor", "slurm", "--recompute"], "goes without --id, --recompute"),
        (["--executor", "slurm", "--time-limit", "5"], "--recompute and --time-limit"),
    ],
)
def test_train_refuses_what_does_not_go_together(arguments: list[str], message: str) -> None:
    code, _, err = call("train", "--grid", "class-encoding/smoke", *arguments)
    assert code == 1
    assert message in err


def test_train_names_a_bad_field(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text('{"paper": "x", "profile": "smoke", "dataset": "digits", "epoch": 1}')
    code, _, err = call("train", "--config", str(path))
    assert code == 1
    assert "epoch" in err


RUN = {"paper": "x", "profile": "smoke", "dataset": "digits", "epochs": 1}


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Writes a configuration for --config; data, cache, ledger and temporary folder are empty."""
    for name in ("DATA", "CACHE", "LEDGER", "TEMPORARY"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(f"NCLIB_{name}", str(tmp_path / name))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "TEMPORARY"))

    def write(**changes: object) -> str:
        path = tmp_path / "run.json"
        path.write_text(json.dumps({**RUN, **changes}))
        return str(path)

    return write


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": "cifar10"}, "cifar10"),  # which is not there
        ({"dataset": "cifar11"}, "did you mean cifar10 or cifar100 or canvas-cifar10?"),
        ({"model": "resnet-32"}, "did you mean resnet32"),
        ({"method": "nc-drv"}, "did you mean nc-drw"),
        ({"method": "nc-drw", "method_options": {"lam_within": -1}}, "lam_within is -1, expected"),
        ({"method": "nc-drw", "method_options": {"start_epoch": 1}}, "start_epoch is 1, beyond"),
        ({"method": "etf-dr", "feature_dim": 8}, "of dimension at least 9, got 8"),
        ({"imbalance": 0.5, "epochs": 0}, "imbalance: got 0.5"),
        ({"lr": 1e30}, "the loss is"),
    ],
)
def test_a_run_that_cannot_be_is_refused_in_one_line(
    configured: Callable[..., str], changes: dict[str, object], message: str
) -> None:
    code, out, err = call("train", "--config", configured(**changes))
    assert (code, out) == (1, "")
    assert err.startswith("nclib: ")
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_repeated_record_is_compared_and_its_own_file_named(
    configured: Callable[..., str], tmp_path: Path
) -> None:
    code, out, _ = call("train", "--config", configured(per_class=2), "--publish")
    assert code == 0
    name, profile, place = out.split()
    assert (profile, place) == ("smoke", str(tmp_path / "LEDGER" / "x" / f"{name}.json"))
    published = Path(place).read_bytes()
    code, out, _ = call("train", "--id", name[:6])
    assert code == 0
    head, *rows = out.splitlines()
    assert head.split() == [name, "smoke", str(tmp_path / "CACHE" / "runs" / "x" / f"{name}.json")]
    assert Path(place).read_bytes() == published
    values = {metric: (old, new) for metric, old, new in (row.split("\t") for row in rows)}
    assert values.keys() >= {"train_accuracy", "test_accuracy", "train_loss", "objective"}
    assert all(old == new for old, new in values.values())
    # What was trained before is found where it stands.
    assert call("train", "--config", configured(per_class=2))[1].split()[2] == place


def test_a_record_that_the_cache_cannot_take_is_named_where_it_is(
    configured: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ["train", "--config", configured(per_class=2)]
    assert call(*given)[0] == 0  # an older record, in the cache
    monkeypatch.setattr("nclib.runs.ledger.cache", _full)
    with pytest.warns(UserWarning, match="No space left"):
        code, out, err = call(*given, "--recompute")
    name, _, place = out.split()
    assert (code, err) == (0, "")
    assert place == str(tmp_path / "TEMPORARY" / f"nclib-{name}.json")
    assert call(*given)[1].split()[2] == str(tmp_path / "CACHE" / "runs" / "x" / f"{name}.json")


def test_a_record_that_no_file_holds_is_a_failure(
    configured: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ["train", "--config", configured(per_class=2)]
    (tmp_path / "file").touch()
    monkeypatch.setenv("NCLIB_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="Not a directory"):
        code, out, err = call(*given)
    assert (code, out) == (1, "")
    assert f"could not be stored: neither in {tmp_path / 'file' / 'runs' / 'x'}" in err
    assert len(err.splitlines()) == 1
    with pytest.warns(UserWarning, match="Not a directory"):
        code, out, err = call(*given, "--publish")
    assert (code, err) == (0, "")
    assert Path(out.split()[2]).parent == tmp_path / "LEDGER" / "x"


def test_what_cannot_be_published_is_named_beside_the_runs_that_failed(
    configured: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = ({**RUN, "per_class": 2}, {**RUN, "lr": 1e30})
    Path(configured()).write_text(json.dumps([good, bad]))
    monkeypatch.setattr("nclib.runs.ledger.publish", _full)
    code, out, err = call("train", "--grid", str(tmp_path / "run.json"), "--publish")
    assert code == 1
    assert Path(out.split()[2]).parent == tmp_path / "CACHE" / "runs" / "x"
    assert "could not be published: [Errno 28]" in err
    assert "the loss is" in err


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("quiet", [None, "NCLIB_QUIET", "CI"])
def test_a_terminal_shows_the_bar_unless_the_environment_is_quiet(
    monkeypatch: pytest.MonkeyPatch, quiet: str | None
) -> None:
    for name in ("NCLIB_QUIET", "CI"):
        monkeypatch.delenv(name, raising=False)
    if quiet is not None:
        monkeypatch.setenv(quiet, "1")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert Bar("part/one")._progress.disable == (quiet is not None)


def test_of_the_processes_of_torchrun_one_prints(
    configured: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ["train", "--config", configured(per_class=2)]
    printed = call(*given)
    for rank, expected in (("0", printed), ("1", (0, "", ""))):
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
        monkeypatch.setenv("RANK", rank)
        assert call(*given) == expected


def test_an_absent_ledger_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NCLIB_LEDGER", str(tmp_path / "absent"))
    code, out, err = call("ledger", "verify")
    assert (code, out) == (1, "")
    assert err == f"{tmp_path / 'absent'}: there is no such folder\n"


def test_the_ledger_verifies() -> None:
    code, out, err = call("ledger", "verify")
    assert (code, err) == (0, "")
    assert "all whole and in their place" in out


def test_an_edited_record_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "paper").mkdir()
    (tmp_path / "paper" / "0123.json").write_text("{")
    monkeypatch.setenv("NCLIB_LEDGER", str(tmp_path))
    code, _, err = call("ledger", "verify")
    assert code == 1
    assert "torn" in err


def test_a_record_is_shown_by_the_beginning_of_its_id() -> None:
    _, listed, _ = call("ledger", "list")
    name = listed.split("\t")[0]
    code, shown, _ = call("ledger", "show", name[:12])
    assert code == 0
    assert '"provenance"' in shown
    assert call("ledger", "show", "none")[2].startswith("nclib: 0 records")


def test_a_published_record_is_measured_again(configured: Callable[..., str]) -> None:
    assert call("train", "--config", configured(), "--publish")[0] == 0
    [before] = ledger.records()
    code, out, err = call("ledger", "measure", before.id[:8])
    [after] = ledger.records()
    assert (code, err, out) == (0, "", f"{ledger.published_root() / 'x' / before.id}.json\n")
    assert after.final == before.final
    assert "measured_date" in after.provenance
    ledger.network_path(before.config).unlink()
    code, _, err = call("ledger", "measure", before.id)
    assert code == 1
    assert f"the weights of run {before.id} are not kept" in err


def test_doctor_says_what_can_run(notebooks: Path) -> None:
    code, out, _ = call("doctor")
    assert code == 0
    assert "\nsmoke profile\tyes\t" in out
    assert "\nledger\t" in out
