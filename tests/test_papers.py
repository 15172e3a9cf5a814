"""The papers as data: the rule of the verdicts, and checks that can fail."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
import torch

from nclib import book, encodings, losses, methods, metrics, papers, theory
from nclib._profiles import PROFILES
from nclib.book import chapters
from nclib.papers import (
    Check,
    Claim,
    Evidence,
    _cases,
    _claim,
    read_grid,
)
from nclib.papers.class_encoding import _stationary as class_encoding_stationary
from nclib.papers.class_encoding import grid as class_encoding_grid
from nclib.papers.class_encoding import results
from nclib.papers.class_encoding.claims import _statements as class_encoding_claims
from nclib.papers.inducing_nc.claims import _checks as inducing_checks
from nclib.papers.inducing_nc.claims import _text as inducing_text
from nclib.papers.mlc_nc import class_wise, tables
from nclib.papers.mlc_nc.claims import _checks as class_wise_checks
from nclib.papers.multilabel_spectral import label_tables
from nclib.papers.multilabel_spectral.claims import _checks as spectral_checks
from nclib.papers.space_alignment import classifiers, strategies
from nclib.papers.space_alignment import grid as alignment_grid
from nclib.papers.space_alignment.claims import _checks as alignment_checks
from nclib.papers.space_alignment.claims import _strategies as strategy_checks
from nclib.runs import RunConfig, RunRecord, ledger
from nclib.ufm import closed_form

# Thousands of optima: the shapes of what finds them are checked in the tests of nclib.ufm.
pytestmark = pytest.mark.unchecked

HOLDS = Evidence(1e-12, 1e-6, 10, "misfit")
UNDECIDED = Evidence(1.0, 0.0, 2, "effect", ">=", margin=2.0)
FAILS = Evidence(0.3, 1e-6, 10, "misfit")
ALL = [claim for paper in papers.PAPERS.values() for claim in paper.claims]
EXACT = [claim for claim in ALL if claim.profile == "exact"]


@pytest.fixture(autouse=True, scope="module")
def _of_the_book() -> Iterator[None]:
    """What a build of the sources as they are has computed is not computed again."""
    with pytest.MonkeyPatch.context() as patch:
        if book.evidence_folder().exists():
            patch.setenv("NCLIB_EVIDENCE", str(book.evidence_folder()))
        yield


@pytest.mark.parametrize(
    ("printed", "verdict"),
    [
        ([HOLDS], "reproduced"),
        ([HOLDS, HOLDS], "reproduced"),
        ([HOLDS, FAILS], "partly"),
        ([HOLDS, None], "partly"),
        ([FAILS], "contradicted"),
        ([FAILS, FAILS], "contradicted"),
        ([FAILS, None], "contradicted"),
        ([None], "not run"),
        ([None, None], "not run"),
        ([UNDECIDED], "undecided"),
        ([UNDECIDED, None], "undecided"),
        ([UNDECIDED, FAILS], "contradicted"),
        ([UNDECIDED, HOLDS], "partly"),
    ],
)
def test_the_rule(printed: list[Evidence | None], verdict: str) -> None:
    assert papers.judge(printed) == verdict


def test_a_claim_that_asserts_nothing_has_no_verdict() -> None:
    with pytest.raises(ValueError, match="at least one printed assertion"):
        papers.judge([])


def test_evidence_is_judged_by_its_value() -> None:
    assert Evidence(1.0, 1.0, 1, "misfit").ok
    assert not Evidence(1.1, 1.0, 1, "misfit").ok
    assert Evidence(1.1, 1.0, 1, "effect", ">=").ok
    assert not Evidence(0.9, 1.0, 1, "effect", ">=").ok


@pytest.mark.parametrize(
    ("value", "margin", "ok", "undecided"),
    [
        (3.0, 2.0, True, False),
        (1.0, 2.0, False, True),
        (-1.0, 2.0, False, True),
        (-3.0, 2.0, False, False),
        (9.0, math.inf, False, True),  # a single run
        (math.nan, 2.0, False, False),
    ],
)
def test_an_interval_with_the_bound_inside_decides_nothing(
    value: float, margin: float, ok: bool, undecided: bool
) -> None:
    evidence = Evidence(value, 0.0, 2, "effect", ">=", margin)
    assert (evidence.ok, evidence.undecided) == (ok, undecided)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("relation", ["<=", ">="])
def test_a_value_that_is_no_number_shows_nothing(value: float, relation: str) -> None:
    assert not Evidence(value, 1.0, 1, "misfit", relation).ok  # type: ignore[arg-type]


def test_a_check_without_cases_shows_nothing() -> None:
    assert not _cases.at_most([], "misfit").ok
    assert not _cases.at_least([], "effect").ok


def test_residuals_are_printed_by_their_bound() -> None:
    assert str(Evidence(3.1e-15, 1e-5, 24, "misfit")) == str(Evidence(8e-12, 1e-5, 24, "misfit"))
    assert str(FAILS) == "misfit = 0.3 (10 cases)"
    assert str(Evidence(-2e-16, 1e-2, 1, "effect", ">=")) == "effect = 0 to rounding (1 case)"
    assert str(Evidence(0, 0, 18, "wrong answers")) == "wrong answers: 0 of 18 cases"


def test_what_is_corrected_does_not_change_the_verdict() -> None:
    fails, holds = Check("printed", lambda: FAILS), Check("instead", lambda: HOLDS)
    assert Claim("a/b", "Theorem 1", "x", (fails,), (holds,)).verdict == "contradicted"


def test_ids_are_unique_and_name_their_paper() -> None:
    ids = [claim.id for claim in ALL]
    assert len(set(ids)) == len(ids)
    for paper in papers.PAPERS.values():
        assert {claim.paper for claim in papers.claims(paper.id)} == {paper.id}


def test_a_statement_of_a_run_says_whether_it_holds(capsys: pytest.CaptureFixture[str]) -> None:
    papers.observe("it collapses", True)
    papers.observe("in every seed", False)
    assert capsys.readouterr().out == "✓ it collapses\n✗ not in this run: in every seed\n"


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(ValueError, match="class-encoding"):
        papers.claims("class-encodings")
    with pytest.raises(ValueError, match="class-encoding/thm-iii-1"):
        papers.show("class-encoding/thm-iii-2")


def test_this_paper_is_judged_as_its_chapters_prove() -> None:
    verdicts = {c.id.partition("/")[2]: c.verdict for c in EXACT if c.paper == "class-encoding"}
    contradicted = {"conclusion", "conjecture-if", "conjecture-only-if"}
    partly = {"thm-iii-1", "nc3", "smoothing"}
    assert {name for name, verdict in verdicts.items() if verdict == "contradicted"} == contradicted
    assert {name for name, verdict in verdicts.items() if verdict == "partly"} == partly
    assert set(verdicts.values()) == {"reproduced", "partly", "contradicted"}


def test_the_paper_on_inducing_collapse_is_judged_as_its_chapters_prove() -> None:
    found = {c.id.partition("/")[2]: c.verdict for c in EXACT if c.paper == "inducing-nc"}
    by_verdict = {
        word: {name for name, verdict in found.items() if verdict == word}
        for word in ("reproduced", "partly", "contradicted")
    }
    assert by_verdict == {
        "reproduced": {"prop-1", "prop-4", "text-table-5"},
        "partly": {
            "prop-3",
            "eq-17",
            "text-table-2",
            "text-table-3",
            "text-table-6",
            "text-table-7",
        },
        "contradicted": {
            "prop-1-text",
            "prop-2",
            "eq-12",
            "prop-4-proof",
            "eq-6",
            "caption-table-3",
        },
    }


def test_the_abstract_on_several_labels_is_judged_as_its_chapter_proves() -> None:
    verdicts = {
        c.id.partition("/")[2]: c.verdict for c in EXACT if c.paper == "multilabel-spectral"
    }
    assert verdicts == {
        "assumptions": "reproduced",
        "distortions": "reproduced",
        "synthesis": "contradicted",
        "kappa": "partly",
        "stability": "partly",
        "only-if": "partly",
        "scaled-average": "partly",
    }


def test_the_paper_on_class_wise_features_is_judged_as_its_chapter_proves() -> None:
    verdicts = {c.id.partition("/")[2]: c.verdict for c in EXACT if c.paper == "mlc-nc"}
    assert verdicts == {
        "co-occurrence": "reproduced",
        "alignment": "reproduced",
        "etf-features": "partly",
        "relu": "reproduced",
        "centres": "reproduced",
        "fixed-classifier": "partly",
        "optimal-angle": "reproduced",
        "table-1-totals": "contradicted",
        "table-2-totals": "reproduced",
        "table-3-totals": "contradicted",
        "table-4-totals": "contradicted",
    }


@pytest.mark.parametrize("claim", EXACT, ids=lambda claim: claim.id)
def test_what_this_book_says_instead_holds(claim: Claim) -> None:
    checks = claim.printed if claim.paper == "book" else claim.corrected
    assert [check.text for check in checks if not check.evidence().ok] == []


def test_the_scorecard_has_a_row_for_every_claim() -> None:
    page = papers.scorecard_markdown()
    for claim in ALL:
        assert f"`{claim.id.partition('/')[2]}`" in page
        assert f"nclib run {claim.chapter}" in page
    rows = page.count("\n* - ")
    assert rows == len(ALL) + len(papers.PAPERS)  # a heading a table
    assert page.count("\n  - ") == 2 * rows


# --- Every check can fail: each is run on broken optima or broken geometry -----------------------


def _forget() -> None:
    """Drop what was computed: evidence, and the optima that checks share."""
    _claim._evidence.cache_clear()
    modules = (
        results,
        class_encoding_claims,
        class_encoding_stationary,
        inducing_checks,
        spectral_checks,
        alignment_checks,
        class_wise_checks,
        strategy_checks,
    )
    for module in modules:
        for value in vars(module).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing computed before, and nothing left behind; evidence of before comes back."""
    monkeypatch.delenv("NCLIB_EVIDENCE", raising=False)
    monkeypatch.setattr(_claim, "_evidence", cache(_claim._evidence.__wrapped__))
    _forget()
    yield
    _forget()


