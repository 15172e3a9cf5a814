import dataclasses
import json
import math
import multiprocessing
import pickle
import subprocess
import sys

import numpy as np
import pytest
import scipy.linalg
import torch
from generators import (
    FeatureSet,
    collapsed,
    isotropic,
    long_tailed,
    minority_collapse,
    noisy,
    random_rotation,
    seeded,
)
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

import nclib.metrics
from nclib.geometry import orthogonal_frame, simplex_etf
from nclib.metrics import CollapseMetric, CollapseReport, measure

CLASSIFIER = ("nc3", "nc3_duality", "nc3_alignment", "nc3_alignment_per_class", "nc3_prime", "nc4")


def reference(data: FeatureSet, centring: str = "class") -> dict:
    """Every field from its formula, with loops and dense matrices, in float64 NumPy."""
    features, labels = data.features.double().numpy(), data.labels.numpy()
    weight = data.weight.double().numpy()
    (samples, dim), classes, norm = features.shape, len(weight), np.linalg.norm
    counts = np.array([np.sum(labels == k) for k in range(classes)])
    means = np.array([features[labels == k].mean(0) for k in range(classes)])
    shares = np.full(classes, 1 / classes) if centring == "class" else counts / samples
    centre = sum(shares[k] * means[k] for k in range(classes))
    centred = means - centre
    within, between = np.zeros((dim, dim)), np.zeros((dim, dim))
    variances = np.zeros(classes)
    for h, y in zip(features, labels, strict=True):
        within += np.outer(h - means[y], h - means[y]) / samples
        variances[y] += norm(h - means[y]) ** 2 / counts[y]
    for k in range(classes):
        between += shares[k] * np.outer(centred[k], centred[k])
    pairs = [(k, m) for k in range(classes) for m in range(classes) if k != m]
    norms = norm(centred, axis=1)
    unit = centred / norms[:, None]
    etf = (np.eye(classes) - 1 / classes) / np.sqrt(classes - 1)
    gram, cross = centred @ centred.T, weight @ centred.T
    rows = weight - weight.mean(0)
    alignment = [rows[k] @ unit[k] / norm(rows[k]) for k in range(classes)]
    rotation, _ = scipy.linalg.orthogonal_procrustes(means.T, weight.T)
    return {
        "nc1": np.trace(within @ np.linalg.pinv(between, rcond=1e-9, hermitian=True)) / classes,
        "nc1_ratio": np.trace(within) / np.trace(between),
        "nc1_cdnv": np.mean(
            [(variances[k] + variances[m]) / 2 / norm(means[k] - means[m]) ** 2 for k, m in pairs]
        ),
        "nc1_per_class": variances / np.trace(between),
        "nc2_norm_cv": norms.std() / norms.mean(),
        "nc2_angle": np.mean([abs(unit[k] @ unit[m] + 1 / (classes - 1)) for k, m in pairs]),
        "nc2_etf": norm(gram / norm(gram) - etf),
        "nc2_uniformity": np.mean([np.log(1 / norm(unit[k] - unit[m])) for k, m in pairs]),
        "nc3": norm(weight / norm(weight) - centred / norm(centred)),
        "nc3_duality": norm(cross / norm(cross) - etf),
        "nc3_alignment": np.mean(alignment),
        "nc3_alignment_per_class": np.array(alignment),
        "nc3_prime": norm(weight / norm(weight) - (means.T @ rotation).T / norm(means)),
        "nc4": nc4_reference(data),
        "counts": counts,
        "variances": variances,
        "class_means": means,
        "global_mean": centre,
    }


def nc4_reference(data: FeatureSet) -> float:
    features, labels, _, weight, bias = (tensor.double().numpy() for tensor in data)
    means = [features[labels == k].mean(0) for k in range(len(weight))]
    nearest = [int(np.argmin([np.linalg.norm(h - m) for m in means])) for h in features]
    chosen = [int(np.argmax(weight @ h + bias)) for h in features]
    return float(np.mean([a == b for a, b in zip(nearest, chosen, strict=True)]))


def assert_same(report: CollapseReport, expected: dict, tolerance: float, skip=()):
    for name, value in expected.items():
        if name not in skip:
            actual = getattr(report, name)
            actual = actual.numpy() if isinstance(actual, torch.Tensor) else actual
            np.testing.assert_allclose(
                actual, value, rtol=tolerance, atol=tolerance, err_msg=name, equal_nan=True
            )


