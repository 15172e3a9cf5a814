"""A trunk, a feature layer of width P, and a head.

The feature layer is ``native`` (what the trunk ends in), ``linear`` (a projection to features of
either sign, as in the unconstrained features model) or ``relu`` (a projection to nonnegative
features, as after the last block of most networks). With ``cosine-attention`` or
``multi-head-attention`` each class has a feature of its own, of width P, from the trunk's last map.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from nclib._names import unknown
from nclib.models._class_wise import ATTENTIONS, ClassWise, without_pooling
from nclib.models._heads import HEADS, ExpertsHead, check_head
from nclib.models._resnet import Branches, Experts, bbn_resnet32, resnet32, ride_resnet32


class Outputs(NamedTuple):
    """What a network gives for a batch of images."""

    features: Float[Tensor, "B P"] | Float[Tensor, "B K P"]
    scores: Float[Tensor, "B K"]
    attended: Float[Tensor, "B K D"] | None = None  # class by class, before their projection
    attention: Float[Tensor, "B K L"] | None = None  # on the places of the map, row by row

    def map(self, function: Callable[[Tensor], Tensor]) -> Outputs:
        """A function of each of its tensors."""
        rest = (None if tensor is None else function(tensor) for tensor in self[2:])
        return Outputs(function(self.features), function(self.scores), *rest)


Trunk = Callable[[tuple[int, int, int], int], tuple[nn.Module, int]]


class Classifier(nn.Module):
    r"""Features :math:`h = g(x)` and the scores of a head, such as :math:`W h + b`.

    Args:
        trunk: maps a batch of images to (B, D), or with attention to maps (B, D, h, w).
        trunk_dim: D.
        num_classes: K.
        feature_dim: P; with ``native`` it is D, and may be None.
        feature_layer: ``native``, ``linear``, ``relu``, ``cosine-attention`` or
            ``multi-head-attention``. Native features of a fixed ETF go through a batch norm:
            nonnegative features, as trunks give them, cannot point to its vertices.
        head: ``linear``, ``cosine``, ``etf``, ``etf-linear``, ``probe``, or ``experts-2`` to
            ``experts-4`` (which take native features of as many experts). A head has ``weight``
            (K, P) and ``bias`` (K,) or None, for which the largest
            :math:`\langle w_k, h\rangle + b_k` is its decision.
            Of class-wise features a head sees all KP numbers side by side; ``etf-scaled``,
            ``etf-scaled-trained`` and ``class-wise`` are made for them.
        bias: whether a linear head has one.
        embedding: of the labels, as :class:`ClassWise` takes it; for attention alone.

    Raises:
        ValueError: if feature layer or head is unknown, or ``feature_dim`` does not suit them.
    """

    def __init__(
        self,
        trunk: nn.Module,
        trunk_dim: int,
        num_classes: int,
        *,
        feature_dim: int | None = None,
        feature_layer: str = "linear",
        head: str = "linear",
        bias: bool = True,
        embedding: str | Float[Tensor, "K D"] = "etf",
    ) -> None:
        super().__init__()
        if feature_layer not in FEATURE_LAYERS:
            raise unknown("feature layer", feature_layer, FEATURE_LAYERS)
        if feature_layer == "native":
            if feature_dim not in (None, trunk_dim):
                raise ValueError(
                    f"feature_dim is {feature_dim}, but the network's own features have "
                    f"dimension {trunk_dim}"
                )
            feature_dim = trunk_dim
        elif feature_dim is None:
            raise ValueError(f"feature layer {feature_layer!r} needs a feature_dim, got None")
        self.trunk = trunk
        self.class_wise: ClassWise | None = None
        if feature_layer in ATTENTIONS:
            self.class_wise = ClassWise(
                trunk_dim, num_classes, feature_dim, attention=feature_layer, embedding=embedding
            )
            feature_dim *= num_classes
        check_head(head, num_classes, feature_dim, class_wise=self.class_wise is not None)
        self.projection: nn.Module
        if self.class_wise is not None:
            self.projection = nn.Identity()
        elif feature_layer != "native":
            self.projection = nn.Linear(trunk_dim, feature_dim)
        else:
            self.projection = _BatchNorm(trunk_dim) if head.startswith("etf") else nn.Identity()
        self.activation = nn.ReLU() if feature_layer == "relu" else nn.Identity()
        self.head = HEADS[head](feature_dim, num_classes, bias)
        _check_experts(trunk, self.head, feature_layer)

    def forward(self, images: Float[Tensor, "B C H W"]) -> Outputs:
        """Features and scores of a batch."""
        if self.class_wise is not None:
            features, attended, attention = self.class_wise(self.trunk(images))
            return Outputs(features, self.head(features.flatten(1)), attended, attention)
        features = self.activation(self.projection(self.trunk(images)))
        return Outputs(features, self.head(features))


def _check_experts(trunk: nn.Module, head: nn.Module, feature_layer: str) -> None:
    """A head of experts scores the native features of as many."""
    if not isinstance(head, ExpertsHead):
        return
    wanted, count = head.directions.shape[1], trunk.count if isinstance(trunk, Experts) else 1
    if count != wanted or feature_layer != "native":
        raise ValueError(
            f"head 'experts-{wanted}' needs the native features of {wanted} experts, got "
            f"{feature_layer!r} features of {count}"
        )


class _BatchNorm(nn.BatchNorm1d):
    """Batch norm that takes its running statistics where a batch of one has none of its own."""

    def forward(self, features: Float[Tensor, "B P"]) -> Float[Tensor, "B P"]:
        """The normalised features."""
        if len(features) > 1:
            return super().forward(features)
        return functional.batch_norm(
            features, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )


def _mlp(shape: tuple[int, int, int], width: int) -> tuple[nn.Module, int]:
    """Two hidden layers."""
    inputs = shape[0] * shape[1] * shape[2]
    layers = (nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
    return nn.Sequential(nn.Flatten(), *layers), width


def _divided_mlp(
    shape: tuple[int, int, int], width: int, count: int
) -> tuple[nn.Module, list[nn.Module]]:
    """The first hidden layer, and as many of the second."""
    first = nn.Linear(shape[0] * shape[1] * shape[2], width)
    second = [nn.Sequential(nn.Linear(width, width), nn.ReLU()) for _ in range(count)]
    return nn.Sequential(nn.Flatten(), first, nn.ReLU()), list(second)


def _mlp_experts(count: int) -> Trunk:
    """Two hidden layers, of which each expert has the second for itself."""

    def trunk(shape: tuple[int, int, int], width: int) -> tuple[nn.Module, int]:
        return Experts(*_divided_mlp(shape, width, count)), count * width

    return trunk


def _mlp_branches(shape: tuple[int, int, int], width: int) -> tuple[nn.Module, int]:
    """Two hidden layers, of which each branch has the second for itself."""
    stem, (first, second) = _divided_mlp(shape, width, 2)
    return Branches(stem, first, second), 2 * width


def _convnet(shape: tuple[int, int, int], width: int) -> tuple[nn.Module, int]:
    """Three strided convolutions and a hidden layer: fast on a CPU.

    There is no batch norm: the features that are measured are the ones that are trained. The units
    leak, since an image that switches all of them off would never be learnt.
    """
    channels = [shape[0], width, 2 * width, 4 * width]
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(channels):
        layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.LeakyReLU(0.1)]
    flat = 4 * width * -(-shape[1] // 8) * -(-shape[2] // 8)
    layers += [nn.Flatten(), nn.Linear(flat, 4 * width), nn.LeakyReLU(0.1)]
    return nn.Sequential(*layers), 4 * width


def _resnet18(shape: tuple[int, int, int], width: int) -> tuple[nn.Module, int]:
    """ResNet-18 with the stem for 32×32 images: a 3×3 convolution of stride 1, no pooling."""
    from torchvision.models import ResNet
    from torchvision.models.resnet import BasicBlock

    _check_width("resnet18", width)
    network = ResNet(BasicBlock, [2, 2, 2, 2])
    network.conv1 = nn.Conv2d(shape[0], 64, 3, padding=1, bias=False)
    network.maxpool = nn.Identity()
    network.fc = nn.Identity()
    return network, 512


def _resnet32(shape: tuple[int, int, int], width: int) -> tuple[nn.Module, int]:
    """ResNet-32 with option-A shortcuts; that of width 16 is the published network."""
    return resnet32(shape[0], width)


def _experts(count: int) -> Trunk:
    """ResNet-32 with that many experts, each of 3/4 of the channels after the first stage."""
    return lambda shape, width: ride_resnet32(shape[0], width, count)


def _branches(shape: tuple[int, int, int], width: int) -> tuple[nn.Module, int]:
    """ResNet-32 with two branches, whose features stand side by side."""
    return bbn_resnet32(shape[0], width)


def _resnet50(shape: tuple[int, int, int], width: int) -> tuple[nn.Module, int]:
    """ResNet-50, torchvision's, untrained."""
    from torchvision.models import resnet50

    _check_width("resnet50", width)
    network = resnet50()
    network.fc = nn.Identity()
    return network, 2048


