"""Label lists of real sets, long-tail statistics, and tables of label distributions."""

import dataclasses
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from nclib import data
from nclib.data import _label_lists

VOC_LT = [6, 34, 8, 14, 154, 17, 249, 29, 479, 4, 240, 48, 11, 20, 775, 100, 5, 82, 7, 64]


def statistics(name, split="train"):
    return data.label_statistics(data.label_list(name, split).labels)


# Lists


def test_voc_lt_has_the_published_counts_and_split():
    """Wu et al. (2020), and the split in the code of MLC-NC."""
    voc = statistics("voc-lt")
    assert voc.images == 1142
    assert voc.class_counts.tolist() == VOC_LT
    assert voc.head == (4, 6, 8, 10, 14, 15)
    assert voc.medium == (1, 7, 11, 13, 17, 19)
    assert voc.tail == (0, 2, 3, 5, 9, 12, 16, 18)
    assert voc.labels_per_image == pytest.approx(2.054, abs=5e-4)


def test_coco_lt_has_the_published_counts_and_split():
    coco = statistics("coco-lt")
    assert coco.images == 1909
    assert (int(coco.class_counts.min()), int(coco.class_counts.max())) == (6, 1128)
    assert (len(coco.head), len(coco.medium), len(coco.tail)) == (22, 33, 25)


def test_nearly_all_images_of_tail_classes_show_a_head_class_too():
    """100 % of VOC-LT and 99.26 % of COCO-LT, as the MLC-NC paper says."""
    voc, coco = statistics("voc-lt"), statistics("coco-lt")
    assert (voc.tail_images_with_head, voc.tail_images) == (71, 71)
    assert (coco.tail_images_with_head, coco.tail_images) == (267, 269)
    assert 100 * coco.head_tail_rate == pytest.approx(99.26, abs=5e-3)


def test_most_classes_never_stand_alone():
    assert int((statistics("voc-lt").alone == 0).sum()) == 14
    assert int((statistics("coco-lt").alone == 0).sum()) == 68


def test_voc_2012_and_the_test_images_of_coco_are_there():
    voc, test = data.label_list("voc2012"), statistics("coco-lt", "test")
    assert len(voc.images) == len(set(voc.images)) == 11_540
    assert (test.images, test.unlabelled) == (5000, 48)
    published = data.label_list("voc-lt")
    place = {image: row for row, image in enumerate(voc.images)}
    rows = [place[image] for image in published.images]  # all of VOC 2012, with the same labels
    assert torch.equal(voc.labels[rows], published.labels)
    assert data.label_list("coco-lt", "test").images[0] == "000000397133"


def test_lists_that_there_are_not_are_refused(tmp_path, monkeypatch):
    with pytest.raises(
        ValueError, match="unknown label list 'voc'; did you mean voc-lt or voc2012"
    ):
        data.label_list("voc")
    with pytest.raises(ValueError, match="split is 'test', expected one of train of voc-lt"):
        data.label_list("voc-lt", "test")
    entry = _label_lists.LABEL_LISTS["voc-lt"]
    changed = tmp_path / "voc_lt.csv.gz"
    changed.write_bytes(entry.path.read_bytes()[:-1])
    monkeypatch.setitem(
        _label_lists.LABEL_LISTS, "voc-lt", dataclasses.replace(entry, path=changed)
    )
    with pytest.raises(data.DataError, match=f"{changed} is not the published one.*{entry.blob}"):
        data.label_list("voc-lt")


# Statistics


def random_labels(seed, rows=60, classes=7):
    return torch.rand(rows, classes, generator=torch.Generator().manual_seed(seed)) < 0.3


@pytest.mark.parametrize("seed", range(3))
def test_statistics_are_counts_over_images(seed):
    labels = random_labels(seed)
    found = data.label_statistics(labels, train_counts=[500, 100, 99, 20, 19, 0, 3])
    dense = labels.long()
    assert torch.equal(found.cooccurrence, dense.T @ dense)
    assert torch.equal(found.class_counts, dense.sum(0))
    assert torch.equal(found.alone, dense[dense.sum(1) == 1].sum(0))
    assert found.sizes.tolist() == dense.sum(1).bincount().tolist()
    assert (found.head, found.medium, found.tail) == ((0, 1), (2, 3), (4, 5, 6))
    in_tail = labels[:, 4:].any(1)
    assert found.head_tail_rate == pytest.approx(labels[in_tail, :2].any(1).float().mean().item())


