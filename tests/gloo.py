"""What each process of the distributed test runs; imported anew by each."""

import pickle
from pathlib import Path

import torch
import torch.distributed as dist
from generators import FeatureSet

from nclib.metrics import CollapseMetric


def work(rank: int, world_size: int, folder: str, data: FeatureSet) -> None:
    """Measure every ``world_size``-th batch, sync, measure what is left, sync again."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world_size
    )
    classes, dim = data.weight.shape
    metric = CollapseMetric(classes, dim, weight=data.weight, bias=data.bias)
    batches = list(zip(data.features.split(10), data.labels.split(10), strict=True))
    reports = []
    for half in (batches[: len(batches) // 2], batches[len(batches) // 2 :]):
        for features, labels in half[rank::world_size]:
            metric.update(features, labels)
        reports.append(metric.compute().to_dict(means=True))
    kept = sum(len(batch) for batch in metric.features)
    Path(folder, f"{rank}.pkl").write_bytes(pickle.dumps((reports, kept)))
    dist.destroy_process_group()
