"""Claims of "Inducing neural collapse in deep long-tailed learning" (arXiv 2302.12453)."""

from __future__ import annotations

from functools import partial

from nclib.papers._claim import Check, Claim, Evidence
from nclib.papers.inducing_nc import _checks as theory
from nclib.papers.inducing_nc._networks import network_claims
from nclib.papers.inducing_nc._tables import BOLD_3, TABLES, UNDERLINED_3

_THEORY = "inducing_nc/theory"
_EXPERIMENTS = "inducing_nc/experiments"


# --- What the text says of the tables, against the tables ----------------------------------------


def _number(table: int, row: str, column: str) -> float:
    value = TABLES[table].cell(row, column).printed
    assert value is not None
    return value


def _exceptions(pairs: list[tuple[float, float]], found: str) -> Evidence:
    """How many pairs are not in strictly increasing order."""
    return Evidence(sum(a >= b for a, b in pairs), 0, len(pairs), found)


def _ordered(table: int, *rows: tuple[str, str]) -> Evidence:
    """That one row is printed below another in every column."""
    pairs = [
        (_number(table, low, column), _number(table, high, column))
        for column in TABLES[table].columns
        for low, high in rows
    ]
    return _exceptions(pairs, "columns where it is not")


def _table_2(loss: str) -> Evidence:
    return _ordered(2, (loss, f"{loss} + NC"))


def _surpassed(table: int, *columns: str) -> Evidence:
    """That NC-DRW-cRT is printed above every other method."""
    pairs = []
    for column in columns:
        cells = (TABLES[table].cell(row.title, column) for row in TABLES[table].rows)
        others = [c.printed for c in cells if c.printed and not c.row.startswith("NC-DRW")]
        pairs.append((max(others), _number(table, "NC-DRW-cRT", column)))
    return _exceptions(pairs, "columns where another method is as good or better")


def _table_3_marks() -> Evidence:
    wrong = 0
    for column in TABLES[3].columns:
        values = {r.title: TABLES[3].cell(r.title, column).printed for r in TABLES[3].rows}
        first, second = sorted({v for v in values.values() if v is not None}, reverse=True)[:2]
        wrong += {r for r, v in values.items() if v == first} != set(BOLD_3[column])
        wrong += {r for r, v in values.items() if v == second} != set(UNDERLINED_3[column])
    return Evidence(wrong, 0, 2 * len(TABLES[3].columns), "marks that are not on the right rows")


def _table_4_few() -> Evidence:
    return _exceptions(
        [
            (_number(4, "CE", column), _number(4, row, column))
            for column in ("Medium", "Few")
            for row in ("NC-DRW", "NC-DRW-cRT")
        ],
        "cases where CE is as good",
    )


def _table_5() -> Evidence:
    pairs = [
        (cell.against.printed, cell.printed)
        for cell in TABLES[5].cells()
        if cell.against is not None and cell.printed is not None
    ]
    return _exceptions(
        [(plain, terms) for plain, terms in pairs if plain is not None],
        "pairs where it does not",
    )


def _noisy(row: str, model: str) -> float:
    """Sum over the noise levels above 0."""
    return sum(_number(6, row, f"{model}, {std:.2f}") for std in (0.1, 0.2, 0.3, 0.4))


def _table_6(*, each: bool) -> Evidence:
    pairs: list[tuple[float, float]] = []
    for model in ("ResNet-32", "ResNet-18"):
        found = [
            (_noisy(row.against, model), _noisy(row.title, model))
            for row in TABLES[6].rows
            if row.against is not None
        ]
        plain, terms = zip(*found, strict=True)
        pairs += found if each else [(sum(plain), sum(terms))]
    return _exceptions(pairs, "averages where CE is as good")


def _table_7_each() -> Evidence:
    return _ordered(7, ("CE", "+ L_W"), ("CE", "+ L_B"))


def _table_7_both() -> Evidence:
    others = [row.title for row in TABLES[7].rows if row.title != "+ L_W & L_B"]
    return _ordered(7, *((title, "+ L_W & L_B") for title in others))


def _table_7_center() -> Evidence:
    return _ordered(7, ("+ center loss", "+ L_W"))


def _table_7_between() -> Evidence:
    return _ordered(7, ("+ L_W", "+ L_B"))


def _text(name: str, where: str, statement: str, *checks: Check) -> Claim:
    return Claim(f"inducing-nc/{name}", where, statement, checks, chapter=_EXPERIMENTS)


_TEXT = (
    _text(
        "text-table-2",
        "Text on Table 2, against the table",
        "Table 2 shows that our method can reduce the generalization error with both CE and MSE "
        "loss.",
        Check("with CE, in both columns", partial(_table_2, "CE")),
        Check("with MSE, in both columns", partial(_table_2, "MSE")),
    ),
    _text(
        "text-table-3",
        "Text on Tables 3 and 4, against the tables",
        "Our method surpasses existing methods on all three datasets; it substantially improves "
        "the Medium- and Few-shot categories compared to CE.",
        Check(
            "NC-DRW-cRT is best on CIFAR10-LT",
            partial(_surpassed, 3, "CIFAR10-LT, 100", "CIFAR10-LT, 10"),
        ),
        Check(
            "NC-DRW-cRT is best on CIFAR100-LT",
            partial(_surpassed, 3, "CIFAR100-LT, 100", "CIFAR100-LT, 10"),
        ),
        Check("NC-DRW-cRT is best on ImageNet-LT", partial(_surpassed, 4, "All")),
        Check("ImageNet-LT, Medium and Few: above CE", _table_4_few),
    ),
    _text(
        "caption-table-3",
        "Caption of Table 3, against the table",
        "The best and second-best results are marked in bold and underlined.",
        Check("the marks are on the rows of the two largest numbers", _table_3_marks),
    ),
    _text(
        "text-table-5",
        "Text on Table 5, against the table",
        "Our regularization terms can increase the accuracy in all three algorithms.",
        Check("every row is above the one without the terms", _table_5),
    ),
    _text(
        "text-table-6",
        "Text on Table 6, against the table",
        "Our regularization terms can improve the robustness for different model capacities.",
        Check(
            "either network: CE‡ is above CE on average over data sets and noise",
            partial(_table_6, each=False),
        ),
        Check(
            "and on average over the noise for each data set",
            partial(_table_6, each=True),
        ),
    ),
    _text(
        "text-table-7",
        "Text on Table 7, against the table",
        "Each term can significantly improve accuracy individually, their combination produces "
        "the best results, L_W consistently produces better results than center loss, and NC2 is "
        "more useful.",
        Check("L_W alone and L_B alone are above CE", _table_7_each),
        Check("both together are above every other row", _table_7_both),
        Check("L_W is above center loss in every column", _table_7_center),
        Check("L_B is above L_W in every column", _table_7_between),
    ),
)