def test_forms_of_the_same_labels_have_the_same_statistics():
    labels = random_labels(0)
    for other in (labels.int(), labels.double(), labels.numpy(), sparse.coo_array(labels.numpy())):
        found, expected = data.label_statistics(other), data.label_statistics(labels)
        assert torch.equal(found.cooccurrence, expected.cooccurrence)
        assert found.tail_images == expected.tail_images


def test_classes_without_an_image_and_images_without_a_label_are_counted():
    found = data.label_statistics([[0, 1, 0], [0, 0, 0], [0, 1, 0]])
    assert (found.absent, found.unlabelled, found.labels_per_image) == ((0, 2), 1, 2 / 3)
    assert found.head_tail_rate == 0
    assert data.label_statistics(torch.ones(200, 2)).head_tail_rate is None  # all of the head


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([[0, 2]], "labels has 2 in row 0, column 1: multi-hot"),
        ([[0.0, 1.0], [0.5, 1.0]], "labels has 0.5 in row 1, column 0: multi-hot"),
        (sparse.csr_array([[0, 1], [3, 0]]), "labels has 3 in row 1, column 0: multi-hot"),
        ([0, 1], r"labels must be multi-hot, of shape \(N, K\), got shape \(2,\)"),
        (torch.zeros(0, 3), r"labels must have rows and columns, got shape \(0, 3\)"),
    ],
)
def test_labels_that_are_none_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        data.label_statistics(labels)


def test_groups_may_be_given_instead_of_counts():
    labels = random_labels(2)
    groups = {"head": (6, 0), "medium": (1, 2, 3), "tail": (4, 5)}
    found = data.label_statistics(labels, groups=groups)
    assert (found.head, found.medium, found.tail) == ((0, 6), (1, 2, 3), (4, 5))
    in_tail = labels[:, 4:6].any(1)
    assert found.tail_images_with_head == int(labels[in_tail][:, [0, 6]].any(1).sum())
    for wrong in ({"head": (0,)}, {**groups, "tail": (4,)}, {**groups, "tail": (4, 5, 5)}):
        with pytest.raises(ValueError, match="expected head, medium, tail with each of 7 once"):
            data.label_statistics(labels, groups=wrong)


def test_training_counts_are_one_for_each_class():
    with pytest.raises(ValueError, match=r"train_counts must have shape \(7,\)"):
        data.label_statistics(random_labels(0), train_counts=[1, 2])


def test_the_table_of_labels_has_each_set_once():
    labels = random_labels(1)
    table = data.tabulate(labels)
    rows = table.supports.repeat_interleave(table.counts, dim=0)
    labelled = labels[labels.any(1)]
    assert sorted(map(tuple, rows.tolist())) == sorted(map(tuple, labelled.tolist()))
    assert (table.supports.sum(1).diff() >= 0).all()


# Tables of distributions


def shares_of(table, count):
    supports = table.supports.double()
    return supports.T @ (table.counts[:, None] * supports) / count


