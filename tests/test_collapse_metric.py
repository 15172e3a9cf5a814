"""CollapseMetric as a torchmetrics.Metric, and the classifier that it watches."""

import copy
import gc
import math
import pickle
import weakref

import pytest
import torch
from generators import FeatureSet, noisy
from test_metrics import assert_same, classify, fields, stream
from torch import nn
from torch.nn.utils import parametrizations
from torchmetrics import MetricCollection

from nclib.metrics import CollapseMetric, measure

DATA = noisy([9, 7, 12, 8, 11], 12, dtype=torch.float32)
OTHER = noisy([9, 7, 12, 8, 11], 12, dtype=torch.float32, seed=1)
WITHOUT_BIAS = DATA._replace(bias=None)


def metric_of(data: FeatureSet = DATA, **options) -> CollapseMetric:
    return CollapseMetric(5, 12, weight=data.weight, bias=data.bias, **options)


def assert_measures(metric, data: FeatureSet = DATA, tolerance: float = 1e-6):
    report = metric.compute() if isinstance(metric, CollapseMetric) else metric
    assert_same(report, fields(classify(data)), tolerance)


def batches(data: FeatureSet = DATA, size: int = 10):
    return zip(data.features.split(size), data.labels.split(size), strict=True)


# --- collections ---------------------------------------------------------------------------------


@pytest.mark.parametrize("compute_groups", [True, False, [["a", "b"], ["c"], ["d"], ["e"]]])
@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize("step", ["update", "forward", "both"])
def test_each_metric_of_a_collection_gives_what_measure_gives(compute_groups, by_name, step):
    metrics = {
        "a": metric_of(),
        "b": metric_of(OTHER),
        "c": CollapseMetric(5, 12),
        "d": metric_of(centring="sample"),
        "e": metric_of(nc4=False),
    }
    collection = MetricCollection(metrics, compute_groups=compute_groups)
    for number, (features, labels) in enumerate(batches()):
        method = collection.forward if step == "forward" else collection.update
        if step == "both" and number % 2:
            method = collection.forward
        if by_name:
            method(features=features, labels=labels)
        else:
            method(features, labels)
    reports = collection.clone(prefix="val/").compute()
    assert_measures(reports["val/a"])
    assert_measures(reports["val/b"], DATA._replace(weight=OTHER.weight, bias=OTHER.bias))
    assert_same(reports["val/c"], fields(measure(DATA.features, DATA.labels)), 1e-6)
    assert_same(reports["val/d"], fields(classify(DATA, centring="sample")), 1e-6)
    assert reports["val/e"].nc4 is None
    assert reports["val/e"].nc3 == pytest.approx(reports["val/a"].nc3)
    if compute_groups is True and step != "forward":
        assert len(collection.compute_groups) == len(metrics)
    collection.reset()
    collection.update(OTHER.features, OTHER.labels)
    assert_measures(collection.compute()["b"], OTHER)


def test_a_metric_without_a_classifier_lends_nothing():
    collection = MetricCollection(
        {"a": CollapseMetric(5, 12), "b": CollapseMetric(5, 12, weight=DATA.weight)}
    )
    for features, labels in batches():
        collection.update(features, labels)
    assert_measures(collection.compute()["b"], WITHOUT_BIAS)


def test_samples_that_do_not_belong_to_the_sums_are_refused():
    groups = [["a", "b"]]  # by hand: b is given the state of a, which keeps no samples
    metrics = {"a": CollapseMetric(5, 12), "b": metric_of()}
    collection = MetricCollection(metrics, compute_groups=groups)
    collection.update(DATA.features, DATA.labels)
    with pytest.raises(ValueError, match="0 samples kept for NC4, expected all 47"):
        collection.compute()


# --- one metric ----------------------------------------------------------------------------------