_PROPOSITIONS = (
    Claim(
        "inducing-nc/prop-1",
        "Proposition 1",
        "For fixed features the weight and bias that minimise the squared error are W_LS = Σ_T^† "
        "M̄ Λ and b_LS (eqs. 8, 9).",
        (Check("they minimise the squared error", theory.prop_1_formula),),
        (Check("among all minimisers W_LS has the least norm", theory.prop_1_unique),),
        _THEORY,
        "prop-in-1-paper",
    ),
    Claim(
        "inducing-nc/prop-1-text",
        "Section 2.2.1, text",
        "The optimal weight is strongly affected by Λ: the classifier weights of the majority "
        "classes will have larger norms.",
        (Check("collapsed features, counts 500 to 2: larger", theory.prop_1_skew),),
        (
            Check(
                "under NC1 with affinely independent means W_LS does not depend on the counts",
                theory.prop_1_skew_instead,
            ),
            Check(
                "with isotropic noise about a simplex ETF it does: the more frequent, the longer",
                theory.prop_1_skew_noise,
            ),
            Check("its rows then have a closed form", theory.prop_1_noise_formula),
            Check("about other means the largest class may be shortest", theory.prop_1_skew_close),
        ),
        _THEORY,
        "thm-in-counts",
    ),
    Claim(
        "inducing-nc/prop-2",
        "Proposition 2",
        "The class-distance normalised variance of the target is bounded by that of the source, "
        "up to terms in n_k that vanish as it grows.",
        (Check("the bound (10) holds with probability 1 − δ", theory.prop_2_printed),),
        (
            Check(
                "it does with min(n_k, n_k′), (1 + A)² and explicit constants, for bounded "
                "features and one map",
                theory.prop_2_instead,
            ),
            Check("it fails with terms a tenth as large", theory.prop_2_constants),
        ),
        _THEORY,
        "prop-in-2-paper",
    ),
    Claim(
        "inducing-nc/eq-12",
        "Equation (12)",
        "d_JS of the features is bounded below by d_JS of the labels, and neural collapse attains "
        "the bound.",
        (Check("the features' divergence is not less", theory.eq_12_printed),),
        (
            Check("under label shift it is not more: data processing", theory.eq_12_instead),
            Check("collapse attains the maximum", theory.eq_12_collapse),
            Check("so do merged classes with one ratio of priors", theory.eq_12_merged),
        ),
        _THEORY,
        "prop-in-12-paper",
    ),
    Claim(
        "inducing-nc/prop-3",
        "Proposition 3",
        "The least largest cosine between n vectors is −1/(n − 1).",
        (
            Check("in at least n − 1 dimensions", theory.prop_3_instead),
            Check("in fewer", theory.prop_3_printed),
        ),
        chapter=_THEORY,
        label="prop-in-3-paper",
    ),
    Claim(
        "inducing-nc/eq-17",
        "Section 3.2, text and equation (17)",
        "L_B leads all pairs of the K class means to the cosine −1/(K − 1).",
        (
            Check("its optimum, P ≥ K − 1", theory.lb_optimum),
            Check("its optimum for K = 100, P = 64 and others", theory.lb_narrow),
        ),
        chapter=_THEORY,
        label="thm-in-lb",
    ),
    Claim(
        "inducing-nc/prop-4",
        "Proposition 4",
        "Proposition 1, NC1, NC2 and class-balanced sampling lead to NC3.",
        (Check("the classifier is parallel to the centred means", theory.prop_4_printed),),
        (
            Check("it is without class-balanced sampling too", theory.prop_4_instead),
            Check("and for no other means that are affinely independent", theory.prop_4_converse),
        ),
        _THEORY,
        "prop-in-4-paper",
    ),
    Claim(
        "inducing-nc/prop-4-proof",
        "Proof of Proposition 4",
        "W_r = (n/K)(M̂ᵀ)^†.",
        (Check("the factor is n/K", theory.prop_4_factor),),
        chapter=_THEORY,
        label="thm-in-nc3",
    ),
    Claim(
        "inducing-nc/eq-6",
        "Equation (6), NC4",
        "At neural collapse the classifier decides as the nearest class mean, argmax ⟨w_k, h⟩.",
        (Check("without a bias", theory.nc4_printed),),
        (Check("with b_LS", theory.nc4_instead),),
        _THEORY,
        "prop-in-nc4",
    ),
)

CLAIMS = (*_PROPOSITIONS, *_TEXT, *network_claims("laptop"), *network_claims("paper"))
