"""One process or several: the rows that each takes, and how they see the whole batch."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import Tensor, nn

from nclib import _torchrun
from nclib.train import _precision


class Alone:
    """What Lightning Fabric is for one process in float32, for which there is nothing to arrange.

    Its import takes longer than many a small run, and its wrappers a fifth of a small step.
    """

    def __init__(self) -> None:
        self.device = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")

    def setup(
        self, network: nn.Module, optimizer: torch.optim.Optimizer
    ) -> tuple[nn.Module, torch.optim.Optimizer]:
        """Both as they are."""
        return network, optimizer

    def autocast(self) -> AbstractContextManager[None]:
        """No change of precision."""
        return nullcontext()

    def backward(self, loss: Tensor) -> None:
        """The gradients."""
        loss.backward()


def fabric(precision: Literal["32-true", "bf16-mixed"]) -> Any:
    """Lightning Fabric for this process: alone, or one of those that ``torchrun`` started."""
    if precision == "32-true" and not _torchrun.started():
        return Alone()
    from lightning.fabric import Fabric  # slow to import
    from lightning.fabric.plugins.environments import LightningEnvironment

    accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    rounded = _precision.is_rounded(precision, accelerator)
    plugins = [_precision.plugin()] if rounded else []
    named = None if rounded else precision  # Fabric takes a name or a plugin
    if not _torchrun.started():
        return Fabric(
            accelerator=accelerator,
            devices=1,
            precision=named,
            # One process, wherever SLURM may be installed.
            plugins=[*plugins, LightningEnvironment()],
        )
    local = int(os.environ["LOCAL_WORLD_SIZE"])
    several = Fabric(
        accelerator=accelerator,
        strategy="ddp",
        devices=local,
        num_nodes=int(os.environ["WORLD_SIZE"]) // local,
        precision=named,
        plugins=plugins,
    )
    several.launch()
    return several


def world_size() -> int:
    """Processes that train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """This process among them."""
    return dist.get_rank() if dist.is_initialized() else 0


def any_of(holds: bool) -> bool:
    """Whether it holds in any process."""
    if world_size() == 1:
        return holds
    votes = torch.tensor(int(holds))
    if dist.get_backend() == "nccl":
        votes = votes.cuda()
    dist.all_reduce(votes)
    return bool(votes)


def wait() -> None:
    """Until all processes are here."""
    if world_size() > 1:
        dist.barrier()


def same_buffers(*modules: nn.Module | None) -> None:
    """The first process's buffers everywhere: batch norm's statistics are of each one's images."""
    if world_size() == 1:
        return
    for module in modules:
        for buffer in module.buffers() if module is not None else ():
            dist.broadcast(buffer, 0)


def local_rows(rows: Tensor) -> Tensor:
    """The rows of a batch that this process takes: contiguous, and as even as can be."""
    return rows.tensor_split(world_size())[rank()] if world_size() > 1 else rows


def gather(rows: Tensor) -> Tensor:
    """The rows of all processes, in their order; the gradient flows back to each.

    Every process then computes one and the same loss of the whole batch. Its gradient reaches a row
    once from each of them, and the mean that data parallelism takes over the processes makes that
    the gradient of one process with the whole batch.
    """
    if world_size() == 1:
        return rows
    gathered: Tensor = _Gather.apply(rows)
    return gathered


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        sizes = [
            torch.zeros((), dtype=torch.int64, device=rows.device) for _ in range(world_size())
        ]
        dist.all_gather(sizes, torch.tensor(len(rows), device=rows.device))
        ctx.sizes = [int(size) for size in sizes]
        padded = rows.new_zeros(max(ctx.sizes), *rows.shape[1:])
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in ctx.sizes]
        dist.all_gather(parts, padded)
        return torch.cat([part[:size] for part, size in zip(parts, ctx.sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        gradient = gradients[0].contiguous()
        dist.all_reduce(gradient)
        return gradient.split(ctx.sizes)[rank()]