def fields(report: CollapseReport) -> dict:
    values = {field.name: getattr(report, field.name) for field in dataclasses.fields(report)}
    del values["centring"]
    return {
        name: value.numpy() if isinstance(value, torch.Tensor) else value
        for name, value in values.items()
        if value is not None
    }


def classify(data: FeatureSet, **options) -> CollapseReport:
    return measure(data.features, data.labels, weight=data.weight, bias=data.bias, **options)


def stream(data: FeatureSet, batch: int, **options) -> CollapseMetric:
    classes, dim = data.weight.shape
    metric = CollapseMetric(classes, dim, weight=data.weight, bias=data.bias, **options)
    for features, labels in zip(data.features.split(batch), data.labels.split(batch), strict=True):
        metric.update(features, labels)
    return metric


SHAPES = {
    "balanced": ([20] * 6, 9),
    "long-tailed": (long_tailed(7, 60, 20), 12),
    "more classes than dimensions": ([9] * 12, 4),
    "as many classes as dimensions": ([8] * 5, 5),
    "far more dimensions than classes": ([25] * 3, 80),
    "a class with one sample": ([1, 30, 1, 12], 6),
    "two classes, one dimension": ([5, 9], 1),
}


@pytest.mark.parametrize("centring", ["class", "sample"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [
        (torch.float64, 1e-10),
        (torch.float32, 2e-6),
        (torch.bfloat16, 2e-6),  # bfloat16 numbers, measured in float32
        (torch.float16, 2e-6),
    ],
)
def test_measure_and_metric_match_the_dense_reference(dtype, tolerance, shape, centring):
    data = noisy(*SHAPES[shape], dtype=dtype)
    expected = reference(data, centring)
    assert_same(classify(data, centring=centring), expected, tolerance)
    metric = stream(data, 11, centring=centring)
    assert_same(metric.compute(), expected, tolerance)


@given(
    st.lists(st.integers(1, 9), min_size=2, max_size=9),
    st.integers(1, 12),
    st.floats(0.01, 5),
    st.integers(0, 1000),
)
def test_nc4_is_exact_whatever_the_scatter(counts, dim, noise, seed):
    data = noisy(counts, dim, noise=noise, seed=seed)
    assert classify(data).nc4 == pytest.approx(nc4_reference(data), abs=1e-12)
    dual = data._replace(weight=data.means, bias=-data.means.square().sum(1) / 2)
    assert classify(dual).nc4 == pytest.approx(nc4_reference(dual), abs=1e-12)


@pytest.mark.parametrize("share", [0.1, 0.4, 0.9])
def test_nc4_when_a_share_of_the_samples_is_far_from_its_mean(share):
    data = noisy([40] * 5, 8, noise=0.05)
    far = torch.rand(len(data.labels), generator=seeded(1)) < share
    push = 3 * torch.randn(data.features.shape, generator=seeded(2))
    features = data.features + far[:, None] * push
    data = data._replace(features=features, weight=data.means, bias=torch.zeros(5).double())
    assert 0 < nc4_reference(data) < 1
    assert classify(data).nc4 == pytest.approx(nc4_reference(data), abs=1e-12)


def test_nc4_counts_the_bias():
    means = torch.tensor([[-1.0, 0.0], [1.0, 0.0]])
    features = torch.tensor([[-1.5, 0.0], [-0.5, 0.0], [0.5, 0.0], [1.5, 0.0]])
    labels = torch.tensor([0, 0, 1, 1])
    assert measure(features, labels, weight=means).nc4 == 1
    # b moves the boundary from 0 to 1: the sample at 0.5 is now given to class 0.
    assert measure(features, labels, weight=means, bias=torch.tensor([2.0, 0.0])).nc4 == 0.75


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_collapsed_features(classes):
    data = collapsed(long_tailed(classes, 30, 10), classes + 3, scale=3.0)
    report = classify(data)
    zero = ("nc1", "nc1_ratio", "nc1_cdnv", "nc2_norm_cv", "nc2_angle", "nc2_etf")
    for name in (*zero, "nc3", "nc3_duality"):
        assert getattr(report, name) < 1e-10, name
    assert report.nc2_uniformity == pytest.approx(-0.5 * math.log(2 * classes / (classes - 1)))
    assert report.nc3_alignment == pytest.approx(1)
    assert report.nc4 == 1
    assert torch.allclose(report.class_means, data.means)
    assert report.counts.tolist() == long_tailed(classes, 30, 10)


@given(
    st.integers(2, 6), st.integers(0, 4), st.floats(0.1, 10), st.floats(0.01, 10), st.integers(0, 9)
)
def test_nc1_of_isotropic_scatter_in_closed_form(classes, extra, scale, radius, seed):
    dim = classes - 1 + extra
    data = isotropic(classes, dim, scale=scale, radius=radius, seed=seed)
    report = classify(data)
    ratio = (radius / scale) ** 2
    # Σ_W = (radius²/P) I, and Σ_B has K − 1 eigenvalues scale²/(K − 1).
    assert report.nc1 == pytest.approx(ratio * (classes - 1) ** 2 / (classes * dim))
    assert report.nc1_ratio == pytest.approx(ratio)
    assert report.nc1_cdnv == pytest.approx(ratio * (classes - 1) / (2 * classes))
    assert report.nc1_per_class.tolist() == pytest.approx([ratio] * classes)
    assert report.nc2_etf < 1e-8


def test_nc1_in_float32_with_many_more_dimensions_than_classes():
    # A dense pseudo-inverse without a cutoff is off by ten orders of magnitude here.
    data = noisy([40] * 10, 256, noise=0.1, dtype=torch.float32)
    assert classify(data).nc1 == pytest.approx(reference(data)["nc1"], rel=1e-6)


@pytest.mark.parametrize(
    ("offset", "noise", "tolerance"), [(1e3, 1e-2, 1e-5), (1e2, 1e-3, 1e-5), (0.0, 1e-5, 1e-6)]
)
def test_badly_scaled_float32(offset, noise, tolerance):
    data = noisy([70, 90, 110, 130], 32, offset=offset, noise=noise, dtype=torch.float32)
    expected = reference(data)
    values = fields(classify(data))
    streamed = fields(stream(data, 16).compute())
    for name in ("nc1", "nc1_ratio", "nc1_cdnv", "nc2_norm_cv", "nc2_angle", "nc2_uniformity"):
        assert values[name] == pytest.approx(expected[name], rel=tolerance), name
        assert streamed[name] == pytest.approx(expected[name], rel=tolerance), name
    assert values["nc4"] == streamed["nc4"] == expected["nc4"]


def test_metric_is_stable_when_classes_drift():
    # Batches in the order of the features: the running means move far from where they began.
    data = noisy([200, 300], 3, offset=1e6, noise=1.0)
    order = data.features.sum(1).argsort()
    data = data._replace(features=data.features[order], labels=data.labels[order])
    expected = reference(data)
    streamed = fields(stream(data, 7).compute())
    for name in ("nc1", "nc1_ratio", "nc1_cdnv", "nc2_norm_cv"):
        assert streamed[name] == pytest.approx(expected[name], rel=1e-7, abs=1e-9), name


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_equal_minority_means(dtype, noise):
    data = minority_collapse(4, 3, 8, noise=noise)
    with np.errstate(divide="ignore", invalid="ignore"):  # where it divides by their distance
        expected = reference(data)
    data = data._replace(features=data.features.to(dtype))
    own = ("nc1_cdnv", "nc2_uniformity", "nc4")
    for report in (classify(data), stream(data, 9).compute()):
        assert_same(report, expected, 1e-6, skip=own)
        assert report.nc1_cdnv == math.inf or not noise
        assert report.nc2_uniformity == math.inf
        assert report.nc4 == 1  # a tie counts as agreement
    majority = data.labels < 4
    assert math.isfinite(measure(data.features[majority], data.labels[majority]).nc1_cdnv)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_means_that_are_all_equal_leave_no_shape(dtype):
    axes = torch.eye(3, dtype=dtype)
    cloud = 0.7 + torch.cat([axes, -axes])
    data = FeatureSet(
        cloud.repeat(4, 1),
        torch.arange(4).repeat_interleave(6),
        axes,
        torch.ones(4, 3),
        torch.ones(4),
    )
    for report in (classify(data), stream(data, 5).compute()):
        assert report.nc1 == report.nc1_ratio == report.nc1_cdnv == math.inf
        for name in ("nc2_norm_cv", "nc2_angle", "nc2_etf", "nc2_uniformity", "nc3", "nc4"):
            assert math.isnan(getattr(report, name)), name


def test_a_class_at_the_centre_has_no_angle():
    means = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])
    report = measure(means.repeat(2, 1), torch.tensor([0, 1, 2, 0, 1, 2]), weight=means)
    assert math.isnan(report.nc2_angle)
    assert report.nc3_alignment_per_class[:2].tolist() == pytest.approx([1, 1])
    assert math.isnan(report.nc3_alignment_per_class[2])
    assert report.nc2_norm_cv == pytest.approx(math.sqrt(0.5))


