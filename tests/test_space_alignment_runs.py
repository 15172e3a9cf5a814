"""The runs of the chapter on alignment, and what their records say."""

from __future__ import annotations

import pytest

from nclib.papers import read_grid
from nclib.papers.inducing_nc import Setting
from nclib.papers.inducing_nc import grid as long_tail
from nclib.papers.space_alignment import grid as chapter
from nclib.runs import described


@pytest.mark.parametrize("profile", ["smoke", "laptop", "paper"])
def test_a_grid_can_be_named_and_repeats_no_run(profile):
    configs = read_grid(f"space-alignment/{profile}")
    assert configs == chapter.grid(profile)
    assert len({config.id for config in configs}) == len(configs)
    names = {(c.paper, text, c.seed) for c, text in zip(configs, described(configs), strict=True)}
    assert len(names) == len(configs)


@pytest.mark.parametrize("profile", ["smoke", "laptop", "paper"])
def test_what_is_the_same_network_is_trained_once(profile):
    for config in chapter.grid(profile):
        shared = config.post_hoc or not config.plugins
        assert config.paper == ("inducing-nc" if shared else "space-alignment")
        if config.post_hoc:
            assert config.previous() == config.replace(plugins=())


def test_the_laptop_profile_shares_the_networks_of_the_long_tail_chapter():
    runs, others = chapter.grid("laptop"), {run.id for run in long_tail.grid("laptop")}
    plain = [run for run in runs if not run.plugins and run.dataset == "cifar10"]
    assert {run.id for run in plain} <= others
    assert {(run.method, run.seed) for run in plain} == {
        (method, seed) for method in ("ce", "logit-adjust", "ldam-drw", "nc-drw") for seed in (0, 1)
    }
    assert sum(not run.post_hoc for run in runs) == 36


def test_the_spread_of_the_long_tail_chapter_leaves_plug_ins_out():
    assert Setting("laptop").covers(chapter.config("laptop"))
    assert not Setting("laptop").covers(chapter.config("laptop", "ce", "slerp"))


def test_the_ablation_changes_one_option_at_a_time():
    pairs = chapter.ablation("laptop")
    assert len(pairs) == 9
    for stated, variant in pairs.values():
        ((name, before),), ((other, after),) = stated.plugins, variant.plugins
        assert name == other
        assert sum(a != b for a, b in zip(before, after, strict=True)) == 1
        assert variant.replace(plugins=stated.plugins) == stated


def test_a_fixed_classifier_takes_the_term_on_its_features_alone():
    ((_, options),) = chapter.config("paper", "etf-dr", "reg").plugins
    assert dict(options)["route"] == "features"
    assert [chapter.accepts("etf-dr", name) for name in chapter.THREE] == [True, False, False]
    with pytest.raises(ValueError, match="is fixed"):
        chapter.config("paper", "etf-dr", "slerp")


def test_the_paper_profile_has_every_row_of_the_tables_and_three_seeds():
    runs = chapter.grid("paper")
    cells = {(run.dataset, run.imbalance) for run in runs}
    assert cells == {(name, ratio) for name in ("cifar10", "cifar100") for ratio in (100, 200)}
    assert {run.method for run in runs} == set(chapter.METHODS_OF_TABLES)
    assert {run.seed for run in runs} == {0, 1, 2}
    assert {(run.epochs, run.mixup, run.model) for run in runs} == {(200, 0.0, "resnet32")}
    first = [run.plugins[0][0] if run.plugins else "" for run in runs[:9:3]]
    assert first == ["", "spa-reg", "spa-reg"]
