"""Methods: every declaration trains, and each part does what it declares."""

import dataclasses
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from nclib import data, losses, models, papers
from nclib.methods import METHODS, Batch, Method, Option, SecondStage, _credits
from nclib.methods._parts import cross_entropy, prior_removed
from nclib.models import Outputs
from nclib.queue import get
from nclib.runs import RunConfig, ledger
from nclib.train import _evaluate, _stage, fit, measure_again
from nclib.train._centres import ClassCentres
from nclib.train._declared import MethodObjective
from nclib.train._objective import Targets


def config(method, **changes):
    fields = {
        "paper": "inducing-nc",
        "profile": "smoke",
        "dataset": "digits",
        "imbalance": 20,
        "model": "mlp",
        "width": 16,
        "feature_layer": "native",
        "feature_dim": 16,
        "lr": 0.05,
        "epochs": 2,
        "batch_size": 64,
        "measure_every": 2,
        "method": method,
    }
    options = {name: n for name, n in SMALL.items() if name in METHODS[method].options}
    fields |= {**network(method), "method_options": options}
    return RunConfig.model_validate({**fields, **changes})


def network(method):
    """Experts and branches of the multilayer perceptron, where a method needs them."""
    head, view = METHODS[method].head, METHODS[method].second_view
    if head.startswith("experts-"):
        return {"model": f"mlp-{head}", "feature_dim": 16 * int(head[-1])}
    two_branches = view is not None and view.share is not None
    return {"model": "mlp-branches", "feature_dim": 32} if two_branches else {}


SMALL = {"second_epochs": 1, "queue_length": 100}
COUNTS = data.long_tail_counts(10, 140, 20)


@pytest.fixture
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("NCLIB_LEDGER", str(tmp_path / "ledger"))
    monkeypatch.setenv("NCLIB_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    "method", [n for n, m in METHODS.items() if n != "plain" and "single_label" in m.tasks]
)
def test_every_method_trains_and_records(method, own_folders):
    record = get(config(method))
    first, last = record.collapse["train"][0], record.collapse["train"][-1]
    assert last["epoch"] == (3 if METHODS[method].second else 2)
    assert len(record.epochs) == last["epoch"] - first["epoch"]
    assert record.final["test_accuracy"] <= record.final["best_test_accuracy"]
    assert ("ece" in record.final) == METHODS[method].logits
    measured = record.collapse["test"][-1]
    assert measured.get("ece") == pytest.approx(record.final.get("ece"))
    assert record.arrays["counts"].tolist() == COUNTS
    test = data.load("digits").test.labels
    confusion = record.arrays["confusion"]
    np.testing.assert_array_equal(confusion.sum(1), test.bincount())
    np.testing.assert_allclose(
        confusion.diagonal() / confusion.sum(1), record.arrays["per_class_accuracy"], rtol=1e-6
    )
    np.testing.assert_allclose(
        measured["per_class_accuracy"], record.arrays["per_class_accuracy"], atol=1e-6
    )


@pytest.mark.parametrize("method", ["ride-2", "bbn", "kcl", "tsc"])
def test_experts_branches_and_contrasts_learn(method):
    run = config(method, epochs=6, measure_every=6, evaluate_every=6)
    run = run.previous() or run
    now = {name: 0 for name in ("target_epoch", "drw_epoch") if name in run.options}  # one loss
    record = fit(run.replace(method_options={**run.options, **now}))
    first, *later = (epoch["loss"] for epoch in record.epochs)
    assert min(later) < 0.95 * first  # BBN goes on to rarer classes, and its loss rises again
    assert record.final["train_accuracy"] > 0.3


def test_accuracy_is_recorded_by_frequency_at_the_interval_and_at_the_end():
    record = fit(config("ce", epochs=5, measure_every=5, evaluate_every=2))
    assert [e["epoch"] for e in record.epochs if "test_accuracy" in e] == [2, 4, 5]
    labels = data.load("digits").test.labels.bincount().numpy()
    groups = np.array(COUNTS)
    for name, chosen in {
        "many": groups > 100,
        "medium": (groups >= 20) & (groups <= 100),
        "few": groups < 20,
    }.items():
        right = record.arrays["per_class_accuracy"] * labels
        share = right[chosen].sum() / labels[chosen].sum()
        assert record.final[f"test_{name}"] == pytest.approx(share)
        assert record.epochs[-1][f"test_{name}"] == record.final[f"test_{name}"]
    best = max(e["test_accuracy"] for e in record.epochs if "test_accuracy" in e)
    assert record.final["best_test_accuracy"] == best
    first = next(e["epoch"] for e in record.epochs if e.get("test_accuracy") == best)
    assert record.final["best_epoch"] == first


