"""Plug-ins: of every method a step or a refusal, and each option does what it says."""

import numpy as np
import pytest
import several
import torch
from test_methods import config
from test_train_class_wise import config as class_wise_config
from torch import nn

from nclib import data, losses
from nclib.methods import METHODS, PLUGINS, Option, Plugin, project, slerp
from nclib.models import CosineHead, ExpertsHead
from nclib.queue import get
from nclib.runs import RunConfig, ledger
from nclib.runs._described import described
from nclib.train import StoppedError, fit
from nclib.train import _fit as fit_module
from nclib.train._objective import Targets
from nclib.train._plugged import PluggedTerm
from nclib.train._run import Run


def plugged(method="ce", *, plugins, **changes):
    return config(method, plugins=plugins, **changes)


def pairs(**changes):
    """Several labels an image; no training image has the last label."""
    fields = {"dataset": several.NAME, "imbalance": 1, "feature_layer": "linear", "feature_dim": 8}
    return {**fields, **changes}


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setitem(data.DATASETS, several.NAME, several.INFO)
    monkeypatch.setitem(data.DATASETS, "everybody", several.EVERYBODY)


@pytest.fixture
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("NCLIB_LEDGER", str(tmp_path / "ledger"))
    monkeypatch.setenv("NCLIB_CACHE", str(tmp_path / "cache"))


# Configurations


def test_the_id_of_a_run_without_plug_ins_does_not_name_them():
    assert config("ce", plugins=()).id == config("ce", plugins={}).id == config("ce").id
    assert "plugins" not in config("ce").to_json()


def test_a_configuration_has_every_option_and_keeps_the_order():
    first = plugged(plugins={"spa-slerp": {"t": 1}, "spa-proj": {}})
    again = RunConfig.model_validate_json(first.to_json())
    assert (again, again.id) == (first, first.id)
    assert [name for name, _ in again.plugins] == ["spa-slerp", "spa-proj"]
    assert dict(again.plugins[0][1])["t"] == 1
    assert first.id == plugged(plugins=[("spa-slerp", {"t": 1.0, "norm": "keep"}), "spa-proj"]).id
    assert first.id != plugged(plugins=["spa-proj", ("spa-slerp", {"t": 1})]).id
    assert first.trains == "ce + spa-slerp + spa-proj"


def test_lists_of_runs_name_plug_ins_and_the_options_in_which_they_differ():
    one, two = (plugged(plugins={"spa-slerp": {"t": t}}) for t in (0.25, 1))
    texts = described([one, two])
    assert all("ce + spa-slerp" in text for text in texts)
    assert [text.rpartition(", ")[2] for text in texts] == ["spa-slerp t 0.25", "spa-slerp t 1.0"]


TRAINING = {"when": "training"}