def _resnext50(shape: tuple[int, int, int], width: int) -> tuple[nn.Module, int]:
    """ResNeXt-50 (32×4d), torchvision's, untrained."""
    from torchvision.models import resnext50_32x4d

    _check_width("resnext50", width)
    network = resnext50_32x4d()
    network.fc = nn.Identity()
    return network, 2048


def _resnext50_experts(count: int) -> Trunk:
    """ResNeXt-50 with that many experts, each of 3/4 of the channels after the second stage.

    Source: Wang et al. (2021), RIDE, and its released code: 192 and 384 channels an expert, so
    1,536 features.
    """

    def trunk(shape: tuple[int, int, int], width: int) -> tuple[nn.Module, int]:
        from torchvision.models import resnext50_32x4d

        _check_width("resnext50", width)
        whole = resnext50_32x4d()
        stem = (whole.conv1, whole.bn1, whole.relu, whole.maxpool, whole.layer1, whole.layer2)
        branches = [
            nn.Sequential(
                *_bottlenecks(512, 192, 6),
                *_bottlenecks(768, 384, 3),
                nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
            )
            for _ in range(count)
        ]
        return Experts(nn.Sequential(*stem), branches), count * 1536

    return trunk


def _bottlenecks(inputs: int, channels: int, count: int) -> list[nn.Module]:
    """A stage of ResNeXt-50 at half the resolution; it ends in four times the channels."""
    from torchvision.models.resnet import Bottleneck

    outputs = 4 * channels
    shortcut = nn.Sequential(
        nn.Conv2d(inputs, outputs, 1, stride=2, bias=False), nn.BatchNorm2d(outputs)
    )
    blocks = [Bottleneck(inputs, channels, 2, shortcut, groups=32, base_width=4)]
    blocks += [Bottleneck(outputs, channels, groups=32, base_width=4) for _ in range(count - 1)]
    for block in blocks:
        for module in block.modules():
            if isinstance(module, nn.Conv2d):  # as torchvision begins
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return blocks