def test_a_groups_accuracy_is_absent_where_it_has_no_class():
    final = fit(config("ce", epochs=1, imbalance=1)).final
    assert "test_many" in final
    assert {"test_medium", "test_few"}.isdisjoint(final)


def test_cb_focal_divides_by_the_number_of_samples():
    """As Cui et al. do: on a long-tailed batch their loss is a fraction of the weighted mean."""
    counts = torch.tensor(COUNTS)
    weight = losses.effective_number_weights(counts, beta=0.9999).float()
    labels = torch.arange(10).repeat_interleave(counts)
    scores = torch.randn(len(labels), 10, generator=torch.Generator().manual_seed(0))
    method = METHODS["cb-focal"]
    options = method.resolve({}, 1)
    batch = Batch(scores, scores, labels, counts.float(), weight, torch.eye(10), options)
    p = scores.softmax(1).gather(1, labels[:, None])[:, 0]
    terms = -weight[labels] * (1 - p) ** 2 * p.log()
    torch.testing.assert_close(method.loss(batch), terms.sum() / len(labels))


def test_every_method_names_its_sources_and_its_differences():
    bibliography = (Path(__file__).parents[1] / "book" / "references.bib").read_text()
    keys = re.findall(r"^@\w+\{([^,\s]+),", bibliography, re.MULTILINE)
    assert set(_credits._CREDITS) == set(METHODS)
    for method in METHODS.values():
        assert method.sources, method.name
        assert set(method.sources) <= set(keys), method.name
        for difference in method.differences:
            assert difference.text.endswith("."), difference.text
            assert len(set(difference.runs or ("", "x"))) == 2
    without = [name for name, method in METHODS.items() if not method.differences]
    assert without == ["plain", "bce", "bce-etf"]


def test_a_measured_difference_shows_its_effect_and_another_says_that_it_has_none():
    page = papers.differences_markdown()
    assert all(f"`{name}`" in page for name in METHODS)
    assert "None is known." in page
    by_id = {record.id: record for record in ledger.records("inducing-nc")}
    (decay,) = (d for d in METHODS["nc-drw"].differences if "0.005" in d.text)
    here, theirs = (by_id[run].final["test_accuracy"] for run in decay.runs)
    points = f"{100 * (theirs - here):+.1f}".replace("-", "−")
    assert f"{decay.text} *As they have it: {points} points (one run each, laptop" in page
    rows = [line for line in page.splitlines() if "with the same cosine" in line]
    assert rows
    assert all(row.endswith("*Not measured.*") for row in rows)


def test_weights_wait_for_their_epoch():
    plain, deferred = fit(config("ce")), fit(config("ce-drw", method_options={"drw_epoch": 1}))
    losses_of = [[epoch["loss"] for epoch in record.epochs] for record in (plain, deferred)]
    assert losses_of[0][0] == losses_of[1][0]
    assert losses_of[0][1] != losses_of[1][1]


def test_regularisers_wait_for_their_epoch_and_vanish_with_their_strength():
    plain = fit(config("ce"))
    options = {"lam_within": 0.1, "lam_between": 0.1}
    later = fit(config("ce-nc", method_options={**options, "start_epoch": 1}))
    assert later.epochs[0]["loss"] == plain.epochs[0]["loss"]
    assert later.epochs[1]["loss"] != plain.epochs[1]["loss"]
    without = fit(config("ce-nc", method_options={"lam_within": 0, "lam_between": 0}))
    np.testing.assert_array_equal(without.arrays["weight"], plain.arrays["weight"])


