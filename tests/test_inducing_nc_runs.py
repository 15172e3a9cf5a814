"""The runs of the chapters on inducing neural collapse: the schedule, the order, the settings."""

from dataclasses import replace

import pytest
import torch

from nclib import data, losses
from nclib.methods import METHODS
from nclib.papers import read_grid
from nclib.papers.inducing_nc import grid as chapter
from nclib.papers.inducing_nc.tables import TABLES, Source
from nclib.runs import described

STATED = "as the paper states it"


@pytest.mark.parametrize("profile", ["smoke", "laptop", "paper"])
def test_a_grid_can_be_named_and_repeats_no_run(profile):
    configs = read_grid(f"inducing-nc/{profile}")
    assert configs == chapter.grid(profile)
    assert len({config.id for config in configs}) == len(configs)
    assert {config.paper for config in configs} == {"inducing-nc"}
    assert {config.profile for config in configs} == {profile}


@pytest.mark.parametrize("profile", ["smoke", "laptop", "paper"])
def test_the_runs_of_a_grid_are_told_apart(profile):
    configs = chapter.grid(profile)
    told = list(zip(described(configs), (config.seed for config in configs), strict=True))
    assert len(set(told)) == len(told)


def test_a_run_is_told_shortly_where_that_is_enough():
    few = [chapter.config("laptop", "ce"), chapter.config("laptop", "nc-drw", seed=1)]
    assert described(few) == [
        "cifar10, ratio 100, resnet32, ce, 20 epochs",
        "cifar10, ratio 100, resnet32, nc-drw, 20 epochs",
    ]


def test_the_laptop_profile_is_seed_by_seed_and_ends_with_the_comparisons():
    grid = chapter.grid("laptop")
    assert [(c.seed, c.method) for c in grid[:14]] == [
        (seed, method) for seed in (0, 1) for method in chapter.LAPTOP
    ]
    assert {(c.epochs, c.precision) for c in grid[:14]} == {(20, "32-true")}
    assert [(c.seed, c.method) for c in grid[14:20]] == [
        (seed, method) for seed in (0, 1) for method in ("ce", "ce-drw", "nc-drw")
    ]
    assert {(c.epochs, c.precision) for c in grid[14:20]} == {(60, "32-true")}
    assert (grid[20].method, grid[20].epochs, grid[20].precision) == ("ce", 20, "bf16-mixed")


def test_a_longer_schedule_is_compared_with_runs_of_the_profile():
    grid, both = chapter.grid("laptop"), chapter.schedules()
    assert {epochs for _, epochs in both} == set(chapter.LENGTHS)
    assert {run.id for runs in both.values() for run in runs} <= {run.id for run in grid}
    assert both["NC-DRW", 20] == [chapter.config("laptop", "nc-drw", seed=seed) for seed in (0, 1)]


def test_mixup_is_measured_with_runs_of_the_paper_s_grid():
    grid, both = {run.id for run in chapter.grid("paper")}, chapter.mixing()
    assert list(both)[-2:] == ["NC-DRW, without mixup", "NC-DRW, with mixup"]
    assert {chapter.title_of(name) for name in both} == {"CE", "CE-DRW", "NC-DRW"}
    assert {run.id for runs in both.values() for run in runs} <= grid
    for name, runs in both.items():
        mixup = float(name.endswith("with mixup"))
        assert [(run.mixup, run.seed) for run in runs] == [(mixup, s) for s in (0, 1, 2)]


def test_the_paper_s_figures_have_three_methods_in_both_settings():
    shown = chapter.figure_runs("paper")
    for name, runs in chapter.mixing().items():
        assert shown[name] == runs[0]
    assert shown["LDAM-DRW, without mixup"].mixup == 0
    assert "LDAM-DRW, with mixup" not in shown
    assert {chapter.title_of(name) for name in shown} == set(chapter.figure_runs("laptop"))
    assert {run.id for run in shown.values()} <= {run.id for run in chapter.grid("paper")}


@pytest.mark.parametrize(
    ("epochs", "milestones", "drw"),
    [(200, (160, 180), 160), (60, (48, 54), 48), (20, (16, 18), 16)],
)
def test_the_schedule_of_the_paper_is_scaled(epochs, milestones, drw):
    config = chapter.config("laptop", "nc-drw", epochs=epochs)
    assert config.milestones == milestones
    assert dict(config.method_options)["drw_epoch"] == drw