def _check_width(name: str, width: int) -> None:
    """torchvision's networks have the width that was published."""
    if width != 64:
        raise ValueError(f"width is {width}, but model {name!r} has the published width of 64")


FEATURE_LAYERS = ("native", "linear", "relu", *ATTENTIONS)
MODELS: dict[str, Trunk] = {
    "mlp": _mlp,
    "mlp-experts-2": _mlp_experts(2),
    "mlp-experts-3": _mlp_experts(3),
    "mlp-experts-4": _mlp_experts(4),
    "mlp-branches": _mlp_branches,
    "convnet": _convnet,
    "resnet18": _resnet18,
    "resnet32": _resnet32,
    "resnet32-experts-2": _experts(2),
    "resnet32-experts-3": _experts(3),
    "resnet32-experts-4": _experts(4),
    "resnet32-branches": _branches,
    "resnet50": _resnet50,
    "resnext50": _resnext50,
    "resnext50-experts-2": _resnext50_experts(2),
    "resnext50-experts-3": _resnext50_experts(3),
    "resnext50-experts-4": _resnext50_experts(4),
}
#: Networks that have a map of features, which attention can look at.
MAPPED = ("convnet", "resnet18", "resnet32", "resnet50")


def check_name(name: str) -> str:
    """The name itself.

    Raises:
        ValueError: if there is no network of that name; the near matches are listed.
    """
    if name not in MODELS:
        raise unknown("model", name, MODELS)
    return name


def _check_shape(name: str, shape: tuple[int, int, int]) -> None:
    """Refuse images that the network is not for.

    Raises:
        ValueError: if a convolutional network would be given images below 32×32, or ``resnet50``
            or ``resnext50`` images that have not three channels.
    """
    if not name.startswith("mlp") and min(shape[1:]) < 32:
        raise ValueError(f"model {name!r} is for images of 32×32, got {shape[1]}×{shape[2]}")
    if name.startswith(("resnet50", "resnext50")) and shape[0] != 3:
        raise ValueError(f"model {name!r} is for images of 3 channels, got {shape[0]}")


