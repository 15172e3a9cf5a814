"""Inducing neural collapse in deep long-tailed learning: its claims, tables and networks."""

from nclib.papers._paper import Paper
from nclib.papers.inducing_nc import grid
from nclib.papers.inducing_nc._comparison import Setting, comparison
from nclib.papers.inducing_nc.claims import CLAIMS
from nclib.papers.inducing_nc.tables import TABLES

__all__ = ["TABLES", "Setting", "comparison"]

PAPER = Paper(
    "inducing-nc",
    "Inducing neural collapse in deep long-tailed learning",
    "{cite:t}`liu2023inducing`, all of it: {doc}`/notebooks/inducing_nc/theory` states and proves, "
    "{doc}`/notebooks/inducing_nc/method` shows the two terms at work, "
    "{doc}`/notebooks/inducing_nc/experiments` holds every table against our records.",
    CLAIMS,
    grid=grid.grid,
    trained=("inducing_nc/experiments", "inducing_nc/method"),
)