def test_evidence_is_kept_by_check_and_ledger(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (claim,) = papers.claims("inducing-nc")[:1]
    exact, network = claim.printed[0], papers.claim("class-encoding/networks-laptop").printed[0]
    before = exact.evidence(), network.evidence()
    monkeypatch.setenv("NCLIB_EVIDENCE", str(tmp_path / "evidence"))

    def again() -> tuple[Evidence | None, Evidence | None]:
        _claim._evidence.cache_clear()  # as in another process
        return exact.evidence(), network.evidence()

    monkeypatch.setattr(_claim, "_evidence", cache(_claim._evidence.__wrapped__))
    assert again() == before
    files = [*(tmp_path / "evidence").iterdir()]
    assert len(files) == 2
    for file in files:
        file.write_text("null")
    assert again() == (None, None)  # read from there
    monkeypatch.setenv("NCLIB_LEDGER", str(tmp_path / "ledger"))
    assert again() == (before[0], None)  # computed for the other ledger
    assert len([*(tmp_path / "evidence").iterdir()]) == 4


def _garbage(labels, counts, *, lam_b, dim=None, **_):  # type: ignore[no-untyped-def]
    k, columns = labels.shape
    width = dim or min(k, columns)
    seed = 1 if math.isinf(lam_b) else 2
    weight, means = (
        _cases.gaussian(k, width, seed=seed),
        _cases.gaussian(columns, width, seed=seed + 7),
    )
    bias = 100 + _cases.gaussian(k, seed=seed)
    return _cases.UFMSolution(weight, means, bias, 1.0, 0.0, width, 0)


def _no_point(labels, counts, *, lam_b, dim=None, samples=1, **_):  # type: ignore[no-untyped-def]
    """What Newton's method never returns: a point that is not critical."""
    k, columns = labels.shape
    width = dim or min(k, columns)
    return _cases.CriticalPoint(
        _cases.gaussian(k, width, seed=3),
        _cases.gaussian(samples * columns, width, seed=4),
        100 + _cases.gaussian(k, seed=5),
        2.0,
        0.0,
        0.0,
    )


def _still_point(labels, counts, *, dim=None, samples=1, **_):  # type: ignore[no-untyped-def]
    """A point at the broken solver's objective, without a bias."""
    k, columns = labels.shape
    zeros = torch.zeros(samples * columns, dim or min(k, columns), dtype=torch.float64)
    return _cases.CriticalPoint(zeros[:k], zeros, zeros.new_zeros(k), 1.0, 0.0, 0.0)


def _unlike_optimum(labels, counts, *, lam_w, lam_h, lam_b, dim=None, **_):  # type: ignore[no-untyped-def]
    """Balanced factors, as the solver makes them, of logits that are no optimum."""
    scores = _cases.gaussian(*labels.shape, seed=6)
    decay = {"lam_w": lam_w, "lam_h": lam_h}
    weight, means = closed_form.factorise(scores, counts, **decay, dim=dim)
    bias = 100 + _cases.gaussian(len(labels), seed=1 if math.isinf(lam_b) else 2)
    return _cases.UFMSolution(weight, means, bias, 1.0, 0.0, len(labels), 0)


def _frame(labels, counts, *, dim=None, **_):  # type: ignore[no-untyped-def]
    k, columns = labels.shape
    width = dim or min(k, columns)
    weight, means = (torch.eye(rows, width, dtype=torch.float64) for rows in (k, columns))
    bias = torch.zeros(k, dtype=torch.float64)
    return _cases.UFMSolution(weight, means, bias, 1.0, 0.0, width, 0)


def _break_optima(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_cases, "solve", _garbage)
    patch.setattr(_cases, "critical_point", _no_point)
    patch.setattr(_cases, "_STEPS", (1,))
    patch.setattr(results, "_nonnegative_end", lambda m, seed: (0.0, m.labels))
    patch.setattr(class_encoding_stationary, "critical_point", _no_point)


def _break_into_frames(patch: pytest.MonkeyPatch) -> None:
    _break_optima(patch)
    patch.setattr(_cases, "solve", _frame)
    patch.setattr(_cases, "critical_point", _still_point)
    patch.setattr(class_encoding_stationary, "critical_point", _still_point)


def _break_geometry(patch: pytest.MonkeyPatch) -> None:
    def tilted(k: int) -> torch.Tensor:
        return torch.eye(k, dtype=torch.float64) - 0.9 / k

    def doubled(k: int, delta: float = 0.1) -> torch.Tensor:
        return 2 * (1 - delta) * torch.eye(k, dtype=torch.float64)

    _break_into_frames(patch)  # spares the time of right optima
    patch.setattr(_cases, "centring", tilted)
    patch.setattr(class_encoding_claims, "centring", tilted)
    patch.setattr(encodings, "smoothed", doubled)
    patch.setattr(closed_form, "regime_margin", lambda *_, **__: -1.0)


def _break_collapse(patch: pytest.MonkeyPatch) -> None:
    """Optima, and theory of imbalance with classifiers, angles and bounds, that are not."""
    _break_optima(patch)

    def garbled(means, counts, **_):  # type: ignore[no-untyped-def]
        noise = _cases.gaussian(*means.shape, seed=int(counts[0]))
        return inducing_checks.LeastSquares(noise, noise[:, 0])

    checks = inducing_checks
    patch.setattr(checks, "least_squares_classifier", garbled)
    patch.setattr(checks, "mixture_jensen_shannon", lambda *_: 1.0)
    patch.setattr(checks, "cdnv_bound", lambda *_, **__: 0.0)
    patch.setattr(checks, "spread_means", lambda k, p, **_: (_cases.gaussian(k, p, seed=k), 0.0))
    patch.setattr(checks, "pairwise_angles", lambda m, **_: torch.full((len(m),) * 2, 170.0))
    patch.setattr(checks, "simplex_etf", lambda k, p, **_: _cases.gaussian(k, p, seed=k))
    patch.setattr(torch.linalg, "pinv", lambda matrix, **_: matrix.mT.clone())


def _break_self_duality(patch: pytest.MonkeyPatch) -> None:
    """Every classifier is parallel to its means."""

    def parallel(means, counts, **_):  # type: ignore[no-untyped-def]
        return inducing_checks.LeastSquares(means - means.mean(0), means[:, 0])

    _break_into_frames(patch)
    patch.setattr(inducing_checks, "least_squares_classifier", parallel)
    patch.setattr(inducing_checks, "spread_means", lambda k, p, **_: (torch.eye(k, p), 0.0))


def _break_tables(patch: pytest.MonkeyPatch) -> None:
    """Every number of the tables is the same."""
    tables = {
        number: replace(
            table,
            rows=tuple(replace(row, printed=(50.0,) * len(row.printed)) for row in table.rows),
        )
        for number, table in inducing_text.TABLES.items()
    }
    _break_self_duality(patch)
    patch.setattr(inducing_text, "TABLES", tables)


def _break_sums(patch: pytest.MonkeyPatch) -> None:
    """Prototypes are the sums of their labels' and all rows of the classifier one; and moments
    of labels are a hundred times too large."""

    def sums(labels, counts, **_):  # type: ignore[no-untyped-def]
        k = len(labels)
        weight = torch.ones(k, k, dtype=torch.float64)
        return _cases.UFMSolution(weight, labels.T.double(), weight[0] * 0, 1.0, 0.0, 1, 0)

    def enlarged(labels, counts=None):  # type: ignore[no-untyped-def]
        spectrum = right(labels, counts)
        entries = [replace(e, second_moment=100 * e.second_moment) for e in spectrum]
        large = type(spectrum)(entries)
        large.num_classes = spectrum.num_classes
        return large

    right = theory.label_spectrum
    patch.setattr(_cases, "solve", sums)
    patch.setattr(theory, "label_spectrum", enlarged)
    patch.setattr(theory, "stability_bound", lambda *_: 1e-3)


def _break_averages(patch: pytest.MonkeyPatch) -> None:
    """No prototype is along its tag-wise sum."""
    _break_sums(patch)
    patch.setattr(label_tables, "tag_wise_cosines", lambda *_, **__: [0.0])


def _break_exponents(patch: pytest.MonkeyPatch) -> None:
    """Each call gives other exponents and probabilities, and means are no simplex ETF."""
    seeds = iter(range(1000, 10**9))

    def random_exponents(means, *_, **__):  # type: ignore[no-untyped-def]
        per_class = 10 * _cases.gaussian(len(means), seed=next(seeds)).abs() + 1
        overall, wrong = float(per_class.min()), torch.zeros(len(means), dtype=torch.bool)
        return theory.ErrorExponent(overall, per_class, (0, 1), wrong)

    def random_probability(*_, **__):  # type: ignore[no-untyped-def]
        return theory.ErrorProbability(0.3, 1e-9, 0.3, 0.3, -1.2, -1.2, -1.2)

    _break_self_duality(patch)
    patch.setattr(theory, "error_exponent", random_exponents)
    patch.setattr(theory, "error_probability", random_probability)
    patch.setattr(classifiers, "simplex", lambda k, **_: _cases.gaussian(k, k - 1, seed=k))


def _break_strategies(patch: pytest.MonkeyPatch) -> None:
    """Strategies give rows and means of their own, the term is flat, and no method takes one."""

    def rows(weight, *_, **__):  # type: ignore[no-untyped-def]
        return _cases.gaussian(*weight.shape, seed=5) ** 2

    def flow(weight, *_, steps, **__):  # type: ignore[no-untyped-def]
        return rows(weight).expand(steps + 1, *weight.shape)

    def flat(weight, *_, **__):  # type: ignore[no-untyped-def]
        return (0 * weight).sum()

    def adjusted(classifier, *_, **__):  # type: ignore[no-untyped-def]
        return classifier._replace(weight=rows(classifier.weight))

    _break_exponents(patch)
    patch.setattr(methods, "slerp", rows)
    patch.setattr(methods, "project", rows)
    patch.setattr(losses, "misalignment", flat)
    patch.setattr(strategies, "gradient_flow", flow)
    patch.setattr(strategies, "adjusted", adjusted)
    patch.setattr(alignment_grid, "accepts", lambda *_: False)


def _break_minima(patch: pytest.MonkeyPatch) -> None:
    """Rows may only be the means, and end there."""
    patch.setattr(methods, "slerp", lambda _, means, *__, **___: means)
    patch.setattr(losses, "misalignment", lambda rows, means, **_: (rows - means).square().sum())


def _break_into_zero_exponents(patch: pytest.MonkeyPatch) -> None:
    """Every class is misclassified, and nothing leans or shifts."""

    def zero(means, *_, **__):  # type: ignore[no-untyped-def]
        zeros = torch.zeros(len(means), dtype=torch.float64)
        return theory.ErrorExponent(0.0, zeros, (0, 1), zeros == 0)

    _break_into_frames(patch)
    patch.setattr(theory, "error_exponent", zero)
    patch.setattr(classifiers.Classifier, "shifted", lambda classifier, _: classifier)


def _break_class_wise(patch: pytest.MonkeyPatch) -> None:
    """Logits, losses and angles that no theorem has, and every third simplex none."""
    checks, right = class_wise_checks, class_wise_checks.embedding
    seeds = iter(range(1000, 10**9))
    statistics = SimpleNamespace(head_tail_rate=0.5)

    def embedding(k: int, dim: int, seed: int = 0) -> Any:
        broken = (k, dim) in ((5, 7), (3, 3))
        return _cases.gaussian(k, dim, seed=seed) if broken else right(k, dim, seed)

    def unlike(labels: Any, *_: Any, **__: Any) -> class_wise.FixedOptimum:
        logits = 0.01 * _cases.gaussian(*labels.shape, seed=next(seeds))
        return class_wise.FixedOptimum(logits, 1.0, 0.0)

    def attend(tokens: Any, embeddings: Any) -> class_wise.Attended:
        features = _cases.gaussian(*embeddings.shape, seed=0)
        weights = torch.zeros(len(embeddings), len(tokens)).double() * tokens.sum()
        return class_wise.Attended(weights, features, (features * tokens.sum()).sum(1))

    def joint(counts: Any, dim: int) -> Any:
        equal = bool((counts == counts[0]).all())
        return _cases.gaussian(len(counts), dim, seed=0) if equal else right(len(counts), dim)

    patch.setattr(checks, "label_statistics", lambda _: statistics)
    patch.setattr(tables, "split_sizes", lambda _: (1, 2, 3))
    patch.setattr(tables, "split_by_counts", lambda: (1, 2, 3))
    patch.setattr(checks, "alignment_loss", lambda cosines, _: -1 - cosines.mean())
    patch.setattr(checks, "embedding", embedding)
    patch.setattr(checks, "fixed_optimum", unlike)
    patch.setattr(checks, "attend", attend)
    patch.setattr(checks, "pairwise_angles", lambda x, **_: torch.full((len(x),) * 2, 120.0))
    patch.setattr(class_wise, "epochs", lambda centres, *_: centres)
    patch.setattr(class_wise, "joint_centres", joint)
    patch.setattr(theory, "largest_nonnegative_cosine", lambda rows: 2 * rows[:, 0] ** 0)
    patch.setattr(theory, "largest_attention", lambda *_, **__: 2.0)
    patch.setattr(theory, "simplex_prototype_loss", lambda *_: 5.0)
    patch.setattr(theory, "least_mean_angle", lambda _: 170.0)
    patch.setattr(
        theory, "fixed_classifier_logits", lambda *_, **__: theory.TwoLogits(1.0, 1.0, 1.0)
    )
    patch.setattr(
        theory,
        "unit_block_optimum",
        lambda rows, *_, **__: theory.UnitBlocks(rows, rows[:, 0], 3.0, 0.0),
    )


def test_every_check_fails_when_what_it_tests_is_broken(
    fresh: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = [(claim.id, check) for claim in EXACT for check in claim.printed + claim.corrected]
    breaks = (
        _break_class_wise,
        _break_collapse,
        _break_self_duality,
        _break_geometry,
        _break_tables,
    )
    breaks += (_break_sums, _break_averages, _break_exponents, _break_into_zero_exponents)
    breaks += (_break_strategies, _break_minima)
    for break_it in breaks:
        _forget()
        with monkeypatch.context() as patch:
            break_it(patch)
            checks = [(name, check) for name, check in checks if check.run().ok]
    assert "; ".join(f"{name}: {check.text}" for name, check in checks) == ""


_SOLVED = [claim for claim in EXACT if not claim.chapter.startswith("inducing_nc")]


def _checks_that_call(
    patch: pytest.MonkeyPatch, name: str, broken: Callable[..., Any], owner: Any
) -> list[tuple[str, Evidence]]:
    """Text and evidence of each check that calls the broken function."""
    calls: list[str] = []

    def recorded(*args: Any, **options: Any) -> Any:
        calls.append(name)
        return broken(*args, **options)

    patch.setattr(owner, name, recorded)
    evidence = []
    for claim in _SOLVED:
        for check in claim.printed + claim.corrected:
            _forget()
            calls.clear()
            result = check.run()
            if calls:
                evidence.append((f"{claim.id}: {check.text}", result))
    return evidence


def test_no_check_is_true_of_the_solver_s_factors_alone(
    fresh: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its factors are balanced for any logits: what then holds tests the solver, not the claim."""
    _break_optima(monkeypatch)  # descents too, to spare their time
    results = _checks_that_call(monkeypatch, "solve", _unlike_optimum, _cases)
    assert len(results) > 40
    upper = [(text, evidence) for text, evidence in results if evidence.relation == "<="]
    assert [text for text, evidence in upper if evidence.ok] == []


def _scaled(value: Any) -> Any:
    """A prediction that is wrong by a tenth, or the other answer."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, tuple):
        return type(value)(*[_scaled(part) for part in value])
    return 0.9 * value


_THEIRS = class_encoding_claims


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("bias_bound", results._bias_bound_attained),
        ("bias_free_norms", results._imbalance_norms),
        ("free_bias_spectrum", results._imbalance_interlacing),
        ("invertible", results._invertible_inside),
        ("labels_for_gram", results._any_gram),
        ("means_coincide", results._coincide),
        ("merging_count", results._merging),
        ("nc2_labels", results._nc2_if),
        ("one_hot", _THEIRS._thm_iii_1_bias),
        ("one_hot", _THEIRS._thm_iii_1_scale),
        ("rotated_alignment", _THEIRS._nc3_cosine),
        ("smoothed_cross_entropy", results._smoothing_ce),
        ("ssetf", results._smoothing_mse),
        ("ssetf", results._ssetf_closed_form),
        ("two_sizes", results._imbalance_two_sizes),
    ],
)
def test_a_prediction_that_is_wrong_by_a_tenth_fails(
    fresh: None, monkeypatch: pytest.MonkeyPatch, name: str, check: Callable[[], Evidence]
) -> None:
    right = getattr(closed_form, name)
    wrong = lambda *args, **options: _scaled(right(*args, **options))  # noqa: E731
    monkeypatch.setattr(closed_form, name, wrong)
    assert not check().ok


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("balanced_optimum", spectral_checks.balanced_closed_form),
        ("merging_thresholds", spectral_checks.merging_thresholds),
        ("trivial_threshold", spectral_checks.trivial_thresholds),
        ("upper_bound", spectral_checks.both_bounds),
        ("upper_bound", spectral_checks.tight_designs),
        ("lower_bound", spectral_checks.tight_designs),
    ],
)
def test_theory_of_several_labels_that_is_wrong_by_a_tenth_fails(
    fresh: None, monkeypatch: pytest.MonkeyPatch, name: str, check: Callable[[], Evidence]
) -> None:
    right = getattr(theory, name)

    def wrong(*args: Any, **options: Any) -> Any:
        value = right(*args, **options)
        return (
            value._replace(scale_squared=0.9 * value.scale_squared)
            if name == "balanced_optimum"
            else 0.9 * value
        )

    monkeypatch.setattr(theory, name, wrong)
    assert not check().ok


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_what_is_claimed_of_critical_points_fails_when_scaled(
    monkeypatch: pytest.MonkeyPatch, factor: float
) -> None:
    stationary = class_encoding_stationary
    decay = _cases.Decay(lam_w=factor * stationary._DECAY["lam_w"], lam_h=0.005)
    points = stationary.critical_points()
    monkeypatch.setattr(stationary, "_DECAY", decay)
    assert max(p.imbalance for p in points) == pytest.approx(0.1, rel=1e-5)
    decay = _cases.Decay(lam_w=0.02, lam_h=factor * 0.005)
    monkeypatch.setattr(stationary, "_DECAY", decay)
    assert max(p.bias_misfit for p in points) > 1e-3