@pytest.mark.parametrize("centres", ["batch", "ema", "learnable", "ema-all", "learnable-all"])
def test_regularisers_collapse_the_features_whatever_the_centres(centres):
    options = {"lam_within": 0.1, "lam_between": 0.0, "centres": centres}
    fields = {"epochs": 8, "measure_every": 8}
    with_term = fit(config("ce-nc", method_options=options, **fields))
    plain = fit(config("ce", **fields))
    spread = [record.report("train").nc1_ratio for record in (with_term, plain)]
    assert spread[0] < 0.8 * spread[1]


def test_a_learnable_centre_goes_a_kth_of_its_way_to_the_batch_mean():
    """As in the released code, whatever the strength of the term."""
    features, labels = torch.randn(6, 3), torch.tensor([0, 0, 1, 1, 1, 2])
    means, _ = losses.class_means(features, labels, 4)
    for strength in (0.01, 1.0):
        centres = ClassCentres("learnable", 4, 3, torch.Generator(), strength)
        before = centres.free.detach().clone()
        optimizer = centres.optimizer()
        (strength * losses.within_class(features, labels, centres.free)).backward()
        optimizer.step()
        expected = before[:3] + (means[:3] - before[:3]) / 4
        assert torch.allclose(centres.free.detach()[:3], expected, atol=1e-6)
        assert torch.equal(centres.free.detach()[3], before[3])


FAR_APART = math.acos(-1 + 1e-6)  # two centres are opposite once they are centred; clamped


@pytest.mark.parametrize(
    ("kind", "angle"),
    [
        ("batch", FAR_APART),
        ("ema", FAR_APART),
        ("learnable", FAR_APART),
        ("ema-all", math.acos(-1 / math.sqrt(10))),  # a triangle with the sides 2, √2, √2
        ("learnable-all", math.pi / 2),  # a square
    ],
)
def test_centres_of_classes_that_a_batch_lacks_are_pushed_apart_where_asked(kind, angle):
    """Of four classes the last batch has two; one more was met before, and one was never met."""
    corners = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    centres = ClassCentres(kind, 4, 2, torch.Generator())
    if centres.learns:
        centres.free.data.copy_(corners)
    centres(corners[:3], torch.arange(3))
    given = centres(corners[:2], torch.arange(2))
    value = losses.between_class(given.centres, present=given.present).item()
    assert value == pytest.approx(-angle, abs=1e-5)


def test_the_method_pushes_all_known_centres_apart_where_asked():
    """L_B of a batch of one class is 0; with the centres of the classes before it is not."""
    options = {"lam_within": 0.0, "lam_between": 1.0}
    network = models.build("mlp", (1, 8, 8), 4, width=3, feature_layer="native", head="linear")
    counts, corners = torch.tensor([9, 9, 9, 9]), torch.eye(4)[:, :3]
    for kind, differs in (("ema", False), ("ema-all", True), ("learnable-all", True)):
        values = METHODS["ce-nc"].resolve({**options, "centres": kind}, 10)
        objective = MethodObjective(
            METHODS["ce-nc"], values, network, counts, torch.Generator(), epochs=10
        )
        labels = torch.arange(4)
        for chosen in (labels, labels[:1]):
            batch = Outputs(corners[chosen], torch.zeros(len(chosen), 4))
            loss = objective([batch], Targets(chosen), network.head, 0)
        assert (loss.item() < math.log(4) - 1) == differs


def test_inverse_weights_are_those_of_the_training_set():
    """One step from zero scores: the gradient of the bias is the weighted share of each class."""
    run = config("ce-rw", epochs=1, batch_size=2000, lr=1.0, momentum=0.0, schedule="constant")
    weights = losses.inverse_frequency_weights(COUNTS)
    start = fit(run.replace(lr=1e-30)).arrays["bias"]
    step = fit(run).arrays["bias"] - start
    assert (weights * torch.tensor(COUNTS)).std() < 1e-9  # so every class pulls alike
    assert np.abs(step).max() < 0.05
    unweighted = fit(run.replace(method="ce")).arrays["bias"] - start
    assert unweighted[0] > 0.1 > 0 > unweighted[-1]