def test_sample_centring_splits_the_total_covariance():
    data = noisy(long_tailed(6, 50, 10), 9)
    report = classify(data, centring="sample")
    total = float((data.features - data.features.mean(0)).square().sum(1).mean())
    within = float(report.counts.double() @ report.variances) / len(data.labels)
    assert report.nc1_ratio == pytest.approx(within / (total - within), rel=1e-10)
    assert torch.allclose(report.global_mean, data.features.mean(0))
    uniform = classify(data)
    assert torch.allclose(uniform.global_mean, uniform.class_means.mean(0))
    assert abs(uniform.nc1_ratio - report.nc1_ratio) > 1e-3


def test_per_class_variability_averages_to_the_ratio():
    report = classify(noisy(long_tailed(6, 50, 10), 9))
    shares = report.counts / report.counts.sum()
    assert float(shares.double() @ report.nc1_per_class) == pytest.approx(report.nc1_ratio)


def test_centrings_agree_on_balanced_classes():
    data = noisy([15] * 5, 7)
    expected = fields(classify(data))
    assert_same(classify(data, centring="sample"), expected, 1e-10)


@given(st.integers(0, 100), st.floats(1e-3, 1e3))
def test_rotation_and_scale_change_nothing(seed, scale):
    data = noisy(long_tailed(5, 20, 5), 7, seed=seed)
    rotation = random_rotation(7, seed=seed)
    turned = data._replace(
        features=scale * data.features @ rotation, weight=data.weight @ rotation / scale
    )
    expected = fields(classify(data))
    skip = ("variances", "class_means", "global_mean")
    assert_same(classify(turned), expected, 1e-8, skip=skip)