def check_use(name: str, *, head: str, feature_layer: str, two_views: bool) -> None:
    """Refuse a network that is not made for a head, or for what it is to be shown.

    Args:
        name: a key of ``MODELS``.
        head: a key of ``HEADS``.
        feature_layer: a key of ``FEATURE_LAYERS``.
        two_views: whether a batch in training has other images for a second branch.

    Raises:
        ValueError: if a head of experts would not score the native features of as many, if there
            are two branches and one view, or the other way round, or if attention would look at a
            network without a map.
    """
    if feature_layer in ATTENTIONS and name not in MAPPED:
        raise ValueError(
            f"feature layer {feature_layer!r} needs a model that has a map of features, one of "
            f"{', '.join(MAPPED)}, got {name!r}"
        )
    if head.startswith("experts-") and (feature_layer != "native" or not name.endswith(f"-{head}")):
        raise ValueError(
            f"head {head!r} needs the native features of a model of as many, such as "
            f"'resnet32-{head}', got {feature_layer!r} features of {name!r}"
        )
    if two_views and not name.endswith("-branches"):
        raise ValueError(
            f"a second view of other images needs a model of two branches, such as "
            f"'resnet32-branches', got {name!r}"
        )
    if name.endswith("-branches") and not two_views:
        raise ValueError(
            f"model {name!r} has two branches, and needs a method that shows the second one other "
            f"images, such as 'bbn'"
        )


@functools.cache
def native_dim(name: str, shape: tuple[int, int, int], width: int) -> int:
    """Dimension of the features that a network's trunk ends in.

    Raises:
        ValueError: if the name is unknown, or images or width do not suit the network.

    >>> native_dim("resnet32", (3, 32, 32), 16)
    64
    """
    _check_shape(check_name(name), shape)
    with torch.device("meta"):  # no memory, no random numbers
        return MODELS[name](shape, width)[1]


@functools.cache
def same_trunk(
    name: str,
    shape: tuple[int, int, int],
    other: tuple[int, int, int],
    width: int,
    feature_layer: str,
) -> bool:
    """Whether a trunk for images of one shape has the weights of that for another.

    With attention it is the trunk up to its map that counts.

    Raises:
        ValueError: if the name is unknown, or images or width do not suit the network.

    >>> shapes = (3, 32, 32), (3, 64, 64)
    >>> [same_trunk(name, *shapes, 16, "native") for name in ("resnet32", "convnet")]
    [True, False]
    """
    for one in (shape, other):
        _check_shape(check_name(name), one)
    sizes = []
    for one in (shape, other):
        with torch.device("meta"):  # no memory, no random numbers
            trunk, _ = MODELS[name](one, width)
        trunk = without_pooling(trunk) if feature_layer in ATTENTIONS else trunk
        sizes.append({key: weight.shape for key, weight in trunk.state_dict().items()})
    return sizes[0] == sizes[1]


def build(
    name: str,
    shape: tuple[int, int, int],
    num_classes: int,
    *,
    width: int,
    feature_dim: int | None = None,
    feature_layer: str = "linear",
    head: str = "linear",
    bias: bool = True,
    embedding: str | Float[Tensor, "K D"] = "etf",
) -> Classifier:
    """The network of that name, freshly initialised from torch's global generator.

    Args:
        name: a key of ``MODELS``.
        shape: channels, height and width of the images.
        num_classes: K.
        width: hidden units of ``mlp`` (of each expert or branch, too), channels of the first
            convolution of ``convnet`` and ``resnet32`` (16 is the published one, with features of
            dimension 64; with experts, of dimension 48 for each; with branches, of 64 for each);
            of ``resnet18``, ``resnet50`` and ``resnext50`` it is 64 (with experts, each has 1,536
            features).
        feature_dim: P; with ``native`` it is the trunk's own, and may be None.
        feature_layer: a key of ``FEATURE_LAYERS``, as in :class:`Classifier`.
        head: a key of ``HEADS``, as in :class:`Classifier`.
        bias: whether a linear head has one.
        embedding: of the labels: ``etf``, ``trainable`` or given, as :class:`ClassWise` takes it.

    Raises:
        ValueError: if a name is unknown, images or width do not suit the network, or
            ``feature_dim`` does not suit feature layer and head.

    >>> network = build("resnet32", (3, 32, 32), 10, width=16, feature_layer="native")
    >>> sum(parameter.numel() for parameter in network.parameters())
    464154
    """
    _check_shape(check_name(name), shape)
    trunk, trunk_dim = MODELS[name](shape, width)
    if feature_layer in ATTENTIONS:
        check_use(name, head=head, feature_layer=feature_layer, two_views=False)
        trunk = without_pooling(trunk)
    return Classifier(
        trunk,
        trunk_dim,
        num_classes,
        feature_dim=feature_dim,
        feature_layer=feature_layer,
        head=head,
        bias=bias,
        embedding=embedding,
    )
