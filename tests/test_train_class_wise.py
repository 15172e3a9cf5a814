"""Long-tailed methods of several labels: MLC-NC's objective, its centres, resuming, refusals."""

import math

import numpy as np
import pytest
import several
import torch

from nclib import data, evaluate, geometry, losses
from nclib.methods import METHODS
from nclib.models import ATTENTIONS, Outputs
from nclib.runs import RunConfig, RunRecord
from nclib.train import StoppedError, _stage, fit, trained_network
from nclib.train._class_wise import EpochCentres
from nclib.train._objective import Targets
from nclib.train._run import Run

LONG_TAILED = [
    "bce-rs",
    "bce-rw",
    "bce-focal",
    "bce-cb-focal",
    "bce-ldam",
    "asl",
    "db",
    "db-focal",
    "two-way",
]
PAPER = {"centres": "epoch", "collapse_by": "images", "beta": 0.2}
CODE = {
    "centres": "running",
    "collapse_by": "pairs",
    "beta": 0.1,
    "alignment_epochs": 1,
    "classifier": "etf-scaled-trained",
}


def config(method="mlc-nc", **changes):
    class_wise = {"feature_layer": "cosine-attention"} if METHODS[method].class_wise else {}
    fields = {
        "paper": "mlc-nc",
        "profile": "smoke",
        "dataset": "canvas-digits",
        "dataset_options": {"single": 6, "pair": 1, "test_single": 2, "height": 32, "width": 32},
        "model": "convnet",
        "width": 4,
        "feature_dim": 4,
        "lr": 0.02,
        "epochs": 2,
        "batch_size": 32,
        "measure_every": 2,
        "method": method,
        **class_wise,
    }
    return RunConfig.model_validate({**fields, **changes})


def assert_same(first, second):
    assert first.epochs == second.epochs
    assert first.final == second.final
    assert first.collapse == second.collapse
    for name, array in first.arrays.items():
        np.testing.assert_array_equal(array, second.arrays[name])


def batch_of(run, count=16):
    """Outputs and labels of a run's network, for its first training images."""
    images, labels = run.images.splits["train"]
    images = data.to_float(images[:count], run.mean, run.std)
    return run.network(images), labels[:count].float()


@pytest.mark.parametrize("method", LONG_TAILED)
def test_every_long_tailed_method_trains_and_records(method):
    record = fit(config(method))
    assert all(math.isfinite(epoch["loss"]) for epoch in record.epochs)
    assert math.isfinite(record.final["train_loss"])
    assert {"test_map", "test_global_map", "train_map"} <= set(record.final)
    assert record.arrays["class_means"].shape == (10, 4)


@pytest.mark.parametrize("layer", ATTENTIONS)
@pytest.mark.parametrize("options", [PAPER, CODE], ids=["paper", "code"])
def test_mlc_nc_trains_and_measures_the_features_of_positive_pairs(layer, options, tmp_path):
    run = config(feature_layer=layer, method_options=options)
    record = fit(run, network=tmp_path / "network.pt")
    assert record.arrays["weight"].shape == (10, 40)
    trained = Run(run, None)
    state = torch.load(tmp_path / "network.pt", weights_only=True)["network"]
    trained.network.load_state_dict(state)
    given = trained.outputs("train")
    features, labels = given.outputs.features, given.labels
    assert features.shape[1:] == (10, 4)
    for k in range(10):
        mean = features[labels[:, k], k].mean(0)
        np.testing.assert_allclose(record.arrays["class_means"][k], mean, atol=1e-5)
    report = record.report("train")
    assert report.counts.tolist() == labels.sum(0).tolist()
    assert math.isfinite(report.nc1)
    record.save(tmp_path / "record.json")
    assert RunRecord.load(tmp_path / "record.json").score == record.final["test_map"]


def test_the_trained_network_shows_where_its_labels_look(tmp_path):
    run = config(noise=(0.1,))
    record = fit(run, network=tmp_path / "network.pt")
    network = trained_network(run, tmp_path / "network.pt")
    made = data.load_canvases(run.dataset, options=dict(run.dataset_options))["test"]
    images = data.to_float(made.images, *data.statistics(run.dataset, run.normalisation))
    outputs, labels = network(images), made.layout.labels
    report = evaluate.attention_report(
        outputs.attention, made.layout.label_cover((4, 4)).flatten(2)
    )
    assert report.pairs == labels.sum()
    assert 0 < report.share <= report.bound
    for k in range(10):  # the means of the class-wise features before their projection
        mean = outputs.attended[labels[:, k], k].mean(0)
        np.testing.assert_allclose(record.arrays["test_attended_means"][k], mean, atol=1e-5)
    assert record.arrays["attended_means"].shape == (10, 16)
    angles = geometry.pairwise_angles(torch.from_numpy(record.arrays["attended_means"]))
    assert angles.isfinite().all()
    with pytest.raises(FileNotFoundError, match=f"weights of run {run.id} are not kept"):
        trained_network(run, tmp_path / "none.pt")