def test_the_paper_profile_has_the_strengths_of_table_1():
    ten = dict(chapter.config("paper", "nc-drw").method_options)
    hundred = dict(chapter.config("paper", "nc-drw", dataset="cifar100").method_options)
    names = ("lam_within", "lam_between", "start_epoch")
    assert [ten[name] for name in names] == [0.01, 0.1, 0]
    assert [hundred[name] for name in names] == [0.01, 0.5, 100]


def test_a_hundred_classes_with_a_fixed_etf_get_the_wider_network():
    assert chapter.config("paper", "etf-dr", dataset="cifar100").feature_dim == 128
    assert chapter.config("paper", "etf-dr").feature_dim == 64


def test_the_paper_profile_begins_with_tables_3_and_7_at_ratio_100():
    grid = chapter.grid("paper")
    first = next(i for i, c in enumerate(grid) if c.options.get("terms_on") == "clean")
    assert grid[first + 3].weight_decay == 5e-3
    assert {c.imbalance for c in grid[:first]} == {100.0}
    assert {c.model for c in grid[:first]} == {"resnet32", "resnet32-branches"}
    assert [c.seed for c in grid[:first]] == sorted(c.seed for c in grid[:first])
    assert grid[-1].imbalance == 10.0
    assert {c.method for c in grid if c.weight_decay == 5e-3} == {"ce", "ce-drw", "nc-drw"}


def test_networks_of_experts_and_branches_follow_their_methods():
    shapes = {
        method: (run.model, run.width, run.feature_dim)
        for method in ("bbn", "ride-2", "ride-4-nc", "kcl")
        for run in [chapter.config("paper", method)]
    }
    assert shapes == {
        "bbn": ("resnet32-branches", 16, 128),
        "ride-2": ("resnet32-experts-2", 16, 96),
        "ride-4-nc": ("resnet32-experts-4", 16, 192),
        "kcl": ("resnet32", 16, 64),
    }
    assert chapter.config("smoke", "bbn").model == "mlp-branches"


def test_contrasts_train_as_long_as_their_authors_and_come_last():
    grid = chapter.grid("paper")
    long = [run for run in grid if run.epochs == 1000]
    assert grid[-len(long) :] == long
    assert {run.method for run in long} == {"kcl", "tsc"}
    assert {run.milestones for run in long} == {(800, 900)}
    assert {dict(run.method_options).get("target_epoch", 500) for run in long} == {500}


def test_every_cell_of_the_tables_on_cifar_is_in_the_paper_profile():
    wanted = {(c.source.method, c.source.dataset) for t in TABLES.values() for c in t.cells()}
    found = {(run.method, run.dataset) for run in chapter.grid("paper")}
    assert {pair for pair in wanted if pair[1] != "imagenet-lt"} <= found


def test_every_run_that_a_table_needs_is_in_the_paper_profile():
    known = {config.id for config in chapter.grid("paper")}
    for number in (2, 3, 5, 6, 7):
        for cell in TABLES[number].cells():
            for seed in chapter.SEEDS["paper"]:
                run = chapter.of(cell.source, "paper", seed)
                assert run is None or run.dataset == "imagenet-lt" or run.id in known, cell


def test_every_cell_on_imagenet_has_a_run_that_no_grid_asks_for():
    cells = [c for t in TABLES.values() for c in t.cells() if c.source.dataset == "imagenet-lt"]
    made = {chapter.of(cell.source, "paper", 0) for cell in cells}
    assert {run.method for run in made} == {cell.source.method for cell in cells}
    lengths = {run.method: run.epochs for run in made if run.epochs != 200}
    assert lengths.pop("tsc") == 400
    assert set(lengths.values()) == {100}
    for run in made:
        experts = METHODS[run.method].head.startswith("experts")
        assert (run.method in lengths) == experts  # as RIDE's authors train it
        assert (run.batch_size, run.augment) == (256, True)
        assert (run.schedule, run.lr) == (("step", 0.1) if experts else ("cosine", 0.05))
        expected = f"resnext50-{METHODS[run.method].head}" if experts else "resnext50"
        assert run.model == expected
    (ours,) = (run for run in made if run.method == "nc-drw")
    options = dict(ours.method_options)
    assert [options[n] for n in ("lam_within", "lam_between", "start_epoch")] == [0.05, 1.0, 100]
    assert {run.dataset for run in chapter.grid("paper")} == {"cifar10", "cifar100"}
    assert chapter.of(cells[0].source, "laptop", 0) is None


