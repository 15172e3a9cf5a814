"""The chapter's runs: their threshold, their certified optima, and what the ledger has of them."""

import math

import pytest
import torch

from nclib import geometry
from nclib.papers.class_encoding import grid as chapter
from nclib.runs import RunRecord, ledger


@pytest.mark.parametrize("profile", ["smoke", "laptop", "paper"])
def test_every_profile_has_the_same_threshold_with_penalties_on_both_sides(profile):
    config = chapter.config(profile)
    images = config.per_class or 5000
    c = 10 * math.sqrt(images * config.lam_w * config.lam_h)
    assert c == pytest.approx(0.2)
    assert config.lam_w == pytest.approx(images * config.lam_h)
    assert min(chapter.LAM_B) < c / (1 - c) < max(chapter.LAM_B)


def test_the_optimum_is_the_shifted_etf_of_the_theorem():
    config, c = chapter.config("laptop", lam_b=1.0), 0.2
    fit = geometry.fit_shifted_simplex_etf(chapter.optimum(config).means)
    assert fit.residual < 1e-6
    assert (1 - fit.shift) ** 2 == pytest.approx(1 - c / (1 - c), abs=1e-6)
    assert fit.scale**2 == pytest.approx(1 - c, abs=1e-6)


def with_means(config, means):
    empty = {"train": [], "test": []}
    return RunRecord(config, [], {}, empty, {"class_means": means.numpy()}, {})


def test_the_misfit_is_zero_at_any_rotation_of_the_optimum_and_known_for_its_double():
    config = chapter.config("smoke", lam_b=0.4)
    best = chapter.optimum(config).means
    rotation, _ = torch.linalg.qr(torch.randn(best.shape[1], best.shape[1]).double())
    assert chapter.gram_misfit(with_means(config, best @ rotation)) < 1e-12
    assert chapter.gram_misfit(with_means(config, 2 * best)) == pytest.approx(3)


def test_no_published_network_is_below_its_certified_optimum():
    """Whatever the architecture, the unconstrained features model is a lower bound."""
    for record in ledger.records("class-encoding"):
        assert record.final["objective"] > chapter.optimum(record.config).objective
