"""Recipes: manifests that hold, files that are refused, one clear line when nothing is there."""

import dataclasses
import doctest
import gzip
import hashlib
import http.server
import io
import json
import logging
import os
import pickle
import shutil
import tarfile
import threading

import numpy as np
import pooch
import pytest
import torch
from typer.testing import CliRunner

import data_recipes
from data_recipes import RECIPES, canvases, cifar, imagenet_lt, long_tailed, manifest_path
from data_recipes.__main__ import app
from nclib import data
from nclib.data import _cifar, _imagenet_lt
from nclib.data._files import git_blob_id


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


def no_network(*arguments, **options):
    raise OSError("no network")


def visible(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def unpacked(folder):
    folder.mkdir(parents=True)
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)


def test_the_list_names_every_data_set_and_whether_it_is_built():
    RECIPES["digits"].build()
    code, output = command("list")
    assert code == 0
    lines = [line.split() for line in output.splitlines()]
    assert [line[:2] for line in lines[1:-2]] == [
        ["digits", "built"],
        *([name, "not"] for name in (*list(RECIPES)[1:], *canvases.PRESETS, *long_tailed.USUAL)),
    ]
    assert "BASE-lt-RATIO" in output.splitlines()[-2]
    assert "folder-NAME" in output.splitlines()[-1]


def test_every_recipe_belongs_to_a_data_set_of_the_library():
    assert RECIPES.keys() == data.DATASETS.keys()


def test_examples_in_docstrings_are_true():
    found = [doctest.testmod(module) for module in (data_recipes, long_tailed)]
    assert sum(result.attempted for result in found) > 0
    assert not any(result.failed for result in found)


def test_what_cannot_be_built_does_not_keep_the_others_from_it(monkeypatch):
    def describe(self, root):
        if self.name.split("-")[0] == "cifar10":
            raise OSError(28, "No space left on device", "cifar10.json")
        return {}

    monkeypatch.setattr(data_recipes.Recipe, "describe", describe)
    for name in [name for name in RECIPES if "cifar" in name]:
        empty = dataclasses.replace(RECIPES[name], fetch=lambda root: None)
        monkeypatch.setitem(RECIPES, name, empty)
        if name in long_tailed.BASES:
            monkeypatch.setitem(long_tailed.BASES, name, empty)
    monkeypatch.setattr(cifar, "CIFAR100_COARSE", RECIPES["cifar100-coarse"])
    monkeypatch.setattr("torchvision.datasets.VOCDetection", no_network)
    code, output = command("build", "all")
    assert code == 1
    yours = ["imagenet-lt", "voc-lt", "coco-lt", "vg200"]
    lacking = ["cifar10", *yours, *(n for n in long_tailed.USUAL if "cifar10-" in n)]
    assert output.splitlines()[-1] == f"not built: {', '.join(lacking)}"
    assert "put the published training list there" in output
    assert "No space left on device: 'cifar10.json'" in output
    for recipe in data_recipes.listed():
        assert manifest_path(recipe.name).exists() == (recipe.name not in lacking)
    code, output = command("verify", *lacking[:2], "digits")
    assert code == 1
    assert "digits: as its manifest says" in output
    assert output.splitlines()[-1] == f"not verified: {', '.join(lacking[:2])}"


def test_all_means_every_recipe_that_is_listed(monkeypatch):
    asked = []
    monkeypatch.setattr(data_recipes.Recipe, "verify", lambda self: asked.append(self.name))
    assert command("verify", "all")[0] == 0
    assert asked == [*RECIPES, *canvases.PRESETS, *long_tailed.USUAL]


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


@pytest.mark.parametrize("cut", [0, 9])
def test_an_archive_other_than_the_published_one_is_refused_with_both_checksums(tiny, root, cut):
    path = root / "cifar-10-python.tar.gz"
    path.write_bytes(ARCHIVE[:-cut] if cut else ARCHIVE + b"x")
    code, output = command("build", "cifar10")
    assert code == 1
    (line,) = output.splitlines()
    expected, found = (hashlib.md5(b).hexdigest() for b in (ARCHIVE, path.read_bytes()))
    assert f"{path} is corrupted or truncated" in line
    assert f"expected MD5 {expected}, found {found}" in line
    assert visible(root) == [path.name]


