"""How the runs of each method differ from its authors', as a page of the book."""

from __future__ import annotations

from collections.abc import Mapping

from nclib.methods import METHODS, Difference, Method
from nclib.runs import RunRecord, ledger


def differences_markdown() -> str:
    """The page in MyST: the methods with their sources and differences, and measured effects.

    Methods with the same sources and differences stand together.
    """
    published = {record.id: record for record in ledger.records()}
    groups: dict[tuple[tuple[str, ...], tuple[Difference, ...]], list[Method]] = {}
    for method in METHODS.values():
        groups.setdefault((method.sources, method.differences), []).append(method)
    lines = ["```{list-table}", ":header-rows: 1", ":widths: 22 78", ""]
    lines += ["* - Method", "  - What its authors have, and what stands here"]
    for (sources, differences), methods in groups.items():
        lines += [f"* - **{methods[0].title}**", ""]
        lines += [f"    {', '.join(f'`{method.name}`' for method in methods)}", ""]
        lines += [f"    {{cite:t}}`{','.join(sources)}`"]
        entries = [f"{one.text} *{_effect(one, published)}*" for one in differences] or [
            "None is known."
        ]
        lines += [f"  - - {entries[0]}", *(f"    - {entry}" for entry in entries[1:])]
    return "\n".join([_HEAD, *lines, "```", ""])


def _effect(difference: Difference, published: Mapping[str, RunRecord]) -> str:
    """What it changes to have it as the authors do, where both runs are published."""
    here, theirs = (published.get(run) for run in difference.runs or ("", ""))
    if here is None or theirs is None:
        return "Not measured."
    change = 100 * (theirs.score - here.score)
    points = f"{change:+.1f}".replace("-", "−")
    return f"As they have it: {points} points (one run each, {here.profile} profile)."


_HEAD = """# How the runs differ from their authors'

Each row of a long-tail table is trained as its authors train it, or differs from that in what is
listed here. At the paper profile a method of others has the schedule, the weight decay and the
options of its released code; what the code says is in the configuration of the run and not here.
All rows have these in common: the number is that of the last epoch, where most released code
reports the best; the paper profile is trained in bf16; the learning rate rises linearly for a
fortieth of the epochs, at every step where nothing else is said; linear layers begin as
`torch.nn.Linear` draws them, with a bias of zero. Where two published runs on CIFAR-10-LT at ratio
100 differ in one choice alone, the change of the test accuracy stands beside it. A seed alone
changes it too: [](../../notebooks/inducing_nc/experiments.ipynb) says by how much.
"""
