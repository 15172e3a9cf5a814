"""Subsets, batches and augmentation, each a function of tensors and a generator."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from nclib import _check


def per_class_subset(
    labels: Int64[Tensor, " N"], per_class: int, generator: torch.Generator
) -> Int64[Tensor, " n"]:
    """Indices of ``per_class`` random images of every class, in increasing order.

    Raises:
        TypeError: if labels are no integers.
        ValueError: if a class has fewer images, or there is none; the message names it.
    """
    labels = _check.class_ids("labels", labels).cpu()
    if len(labels) == 0:
        raise ValueError(f"class 0 has 0 images, {per_class} were asked for")
    chosen = []
    for k in range(int(labels.max()) + 1):
        members = (labels == k).nonzero()[:, 0]
        if len(members) < per_class:
            raise ValueError(f"class {k} has {len(members)} images, {per_class} were asked for")
        chosen.append(members[torch.randperm(len(members), generator=generator)[:per_class]])
    return torch.cat(chosen).sort().values


def batches(
    count: int, batch_size: int, generator: torch.Generator
) -> Iterator[Int64[Tensor, " B"]]:
    """One epoch of shuffled index batches; the last one may be smaller."""
    yield from torch.randperm(count, generator=generator).split(batch_size)


def to_float(
    images: UInt8[Tensor, "B C H W"],
    mean: Sequence[float] | Float[Tensor, " C"],
    std: Sequence[float] | Float[Tensor, " C"],
) -> Float[Tensor, "B C H W"]:
    """Images scaled to [0, 1], then shifted and scaled channel by channel."""
    centre, width = (
        torch.as_tensor(values, dtype=torch.float32, device=images.device).view(-1, 1, 1) * 255
        for values in (mean, std)
    )
    return (images.float() - centre) / width


def augment(
    images: UInt8[Tensor, "B C H W"], generator: torch.Generator, *, padding: int = 4
) -> UInt8[Tensor, "B C H W"]:
    """Random crops of the zero-padded images and random horizontal flips, all images at once.

    The draws are made on the generator's device, so that a seed gives the same images anywhere.
    """
    count, channels, height, width = images.shape
    drawn, device = generator.device, images.device
    corner = torch.randint(2 * padding + 1, (2, count, 1), generator=generator, device=drawn)
    flip = torch.rand(1, count, 1, generator=generator, device=drawn) < 0.5
    top, left, flip = torch.cat([corner, flip]).to(device, non_blocking=True)  # one copy
    rows = top + torch.arange(height, device=device)  # (B, H)
    columns = torch.arange(width, device=device).expand(count, -1)
    columns = left + torch.where(flip > 0, columns.flip(1), columns)  # (B, W)
    padded = torch.nn.functional.pad(images, [padding] * 4)
    index = rows[:, :, None] * padded.shape[-1] + columns[:, None, :]  # (B, H, W)
    index = index.reshape(count, 1, -1).expand(-1, channels, -1)
    return padded.flatten(2).gather(2, index).view_as(images)


def mixup(
    images: Float[Tensor, "B C H W"],
    labels: Int64[Tensor, " B"],
    alpha: float,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "B C H W"], Int64[Tensor, " B"], Int64[Tensor, " B"], Float[Tensor, ""]]:
    r"""Every image mixed with another of the batch, :math:`\lambda x_i + (1-\lambda) x_{\pi(i)}`.

    One :math:`\lambda \sim \mathrm{Beta}(\alpha, \alpha)` and one permutation π for the batch. The
    loss of a mixed image is λ times that of its label a plus 1 − λ times that of its label b.

    Returns:
        The mixed images, labels a (those given), labels b (permuted), and λ, a scalar tensor on
        the device of the images.

    Raises:
        ValueError: if alpha is not positive and finite.

    Source: Zhang et al. (2018), "mixup: beyond empirical risk minimization".
    """
    if not 0 < alpha < math.inf:
        raise ValueError(f"alpha {alpha} must be positive and finite")
    device = generator.device
    seed = int(torch.randint(2**62, (), generator=generator, device=device))
    lam = images.new_full((), np.random.default_rng(seed).beta(alpha, alpha))
    other = torch.randperm(len(images), generator=generator, device=device)
    other = other.to(images.device, non_blocking=True)
    return images.lerp(images[other], 1 - lam), labels, labels[other], lam