@pytest.fixture
def served(tiny, monkeypatch):
    """What the archive's address answers; the list may be changed."""
    answer = [ARCHIVE]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer[0])))
            self.end_headers()
            self.wfile.write(answer[0])

        def log_message(self, *_):
            pass

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        url = f"http://127.0.0.1:{server.server_port}/cifar-10-python.tar.gz"
        files = dataclasses.replace(_cifar.CIFAR10, url=url)
        monkeypatch.setattr(_cifar, "CIFAR10", files)
        monkeypatch.setitem(RECIPES, "cifar10", cifar._recipe(files))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield answer
        server.shutdown()
        thread.join()


def test_the_archive_is_downloaded_and_not_kept(served, root):
    assert command("build", "cifar10")[0] == 0
    assert visible(root) == ["cifar-10-batches-py", "manifests"]


def test_a_download_that_is_not_the_published_file_is_refused_with_both_checksums(served, root):
    expected = hashlib.md5(ARCHIVE).hexdigest()
    served[0] = b"<html>moved</html>"
    code, output = command("build", "cifar10")
    assert code == 1
    for part in ("cifar-10-python.tar.gz", expected, hashlib.md5(served[0]).hexdigest()):
        assert part in output
    assert visible(root) == []
    assert not list(root.glob(".*.part"))


def test_an_interrupted_unpacking_leaves_whole_files_alone(tiny, root, monkeypatch):
    (root / "cifar-10-python.tar.gz").write_bytes(ARCHIVE)
    flushed = []

    def interrupted(_):
        flushed.append(1)
        if len(flushed) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            RECIPES["cifar10"].build()
    assert [path.name for path in tiny.iterdir()] == ["data_batch_1"]
    assert (tiny / "data_batch_1").read_bytes() == CONTENT["data_batch_1"]
    assert command("build", "cifar10")[0] == 0


def test_what_a_killed_build_left_is_cleared_away(tiny, root):
    (root / "cifar-10-python.tar.gz").write_bytes(ARCHIVE)
    parts = [
        root / ".cifar-10-python.tar.gz.ab12.part" / "tmp34",
        tiny / ".data_batch_1.cd34.part",
        root / "manifests" / ".cifar10.json.ef56.part",
    ]
    other = root / "manifests" / ".digits.json.gh78.part"  # perhaps another's, at work
    for path in (*parts, other):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"half")
    assert command("build", "cifar10")[0] == 0
    assert not any(path.exists() for path in parts)
    assert not parts[0].parent.exists()
    assert other.exists()


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
    assert "splits.train.shape.0 is 7, but the data give 6" in output


@pytest.mark.parametrize("change", ["more", "less"])
def test_a_manifest_with_more_or_less_than_the_data_give_is_found(change):
    command("build", "digits")
    path = manifest_path("digits")
    manifest = json.loads(path.read_text())
    if change == "more":
        manifest["extra"] = 1
    else:
        del manifest["source"]
    path.write_text(json.dumps(manifest))
    code, output = command("verify", "digits")
    assert code == 1
    assert ("extra is 1, but" if change == "more" else "source is None, but") in output


def test_a_torn_manifest_is_found_by_verify():
    command("build", "digits")
    path = manifest_path("digits")
    path.write_text(path.read_text()[:-20])
    code, output = command("verify", "digits")
    assert code == 1
    assert f"{path} is torn" in output


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


# Canvases


def test_a_manifest_of_canvases_gives_options_label_sets_and_checksums():
    name = "canvas-digits-imbalanced-pairs"
    assert command("build", name)[0] == 0
    manifest = json.loads(manifest_path(name).read_text())
    assert manifest["options"]["pair_ratio"] == 16
    train = manifest["splits"]["train"]
    made = data.load_canvases("canvas-digits", options=manifest["options"])["train"]
    assert train["class_counts"] == made.layout.labels.sum(0).tolist()
    assert [train["support_counts"][pair] for pair in ("0 3", "0 1", "0 2")] == [20, 5, 1]
    digest = hashlib.sha256(made.layout.tiles.numpy().astype("<i4").tobytes()).hexdigest()
    assert train["tiles_sha256"] == digest
    assert command("verify", name)[0] == 0