def test_the_objective_is_the_sum_of_its_three_terms():
    options = {"alpha": 0.7, "beta": 0.3, "tau": 0.4, "centres": "ema", "collapse_by": "pairs"}
    run = Run(config(method_options=options), None)
    objective, network = run.objective, run.network
    outputs, labels = batch_of(run)
    centres = torch.randn(10, 4, generator=torch.Generator().manual_seed(0))
    objective.collapse.centres.copy_(centres)
    value = objective([outputs], Targets(labels), network.head, 1)
    terms = [
        losses.two_way(outputs.scores, labels),
        losses.feature_label_alignment(outputs.attended, network.class_wise.embedding, labels),
        losses.projected_collapse(outputs.features, centres, labels, tau=0.4, reduction="pairs"),
    ]
    torch.testing.assert_close(value, terms[0] + 0.7 * terms[1] + 0.3 * terms[2])
    value.backward()
    without = {n for n, p in network.named_parameters() if p.grad is None}
    assert without == {"class_wise.attend.embedding", "head.directions"}  # both are fixed


@pytest.mark.parametrize("name", ["bce", "asl", "db-focal"])
def test_another_loss_can_stand_in_the_place_of_the_two_way_one(name):
    run = Run(config(method_options={"loss": name, "alpha": 0, "beta": 0}), None)
    outputs, labels = batch_of(run)
    value = run.objective([outputs], Targets(labels), run.network.head, 1)
    counts, images = run.counts, len(run.labels)
    expected = {
        "bce": losses.binary_cross_entropy(outputs.scores, labels, reduction="mean"),
        "asl": losses.asymmetric(outputs.scores, labels),
        "db-focal": losses.distribution_balanced(
            outputs.scores, labels, counts, images, mu=0.3, lam=5.0
        ),
    }
    torch.testing.assert_close(value, expected[name])


def test_epochs_of_alignment_alone_come_first():
    run = Run(config(method_options={"alignment_epochs": 1, "alpha": 0.5}), None)
    outputs, labels = batch_of(run)
    value = run.objective([outputs], Targets(labels), run.network.head, 0)
    embedding = run.network.class_wise.embedding
    alone = losses.feature_label_alignment(outputs.attended, embedding, labels)
    torch.testing.assert_close(value, alone)
    assert run.objective.collapse.counts.tolist() == labels.sum(0).tolist()  # they count already
    assert run.objective.phase(0) != run.objective.phase(1)


def test_a_trained_embedding_learns_from_the_alignment():
    run = Run(config(embedding="trainable"), None)
    outputs, labels = batch_of(run)
    run.objective([outputs], Targets(labels), run.network.head, 0).backward()
    assert run.network.class_wise.embedding.grad.abs().sum() > 0


def test_centres_are_means_of_the_last_epoch_of_all_or_follow_the_batches():
    """Against sums that are kept here, a positive pair at a time."""
    generator = torch.Generator().manual_seed(0)
    kinds = {kind: EpochCentres(kind, 3, 2) for kind in ("epoch", "running", "ema")}
    pairs, following = {"epoch": {}, "running": {}}, torch.zeros(3, 2)
    met = set()
    for epoch in range(3):
        for centres in kinds.values():
            centres.begin_epoch(epoch)
        for kind, kept in pairs.items():
            expected = torch.zeros(3, 2) if epoch == 0 else kinds[kind].centres.clone()
            for k, rows in kept.items():
                expected[k] = torch.stack(rows).mean(0)
            torch.testing.assert_close(kinds[kind].centres, expected)
        pairs["epoch"].clear()
        for step in range(2):
            features = torch.randn(5, 3, 2, generator=generator)
            labels = (torch.rand(5, 3, generator=generator) < 0.5).float()
            labels[:, 2] *= epoch == 1  # nobody has the last class but in the second epoch
            for centres in kinds.values():
                centres.add(features, labels)
                if step:  # going on within an epoch changes nothing
                    before = centres.centres.clone()
                    centres.begin_epoch(epoch)
                    assert torch.equal(centres.centres, before)
            for i, k in labels.nonzero().tolist():
                for kept in pairs.values():
                    kept.setdefault(k, []).append(features[i, k])
            for k in range(3):
                if labels[:, k].any():
                    mean = features[labels[:, k] > 0, k].mean(0)
                    following[k] = 0.9 * following[k] + 0.1 * mean if k in met else mean
                    met.add(k)
            torch.testing.assert_close(kinds["ema"].centres, following)