SCALE_FREE = {
    field.name
    for field in dataclasses.fields(CollapseReport)
    if field.name.startswith("nc") or field.name == "counts"
}
LIMITS = {torch.float32: 30, torch.float64: 250}  # powers of ten at which features are tried


@pytest.mark.parametrize("dtype", LIMITS)
@given(data=st.data())
def test_nothing_that_is_free_of_scale_depends_on_it(dtype, data):
    most = LIMITS[dtype]
    power, weight_power = (data.draw(st.integers(-most, most)) for _ in range(2))
    scale, weight_scale = 10.0**power, 10.0**weight_power
    bias_scale = scale * weight_scale
    features = noisy(long_tailed(5, 20, 5), 7, dtype=dtype, seed=data.draw(st.integers(0, 100)))
    expected = fields(classify(features))
    bias = (features.bias.double() * bias_scale) if 0 < bias_scale < math.inf else None
    if bias is None:
        expected = fields(classify(features._replace(bias=None)))
    scaled = features._replace(
        features=features.features * scale, weight=features.weight * weight_scale, bias=bias
    )
    tolerance = 1e-8 if dtype == torch.float64 else 5e-6
    skip = fields(classify(features)).keys() - SCALE_FREE
    assert_same(classify(scaled), expected, tolerance, skip=skip)
    assert_same(stream(scaled, 9).compute(), expected, tolerance, skip=skip)


@pytest.mark.parametrize("power", [-44, -24, 19, 37])
def test_extreme_float32_features_in_their_own_units(power):
    data = noisy([20] * 5, 12, dtype=torch.float32)
    extreme = data._replace(features=data.features * 10.0**power)
    exact = extreme._replace(features=extreme.features.double() / 10.0**power)
    expected = reference(exact)  # of the numbers as float32 holds them
    for report in (classify(extreme), stream(extreme, 9).compute()):
        for name in ("nc1", "nc1_ratio", "nc1_cdnv", "nc2_etf", "nc3", "nc3_duality"):
            assert getattr(report, name) == pytest.approx(expected[name], rel=1e-5), name
        means = report.class_means / 10.0**power
        np.testing.assert_allclose(means, expected["class_means"], rtol=1e-5, atol=1e-6)
        variances = report.variances / 10.0**power / 10.0**power
        np.testing.assert_allclose(variances, expected["variances"], rtol=1e-5)


