"""VOC-LT, COCO-LT, VG200 and folders of images, on small images drawn in the originals' layout."""

import dataclasses
import gzip
import json

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from data_recipes import manifest_path
from data_recipes.__main__ import app
from nclib import data
from nclib.data import _image_sets, _label_lists
from nclib.data._files import git_blob_id
from nclib.runs import RunConfig


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("NCLIB_DATA", str(tmp_path))
    return tmp_path


def command(*arguments):
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.output


def draw(path, mode="RGB", size=(9, 7)):
    path.parent.mkdir(parents=True, exist_ok=True)
    draws = np.random.default_rng(len(path.name))
    shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
    Image.fromarray(draws.integers(0, 256, shape, dtype=np.uint8)).save(path)


def shipped(monkeypatch, tmp_path_factory, name, text):
    """A small list in the place of one that ships."""
    path = tmp_path_factory.mktemp("lists") / f"{name}.csv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    entry = dataclasses.replace(
        _label_lists.LABEL_LISTS[name], path=path, blob=git_blob_id(path.read_bytes())
    )
    monkeypatch.setitem(_label_lists.LABEL_LISTS, name, entry)


# VOC's XML


def annotate(path, *names):
    """VOC's form: an object has a name, and may have parts with names of their own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    objects = "".join(
        f"<object><name>{name}</name><difficult>{n % 2}</difficult>"
        "<part><name>head</name></part></object>"
        for n, name in enumerate(names)
    )
    path.write_text(f"<annotation><folder>VOC</folder>{objects}</annotation>")


@pytest.fixture
def voc(monkeypatch, tmp_path_factory, root):
    """Three training images and two test images of cats and dogs; returns VOCdevkit/."""
    rows = ["# classes: cat,dog", "split,image,labels", "train,b,0 1", "train,a,1", "train,c,0"]
    shipped(monkeypatch, tmp_path_factory, "voc-lt", "\n".join(rows))
    monkeypatch.setattr(_image_sets, "VOC", _image_sets.VOCFiles(test_images=2))
    folder = root / "VOCdevkit"
    labels = {"a": ["dog"], "b": ["dog", "cat"], "c": ["cat", "cat", "dog"]}
    for image, names in labels.items():
        annotate(folder / "VOC2012" / "Annotations" / f"{image}.xml", *names)
        draw(folder / "VOC2012" / "JPEGImages" / f"{image}.jpg")
    draw(folder / "VOC2012" / "JPEGImages" / "a.jpg", mode="L")
    for image, names in {"000002": ["dog", "cat", "dog"], "000001": []}.items():
        annotate(folder / "VOC2007" / "Annotations" / f"{image}.xml", *names)
        draw(folder / "VOC2007" / "JPEGImages" / f"{image}.jpg")
    names = folder / "VOC2007" / "ImageSets" / "Main" / "test.txt"
    names.parent.mkdir(parents=True)
    names.write_text("000002\n000001\n")
    return folder


def test_voc_lt_has_the_listed_training_images_and_the_annotated_test_images(voc):
    files = data.load_files("voc-lt")
    assert files.train.paths == tuple(f"VOC2012/JPEGImages/{i}.jpg" for i in "bac")
    assert files.train.labels.tolist() == [[True, True], [False, True], [True, False]]
    assert files.test.paths[0] == "VOC2007/JPEGImages/000002.jpg"
    assert files.test.labels.tolist() == [[True, True], [False, False]]  # difficult ones count
    assert files.validation is None


def test_a_stream_of_several_labels_gives_rows_of_them_and_colours_of_grey_images(voc):
    files = data.load_files("voc-lt")
    stream = data.Stream(files.train, batch_size=2, size=8, augmentation=files.info.transforms[0])
    draws = torch.Generator().manual_seed(0)
    order = data.sampler("class_aware", files.train.labels, generator=draws)
    (images, labels), (_, rest) = stream.epoch(order, draws)
    assert images.shape == (2, 3, 8, 8)
    assert torch.equal(torch.cat([labels, rest]), files.train.labels[order])
    plain = data.Stream(files.train, batch_size=1, size=8)
    ((grey, _),) = plain.epoch(torch.tensor([1]))
    assert torch.equal(grey[:, 0], grey[:, 1])
    assert torch.equal(grey[:, 0], grey[:, 2])


def test_the_manifest_of_voc_lt_says_how_labels_agree_with_annotations(voc):
    assert command("build", "voc-lt")[0] == 0
    manifest = json.loads(manifest_path("voc-lt").read_text())
    assert manifest["train_labels_as_annotated"] == "2 of 3"  # of c the list leaves a dog out
    train = manifest["splits"]["train"]["statistics"]
    assert (train["class_counts"], train["labels_per_image"]) == ([2, 2], 1.3333)
    assert manifest["splits"]["test"]["statistics"]["unlabelled"] == 1
    assert command("verify", "voc-lt")[0] == 0
    draw(voc / "VOC2012" / "JPEGImages" / "b.jpg", size=(8, 8))
    code, output = command("verify", "voc-lt")
    assert code == 1
    assert "splits.train.images_sha256.VOC2012/JPEGImages/b.jpg is" in output


def test_a_listed_class_that_the_annotation_has_not_is_refused(voc):
    annotate(voc / "VOC2012" / "Annotations" / "b.xml", "cat")
    code, output = command("build", "voc-lt")
    assert code == 1
    assert "voc-lt: image b is listed with class 'dog', but its annotation has none" in output


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        ("VOC2007/Annotations/000001.xml", None, "expected the annotation of image 000001"),
        ("VOC2007/Annotations/000001.xml", "<annotation", r"000001\.xml is no annotation"),
        (
            "VOC2007/Annotations/000001.xml",
            "<annotation><object><name>wolf</name></object></annotation>",
            r"000001\.xml has an object 'wolf', expected one of cat, dog",
        ),
        ("VOC2007/ImageSets/Main/test.txt", None, r"no file .*test\.txt; put VOCdevkit/ with"),
        ("VOC2007/ImageSets/Main/test.txt", "000001", r"test\.txt has 1 images, expected 2"),
        ("VOC2012/JPEGImages/c.jpg", None, r"1 of 5 images are missing.*c\.jpg; put VOCdevkit/"),
        ("VOC2012/JPEGImages/c.jpg", "no JPEG", r"c\.jpg cannot be read as an image"),
    ],
)
def test_what_voc_lt_lacks_is_said_in_one_line_before_training(voc, path, content, message):
    if content is None:
        (voc / path).unlink()
    else:
        (voc / path).write_text(content)
    with pytest.raises(data.DataError, match=message) as caught:
        data.load_files("voc-lt")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [(1, 1), (1, 9)])
def test_an_image_of_one_pixel_is_refused_by_name(voc, size):
    path = voc / "VOC2007" / "JPEGImages" / "000001.jpg"
    before = data.load_files("voc-lt").test
    draw(path, size=size)
    message = rf"000001\.jpg has 1×{size[1]} pixels, expected at least 2 on each side"
    with pytest.raises(data.DataError, match=message):
        data.load_files("voc-lt")
    with pytest.raises(data.DataError, match=message):  # one that came later
        next(data.Stream(before, batch_size=1, size=8).epoch(torch.tensor([1])))


def test_an_image_that_breaks_off_is_found_by_the_build(voc):
    path = voc / "VOC2012" / "JPEGImages" / "a.jpg"
    draw(path, size=(64, 64))
    path.write_bytes(path.read_bytes()[:-200])
    data.load_files("voc-lt")  # its header is whole
    code, output = command("build", "voc-lt")
    assert code == 1
    assert f"{path} cannot be read as an image" in output


def test_voc_is_downloaded_through_torchvision_where_it_is_absent(root, monkeypatch):
    import torchvision

    asked = []

    def answer(folder, *, year, image_set, download):
        asked.append((folder, year, image_set, download))
        raise OSError("no network")

    monkeypatch.setattr(torchvision.datasets, "VOCDetection", answer)
    code, output = command("build", "voc-lt")
    assert code == 1
    assert asked == [(str(root), "2012", "trainval", True)]
    (line,) = output.splitlines()
    assert "VOC 2012 cannot be downloaded (OSError); put VOCdevkit/ with" in line
    (root / "VOCdevkit" / "VOC2012").mkdir(parents=True)
    assert "VOC 2007 cannot be downloaded" in command("build", "voc-lt")[1]
    assert asked[1:] == [(str(root), "2007", "test", True)]


# COCO's JSON


@pytest.fixture
def coco(monkeypatch, tmp_path_factory, root):
    """Two training images and one test image without a label; returns coco/."""
    rows = [
        "# classes: person,traffic light",
        "split,image,labels",
        "train,000000000009,0",
        "train,000000000007,0 1",
        "test,000000000003,",
    ]
    shipped(monkeypatch, tmp_path_factory, "coco-lt", "\n".join(rows))
    folder = root / "coco"
    for path in ("train2017/000000000009", "train2017/000000000007", "val2017/000000000003"):
        draw(folder / f"{path}.jpg")
    instances(folder, "train2017", {9: [1, 1], 7: [10, 1]})
    instances(folder, "val2017", {3: []})
    return folder


def instances(folder, split, labels):
    """COCO's form: images, annotations, and categories whose ids leave numbers out."""
    content = {
        "categories": [{"id": 1, "name": "person"}, {"id": 10, "name": "traffic light"}],
        "images": [{"id": image, "file_name": f"{image:012d}.jpg"} for image in labels],
        "annotations": [
            {"image_id": image, "category_id": category, "iscrowd": 0}
            for image, categories in labels.items()
            for category in categories
        ],
    }
    path = folder / "annotations" / f"instances_{split}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))