def test_forward_reports_the_batch_and_accumulates():
    metric = metric_of()
    assert_measures(metric(DATA.features, DATA.labels))
    assert metric(DATA.features[:2], DATA.labels[:2]) is None
    assert_measures(
        metric(OTHER.features, labels=OTHER.labels),
        OTHER._replace(weight=DATA.weight, bias=DATA.bias),
    )
    features = torch.cat([DATA.features, DATA.features[:2], OTHER.features])
    labels = torch.cat([DATA.labels, DATA.labels[:2], OTHER.labels])
    assert_measures(metric, DATA._replace(features=features, labels=labels))
    state = metric.moments.clone()
    with pytest.raises(ValueError, match="out of range"):
        metric(DATA.features, DATA.labels + 1)
    assert torch.equal(metric.moments, state)
    assert len(metric.features) == 3


@pytest.mark.parametrize(
    "copied",
    [CollapseMetric.clone, copy.deepcopy, lambda metric: pickle.loads(pickle.dumps(metric))],
)
def test_copies_go_on_alone(copied):
    metric = metric_of()
    (features, labels), *others = batches()
    metric.update(features, labels)
    twin = copied(metric)
    for features, labels in others:
        twin.update(features, labels)
    assert_measures(twin)
    assert sum(map(len, metric.labels)) == 10
    for features, labels in others:
        metric.update(features, labels)
    assert_measures(metric)


def test_state_dict_keeps_the_state_if_it_is_persistent():
    metric = stream(DATA, 10)
    assert metric.state_dict() == {}
    metric.persistent(True)
    state = copy.deepcopy(metric.state_dict())
    assert all(entry.dtype == torch.float64 for entry in map(state.get, ("moments", "rounding")))
    twins = [metric_of(), metric_of()]
    twins[0].update(OTHER.features, OTHER.labels)
    twins[0].compute()  # a report that must not be given again
    for twin in twins:  # one state, two metrics that write to their own
        twin.load_state_dict(state)
        assert_measures(twin)
        twin.update(DATA.features, DATA.labels)
        assert_same(twin.compute(), fields(classify(DATA)), 1e-6, skip=("counts",))
    assert_same(metric.compute(), fields(classify(DATA)), 1e-6)
    metric.load_state_dict({})
    assert_measures(metric)


CASTS = {
    "set_dtype": lambda module, metric: metric.set_dtype(torch.float32),
    "set_dtype of bfloat16": lambda module, metric: metric.set_dtype(torch.bfloat16),
    "half": lambda module, metric: metric.half(),
    "float": lambda module, metric: metric.float(),
    "double": lambda module, metric: metric.double(),
    "type": lambda module, metric: metric.type(torch.float16),
    "to of the metric": lambda module, metric: metric.to(torch.float16),
    "half of the module": lambda module, metric: module.half(),
    "bfloat16 of the module": lambda module, metric: module.bfloat16(),
    "to of the module": lambda module, metric: module.to(torch.bfloat16),
    "to of the module, with a device": lambda module, metric: module.to("cpu", torch.float16),
}


@pytest.mark.parametrize("cast", CASTS)
def test_casts_leave_the_state_as_it_is(cast):
    module = nn.Module()
    module.collection = MetricCollection({"m": metric_of()})
    metric = module.collection["m"]
    for number, (features, labels) in enumerate(batches()):
        metric.update(features, labels)
        if number == 1:
            before = metric.moments.clone()
            metric.compute()
            CASTS[cast](module, metric)
            assert torch.equal(metric.moments, before)
    states = (metric.settings, metric.moments, metric.rounding)
    assert {state.dtype for state in states} == {torch.float64}
    assert metric.features[0].dtype == torch.float32
    assert_measures(metric)
    metric.reset()
    metric.update(DATA.features, DATA.labels)
    assert_measures(metric)