@pytest.mark.parametrize("powers", [(-30, 0), (0, -30), (-200, -170), (-170, -200), (0, 180)])
def test_batches_of_very_different_sizes(powers):
    data = noisy([30, 40, 50], 6)
    sizes = torch.tensor([10.0**power for power in powers], dtype=torch.float64)
    sizes = sizes[torch.arange(120) % 2]
    data = data._replace(features=data.features * sizes[:, None])
    order = sizes.argsort(descending=powers[0] > powers[1], stable=True)
    data = data._replace(features=data.features[order], labels=data.labels[order])
    expected = reference(data._replace(features=data.features / sizes.max()))
    metric = CollapseMetric(3, 6)
    metric.update(0 * data.features[:0], data.labels[:0])
    for features, labels in zip(data.features.split(20), data.labels.split(20), strict=True):
        metric.update(features, labels)
    halves = [CollapseMetric(3, 6) for _ in range(2)]
    for half, rows in zip(halves, (slice(0, 60), slice(60, 120)), strict=True):
        half.update(data.features[rows], data.labels[rows])
    halves[0].merge_state(halves[1])
    reports = (measure(data.features, data.labels), metric.compute(), halves[0].compute())
    for report in reports:
        for name in ("nc1", "nc1_ratio", "nc1_cdnv", "nc2_norm_cv", "nc2_angle", "nc2_etf"):
            assert getattr(report, name) == pytest.approx(expected[name], rel=1e-9), name


def test_a_batch_of_zeros_sets_no_unit():
    data = noisy([9, 10, 11], 6)
    metric = CollapseMetric(3, 6)
    metric.update(torch.zeros(3, 6), torch.arange(3))
    metric.update(1e-200 * data.features, data.labels)
    features = torch.cat([torch.zeros(3, 6).double(), data.features])
    expected = measure(features, torch.cat([torch.arange(3), data.labels]))
    skip = fields(expected).keys() - SCALE_FREE
    assert_same(metric.compute(), fields(expected), 1e-9, skip=skip)


def test_nc4_with_a_bias_far_larger_than_the_products():
    data = noisy([20] * 4, 6, dtype=torch.float32)
    bias = torch.tensor([1e45, 3e45, 2e45, 0.0], dtype=torch.float64)
    report = measure(data.features, data.labels, weight=data.weight, bias=bias)
    assert report.nc4 == nc4_reference(data._replace(bias=bias)) < 1


@given(st.permutations(range(5)), st.integers(0, 100))
def test_names_of_classes_and_order_of_samples_change_nothing(names, seed):
    data = noisy([3, 8, 5, 12, 7], 4, seed=seed)
    names = torch.tensor(names)
    order = torch.randperm(len(data.labels), generator=seeded(seed))
    back = names.argsort()
    renamed = FeatureSet(
        data.features[order],
        names[data.labels][order],
        data.means[back],
        data.weight[back],
        data.bias[back],
    )
    expected = {
        name: value[back] if np.ndim(value) and name != "global_mean" else value
        for name, value in fields(classify(data)).items()
    }
    assert_same(classify(renamed), expected, 1e-9)


def test_a_common_offset_matters_to_nc3_prime_alone():
    data = noisy([20] * 5, 6)._replace(bias=torch.zeros(5).double())
    moved = data._replace(features=data.features + 3)
    expected = fields(classify(data))
    skip = ("nc3_prime", "nc4", "class_means", "global_mean")
    assert_same(classify(moved), expected, 1e-9, skip=skip)
    assert abs(classify(moved).nc3_prime - expected["nc3_prime"]) > 1e-2


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
def test_chunks_and_batches_change_nothing(size):
    data = noisy(long_tailed(6, 80, 8), 10)
    expected = fields(classify(data))
    assert_same(classify(data, chunk_size=size), expected, 1e-11)
    assert_same(stream(data, size).compute(), expected, 1e-10)


def test_nc3_prime_forgives_a_rotation_of_the_classes():
    means = orthogonal_frame(5, 8, generator=seeded(0)) + 0.3 * torch.randn(
        8, generator=seeded(1), dtype=torch.float64
    )
    labels = torch.arange(5).repeat(3)
    rotation = random_rotation(5, seed=2)
    report = measure(means[labels], labels, weight=2.5 * rotation @ means)
    assert report.nc3_prime < 1e-10
    assert report.nc3 > 0.1
    assert report.nc3_duality > 0.1
    assert measure(means[labels], labels, weight=means).nc3_prime < 1e-10


