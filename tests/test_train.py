"""Training: the certified optimum as ground truth, determinism, resuming, and how it stops."""

import dataclasses
import gc
import math
import sys
from functools import partial

import numpy as np
import pytest
import torch
from torch._subclasses import FakeTensorMode

from nclib import data, models, tasks, ufm
from nclib.methods import METHODS, PLUGINS
from nclib.models import ATTENTIONS
from nclib.runs import RunConfig
from nclib.train import DivergedError, StoppedError, _stage, fit, learning_rate
from nclib.train import _fit as fit_module
from nclib.train import _run as run_module
from nclib.train._average import AveragedWeights
from nclib.train._class_wise import ClassWiseObjective
from nclib.train._declared import MethodObjective
from nclib.train._objective import Targets
from nclib.train._plugged import PluggedTerm


def config(**changes):
    fields = {
        "paper": "class-encoding",
        "profile": "smoke",
        "dataset": "digits",
        "per_class": 20,
        "width": 64,
        "feature_dim": 12,
        "lam_w": 0.02,
        "lam_h": 0.02 / 20,
        "optimizer": "adamw",
        "lr": 3e-3,
        "epochs": 4,
        "batch_size": 50,
        "measure_every": 2,
        "evaluate_every": 1000,
    }
    return RunConfig.model_validate({**fields, **changes})


@pytest.fixture
def small_cifar(monkeypatch):
    """Random images in place of CIFAR-10's."""

    def read(_):
        generator = torch.Generator().manual_seed(0)
        labels = torch.arange(40) % 10
        images = torch.randint(0, 256, (40, 3, 32, 32), generator=generator, dtype=torch.uint8)
        return {"train": (images, labels), "test": (images[:10], labels[:10])}

    known = dataclasses.replace(data.DATASETS["cifar10"], read=read)
    monkeypatch.setitem(data.DATASETS, "cifar10", known)


def assert_same(first, second):
    assert first.epochs == second.epochs
    assert first.final == second.final
    assert first.collapse == second.collapse
    for name, array in first.arrays.items():
        np.testing.assert_array_equal(array, second.arrays[name])


def optimum(run):
    counts = [float(run.per_class)] * 10
    return ufm.solve(
        run.targets(), counts, lam_w=run.lam_w, lam_h=run.lam_h, lam_b=run.lam_b, loss=run.loss
    )


def test_a_trained_network_comes_to_the_certified_optimum():
    run = config(lam_b=0.4, epochs=120, warmup_epochs=2, width=128, measure_every=120)
    record, best = fit(run), optimum(run)
    means = torch.from_numpy(record.arrays["class_means"])
    gram, expected = means @ means.T, best.means @ best.means.T
    assert (gram - expected).norm() < 0.05 * expected.norm()
    bias = torch.from_numpy(record.arrays["bias"])
    assert (bias - best.bias).norm() < 0.05 * best.bias.norm()
    assert record.final["train_accuracy"] == 1
    assert record.report("train").nc1_ratio < 0.05


@pytest.mark.parametrize(
    "changes",
    [
        {"lam_b": 0.0},
        {"lam_b": math.inf},
        {"encoding": "random"},
        {"loss": "ce", "encoding": "smoothed", "lam_b": 0.1},
        {"feature_layer": "relu"},
    ],
)
def test_the_objective_lies_between_the_certified_optimum_and_the_zero_network(changes):
    run = config(epochs=30, measure_every=30, **changes)
    zero = math.log(10) if run.loss == "ce" else 0.5 * run.targets().square().sum(0).mean().item()
    assert optimum(run).objective < fit(run).final["objective"] < 0.75 * zero


@pytest.mark.parametrize("changes", [{"encoding": "rotated"}, {"encoding": "random"}])
def test_predictions_are_decoded_to_the_nearest_label(changes):
    record = fit(config(epochs=30, measure_every=30, **changes))
    assert record.final["train_accuracy"] > 0.95
    assert record.final["test_accuracy"] > 0.8
    assert record.report("train").nc4 > 0.95


def test_the_recorded_arrays_agree_with_the_recorded_metrics():
    record = fit(config())
    accuracy = record.arrays["per_class_accuracy"]
    counts = record.report("test").counts.numpy()
    assert (accuracy * counts).sum() / counts.sum() == pytest.approx(record.final["test_accuracy"])
    np.testing.assert_allclose(
        record.arrays["global_mean"], record.arrays["class_means"].mean(0), atol=1e-6
    )
    assert record.collapse["test"][-1]["accuracy"] == record.final["test_accuracy"]
    last = record.epochs[-1]  # every class has 20 images, which is medium
    assert last["train_medium"] == record.collapse["train"][-1]["accuracy"]
    assert last["test_medium"] == last["test_accuracy"]
    assert {"train_many", "train_few"}.isdisjoint(last)