def test_inference_mode_leaves_no_trace():
    with torch.inference_mode():
        made = metric_of()
        made.update(DATA.features[:10], DATA.labels[:10])
        reset = metric_of()
        reset.update(OTHER.features, OTHER.labels)
        reset.compute()
        reset.reset()
        copied = metric_of().clone()
        (loaded := metric_of()).persistent(True)
        loaded.load_state_dict(loaded.state_dict())
        merged = metric_of()
        merged.merge_state(metric_of())
    made.update(DATA.features[10:], DATA.labels[10:])
    for metric in (reset, copied, loaded, merged):
        metric(DATA.features, DATA.labels)
    for metric in (made, reset, copied, loaded, merged, made.clone()):
        assert_measures(metric)
    outside = metric_of()
    with torch.inference_mode():
        outside.update(DATA.features[:20], DATA.labels[:20])
    outside.update(DATA.features[20:], DATA.labels[20:])
    assert_measures(outside)


def test_the_caller_may_write_the_next_batch_into_the_same_memory():
    metric = metric_of()
    features, labels = torch.empty(10, 12), torch.empty(10, dtype=torch.int64)
    for batch, batch_labels in batches():
        features[: len(batch)] = batch
        labels[: len(batch)] = batch_labels
        metric.update(features[: len(batch)], labels[: len(batch)])
    assert_measures(metric)


# --- states that must not mix --------------------------------------------------------------------

OTHERS = {
    "num_classes: 3 and 5": lambda: CollapseMetric(3, 12),
    "dim: 11 and 12": lambda: CollapseMetric(5, 11),
    "centring: class and sample": lambda: metric_of(centring="sample"),
    "nc4: samples kept in one alone": lambda: metric_of(nc4=False),
    "classifier: two with other values": lambda: metric_of(OTHER),
    "classifier: none and one": lambda: CollapseMetric(5, 12, nc4=False),
}


@pytest.mark.parametrize("way", ["metric", "metric_state", "load_state_dict", "collection"])
@pytest.mark.parametrize("difference", OTHERS)
def test_states_of_other_metrics_are_refused_by_name(difference, way):
    options = {"nc4": False} if difference.endswith("none and one") else {}
    metric, other = metric_of(**options), OTHERS[difference]()
    metric.persistent(True)
    other.persistent(True)
    metric.update(DATA.features, DATA.labels)
    before = fields(metric.compute())
    load = {
        "metric": lambda: metric.merge_state(other),
        "metric_state": lambda: metric.merge_state(other.metric_state),
        "load_state_dict": lambda: metric.load_state_dict(other.state_dict()),
        "collection": lambda: MetricCollection({"m": metric}).load_state_dict(
            MetricCollection({"m": other}).state_dict()
        ),
    }[way]
    with pytest.raises(ValueError, match=f"states with different {difference}; expected the same"):
        load()
    assert_same(metric.compute(), before, 0)


def test_states_whose_sizes_agree_by_chance_are_refused():
    first, second = CollapseMetric(6, 2), CollapseMetric(2, 4)
    assert first.moments.shape == second.moments.shape
    with pytest.raises(ValueError, match="different num_classes: 2 and 6"):
        first.merge_state(second)


def test_a_state_without_samples_is_refused():
    metric = stream(DATA, 10)
    metric.persistent(True)
    state = metric.state_dict()
    del state["features"], state["labels"]
    with pytest.raises(ValueError, match=r"without \['features', 'labels'\]"):
        metric_of().load_state_dict(state)
    state = metric.metric_state
    del state["features"]
    with pytest.raises(ValueError, match="features"):
        metric_of().merge_state(state)


def test_a_trained_layer_is_another_classifier():
    layer = nn.Linear(12, 5)
    first, second = (CollapseMetric(5, 12, weight=layer) for _ in range(2))
    earlier = dict(first.metric_state)
    nn.init.normal_(layer.weight)
    first.merge_state(second)  # both watch the layer of now
    with pytest.raises(ValueError, match="classifier: two with other values"):
        first.merge_state(earlier)


# --- the classifier ------------------------------------------------------------------------------