@pytest.mark.parametrize("theta", [0.0, 0.7, math.pi])
def test_nc3_alignment_of_a_classifier_turned_in_a_plane(theta):
    # W = QM with M a simplex ETF and Q a rotation in a plane orthogonal to the vector of ones.
    classes = 4
    a = torch.tensor([1.0, -1.0, 0.0, 0.0]).double() / math.sqrt(2)
    b = torch.tensor([0.0, 0.0, 1.0, -1.0]).double() / math.sqrt(2)
    plane = torch.stack([a, b])
    turn = torch.tensor(
        [[math.cos(theta) - 1, -math.sin(theta)], [math.sin(theta), math.cos(theta) - 1]],
        dtype=torch.float64,
    )
    rotation = torch.eye(classes).double() + plane.T @ turn @ plane
    etf = torch.eye(classes).double() - 1 / classes
    report = measure(etf, torch.arange(classes), weight=rotation @ etf)
    cosine = (classes - 3 + 2 * math.cos(theta)) / (classes - 1)
    assert report.nc3 == pytest.approx(math.sqrt(2 - 2 * cosine), abs=1e-10)
    assert report.nc3_alignment == pytest.approx(cosine)
    assert report.nc3_prime < 1e-10


def test_hyperspherical_uniformity_is_least_at_the_simplex_etf():
    labels = torch.arange(6)
    least = measure(simplex_etf(6, 7, generator=seeded(0)), labels).nc2_uniformity
    for seed in range(20):
        means = torch.randn(6, 7, generator=seeded(seed))
        assert measure(means, labels).nc2_uniformity > least


def test_without_a_classifier_its_fields_are_none():
    data = noisy([5, 6, 7], 4)
    report = measure(data.features, data.labels)
    assert all(getattr(report, name) is None for name in CLASSIFIER)
    expected = {k: v for k, v in fields(classify(data)).items() if k not in CLASSIFIER}
    assert_same(report, expected, 1e-12)


def test_number_of_classes_comes_from_the_labels():
    assert len(measure(torch.randn(6, 2), torch.tensor([0, 1, 2] * 2)).counts) == 3


class Allocations(TorchDispatchMode):
    """Records the shape of every tensor that an operation returns in memory of its own."""

    def __init__(self, *inputs):
        super().__init__()
        self.inputs = {tensor.untyped_storage().data_ptr() for tensor in inputs}
        self.shapes = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else [result]:
            if (
                isinstance(tensor, torch.Tensor)
                and tensor.untyped_storage().data_ptr() not in self.inputs
            ):
                self.shapes.add(tuple(tensor.shape))
        return result


def test_measure_forms_no_matrix_of_dimension_by_dimension_and_no_copy():
    data = noisy([40] * 3, 300, dtype=torch.float32)
    with Allocations(data.features) as allocations:
        classify(data, chunk_size=50)
    assert (50, 300) in allocations.shapes  # a chunk: the recorder works
    assert not any(shape.count(300) > 1 for shape in allocations.shapes)
    assert (120, 300) not in allocations.shapes


def test_measure_leaves_its_surroundings_as_they_were():
    data = noisy([5, 6, 7], 4, dtype=torch.float32)
    features = data.features.clone().requires_grad_()
    expected = fields(classify(data))
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        with torch.autocast("cpu", dtype=torch.bfloat16):
            report = classify(data._replace(features=features))
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    assert_same(report, expected, 0)
    assert torch.equal(features, data.features)
    assert not report.class_means.requires_grad