def test_a_manifest_of_dialled_canvases_names_the_options_that_came_later():
    name = "canvas-digits-head-tail-50"
    assert command("build", name)[0] == 0
    manifest = json.loads(manifest_path(name).read_text())
    assert manifest["options"]["head_tail"] == 0.5
    assert "distractors" not in manifest["options"]  # older manifests have none
    made = data.load_canvases("canvas-digits", options=manifest["options"])["train"]
    assert manifest["splits"]["train"]["class_counts"] == made.layout.labels.sum(0).tolist()
    assert command("verify", name)[0] == 0


# Long-tailed subsets


def test_a_long_tailed_manifest_gives_counts_indices_and_seed():
    assert command("build", "digits-lt-10")[0] == 0
    manifest = json.loads(manifest_path("digits-lt-10").read_text())
    counts = data.long_tail_counts(10, 140, 10)
    assert manifest["splits"]["train"]["class_counts"] == counts
    assert (manifest["ratio"], manifest["kind"], manifest["seed"]) == (10, "exp", 0)
    digits = data.load("digits")
    drawn = [[int(index) for index in line.split()] for line in manifest["indices"]]
    assert [len(part) for part in drawn] == counts
    assert all((digits.train.labels[part] == k).all() for k, part in enumerate(drawn))
    flat = np.concatenate(drawn).astype("<i4")
    assert manifest["indices_sha256"] == hashlib.sha256(flat.tobytes()).hexdigest()
    subset = data.long_tailed(digits, 10)
    assert torch.equal(digits.train.images[flat.tolist()], subset.train.images)
    assert command("verify", "digits-lt-10")[0] == 0


def test_an_edited_index_is_found_by_verify():
    command("build", "digits-lt-20-step")
    path = manifest_path("digits-lt-20-step")
    manifest = json.loads(path.read_text())
    manifest["indices"][9] = "1 2 3 4 5 6 7"
    path.write_text(json.dumps(manifest))
    code, output = command("verify", "digits-lt-20-step")
    assert code == 1
    assert "indices.9 is '1 2 3 4 5 6 7', but the data give" in output


def test_the_place_of_an_edit_in_a_long_list_is_shown():
    command("build", "digits-lt-20-step")
    path = manifest_path("digits-lt-20-step")
    manifest = json.loads(path.read_text())
    *others, last = manifest["indices"][0].split()
    manifest["indices"][0] = " ".join([*others, "7777"])
    path.write_text(json.dumps(manifest))
    _, output = command("verify", "digits-lt-20-step")
    assert f"{others[-1]} 7777'" in output
    assert f"{others[-1]} {last}'" in output


def test_a_ratio_is_a_plain_number():
    assert command("build", "digits-lt-1_0")[0] != 0


def test_a_seed_in_the_name_gives_another_subset_of_the_same_counts():
    manifests = []
    for name in ("digits-lt-10", "digits-lt-10-seed1"):
        command("build", name)
        manifests.append(json.loads(manifest_path(name).read_text()))
    assert (
        manifests[0]["splits"]["train"]["class_counts"]
        == (manifests[1]["splits"]["train"]["class_counts"])
    )
    assert manifests[0]["indices_sha256"] != manifests[1]["indices_sha256"]
    assert manifests[1]["seed"] == 1


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("cifar10-lt-100.0", "cifar10-lt-100"),
        ("cifar10-lt-100-exp-seed0", "cifar10-lt-100"),
        ("cifar100-lt-12.5-step", "cifar100-lt-12.5-step"),
        ("digits-lt-10-step-seed7", "digits-lt-10-step-seed7"),
    ],
)
def test_any_ratio_kind_and_seed_has_a_name(name, canonical):
    assert data_recipes.find(name).name == canonical