@pytest.mark.parametrize(
    ("method", "plugins", "message"),
    [
        ("ce", ["spa-slrp"], "unknown plug-in 'spa-slrp'; did you mean spa-slerp"),
        ("ce", ["spa-reg", "spa-reg"], "plug-in 'spa-reg' is named twice"),
        ("ce", 3, "got 3, expected plug-ins by name"),
        ("ce", {"spa-reg": {"stength": 1}}, "unknown option of plug-in 'spa-reg': 'stength'; did"),
        ("ce", {"spa-reg": {"strength": float("inf")}}, "strength is inf, expected a finite"),
        ("ce", {"spa-reg": {"centre": True}}, "centre is True, expected a number or a name"),
        ("ce", {"spa-slerp": {"t": 1.5}}, "option t is 1.5, expected 0 to 1"),
        ("ce", {"spa-slerp": {**TRAINING, "every": 0.5}}, "option every is 0.5, expected 1 or"),
        ("ce", {"spa-reg": {"start_epoch": 2}}, "start_epoch is 2, beyond the schedule"),
        ("ce-crt", {"spa-reg": {"start_epoch": 1}}, r"start_epoch is 1, .* expected 0 to 0"),
        ("ce", {"spa-slerp": {"every": 2}}, "every of .* is 2.0, but it acts after training"),
        ("ce", {"spa-reg": {"stage": "first"}}, "'first', but method 'ce' trains in one stage"),
        ("ce", ["spa-slerp", "spa-reg"], "'spa-reg' acts in training, but stands behind 'spa-s"),
        ("ce-crt", ["spa-reg"], "route .* is 'both', but the second stage .* expected 'class"),
        ("ce-crt", {"spa-reg": {"route": "features"}}, "route .* is 'features', but the second"),
        ("fcl-features", ["spa-reg"], "head 'probe' .* does not teach the features"),
        ("ce-lws", ["spa-reg"], "method 'ce-lws' trains scales alone"),
        ("ce-lws", {"spa-slerp": TRAINING}, "method 'ce-lws' trains scales alone"),
        ("etf-dr", ["spa-reg"], "head 'etf' .* is fixed: expected 'features'"),
        ("etf-dr", ["spa-slerp"], "adjusts the classifier, but head 'etf' .* is fixed"),
        ("etf-dr", {"spa-proj": TRAINING}, "adjusts the classifier, but head 'etf' .* is fixed"),
        ("ldam-drw", {"spa-slerp": {"norm": "unit"}}, "norm .* 'unit', but head 'cosine' scales"),
        ("ldam-drw", {"spa-proj": {"bias": "drop"}}, "'drop', but the classifier has no bias"),
    ],
)
def test_what_cannot_be_is_refused_by_name(method, plugins, message):
    with pytest.raises(ValueError, match=message):
        plugged(method, plugins=plugins)


def test_plain_runs_are_refused_what_their_classifier_does_not_have(registered):
    fields = {"plugins": ["spa-slerp"], "imbalance": 1}
    with pytest.raises(ValueError, match="encoding is 'random', whose scores belong to no classes"):
        config("plain", encoding="random", **fields)
    with pytest.raises(ValueError, match="'recentre', but the classifier has no bias"):
        config("plain", lam_b=np.inf, plugins={"spa-slerp": {"bias": "recentre"}})
    for method, loss in (("bce", {}), ("plain", {"loss": "bce"})):
        with pytest.raises(ValueError, match=r"centre .* is 'yes', but .*: expected 'no'"):
            config(method, plugins=["spa-slerp"], **pairs(), **loss)
        config(method, plugins={"spa-slerp": {"centre": "no"}}, **pairs(), **loss)


def test_the_run_before_is_the_one_without_the_plug_in_that_acts_after_it():
    run = plugged(
        "ce-crt",
        plugins=[
            ("spa-reg", {"stage": "first", "strength": -1}),
            ("spa-slerp", TRAINING),
            "spa-proj",
        ],
    )
    assert [plugin.name for plugin, _ in run.acting_plugins] == ["spa-proj"]
    stage = run.previous()
    assert (stage.method, stage.post_hoc) == ("ce-crt", False)
    assert [plugin.name for plugin, _ in stage.acting_plugins] == ["spa-slerp"]
    first = stage.previous()  # of one stage, which is the last one too
    assert first == plugged("ce", plugins={"spa-reg": {"strength": -1}})
    assert first.previous() is None
    # A method that trains nothing hands down all.
    adjusted = plugged("tau-norm", plugins=["spa-reg", "spa-slerp"])
    assert adjusted.previous().acting_plugins == ()
    assert adjusted.previous().previous() == plugged("ce", plugins=["spa-reg"])


# Every method


CHOICES = {
    "spa-reg": [{}, {"route": "classifier"}, {"route": "features"}],
    "spa-slerp": [TRAINING, {**TRAINING, "centre": "no"}],
    "spa-proj": [TRAINING, {**TRAINING, "centre": "no"}],
}


def allowed(method, plugin, changes):
    """The first options with which a method takes the plug-in, or why it takes none."""
    for options in CHOICES[plugin]:
        try:
            config(method, plugins={plugin: options}, **changes)
        except ValueError as error:
            reason = str(error)
        else:
            return options, None
    return None, reason


