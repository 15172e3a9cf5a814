"""What a method leaves room for: which plug-ins can act on it, and with which options."""

from __future__ import annotations

from typing import Any

from nclib import methods, models
from nclib.methods import Method, Plugin


def training_stages(method: Method) -> int:
    """How many stages of a method train."""
    stages = 0 if method.base is None else training_stages(methods.get(method.base))
    return stages + (method.post_hoc is None)


def _head_name(method: Method) -> str:
    """The head that a method ends with, but for scales beside it."""
    if method.post_hoc is not None or (method.second and method.second.head == "fresh"):
        return "linear"
    return method.head if method.base is None else _head_name(methods.get(method.base))


def require(
    plugin: Plugin, options: dict[str, Any], name: str, why: str, *, value: Any = None
) -> None:
    """Refuse an option that cannot have its value, or on which nothing depends: one run, one id."""
    if name not in plugin.options:
        return
    expected = plugin.options[name].default if value is None else value
    if options[name] != expected:
        raise ValueError(
            f"option {name} of plug-in {plugin.name!r} is {options[name]!r}, but {why}: expected "
            f"{expected!r}"
        )


def check_plugin(
    plugin: Plugin, options: dict[str, Any], method: Method, *, has_bias: bool
) -> None:
    """Refuse what the last stage of a method leaves no room for."""
    head = _head_name(method)
    rows = models.rows_of(head)
    after = options.get("when") == "post-hoc"
    frozen = method.second is not None and method.second.head == "scales" and not after
    if frozen:
        raise ValueError(
            f"plug-in {plugin.name!r} acts on the classifier's rows and the features, but method "
            f"{method.name!r} trains scales alone"
        )
    if plugin.adjust is not None:
        if rows == "fixed":
            raise ValueError(
                f"plug-in {plugin.name!r} adjusts the classifier, but head {head!r} of method "
                f"{method.name!r} is fixed"
            )
        if rows == "unit":
            require(plugin, options, "norm", f"head {head!r} scales its rows to one norm")
        if rows == "unit" or not has_bias:
            require(plugin, options, "bias", "the classifier has no bias")
        return
    if rows == "fixed":
        why = f"head {head!r} of method {method.name!r} is fixed"
        require(plugin, options, "route", why, value="features")
    if method.second is not None:
        why = f"the second stage of method {method.name!r} leaves the features as they are"
        require(plugin, options, "route", why, value="classifier")
    if head == "probe":
        why = f"head 'probe' of method {method.name!r} does not teach the features"
        require(plugin, options, "route", why, value="classifier")
