"""ResNet-32 for images of 32×32, as the literature on long tails trains it."""

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
        out = functional.relu(self.bn1(self.conv1(images)))
        return functional.relu(self.bn2(self.conv2(out)) + shortcut)


def resnet32(channels: int, width: int) -> tuple[nn.Module, int]:
    """Three stages of five blocks, of ``width``, twice and four times ``width`` channels.

    He et al. have a width of 16: 16-32-64, so features of dimension 64. Convolutions start from
    Kaiming's normal distribution, of variance 2 over the inputs of a unit.
    """
    layers: list[nn.Module] = [
        nn.Conv2d(channels, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    ]
    inputs = width
    for stage in range(3):
        outputs = width * 2**stage
        for block in range(5):
            layers.append(Block(inputs, outputs, stride=2 if stage and not block else 1))
            inputs = outputs
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    return network, 4 * width
