"""Average precision and its relatives: against scikit-learn, by hand, and at the edges."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, precision_recall_curve

from nclib.evaluate import (
    attention_report,
    average_precision,
    multilabel_report,
    optimum_threshold,
    precision_at_k,
    recall_at_k,
)


def peer(scores, targets, average=None):
    with warnings.catch_warnings():  # of a class or an image without positives
        warnings.simplefilter("ignore")
        return average_precision_score(targets, scores, average=average)


@st.composite
def rankings(draw):
    """Scores with as many ties as levels allow, and targets of any frequency."""
    samples, classes = draw(st.integers(1, 40)), draw(st.integers(2, 9))
    levels = draw(st.sampled_from([1, 2, 5, 10**6]))
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    scores = (random.integers(-levels, levels, (samples, classes)) / 7).astype(dtype)
    targets = random.random((samples, classes)) < random.choice([0.0, 0.1, 0.5, 1.0], classes)
    return scores, targets


@given(rankings())
def test_average_precision_is_scikit_learns(ranking):
    scores, targets = ranking
    result = average_precision(torch.from_numpy(scores), torch.from_numpy(targets))
    np.testing.assert_allclose(result.numpy(), peer(scores, targets), atol=1e-12)


@given(rankings())
def test_the_global_map_is_scikit_learns_sample_average(ranking):
    scores, targets = ranking
    counts = targets.sum(0)
    report = multilabel_report(torch.from_numpy(scores), torch.from_numpy(targets), counts.tolist())
    assert report.global_map == pytest.approx(peer(scores, targets, "samples"), abs=1e-12)
    assert report.total == pytest.approx(peer(scores, targets, "macro"), abs=1e-12)
    assert list(report.absent) == np.flatnonzero(counts == 0).tolist()


@given(st.floats(-1e30, 1e30), st.integers(1, 30))
def test_equal_scores_give_the_share_of_positives(score, positives):
    targets = (torch.arange(30) < positives)[:, None].repeat(1, 2)
    result = average_precision(torch.full((30, 2), score), targets)
    assert result.tolist() == pytest.approx([positives / 30] * 2)


def test_float64_scores_that_float32_cannot_tell_are_told_apart():
    scores = 1 + torch.tensor([[0.0], [1e-12]]).double()
    targets = torch.tensor([[0], [1]])
    assert average_precision(scores, targets).item() == 1
    assert average_precision(scores.float(), targets).item() == 0.5


def test_infinite_scores_are_ordered():
    scores = torch.tensor([[torch.inf], [0.0], [-torch.inf]])
    assert average_precision(scores, torch.tensor([[0], [1], [1]])).item() == pytest.approx(7 / 12)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", [torch.bool, torch.int64, torch.float32])
def test_any_precision_and_any_kind_of_targets(dtype, kind):
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(50, 4, generator=generator).to(dtype)
    targets = torch.rand(50, 4, generator=generator) < 0.3
    expected = peer(scores.double().numpy(), targets.numpy())
    assert average_precision(scores, targets.to(kind)).tolist() == pytest.approx(list(expected))


def test_groups_by_count_and_by_a_split():
    targets = torch.eye(5)
    scores = torch.eye(5)
    scores[:, 4] = 0  # a tie of all five: average precision 1/5
    counts = [500, 100, 99, 20, 19]
    report = multilabel_report(scores, targets, counts)
    assert (report.head, report.medium) == (1, 1)
    assert report.tail == pytest.approx(0.2)
    assert report.total == pytest.approx(0.84)
    assert report.per_class.tolist() == pytest.approx([1, 1, 1, 1, 0.2])
    split = {"head": [4], "middle": [0, 1, 2, 3], "tail": []}
    report = multilabel_report(scores, targets, counts, split=split)
    assert report.head == pytest.approx(0.2)
    assert (report.medium, report.tail) == (1, None)


def test_precision_and_recall_by_hand():
    scores = torch.tensor([[4.0, 3, 2, 1], [4, 3, 2, 1], [1, 1, 1, 1]])
    targets = torch.tensor([[1, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]])
    assert precision_at_k(scores, targets, 1) == pytest.approx(1 / 3)
    assert precision_at_k(scores, targets, 3) == pytest.approx((2 / 3 + 0 + 0) / 3)
    assert recall_at_k(scores, targets, 3) == pytest.approx((1 + 0) / 2)
    assert precision_at_k(scores, targets) == recall_at_k(scores, targets) == 0.25


@given(rankings(), st.integers(0, 10**6))
def test_places_that_tie_are_shared_as_a_random_order_would(ranking, seed):
    scores, targets = (torch.from_numpy(array) for array in ranking)
    k = 1 + seed % scores.shape[1]
    expected = []
    for row, hot in zip(scores.tolist(), targets.tolist(), strict=True):
        hits = 0.0
        for value, carried in zip(row, hot, strict=True):
            above = sum(other > value for other in row)
            tied = sum(other == value for other in row)
            hits += carried * min(1.0, max(0.0, (k - above) / tied))
        expected.append(hits / k)
    assert precision_at_k(scores, targets, k) == pytest.approx(np.mean(expected))


def test_recall_at_all_classes_is_one():
    targets = torch.tensor([[True, False, True], [False, True, False]])
    assert recall_at_k(torch.randn(2, 3), targets, 3) == 1


SCORES, TARGETS = torch.eye(3), torch.eye(3).long()
GROUPS = {"head": [0], "medium": [1], "tail": [2]}


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: average_precision(SCORES.long(), TARGETS), TypeError, r"scores.*int64"),
        (lambda: average_precision(SCORES[0], TARGETS), ValueError, r"scores must be a matrix"),
        (lambda: average_precision(SCORES[:0], TARGETS[:0]), ValueError, r"\(0, 3\)"),
        (lambda: average_precision(SCORES[:2], TARGETS), ValueError, r"2 rows of scores but 3"),
        (lambda: average_precision(SCORES, TARGETS[:, :2]), ValueError, r"\(N, 3\).*\(3, 2\)"),
        (lambda: average_precision(SCORES, torch.arange(3)), ValueError, r"multi-hot.*\(3,\)"),
        (lambda: average_precision(SCORES, 2 * TARGETS), ValueError, r"2 in row 0, column 0"),
        (lambda: average_precision(SCORES, TARGETS / 2), ValueError, r"0\.5 in row 0"),
        (lambda: average_precision(SCORES, TARGETS * np.nan), ValueError, r"nan in row 0"),
        (
            lambda: average_precision(SCORES / SCORES.roll(1, 0), TARGETS),
            ValueError,
            r"nan for class 1 of sample 0",
        ),
        (lambda: multilabel_report(SCORES, TARGETS, [1, 2]), ValueError, r"train_counts.*\(2,\)"),
        (lambda: multilabel_report(SCORES, TARGETS, [1, 2, -1]), ValueError, r"-1 for class 2"),
        (
            lambda: multilabel_report(SCORES, TARGETS, [1] * 3, split={"head": [0]}),
            ValueError,
            r"groups \['head'\], expected head, medium, tail",
        ),
        (
            lambda: multilabel_report(SCORES, TARGETS, [1] * 3, split=GROUPS | {"tail": [3]}),
            ValueError,
            r"class 3, expected 0 to 2",
        ),
        (
            lambda: multilabel_report(SCORES, TARGETS, [1] * 3, split=GROUPS | {"tail": [1]}),
            ValueError,
            r"class 1 2 times",
        ),
        (
            lambda: multilabel_report(SCORES, TARGETS, [1] * 3, split=GROUPS | {"tail": []}),
            ValueError,
            r"class 2 0 times",
        ),
        (lambda: precision_at_k(SCORES, TARGETS, 0), ValueError, r"k 0 must be at least 1"),
        (lambda: precision_at_k(SCORES, TARGETS, 4), ValueError, r"at most the 3 classes"),
        (lambda: precision_at_k(SCORES, TARGETS, 1.5), TypeError, r"k must be a whole"),
        (lambda: recall_at_k(SCORES, 0 * TARGETS, 1), ValueError, r"no image has a label"),
        (lambda: precision_at_k(SCORES, 0 * TARGETS), ValueError, r"no image has a label"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(call, error, match):
    with pytest.raises(error, match=match):
        call()


# Thresholds.


@given(rankings())
def test_the_optimum_threshold_has_the_largest_f1_of_all(ranking):
    scores, targets = ranking
    best = optimum_threshold(torch.from_numpy(scores), torch.from_numpy(targets))
    for k in range(scores.shape[1]):
        if not targets[:, k].any():
            assert best.threshold[k].isnan()
            assert best.precision[k] == best.recall[k] == best.f1[k] == 0
            continue
        precision, recall, thresholds = precision_recall_curve(targets[:, k], scores[:, k])
        with np.errstate(invalid="ignore"):
            f1 = np.nan_to_num(2 * precision * recall / (precision + recall))
        assert best.f1[k].item() == pytest.approx(f1.max(), abs=1e-12)
        chosen = scores[:, k] >= best.threshold[k].item()
        assert f1_score(targets[:, k], chosen) == pytest.approx(f1.max(), abs=1e-12)
        hits = (chosen & targets[:, k]).sum()
        assert best.precision[k].item() == pytest.approx(hits / chosen.sum())
        assert best.recall[k].item() == pytest.approx(hits / targets[:, k].sum())
        larger = thresholds[thresholds > best.threshold[k].item()]
        assert all(f1_score(targets[:, k], scores[:, k] >= t) < f1.max() for t in larger)


# Attention.


def test_attention_is_judged_by_the_tiles_of_labels():
    attention = torch.tensor([[[0.4, 0.4, 0.1, 0.1], [0.1, 0.2, 0.3, 0.4]], [[0.25] * 4] * 2])
    cover = torch.tensor([[[1.0, 0, 0, 0], [0, 0, 0.5, 0.25]], [[0.0] * 4, [1.0] * 4]])
    report = attention_report(attention, cover)
    assert report.pairs == 3  # the second image has not the first label
    assert report.share == pytest.approx((0.4 + 0.15 + 0.1 + 1) / 3)
    # Half of two peaks; a place that is covered by a quarter; everywhere.
    assert report.pointing == pytest.approx((0.5 + 0 + 1) / 3)
    assert report.uniform == pytest.approx((0.25 + 0.1875 + 1) / 3)
    e = np.exp(2)
    bounds = [q * e / (q * e + 1 - q) for q in (0.25, 0.1875, 1)]
    assert report.bound == pytest.approx(sum(bounds) / 3)


@given(st.integers(0, 999))
def test_no_cosine_attention_has_more_than_the_bound_on_a_tile(seed):
    """Tiles that cover places in part too."""
    generator = torch.Generator().manual_seed(seed)
    cover = torch.rand(1, 3, 9, generator=generator).double() ** 4
    for scores in (2 * torch.rand(1, 3, 9, generator=generator) - 1, 2 * cover.round() - 1):
        report = attention_report(scores.double().softmax(2), cover)
        assert report.share <= report.bound + 1e-12


@pytest.mark.unchecked
def test_attention_that_does_not_fit_is_refused():
    attention, cover = torch.full((2, 3, 4), 0.25), torch.ones(2, 3, 4)
    with pytest.raises(ValueError, match=r"\(N, K, L\), got \(2, 3, 4\) and \(2, 3, 2\)"):
        attention_report(attention, cover[..., :2])
    with pytest.raises(ValueError, match=r"sums to 1 up to 1 over the places"):
        attention_report(2 * attention, cover)
    with pytest.raises(ValueError, match=r"cover has 2 to 2, expected shares"):
        attention_report(attention, 2 * cover)
    with pytest.raises(ValueError, match="no tile covers anything"):
        attention_report(attention, 0 * cover)
    with pytest.raises(TypeError, match=r"cover must be floating point, got torch\.int64"):
        attention_report(attention, cover.long())