def test_coco_lt_has_the_listed_images_and_agrees_with_the_annotations(coco):
    files = data.load_files("coco-lt")
    assert files.train.paths == ("train2017/000000000009.jpg", "train2017/000000000007.jpg")
    assert files.train.labels.tolist() == [[True, False], [True, True]]
    assert files.test.labels.tolist() == [[False, False]]
    assert command("build", "coco-lt")[0] == 0
    manifest = json.loads(manifest_path("coco-lt").read_text())
    assert manifest["train_labels_as_annotated"] == "2 of 2"
    assert manifest["test_labels_as_annotated"] == "1 of 1"


def test_coco_lt_does_without_annotations(coco):
    for path in (coco / "annotations").iterdir():
        path.unlink()
    assert command("build", "coco-lt")[0] == 0
    assert "train_labels_as_annotated" not in json.loads(manifest_path("coco-lt").read_text())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda f: instances(f, "train2017", {9: [1], 7: [1]}),
            "000000000007 is listed with class",
        ),
        (lambda f: instances(f, "val2017", {3: [2]}), "has class 2 in image 3, expected one of"),
        (
            lambda f: (f / "annotations/instances_val2017.json").write_text("[]"),
            "no annotations of",
        ),
        (lambda f: (f / "val2017/000000000003.jpg").unlink(), "1 of 3 images are missing, the fir"),
    ],
)
def test_what_is_wrong_with_coco_is_said_in_one_line(coco, change, message):
    change(coco)
    code, output = command("build", "coco-lt")
    assert code == 1
    (line,) = output.splitlines()
    assert message in line