class Network(nn.Module):
    """A layer and metrics that watch it, registered in either order."""

    def __init__(self, kind: str, *, metrics_first: bool) -> None:
        super().__init__()
        layer = nn.Linear(12, 5)
        if not metrics_first:
            self.layer = layer
        watched = {
            "layer": {"weight": layer},
            "parameters": {"weight": layer.weight, "bias": layer.bias},
            "method": {"weight": self.classifier},
        }[kind]
        if kind == "method" and metrics_first:
            self.__dict__["layer"] = layer  # for the check of shapes, before it is registered
        self.metrics = MetricCollection(
            {"a": CollapseMetric(5, 12, **watched), "b": CollapseMetric(5, 12, **watched)}
        )
        self.layer = layer

    def classifier(self) -> nn.Module:
        return self.layer


def fill(layer: nn.Module, data: FeatureSet = DATA) -> None:
    layer.weight.data.copy_(data.weight)
    layer.bias.data.copy_(data.bias)


def repickled(module):
    return pickle.loads(pickle.dumps(module))


KINDS = ["layer", "parameters", "method"]


@pytest.mark.parametrize("metrics_first", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("copied", [copy.deepcopy, repickled])
def test_a_copy_of_the_model_watches_its_own_layer(kind, copied, metrics_first):
    original = Network(kind, metrics_first=metrics_first)
    twin = copied(copied(original))
    fill(twin.layer)
    fill(original.layer, OTHER)
    for network, data in ((twin, DATA), (original, OTHER)):
        network.metrics.update(data.features, data.labels)
        assert_measures(network.metrics.compute()["b"], data)
    assert not list(twin.metrics.parameters())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "copied",
    [
        copy.deepcopy,
        lambda metrics: metrics.clone(prefix="val/"),
        lambda metrics: copy.deepcopy({"a list": [metrics]})["a list"][0],
        lambda metrics: copy.deepcopy(nn.ModuleDict({"metrics": metrics}))["metrics"],
    ],
)
def test_a_copy_of_the_metrics_watches_the_same_layer(kind, copied):
    network = Network(kind, metrics_first=False)
    alone = network.metrics["a"].clone()
    metrics = copied(network.metrics)
    fill(network.layer)
    for metric in (alone, metrics):
        metric.update(DATA.features, DATA.labels)
    assert_measures(alone)
    for report in metrics.compute().values():
        assert_measures(report)


def test_the_example_of_a_clone_that_went_stale():
    layer = nn.Linear(12, 5)
    metric = CollapseMetric(num_classes=5, dim=12, weight=layer.weight).clone()
    layer.weight.data.copy_(DATA.weight)
    metric.update(DATA.features, DATA.labels)
    assert_measures(metric, WITHOUT_BIAS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "change",
    [
        lambda module: module.double(),
        lambda module: module.half().float(),
        lambda module: module.to(torch.bfloat16).to("cpu", torch.float64),
        lambda module: module.layer.double(),
    ],
)
def test_casts_and_moves_of_the_layer_are_followed(kind, change):
    network = Network(kind, metrics_first=False)
    change(network)
    fill(network.layer)
    network.metrics.update(DATA.features, DATA.labels)
    assert_measures(network.metrics.compute()["a"])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("kind", KINDS)
def test_a_device_move_of_the_layer_is_followed(kind):
    network = Network(kind, metrics_first=False).cuda()
    fill(network.layer)
    network.metrics.update(DATA.features.cuda(), DATA.labels.cuda())
    assert_measures(network.metrics.compute()["a"])


def replace_parameters(network: Network) -> None:
    network.layer.weight = nn.Parameter(DATA.weight.clone())
    network.layer.bias = nn.Parameter(DATA.bias.clone())


def replace_layer(network: Network) -> None:
    network.layer = nn.Linear(12, 5)
    fill(network.layer)


@pytest.mark.parametrize("metrics_first", [False, True])
@pytest.mark.parametrize("copied", [lambda network: network, copy.deepcopy, repickled])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("replace", [replace_parameters, replace_layer])
def test_what_was_replaced_is_refused_or_followed(kind, copied, metrics_first, replace):
    original = Network(kind, metrics_first=metrics_first)
    network = copied(original)
    replace(network)
    network.metrics.update(DATA.features, DATA.labels)
    if kind == "method" or (kind == "layer" and replace is replace_parameters):
        assert_measures(network.metrics.compute()["a"])
    else:
        with pytest.raises(ValueError, match="the classifier is gone"):
            network.metrics.compute()


