"""What the text of "Inducing neural collapse" says of its tables, against the tables."""

from __future__ import annotations

from functools import partial

from nclib.papers._claim import Check, Claim, Evidence
from nclib.papers.inducing_nc.tables import BOLD_3, TABLES, UNDERLINED_3


def _number(table: int, row: str, column: str) -> float:
    value = TABLES[table].cell(row, column).printed
    assert value is not None
    return value


def _exceptions(pairs: list[tuple[float, float]], quantity: str) -> Evidence:
    """How many pairs are not in strictly increasing order."""
    return Evidence(sum(a >= b for a, b in pairs), 0, len(pairs), quantity)


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
        averages = [
            (_noisy(row.against, model), _noisy(row.title, model))
            for row in TABLES[6].rows
            if row.against is not None
        ]
        plain, terms = zip(*averages, strict=True)
        pairs += averages if each else [(sum(plain), sum(terms))]
    return _exceptions(pairs, "averages where CE is as good")


def _table_7_each() -> Evidence:
    return _ordered(7, ("CE", "+ $L_W$"), ("CE", "+ $L_B$"))


def _table_7_both() -> Evidence:
    others = [row.title for row in TABLES[7].rows if row.title != "+ $L_W$ & $L_B$"]
    return _ordered(7, *((title, "+ $L_W$ & $L_B$") for title in others))


def _table_7_center() -> Evidence:
    return _ordered(7, ("+ center loss", "+ $L_W$"))


def _table_7_between() -> Evidence:
    return _ordered(7, ("+ $L_W$", "+ $L_B$"))


def _text(name: str, where: str, statement: str, *checks: Check) -> Claim:
    return Claim(f"inducing-nc/{name}", where, statement, checks, chapter="inducing_nc/experiments")


TEXT = (
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
        "the best results, $L_W$ consistently produces better results than center loss, and NC2 is "
        "more useful.",
        Check("$L_W$ alone and $L_B$ alone are above CE", _table_7_each),
        Check("both together are above every other row", _table_7_both),
        Check("$L_W$ is above center loss in every column", _table_7_center),
        Check("$L_B$ is above $L_W$ in every column", _table_7_between),
    ),
)
