"""Tables of the paper on inducing collapse beside records: the rule, and what is shown."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nclib import geometry, metrics, papers
from nclib.papers.inducing_nc import Setting, comparison
from nclib.papers.inducing_nc import grid as runs
from nclib.papers.inducing_nc.tables import TABLES
from nclib.runs import RunConfig, RunRecord, ledger

COLUMN = "CIFAR10-LT, 100"
Publish = Callable[[RunConfig, float], None]


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Publish:
    """Writes a record with a test accuracy (in per cent) into a ledger of the test's own."""
    monkeypatch.setenv("NCLIB_LEDGER", str(tmp_path))

    def write(config: RunConfig, accuracy: float) -> None:
        ledger.publish(record(config, accuracy))

    return write


def record(config: RunConfig, accuracy: float) -> RunRecord:
    """Collapsed features (NC-DRW: a simplex ETF; others: two classes close to each other)."""
    means = geometry.simplex_etf(10, 12)
    if "nc-drw" not in config.method:
        means[9] = means[0] + 0.3 * means[9]
    labels = torch.arange(10).repeat(4)
    spread = 0.01 if "nc-drw" in config.method else 0.1
    noise = torch.randn(40, 12, generator=torch.Generator().manual_seed(config.seed)).double()
    report = metrics.measure(means[labels] + spread * noise, labels, weight=means)
    entry = {"epoch": config.epochs, "accuracy": 1.0, "report": report.to_dict()}
    final = {"test_accuracy": accuracy / 100, "ece": 0.1}
    final |= {f"noisy_test_accuracy_{s:g}": accuracy / 200 for s in config.noise}
    arrays = {"class_means": means.float().numpy(), "per_class_accuracy": np.full(10, 0.5)}
    return RunRecord(config, [], final, {"train": [entry], "test": [entry]}, arrays, {})


def run(method: str, seed: int, profile: str = "laptop") -> RunConfig:
    cell = next(c for c in TABLES[3].cells() if c.source.method == method and c.column == COLUMN)
    config = runs.of(cell.source, profile, seed)
    assert config is not None
    return config


def test_every_row_names_a_reference_that_exists() -> None:
    assert len(comparison.cells) == 8 + 52 + 56 + 30 + 80 + 24
    for cell in comparison.cells:
        assert cell.against is None or cell.against.source.dataset == cell.source.dataset


def test_the_paper_s_disagreements_with_itself_are_found() -> None:
    cell = TABLES[3].cell("CE-DRW", COLUMN)
    assert {(c.table, c.printed) for c in comparison.also_printed(cell)} == {(6, 77.0)}
    assert "NC-DRW on CIFAR10-LT, 100: 81.9 (Tables 3, 7) and 79.2 (Table 6)" in (
        comparison.disagreements()
    )
    assert len(comparison.disagreements()) == 8


def test_the_margin_is_that_of_student_s_t_test() -> None:
    from scipy import stats

    a, b = [70.1, 71.3, 69.8], [72.0, 73.1, 72.2]
    interval = stats.ttest_ind(b, a).confidence_interval(0.95)
    half = (interval.high - interval.low) / 2
    assert papers.margin([a, b], 3, 3) == pytest.approx(half)
    assert papers.margin([[1.0], [2.0]], 1, 1) == math.inf


def test_without_records_every_cell_says_that_it_was_not_run(publish: Publish) -> None:
    for number, table in TABLES.items():
        shown = comparison.table(number)
        total = len(table.rows) * len(table.columns)
        assert repr(shown).count("| not run") == total
        assert shown._repr_html_().count("not run") == total
    assert comparison.verdict_counts("laptop")["not run"] == sum(
        cell.printed_effect is not None for cell in comparison.cells
    )


@pytest.mark.parametrize(
    ("plain", "terms", "verdict"),
    [
        ((60.0, 60.4), (66.0, 66.2), "reproduced"),
        ((66.0, 66.2), (60.0, 60.4), "contradicted"),
        ((60.0, 66.0), (64.0, 65.0), "undecided"),
        ((60.0,), (70.0,), "undecided"),  # one seed says nothing of the spread
    ],
)
def test_effects_are_judged_with_their_spread(
    publish: Publish, plain: tuple[float, ...], terms: tuple[float, ...], verdict: str
) -> None:
    for seed, accuracy in enumerate(plain):
        publish(run("ce", seed), accuracy)
    for seed, accuracy in enumerate(terms):
        publish(run("nc-drw", seed), accuracy)
    cell = TABLES[3].cell("NC-DRW", COLUMN)
    assert comparison.effect_verdict(cell, "laptop") == verdict
    assert comparison.effect_verdict(cell, "paper") == "not run"
    assert comparison.effect_verdict(TABLES[3].cell("CE", COLUMN), "laptop") is None


