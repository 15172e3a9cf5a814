"""Images with several labels, composed of digits or of CIFAR-10's images: nothing else to fetch."""

from data_recipes import cifar, digits
from data_recipes._recipe import Recipe, canvases


def _recipe(base: Recipe) -> Recipe:
    name = f"canvas-{base.name}"
    return Recipe(
        name=name,
        source=f"composed of {base.name}; options at their defaults",
        fetch=base.fetch,
        files=base.files,
        content=canvases(name),
        checksum=base.checksum,
    )


CANVAS_DIGITS = _recipe(digits.DIGITS)
CANVAS_CIFAR10 = _recipe(cifar.CIFAR10)