def test_collapse_is_measured_before_training_at_the_interval_and_at_the_end():
    record = fit(config(epochs=5, measure_every=2))
    assert record.trajectory("train", "nc1").epochs == [0, 2, 4, 5]
    assert [epoch["epoch"] for epoch in record.epochs] == [1, 2, 3, 4, 5]


def test_no_bias_where_its_penalty_is_infinite():
    assert not fit(config(epochs=1, lam_b=math.inf)).arrays["bias"].any()
    assert fit(config(epochs=1, lam_b=1.0)).arrays["bias"].any()


def test_a_seed_repeats_bit_by_bit_and_another_differs():
    first = fit(config())
    torch.rand(3)  # the global generator has no say
    assert_same(first, fit(config()))
    assert fit(config(seed=1)).final["objective"] != first.final["objective"]


def test_the_global_generator_is_left_as_it_was():
    before = torch.get_rng_state()
    fit(config(epochs=1))
    assert torch.equal(torch.get_rng_state(), before)


class _Stop(Exception):
    pass


def interrupted(monkeypatch, run, *, after, **options):
    """Train, and stop in the middle of the run."""

    class Stopping(fit_module.Progress):
        def update(self, epoch, *shown):
            if epoch["epoch"] == after:
                raise _Stop

    with monkeypatch.context() as patch:
        patch.setattr(fit_module, "Progress", Stopping)
        with pytest.raises(_Stop):
            fit(run, **options)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("after", [1, 3, 4])
def test_an_interrupted_run_resumes_to_the_same_bits(tmp_path, monkeypatch, optimizer, after):
    run = config(epochs=5, optimizer=optimizer, warmup_epochs=1)
    path = tmp_path / "state.pt"
    interrupted(monkeypatch, run, after=after, checkpoint=path, checkpoint_every=2)
    assert path.exists() == (after >= 2)
    assert_same(fit(run, checkpoint=path, checkpoint_every=2), fit(run))


def test_an_augmented_convolutional_run_resumes_to_the_same_bits(
    tmp_path, monkeypatch, small_cifar
):
    changes = {"dataset": "cifar10", "model": "convnet", "width": 4, "augment": True}
    run = config(**changes, per_class=3, batch_size=8, epochs=3)
    path = tmp_path / "state.pt"
    interrupted(monkeypatch, run, after=2, checkpoint=path, checkpoint_every=1)
    resumed, straight = fit(run, checkpoint=path), fit(run)
    assert_same(resumed, straight)
    assert resumed.final["objective"] != fit(run.replace(augment=False)).final["objective"]


def test_a_run_that_goes_on_elsewhere_names_both_devices(tmp_path, monkeypatch):
    path = tmp_path / "state.pt"
    here = fit(config(epochs=1)).provenance["device"]
    with monkeypatch.context() as patch:
        patch.setattr(fit_module, "describe", lambda device: "NVIDIA H200")
        interrupted(monkeypatch, config(), after=2, checkpoint=path, checkpoint_every=1)
    found = fit(config(), checkpoint=path).provenance["device"]
    assert found == f"NVIDIA H200, then {here}"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="on a GPU the run's tensors are its own")
def test_a_run_on_cuda_goes_on_from_the_middle_of_an_epoch(tmp_path, small_cifar):
    run = config(dataset="cifar10", model="convnet", width=4, augment=True, per_class=3)
    run = run.replace(batch_size=8, epochs=3)
    path = tmp_path / "state.pt"
    with pytest.raises(StoppedError):
        fit(run, checkpoint=path, until=0.0)
    assert len(fit(run, checkpoint=path).epochs) == 3


def test_a_damaged_checkpoint_is_refused_by_name(tmp_path):
    path = tmp_path / "state.pt"
    path.write_bytes(b"PK torn")
    with pytest.raises(ValueError, match=r"state\.pt is no readable checkpoint"):
        fit(config(), checkpoint=path)
    torch.save({"weights": torch.ones(2)}, path)
    with pytest.raises(ValueError, match=r"state\.pt is no checkpoint: it names no run"):
        fit(config(), checkpoint=path)