def test_the_spread_is_pooled_over_the_methods(publish: Publish) -> None:
    for method, values in {"ce": (60, 61), "ce-drw": (62, 64), "nc-drw": (66, 66)}.items():
        for seed, accuracy in enumerate(values):
            publish(run(method, seed), accuracy)
    effect = comparison.effect(TABLES[3].cell("NC-DRW", COLUMN), "laptop")
    s = math.sqrt((0.5 + 2 + 0) / 3)
    assert effect is not None
    assert (effect.value, effect.margin) == pytest.approx((5.5, 3.182446 * s))


def test_a_value_is_compared_at_the_paper_profile_alone(publish: Publish) -> None:
    cell = TABLES[3].cell("CE", COLUMN)  # 70.4
    for profile in ("laptop", "paper"):
        for seed, accuracy in enumerate((70.0, 70.6)):
            publish(run("ce", seed, profile), accuracy)
    assert comparison.value_verdict(cell) == "undecided"  # ± 4.9: two seeds, one degree of freedom
    publish(run("ce", 2, "paper"), 70.3)
    assert comparison.value_verdict(cell) == "reproduced"
    assert "value reproduced" in repr(comparison.table(3))
    for seed, accuracy in enumerate((60.0, 60.2, 60.1)):
        publish(run("ce", seed, "paper"), accuracy)
    assert comparison.value_verdict(cell) == "lower"


def test_the_spread_is_of_runs_that_differ_in_their_seed_alone(publish: Publish) -> None:
    for seed, accuracy in enumerate((60.0, 61.0)):
        publish(run("ce", seed), accuracy)
        publish(runs.config("laptop", "ce", epochs=60, seed=seed), accuracy + 10 * seed)
        publish(runs.config("laptop", "ce", mixup=1.0, seed=seed), accuracy - 5)
        publish(runs.config("laptop", "nc-drw-crt", seed=seed), accuracy + 5)
    setting = Setting("laptop")

    def accuracy_of(record: RunRecord) -> float:
        return 100 * float(record.final["test_accuracy"])

    pairs = {
        n: papers.margin([(60.0, 61.0)] * n, 1, 1)
        for n in (2, 3)  # with mixup and without; and re-trained
    }
    assert papers.margin_in(setting, accuracy_of, 1, 1) == pytest.approx(pairs[3])
    features = papers.margin_in(setting, accuracy_of, 1, 1, retrained=False)
    assert features == pytest.approx(pairs[2])
    longer = papers.margin_in(replace(setting, epochs=60), accuracy_of, 1, 1)
    assert longer == pytest.approx(papers.margin([(60.0, 71.0)], 1, 1))


def test_a_bound_on_one_network_decides_nothing_without_a_spread(publish: Publish) -> None:
    publish(run("ce", 0, "paper"), 60.0)  # its smallest angle is far below the bound
    check = papers.claim("inducing-nc/figure-2-paper").printed[0]
    assert check.evidence().undecided
    publish(run("ce", 1, "paper"), 60.0)
    assert check.evidence().ok


def test_laptop_records_are_shown_with_seeds_and_profile(publish: Publish) -> None:
    publish(run("ce", 0), 60.0)
    publish(run("nc-drw", 0), 66.0)
    text = repr(comparison.table(3))
    assert "60.0 (1 seed, laptop)" in text
    assert "66.0 (1 seed, laptop); +6.0 ?" in text
    publish(run("ce", 1), 61.0)
    text = repr(comparison.table(3))
    assert "60.5 ± 0.7 (2 seeds, laptop)" in text
    assert "66.0 (1 seed, laptop); +5.5 ± 11.0 ?" in text


@pytest.mark.parametrize(
    ("name", "swap", "verdict"),
    [
        ("table-3", False, "reproduced"),
        ("table-3", True, "contradicted"),
        ("figure-2", False, "reproduced"),
        ("table-6", False, "reproduced"),
        ("table-6", True, "contradicted"),
    ],
)
def test_records_decide_about_the_paper_s_networks(
    publish: Publish, name: str, swap: bool, verdict: str
) -> None:
    order = ("ce", "ce-drw", "ldam-drw", "nc-drw", "nc-drw-crt")
    for i, method in enumerate(reversed(order) if swap else order):
        for seed in (0, 1):
            publish(run(method, seed), 60 + 3 * i + 0.1 * seed)
    claim = papers.claim(f"inducing-nc/{name}-laptop")
    assert claim.verdict == verdict
    assert papers.claim(f"inducing-nc/{name}-paper").verdict == "not run"


def test_a_short_training_decides_about_effects_and_not_about_values(publish: Publish) -> None:
    for figure, values in ((2, 2), (3, 1)):
        checks = {
            profile: papers.claim(f"inducing-nc/figure-{figure}-{profile}").printed
            for profile in ("laptop", "paper")
        }
        assert len(checks["paper"]) - len(checks["laptop"]) == values
        for seed in (0, 1):
            publish(run("ce", seed), 60.0)
            publish(run("nc-drw", seed), 60.0)
        assert all(check.evidence().margin > 0 for check in checks["laptop"])


def test_unknown_tables_are_refused() -> None:
    with pytest.raises(ValueError, match="table 1 is not one of 2, 3, 4, 5, 6, 7"):
        comparison.table(1)
