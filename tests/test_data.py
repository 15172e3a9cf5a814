"""Data sets, subsets, batches and augmentation; imports stay light."""

import dataclasses
import hashlib
import pickle
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.nn import functional

from nclib import data
from nclib.data import _cifar

LAZY = ("torchvision", "matplotlib", "pandas", "sklearn", "lightning", "pooch")


def _imported(*modules: str) -> set[str]:
    """Which of the heavy packages a fresh interpreter has loaded after importing these modules."""
    code = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in run.stdout.split()} & set(LAZY)


def test_importing_the_core_loads_no_heavy_package():
    core = ("encodings", "geometry", "metrics", "ufm", "data", "models", "runs", "train")
    assert _imported("nclib", *(f"nclib.{name}" for name in core)) == set()


def test_that_check_sees_a_heavy_import():
    assert _imported("nclib", "matplotlib") == {"matplotlib"}


def test_digits_are_those_that_scikit_learn_loads():
    from sklearn.datasets import load_digits

    theirs, digits = load_digits(), data.load("digits")
    expected = zip(theirs.target.tolist(), theirs.images.astype("uint8"), strict=True)
    splits = (digits.train, digits.test)
    pairs = [(int(k), x.numpy()) for split in splits for x, k in zip(*split, strict=True)]
    assert sorted((k, x.tobytes()) for k, x in pairs) == sorted(
        (k, x.tobytes()) for k, x in expected
    )


def test_digits_are_all_there_with_every_fifth_image_of_a_class_for_testing():
    digits = data.load("digits")
    assert len(digits.train.labels) + len(digits.test.labels) == 1797
    counts = digits.train.labels.bincount()
    assert (int(counts.min()), int(counts.max())) == digits.info.train_per_class
    assert digits.train.images.dtype == torch.uint8
    assert digits.train.images.shape[1:] == digits.info.shape
    ratio = digits.test.labels.bincount() / (counts + digits.test.labels.bincount())
    assert ((ratio - 0.2).abs() < 0.01).all()


def test_digits_are_scaled_to_mean_zero_and_variance_one():
    digits = data.load("digits")
    images = data.to_float(digits.train.images, *digits.info.pixels)
    assert abs(images.mean()) < 1e-3
    assert abs(images.std() - 1) < 1e-3


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_usual_statistics_are_those_of_published_code(name):
    """https://github.com/kaidic/LDAM-DRW, cifar_train.py, whatever the data set."""
    assert data.statistics(name, "usual") == ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
    assert data.statistics(name) == data.info(name).pixels != data.statistics(name, "usual")


def test_unknown_data_set_lists_near_matches():
    with pytest.raises(ValueError, match=r"'cifar'.*cifar10"):
        data.load("cifar")


