"""A trunk, a feature layer of width P, and a linear head.

The feature layer is ``linear`` (features of either sign, as in the unconstrained features model)
or ``relu`` (nonnegative features, as after the last block of most networks).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from nclib._names import unknown

Trunk = Callable[[tuple[int, int, int], int], tuple[nn.Module, int]]


class Classifier(nn.Module):
    r"""Features :math:`h = g(x)` and scores :math:`W h + b`.

    Args:
        trunk: maps a batch of images to (B, D).
        trunk_dim: D.
        num_classes: K.
        feature_dim: P.
        feature_layer: ``linear`` or ``relu``.
        bias: whether the head has one.
    """

    def __init__(
        self,
        trunk: nn.Module,
        trunk_dim: int,
        num_classes: int,
        *,
        feature_dim: int,
        feature_layer: str = "linear",
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.projection = nn.Linear(trunk_dim, feature_dim)
        self.activation = nn.ReLU() if feature_layer == "relu" else nn.Identity()
        self.head = nn.Linear(feature_dim, num_classes, bias=bias)
        if bias:
            nn.init.zeros_(self.head.bias)

    def forward(
        self, images: Float[Tensor, "B C H W"]
    ) -> tuple[Float[Tensor, "B P"], Float[Tensor, "B K"]]:
        """Features and scores of a batch."""
        features = self.activation(self.projection(self.trunk(images)))
        return features, self.head(features)


def _mlp(shape: tuple[int, int, int], width: int) -> tuple[nn.Module, int]:
    """Two hidden layers."""
    inputs = shape[0] * shape[1] * shape[2]
    layers = (nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
    return nn.Sequential(nn.Flatten(), *layers), width


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

    network = ResNet(BasicBlock, [2, 2, 2, 2])
    network.conv1 = nn.Conv2d(shape[0], 64, 3, padding=1, bias=False)
    network.maxpool = nn.Identity()
    network.fc = nn.Identity()
    return network, 512


MODELS: dict[str, Trunk] = {"mlp": _mlp, "convnet": _convnet, "resnet18": _resnet18}


def known(name: str) -> str:
    """The name itself.

    Raises:
        ValueError: if there is no network of that name; the near matches are listed.
    """
    if name not in MODELS:
        raise unknown("model", name, MODELS)
    return name


def check_shape(name: str, shape: tuple[int, int, int]) -> None:
    """Refuse images too small for the network.

    Raises:
        ValueError: if a convolutional network would be given images below 32×32.
    """
    if name != "mlp" and min(shape[1:]) < 32:
        raise ValueError(f"model {name!r} is for images of 32×32, got {shape[1]}×{shape[2]}")


def build(
    name: str,
    shape: tuple[int, int, int],
    num_classes: int,
    *,
    width: int,
    feature_dim: int,
    feature_layer: str = "linear",
    bias: bool = True,
) -> Classifier:
    """The network of that name, freshly initialised from torch's global generator.

    Args:
        name: a key of ``MODELS``.
        shape: channels, height and width of the images.
        num_classes: K.
        width: hidden units of ``mlp``, channels of the first convolution of ``convnet``;
            ``resnet18`` has the published widths.
        feature_dim: P.
        feature_layer: ``linear`` or ``relu``.
        bias: whether the head has one.

    Raises:
        ValueError: if the name is unknown or the images are too small.
    """
    check_shape(known(name), shape)
    trunk, trunk_dim = MODELS[name](shape, width)
    return Classifier(
        trunk,
        trunk_dim,
        num_classes,
        feature_dim=feature_dim,
        feature_layer=feature_layer,
        bias=bias,
    )