def test_a_copied_model_is_not_kept_alive_by_its_metrics():
    original = Network("layer", metrics_first=True)
    twin = copy.deepcopy(original)
    twin.metrics.update(DATA.features, DATA.labels)
    twin.metrics.compute()
    layer = weakref.ref(original.layer)
    del original
    gc.collect()
    assert layer() is None


def test_a_pickle_of_the_metric_alone():
    layer = nn.Linear(12, 5)
    fill(layer)
    values = repickled(
        CollapseMetric(5, 12, weight=layer.weight.detach(), bias=layer.bias.detach())
    )
    values.update(DATA.features, DATA.labels)
    assert_measures(values)
    watching = repickled(CollapseMetric(5, 12, weight=layer))
    watching.update(DATA.features, DATA.labels)
    with pytest.raises(ValueError, match=r"gone: .* pickled or loaded without it"):
        watching.compute()


def test_functions_and_computed_weights():
    layer = parametrizations.weight_norm(nn.Linear(12, 5))
    pair = [torch.zeros(5, 12), None]
    metrics = [
        CollapseMetric(5, 12, weight=layer),
        CollapseMetric(5, 12, weight=lambda: layer),
        CollapseMetric(5, 12, weight=lambda: (layer.weight, layer.bias)).clone(),
        CollapseMetric(5, 12, weight=lambda: tuple(pair)),
    ]
    pair[:] = DATA.weight, DATA.bias
    with torch.no_grad():
        layer.weight = DATA.weight
        layer.bias.copy_(DATA.bias)
    for metric in metrics:
        metric.update(DATA.features, DATA.labels)
        assert_measures(metric)
    buffer = nn.Module()
    buffer.weight = nn.Buffer(DATA.weight.clone())
    metric = CollapseMetric(5, 12, weight=buffer.weight)
    metric.update(DATA.features, DATA.labels)
    assert_measures(metric, WITHOUT_BIAS)
    buffer.half()  # which replaces a buffer
    metric.update(DATA.features, DATA.labels)
    with pytest.raises(ValueError, match="gone"):
        metric.compute()


def test_tensors_are_values_that_change_in_place():
    weight = torch.zeros(5, 12)
    metric = CollapseMetric(5, 12, weight=weight, bias=DATA.bias)
    twin = metric.clone()
    weight.copy_(DATA.weight)
    for each in (metric, twin):
        each.update(DATA.features, DATA.labels)
        assert_measures(each)


def test_a_model_is_loaded_whatever_the_order_of_its_parts():
    networks = [Network("layer", metrics_first=first) for first in (False, True)]
    for network in networks:
        network.metrics.persistent(True)
        fill(network.layer)
        network.metrics.update(DATA.features, DATA.labels)
        fresh = Network("layer", metrics_first=next(iter(network._modules)) == "metrics")
        fresh.metrics.persistent(True)
        fresh.load_state_dict(network.state_dict())
        assert_measures(fresh.metrics.compute()["b"])


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"weight": nn.Linear(12, 5), "bias": DATA.bias}, ValueError, "a bias beside a layer"),
        ({"weight": lambda: DATA.weight, "bias": DATA.bias}, ValueError, "a bias beside a layer"),
        ({"weight": nn.ReLU()}, TypeError, "ReLU has no tensor `weight`"),
        ({"weight": nn.Linear(11, 5)}, ValueError, r"\(K, 12\) .* got \(5, 11\)"),
        ({"weight": lambda: None, "bias": None}, TypeError, "a function that returned no weight"),
        ({"weight": lambda: [1.0]}, TypeError, "weight must be a torch.Tensor, got list"),
        ({"weight": math.pi}, TypeError, "weight must be a torch.Tensor, got float"),
    ],
)
def test_what_is_no_classifier_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        CollapseMetric(5, 12, **options)