@given(st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_the_shares_of_any_table_can_be_met(seed):
    """A table with these shares exists, since they are its own; so none of them is refused."""
    draws = torch.Generator().manual_seed(seed)
    classes = int(torch.randint(2, 6, (), generator=draws))
    table = data.all_supports(classes, dict.fromkeys(range(1, min(classes, 3) + 1), 1))
    weights = torch.rand(len(table.counts), generator=draws, dtype=torch.float64)
    weights[torch.rand(len(weights), generator=draws) < 0.4] = 0  # some sets never occur
    weights[0] = 1
    weights /= weights.sum()
    dense = table.supports.double()
    shares = dense.T @ (weights[:, None] * dense)
    fitted = data.fit_supports(10**6, shares, 3)
    assert int(fitted.counts.sum()) == 10**6
    # Rounding moves each count by less than 1.
    assert (shares_of(fitted, 10**6) - shares).abs().max() < len(fitted.counts) * 1e-6


def test_shares_and_sizes_are_met_together():
    shares = [0.6, 0.5, 0.4, 0.3, 0.3]
    table = data.fit_supports(10_000, shares, {1: 0.4, 2: 0.3, 3: 0.2, 5: 0.1})
    sizes = table.supports.sum(1)
    assert [int(table.counts[sizes == m].sum()) for m in (1, 2, 3, 5)] == [4000, 3000, 2000, 1000]
    reached = (table.supports * table.counts[:, None]).sum(0) / 10_000
    assert (reached - torch.tensor(shares)).abs().max() < 1e-3


def test_independent_classes_are_the_distribution_of_largest_entropy():
    """With shares alone, and the size free, p_S is a product, given that there is a label."""
    odds = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
    table = data.all_supports(3, {1: 1, 2: 1, 3: 1})
    product = torch.where(table.supports, odds, 1.0).prod(1)
    product /= product.sum()
    shares = (table.supports * product[:, None]).sum(0)
    fitted = data.fit_supports(10**7, shares, 3)
    assert torch.equal(fitted.supports, table.supports)
    torch.testing.assert_close(fitted.counts.double() / 1e7, product, rtol=0, atol=2e-7)


def test_co_occurrence_of_every_image_and_of_none_is_met():
    """Class 2 never without class 0: head–tail co-occurrence of 100 %; then of 0 %."""
    always = [[0.7, 0.1, 0.2], [0.1, 0.4, 0.0], [0.2, 0.0, 0.2]]
    table = data.fit_supports(1000, always, 3)
    tail = table.supports[:, 2]
    assert bool(table.supports[tail, 0].all())
    assert int(table.counts[tail].sum()) == 200
    never = [[0.5, 0.0, 0.0], [0.0, 0.3, 0.0], [0.0, 0.0, 0.2]]
    assert data.fit_supports(1000, never, 3).counts.tolist() == [500, 300, 200]


def test_the_shares_of_voc_lt_are_met_by_sets_of_few_labels():
    """Its own sets have up to 6 labels; with 4 at most there are distributions too."""
    voc = statistics("voc-lt")
    shares = voc.cooccurrence / voc.images
    fitted = shares_of(data.fit_supports(20_000, shares, 4), 20_000)
    assert (fitted - shares).abs().max() < 1e-3
    assert (fitted.diagonal() - shares.diagonal()).abs().max() < 2e-4 * math.sqrt(20)


def test_co_occurrence_that_no_distribution_has_is_refused_with_the_nearest_one():
    """Both classes in .4, one of them in .3. A label in every image: p_0 + p_1 − p_01 = 1."""
    with pytest.raises(data.InfeasibleError, match=r"0\.5 for class 1 rather than 0\.3") as caught:
        data.fit_supports(100, [[0.5, 0.4], [0.4, 0.3]], 2)
    nearest = caught.value.nearest
    torch.testing.assert_close(nearest, torch.tensor([[0.7, 0.2], [0.2, 0.5]]).double())
    table = data.fit_supports(100, nearest, 2)  # there is one
    assert table.counts.tolist() == [50, 30, 20]


def test_three_classes_cannot_all_avoid_each_other_half_of_the_time():
    """Pitowsky's triangle: p_0 + p_1 + p_2 − p_01 − p_02 − p_12 ≤ 1."""
    shares = torch.full((3, 3), 0.05) + 0.45 * torch.eye(3)
    with pytest.raises(data.InfeasibleError) as caught:
        data.fit_supports(100, shares, 3)
    nearest = caught.value.nearest
    assert nearest.diagonal().sum() - nearest.triu(1).sum() <= 1 + 1e-9
    changed = (nearest - shares).abs().max()
    assert changed == pytest.approx(0.35 / 6, abs=1e-6)  # six entries share what is too much


def test_shares_that_sizes_do_not_allow_name_the_nearest():
    with pytest.raises(data.InfeasibleError, match=r"sets of 1 labels.*nearest has 0\.\d+ for"):
        data.fit_supports(10, [0.6, 0.6], {1: 1.0})


LONG = 60 ** -torch.linspace(0, 1, 8).double()  # eight classes, two labels an image
SHARES = 2 * LONG / LONG.sum()
HEAD, TAIL = (0, 1, 2), (5, 6, 7)


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("count", [300, 5000])
def test_head_and_tail_stand_together_as_often_as_asked_for(rate, count):
    """Of the tail's images those with a head label are right to ½, and all to 1."""
    together = data.HeadTail(rate, HEAD, TAIL)
    table = data.fit_supports(count, SHARES, {2: 1.0}, head_tail=together)
    in_tail = table.supports[:, TAIL].any(1)
    in_both = in_tail & table.supports[:, HEAD].any(1)
    images, both = int(table.counts[in_tail].sum()), int(table.counts[in_both].sum())
    assert abs(both - rate * images) <= 0.5 + rate
    if rate in (0, 1):
        assert both == rate * images
    counts = (table.supports * table.counts[:, None]).sum(0)
    assert (counts - count * SHARES).abs().max() <= 6  # one of 28 sets each
    assert int(table.counts.sum()) == count


def test_with_a_rate_the_entropy_is_the_largest_too():
    """log p = Σ a_k, plus a number for tail and one for tail with head: 19 sets for 10 numbers."""
    together = data.HeadTail(0.4, HEAD, TAIL)
    table = data.fit_supports(10**9, SHARES, {2: 1.0}, head_tail=together)
    in_tail = table.supports[:, TAIL].any(1)
    in_both = in_tail & table.supports[:, HEAD].any(1)
    features = torch.cat([table.supports, in_tail[:, None], in_both[:, None]], dim=1).double()
    logs = table.counts.double().log()
    rest = logs - features @ torch.linalg.lstsq(features, logs[:, None]).solution[:, 0]
    assert len(table.counts) == 28
    assert rest.abs().max() < 1e-5  # counts of at least 10⁵ are rounded


def test_a_rate_that_shares_do_not_allow_names_the_nearest():
    """One label an image: nobody of the tail has a label of the head."""
    with pytest.raises(data.InfeasibleError, match="label sets of 1 labels"):
        data.fit_supports(10, [0.5, 0.3, 0.2], {1: 1.0}, head_tail=data.HeadTail(1.0, (0,), (2,)))


@pytest.mark.parametrize(
    ("head_tail", "message"),
    [
        ((1.5, (0,), (1,)), "rate is 1.5, expected 0 to 1"),
        ((math.nan, (0,), (1,)), "rate is nan, expected 0 to 1"),
        ((1.0, (), (1,)), r"head is \[\], expected some of the classes 0 to 1"),
        ((1.0, (0,), (2,)), r"tail is \[2\], expected some of the classes 0 to 1"),
        ((1.0, (0, 1), (1,)), "head and tail both have class 1"),
    ],
)
def test_head_and_tail_that_are_none_are_refused(head_tail, message):
    with pytest.raises(ValueError, match=message):
        data.fit_supports(9, [0.5, 0.5], 2, head_tail=data.HeadTail(*head_tail))


@pytest.mark.parametrize(
    ("shares", "sizes", "message"),
    [
        ([0.5, 1.5], 2, "shares has 1.5 for class 1, expected 0 to 1"),
        ([[0.5, -0.1], [-0.1, 0.5]], 2, "shares has -0.1 for classes 0 and 1, expected 0 to 1"),
        ([[0.5, 0.1], [0.2, 0.5]], 2, r"0.1 for classes \(0, 1\), but 0.2 for \(1, 0\)"),
        ([[0.5, 0.1]], 2, r"shares must have shape \(K,\) or \(K, K\)"),
        ([0.5, 0.5], {1: 0.5, 2: 0.4}, "sizes have shares with sum 0.9, expected 1"),
        ([0.5, 0.5], {3: 1.0}, "sizes has 3 labels, expected 1 to 2"),
        ([0.1] * 60, 4, r"there are 523,685 label sets of these sizes, expected 50,000"),
    ],
)
def test_shares_and_sizes_that_are_none_are_refused(shares, sizes, message):
    with pytest.raises(ValueError, match=message):
        data.fit_supports(100, shares, sizes)


@pytest.mark.unchecked
def test_fitting_takes_whole_numbers_of_images():
    with pytest.raises(TypeError, match=r"num_samples must be a whole number, got 0.5"):
        data.fit_supports(0.5, [0.5, 0.5], 2)