def test_a_subset_has_so_many_of_each_class_and_repeats_with_its_seed():
    labels = torch.tensor([0, 1, 2] * 10)[torch.randperm(30, generator=torch.manual_seed(0))]
    draws = [
        data.per_class_subset(labels, 4, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    ]
    assert labels[draws[0]].bincount().tolist() == [4, 4, 4]
    assert len(draws[0].unique()) == 12
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_a_class_too_small_for_the_subset_is_named():
    labels = torch.tensor([0, 0, 0, 1])
    with pytest.raises(ValueError, match="class 1 has 1 images, 2 were asked for"):
        data.per_class_subset(labels, 2, torch.Generator())
    with pytest.raises(ValueError, match="class 0 has 0 images, 2 were asked for"):
        data.per_class_subset(labels[:0], 2, torch.Generator())
    with pytest.raises(ValueError, match="labels has class -1, expected 0 or more"):
        data.per_class_subset(labels - 1, 1, torch.Generator())


def test_an_epoch_visits_every_image_once_in_an_order_of_the_seed():
    def epoch(seed):
        return list(data.batches(10, 4, torch.Generator().manual_seed(seed)))

    assert [len(batch) for batch in epoch(0)] == [4, 4, 2]
    assert torch.cat(epoch(0)).sort().values.tolist() == list(range(10))
    assert torch.equal(torch.cat(epoch(0)), torch.cat(epoch(0)))
    assert not torch.equal(torch.cat(epoch(0)), torch.cat(epoch(1)))


def test_every_augmented_image_is_a_crop_of_the_padded_image_or_of_its_mirror():
    images = torch.randint(1, 256, (12, 3, 6, 5), dtype=torch.uint8)
    padded = functional.pad(images, [2] * 4)
    found = data.augment(images, torch.Generator().manual_seed(0), padding=2)
    flips = 0
    for i in range(12):
        crops = {}
        for flip in (False, True):
            for top in range(5):
                for left in range(5):
                    crop = padded[i, :, top : top + 6, left : left + 5]
                    crops[flip, top, left] = crop.flip(2) if flip else crop
        matches = [key for key, crop in crops.items() if torch.equal(crop, found[i])]
        assert len(matches) == 1
        flips += matches[0][0]
    assert 0 < flips < 12


def test_augmentation_repeats_with_its_seed():
    images = torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8)
    first, again, other = (
        data.augment(images, torch.Generator().manual_seed(seed)) for seed in (5, 5, 6)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.fixture
def tiny_cifar(tmp_path, monkeypatch):
    """Files in CIFAR-10's format with two images each, under their own checksums."""

    def write(name, first):
        rows = np.arange(first, first + 2 * 3072, dtype=np.int64) % 251
        batch = {b"data": rows.astype(np.uint8).reshape(2, 3072), b"labels": [first, first + 1]}
        path = tmp_path / "cifar-10-batches-py" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(pickle.dumps(batch, protocol=2))
        return hashlib.md5(path.read_bytes()).hexdigest()

    files = _cifar.CifarFiles(
        name="cifar10",
        folder="cifar-10-batches-py",
        url="http://127.0.0.1:9/cifar-10-python.tar.gz",
        archive_md5="0" * 32,
        label_key=b"labels",
        train={name: write(name, i) for i, name in enumerate(["data_batch_1", "data_batch_2"])},
        test={"test_batch": write("test_batch", 7)},
    )
    monkeypatch.setattr(_cifar, "CIFAR10", files)
    return tmp_path


def test_cifar_batches_are_stacked_in_order_with_channels_first(tiny_cifar):
    dataset = data.load("cifar10", root=tiny_cifar)
    assert dataset.train.labels.tolist() == [0, 1, 1, 2]
    assert dataset.test.labels.tolist() == [7, 8]
    assert dataset.train.images.shape == (4, 3, 32, 32)
    assert dataset.train.images[0, 1, 0, 3] == (1024 + 3) % 251  # green plane, first row


def test_the_data_root_is_taken_from_the_environment(tiny_cifar, monkeypatch):
    monkeypatch.setenv("NCLIB_DATA", str(tiny_cifar))
    assert len(data.load("cifar10").test.labels) == 2


def test_a_truncated_file_is_refused_by_name_with_both_checksums(tiny_cifar):
    path = tiny_cifar / "cifar-10-batches-py" / "data_batch_2"
    expected = hashlib.md5(path.read_bytes()).hexdigest()
    path.write_bytes(path.read_bytes()[:-10])
    found = hashlib.md5(path.read_bytes()).hexdigest()
    with pytest.raises(data.DataError, match=f"data_batch_2.*{expected}.*{found}"):
        data.load("cifar10", root=tiny_cifar)


def test_an_absent_file_says_in_one_line_what_to_put_where(tiny_cifar):
    (tiny_cifar / "cifar-10-batches-py" / "test_batch").unlink()
    with pytest.raises(data.DataError, match=r"test_batch.*cifar-10-batches-py/.*build") as caught:
        data.load("cifar10", root=tiny_cifar)
    assert "\n" not in str(caught.value)


def test_superclasses_are_read_from_the_files_of_cifar100(tmp_path, monkeypatch):
    rows = np.zeros((3, 3072), dtype=np.uint8)
    batch = {b"data": rows, b"fine_labels": [99, 5, 7], b"coarse_labels": [19, 3, 4]}
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    md5 = {}
    for name in ("train", "test"):
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
        md5[name] = {name: hashlib.md5((folder / name).read_bytes()).hexdigest()}
    for name in ("CIFAR100", "CIFAR100_COARSE"):
        monkeypatch.setattr(_cifar, name, dataclasses.replace(getattr(_cifar, name), **md5))
    assert data.load("cifar100", root=tmp_path).train.labels.tolist() == [99, 5, 7]
    assert data.load("cifar100-coarse", root=tmp_path).train.labels.tolist() == [19, 3, 4]


# Long-tailed subsets

TOTALS = {  # of the literature; google-research/logit_adjustment has 12,406 and 10,847 too
    (10, 5000): {10: 20_431, 50: 13_996, 100: 12_406, 200: 11_203},
    (100, 500): {10: 19_573, 50: 12_608, 100: 10_847, 200: 9_502},
}
CASES = [(*sizes, ratio, total) for sizes, row in TOTALS.items() for ratio, total in row.items()]
ratios = st.floats(1, 1000, allow_nan=False)


@pytest.mark.parametrize(("num_classes", "n_max", "ratio", "total"), CASES)
def test_cifar_lt_has_the_published_totals(num_classes, n_max, ratio, total):
    assert sum(data.long_tail_counts(num_classes, n_max, ratio)) == total


def test_cifar10_lt_has_the_published_counts():
    assert data.long_tail_counts(10, 5000, 10) == (
        [5000, 3871, 2997, 2320, 1796, 1391, 1077, 834, 645, 500]
    )
    assert data.long_tail_counts(10, 5000, 200) == (
        [5000, 2775, 1540, 854, 474, 263, 146, 81, 45, 25]
    )
    assert data.long_tail_counts(100, 500, 200)[-1] == 2  # truncated, so the true ratio is 250


@given(st.integers(2, 40), st.integers(1000, 10_000), ratios)
def test_exponential_counts_are_the_formula_truncated(num_classes, n_max, ratio):
    counts = data.long_tail_counts(num_classes, n_max, ratio)
    for k, count in enumerate(counts):
        exact = n_max * Decimal(ratio) ** (Decimal(-k) / (num_classes - 1))  # 28 digits
        near = exact.to_integral_value()
        if abs(exact - near) < Decimal("1e-8"):  # float arithmetic decides
            assert count in (near - 1, near)
        else:
            assert count == int(exact)
    assert counts[0] == n_max
    assert counts == sorted(counts, reverse=True)


@given(st.integers(1, 200), st.integers(1000, 10_000), ratios)
def test_step_counts_have_two_levels(num_classes, n_max, ratio):
    counts = data.long_tail_counts(num_classes, n_max, ratio, kind="step")
    head = num_classes // 2
    assert counts == [n_max] * head + [int(n_max / ratio)] * (num_classes - head)


@given(st.sampled_from(["exp", "step"]), st.integers(2, 100), st.integers(1, 10_000))
def test_ratio_one_leaves_the_classes_balanced(kind, num_classes, n_max):
    assert data.long_tail_counts(num_classes, n_max, 1, kind) == [n_max] * num_classes


@pytest.mark.parametrize("ratio", [0.99, 0, -10, float("nan"), float("inf")])
def test_a_ratio_less_than_one_or_not_finite_is_refused(ratio):
    with pytest.raises(ValueError, match=f"ratio {ratio} must be finite and at least 1"):
        data.long_tail_counts(10, 5000, ratio)


def test_bad_arguments_of_the_counts_are_named():
    with pytest.raises(ValueError, match="unknown kind of imbalance 'expo'; did you mean exp"):
        data.long_tail_counts(10, 5000, 10, kind="expo")
    with pytest.raises(ValueError, match="class 8 of 10 would be empty: the largest has 50 images"):
        data.long_tail_counts(10, 50, 100)
    with pytest.raises(ValueError, match="class 2 of 4 would be empty"):
        data.long_tail_counts(4, 9, 10, kind="step")
    with pytest.raises(ValueError, match="num_classes 0"):
        data.long_tail_counts(0, 50, 10)
    with pytest.raises(ValueError, match="n_max 0"):
        data.long_tail_counts(10, 0, 10)


def shuffled_labels(num_classes, each, seed=0):
    order = torch.randperm(num_classes * each, generator=torch.Generator().manual_seed(seed))
    return (torch.arange(num_classes * each) % num_classes)[order]


@given(st.integers(2, 6), st.integers(5, 20), st.integers(0, 2**32 - 1))
def test_indices_are_those_of_the_global_numpy_generator(num_classes, each, seed):
    labels = shuffled_labels(num_classes, each, seed % 7)
    counts = data.long_tail_counts(num_classes, each, 5)
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(seed)  # noqa: NPY002
    wanted = []
    for k in range(num_classes):
        wanted += np.random.permutation(np.where(labels.numpy() == k)[0])[: counts[k]].tolist()  # noqa: NPY002
    np.random.set_state(state)  # noqa: NPY002
    assert data.long_tail_indices(labels, counts, seed=seed).tolist() == wanted


def test_drawing_a_subset_leaves_the_global_generator_alone():
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    data.long_tail_indices(shuffled_labels(3, 9), [9, 4, 2], seed=3)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


@given(st.sampled_from(["exp", "step"]), ratios, ratios, st.integers(0, 99))
def test_subsets_of_one_seed_are_nested(kind, first, second, seed):
    small, large = sorted((min(first, 40), min(second, 40)))
    labels = shuffled_labels(5, 40)
    subsets = [
        set(
            data.long_tail_indices(
                labels, data.long_tail_counts(5, 40, r, kind), seed=seed
            ).tolist()
        )
        for r in (small, large)
    ]
    assert subsets[1] <= subsets[0]


def test_counts_that_the_labels_cannot_give_are_named():
    labels = torch.tensor([0, 0, 1, 2])
    with pytest.raises(ValueError, match="class 1 has 1 images, 2 were asked for"):
        data.long_tail_indices(labels, [2, 2, 1])
    with pytest.raises(ValueError, match="class 2 would be empty: 0 images"):
        data.long_tail_indices(labels, [2, 1, 0])
    with pytest.raises(ValueError, match="labels has class -1, expected 0 or more"):
        data.long_tail_indices(labels - 1, [1, 1])
    with pytest.raises(ValueError, match="class 2 occurs, but there are 2 counts"):
        data.long_tail_indices(labels, [2, 1])


def test_a_long_tailed_data_set_keeps_its_test_split_and_says_what_it_is():
    digits = data.load("digits")
    subset = data.long_tailed(digits, 20, kind="step", seed=1)
    assert subset.train.labels.bincount().tolist() == [140] * 5 + [7] * 5
    assert subset.test is digits.test
    assert subset.info.train_per_class == (7, 140)
    assert (subset.info.name, subset.info.title) == (
        "digits",
        "scikit-learn digits-LT (ratio 20, step)",
    )
    chosen = data.long_tail_indices(digits.train.labels, [140] * 5 + [7] * 5, seed=1)
    assert torch.equal(subset.train.images, digits.train.images[chosen])


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_the_published_subsets_are_drawn_from_the_original_files(name):
    from data_recipes import long_tailed

    if _cifar.missing(getattr(_cifar, name.upper())):
        pytest.skip(f"{name} is not under the data root")
    dataset = data.load(name)
    for ratio in (10, 50, 100, 200):
        counts = data.long_tailed(dataset, ratio).train.labels.bincount().tolist()
        indices = data.long_tail_indices(dataset.train.labels, counts)
        found = hashlib.sha256(indices.numpy().astype("<i4").tobytes()).hexdigest()
        assert found == long_tailed.PUBLISHED[f"{name}-lt-{ratio}"]


# Samplers

COUNTS = [400, 100, 25, 4]
LABELS = torch.arange(4).repeat_interleave(torch.tensor(COUNTS))[
    torch.randperm(529, generator=torch.Generator().manual_seed(0))
]


def epoch(kind, seed=0, labels=LABELS, **options):
    generator = torch.Generator().manual_seed(seed)
    return data.sampler(kind, labels, generator=generator, **options)


@pytest.mark.parametrize("kind", data.SAMPLERS)
def test_an_epoch_repeats_with_its_seed_and_has_the_length_asked_for(kind):
    assert torch.equal(epoch(kind, 3), epoch(kind, 3))
    assert not torch.equal(epoch(kind, 3), epoch(kind, 4))
    assert len(epoch(kind)) == data.epoch_length(kind, LABELS)
    for length in (1, 100, 1300):
        indices = epoch(kind, length=length)
        assert len(indices) == length
        assert indices.min() >= 0
        assert indices.max() < len(LABELS)


@pytest.mark.parametrize(
    ("kind", "shares"),
    [
        ("instance", [400 / 529, 100 / 529, 25 / 529, 4 / 529]),
        ("class_balanced", [0.25] * 4),
        ("square_root", [20 / 37, 10 / 37, 5 / 37, 2 / 37]),
        ("class_aware", [0.25] * 4),
        ("class_aware_cyclic", [0.25] * 4),
        ("reversed", [10 / 1210, 40 / 1210, 160 / 1210, 1000 / 1210]),
    ],
)
def test_images_are_shown_as_often_as_their_class_says(kind, shares):
    length = 200 * len(LABELS)
    times = epoch(kind, length=length).bincount(minlength=len(LABELS)).double()
    for k, share in enumerate(shares):
        mean = length * share / COUNTS[k]
        ofclass = times[k == LABELS]
        deviation = (length * share * (1 - share)) ** 0.5  # of the class's total
        assert abs(ofclass.sum() - mean * COUNTS[k]) < 4 * deviation
        assert (ofclass - mean).abs().max() < 6 * mean**0.5  # Poisson, within the class


def test_the_instance_sampler_gives_the_order_of_batches():
    generator = torch.Generator().manual_seed(7)
    order = torch.cat(list(data.batches(len(LABELS), 64, generator)))
    assert torch.equal(epoch("instance", 7), order)


@pytest.mark.parametrize("kind", ["class_aware", "class_aware_cyclic"])
@given(st.integers(1, 5), st.integers(1, 600), st.integers(0, 99))
def test_class_aware_turns_take_every_class_and_use_lists_up(kind, per_class, length, seed):
    indices = epoch(kind, seed, length=length, per_class=per_class)
    classes = LABELS[indices]
    turns = classes[: length - length % per_class].view(-1, per_class)
    assert (turns == turns[:, :1]).all()  # per_class images in a row
    rounds = turns[: len(turns) - len(turns) % 4, 0].view(-1, 4)
    assert (rounds.sort(1).values == torch.arange(4)).all()
    for k in range(4):
        times = indices[classes == k].bincount(minlength=len(LABELS))[k == LABELS]
        assert times.max() - times.min() <= 1


def test_only_the_cyclic_sampler_shows_more_than_there_is_and_the_largest_class_once():
    lengths = {kind: data.epoch_length(kind, LABELS) for kind in data.SAMPLERS}
    assert lengths.pop("class_aware_cyclic") == 4 * 400
    assert set(lengths.values()) == {len(LABELS)}
    indices = epoch("class_aware_cyclic")
    assert (
        indices[LABELS[indices] == 0].sort().values.tolist()
        == (LABELS == 0).nonzero()[:, 0].tolist()
    )
    turns = LABELS[indices].view(-1, 4)
    assert (turns == turns[:, :1]).all()  # four of a class in a row


@given(st.integers(1, 900), st.integers(1, 3), st.integers(0, 99))
def test_the_lists_of_the_cyclic_sampler_go_on_over_epochs(length, epochs, seed):
    parts = [epoch("class_aware_cyclic", seed, length=length, epoch=e) for e in range(epochs)]
    assert [len(part) for part in parts] == [length] * epochs
    together = epoch("class_aware_cyclic", seed, length=epochs * length)
    assert torch.equal(torch.cat(parts), together)


@given(
    st.sampled_from([*data.SAMPLERS]), st.lists(st.integers(0, 9), min_size=1), st.integers(0, 9)
)
def test_classes_that_do_not_occur_are_not_shown(kind, labels, seed):
    assume(len(set(labels)) < 10)
    indices = epoch(kind, seed, torch.tensor(labels))
    assert len(indices) == data.epoch_length(kind, torch.tensor(labels))
    assert set(indices.tolist()) <= set(range(len(labels)))


def test_bad_arguments_of_a_sampler_are_named():
    with pytest.raises(ValueError, match="unknown sampler 'balanced'; did you mean class_balanced"):
        epoch("balanced")
    with pytest.raises(ValueError, match="labels has class -1, expected 0 or more"):
        epoch("class_balanced", labels=torch.tensor([0, -1]))
    with pytest.raises(ValueError, match="labels are empty"):
        epoch("instance", labels=LABELS[:0])
    with pytest.raises(ValueError, match="length 0"):
        epoch("instance", length=0)
    with pytest.raises(ValueError, match="per_class 0"):
        epoch("class_aware", per_class=0)
    with pytest.raises(ValueError, match="per_class 4 is for the samplers class_aware, not"):
        epoch("square_root", per_class=4)
    with pytest.raises(ValueError, match="epoch 1 is for the sampler class_aware_cyclic, not"):
        epoch("class_aware", epoch=1)
    with pytest.raises(ValueError, match="epoch -1 must be at least 0"):
        epoch("class_aware_cyclic", epoch=-1)


# Mixup


@given(st.floats(0.05, 5), st.integers(0, 99))
def test_mixup_is_the_convex_combination_that_it_returns(alpha, seed):
    images = torch.rand(6, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(6)  # so that label b tells which image was mixed in
    mixed, first, second, lam = data.mixup(
        images, labels, alpha, torch.Generator().manual_seed(seed)
    )
    assert 0 <= lam <= 1
    assert torch.equal(first, labels)
    assert second.sort().values.tolist() == list(range(6))
    torch.testing.assert_close(mixed, lam * images + (1 - lam) * images[second])


def test_mixup_draws_from_the_beta_distribution_and_repeats_with_its_seed():
    images, labels = torch.zeros(2, 1, 1, 1), torch.zeros(2, dtype=torch.long)
    for alpha in (0.2, 1.0, 4.0):
        draws = []
        for _ in range(2):
            generator = torch.Generator().manual_seed(0)
            draws.append(
                torch.stack([data.mixup(images, labels, alpha, generator)[3] for _ in range(500)])
            )
        assert torch.equal(draws[0], draws[1])
        variance = 1 / (4 * (2 * alpha + 1))
        assert abs(draws[0].mean() - 0.5) < 4 * (variance / 500) ** 0.5
        assert abs(draws[0].var() - variance) < 0.2 * variance


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("nan"), float("inf")])
def test_mixup_refuses_an_alpha_that_is_not_positive(alpha):
    with pytest.raises(ValueError, match=f"alpha {alpha} must be positive and finite"):
        data.mixup(torch.zeros(2, 1, 1, 1), torch.zeros(2).long(), alpha, torch.Generator())


