"""Collapse of several labels a sample: a positive pair is a sample."""

import json
import math

import numpy as np
import pytest
import torch
from generators import FeatureSet, seeded
from hypothesis import given
from hypothesis import strategies as st
from test_metrics import assert_same, fields, reference

from nclib.geometry import simplex_etf
from nclib.metrics import CollapseMetric, CollapseReport, measure

BY_CLASS = ("nc1_per_class", "nc3_alignment_per_class", "counts", "variances", "class_means")


def labelled(samples, classes, dim, *, seed=0, share=0.3, class_wise=False, dtype=torch.float64):
    """Noisy features of random supports, some rows without labels, with a classifier."""
    generator = seeded(seed)
    labels = torch.rand(samples, classes, generator=generator) < share
    labels[torch.arange(2 * classes) % samples, torch.arange(2 * classes) % classes] = True
    means = torch.randn(classes, dim, generator=generator, dtype=torch.float64)
    pooled = labels.double() @ means
    features = pooled[:, None] + means if class_wise else pooled
    noise = torch.randn(features.shape, generator=generator, dtype=torch.float64)
    features = (features + 0.4 * noise).to(dtype)
    weight = means + torch.randn(means.shape, generator=generator, dtype=torch.float64)
    bias = torch.randn(classes, generator=generator, dtype=torch.float64)
    return features, labels, weight.to(dtype), bias.to(dtype)


def expanded(features, labels, weight, bias):
    """The single-label samples that the pairs are, absent classes left out; and the NC4 of sets."""
    present = [k for k in range(labels.shape[1]) if bool(labels[:, k].any())]
    rows, classes = [], []
    for i, hot in enumerate(labels.tolist()):
        for number, k in enumerate(present):
            if hot[k]:
                rows.append(features[i] if features.ndim == 2 else features[i, k])
                classes.append(number)
    rows, classes = torch.stack(rows), torch.tensor(classes)
    weight, bias = weight[present], bias[present]
    return FeatureSet(rows, classes, weight, weight, bias)


def nc4_of_sets(features, labels, weight, bias):
    data = expanded(features, labels, weight, bias)
    present = labels.any(0).nonzero().flatten()
    means = np.stack(
        [data.features[data.labels == k].double().numpy().mean(0) for k in range(len(present))]
    )
    agreed = 0
    for h, hot in zip(features.double().numpy(), labels[:, present].numpy(), strict=True):
        m = int(hot.sum())
        scores = data.weight.double().numpy() @ h + data.bias.double().numpy()
        distances = np.linalg.norm(means - h, axis=1)
        agreed += len(set(np.argsort(-scores)[:m]) & set(np.argsort(distances)[:m]))
    return agreed / len(data.labels)


def stream(features, labels, weight, bias, batch=7, **options):
    classes, dim = labels.shape[1], features.shape[-1]
    metric = CollapseMetric(classes, dim, weight=weight, bias=bias, **options)
    for some, theirs in zip(features.split(batch), labels.split(batch), strict=True):
        metric.update(some, theirs)
    return metric.compute()


@pytest.mark.parametrize("centring", ["class", "sample"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 3e-6)])
@pytest.mark.parametrize("class_wise", [False, True])
def test_pairs_are_measured_as_single_label_samples(class_wise, dtype, tolerance, centring):
    data = labelled(60, 5, 7, class_wise=class_wise, dtype=dtype)
    assert not bool(data[1].any(1).all())  # some samples have no label
    expected = reference(expanded(*data), centring)
    if not class_wise:
        expected["nc4"] = nc4_of_sets(*data)
    features, labels, weight, bias = data
    report = measure(features, labels, weight=weight, bias=bias, centring=centring)
    assert_same(report, expected, tolerance)
    assert_same(stream(*data, centring=centring), expected, tolerance)


@given(st.integers(0, 1000), st.integers(2, 9), st.floats(0.05, 0.9), st.integers(1, 50))
def test_nc4_of_pooled_features_compares_sets(seed, classes, share, chunk):
    data = labelled(30, classes, 4, seed=seed, share=share)
    features, labels, weight, bias = data
    report = measure(features, labels, weight=weight, bias=bias, chunk_size=chunk)
    assert report.nc4 == pytest.approx(nc4_of_sets(*data), abs=1e-12)
    assert stream(*data).nc4 == pytest.approx(report.nc4, abs=1e-12)


@pytest.mark.parametrize("class_wise", [False, True])
def test_absent_classes_are_skipped_and_named(class_wise):
    features, labels, weight, bias = labelled(40, 6, 5, class_wise=class_wise)
    labels[:, [1, 4]] = False
    present = torch.tensor([0, 2, 3, 5])
    some = features[:, present] if class_wise else features
    expected = measure(some, labels[:, present], weight=weight[present], bias=bias[present])
    report = measure(features, labels, weight=weight, bias=bias)
    for result in (report, stream(features, labels, weight, bias)):
        assert result.absent == (1, 4)
        for name, value in fields(expected).items():
            actual = getattr(result, name)
            if name in BY_CLASS:
                assert actual[[1, 4]].eq(0).all() if name == "counts" else actual[1].isnan().all()
                actual = actual[present]
            np.testing.assert_allclose(actual, value, rtol=1e-9, atol=1e-12, err_msg=name)
    assert expected.absent is None
    stored = json.loads(json.dumps(report.to_dict()))
    assert CollapseReport.from_dict(stored).absent == (1, 4)
    assert "absent" not in expected.to_dict()  # as reports of before had it


