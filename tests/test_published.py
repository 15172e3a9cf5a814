"""What was published stays as it was: configurations, ids, and first weights."""

import json
from pathlib import Path

import pytest
import torch

from nclib import data
from nclib.runs import RunConfig, ledger
from nclib.train import _stage

# For each network that published runs begin with: how many weights it has, and their product with
# cos(1), cos(√2), cos(√3), …, which tells any of them from another, and other places too.
FIRST_WEIGHTS = json.loads(Path(__file__).with_name("first_weights.json").read_text())
STARTS = {
    "666f09ae9ef0274c": "5471fc87d6b6ee34",
    "84fe6727120e6701": "757afbf1bccbe90b",
    "e3847a6c63195eba": "73eec56791561623",
    "ebbbd7ffcf21adb8": "757afbf1bccbe90b",
}


def published(run_id):
    (path,) = ledger.published_root().glob(f"*/{run_id}.json")
    return RunConfig.model_validate(json.loads(path.read_text())["config"])


def first_network(config):
    info = data.info(config.dataset)
    return _stage.network(config, info, torch.ones(info.num_classes, dtype=torch.int64))


@pytest.mark.parametrize("network", FIRST_WEIGHTS, ids=lambda network: network["runs"][0])
def test_published_runs_keep_their_ids_and_their_first_weights(network):
    configs = [published(run_id) for run_id in network["runs"]]
    assert [config.id for config in configs] == network["runs"]
    for config in configs[:1] + configs[-1:]:
        tensors = first_network(config).state_dict().values()
        weights = torch.cat([t.flatten().double() for t in tensors if t.is_floating_point()])
        assert len(weights) == network["weights"]
        places = torch.arange(1, len(weights) + 1, dtype=torch.float64).sqrt().cos()
        # Rounding differs among processors, in the last digit of a weight.
        assert weights @ places == pytest.approx(network["projection"], rel=1e-6)


def test_no_published_run_is_left_out():
    assert {r for network in FIRST_WEIGHTS for r in network["runs"]} == {
        record.id for record in ledger.records()
    }


def test_published_second_stages_start_from_the_runs_that_they_started_from():
    """The ids of those runs when the second stages were published."""
    configs = [published(run_id) for network in FIRST_WEIGHTS for run_id in network["runs"]]
    starts = {c.id: c.previous().id for c in configs if c.previous() is not None}
    assert starts == STARTS
