"""How each data set is obtained, verified and described: one module a family, one recipe a set.

``python -m data_recipes list``, ``build NAME`` and ``verify NAME``, with as many names as wanted,
or ``all``: what fails does not keep the others from it, is named in the last line, and makes the
exit status 1. The data root is ``NCLIB_DATA``, or the user's data folder.

Long-tailed subsets have a name each, such as ``cifar10-lt-100``, ``cifar100-lt-50-step`` or
``digits-lt-10-seed1``: any ratio, exponential unless ``-step`` says otherwise, and the published
draw unless ``-seedN`` asks for another. Canvases with several labels have a name for each of
``nclib.data.CANVAS_PRESETS``, such as ``canvas-cifar10-two-tiles``. For ImageNet-LT put the
published training list at ``imagenet-lt/ImageNet_LT_train.txt`` and ILSVRC 2012 at ``imagenet/``
under the data root; the validation and test lists ship. For VOC-LT, COCO-LT and VG200 put the
images in ``VOCdevkit/``, ``coco/`` and ``vg/``; a folder NAME of your own images, with their labels
in ``labels.csv``, is ``folder-NAME``.
"""

from data_recipes import canvases, cifar, digits, image_sets, imagenet_lt, long_tailed
from data_recipes._recipe import Recipe, manifest_path
from nclib._names import unknown

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        digits.DIGITS,
        cifar.CIFAR10,
        cifar.CIFAR100,
        cifar.CIFAR100_COARSE,
        imagenet_lt.IMAGENET_LT,
        image_sets.VOC_LT,
        image_sets.COCO_LT,
        image_sets.VG200,
        canvases.recipe("canvas-digits"),
        canvases.recipe("canvas-cifar10"),
        canvases.recipe("canvas-cifar100-coarse"),
    )
    if recipe is not None
}


def find(name: str) -> Recipe:
    """The recipe of that name: of ``RECIPES``, a preset, a subset of any ratio, or a folder.

    Raises:
        ValueError: if the name is unknown (the near matches are listed), or is that of a subset
            with a ratio less than 1, an unknown kind, or an empty class.

    >>> find("cifar10-lt-100").source
    'cifar10, exponential: 12,406 images, 5,000 to 50 a class; seed 0'
    """
    families = (canvases, long_tailed, image_sets)
    recipe = RECIPES.get(name) or next(filter(None, (f.recipe(name) for f in families)), None)
    if recipe is None:
        raise unknown("data set", name, [*RECIPES, *canvases.PRESETS, *long_tailed.USUAL])
    return recipe


def listed() -> list[Recipe]:
    """Every recipe that ``list`` shows: ``RECIPES``, presets, and usual long-tailed subsets."""
    return [*RECIPES.values(), *map(find, (*canvases.PRESETS, *long_tailed.USUAL))]


__all__ = ["RECIPES", "Recipe", "find", "listed", "manifest_path"]