# Streams


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Seven pictures of different sizes, in JPEG and PNG, colour and grey."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("pictures")
    generator = torch.Generator().manual_seed(0)
    paths = []
    for n in range(7):
        channels, height, width = (3, 40 + 5 * n, 70) if n % 3 else (1, 60, 44)
        coarse = torch.rand(1, channels, 4, 5, generator=generator) * 255
        image = functional.interpolate(coarse, (height, width), mode="bilinear").byte()[0]
        paths.append(f"class{n % 2}/{n}.{'png' if n == 5 else 'JPEG'}")
        (folder / paths[-1]).parent.mkdir(exist_ok=True)
        pixels = image.permute(1, 2, 0).numpy().squeeze()
        Image.fromarray(pixels).save(folder / paths[-1], "PNG" if n == 5 else "JPEG")
    return data.ImageFiles(folder, tuple(paths), torch.arange(7) % 2)


def streamed(files, indices, seed=0, **options):
    stream = data.Stream(files, batch_size=3, size=28, **options)
    generator = torch.Generator().manual_seed(seed)
    return [list(stream.epoch(torch.tensor(indices), generator)) for _ in range(2)]


def test_a_stream_gives_the_images_in_order_and_the_rest_in_a_last_batch(pictures):
    (batches, again) = streamed(pictures, [6, 0, 3, 5])
    assert [images.shape for images, _ in batches] == [(3, 3, 28, 28), (1, 3, 28, 28)]
    assert torch.cat([labels for _, labels in batches]).tolist() == [0, 0, 1, 1]
    assert batches[0][0].dtype == torch.uint8
    for (images, _), (same, _) in zip(batches, again, strict=True):
        assert torch.equal(images, same)  # nothing random