def test_a_second_stage_leaves_the_features_and_uses_the_first_ones_network(own_folders):
    first, second = get(config("nc-drw")), get(config("nc-drw-crt"))
    np.testing.assert_allclose(
        second.arrays["class_means"], first.arrays["class_means"].astype(np.float32)
    )
    assert not np.allclose(second.arrays["weight"], first.arrays["weight"])
    assert second.epochs[0]["epoch"] == 3


def test_a_network_that_is_not_there_is_trained_first(own_folders):
    run = config("tau-norm")
    made = get(run)
    first = run.previous()
    assert first == config("ce")
    assert ledger.find(first) is not None
    assert ledger.network_path(first).exists()
    weight = ledger.find(first).tensor("weight")
    norms = weight.norm(dim=1, keepdim=True)
    torch.testing.assert_close(made.tensor("weight"), weight / norms)
    assert not made.arrays["bias"].any()
    assert made.epochs == []
    assert get(run).final == made.final


def test_fit_starts_from_the_weights_that_it_is_given_and_refuses_without_them(tmp_path):
    run, path = config("ce-crt"), tmp_path / "base.pt"
    first = run.previous()
    with pytest.raises(ValueError, match=rf"base is None, .* network of run {first.id} \(ce\)"):
        fit(run)
    with pytest.raises(FileNotFoundError, match=rf"weights of run {first.id} .*base\.pt"):
        fit(run, base=path)
    fit(first, network=path)
    state = torch.load(path, weights_only=True)["network"]
    assert fit(run, base=path).final == fit(run, base=state).final
    with pytest.raises(ValueError, match=rf"belongs to run {first.id}, expected"):
        fit(run.replace(seed=1), base=path)
    with pytest.raises(ValueError, match=rf"do not fit the network of run {first.id}"):
        fit(run, base={"head.weight": state["head.weight"]})
    with pytest.raises(ValueError, match=rf"run {first.id} \(ce\) starts from random weights"):
        fit(first, base=path)


def test_the_queue_trains_a_second_stage_as_fit_does(own_folders, tmp_path):
    run, path = config("ce-crt"), tmp_path / "base.pt"
    fit(run.previous(), network=path)
    assert fit(run, base=path).final == get(run).final


def declare(monkeypatch, method):
    monkeypatch.setitem(METHODS, method.name, method)
    return method


TAU = Option(1.0, high=1.0)


@pytest.mark.parametrize("base", ["ce-lws", "ce-crt", "mislas"])
def test_a_step_after_training_follows_a_second_stage(own_folders, monkeypatch, base):
    options = {**METHODS[base].options, "tau": TAU}
    third = dataclasses.replace(METHODS["tau-norm"], name="third", base=base, options=options)
    declare(monkeypatch, third)
    record = get(config("third"))
    second, first = record.config.previous(), record.config.previous().previous()
    assert (second.method, first.method, first.previous()) == (base, "ce", None)
    assert second.options["second_epochs"] == 1
    assert record.collapse["train"][0]["epoch"] == 3  # two, and one of the second stage
    weight = ledger.find(second).tensor("weight")
    torch.testing.assert_close(
        record.tensor("weight"), weight / weight.norm(dim=1, keepdim=True), rtol=1e-5, atol=1e-6
    )


def test_a_second_stage_follows_a_second_stage(own_folders, monkeypatch):
    second = METHODS["ce-crt"].options
    again = SecondStage("scales", "class_aware", cross_entropy)
    third = Method("third", "Third", cross_entropy, base="ce-crt", second=again, options=second)
    declare(monkeypatch, third)
    run = config("third").replace(method_options={"second_epochs": 2})
    assert run.previous().options["second_epochs"] == 10  # each stage has its own
    record = get(run)
    assert [entry["epoch"] for entry in record.epochs] == [13, 14]
    before = ledger.find(run.previous()).tensor("weight")
    cosines = torch.nn.functional.cosine_similarity(before, record.tensor("weight"))
    torch.testing.assert_close(cosines, torch.ones_like(cosines))