def test_the_usual_subsets_have_names_of_their_own():
    assert [recipe.name for recipe in data_recipes.listed()] == [
        *RECIPES,
        *canvases.PRESETS,
        *long_tailed.USUAL,
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cifar10-lt-0.5", "ratio 0.5 must be finite and at least 1"),
        ("cifar10-lt-nan", "ratio nan must be finite and at least 1"),
        ("cifar10-lt-inf", "ratio inf must be finite and at least 1"),
        ("cifar10-lt-100-stepp", "unknown kind of imbalance 'stepp'; did you mean step"),
        ("cifar100-lt-1000", "class 90 of 100 would be empty"),
        ("cifar10-lt-many", "did you mean cifar10-lt-"),
        ("cifar-lt-100", "did you mean cifar10-lt-100"),
        ("digits-lt-10-seed4294967296", "seed 4294967296"),
    ],
)
def test_a_wrong_name_of_a_subset_is_refused_in_one_line(name, message):
    code, output = command("build", name)
    assert code == 1
    assert message in output
    assert len(output.splitlines()) == 1


def test_indices_other_than_the_published_ones_are_refused(monkeypatch):
    monkeypatch.setitem(long_tailed.PUBLISHED, "digits-lt-10", "0" * 64)
    code, output = command("build", "digits-lt-10")
    assert code == 1
    assert f"expected SHA-256 {'0' * 64}, found " in output
    assert not manifest_path("digits-lt-10").exists()


def test_published_fingerprints_are_of_the_usual_subsets():
    assert long_tailed.PUBLISHED.keys() == {
        name for name in long_tailed.USUAL if "cifar" in name and "step" not in name
    }


# ImageNet-LT, on two classes and images of a few bytes

TRAIN = "train/n01/n01_3.JPEG 0\ntrain/n01/n01_1.JPEG 0\ntrain/n02/n02_9.JPEG 1\n"
VALIDATION = "train/n01/n01_7.JPEG 0\ntrain/n02/n02_4.JPEG 1\n"
TEST = "val/n01/ILSVRC2012_val_00000002.JPEG 0\nval/n02/ILSVRC2012_val_00000001.JPEG 1\n"


@pytest.fixture
def imagenet(monkeypatch, root, tmp_path_factory):
    """A tiny ImageNet with its lists in place; returns the folder of images."""
    shipped = tmp_path_factory.mktemp("lists") / "lists.csv.gz"
    rows = "# a notice\nwnid,train,validation,test\nn01,2,7,2\nn02,1,4,1\n"
    shipped.write_bytes(gzip.compress(rows.encode()))
    files = _imagenet_lt.ImageNetLTFiles(
        shipped=shipped,
        training_list="imagenet-lt/ImageNet_LT_train.txt",
        folder="imagenet",
        shipped_blob=git_blob_id(shipped.read_bytes()),
        training_blob=git_blob_id(TRAIN.encode()),
        validation_blob=git_blob_id(VALIDATION.encode()),
        test_blob=git_blob_id(TEST.encode()),
    )
    monkeypatch.setattr(_imagenet_lt, "IMAGENET_LT", files)
    monkeypatch.setitem(RECIPES, "imagenet-lt", imagenet_lt._recipe(files))
    (root / "imagenet-lt").mkdir()
    (root / files.training_list).write_text(TRAIN)
    folder = root / "imagenet"
    for line in (TRAIN + VALIDATION + TEST).splitlines():
        path = folder / line.split()[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)
    return folder


def test_imagenet_lt_is_described_and_verified(imagenet):
    assert command("build", "imagenet-lt")[0] == 0
    manifest = json.loads(manifest_path("imagenet-lt").read_text())
    counts = {name: split["class_counts"] for name, split in manifest["splits"].items()}
    assert counts == {"train": [2, 1], "validation": [1, 1], "test": [1, 1]}
    assert manifest["lists"]["train"]["git_blob"] == git_blob_id(TRAIN.encode())
    assert command("verify", "imagenet-lt")[0] == 0


def test_imagenet_lt_gives_paths_and_labels_in_the_order_of_the_lists(imagenet, root):
    files = data.load_files("imagenet-lt")
    assert files.train.folder == imagenet
    assert files.train.paths == tuple(line.split()[0] for line in TRAIN.splitlines())
    assert files.train.labels.tolist() == [0, 0, 1]
    assert files.test.paths[0] == "val/n01/ILSVRC2012_val_00000002.JPEG"
    assert len(files.validation) == 2