GOOD = noisy([4, 4, 4], 5)
NAN = GOOD.features.clone()
NAN[7, 2] = math.nan
INF = GOOD.features.clone()
INF[3, 0] = -math.inf


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"features": torch.ones(12)}, ValueError, r"features must have shape \(N, P\), got \(12,"),
        ({"labels": torch.ones(12, 1).long()}, ValueError, r"labels must have shape \(N,\)"),
        ({"labels": GOOD.labels[:-1]}, ValueError, "12 features but 11 labels"),
        ({"features": GOOD.features.long()}, TypeError, "floating point, got torch.int64"),
        ({"labels": GOOD.labels.double()}, TypeError, "integers, got torch.float64"),
        ({"labels": GOOD.labels > 0}, TypeError, "integers, got torch.bool"),
        ({"features": NAN}, ValueError, "NaN or infinity, first in sample 7"),
        ({"features": INF}, ValueError, "NaN or infinity, first in sample 3"),
        ({"labels": GOOD.labels + 1}, ValueError, "label 3 of sample .* out of range: .* 0 to 2"),
        ({"labels": GOOD.labels - 1}, ValueError, "label -1 of sample .* out of range"),
        ({"labels": 0 * GOOD.labels}, ValueError, r"without samples: 1, 2 \(of 3 classes\)"),
        ({"weight": GOOD.weight[:, :4]}, ValueError, r"\(K, 5\) .* got \(3, 4\)"),
        ({"weight": GOOD.weight[:1], "bias": None}, ValueError, "at least 2 rows"),
        ({"bias": GOOD.bias[:2]}, ValueError, r"bias must have shape \(3,\), got \(2,\)"),
        ({"weight": None}, ValueError, "bias without a weight"),
        ({"weight": GOOD.weight / 0}, ValueError, "weight contains NaN or infinity"),
        ({"bias": GOOD.bias * math.nan}, ValueError, "bias contains NaN or infinity"),
        ({"num_classes": 4}, ValueError, "weight has 3 rows, expected num_classes=4"),
        ({"num_classes": 1}, ValueError, "num_classes must be at least 2, got 1"),
        ({"centring": "mean"}, ValueError, "centring must be .* got 'mean'"),
        ({"chunk_size": 0}, ValueError, "chunk_size must be positive, got 0"),
        (
            {"features": torch.empty(0, 5), "labels": torch.empty(0).long()},
            ValueError,
            "no samples",
        ),
    ],
)
def test_measure_names_what_is_wrong(changes, error, message):
    given_ = {**GOOD._asdict(), **changes}
    del given_["means"]
    with pytest.raises(error, match=message):
        measure(given_.pop("features"), given_.pop("labels"), **given_)


def test_no_samples_and_no_classifier():
    with pytest.raises(ValueError, match="no samples: expected at least one of each of 2 classes"):
        measure(torch.empty(0, 3), torch.empty(0).long())
    with pytest.raises(ValueError, match=r"without samples: 1 \(of 2 classes\)"):
        measure(torch.ones(3, 3), torch.zeros(3).long())


def test_many_missing_classes_are_not_all_listed():
    with pytest.raises(ValueError, match=r"1, 2, 3, 4, 5, 6, 7, 8, 9, 10, … \(of 50 classes\)"):
        measure(torch.ones(3, 3), torch.zeros(3).long(), num_classes=50)


@pytest.mark.parametrize(
    "report",
    [
        classify(GOOD),
        measure(GOOD.features, GOOD.labels, centring="sample"),
        classify(minority_collapse(3, 2, 6)),
    ],
    ids=["with classifier", "without", "infinite"],
)
@pytest.mark.parametrize("means", [False, True])
def test_report_survives_json(report, means):
    text = json.dumps(report.to_dict(means=means), allow_nan=False)
    back = CollapseReport.from_dict(json.loads(text))
    assert back.centring == report.centring
    skip = () if means else ("class_means", "global_mean")
    assert_same(back, fields(report), 0, skip=skip)
    assert back.class_means.shape == (
        len(report.counts),
        report.class_means.shape[1] if means else 0,
    )
    assert back.counts.dtype == torch.int64


def test_report_refuses_what_is_no_report():
    values = classify(GOOD).to_dict()
    del values["nc1"]
    with pytest.raises(ValueError, match=r"missing fields \['nc1'\], unknown fields \['x'\]"):
        CollapseReport.from_dict({**values, "x": 1})


def test_report_is_frozen_and_prints_its_numbers():
    report = classify(GOOD)
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.nc1 = 0.0
    text = str(report)
    assert "12 samples, 3 classes, dimension 5 (class centring)" in text
    assert f"{report.nc3_prime:.4g}" in text


def test_metric_takes_batches_without_every_class():
    data = noisy([7, 9, 11], 4)
    order = data.labels.argsort()
    sorted_data = data._replace(features=data.features[order], labels=data.labels[order])
    assert_same(stream(sorted_data, 3).compute(), fields(classify(data)), 1e-10)


def test_metric_merges():
    data = noisy(long_tailed(5, 30, 6), 6)
    first = stream(data._replace(features=data.features[:40], labels=data.labels[:40]), 9)
    second = stream(data._replace(features=data.features[40:], labels=data.labels[40:]), 9)
    first.merge_state(second)
    assert_same(first.compute(), fields(classify(data)), 1e-10)
    first.merge_state(stream(data, 9))  # every sample twice: the same report but for the counts
    assert_same(first.compute(), fields(classify(data)), 1e-10, skip=("counts",))
    assert first.compute().counts.tolist() == (2 * data.labels.bincount()).tolist()
    fresh = CollapseMetric(5, 6, weight=data.weight, bias=data.bias)
    fresh.merge_state(stream(data, 9))
    assert_same(fresh.compute(), fields(classify(data)), 1e-10)