def test_an_option_belongs_to_one_stage(own_folders, monkeypatch):
    """Both stages have a τ; the later one's does not change the network that it starts from."""
    after = dataclasses.replace(METHODS["logit-adjust-post-hoc"], name="twice", base="logit-adjust")
    declare(monkeypatch, after)
    run = config("twice", method_options={"tau": 0.25})
    assert run.previous().options == {"tau": 1.0}
    assert run.options == {"tau": 0.25}
    before, record = get(run.previous()), get(run)
    prior = torch.tensor(COUNTS, dtype=torch.float64)
    moved = before.tensor("bias") - 0.25 * (prior / prior.sum()).log()
    torch.testing.assert_close(record.tensor("bias"), moved, rtol=1e-5, atol=1e-6)


def test_an_option_that_is_taken_over_is_the_base_s(monkeypatch):
    options = METHODS["ce-drw"].options
    after = Method("after", "", cross_entropy, base="ce-drw", post_hoc=prior_removed)
    declare(monkeypatch, dataclasses.replace(after, options={**options, "tau": Option(1.0)}))
    run = config("after", method_options={"drw_epoch": 1, "beta": 0.9, "tau": 0.5})
    assert run.previous().options == {"drw_epoch": 1, "beta": 0.9}


@pytest.mark.parametrize("base", ["ldam-drw", "etf-dr"])
def test_a_classifier_of_another_kind_is_not_adjusted(monkeypatch, base):
    """A linear layer in its place would give other scores, even where nothing is adjusted."""
    declare(monkeypatch, dataclasses.replace(METHODS["tau-norm"], name="after", base=base))
    with pytest.raises(ValueError, match=f"the head of its base '{base}' is '(cosine|etf)'"):
        config("after")


def test_learnable_centres_move_alike_with_either_pull():
    """On a balanced batch, by 1/K of the way to the batch's means in a step."""
    classes, per_class, lam = 4, 3, 0.01
    labels = torch.arange(classes).repeat(per_class)
    features = torch.randn(len(labels), 8, generator=torch.Generator().manual_seed(1))
    means, _ = losses.class_means(features, labels, classes)
    network = models.build("mlp", (1, 8, 8), classes, width=8, feature_layer="native")
    for name, strengths in (
        ("ce-drw-lw", {"lam_within": lam}),
        ("ce-drw-center", {"lam_center": classes * lam}),
    ):
        options = METHODS[name].resolve({**strengths, "centres": "learnable"}, 10)
        draws = torch.Generator().manual_seed(0)
        counts = torch.full((classes,), 9)
        objective = MethodObjective(METHODS[name], options, network, counts, draws, epochs=10)
        (optimizer,) = objective.optimizers()
        before = objective.centres.free.detach().clone()
        outputs = models.Outputs(features, torch.zeros(len(labels), classes))
        objective([outputs], Targets(labels), network.head, 0).backward()
        optimizer.step()
        expected = before + (means - before) / classes
        torch.testing.assert_close(objective.centres.free.detach(), expected)


def test_stages_chain_in_two_networks_of_branches(monkeypatch):
    """The first stage builds the network, and says what it must be."""
    declare(monkeypatch, dataclasses.replace(METHODS["tau-norm"], name="after", base="bbn"))
    fields = config("bbn").model_dump(exclude={"method_options"})
    assert RunConfig.model_validate({**fields, "method": "after"}).previous() == config("bbn")
    with pytest.raises(ValueError, match="a second view of other images"):
        config("after")


def test_methods_follow_the_options_of_their_authors_code(own_folders):
    run = config("ce-crt")
    cyclic = run.replace(method_options={**run.options, "second_sampler": "class_aware_cyclic"})
    assert "second_sampler" not in run.to_json()  # published before there was a choice
    assert cyclic.previous() == run.previous()
    (usual, longer), steps = (_stage.stage(one) for one in (run, cyclic)), []
    assert (usual.sampler, longer.sampler) == ("class_aware", "class_aware_cyclic")
    for one in (run, cyclic):
        record = get(one)
        steps.append(record.epochs[-1])
        assert 0 < record.epochs[-1]["train_accuracy"] <= 1  # a mean over the images shown
    assert steps[0] != steps[1]
    targets = config("tsc-features", method_options={"queue_length": 100, "target_epoch": 0})
    joint = targets.replace(method_options={**targets.options, "target_as": "positive"})
    assert fit(targets).epochs[0]["loss"] > fit(joint).epochs[0]["loss"]  # divided by one more
    mislas = config("mislas")
    frozen = mislas.replace(method_options={**mislas.options, "batch_norm": "frozen"})
    assert [_stage.stage(one).statistics for one in (mislas, frozen)] == [True, False]