def test_test_images_may_lie_flat_as_they_are_published(imagenet):
    for path in list(imagenet.glob("val/*/*.JPEG")):
        path.rename(imagenet / "val" / path.name)
        path.parent.rmdir()
    assert command("build", "imagenet-lt")[0] == 0
    assert data.load_files("imagenet-lt").test.paths[0] == "val/ILSVRC2012_val_00000002.JPEG"


@pytest.mark.parametrize(
    ("absent", "message"),
    [
        ("imagenet-lt/ImageNet_LT_train.txt", "put the published training list there"),
        ("imagenet/val", "put the ILSVRC 2012 images there"),
        ("imagenet/train/n02", "2 of 7 images are missing, the first is"),
    ],
)
def test_what_imagenet_lt_lacks_is_said_in_one_line(imagenet, root, absent, message):
    path = root / absent
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    code, output = command("build", "imagenet-lt")
    assert code == 1
    (line,) = output.splitlines()
    assert message in line
    assert str(path) in line
    assert not manifest_path("imagenet-lt").exists()


def test_another_training_list_is_refused_with_both_blob_ids(imagenet, root):
    changed = TRAIN.replace("n01_3", "n01_5")
    (root / "imagenet-lt" / "ImageNet_LT_train.txt").write_text(changed)
    code, output = command("build", "imagenet-lt")
    assert code == 1
    for part in ("ImageNet_LT_train.txt", git_blob_id(TRAIN.encode())):
        assert part in output
    assert f"found {git_blob_id(changed.encode())}" in output


def test_an_image_damaged_after_the_build_is_found_in_its_class(imagenet):
    command("build", "imagenet-lt")
    (imagenet / "train" / "n01" / "n01_1.JPEG").write_text("n01_1.JPE")
    code, output = command("verify", "imagenet-lt")
    assert code == 1
    assert "splits.train.images_sha256.n01 is" in output


def test_an_empty_image_is_refused_by_name(imagenet):
    path = imagenet / "train" / "n02" / "n02_4.JPEG"
    path.write_bytes(b"")
    code, output = command("build", "imagenet-lt")
    assert code == 1
    assert f"{path} is empty" in output
    assert not manifest_path("imagenet-lt").exists()


def test_the_lists_that_ship_are_the_published_ones():
    lists = _imagenet_lt.shipped_lists(_imagenet_lt.IMAGENET_LT)  # compares the git blob ids
    assert (len(lists.validation), len(lists.test)) == (20_000, 50_000)
    assert sum(lists.train_counts) == 115_846
    known = data.info("imagenet-lt")
    assert (min(lists.train_counts), max(lists.train_counts)) == known.train_per_class
    assert len(lists.wnids) == known.num_classes
    assert list(lists.wnids) == sorted(lists.wnids)


def test_a_truncated_list_that_ships_is_refused_with_both_blob_ids(imagenet):
    shipped = _imagenet_lt.IMAGENET_LT.shipped
    expected = git_blob_id(shipped.read_bytes())
    shipped.write_bytes(shipped.read_bytes()[:-9])
    code, output = command("build", "imagenet-lt")
    assert code == 1
    assert f"{shipped} is not the published one" in output
    assert f"expected git blob {expected}, found {git_blob_id(shipped.read_bytes())}" in output


@pytest.mark.parametrize("name", ["validation", "test"])
def test_lists_other_than_the_published_ones_are_refused(imagenet, name):
    files = dataclasses.replace(_imagenet_lt.IMAGENET_LT, **{f"{name}_blob": "0" * 40})
    with pytest.raises(data.DataError, match=f"the {name} list in .* expected git blob {'0' * 40}"):
        _imagenet_lt.shipped_lists(files)


def test_class_counts_that_ship_agree_with_the_training_list(imagenet, root):
    files = _imagenet_lt.IMAGENET_LT
    lists = dataclasses.replace(_imagenet_lt.shipped_lists(files), train_counts=(1, 2))
    with pytest.raises(data.DataError, match=r"ImageNet_LT_train.txt has other class counts"):
        _imagenet_lt.training_list(files, lists, root)
