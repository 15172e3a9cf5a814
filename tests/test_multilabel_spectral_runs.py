"""The runs of the chapter on several labels, and networks beside their optimum."""

from types import SimpleNamespace

import pytest
import torch

from nclib import data
from nclib.papers import read_grid
from nclib.papers.multilabel_spectral import grid as chapter
from nclib.papers.multilabel_spectral import label_tables, networks
from nclib.runs import RunConfig, described


@pytest.mark.parametrize("profile", ["smoke", "laptop", "paper"])
def test_a_grid_can_be_named_and_repeats_no_run(profile):
    configs = read_grid(f"multilabel-spectral/{profile}")
    assert configs == chapter.grid(profile)
    assert len({config.id for config in configs}) == len(configs)
    assert {(c.paper, c.profile) for c in configs} == {("multilabel-spectral", profile)}
    names = list(zip(described(configs), (config.seed for config in configs), strict=True))
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("profile", ["smoke", "laptop", "paper"])
def test_the_features_are_penalised_as_in_the_theory(profile):
    for config in chapter.grid(profile):
        if config.method == "plain":
            samples = networks.table_of(config).samples
            assert config.lam_h * samples == pytest.approx(config.lam_w)
            assert (config.loss, config.weight_decay) == ("pal", 0)


def test_the_table_of_a_run_has_the_labels_that_it_trains_on():
    config = chapter.config("smoke")
    drawn = data.load(config.dataset, options=dict(config.dataset_options)).train.labels
    table, counted = networks.table_of(config), data.tabulate(drawn)
    assert torch.equal(table.labels, counted.supports.double())
    assert torch.equal(table.counts, counted.counts.double())
    assert chapter.imbalanced(config)


def test_a_run_on_single_labels_has_no_table():
    config = RunConfig(paper="x", profile="smoke", dataset="digits", epochs=1)
    with pytest.raises(ValueError, match="its labels are not prescribed"):
        networks.table_of(config)


@pytest.mark.unchecked
def test_the_optimum_itself_has_no_misfit_in_whatever_order_and_pose():
    config = chapter.config("smoke", lam_b=0.0)
    table, best = networks.table_of(config), networks.optimum(config)
    order = torch.randperm(len(table.counts), generator=torch.Generator().manual_seed(0))
    turn = torch.linalg.qr(torch.randn(2 * [best.weight.shape[1]]).double()).Q
    arrays = {
        "supports": table.labels[order],
        "support_counts": table.counts[order],
        "support_means": best.prototypes[order] @ turn,
        "weight": best.weight @ turn,
        "bias": best.bias,
    }
    record = SimpleNamespace(config=config, tensor=arrays.__getitem__)
    assert networks.gram_misfit(record) == pytest.approx(0, abs=1e-9)
    arrays["support_means"] = 3 * arrays["support_means"]
    assert networks.gram_misfit(record) == pytest.approx(8)
    assert networks.gram_misfit(record, shape=True) == pytest.approx(0, abs=1e-9)
    cosines = networks.trained(record).cosines(table)
    singletons = best.prototypes[table.multiplicities == 1]
    several = table.multiplicities > 1
    sums = table.labels[several] @ singletons
    expected = torch.cosine_similarity(best.prototypes[several], sums, dim=1)
    assert cosines["uniform"] == pytest.approx(float(expected.mean()))


def test_networks_without_penalties_are_compared_with_the_profile_s():
    usual, plain = chapter.config("smoke", "pal"), chapter.config("smoke", lam_b=0.0)
    assert networks.optimum(usual) is networks.optimum(plain)


def test_dirichlet_tables_have_every_singleton():
    table = label_tables.dirichlet(5, 0.05, seed=0)
    again = label_tables.dirichlet(5, 0.05, seed=0)
    assert torch.equal(table.counts, again.counts)
    assert (table.counts >= 1).all()
    assert torch.equal(table.labels[table.multiplicities == 1], torch.eye(5).double())
    assert len(table.counts) < 25 == len(label_tables.dirichlet(5, 50.0, seed=0).counts)
    assert 950 < table.samples - 5 < 1050


def test_zipf_tables_have_the_sizes_that_are_asked_for():
    table = label_tables.zipf(4, 1.0, sizes=(1, 3))
    assert table.multiplicities.tolist() == 4 * [1] + 4 * [3]
    assert table.counts[4] == pytest.approx(100 / 6)


def test_real_tables_are_those_of_the_lists():
    table = label_tables.of_list("voc-lt")
    assert (table.samples, len(table.counts)) == (1142, 137)
    assert table.frequencies[14] * 1142 == pytest.approx(775)