@pytest.mark.parametrize("weight", ["uniform", "kaiming"])
def test_the_first_weights_of_a_linear_head_are_those_asked_for(weight):
    run = config("ce", head_init=weight, width=64, feature_dim=64)
    counts = torch.ones(10, dtype=torch.int64)
    head = _stage.network(run, data.info("digits"), counts).head
    torch.manual_seed(run.seed)
    expected = models.build(
        "mlp", (1, 8, 8), 10, width=64, feature_layer="native", head=run.head
    ).head
    assert torch.equal(head.weight, expected.weight)
    assert head.weight.std().item() == pytest.approx(
        {"uniform": (3 * 64) ** -0.5, "kaiming": (2 / 64) ** 0.5}[weight], rel=0.1
    )


def test_post_hoc_adjustment_subtracts_the_log_prior(own_folders):
    first, adjusted = get(config("ce")), get(config("logit-adjust-post-hoc"))
    prior = torch.tensor(COUNTS, dtype=torch.float64)
    prior /= prior.sum()
    torch.testing.assert_close(adjusted.tensor("weight"), first.tensor("weight"))
    moved = first.tensor("bias") - prior.log()
    torch.testing.assert_close(adjusted.tensor("bias"), moved, rtol=1e-5, atol=1e-6)


def test_learnt_scales_keep_the_directions_of_the_classifier(own_folders):
    first, scaled = get(config("ce")), get(config("ce-lws"))
    cosines = torch.nn.functional.cosine_similarity(first.tensor("weight"), scaled.tensor("weight"))
    torch.testing.assert_close(cosines, torch.ones_like(cosines))
    assert not np.allclose(first.arrays["weight"], scaled.arrays["weight"])


def test_the_fixed_classifier_stays_a_simplex():
    run = config("etf-dr")
    weight = fit(run).tensor("weight")
    np.testing.assert_array_equal(weight, fit(run.replace(epochs=3)).tensor("weight"))
    gram = weight @ weight.T
    torch.testing.assert_close(gram, torch.eye(10).double() * 10 / 9 - 1 / 9, atol=1e-5, rtol=0)


def test_mixup_and_the_mean_of_weights_change_the_run_and_keep_it_repeatable():
    plain = fit(config("ce"))
    for changes in ({"mixup": 1.0}, {"ema": 0.9}):
        run = config("ce", **changes)
        record = fit(run)
        assert record.final == fit(run).final
        assert not np.allclose(record.arrays["weight"], plain.arrays["weight"])


def test_terms_on_clean_images_vanish_at_collapse_where_those_on_mixed_images_do_not():
    """An image that is mixed with one of another class is at the mean of neither."""
    method, labels = METHODS["ce-drw-lw"], torch.tensor([0, 0, 1, 1])
    options = method.resolve({"lam_within": 1.0}, 10)
    network = models.build("mlp", (1, 8, 8), 2, width=2, feature_layer="native", head="linear")
    draws = torch.Generator().manual_seed(0)
    counts = torch.tensor([9, 9])
    objective = MethodObjective(method, options, network, counts, draws, epochs=10)
    clean_options = {**options, "terms_on": "clean"}
    on_clean = MethodObjective(method, clean_options, network, counts, draws, epochs=10)
    clean, other = torch.tensor([[4.0, 0.0], [4.0, 0.0], [0.0, 4.0], [0.0, 4.0]]), [0, 2, 1, 3]
    mixed, scores = (clean + clean[other]) / 2, torch.zeros(4, 2)
    halves, cross_entropy = Targets(labels, labels[other], 0.5), math.log(2)
    outputs = [Outputs(mixed, scores), Outputs(clean, scores)]
    loss = on_clean(outputs, halves, network.head, 0)
    assert loss.item() == pytest.approx(cross_entropy)
    # Class 0 has (4, 0) and (2, 2), with the mean (3, 1); class 1 is its mirror image.
    within = losses.within_class(mixed, labels, torch.tensor([[3.0, 1.0], [1.0, 3.0]])).item()
    assert within > 1
    loss = objective(outputs[:1], halves, network.head, 0).item()
    assert loss == pytest.approx(cross_entropy + within)