def test_a_stream_without_augmentation_scales_and_cuts_the_centre(pictures):
    from PIL import Image

    ((images, _),) = streamed(pictures, [2])[0]
    pixels = np.array(Image.open(pictures.folder / pictures.paths[2]))  # 50 × 70
    picture = torch.from_numpy(pixels).permute(2, 0, 1)
    scaled = functional.interpolate(
        picture[None].float(), (32, 44), mode="bilinear", antialias=True
    )  # the shorter side to 28 · 256 / 224
    wanted = scaled[:, :, 2:30, 8:36]
    assert (images.float() - wanted).abs().max() <= 1  # rounded once


def test_a_stream_of_whole_images_draws_nothing_and_cuts_nothing(pictures):
    from PIL import Image

    path = pictures.folder / pictures.paths[2]
    expected = Image.open(path).convert("RGB").resize((28, 28), Image.Resampling.BICUBIC)
    ((images, _),), again = streamed(pictures, [2], augmentation="whole")
    assert torch.equal(images, again[0][0])
    pixels = torch.from_numpy(np.array(expected)).permute(2, 0, 1)
    assert torch.equal(images[0], pixels)


def test_scales_are_parts_of_the_whole_image_of_three_sizes(tmp_path):
    """Of a ramp of columns 0 to 27, a crop of c columns has a slope of c/28, rising or falling."""
    from PIL import Image

    ramp = np.broadcast_to(8 * np.arange(28, dtype=np.uint8)[:, None], (28, 28, 3))
    Image.fromarray(np.ascontiguousarray(ramp)).save(tmp_path / "a.png")
    files = data.ImageFiles(tmp_path, ("a.png",), torch.zeros(1, dtype=torch.long))
    batches = streamed(files, [0] * 60, augmentation="scales")[0]
    middle = torch.cat([images for images, _ in batches])[:, 0, 14, 9:19].double()
    slopes = (middle[:, -1] - middle[:, 0]) / 9
    nearest = (slopes.abs() * 28 / 8).round()
    assert set(nearest.tolist()) == {20, 24, 28}
    assert {bool(slope > 0) for slope in slopes} == {True, False}


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("augmentation", ["crop", "jitter", "randaugment", "scales"])
def test_augmentation_repeats_with_the_seed_whatever_the_workers(pictures, augmentation):
    indices = [0, 0, 1, 2, 4]
    first, second = streamed(pictures, indices, augmentation=augmentation)
    assert not torch.equal(first[0][0][0], first[0][0][1])  # one image twice, two crops
    assert not torch.equal(first[0][0], second[0][0])  # another epoch
    torch.manual_seed(99)  # the global generator has no part in it
    workers = 2 if augmentation == "crop" else 0
    other = streamed(pictures, indices, augmentation=augmentation, workers=workers)
    for batches, same in zip((first, second), other, strict=True):
        for (images, labels), (found, targets) in zip(batches, same, strict=True):
            assert torch.equal(images, found)
            assert torch.equal(labels, targets)
    changed = streamed(pictures, indices, seed=1, augmentation=augmentation)
    assert not torch.equal(first[0][0], changed[0][0][0])


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("workers", [0, 1])
def test_an_epoch_left_early_does_not_leak_into_the_next(pictures, workers):
    stream = data.Stream(pictures, batch_size=1, size=28, workers=workers)
    next(stream.epoch(torch.arange(7)))
    labels = [int(label) for _, label in stream.epoch(torch.tensor([1, 0, 1, 3, 5]))]
    assert labels == [1, 0, 1, 1, 1]


