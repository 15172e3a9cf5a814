"""Tables 2–7 beside published records."""

from __future__ import annotations

from dataclasses import dataclass

from nclib._profiles import Profile
from nclib.papers._comparison import Comparison
from nclib.papers.inducing_nc import grid
from nclib.papers.inducing_nc.tables import TABLES
from nclib.runs import RunConfig


@dataclass(frozen=True)
class Setting:
    """What the runs have in common whose spread over seeds is pooled."""

    profile: Profile
    dataset: str = "cifar10"
    imbalance: float = 100.0
    model: str = "resnet32"
    epochs: int | None = None  # None: what a method has in the tables

    paper = "inducing-nc"

    def covers(self, config: RunConfig) -> bool:
        """Whether a run of the profile is one of them, with experts or branches or without.

        One with a plug-in is not, whose network or spread may be another's.
        """
        if config.plugins:
            return False
        epochs = self.epochs
        if epochs is None:
            epochs = grid.epochs_of(self.profile, config.method, config.dataset)
        return (self.dataset, self.imbalance, self.model, epochs) == (
            config.dataset,
            config.imbalance,
            config.model.partition("-")[0],
            config.epochs,
        )


def setting_of(config: RunConfig) -> Setting:
    """The setting of a run of the tables."""
    network = config.model.partition("-")[0]
    return Setting(config.profile, config.dataset, config.imbalance, network)


comparison = Comparison(TABLES, grid.of, setting_of, grid.SEEDS, printed_runs=3)