@pytest.mark.parametrize("method", METHODS)
def test_every_method_takes_a_step_or_refuses_with_a_reason(method, registered):
    if METHODS[method].class_wise:
        with pytest.raises(ValueError, match="compares the classifier with one feature"):
            class_wise_config(method, plugins={"spa-reg": {}})
        return
    changes = {} if "single_label" in METHODS[method].tasks else pairs(dataset="everybody")
    plugins = {}
    for plugin in PLUGINS:
        options, reason = allowed(method, plugin, changes)
        if options is None:
            fixed = METHODS[method].head.startswith("etf") and plugin != "spa-reg"
            assert fixed or method == "ce-lws"
            assert plugin in reason
            assert method in reason
        else:
            plugins[plugin] = options
    if not plugins:
        return
    run = config(method, plugins=plugins, **changes)
    while not run.acting_plugins:
        run = run.previous()
    made = Run(run, None)
    made.train_epoch(made.stage.start + 1, None, lambda: True)
    assert made.objective.plugins[0].means.met.any()
    if "spa-slerp" in plugins:
        before = made.network.head.weight.detach().clone()
        made._adjust_classifier(1)
        assert not torch.equal(made.network.head.weight, before)
        assert made.network.head.weight.isfinite().all()


def test_a_plug_in_can_come_from_elsewhere(monkeypatch):
    shrunk = Plugin(
        "shrunk",
        "Shrunk rows",
        {"factor": Option(0.5, high=1.0)},
        adjust=lambda weight, means, present, options: options["factor"] * weight,
    )
    monkeypatch.setitem(PLUGINS, "shrunk", shrunk)
    run = Run(plugged(plugins={"shrunk": {"factor": 0.25, "bias": "drop"}}), None)
    start = Run(config("ce"), None).network.head
    assert torch.equal(run.network.head.weight, start.weight / 4)
    assert not run.network.head.bias.any()
    with pytest.raises(ValueError, match="plug-in 'x' must have one of term and adjust"):
        Plugin("x", "neither")


# Terms


def term_of(head, **options):
    plugin = PLUGINS["spa-reg"]
    return PluggedTerm(plugin, plugin.resolve(options, 1), head, 0)


def batch(dim=5):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(12, dim, generator=generator).requires_grad_()
    return features, torch.arange(12) % 3


@pytest.mark.parametrize("means", ["batch", "ema"])
@pytest.mark.parametrize("centre", ["yes", "no"])
def test_the_term_is_the_mean_of_one_minus_the_cosine(means, centre):
    features, labels = batch()
    head = nn.Linear(5, 3)
    value = term_of(head, means=means, centre=centre, strength=2)(features, Targets(labels), head)
    rows, mu = head.weight, torch.stack([features[labels == k].mean(0) for k in range(3)])
    if centre == "yes":
        rows, mu = rows - rows.mean(0), mu - mu.mean(0)
    cosines = torch.cosine_similarity(rows, mu)
    torch.testing.assert_close(value, 2 * (1 - cosines).mean())


@pytest.mark.parametrize(
    ("route", "to_rows", "to_features"),
    [("both", True, True), ("classifier", True, False), ("features", False, True)],
)
def test_the_gradient_goes_where_the_route_says(route, to_rows, to_features):
    features, labels = batch()
    head = nn.Linear(5, 3)
    term_of(head, route=route)(features, Targets(labels), head).backward()
    assert (head.weight.grad is not None) == to_rows
    assert (features.grad is not None) == to_features


def test_running_means_are_those_of_all_classes_so_far():
    features, labels = batch()
    features, head = features.detach(), nn.Linear(5, 4)
    term = term_of(head, centre="no")
    term(features, Targets(labels), head)
    chosen = labels == 0
    value = term(2 * features[chosen], Targets(labels[chosen]), head)
    mu = torch.stack([features[labels == k].mean(0) for k in range(3)])
    mu[0] *= 0.9 + 0.1 * 2
    expected = (1 - torch.cosine_similarity(head.weight[:3], mu)).mean()
    torch.testing.assert_close(value, expected)
    alone = term_of(head, centre="no", means="batch")
    value = alone(features[chosen], Targets(labels[chosen]), head)
    torch.testing.assert_close(value, 1 - torch.cosine_similarity(head.weight[0], mu[0], dim=0))