# SSGRL's lists


@pytest.fixture
def vg(monkeypatch, tmp_path_factory, root):
    """Three classes, two training images and one test image; returns vg/."""
    text = "# VG200\nclass,group,images,later\n0,head,2,1 0\n1,medium,1,0\n2,tail,0,\n"
    path = tmp_path_factory.mktemp("lists") / "vg200.csv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    files = _image_sets.VG200Files(
        train=2, test=1, shipped=path, blob=git_blob_id(path.read_bytes())
    )
    monkeypatch.setattr(_image_sets, "VG200", files)
    folder = root / "vg"
    for image in ("8.jpg", "5.jpg", "2.jpg"):
        draw(folder / "VG_100K" / image)
    (folder / "train_list_500.txt").write_text("8.jpg\n5.jpg\n7.jpg\n")
    (folder / "test_list_500.txt").write_text("2.jpg\n4.jpg\n")
    (folder / files.labels).write_text(json.dumps({"8.jpg": [1, 0], "5.jpg": [0], "2.jpg": [2]}))
    return folder


def test_vg200_has_the_first_lines_of_the_lists(vg):
    files = data.load_files("vg200")
    assert files.train.paths == ("VG_100K/8.jpg", "VG_100K/5.jpg")
    assert files.train.labels.tolist() == [[True, True, False], [True, False, False]]
    assert files.test.labels.tolist() == [[False, False, True]]
    assert command("build", "vg200")[0] == 0
    manifest = json.loads(manifest_path("vg200").read_text())
    train = manifest["splits"]["train"]["statistics"]
    assert train["groups"] == {
        "head": [0],
        "medium": [1],
        "tail": [2],
    }  # as published, not by count


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train_list_500.txt", None, r"no file .*train_list_500\.txt; put SSGRL's"),
        ("train_list_500.txt", "8.jpg\n8.jpg\n5.jpg", "has 1 images in its first 2 lines"),
        ("train_list_500.txt", "5.jpg\n8.jpg\n", None),  # another order has the same statistics
        ("train_list_500.txt", "8.jpg\n2.jpg", "class 0 have 1 of the first 2 .* 2 of the publ"),
        ("vg_category_200_labels_index.json", "{", "is no JSON"),
        ("vg_category_200_labels_index.json", "[]", "has no labels by image"),
        ("vg_category_200_labels_index.json", "{}", r"has no labels of image 8\.jpg"),
        (
            "vg_category_200_labels_index.json",
            '{"8.jpg": [3]}',
            r"image 8\.jpg has label 3, expected 0 to 2",
        ),
        ("VG_100K/2.jpg", None, "1 of 3 images are missing"),
    ],
)
def test_files_of_vg200_that_are_not_the_published_ones_are_refused(vg, name, content, message):
    if content is None:
        (vg / name).unlink()
    else:
        (vg / name).write_text(content)
    if message is None:
        assert data.load_files("vg200").train.paths[0] == "VG_100K/5.jpg"
        return
    with pytest.raises(data.DataError, match=message) as caught:
        data.load_files("vg200")
    assert "\n" not in str(caught.value)