def test_variants_change_one_thing_each():
    stated, *others = chapter.variants("laptop").values()
    assert stated == chapter.config("laptop", "nc-drw", precision="bf16-mixed")
    assert stated == chapter.variants("laptop")[STATED]

    def choices(config):
        fields = config.model_dump()
        return set(fields.pop("method_options")) | {(k, str(v)) for k, v in fields.items()}

    changed = [choices(other) - choices(stated) for other in others]
    singles = set().union(*(change for change in changed if len(change) == 1))
    both, as_the_code, warmup = (change for change in changed if len(change) != 1)
    assert both | as_the_code <= singles
    assert len(both) == len(as_the_code) == 2
    assert dict(warmup) == {"warmup_by": "epoch", "warmup_epochs": "5"}  # the profile has one


def test_the_schedule_of_the_released_code_is_scaled():
    runs = chapter.variants("paper")
    assert runs["DRW from 70 of 200"].options["drw_epoch"] == 70
    assert runs["drops: 115, 175 of 200"].milestones == (115, 175)
    warmup = runs["warm-up: 5, by epoch"]
    assert (warmup.warmup_epochs, warmup.warmup_by) == (5, "epoch")
    short = chapter.variants("laptop")
    assert short["DRW from 70 of 200"].options["drw_epoch"] == 7
    assert short["drops: 115, 175 of 200"].milestones == (11, 17)


#: Fields and options of released code, at the paper profile: the data set, the ratio, the values.
CODE = [
    ("ldam-drw", "cifar10", 100, {"milestones": (160, 160, 180, 180), "weight_decay": 2e-4}),
    ("ldam-drw-nc", "cifar100", 100, {"warmup_epochs": 5, "warmup_by": "epoch", "mixup": 0.0}),
    ("ride-3", "cifar100", 100, {"milestones": (160, 160, 180, 180), "weight_decay": 5e-4}),
    ("ride-2-nc", "cifar100", 100, {"optimizer": "nesterov", "diversity": 0.45, "spread": 0.05}),
    ("ride-4", "cifar10", 100, {"diversity": 0.2}),
    (
        "ride-4",
        "imagenet-lt",
        1,
        {"milestones": (60, 80), "epochs": 100, "spread": 0.02, "lr": 0.1},
    ),
    ("bbn", "cifar10", 10, {"milestones": (120, 120, 160, 160), "weight_decay": 2e-4}),
    ("mislas", "cifar10", 100, {"smooth_head": 0.3, "smooth_tail": 0, "batch_norm": "frozen"}),
    ("mislas", "cifar10", 10, {"smooth_head": 0.1, "smooth_tail": 0, "second_lr": 0.1}),
    ("mislas", "cifar100", 100, {"smooth_head": 0.4, "smooth_tail": 0.1, "batch_norm": "shift"}),
    ("mislas", "cifar100", 10, {"smooth_head": 0.2, "smooth_tail": 0, "weight_decay": 2e-4}),
    ("mislas", "imagenet-lt", 1, {"smooth_head": 0.3, "smooth_tail": 0, "batch_norm": "shift"}),
    ("etf-dr", "cifar100", 100, {"weight_decay": 2e-4, "milestones": (160, 180), "width": 32}),
    ("arb", "cifar10", 100, {"weight_decay": 2e-4, "warmup_by": "epoch"}),
    ("tsc", "cifar10", 100, {"target_as": "positive"}),
    ("ce-crt", "imagenet-lt", 1, {"second_sampler": "class_aware_cyclic", "second_epochs": 10}),
    ("ce-lws", "imagenet-lt", 1, {"second_sampler": "class_aware_cyclic", "second_epochs": 5}),
]


@pytest.mark.parametrize(("method", "dataset", "ratio", "values"), CODE)
def test_methods_of_others_are_trained_as_their_authors_do(method, dataset, ratio, values):
    source = Source(method=method, dataset=dataset, imbalance=float(ratio))
    run = chapter.of(source, "paper", 0)
    found = {**run.model_dump(), **run.options}
    assert {name: found[name] for name in values} == values