def test_mixed_images_count_once_a_set_of_labels_by_its_share():
    features, labels = batch()
    head, other = nn.Linear(5, 3), (labels + 1) % 3
    term, alone = (term_of(head, means="batch") for _ in range(2))
    for share in (0.3, torch.tensor(0.3)):
        mixed = term(features, Targets(labels, other, share), head)
        one, two = (alone(features, Targets(chosen), head) for chosen in (labels, other))
        torch.testing.assert_close(mixed, 0.3 * one + 0.7 * two)
    running = term_of(head)
    running(features, Targets(labels, other, torch.tensor(0.3)), head)
    expected = losses.class_means(features.detach(), other, 3)[0]  # of the larger share
    torch.testing.assert_close(running.means.running, expected)


@pytest.mark.parametrize("head", [CosineHead(6, 3), ExpertsHead(6, 3, 2)])
def test_rows_of_experts_are_taken_one_expert_at_a_time(head):
    features, labels = batch(6)
    value = term_of(head, centre="no")(features, Targets(labels), head)
    mu = torch.stack([features[labels == k].mean(0) for k in range(3)])
    rows = head.directions.detach().view(3, -1, 6 // (1 if head.directions.ndim == 2 else 2))
    cosines = torch.cosine_similarity(rows, mu.view_as(rows), dim=2)
    torch.testing.assert_close(value, (1 - cosines).mean())


def test_a_negative_strength_misaligns_and_a_term_waits_for_its_epoch():
    plain = fit(config("ce"))
    options = {"strength": -1, "start_epoch": 1}
    against = fit(plugged(plugins={"spa-reg": options}))
    towards = fit(plugged(plugins={"spa-reg": {**options, "strength": 1}}))
    assert against.epochs[0] == plain.epochs[0] == towards.epochs[0]
    alignment = [r.report("train").nc3_alignment for r in (against, plain, towards)]
    assert alignment[0] < alignment[1] < alignment[2]


def test_a_term_sees_the_positive_pairs_of_several_labels(registered):
    record = fit(plugged("pal", plugins=["spa-reg"], **pairs()))
    plain = fit(config("pal", **pairs()))
    aligned, usual = (r.collapse["train"][-1]["report"] for r in (record, plain))
    assert aligned["nc3_alignment"] > usual["nc3_alignment"]


# Adjustments


def test_adjustments_of_a_finished_network_train_nothing(own_folders, monkeypatch):
    trained = []
    original = fit_module.Run.train_epoch

    def counted(self, *args):
        trained.append(self.config.id)
        return original(self, *args)

    monkeypatch.setattr(fit_module.Run, "train_epoch", counted)
    base, chosen = config("ce"), {"t": 0.25, "bias": "recentre"}
    turned = get(plugged(plugins={"spa-slerp": chosen}))
    projected = get(plugged(plugins={"spa-proj": {"centre": "no", "negative": "flip"}}))
    both = get(plugged(plugins={"spa-slerp": chosen, "spa-proj": {}}))
    assert trained == [base.id] * 2  # its epochs
    first = ledger.find(base)
    weight, means, bias = (first.tensor(name) for name in ("weight", "class_means", "bias"))
    expected = slerp(weight, means, 0.25)
    close = {"rtol": 1e-4, "atol": 1e-6}
    torch.testing.assert_close(turned.tensor("weight"), expected, **close)
    torch.testing.assert_close(turned.tensor("bias"), -expected @ means.mean(0), **close)
    flipped = project(weight, means, centre=False, negative="flip")
    torch.testing.assert_close(projected.tensor("weight"), flipped, **close)
    torch.testing.assert_close(projected.tensor("bias"), bias)
    torch.testing.assert_close(both.tensor("weight"), project(expected, means), **close)
    for record in (turned, projected, both):
        assert record.epochs == []
        torch.testing.assert_close(record.tensor("class_means"), means)
        assert record.collapse["train"][0]["epoch"] == 2


@pytest.mark.parametrize("method", ["ldam-drw", "ride-2", "mislas"])
def test_any_learnt_head_is_adjusted_and_keeps_its_kind(method):
    run = plugged(method, plugins={"spa-slerp": {"t": 1, "centre": "no"}})
    head, before = Run(run, None).network.head, Run(run.previous(), None).network.head
    assert type(head) is type(before)
    made = Run(run, None)
    train = made.outputs("train")
    means = torch.stack([train.outputs.features[train.labels == k].mean(0) for k in range(10)])
    parts = 2 if method == "ride-2" else 1
    rows, mu = (one.detach().view(10, parts, -1) for one in (head.weight, means))
    torch.testing.assert_close(torch.cosine_similarity(rows, mu, dim=2), torch.ones(10, parts))
    torch.testing.assert_close(head.weight.norm(dim=1), before.weight.norm(dim=1))


def test_a_class_without_images_keeps_its_row(registered):
    run = Run(plugged("pal", plugins={"spa-slerp": {"centre": "no"}}, **pairs()), None)
    before = Run(config("pal", **pairs()), None).network.head.weight
    same = (run.network.head.weight == before).all(1)
    assert same.tolist() == [False] * 5 + [True]


def test_an_adjustment_in_training_leaves_momentum_and_adjusts_the_averaged_classifier():
    fields = {"ema": 0.9, "mixup": 1.0}
    plain = Run(config("ce", **fields), None)
    turning = Run(plugged(plugins={"spa-slerp": {**TRAINING, "t": 0.5}}, **fields), None)
    for run in (plain, turning):
        run.train_epoch(1, None, lambda: False)
    for one, other in (
        (plain.network, turning.network),
        (plain.averaged.network, turning.averaged.network),
    ):
        given = plain.outputs("train", network=one)
        means, _ = plain.task.means(given.outputs.features, given.labels, 10)
        expected = slerp(one.head.weight.detach(), means, 0.5)
        torch.testing.assert_close(other.head.weight.detach(), expected)
        assert torch.equal(other.head.bias, one.head.bias)
        assert torch.equal(other.trunk[1].weight, one.trunk[1].weight)
    kept, usual = (run.optimizers[0].state_dict()["state"] for run in (turning, plain))
    for place, state in usual.items():
        assert torch.equal(kept[place]["momentum_buffer"], state["momentum_buffer"])


def test_adjustments_come_every_so_many_epochs_from_their_first():
    plugins = {"spa-slerp": {**TRAINING, "start_epoch": 1, "every": 2}}
    made = []
    run = Run(plugged(plugins=plugins, epochs=6), None)
    for epoch in range(1, 7):
        before = run.network.head.weight.detach().clone()
        run._adjust_classifier(epoch)
        made += [epoch] if not torch.equal(run.network.head.weight, before) else []
    assert made == [3, 5]


def assert_same(first, second):
    assert first.epochs == second.epochs
    assert first.final == second.final
    assert first.collapse == second.collapse
    for name, array in first.arrays.items():
        np.testing.assert_array_equal(array, second.arrays[name])


def test_a_run_with_plug_ins_resumes_to_the_same_bits(tmp_path, monkeypatch):
    plugins = [("spa-reg", {"start_epoch": 1}), ("spa-slerp", {**TRAINING, "every": 2})]
    run = plugged(plugins=plugins, epochs=4, ema=0.9, mixup=1.0)
    whole, path = fit(run), tmp_path / "state.pt"
    steps = []

    class Stopping(fit_module.Stop):
        def __call__(self):
            steps.append(0)
            return len(steps) % 14 == 0  # asked after each of 8 steps an epoch, and once more

    monkeypatch.setattr(fit_module, "Stop", Stopping)
    for _ in range(4):
        try:
            resumed = fit(run, checkpoint=path, checkpoint_every=1)
        except StoppedError:
            continue
        break
    assert len(steps) == 36  # stopped in the second epoch, and at the end of another
    assert_same(resumed, whole)