def test_streaming_leaves_the_global_generator_alone(pictures):
    before = torch.get_rng_state()
    streamed(pictures, [0, 1], augmentation="randaugment")
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("damage", ["truncated", "absent", "empty"])
def test_an_image_that_cannot_be_read_is_named(pictures, tmp_path, damage):
    content = (pictures.folder / pictures.paths[1]).read_bytes()
    path = tmp_path / "broken.JPEG"
    if damage != "absent":
        path.write_bytes(content[: len(content) // 2] if damage == "truncated" else b"")
    files = data.ImageFiles(tmp_path, (path.name,), torch.zeros(1, dtype=torch.long))
    with pytest.raises(data.DataError, match=f"{path} cannot be read as an image"):
        streamed(files, [0])


def test_bad_arguments_of_a_stream_are_named(pictures):
    with pytest.raises(ValueError, match="unknown augmentation 'crops'; did you mean crop"):
        data.Stream(pictures, batch_size=2, augmentation="crops")
    with pytest.raises(ValueError, match="batch_size 0"):
        data.Stream(pictures, batch_size=0)
    with pytest.raises(ValueError, match="workers -1"):
        data.Stream(pictures, batch_size=2, workers=-1)
    stream = data.Stream(pictures, batch_size=2, augmentation="crop")
    with pytest.raises(ValueError, match="augmentation needs a generator"):
        next(stream.epoch(torch.tensor([0])))


def test_a_data_set_is_loaded_by_the_function_made_for_its_size():
    with pytest.raises(ValueError, match=r"imagenet-lt is too large.*load_files"):
        data.load("imagenet-lt")
    with pytest.raises(ValueError, match=r"digits fits.*nclib\.data\.load"):
        data.load_files("digits")
    with pytest.raises(ValueError, match="did you mean imagenet-lt"):
        data.load_files("imagenet")


# Several labels an image: a positive pair is a sample.

SEVERAL = torch.tensor([[1, 1, 0, 0]] * 30 + [[1, 0, 0, 0]] * 20 + [[0, 1, 1, 0]] * 5 + [[0] * 4])
OF_SEVERAL = [50, 35, 5, 0]  # images that have each label


def test_positive_pairs_are_counted():
    assert data.class_counts(SEVERAL, 4).tolist() == OF_SEVERAL
    assert data.class_counts(SEVERAL.bool(), 4).tolist() == OF_SEVERAL
    assert data.class_counts(LABELS, 5).tolist() == [*COUNTS, 0]
    with pytest.raises(ValueError, match=r"labels must be multi-hot, of shape \(N, 3\)"):
        data.class_counts(SEVERAL, 3)
    with pytest.raises(ValueError, match="labels has class 3, expected 0 to 2"):
        data.class_counts(LABELS, 3)


@pytest.mark.parametrize("kind", data.SAMPLERS)
def test_one_label_an_image_is_drawn_alike_in_either_form(kind):
    hot = torch.nn.functional.one_hot(LABELS)
    assert data.epoch_length(kind, hot.bool()) == data.epoch_length(kind, LABELS)
    assert torch.equal(epoch(kind, 3, hot.bool()), epoch(kind, 3))


@pytest.mark.parametrize(
    ("kind", "power"),
    [("class_balanced", 0.0), ("square_root", 0.5), ("reversed", -1.0), ("class_aware", 0.0)],
)
def test_images_are_shown_as_often_as_their_pairs_say(kind, power):
    """A pair of class k has n_k^power / Σ n_l^power / n_k of the draws, an image all its pairs'."""
    length = 40_000
    times = epoch(kind, labels=SEVERAL.bool(), length=length).bincount(minlength=len(SEVERAL))
    weights = [n**power if n else 0.0 for n in OF_SEVERAL]
    of_pairs = zip(weights, OF_SEVERAL, strict=True)
    shares = torch.tensor([w / sum(weights) / max(n, 1) for w, n in of_pairs])
    expected = length * (SEVERAL.float() @ shares)
    assert expected[-1] == times[-1] == 0  # no label, no pair
    assert ((times - expected).abs() <= 6 * expected.sqrt()).all()


def test_epochs_of_several_labels_count_images():
    lengths = {kind: data.epoch_length(kind, SEVERAL.bool()) for kind in data.SAMPLERS}
    assert lengths.pop("class_aware_cyclic") == 3 * 50
    assert set(lengths.values()) == {len(SEVERAL)}
    assert epoch("instance", 1, SEVERAL).sort().values.tolist() == list(range(len(SEVERAL)))
    parts = [epoch("class_aware_cyclic", 5, SEVERAL, length=70, epoch=e) for e in range(2)]
    whole = epoch("class_aware_cyclic", 5, SEVERAL, length=140)
    assert torch.equal(torch.cat(parts), whole)


def test_labels_that_are_no_pairs_are_named():
    with pytest.raises(ValueError, match="labels are empty"):
        epoch("class_balanced", labels=torch.zeros(3, 4, dtype=torch.bool))
    with pytest.raises(ValueError, match="labels has 2 in row 0, column 0"):
        epoch("class_balanced", labels=2 * SEVERAL)