@pytest.mark.parametrize("every", [0, -1])
def test_checkpoints_come_after_whole_epochs(every):
    with pytest.raises(ValueError, match=f"checkpoint_every is {every}, expected 1"):
        fit(config(), checkpoint_every=every)


def test_the_time_of_an_interrupted_run_is_that_of_its_parts(tmp_path, monkeypatch):
    path = tmp_path / "state.pt"
    interrupted(monkeypatch, config(), after=3, checkpoint=path, checkpoint_every=1)
    before = torch.load(path, weights_only=True)
    origin = fit(config(), checkpoint=path).provenance
    assert origin["train_seconds"] >= round(before["seconds"], 1)
    assert origin["wall_seconds"] >= round(before["wall_seconds"], 1) > 0
    assert origin["wall_seconds"] >= origin["train_seconds"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep one peak a process")
def test_the_peak_of_memory_is_the_runs_own():
    large = torch.ones(300, 2**20)  # 1200 MiB
    before = fit(config(epochs=1)).provenance["peak_memory_mib"]
    del large
    gc.collect()
    after = fit(config(epochs=1)).provenance["peak_memory_mib"]
    assert after < before - 1000


def test_the_running_mean_keeps_its_share_of_weights_and_statistics():
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    mean = AveragedWeights(network, 0.75)
    values = []
    for step in range(3):
        with torch.no_grad():
            for tensor in (network[0].weight, network[1].running_mean):
                tensor.fill_(4.0**step)
        mean.update()
        values.append(mean.network[0].weight[0, 0].item())
        assert mean.network[1].running_mean[1] == values[-1]
        again = AveragedWeights(network, 0.75)
        again.load_state_dict(mean.state_dict())
        mean = again
    assert values == [1.0, 1.75, 0.75 * 1.75 + 0.25 * 16]
    assert not any(one.requires_grad for one in mean.network.parameters())


def test_another_runs_checkpoint_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "state.pt"
    interrupted(monkeypatch, config(), after=3, checkpoint=path, checkpoint_every=2)
    other = config(seed=1)
    with pytest.raises(ValueError, match=f"belongs to run {config().id}, expected {other.id}"):
        fit(other, checkpoint=path)


def test_a_loss_that_is_not_finite_stops_with_step_and_rate_and_keeps_the_checkpoint(
    tmp_path, monkeypatch
):
    path = tmp_path / "state.pt"
    run = config(optimizer="sgd")
    with monkeypatch.context() as patch:
        patch.setattr(
            "nclib.train._run.learning_rate",
            lambda _, step, steps: 1e-3 if step < 3 * steps else 1e30,
        )
        expected = r"step 13 \(epoch 4\) with learning rate 1e\+30.*good state is in .*state\.pt"
        with pytest.raises(DivergedError, match=expected):
            fit(run, checkpoint=path, checkpoint_every=2)
    state = torch.load(path, weights_only=True)
    assert [entry["epoch"] for entry in state["epochs"]] == [1, 2]
    assert all(value.isfinite().all() for value in state["run"]["network"].values())
    with monkeypatch.context() as patch:
        patch.setattr("nclib.train._run.learning_rate", lambda *_: 1e-3)
        assert_same(fit(run, checkpoint=path), fit(run))


def test_a_network_that_the_last_step_ruins_is_neither_measured_nor_kept(tmp_path, monkeypatch):
    path = tmp_path / "state.pt"
    run = config(optimizer="sgd", batch_size=200, epochs=3, measure_every=3, evaluate_every=3)

    def rate(_, step, __):
        return 1e30 if step == 1 else 1e-3  # one step an epoch

    with monkeypatch.context() as patch:
        patch.setattr("nclib.train._run.learning_rate", rate)
        with pytest.raises(DivergedError, match=r"scores .* after step 1 \(epoch 2\) .* 1e\+30"):
            fit(run, checkpoint=path, checkpoint_every=1)
    with monkeypatch.context() as patch:
        patch.setattr("nclib.train._run.learning_rate", lambda *_: 1e-3)
        resumed = fit(run, checkpoint=path, checkpoint_every=1)
    assert [entry["lr"] for entry in resumed.epochs] == [1e-3] * 3
    assert math.isfinite(resumed.final["objective"])


def test_training_is_silent_unless_a_terminal_or_the_caller_asks(capsys):
    fit(config(epochs=1))
    assert capsys.readouterr() == ("", "")
    fit(config(epochs=1), progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "epoch 1/1" in err


@pytest.mark.parametrize("quiet", [None, "NCLIB_QUIET", "CI"])
def test_a_terminal_shows_progress_unless_the_environment_is_quiet(capsys, monkeypatch, quiet):
    for name in ("NCLIB_QUIET", "CI"):
        monkeypatch.delenv(name, raising=False)
    if quiet is not None:
        monkeypatch.setenv(quiet, "1")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    fit(config(epochs=1))
    assert ("epoch 1/1" in capsys.readouterr().err) == (quiet is None)
    fit(config(epochs=1), progress=True)
    assert "epoch 1/1" in capsys.readouterr().err


def test_of_several_processes_the_first_shows_progress(capsys, monkeypatch):
    monkeypatch.setattr("nclib.train._processes.rank", lambda: 1)
    fit(config(epochs=1), progress=True)
    assert capsys.readouterr().err == ""


def test_a_long_epoch_shows_how_far_it_is(monkeypatch):
    told = []
    monkeypatch.setattr(run_module, "_LOOK_EVERY", (2, math.inf))
    monkeypatch.setattr(fit_module.Progress, "update", lambda _, shown, *__: told.append(shown))
    run = config(batch_size=40, epochs=2)  # five steps an epoch
    made = fit(run, progress=True)
    assert [one["epoch"] for one in told] == pytest.approx([0.4, 0.8, 1, 1.4, 1.8, 2])
    assert [{**one} for one in told if one["epoch"] in (1, 2)] == [*made.epochs]
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "_LOOK_EVERY", (50, math.inf))
        assert_same(fit(run), made)  # looking changes nothing


@pytest.mark.parametrize("columns", [30, 80])
def test_the_line_of_progress_fits_the_terminal(capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    fit(config(epochs=2), progress=True)
    before, *lines = capsys.readouterr().err.removesuffix("\n").split("\r")
    assert before == ""
    assert [len(line) for line in lines] == [columns - 1] * 2
    assert all(f"epoch {epoch}/2" in line for epoch, line in enumerate(lines, 1))
    assert ("NC1" in lines[0]) == (columns == 80)


@pytest.mark.parametrize("error", [StoppedError, DivergedError])
def test_the_line_of_progress_ends_however_training_does(capsys, monkeypatch, error):
    real = fit_module.Run.train_epoch

    def ending(self, epoch, *rest):
        if epoch == 2:
            raise error("so")
        return real(self, epoch, *rest)

    monkeypatch.setattr(fit_module.Run, "train_epoch", ending)
    with pytest.raises(error):
        fit(config(), progress=True)
    err = capsys.readouterr().err
    assert "epoch 1/4" in err
    assert err.endswith("\n")


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_metric_that_is_not_finite_is_shown_and_ends_nothing(capsys, monkeypatch, value):
    real = fit_module._evaluate.collapse

    def collapse(*parts):
        found = real(*parts)
        return {**found, "report": {**found["report"], "nc1": value}}  # as reports store it

    monkeypatch.setattr(fit_module._evaluate, "collapse", collapse)
    fit(config(epochs=1), progress=True)
    assert f"NC1 {value} " in capsys.readouterr().err


def test_weight_decay_acts_below_the_features_alone():
    plain, decayed = (fit(config(epochs=1, weight_decay=rate)) for rate in (0.0, 10.0))
    assert np.square(decayed.arrays["class_means"]).sum() != pytest.approx(
        np.square(plain.arrays["class_means"]).sum(), rel=1e-3
    )
    run = config(epochs=1, lam_w=0.0, lam_h=0.0, lr=1e-30, weight_decay=1e29)
    heads = [fit(run.replace(weight_decay=rate)).arrays["weight"] for rate in (0.0, 1e29)]
    np.testing.assert_array_equal(*heads)


@pytest.mark.parametrize("steps", [1, 7])
def test_the_learning_rate_rises_linearly_then_falls_as_a_cosine(steps):
    run = config(lr=0.5, warmup_epochs=2, epochs=10)
    rates = [learning_rate(run, step, steps) for step in range(10 * steps)]
    warm = 2 * steps
    np.testing.assert_allclose(rates[:warm], 0.5 * np.arange(1, warm + 1) / warm)
    assert rates[warm] == 0.5
    middle = learning_rate(run, warm + 4 * steps, steps)
    assert middle == pytest.approx(0.25)
    assert learning_rate(run, 10 * steps, steps) == pytest.approx(0)
    assert all(a > b for a, b in zip(rates[warm:], rates[warm + 1 :], strict=False))


def test_a_constant_schedule_stays():
    run = config(lr=0.5, schedule="constant")
    assert {learning_rate(run, step, 3) for step in range(12)} == {0.5}


def test_a_warm_up_by_epoch_is_constant_within_an_epoch():
    """The learning rates of the released code of LDAM, epoch by epoch."""
    fields = {"lr": 0.1, "epochs": 200, "warmup_epochs": 5, "warmup_by": "epoch"}
    run = config(**fields, schedule="step", milestones=(160, 160, 180, 180))

    def released(epoch):  # 1, 2, …, 200
        if epoch <= 5:
            return 0.1 * epoch / 5
        return 0.1 * (0.0001 if epoch > 180 else 0.01 if epoch > 160 else 1)

    for steps in (1, 3):
        rates = [learning_rate(run, step, steps) for step in range(200 * steps)]
        expected = [released(1 + step // steps) for step in range(200 * steps)]
        np.testing.assert_allclose(rates, expected, rtol=1e-12)


def test_nesterov_momentum_takes_torch_s_own_step():
    run = config(epochs=1, schedule="constant", batch_size=4, per_class=1)
    counts = torch.ones(10, dtype=torch.int64)
    network = _stage.network(run, data.info(run.dataset), counts)
    for name in ("sgd", "nesterov"):
        made = _stage.optimizer(run.replace(optimizer=name), network)
        assert made.defaults["nesterov"] == (name == "nesterov")
    plain, nesterov = (fit(run.replace(optimizer=name)) for name in ("sgd", "nesterov"))
    assert not np.array_equal(plain.arrays["weight"], nesterov.arrays["weight"])


def test_a_run_in_bfloat16_keeps_its_weights_and_record_in_float32():
    exact, rounded = fit(config()), fit(config(precision="bf16-mixed"))
    assert rounded.arrays["weight"].dtype == np.float32
    assert rounded.final["objective"] == pytest.approx(exact.final["objective"], rel=0.05)
    assert rounded.final["objective"] != exact.final["objective"]


def test_images_are_normalised_as_the_configuration_says(small_cifar, monkeypatch):
    own = config(dataset="cifar10", per_class=3, epochs=1)
    usual = own.replace(normalisation="usual")
    found = fit(usual)
    assert found.epochs != fit(own).epochs
    known = data.info("cifar10")
    monkeypatch.setitem(data.DATASETS, "cifar10", dataclasses.replace(known, pixels=known.usual))
    assert_same(found, fit(own))


def network_run(**changes):
    """ResNet-32 on 30 images in batches of 8: the last one, of 6, has a shape of its own."""
    fields = {
        "dataset": "cifar10",
        "model": "resnet32",
        "width": 16,
        "feature_layer": "native",
        "feature_dim": 64,
        "per_class": 3,
        "batch_size": 8,
        "epochs": 3,
        "lr": 0.01,
        "optimizer": "sgd",
        "lam_w": 0.0,
        "lam_h": 0.0,
    }
    return config(**{**fields, **changes})


PHASES = {"drw_epoch": 2, "start_epoch": 1}  # the loss of each of three epochs is another


@pytest.mark.parametrize(
    "changes",
    [
        *(
            {"method": "nc-drw", "method_options": {**PHASES, "centres": centres}}
            for centres in ("batch", "ema", "learnable", "ema-all", "learnable-all")
        ),
        {
            "method": "ce-drw",
            "method_options": {"drw_epoch": 2},
            "plugins": {"spa-reg": {"start_epoch": 1}, "spa-slerp": {"when": "training"}},
        },
    ],
)
def test_a_step_is_recorded_anew_in_every_phase(small_cifar, monkeypatch, changes):
    """In place of a graph, the recorded function itself: with the epoch that it was recorded in.

    An epoch's last batch is smaller, and has a graph of its own.
    """
    made = []

    class Echo:
        def __init__(self, function, arguments, parameters, moved):
            self.function = function
            made.append([argument.shape for argument in arguments])

        def __call__(self, *arguments):
            return self.function(*arguments)

    run = network_run(
        model="convnet",
        width=4,
        feature_dim=16,
        mixup=1.0,
        **changes,
    )
    eager = fit(run)
    monkeypatch.setattr(run_module, "Graphed", Echo)
    monkeypatch.setattr(
        run_module.Run, "replays", property(lambda _: True, lambda *_: None), raising=False
    )
    assert_same(fit(run), eager)
    assert made == [[(n, 3, 32, 32), (n,), (n,), ()] for n in (8, 6)] * 3


@pytest.mark.parametrize(
    ("method", "options", "expected"),
    [
        ("ce-drw", {}, set()),
        ("nc-drw", {}, set()),
        ("nc-drw", {"centres": "ema"}, {"centres.running", "centres.met"}),
        ("nc-drw", {"centres": "learnable-all"}, {"centres.free"}),
        ("plain", {}, set()),
    ],
)
def test_a_checkpoint_has_of_the_objective_what_training_changes(method, options, expected):
    fields = {"lam_w": 0.0, "lam_h": 0.0} if method != "plain" else {}
    run = run_module.Run(config(method=method, method_options=options, **fields), None)
    assert set(run.state()["objective"]) == expected
    assert len(run.optimizers) == (2 if "centres.free" in expected else 1)


@pytest.mark.filterwarnings("ignore:.*CUDA is not available. Disabling")
@pytest.mark.parametrize("sets", [1, 2])
@pytest.mark.parametrize(
    "name", [name for name, known in METHODS.items() if known.loss and not known.second_view]
)
def test_the_loss_of_a_graph_waits_for_no_value(name, sets):
    """Tensors of a GPU that have shapes but no values: a loss that looks at one fails."""
    method, classes, dim = METHODS[name], 4, 12
    with FakeTensorMode(), torch.device("cuda"):
        model = f"mlp-{method.head}" if method.head.startswith("experts") else "mlp"
        shape, layer, size, kind = (1, 8, 8), "native", None, MethodObjective
        if method.class_wise:
            model, shape, layer, size = "convnet", (1, 32, 32), ATTENTIONS[0], 4
            kind = ClassWiseObjective
        network = models.build(
            model,
            shape,
            classes,
            width=dim,
            feature_dim=size,
            feature_layer=layer,
            head=method.head,
        )
        counts = torch.ones(classes, dtype=torch.int64)
        draws = torch.Generator().manual_seed(0)
        options = method.resolve({}, 10)
        objective = kind(
            method, options, network, counts=counts, generator=draws, epochs=10, images=10
        )
        plugin = PLUGINS["spa-reg"]
        for means in () if method.class_wise else ("batch", "ema"):
            chosen = plugin.resolve({"means": means}, 10)
            objective.plugins.append(PluggedTerm(plugin, chosen, network.head, 0))
        outputs, task = network(torch.zeros(5, *shape)), tasks.get(method.tasks[0])
        several = task is tasks.multi_label
        labels = torch.zeros(5, classes) if several else torch.zeros(5, dtype=torch.int64)
        targets = Targets(labels, labels, torch.ones(())) if sets == 2 else Targets(labels)
        loss = objective([outputs], targets, network.head, 9)
        assert loss.shape == ()
        predictions = task.predictions(objective.class_scores(outputs.scores))
        invariant = objective.shift_invariant
        count = partial(task.count_hits, predictions, shift_invariant=invariant)
        assert targets.hits(count).shape == ()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need CUDA")
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("method", ["nc-drw", "ldam-drw", "ce-crt"])
def test_graphs_on_cuda_train_as_eager_steps_do(small_cifar, monkeypatch, method, precision):
    phases = {name: value for name, value in PHASES.items() if name in METHODS[method].options}
    run = network_run(method=method, method_options=phases, precision=precision)
    replayed = fit(run)
    monkeypatch.setattr(
        run_module.Run, "replays", property(lambda _: False, lambda *_: None), raising=False
    )
    eager = fit(run)
    for one, other in zip(replayed.epochs, eager.epochs, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=0.02)
    for name in ("weight", "class_means"):
        one, other = replayed.arrays[name], eager.arrays[name]
        assert np.linalg.norm(one - other) < 0.05 * np.linalg.norm(other)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="a CPU waits for nothing")
def test_a_step_on_cuda_waits_for_nothing(small_cifar):
    run = run_module.Run(network_run(method="nc-drw", mixup=1.0, augment=True, epochs=1), None)
    run.train_epoch(1, None, lambda: False)  # records the graph
    draws = torch.Generator().manual_seed(0)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for batch in run.images.batches(torch.arange(16).split(8), 0, draws, 1):
            run._step(*run._inputs([batch], draws, 1), 0.01, 1, draws)
    finally:
        torch.cuda.set_sync_debug_mode("default")