def test_metric_over_two_processes(tmp_path):
    import gloo

    data = noisy(long_tailed(4, 30, 5), 6)
    multiprocessing.set_forkserver_preload(["gloo"])  # both are forked from one that has imported
    torch.multiprocessing.start_processes(
        gloo.work, (2, str(tmp_path), data), nprocs=2, start_method="forkserver"
    )
    half = len(data.labels.split(10)) // 2 * 10
    part = data._replace(features=data.features[:half], labels=data.labels[:half])
    kept = 0
    for rank in range(2):
        (early, late), samples = pickle.loads((tmp_path / f"{rank}.pkl").read_bytes())
        assert_same(CollapseReport.from_dict(early), fields(classify(part)), 1e-10)
        assert_same(CollapseReport.from_dict(late), fields(classify(data)), 1e-10)
        kept += samples
    assert kept == len(data.labels)  # no sample left the process that saw it


def test_metric_resets():
    data = noisy([7, 9, 11], 4)
    metric = stream(data, 5)
    metric.compute()
    metric.reset()
    metric.update(data.features[:0], data.labels[:0])
    with pytest.raises(ValueError, match="no samples: expected at least one of each of 3 classes"):
        metric.compute()
    metric.update(data.features, data.labels)
    assert_same(metric.compute(), fields(classify(data)), 1e-10)


def test_metric_computes_between_updates():
    data = noisy([7, 9, 11], 4)
    metric = CollapseMetric(3, 4)
    metric.update(data.features[:15], data.labels[:15])
    expected = fields(measure(data.features[:15], data.labels[:15]))
    assert_same(metric.compute(), expected, 1e-10)
    assert metric.compute() is metric.compute()
    metric.update(data.features[15:], data.labels[15:])
    assert_same(metric.compute(), fields(measure(data.features, data.labels)), 1e-10)


def test_refused_batch_leaves_the_metric_as_it_was():
    metric = stream(GOOD, 4)
    state = metric.moments.clone()
    for features, labels, message in [
        (NAN, GOOD.labels, "NaN or infinity, first in sample 7"),
        (GOOD.features, GOOD.labels + 1, "label 3 of sample"),
        (GOOD.features[:, :3], GOOD.labels, r"dimension 5, got \(12, 3\)"),
        (GOOD.features, GOOD.labels[1:], "12 features but 11 labels"),
    ]:
        with pytest.raises(ValueError, match=message):
            metric.update(features, labels)
        assert torch.equal(metric.moments, state)
    assert len(metric.features) == 3
    with pytest.raises(ValueError, match="num_classes=4"):
        CollapseMetric(4, 5, weight=GOOD.weight)
    with pytest.raises(ValueError, match="centring must be"):
        CollapseMetric(3, 5, centring="none")


def test_metric_keeps_no_samples_unless_nc4_needs_them():
    data = noisy([7, 9, 11], 4)
    metric = stream(data, 5, nc4=False)
    assert metric.features == []
    assert metric.compute().nc4 is None
    assert_same(metric.compute(), fields(classify(data)), 1e-10, skip=("nc4",))
    without = CollapseMetric(3, 4)
    without.update(data.features, data.labels)
    assert without.features == []


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("on_cpu", [False, True])
def test_measure_and_metric_on_a_gpu(on_cpu):
    data = noisy(long_tailed(6, 80, 8), 10, dtype=torch.float32)
    there = FeatureSet(*(tensor.cuda() for tensor in data))
    assert_same(classify(there), fields(classify(data)), 1e-6)
    metric = CollapseMetric(6, 10, weight=there.weight, bias=there.bias, compute_on_cpu=on_cpu).to(
        "cuda"
    )
    for features, labels in zip(there.features.split(9), there.labels.split(9), strict=True):
        metric.update(features, labels)
    assert metric.features[0].is_cuda != on_cpu
    assert_same(metric.compute(), fields(classify(data)), 1e-6)


def test_the_function_needs_no_torchmetrics():
    code = "import sys, nclib.metrics; print('torchmetrics' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["False"]
    assert nclib.metrics.CollapseMetric is CollapseMetric
    assert "torchmetrics" in sys.modules
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        nclib.metrics.Nothing  # noqa: B018
