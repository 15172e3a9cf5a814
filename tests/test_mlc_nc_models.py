"""The models of the chapter on class-wise features, against the losses and literal formulas."""

import math

import pytest
import torch
from generators import seeded

from nclib import losses
from nclib.data import long_tail_sizes
from nclib.geometry import simplex_etf
from nclib.papers.mlc_nc import class_wise, tables


def gaussian(*shape, seed):
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def test_attention_is_that_of_the_equations():
    tokens, embeddings = gaussian(4, 6, seed=0), gaussian(3, 6, seed=1)
    attended = class_wise.attend(tokens, embeddings)
    for c in range(3):
        cosines = [float(torch.cosine_similarity(t, embeddings[c], dim=0)) for t in tokens]
        total = sum(map(math.exp, cosines))
        feature = sum(math.exp(s) / total * token for s, token in zip(cosines, tokens, strict=True))
        assert torch.allclose(attended.features[c], feature)
        assert float(attended.weights[c].sum()) == pytest.approx(1)
        expected = torch.cosine_similarity(feature, embeddings[c], dim=0)
        assert float(attended.cosines[c]) == pytest.approx(float(expected))


@pytest.mark.parametrize("ratio", [1.0, 4.0])
def test_the_two_way_loss_counts_images_as_often_as_they_are(ratio):
    labels = torch.tensor([[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1]]).bool()
    counts = torch.tensor([ratio, 1, 2, 1], dtype=torch.float64)
    logits = gaussian(4, 3, seed=2)
    times = counts.long()
    repeated = logits.repeat_interleave(times, 0), labels.repeat_interleave(times, 0).double()
    expected = losses.two_way(*repeated, reduction="paper")
    assert float(class_wise.FIXED_LOSSES["two-way"](logits, labels, counts)) == pytest.approx(
        float(expected)
    )
    bce = torch.nn.functional.binary_cross_entropy_with_logits(*repeated, reduction="none")
    value = class_wise.FIXED_LOSSES["bce"](logits, labels, counts)
    assert float(value) == pytest.approx(float(bce.sum(1).mean()))


def test_the_loss_of_collapsed_features_is_that_of_all_images():
    counts = torch.tensor([3.0, 1.0, 2.0], dtype=torch.float64)
    features, centres = gaussian(3, 4, seed=3), gaussian(3, 4, seed=4)
    labels = torch.eye(3).double().repeat_interleave(counts.long(), 0)
    expected = losses.projected_collapse(features.expand(6, -1, -1), centres, labels)
    value = class_wise.prototype_loss(features, centres, counts)
    assert float(value) == pytest.approx(float(expected))


def test_the_gap_bounds_the_distance_from_the_optimum():
    labels, counts = torch.eye(4).bool(), torch.tensor([8.0, 4.0, 2.0, 1.0]).double()
    best = class_wise.fixed_optimum(labels, counts, lam_h=0.1, loss="two-way")
    assert 0 <= best.gap < 1e-9
    rows = simplex_etf(4, 3, generator=seeded(0))
    features = torch.linalg.lstsq(rows, best.logits.T).solution.T  # the shortest of these logits
    assert torch.allclose(features @ rows.T, best.logits, atol=1e-9)

    def objective(h):
        loss = class_wise.FIXED_LOSSES["two-way"](h @ rows.T, labels, counts)
        return loss + 0.05 * (counts @ h.square().sum(1)) / counts.sum()

    assert float(objective(features)) == pytest.approx(best.objective)
    for seed in range(5):
        other = features + 0.01 * gaussian(4, 3, seed=seed)
        assert objective(other) > best.objective - 1e-12


def test_an_unknown_loss_is_refused():
    with pytest.raises(ValueError, match="two-way"):
        class_wise.fixed_optimum(torch.eye(2).bool(), torch.ones(2).double(), lam_h=1.0, loss="two")


def test_epochs_do_not_depend_on_counts_at_a_simplex():
    simplex = simplex_etf(5, 4, generator=seeded(0))
    after = class_wise.epochs(simplex, long_tail_sizes(5, 50.0, largest=100), 20)
    assert torch.allclose(after, simplex, atol=1e-9)


def test_totals_that_their_parts_do_not_give():
    wrong = {(t.table, t.row, t.dataset) for n in tables.TABLES for t in tables.totals(n)
             if not t.consistent}  # fmt: skip
    assert wrong == {
        (1, "ERM", "coco-lt"),
        (1, "LDAM", "voc-lt"),
        (1, "MLC-NC", "voc-lt"),
        (3, "MLC-NC", "voc-lt"),
        (4, "ETF embedding", "voc-lt"),
    }
    assert (tables.split_sizes("voc-lt"), tables.split_sizes("coco-lt")) == (
        (6, 6, 8),
        (22, 33, 25),
    )