def test_a_verdict_follows_its_evidence(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert papers.claim("class-encoding/thm-iv-4").verdict == "reproduced"
    request.getfixturevalue("fresh")
    _break_optima(monkeypatch)
    assert papers.claim("class-encoding/thm-iv-4").verdict == "contradicted"


# --- Grids ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", [paper.id for paper in papers.PAPERS.values() if paper.grid])
def test_a_papers_runs_are_a_grid_without_duplicates(name: str, profile: str) -> None:
    configs = read_grid(f"{name}/{profile}")
    assert {config.profile for config in configs} == {profile}
    # The networks that alignment starts from are those of the paper on inducing collapse.
    others = {"inducing-nc"} if name == "space-alignment" else set()
    assert {config.paper for config in configs} == {name, *others}
    assert len({config.id for config in configs}) == len(configs) >= 4


def test_a_file_is_a_grid(tmp_path: Path) -> None:
    config = class_encoding_grid.config("smoke")
    (tmp_path / "runs.json").write_text(f"[{config.to_json()}]")
    assert read_grid(tmp_path / "runs.json") == [config]


@pytest.mark.parametrize(
    "source", ["no-such-paper/smoke", "book/smoke", "class-encoding/huge", "absent.json"]
)
def test_an_unknown_grid_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="neither a file nor"):
        read_grid(source)


