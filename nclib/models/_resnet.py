"""ResNets for images of 32×32, and ResNet-32 with several experts or two branches."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class Block(nn.Module):
    """Two 3×3 convolutions and a shortcut without parameters (option A).

    Where the shape changes, the shortcut takes every second pixel and pads the channels with zeros,
    half before and half after.

    Source: He et al. (2016), Sections 3.3 and 4.2.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride = stride
        self.padding = (outputs - inputs) // 2

    def forward(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        """The block's output, nonnegative."""
        shortcut = images
        if self.padding:
            shortcut = images[:, :, :: self.stride, :: self.stride]
            shortcut = functional.pad(shortcut, (0, 0, 0, 0, self.padding, self.padding))
        # In place: sum and ReLU wait for memory, and a fresh tensor is one more to go through.
        out = functional.relu_(_normalised(self.conv1, self.bn1, images))
        out = _normalised(self.conv2, self.bn2, out)
        out += shortcut
        return functional.relu_(out)


def _normalised(
    conv: nn.Conv2d, norm: nn.BatchNorm2d, images: Float[Tensor, "B C H W"]
) -> Float[Tensor, "B D h w"]:
    """A convolution and its batch norm; on a CPU, with running statistics, one convolution."""
    mean, variance = norm.running_mean, norm.running_var
    if norm.training or images.is_cuda or mean is None or variance is None:
        out, momentum = conv(images), norm.momentum or 0.0
        # Not norm(out), which counts its batches too: a kernel each, and nothing reads the count.
        return functional.batch_norm(
            out, mean, variance, norm.weight, norm.bias, norm.training, momentum, norm.eps
        )
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    weight = conv.weight * scale.view(-1, 1, 1, 1)
    bias = norm.bias - mean * scale
    return functional.conv2d(images, weight, bias, conv.stride, conv.padding)


class Experts(nn.Module):
    """A shared stem, then one branch an expert; their features side by side, each of unit norm.

    Args:
        stem: what the experts share.
        branches: from the stem's output to features (B, P), one for each expert.

    Source: Wang et al. (2021), RIDE.
    """

    def __init__(self, stem: nn.Module, branches: Iterable[nn.Module]) -> None:
        super().__init__()
        self.stem = stem
        self.branches = nn.ModuleList(branches)

    @property
    def count(self) -> int:
        """How many experts there are."""
        return len(self.branches)

    def forward(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B Q"]:
        """Features of all E experts, Q = EP."""
        shared = self.stem(images)
        return torch.cat([functional.normalize(branch(shared)) for branch in self.branches], dim=1)


class Branches(nn.Module):
    r"""A shared stem, then two branches; in training each has images of its own.

    In training the batch is the images of the first branch, then as many of the second, and a row
    of features is :math:`2[(1-s)\,f_1, s\,f_2]` with the features :math:`f_1, f_2` of an image each
    and the second branch's share s. The stem's batch norm takes the statistics of either half on
    its own, and its running ones follow both. In evaluation both branches see the same image:
    :math:`[f_1, f_2]`, which is :math:`s = \tfrac12`.

    Args:
        stem: what the branches share.
        first: from the stem's output to features (B, P).
        second: another such branch.

    Attributes:
        share: s, which whoever trains the network sets.

    Source: Zhou et al. (2020), BBN; its α is 1 − s.
    """

    share = 0.5

    def __init__(self, stem: nn.Module, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.stem, self.first, self.second = stem, first, second

    def forward(self, images: Float[Tensor, "N C H W"]) -> Float[Tensor, "B Q"]:
        """Features of both branches side by side, Q = 2P; in training N = 2B."""
        if not self.training:
            shared = self.stem(images)
            return torch.cat([self.first(shared), self.second(shared)], dim=1)
        one, other = images.chunk(2)
        first, second = self.first(self.stem(one)), self.second(self.stem(other))
        return 2 * torch.cat([(1 - self.share) * first, self.share * second], dim=1)


_BLOCKS = 5  # of a stage: with n blocks a stage, He et al. (2016) count 6n + 2 layers


def resnet32(channels: int, width: int) -> tuple[nn.Module, int]:
    """Three stages of five blocks, of ``width``, twice and four times ``width`` channels.

    He et al. have a width of 16: 16-32-64, so features of dimension 64. Convolutions start from
    Kaiming's normal distribution, of variance 2 over the inputs of a unit.
    """
    network = nn.Sequential(
        *_stem(channels, width),
        *_stage(width, 2 * width),
        *_stage(2 * width, 4 * width),
        *_pooling(),
    )
    return _initialised(network), 4 * width


def ride_resnet32(channels: int, width: int, experts: int) -> tuple[nn.Module, int]:
    """ResNet-32 whose second and third stage each expert has for itself, at 3/4 of the channels.

    Source: Wang et al. (2021), RIDE: 16 shared channels, then 24 and 48 an expert.
    """
    if width % 4:
        raise ValueError(f"width is {width}, expected a multiple of 4 for a network of experts")
    middle, last = 3 * width // 2, 3 * width
    branches = [
        nn.Sequential(*_stage(width, middle), *_stage(middle, last), *_pooling())
        for _ in range(experts)
    ]
    network = Experts(nn.Sequential(*_stem(channels, width)), branches)
    return _initialised(network), experts * last


def bbn_resnet32(channels: int, width: int) -> tuple[nn.Module, int]:
    """ResNet-32 that has its last block twice, one for each branch.

    Source: Zhou et al. (2020), BBN.
    """
    *shared, _ = [*_stage(width, 2 * width), *_stage(2 * width, 4 * width)]
    stem = nn.Sequential(*_stem(channels, width), *shared)
    first, second = (nn.Sequential(Block(4 * width, 4 * width, 1), *_pooling()) for _ in range(2))
    return _initialised(Branches(stem, first, second)), 8 * width


def _stem(channels: int, width: int) -> list[nn.Module]:
    """The first convolution and the first stage, at full resolution."""
    first = nn.Conv2d(channels, width, 3, padding=1, bias=False)
    stage = [Block(width, width, 1) for _ in range(_BLOCKS)]
    return [first, nn.BatchNorm2d(width), nn.ReLU(inplace=True), *stage]


def _stage(inputs: int, outputs: int) -> list[nn.Module]:
    """Five blocks, the first at half the resolution."""
    return [Block(inputs, outputs, 2), *(Block(outputs, outputs, 1) for _ in range(_BLOCKS - 1))]


def _pooling() -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten()]


def _initialised(network: nn.Module) -> nn.Module:
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    return network