def test_terms_on_clean_images_are_a_run_of_their_own():
    run = config("nc-drw", mixup=1.0)
    clean = run.replace(method_options={**run.options, "terms_on": "clean"})
    assert "terms_on" not in run.to_json()
    assert run.id != clean.id
    record = fit(clean)
    assert record.final == fit(clean).final
    assert record.final != fit(run).final


def test_noise_on_the_test_images_is_recorded():
    final = fit(config("ce", epochs=8, measure_every=8, noise=(1e-9, 9.0))).final
    assert final["noisy_test_accuracy_1e-09"] == final["test_accuracy"]
    assert final["noisy_test_accuracy_9"] < 0.5 < final["test_accuracy"]


@pytest.mark.parametrize(
    ("method", "changes"), [("ce", {"noise": (0.5,)}), ("ce", {"ema": 0.9}), ("ce-lws", {})]
)
def test_a_finished_network_is_measured_again(tmp_path, method, changes):
    run = config(method, **changes)
    network, base, first = tmp_path / "network.pt", None, run.previous()
    if first is not None:
        base = tmp_path / "base.pt"
        fit(first, network=base)
    record = fit(run, network=network, base=base)
    old = dataclasses.replace(record, final={"of": "before"})
    again = measure_again(old, network, base=base)
    assert again.final == record.final
    assert (again.epochs, again.collapse) == (record.epochs, record.collapse)
    for name, array in record.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array)
    assert again.provenance["date"] == record.provenance["date"]
    assert again.provenance["measured_date"] >= record.provenance["date"]


def test_only_the_record_s_own_network_is_measured_again(tmp_path):
    path = tmp_path / "network.pt"
    record = fit(config("ce"), network=path)
    rounded = {**record.arrays, "weight": record.arrays["weight"] * (1 + 1e-6)}  # elsewhere
    assert measure_again(dataclasses.replace(record, arrays=rounded), path).id == record.id
    moved = {**record.arrays, "weight": record.arrays["weight"] * 1.01}
    with pytest.raises(ValueError, match=f"not the network that record {record.id} is of"):
        measure_again(dataclasses.replace(record, arrays=moved), path)
    with pytest.raises(FileNotFoundError, match=rf"weights of run {record.id} .*absent\.pt"):
        measure_again(record, tmp_path / "absent.pt")
    second = dataclasses.replace(record, config=config("ce-lws"))
    with pytest.raises(FileNotFoundError, match=second.config.previous().id):
        measure_again(second, path)


def test_noise_is_of_the_normalised_images():
    images, labels = torch.full((2000, 1, 2, 2), 3.0), torch.zeros(2000, dtype=torch.int64)
    generator = torch.Generator().manual_seed(0)
    [(found, _)] = _evaluate.noisy([(images, labels)], 0.25, generator)
    assert found.mean().item() == pytest.approx(3, abs=0.01)
    assert found.std().item() == pytest.approx(0.25, rel=0.02)


def test_weight_decay_acts_on_the_whole_network():
    run = config("ce", lr=1e-30, epochs=1, weight_decay=0.0)
    weights = [fit(run.replace(weight_decay=rate)).arrays["weight"] for rate in (0.0, 1e29)]
    assert np.square(weights[1]).sum() < 0.9 * np.square(weights[0]).sum()


EXPERTS = {"model": "mlp-experts-2", "feature_dim": 32}
BRANCHES = {"model": "mlp-branches", "feature_dim": 32}