def test_every_chapter_that_trains_the_runs_of_a_grid_is_declared() -> None:
    """Those that import the grid and train; what is only looked up needs no training first."""
    declared = {name for paper in papers.PAPERS.values() for name in paper.trained}
    training = set()
    for chapter in chapters.list_chapters():
        cells = nbformat.read(chapter.path, as_version=4).cells
        source = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
        if " import grid as " in source and ".get(" in source.replace("METHODS.get(", ""):
            training.add(chapter.name)
    assert training <= declared <= {chapter.name for chapter in chapters.list_chapters()}


# --- Networks: records decide ---------------------------------------------------------------------


def test_without_records_a_network_claim_is_not_run(
    fresh: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NCLIB_LEDGER", str(tmp_path))
    claims = [claim for claim in ALL if claim.profile != "exact"]
    assert {claim.verdict for claim in claims} == {"not run"}


def _ideal(config: RunConfig, follow: RunConfig, spread: float) -> RunRecord:
    """The record of a network that reaches the optimum of ``follow``, up to a spread in classes."""
    optimum = class_encoding_grid.optimum(follow)
    means, weight = optimum.means, optimum.weight
    labels = torch.arange(len(means)).repeat(8)
    noise = spread * means.norm() * _cases.gaussian(len(labels), means.shape[1], seed=4)
    report = metrics.measure(means[labels] + noise, labels, weight=weight, bias=optimum.bias)
    entry = {"epoch": config.epochs, "accuracy": 1.0, "report": report.to_dict()}
    arrays = {"class_means": means.float().numpy(), "weight": weight.float().numpy()}
    return RunRecord(config, [], {"train_accuracy": 1.0}, {"train": [entry]}, arrays, {})


@pytest.mark.parametrize(
    ("follow", "spread", "text", "book"),
    [
        (None, 1e-3, "reproduced", "reproduced"),
        (None, 0.3, "partly", "reproduced"),  # everything but NC1
        ({"encoding": "one_hot", "encoding_options": {}}, 1e-3, "partly", "partly"),
        ({"lam_w": 0.005}, 1e-3, "reproduced", "partly"),  # collapsed, but elsewhere
    ],
)
def test_records_decide_about_networks(
    fresh: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    follow: dict[str, Any] | None,
    spread: float,
    text: str,
    book: str,
) -> None:
    monkeypatch.setenv("NCLIB_LEDGER", str(tmp_path))
    for config in class_encoding_grid.grid("laptop", seeds=(0,)):
        fields = {**config.model_dump(), **(follow or {})}
        ledger.publish(_ideal(config, RunConfig.model_validate(fields), spread))
    assert papers.claim("class-encoding/networks-laptop").verdict == text
    assert papers.claim("book/networks-laptop").verdict == book
    assert papers.claim("class-encoding/networks-paper").verdict == "not run"


# --- Rendering -----------------------------------------------------------------------------------


def test_the_scorecard_is_the_same_each_time(request: pytest.FixtureRequest) -> None:
    names = ("class-encoding/thm-iii-1", "class-encoding/conjecture-if")
    before = [repr(papers.show(name)) + papers.show(name)._repr_html_() for name in names]
    request.getfixturevalue("fresh")
    assert before == [repr(papers.show(name)) + papers.show(name)._repr_html_() for name in names]


def test_formulas_are_one_source_for_terminal_notebook_and_page() -> None:
    shown = papers.show("inducing-nc/eq-12")
    assert "$" not in shown._repr_html_()
    assert '<span class="math">\\(d_{JS}\\)</span> of the features' in shown._repr_html_()
    assert "$d_{JS}$ of the features" in papers.scorecard_markdown()
    assert "$\\sigma = 0.1$" in str(shown.claim.corrected[1].evidence())


@pytest.mark.parametrize("claim", ALL, ids=lambda claim: claim.id)
def test_dollars_stand_in_pairs(claim: Claim) -> None:
    for text in (claim.statement, *(check.text for check in claim.printed + claim.corrected)):
        assert text.count("$") % 2 == 0, text


@pytest.mark.parametrize("claim", EXACT, ids=lambda claim: claim.id)
def test_formulas_stand_between_dollars(claim: Claim) -> None:
    checks = claim.printed + claim.corrected
    texts = [claim.where, claim.statement, *(check.text for check in checks)]
    texts += [check.evidence().quantity for check in checks]
    for text in texts:
        words = " ".join(text.split("$")[::2])
        assert not re.search(r"[Α-Ωα-ω√ᵀ‖≤≥⟨₊\u0304*^_]|(?<= )[+=−<>](?= )", words), words


def test_a_shown_claim_escapes_its_text() -> None:
    page = papers.show("class-encoding/thm-iii-1")._repr_html_()
    assert "&lt; 1" in page
    assert "Theorem III.1: partly" in page


def test_claims_point_to_chapters_and_blocks_that_exist() -> None:
    known = {chapter.name: chapter.path for chapter in chapters.list_chapters()}
    for claim in ALL:
        assert claim.chapter in known, claim.id
        if claim.label:
            notebook = nbformat.read(known[claim.chapter], as_version=4)
            blocks = "\n".join(cell.source for cell in notebook.cells)
            assert f":label: {claim.label}\n" in blocks, claim.id
