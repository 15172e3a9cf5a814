"""A trained network beside the certified optimum of its labels."""

from __future__ import annotations

from functools import cache
from statistics import fmean
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from nclib import data, metrics
from nclib._profiles import Profile
from nclib.papers._effects import Effect, margin
from nclib.papers.multilabel_spectral import grid, label_tables
from nclib.papers.multilabel_spectral.label_tables import LabelTable, Optimum
from nclib.runs import RunConfig, RunRecord, ledger


class Prototypes(NamedTuple):
    """What features, classifier and bias are, of a network or of an optimum."""

    means: Float[Tensor, "C P"]  # one row a support, as the table has them
    weight: Float[Tensor, "K P"]
    bias: Float[Tensor, " K"]

    def cosines(self, table: LabelTable) -> dict[str, float]:
        """Mean cosine of the prototypes of several labels with what each rule makes."""
        fits = metrics.synthesis_fits(
            self.means, table.labels, counts=table.counts, weight=self.weight, bias=self.bias
        )
        return {rule: float(fit.cosines.mean()) for rule, fit in fits.items()}

    def gram(self, table: LabelTable) -> Float[Tensor, "C C"]:
        r""":math:`D^{1/2}H^\top HD^{1/2}`: inner products of prototypes, weighed by samples."""
        rows = self.means * table.counts.sqrt()[:, None]
        return rows @ rows.T


def table_of(config: RunConfig) -> LabelTable:
    """The training labels of a run on canvases."""
    supports = data.info(config.dataset, dict(config.dataset_options)).train_supports
    if supports is None:
        raise ValueError(f"run {config.id} is on {config.dataset}: its labels are not prescribed")
    return LabelTable(supports.supports.double(), supports.counts.double())


def trained(record: RunRecord) -> Prototypes:
    """The means by support of a network's training features, and its classifier."""
    table = table_of(record.config)
    places = {tuple(row): i for i, row in enumerate(record.tensor("supports").tolist())}
    order = [places[tuple(row)] for row in table.labels.tolist()]
    assert torch.equal(record.tensor("support_counts")[order], table.counts)
    means = record.tensor("support_means")[order]
    return Prototypes(means, record.tensor("weight"), record.tensor("bias"))


def optimum(config: RunConfig) -> Optimum:
    r"""The certified optimum of a run's labels and penalties, once computed.

    For ``pal`` and ``bce``, which have no such penalties, that with the :math:`\lambda` of the
    profile and a free bias: something to compare shapes with, no prediction.
    """
    options, samples = config.dataset_options, table_of(config).samples
    if config.method == "plain":
        return _optimum(config.dataset, options, config.lam_w, config.lam_h, config.lam_b)
    lam = grid.LAM[config.profile]
    return _optimum(config.dataset, options, lam, lam / samples, 0.0)


@cache
def _optimum(
    dataset: str, options: tuple[tuple[str, float | str], ...], *penalties: float
) -> Optimum:
    supports = data.info(dataset, dict(options)).train_supports
    assert supports is not None  # table_of has asked
    table = LabelTable(supports.supports.double(), supports.counts.double())
    lam_w, lam_h, lam_b = penalties
    return label_tables.optimum(table, lam_w=lam_w, lam_h=lam_h, lam_b=lam_b)


def certified(config: RunConfig) -> Prototypes:
    """Those of :func:`optimum`."""
    best = optimum(config)
    return Prototypes(best.prototypes, best.weight, best.bias)


def gram_misfit(record: RunRecord, *, shape: bool = False) -> float:
    """Relative distance of a network's Gram matrix of prototypes from the certified one.

    Args:
        record: of the network.
        shape: compare both divided by their norms, as for networks without the penalties.
    """
    table = table_of(record.config)
    ours, best = (p.gram(table) for p in (trained(record), certified(record.config)))
    if shape:
        ours, best = ours / ours.norm(), best / best.norm()
    return float((ours - best).norm() / best.norm())


def published(profile: Profile, **fields: object) -> list[RunRecord]:
    """Published records of the grid, seed by seed, with those values of fields.

    Args:
        profile: of the runs.
        fields: of their configurations, such as ``method``.
    """
    configs = [
        config
        for config in grid.grid(profile)
        if all(getattr(config, name) == value for name, value in fields.items())
    ]
    records = map(ledger.published, configs)
    return [record for record in records if record is not None]


def leads(profile: Profile, one: str, other: str) -> list[tuple[RunConfig, Effect]]:
    """By how much one rule of synthesis is nearer than another in published networks.

    Args:
        profile: of networks with the model's objective and imbalanced singletons.
        one: a rule, as :meth:`Prototypes.cosines` names it.
        other: another.

    Returns:
        For each setting a configuration, and the mean over its seeds of the difference of the mean
        cosines. The seeds of all settings say how well it is known.
    """
    settings: dict[str, list[RunRecord]] = {}
    for record in published(profile, method="plain"):
        if grid.imbalanced(record.config):
            seedless = record.config.model_copy(update={"seed": 0})
            settings.setdefault(seedless.id, []).append(record)
    values = []
    for records in settings.values():
        cosines = [trained(r).cosines(table_of(r.config)) for r in records]
        values.append([c[one] - c[other] for c in cosines])
    return [
        (records[0].config, Effect(fmean(lead), margin(values, len(lead))))
        for records, lead in zip(settings.values(), values, strict=True)
    ]
