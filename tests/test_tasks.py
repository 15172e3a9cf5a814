"""Tasks: what is counted, what a hit is, and what is summarised, against literal transcriptions."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from nclib import evaluate, tasks
from nclib.tasks import Judged, multi_label, single_label


def judged(seed=0, *, images=40, classes=5, shift_invariant=True):
    """Random scores and labels; some images have none, and nobody has the last label."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(images, classes, generator=generator)
    labels = torch.rand(images, classes, generator=generator) < 0.3
    labels[:, -1] = False
    labels[0] = False
    return Judged(scores, labels, shift_invariant)


def test_tasks_are_known_by_name():
    assert tasks.get("single_label") is single_label
    assert tasks.get("multi_label") is multi_label
    with pytest.raises(ValueError, match="unknown task 'multilabel'; did you mean multi_label"):
        tasks.get("multilabel")


def test_a_hit_of_one_label_is_a_right_class():
    scores = torch.tensor([[1.0, 2.0], [3.0, 0.0], [0.0, 1.0]])
    targets = single_label.targets(torch.tensor([1, 1, 1]))
    predictions = single_label.predictions(scores)
    assert single_label.count_hits(predictions, targets, shift_invariant=True) == 2


@given(st.integers(0, 999), st.booleans())
def test_hits_of_several_labels_are_shares_of_an_image(seed, shift_invariant):
    """The m largest of m labels where scores are defined up to a constant, else positive ones."""
    scores, labels, _ = judged(seed)
    expected = 0.0
    for row, wanted in zip(scores.tolist(), labels.tolist(), strict=True):
        m = sum(wanted)
        top = sorted(range(len(row)), key=lambda k, row=row: -row[k])[:m]
        chosen = top if shift_invariant else [k for k, score in enumerate(row) if score > 0]
        expected += sum(wanted[k] for k in chosen) / max(m, 1)
    targets = multi_label.targets(labels)
    hits = multi_label.count_hits(scores, targets, shift_invariant=shift_invariant)
    assert hits.item() == pytest.approx(expected, rel=1e-6)


@given(st.integers(0, 999))
def test_one_label_an_image_is_hit_alike_by_both_tasks(seed):
    scores, _, _ = judged(seed)
    classes = torch.randint(5, (40,), generator=torch.Generator().manual_seed(seed))
    hot = torch.nn.functional.one_hot(classes).bool()
    of_classes = single_label.count_hits(
        single_label.predictions(scores), classes, shift_invariant=True
    )
    several = multi_label.count_hits(scores, multi_label.targets(hot), shift_invariant=True)
    assert several == of_classes


def test_scores_up_to_a_constant_an_image_are_judged_as_softmax_logarithms():
    """A constant an image would change the order of images; it changes nothing."""
    given_ = judged()
    shifted = given_._replace(predictions=given_.predictions + torch.randn(40, 1))
    counts = torch.tensor([200, 50, 3, 3, 1])
    metrics = multi_label.metrics(given_, counts, "test")
    assert multi_label.metrics(shifted, counts, "test") == pytest.approx(metrics, abs=1e-6)
    log_p = given_.predictions.log_softmax(1).numpy()
    labels = given_.labels.numpy()
    by_class = [average_precision_score(labels[:, k], log_p[:, k]) for k in range(4)]
    assert metrics["test_map"] == pytest.approx(sum(by_class) / 5, abs=1e-6)
    assert metrics["test_head"] == pytest.approx(by_class[0], abs=1e-6)
    assert metrics["test_medium"] == pytest.approx(by_class[1], abs=1e-6)
    assert metrics["test_tail"] == pytest.approx(sum(by_class[2:]) / 3, abs=1e-6)
    assert metrics["test_absent"] == 1
    for k in (1, 3):
        hits = [labels[i, np.argsort(-log_p[i])[:k]].sum() for i in range(40)]
        assert metrics[f"test_precision_at_{k}"] == pytest.approx(np.mean(hits) / k)
        some = labels.any(1)
        recall = np.array(hits)[some] / labels.sum(1)[some]
        assert metrics[f"test_recall_at_{k}"] == pytest.approx(recall.mean())


def test_groups_that_a_set_publishes_replace_those_by_count():
    given_, counts = judged(), torch.tensor([200, 50, 3, 3, 1])
    groups = {"head": (3,), "medium": (0, 4), "tail": (1, 2)}
    by_group = multi_label.grouped(groups).metrics(given_, counts, "test")
    by_class = evaluate.average_precision(given_.predictions.log_softmax(1), given_.labels)
    for name, classes in groups.items():
        assert by_group[f"test_{name}"] == pytest.approx(by_class[list(classes)].mean().item())
    assert by_group["test_map"] == multi_label.metrics(given_, counts, "test")["test_map"]
    assert multi_label.groups is None


def test_logits_of_one_model_a_class_are_ranked_as_they_are():
    scores, labels, _ = judged(shift_invariant=False)
    counts = torch.ones(5, dtype=torch.int64)
    metrics = multi_label.metrics(Judged(scores, labels, False), counts, "train")
    report = evaluate.multilabel_report(scores, labels, counts)
    assert metrics["train_map"] == report.total
    assert metrics["train_global_map"] == report.global_map
    assert not any("_at_" in name or name == "train_head" for name in metrics)
    summary = multi_label.summary(Judged(scores, labels, False), 5)
    assert summary["map"] == pytest.approx(report.total)
    assert summary["per_class_ap"] == pytest.approx(report.per_class.tolist(), abs=1e-6)


def test_means_are_those_of_positive_pairs():
    _, labels, _ = judged()
    features = torch.randn(40, 3, dtype=torch.float64)
    pairs = [(features[i], k) for i, k in labels.nonzero().tolist()]
    class_means, global_mean = multi_label.means(features, labels, 5)
    for k in range(4):
        mean = torch.stack([h for h, of in pairs if of == k]).mean(0)
        torch.testing.assert_close(class_means[k], mean)
    assert class_means[4].isnan().all()
    torch.testing.assert_close(global_mean, torch.stack([h for h, _ in pairs]).mean(0))


def test_supports_have_their_means_and_spread():
    given_ = judged()
    features = torch.randn(40, 3, dtype=torch.float64)
    arrays = multi_label.arrays((features, given_.labels), given_, 5)
    assert arrays["support_counts"].sum() == 40
    for s, support in enumerate(arrays["supports"]):
        members = features[(given_.labels == support).all(1)]
        assert len(members) == arrays["support_counts"][s]
        torch.testing.assert_close(arrays["support_means"][s], members.mean(0))
        spread = (members - members.mean(0)).square().sum(1).mean()
        torch.testing.assert_close(arrays["support_variances"][s], spread)


def test_many_supports_are_left_out_of_records():
    labels = torch.arange(512)[:, None].bitwise_and(2 ** torch.arange(9)) > 0
    test = Judged(torch.randn(512, 9), labels)
    assert set(multi_label.arrays((torch.randn(512, 2), labels), test, 9)) == {"per_class_ap"}