@pytest.mark.parametrize("options", [PAPER, CODE, {"centres": "ema"}], ids=["paper", "code", "ema"])
def test_a_run_that_was_stopped_goes_on_to_the_same_bits(tmp_path, options):
    run = config(method_options=options, epochs=3, ema=0.9, measure_every=3)
    path = tmp_path / "state.pt"
    for _ in range(4):  # within an epoch, and where one ends
        with pytest.raises(StoppedError, match=r"stopped (in|after) epoch"):
            fit(run, checkpoint=path, until=0.0)
    assert_same(fit(run, checkpoint=path), fit(run))


def test_adam_has_its_weight_decay_in_the_gradient():
    """Its first step is one of the sign, whatever the size; AdamW subtracts all of the decay."""
    heads = {}
    for optimizer in ("adam", "adamw"):
        run = Run(config("asl", optimizer=optimizer, weight_decay=1e6, lr=1e-3), None)
        before = run.network.head.weight.detach().clone()
        outputs, labels = batch_of(run)
        run.objective([outputs], Targets(labels), run.network.head, 0).backward()
        run.optimizers[0].step()
        heads[optimizer] = (run.network.head.weight.detach() - before).double(), before.double()
    step, before = heads["adam"]
    torch.testing.assert_close(step.sign(), -before.sign())
    step, before = heads["adamw"]
    torch.testing.assert_close(step, -1e3 * before, rtol=1e-5, atol=2e-3)


def test_ablations_are_options():
    whole, parts = fit(config()), {}
    for name, options in {
        "EGFL": {"alpha": 0},
        "FPC": {"beta": 0},
        "BEC": {"classifier": "class-wise"},
    }.items():
        parts[name] = fit(config(method_options=options))
        assert parts[name].epochs != whole.epochs
    assert parts["BEC"].arrays["weight"].shape == (10, 4)
    assert math.isfinite(parts["BEC"].report("train").nc3)  # of a row and a mean a class


def test_any_method_takes_class_wise_features():
    for method in ("bce", "asl", "pal-etf"):
        record = fit(config(method, feature_layer="cosine-attention", epochs=1, measure_every=1))
        assert record.arrays["weight"].shape == (10, 40)


def test_a_sampler_can_be_chosen():
    drawn = [
        Run(config("asl", method_options={"sampler": s}), None) for s in ("instance", "class_aware")
    ]
    assert [run.stage.sampler for run in drawn] == ["instance", "class_aware"]


REFUSED = [
    ({"feature_layer": "linear"}, "'mlc-nc' needs a feature for each class, .* is 'linear'"),
    ({"dataset": "cifar10", "dataset_options": {}}, "'mlc-nc' is for the task multi_label"),
    (
        {
            "dataset": "cifar10",
            "dataset_options": {},
            "method": "ce",
            "feature_layer": "cosine-attention",
        },
        "'cosine-attention' gives every class a feature of its own, but .* single_label",
    ),
    ({"model": "mlp", "width": 64}, "'cosine-attention' needs a model that has a map of features"),
    ({"width": 2}, "embedding 'etf' of 10 classes needs at least 9 channels, got 8"),
    ({"width": 3, "feature_layer": "multi-head-attention"}, "a multiple of 8 channels, got 12"),
    ({"method": "asl", "feature_layer": "linear", "embedding": "trainable"}, "embedding is 'tra"),
    ({"method_options": {"beta": 0, "centres": "ema"}}, "option centres is 'ema', but beta is 0"),
    (
        {"method_options": {"alpha": 0, "alignment_epochs": 1}},
        "option alignment_epochs is 1.0, but alpha is 0",
    ),
    ({"method_options": {"alignment_epochs": 2}}, "option alignment_epochs is 2, beyond the sch"),
    ({"method_options": {"classifier": "linear"}}, "option classifier is 'linear', expected one"),
    ({"plugins": ["spa-reg"]}, "plug-in 'spa-reg' compares the classifier with one feature"),
    ({"head_init": "kaiming"}, "head_init is 'kaiming', but the head .* is 'etf-scaled'"),
]


@pytest.mark.parametrize(("changes", "reason"), REFUSED)
def test_what_does_not_fit_is_refused_by_name(changes, reason):
    with pytest.raises(ValueError, match=reason):
        config(**changes)


@pytest.mark.parametrize("method", ["db", "db-focal", "bce-cb-focal", "bce-ldam", "bce-rw"])
def test_a_class_without_images_is_refused_where_the_loss_divides_by_its_count(method, monkeypatch):
    monkeypatch.setitem(data.DATASETS, several.NAME, several.INFO)
    with pytest.raises(
        ValueError, match=f"method '{method}' divides by .* of several labels has 0"
    ):
        config(method, dataset=several.NAME, dataset_options={}, model="mlp")