@pytest.mark.parametrize(
    ("method", "changes", "message"),
    [
        ("nc-drv", {}, "unknown method 'nc-drv'.*nc-drw"),
        ("LDAM-DRW", {}, "unknown method 'LDAM-DRW'; did you mean ldam-drw or"),
        ("ce-drw", {"method_options": {"beta": 1}}, "beta is 1, expected 0 to 0.999999999"),
        ("nc-drw", {"method_options": {"lam_withn": 1}}, "'lam_withn'.*lam_within"),
        ("ce", {"method_options": {"tau": 1}}, "method 'ce' takes no options, got 'tau'"),
        ("nc-drw", {"method_options": {"lam_within": -0.1}}, "lam_within is -0.1, expected 0"),
        ("nc-drw", {"method_options": {"start_epoch": 2}}, "start_epoch is 2, beyond.*0 to 1"),
        ("nc-drw", {"method_options": {"drw_epoch": 7}}, "drw_epoch is 7, beyond.*epochs is 2"),
        ("nc-drw", {"method_options": {"drw_epoch": 0.5}}, "0.5, expected a whole number"),
        ("nc-drw", {"method_options": {"centres": "mean"}}, "'mean', expected one of batch"),
        ("nc-drw", {"method_options": {"lam_within": "x"}}, "'x', expected a number"),
        ("nc-drw", {"method_options": {"terms_on": "clean"}}, "'clean', but mixup is 0"),
        ("tau-norm", {"method_options": {"tau": 2}}, "tau is 2, expected 0 to 1"),
        ("ce", {"imbalance": 0.5}, "got 0.5, expected a ratio of 1 or more"),
        ("ce", {"imbalance": 1000}, "class 7 of 10 would be empty"),
        ("ce", {"imbalance": 20, "per_class": 5}, "per_class is 5 with imbalance 20"),
        ("ce", {"dataset": "cifar11"}, "'cifar11'.*cifar10"),
        ("ce", {"model": "resnet23"}, "'resnet23'.*resnet32"),
        ("ce", {"feature_dim": 8}, "feature_dim is 8.*native features of dimension 16"),
        ("etf-dr", {"width": 8, "feature_dim": 8}, "10 classes.*at least 9, got 8"),
        ("ce", {"schedule": "step", "milestones": [2]}, "milestone 2 is beyond the schedule"),
        ("ce", {"schedule": "step", "milestones": [2, 1], "epochs": 3}, "none of which is before"),
        ("ce", {"warmup_by": "epoch"}, "warmup_by is 'epoch', but warmup_epochs is 0"),
        ("ce", {"optimizer": "nesterov", "momentum": 0}, "'nesterov' with momentum 0"),
        ("etf-dr", {"head_init": "kaiming"}, "head_init is 'kaiming', but the head of .* is 'etf'"),
        ("ce", {"schedule": "step"}, r"milestones is \(\) with schedule 'step'"),
        ("ce", {"milestones": [1]}, r"milestones is \(1,\) with schedule 'cosine'"),
        ("ce", {"lam_w": 0.1}, "lam_w is 0.1, but method is 'ce', not 'plain'.*expected 0.0"),
        ("ce", {"mixup": -1}, "got -1.0"),
        ("plain", {"mixup": 1}, "mixup is 1, but method 'plain'"),
        ("kcl", {"mixup": 1}, "mixup is 1, but method 'kcl' shows two views"),
        ("kcl", {"method_options": {"key_decay": 2}}, "key_decay is 2, expected 0 to 1"),
        ("tsc", {"method_options": {"target_epoch": 2}}, "target_epoch is 2, beyond.*0 to 1"),
        ("ride-3", {}, "'experts-3' needs.*'resnet32-experts-3', got 'native' features of 'mlp'"),
        ("ride-3", EXPERTS, "'experts-3' needs.*got 'native' features of 'mlp-experts-2'"),
        ("bbn", {}, "a second view of other images.*'resnet32-branches', got 'mlp'"),
        ("ce", BRANCHES, "'mlp-branches' has two branches, and needs a method.*'bbn'"),
        ("kcl", BRANCHES, "'mlp-branches' has two branches"),
        ("ce", {"noise": [0.1, 0]}, "expected positive standard deviations"),
        ("ce", {"ema": 1}, r"got 1.0, expected in \[0, 1\)"),
    ],
)
def test_a_bad_choice_is_refused_by_name(method, changes, message):
    fields = config("ce").model_dump() | {"method": method, "method_options": {}}
    with pytest.raises(ValueError, match=f"(?s){message}"):
        RunConfig.model_validate({**fields, **changes})