def test_one_label_a_sample_is_the_report_of_class_ids():
    features, _, weight, bias = labelled(30, 4, 6)
    ids = torch.arange(30) % 4
    hot = torch.nn.functional.one_hot(ids, 4)
    expected = fields(measure(features, ids, weight=weight, bias=bias))
    for kind in (torch.bool, torch.int64, torch.float32):
        report = measure(features, hot.to(kind), weight=weight, bias=bias)
        assert_same(report, expected, 1e-12)
    repeated = features[:, None].expand(-1, 4, -1)
    assert_same(measure(repeated, ids, weight=weight, bias=bias), expected, 1e-12)
    assert_same(stream(features, hot, weight, bias), expected, 1e-9)


def test_a_metric_takes_ids_and_multi_hot_batches_in_turn():
    features, labels, weight, bias = labelled(30, 4, 6)
    ids = torch.arange(12) % 4
    metric = CollapseMetric(4, 6, weight=weight, bias=bias)
    metric.update(features[:12], ids)
    metric.update(features[12:], labels[12:])
    hot = torch.cat([torch.nn.functional.one_hot(ids, 4).bool(), labels[12:]])
    expected = fields(measure(features, hot, weight=weight, bias=bias))
    assert_same(metric.compute(), expected, 1e-9)


def test_metrics_merge_and_forward_skips_what_a_batch_lacks():
    features, labels, weight, bias = labelled(30, 4, 6)
    labels[:, 3] = False
    first, second = (CollapseMetric(4, 6, weight=weight, bias=bias) for _ in range(2))
    assert first.forward(features[:15], labels[:15]).absent == (3,)
    assert second.forward(features[:1], torch.eye(4)[:1]) is None
    second.reset()
    second.update(features[15:], labels[15:])
    first.merge_state(second)
    expected = fields(measure(features, labels, weight=weight, bias=bias))
    assert_same(first.compute(), {n: v for n, v in expected.items() if n != "absent"}, 1e-9)


def test_a_classifier_of_all_features_together_leaves_duality_out():
    features, labels, _, _ = labelled(30, 4, 5, class_wise=True)
    weight = torch.randn(4, 20, generator=seeded(3)).double()
    report = measure(features, labels, weight=weight)
    assert report.nc3 is report.nc4 is report.nc3_prime is None
    assert report.nc1 == measure(features, labels).nc1
    metric = CollapseMetric(4, 5, weight=weight)
    metric.update(features, labels)
    assert metric.compute().nc4 is None
    assert metric.features == []


def test_what_no_pair_reads_may_be_anything():
    features, labels, weight, bias = labelled(30, 4, 5, class_wise=True)
    expected = fields(measure(features, labels, weight=weight, bias=bias))
    features[~labels] = math.nan
    assert_same(measure(features, labels, weight=weight, bias=bias), expected, 1e-12)
    assert_same(stream(features, labels, weight, bias), expected, 1e-9)


@pytest.mark.parametrize("class_wise", [False, True])
@pytest.mark.parametrize("scale", [1e-25, 1e25])
def test_pairs_of_any_scale(scale, class_wise):
    features, labels, weight, bias = labelled(30, 4, 5, class_wise=class_wise, dtype=torch.float32)
    expected = fields(measure(features, labels, weight=weight, bias=bias))
    skip = ("variances", "class_means", "global_mean")
    scaled = (features * scale, labels, weight, (bias.double() * scale).float())
    report = measure(*scaled[:2], weight=weight, bias=scaled[3])
    assert_same(report, expected, 1e-4, skip=skip)
    assert_same(stream(*scaled), expected, 1e-4, skip=skip)


def test_class_wise_features_at_their_means_are_collapsed():
    _, labels, _, _ = labelled(30, 5, 6)
    means = simplex_etf(5, 6)
    report = measure(means.expand(30, -1, -1), labels, weight=means)
    assert max(report.nc1, report.nc2_etf, report.nc3) < 1e-10
    assert report.nc4 == 1


FEATURES, LABELS = torch.randn(6, 4, generator=seeded(0)), torch.eye(3).repeat(2, 1)
INFINITE = FEATURES.clone().index_fill_(0, torch.tensor(4), math.inf)


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"labels": LABELS / 2}, r"labels has 0\.5 in row 0, column 0: multi-hot"),
        ({"labels": 2 * LABELS}, r"labels has 2\.0 in row 0"),
        ({"labels": LABELS[:, :1]}, r"at least 2 columns, one a class, got 1"),
        ({"labels": LABELS[:5]}, r"6 features but 5 labels"),
        ({"labels": 0 * LABELS}, r"no samples: expected at least one of each of 3 classes"),
        ({"labels": LABELS * torch.eye(3)[1]}, r"class 1 alone has samples"),
        ({"labels": LABELS[None]}, r"labels must have shape .* got \(1, 6, 3\)"),
        ({"num_classes": 4}, r"labels .* \(N, 4\) if multi-hot, got \(6, 3\)"),
        ({"features": FEATURES[:, None].expand(6, 2, 4)}, r"\(N, 3, P\), got \(6, 2, 4\)"),
        ({"features": INFINITE}, r"first in sample 4"),
        ({"features": INFINITE[:, None].expand(6, 3, 4)}, r"first in sample 4"),
        ({"weight": torch.ones(3, 8)}, r"weight must have shape \(K, 4\).* got \(3, 8\)"),
        (
            {"labels": torch.arange(6) % 2, "num_classes": 3},
            r"classes without samples: 2 \(of 3 classes\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(changed, match):
    arguments = {"features": FEATURES, "labels": LABELS} | changed
    with pytest.raises(ValueError, match=match):
        measure(**arguments)