@pytest.mark.parametrize("method", ["ce", "ce-rs", "ce-rw", "ce-drw", "nc-drw", "nc-drw-crt"])
def test_the_paper_s_own_rows_and_its_baselines_share_one_schedule(method):
    run = chapter.config("paper", method)
    assert (run.milestones, run.weight_decay, run.warmup_by) == ((160, 180), 5e-4, "step")


@pytest.mark.parametrize(("dataset", "lam"), [("cifar10", 0.1), ("cifar100", 1.0)])
def test_center_loss_weighs_as_much_as_l_w_on_a_balanced_batch(dataset, lam):
    run = chapter.config("paper", "ce-drw-center-lb", dataset=dataset)
    assert run.options["lam_center"] == pytest.approx(lam)
    classes = data.info(dataset).num_classes
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(3 * classes, 5, dtype=torch.float64, generator=generator)
    labels = torch.arange(classes).repeat(3)
    centres, _ = losses.class_means(features, labels, classes)
    strength = chapter.config("paper", "nc-drw", dataset=dataset).options["lam_within"]
    torch.testing.assert_close(
        lam * losses.center_loss(features, labels, centres),
        strength * losses.within_class(features, labels, centres),
    )


def test_choices_of_authors_change_one_thing_each_and_are_in_the_grid():
    grid = {run.id for run in chapter.grid("laptop")}
    for (method, choice), (stated, theirs) in chapter.choices_of_authors().items():
        assert {stated.id, theirs.id} <= grid
        assert stated.method == theirs.method == method
        changed = dict(theirs.model_dump().items() - stated.model_dump().items())
        options = dict(set(theirs.method_options) - set(stated.method_options))
        changed.pop("method_options", None)
        assert len(changed) + len(options) == (2 if choice == "smoothing" else 1)


def test_the_runs_that_measure_a_difference_differ_in_one_choice():
    runs = {run.id: run for profile in ("laptop", "paper") for run in chapter.grid(profile)}
    runs |= {run.id: run for found in chapter.mixed_terms("laptop").values() for run in found}
    pairs = {(name, d.runs) for name, m in METHODS.items() for d in m.differences if d.runs}
    assert {name for name, _ in pairs} == {"nc-drw", "nc-drw-crt", "mislas", "ldam-drw", "etf-dr"}
    for name, (here, theirs) in pairs:
        one, other = runs[here], runs[theirs]
        assert one.method == name
        assert other.method in (name, "nc-drw-crt-shift")
        fields = {n for n in type(one).model_fields if getattr(one, n) != getattr(other, n)}
        options = {n for n in one.options if one.options[n] != other.options[n]}
        fields -= {"method_options", "method"}
        allowed = ({"warmup_by", "warmup_epochs"}, {"smooth_head", "smooth_tail"})
        assert len(fields | options) <= 1 or fields | options in allowed, (name, fields, options)


def test_variants_of_retraining_differ_in_batch_norm_or_sampler_alone():
    stay, move, cyclic = chapter.retraining("paper").values()
    options = set(cyclic.method_options) - set(stay.method_options)
    assert options == {("second_sampler", "class_aware_cyclic")}
    assert cyclic.previous() == stay.previous()
    assert stay.previous() == move.previous() == chapter.variants("paper")[STATED]
    assert stay.method_options == move.method_options
    seconds = [METHODS[run.method].second for run in (stay, move)]
    assert [second.batch_norm for second in seconds] == ["frozen", "shift"]
    assert replace(seconds[0], batch_norm="shift") == seconds[1]


@pytest.mark.parametrize("profile", ["smoke", "laptop", "paper"])
def test_a_second_stage_starts_from_a_network_that_is_in_the_tables(profile):
    listed = chapter.grid(profile)
    known = {run.id for run in listed}
    firsts = [run.previous() for run in listed]
    firsts = [run for run in firsts if run is not None and not run.method.endswith("-features")]
    if profile == "paper":  # MiSLAS has a first stage in its authors' setting
        firsts = [run for run in firsts if run.weight_decay != 2e-4]
    assert firsts
    assert {run.id for run in firsts} <= known
