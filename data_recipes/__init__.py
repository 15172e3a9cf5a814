"""How each data set is obtained, verified and described: one module a family, one recipe a set.

``python -m data_recipes list``, ``build NAME`` and ``verify NAME``. The data root is
``NCLIB_DATA``, or the user's data folder.
"""

from data_recipes import cifar, digits
from data_recipes._recipe import Recipe, manifest_path

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe for recipe in (digits.DIGITS, cifar.CIFAR10, cifar.CIFAR100)
}

__all__ = ["RECIPES", "Recipe", "manifest_path"]