def test_the_statistics_of_vg200_are_the_published_ones():
    groups, cooccurrence = _image_sets.vg200_statistics()
    counts = cooccurrence.diagonal()
    assert {name: len(classes) for name, classes in groups.items()} == {
        "head": 30,
        "medium": 140,
        "tail": 30,
    }
    assert int(counts.sum()) == 10_798
    assert data.info("vg200").train_per_class == (int(counts.min()), int(counts.max()))
    rare = [k for k in groups["medium"] if counts[k] < 20]  # the published split is not by count
    assert counts[rare].tolist() == [19, 19, 19]
    assert torch.equal(cooccurrence, cooccurrence.T)


# Any folder


LABELS = """# classes: sky, sea
split,image,labels
train,a.png,0 1
train,sub/b.png,1
test,c.png,
validation,a.png,0
"""


@pytest.fixture
def folder(root):
    for path in ("a.png", "sub/b.png", "c.png"):
        draw(root / "views" / path)
    (root / "views" / "labels.csv").write_text(LABELS)
    return root / "views"


def test_a_folder_of_images_is_a_data_set(folder, monkeypatch):
    info = data.image_folder("views", folder, size=8)
    assert (info.shape, info.train_per_class, info.task) == ((3, 8, 8), (1, 2), "multi_label")
    monkeypatch.setitem(data.DATASETS, "views", info)
    files = data.load_files("views")
    assert files.train.labels.tolist() == [[True, True], [False, True]]
    assert files.validation.paths == ("a.png",)
    config = RunConfig(dataset="views", loss="bce", paper="x", profile="smoke", epochs=2)
    assert config.dataset == "views"
    assert command("build", "folder-views")[0] == 0
    assert command("verify", "folder-views")[0] == 0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("b.png,1", "b.png,2", r"labels\.csv: image sub/b\.png has label 2, expected 0 to 1"),
        ("b.png,1", "b.png,x", r"image sub/b\.png has label x, expected 0 to 1"),
        ("sub/b.png", "a.png", r"has image a\.png twice in split train"),
        ("# classes: sky, sea", "", "is no label list: expected a line '# classes"),
        ("split,image", "image,split", "and the header split,image,labels"),
        ("test,", "val,", r"has the line 'val,c\.png,', expected one of train, validation, test"),
        ("b.png,1", "b.png", r"has the line 'train,sub/b\.png', expected"),
        ("test,", "validation,", r"has no image of the split 'test'"),
        ("0 1", "1", "has no training image of class 'sky'"),
        ("c.png", "d.png", r"1 of 4 images are missing.*d\.png; put the images that"),
    ],
)
def test_a_list_of_a_folder_that_is_none_is_refused_by_name(folder, old, new, message):
    (folder / "labels.csv").write_text(LABELS.replace(old, new))
    with pytest.raises(data.DataError, match=message):
        data.image_folder("views", folder).read_files(None)


def test_a_folder_without_a_list_is_refused(root):
    code, output = command("build", "folder-none")
    assert code == 1
    assert f"folder-none: no file {root / 'none' / 'labels.csv'}" in output


# Without images


@pytest.mark.parametrize("name", ["voc-lt", "coco-lt", "vg200"])
def test_without_images_one_line_says_what_to_put_where(root, name):
    with pytest.raises(data.DataError) as caught:
        data.load_files(name)
    message = str(caught.value)
    assert message.startswith(f"{name}: ")
    assert "; put " in message
    assert str(root) in message
    assert "\n" not in message


def test_the_lists_that_ship_lead_to_the_published_files(root):
    """COCO-LT has 6,909 images by the published lists; the first of them is named."""
    with pytest.raises(data.DataError, match=r"6,909 of 6,909 .* first is .*/000000554625\.jpg;"):
        data.load_files("coco-lt")


@pytest.mark.parametrize("name", ["voc-lt", "coco-lt"])
def test_the_sets_are_described_as_their_lists_are(name):
    info, listed = data.info(name), data.label_list(name)
    counts = listed.labels.sum(0)
    assert info.num_classes == len(listed.classes)
    assert info.train_per_class == (int(counts.min()), int(counts.max()))
