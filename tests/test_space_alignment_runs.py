"""The runs of the chapter on alignment, and what their records say."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from nclib import papers, queue, train
from nclib.papers import read_grid
from nclib.papers.inducing_nc import Setting
from nclib.papers.inducing_nc import grid as long_tail
from nclib.papers.space_alignment import grid as chapter
from nclib.papers.space_alignment import networks
from nclib.papers.space_alignment.claims import _networks as claims
from nclib.runs import described, ledger


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


# --- What records say ----------------------------------------------------------------------------


def record(config, *, score=0.5, weight=None, means=None, test_means=None, variances=None):
    """A record as far as the numbers of this chapter need one."""
    means = torch.eye(3, 4).double() if means is None else means
    weight = means if weight is None else weight
    arrays = {
        "class_means": means,
        "test_class_means": means if test_means is None else test_means,
        "weight": weight,
        "bias": torch.zeros(len(means)).double(),
        "counts": torch.tensor([9.0, 3.0, 1.0]),
        "per_class_accuracy": torch.tensor([0.9, 0.6, 0.3]),
    }
    spread = torch.ones(len(means)) if variances is None else variances
    report = SimpleNamespace(variances=spread)
    return SimpleNamespace(
        config=config, score=score, tensor=arrays.__getitem__, report=lambda split: report
    )


def test_common_shifts_are_told_from_misalignment():
    means = torch.randn(3, 4, generator=torch.Generator().manual_seed(0)).double()
    centred = means - means.mean(0)
    shifted = record(None, means=means, weight=2 * centred + torch.tensor([0, 0, 5.0, 0]))
    cosines = networks.alignment(shifted)
    assert torch.allclose(cosines.centred, torch.ones(3).double())
    assert float(cosines.raw.max()) < 0.9
    assert torch.allclose(
        cosines.means_centred, torch.cosine_similarity(shifted.tensor("weight"), centred)
    )
    assert torch.allclose(cosines.rows_centred, torch.cosine_similarity(centred, means))
    assert networks.mean_cosine(shifted) == pytest.approx(1)
    assert networks.mean_cosine(shifted, centre=False) == pytest.approx(float(cosines.raw.mean()))


def test_own_noise_is_about_the_training_means():
    means = torch.eye(3, 4).double()
    moved = record(None, test_means=means + torch.tensor([0, 0, 0, 1.0]))
    # v = 1 + 1 about the training means, P = 4; d² = (1/√2)² / (v / P).
    assert networks.exponents(moved).overall == pytest.approx(0.5 * 0.5 / (2 / 4))
    assert networks.exponents(moved, at="test").overall == pytest.approx(0.5 * 0.5 / (1 / 4))
    assert networks.mean_exponent(moved) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="at is 'valid', expected"):
        networks.exponents(moved, at="valid")
    assert networks.tail_accuracy(moved) == pytest.approx(30)


def test_an_effect_is_paired_by_seed_and_its_spread_is_pooled_over_methods():
    scores = {
        ("ce", None): (0.5, 0.6),
        ("ce", "reg"): (0.52, 0.64),  # +2 and +4 points
        ("logit-adjust", None): (0.7, 0.7),
        ("logit-adjust", "reg"): (0.69, 0.73),  # −1 and +3
        ("ldam-drw", None): (0.5, 0.5),
    }
    known = {}
    for (method, strategy), values in scores.items():
        for seed, score in enumerate(values):
            config = chapter.config("laptop", method, strategy, seed=seed)
            known[config.id] = record(config, score=score)
    find = {"find": lambda config: known.get(config.id)}
    effect = networks.effect("laptop", "ce", "reg", **find)
    assert effect.value == pytest.approx(3)
    assert effect.margin == pytest.approx(papers.margin([(2.0, 4.0), (-1.0, 3.0)], 2))
    assert networks.effect("laptop", "ldam-drw", "reg", **find) is None
    assert networks.effect("laptop", "etf-dr", "slerp", **find) is None
    lines = networks.table("laptop", "cifar10", 100.0, **find)
    assert len(lines) == 5
    assert "+3.0" in lines[2]
    assert "not run" in lines[3]
    assert networks.table("laptop", "cifar100", 200.0, **find) == [
        "laptop, cifar100, ratio 200: not run"
    ]


def test_a_rank_correlation_is_spearman_s_within_fisher_s_interval():
    x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    up = networks.rank_correlation(x, [v**3 for v in x])
    assert up.value == pytest.approx(1)
    mixed = networks.rank_correlation(x, [2.0, 1.0, 4.0, 3.0, 6.0, 5.0])
    assert mixed.value == pytest.approx(1 - 6 * 6 / (6 * 35))
    half = 1.96 * math.sqrt(1.06 / 3)
    assert math.atanh(mixed.high) - math.atanh(mixed.value) == pytest.approx(half)
    assert networks.rank_correlation(x[:4], x[:4]) is None


def test_the_misalignment_of_published_networks_is_judged():
    for profile in ("laptop", "paper"):
        evidence = claims.misaligned(profile, centre=False)
        assert evidence is not None
        assert evidence.ok
        assert evidence.value > claims.misaligned(profile, centre=True).value
    assert claims.takes("reg").ok
    assert claims.takes("slerp").value == 1


@pytest.mark.unchecked
def test_features_of_a_finished_network_have_the_means_of_its_record(tmp_path, monkeypatch):
    monkeypatch.setenv("NCLIB_CACHE", str(tmp_path))
    config = chapter.config("smoke", epochs=4)
    trained = queue.get(config)
    path = ledger.network_path(config)
    features, labels = train.features(trained, path)
    means = torch.stack([features[labels == k].double().mean(0) for k in range(10)])
    assert torch.allclose(means, trained.tensor("test_class_means"), atol=1e-4)
    exponents = networks.mahalanobis_exponents(trained, path)
    assert exponents.per_class.shape == (10,)
    with pytest.raises(FileNotFoundError, match="are not kept"):
        train.features(trained, tmp_path / "none.pt")
