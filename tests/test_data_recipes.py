"""Recipes: manifests that hold, files that are refused, one clear line when nothing is there."""

import hashlib
import io
import json
import logging
import os
import pickle
import tarfile

import numpy as np
import pooch
import pytest
from typer.testing import CliRunner

from data_recipes import RECIPES, cifar, manifest_path
from data_recipes.__main__ import app
from nclib import data
from nclib.data import _cifar


def command(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("NCLIB_DATA", str(tmp_path))
    return tmp_path


def _batch(first):
    pixels = np.full((3, 3072), first, dtype=np.uint8)
    content = {b"data": pixels, b"labels": [0, 1, first % 10]}
    return pickle.dumps(content, protocol=2)


CONTENT = {f"data_batch_{i}": _batch(i) for i in (1, 2)} | {"test_batch": _batch(3)}


def _archive():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in CONTENT.items():
            entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


ARCHIVE = _archive()


@pytest.fixture
def tiny(monkeypatch, root):
    """A CIFAR-10 of nine images, with its own checksums and an address that nobody answers."""
    md5 = {name: hashlib.md5(content).hexdigest() for name, content in CONTENT.items()}
    files = _cifar.CifarFiles(
        name="cifar10",
        folder="cifar-10-batches-py",
        url="http://127.0.0.1:9/cifar-10-python.tar.gz",
        archive_md5=hashlib.md5(ARCHIVE).hexdigest(),
        label_key=b"labels",
        train={name: md5[name] for name in ("data_batch_1", "data_batch_2")},
        test={"test_batch": md5["test_batch"]},
    )
    monkeypatch.setattr(_cifar, "CIFAR10", files)
    monkeypatch.setitem(RECIPES, "cifar10", cifar._recipe(files))
    return root / files.folder


def unpacked(folder):
    folder.mkdir(parents=True)
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)


def test_the_list_names_every_data_set_and_whether_it_is_built():
    RECIPES["digits"].build()
    code, output = command("list")
    assert code == 0
    assert [line.split()[:2] for line in output.splitlines()[1:]] == [
        ["digits", "built"],
        ["cifar10", "not"],
        ["cifar100", "not"],
    ]


def test_every_recipe_belongs_to_a_data_set_of_the_library():
    assert RECIPES.keys() == data.DATASETS.keys()


def test_digits_need_no_file_and_their_manifest_holds():
    assert command("build", "digits")[0] == 0
    manifest = json.loads(manifest_path("digits").read_text())
    assert sum(manifest["splits"]["train"]["class_counts"]) == 1442
    assert manifest["splits"]["test"]["shape"] == [355, 1, 8, 8]
    assert command("verify", "digits") == (0, "digits: as its manifest says\n")


def test_files_in_place_are_described_without_a_network(tiny):
    unpacked(tiny)
    assert command("build", "cifar10")[0] == 0
    manifest = json.loads(manifest_path("cifar10").read_text())
    assert manifest["splits"]["train"]["class_counts"] == [2, 3, 1, 0, 0, 0, 0, 0, 0, 0]
    assert manifest["files_md5"]["cifar-10-batches-py/test_batch"] == (
        hashlib.md5(CONTENT["test_batch"]).hexdigest()
    )
    assert command("verify", "cifar10")[0] == 0


def test_an_archive_in_the_data_root_is_unpacked(tiny, root):
    (root / "cifar-10-python.tar.gz").write_bytes(ARCHIVE)
    assert command("build", "cifar10")[0] == 0
    assert sorted(path.name for path in tiny.iterdir()) == sorted(CONTENT)


def test_without_network_and_file_one_line_says_what_to_put_where(tiny, root, monkeypatch):
    shown = io.StringIO()  # pooch writes to the stderr that was there when it was imported
    monkeypatch.setattr(pooch.get_logger(), "handlers", [logging.StreamHandler(shown)])
    code, output = command("build", "cifar10")
    assert code == 1
    assert shown.getvalue() == ""
    (line,) = output.splitlines()
    for part in ("cifar-10-batches-py", str(root), "cannot be downloaded", "NCLIB_DATA"):
        assert part in line
    assert not manifest_path("cifar10").exists()


@pytest.mark.parametrize("damage", ["truncated", "changed"])
def test_a_damaged_file_is_refused_by_name_with_both_checksums(tiny, damage):
    unpacked(tiny)
    path = tiny / "data_batch_1"
    content = CONTENT["data_batch_1"]
    path.write_bytes(content[:-1] if damage == "truncated" else content[:-1] + b"x")
    code, output = command("build", "cifar10")
    assert code == 1
    assert "data_batch_1" in output
    assert hashlib.md5(content).hexdigest() in output
    assert hashlib.md5(path.read_bytes()).hexdigest() in output
    assert not manifest_path("cifar10").exists()


def test_damage_after_the_build_is_found_by_verify(tiny):
    unpacked(tiny)
    command("build", "cifar10")
    (tiny / "test_batch").write_bytes(b"")
    code, output = command("verify", "cifar10")
    assert code == 1
    assert "test_batch is corrupted or truncated (0 bytes)" in output


def test_an_edited_manifest_is_found_by_verify(tiny):
    unpacked(tiny)
    command("build", "cifar10")
    path = manifest_path("cifar10")
    path.write_text(path.read_text().replace('"shape": [\n    6', '"shape": [\n    7'))
    code, output = command("verify", "cifar10")
    assert code == 1
    assert "splits is" in output


def test_verify_without_a_manifest_names_the_command_that_makes_it():
    code, output = command("verify", "digits")
    assert code == 1
    assert "python -m data_recipes build digits" in output


def test_an_interrupted_build_leaves_nothing_half_made(tiny, monkeypatch, root):
    unpacked(tiny)

    def fails(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(KeyboardInterrupt):
        RECIPES["cifar10"].build()
    assert list((root / "manifests").iterdir()) == []


def test_an_unknown_data_set_lists_near_matches():
    code, output = command("build", "cifar1O")
    assert code == 1
    assert "did you mean cifar10" in output