def test_outputs_are_mapped_but_for_those_that_there_are_not():
    outputs = Outputs(torch.ones(2, 3), torch.ones(2, 4)).map(lambda tensor: 2 * tensor)
    assert outputs.attended is None
    assert (outputs.features == 2).all()


# Trunks that have learnt something before.


def stripes(count, seed):
    """Images of 32×32 with a bright stripe at one of four heights."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 4
    images = torch.randint(0, 60, (count, 1, 32, 32), generator=generator)
    for k in range(4):
        images[labels == k, :, 8 * k : 8 * k + 8] += 150
    return images.to(torch.uint8), labels


STRIPES = data.DatasetInfo(
    name="stripes",
    title="stripes",
    num_classes=4,
    shape=(1, 32, 32),
    train_per_class=(16, 16),
    pixels=data.Statistics((0.3,), (0.2,)),
    read=lambda root: {"train": stripes(64, 0), "test": stripes(16, 1)},
    augmentable=False,
)


@pytest.fixture
def _striped(monkeypatch):
    monkeypatch.setitem(data.DATASETS, "stripes", STRIPES)


@pytest.mark.usefixtures("_striped")
def test_a_run_starts_from_a_trunk_that_learnt_another_data_set(tmp_path):
    run = config(pretrained="stripes", pretrain_epochs=1, epochs=1, measure_every=1)
    before = run.previous()
    assert (before.dataset, before.method, before.epochs) == ("stripes", "ce", 1)
    assert before.previous() is None
    assert before.id == config(pretrained="stripes", pretrain_epochs=1, seed=3).previous().id
    fit(before, network=tmp_path / "trunk.pt")
    weights = torch.load(tmp_path / "trunk.pt", weights_only=True)["network"]
    started = Run(run, weights)
    trunk = started.network.trunk.state_dict()
    assert all(torch.equal(weight, weights[f"trunk.{name}"]) for name, weight in trunk.items())
    # All the rest is that of a run from random weights.
    random = Run(run.replace(pretrained="no", pretrain_epochs=0), None).network.state_dict()
    for name, weight in started.network.state_dict().items():
        assert torch.equal(weight, random[name]) != name.startswith("trunk.")
    assert all(p.requires_grad for p in started.network.trunk.parameters())
    record = fit(run, base=tmp_path / "trunk.pt")
    assert [epoch["epoch"] for epoch in record.epochs] == [1]
    with pytest.raises(ValueError, match="base is None, but run"):
        fit(run)
    with pytest.raises(ValueError, match=f"do not fit the network of run {before.id}"):
        Run(run, {"trunk.0.weight": torch.ones(1)})


@pytest.mark.usefixtures("_striped")
def test_pretraining_that_does_not_fit_is_refused():
    for changes, reason in (
        ({"pretrained": "stripe"}, "unknown data set 'stripe'; did you mean stripes"),
        ({"pretrained": "stripes"}, "pretrained is 'stripes' with pretrain_epochs 0"),
        ({"pretrain_epochs": 1}, "pretrain_epochs is 1, but pretrained is 'no'"),
        ({"pretrained": "imagenet"}, "torchvision has no weights for model 'convnet'"),
        (
            {"pretrained": "canvas-digits", "pretrain_epochs": 1},
            "'canvas-digits', whose task is multi_label",
        ),
        (
            {"pretrained": "cifar10", "pretrain_epochs": 1},
            r"images of CIFAR-10, \(3, 32, 32\), is not that for canvases of digits, \(1, 32, 32\)",
        ),
    ):
        with pytest.raises(ValueError, match=reason):
            config(**changes)


def imagenet():
    return config(
        dataset="canvas-cifar10",
        dataset_options={"single": 2, "pair": 0},
        model="resnet50",
        width=64,
        pretrained="imagenet",
    )


def test_resnet50_starts_from_torchvisions_weights(monkeypatch):
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    weights = torchvision.models.resnet50().state_dict()
    entry = torchvision.models.ResNet50_Weights
    monkeypatch.setattr(entry, "get_state_dict", lambda self, **options: weights)
    run = imagenet()
    network = _stage.network(run, data.info(run.dataset), torch.ones(10).long())
    for name, weight in network.trunk.state_dict().items():
        assert torch.equal(weight, weights[name])


def test_weights_that_cannot_be_had_are_said_plainly(monkeypatch):
    torchvision = pytest.importorskip("torchvision")

    def unreachable(self, **options):
        raise OSError("no route to host")

    monkeypatch.setattr(torchvision.models.ResNet50_Weights, "get_state_dict", unreachable)
    run = imagenet()
    with pytest.raises(data.DataError, match=r"no route to host\): put https://.*\.pth into .*"):
        _stage.network(run, data.info(run.dataset), torch.ones(10).long())
