"""The classifier that a metric watches: the one of now, not a copy from before."""

import copy
import hashlib
import inspect
import weakref
from typing import Any

import torch
from torch import Tensor, nn

_COPIES = "nclib.metrics.Watched"  # the key in the memo of a deepcopy


class WatchedClassifier:
    """Weight and bias, read anew from where they live at every call.

    Args:
        weight: a layer with ``weight`` and ``bias``, a tensor, or a function that returns a layer,
            a weight or a pair of weight and bias; None: there is no classifier.
        bias: with a tensor alone.

    Raises:
        ValueError: if a bias is given beside a layer or function.
        TypeError: if a layer has no tensor for a weight, or a function returns none.
    """

    def __init__(self, weight: Any, bias: Tensor | None) -> None:
        self._is_wanted = weight is not None
        if isinstance(weight, Tensor) or not callable(weight):  # a layer is callable too
            self._read, self._parts = _pair, [_Watched(weight), _Watched(bias)]
            return
        if bias is not None:
            raise ValueError("a bias beside a layer or a function: expected only one of the two")
        if isinstance(weight, nn.Module):
            self._read, self._parts = _pair, [_Watched(weight)]
        elif inspect.ismethod(weight) and isinstance(weight.__self__, nn.Module):
            self._read, self._parts = weight.__func__, [_Watched(weight.__self__)]
        else:
            self._read, self._parts = weight, []

    def __call__(self) -> tuple[Any, Any]:
        """Weight and bias now.

        Raises:
            ValueError: if the layer or the parameter no longer exists.
        """
        weight, bias = _pair(self._read(*(part() for part in self._parts)))
        if weight is None and self._is_wanted:
            raise TypeError("weight is a function that returned no weight: expected a classifier")
        return weight, bias

    @property
    def changes_elsewhere(self) -> bool:
        """Whether it is somebody else's, so that loading a model may change it."""
        return not self._parts or any(part.is_weak for part in self._parts)

    def __deepcopy__(self, memo: dict[Any, Any]) -> "WatchedClassifier":
        twin = copy.copy(self)
        twin._parts = copy.deepcopy(self._parts, memo)
        return twin


def fingerprint(weight: Tensor | None, bias: Tensor | None) -> float:
    """A number of at most 48 bits that tells classifiers apart by their values; 0 for none."""
    if weight is None:
        return 0.0
    digest = hashlib.blake2b(digest_size=6)
    for values in (weight, weight.new_zeros(len(weight)) if bias is None else bias):
        # + 0.0 makes one of the two zeros of the other.
        exact = values.detach().to("cpu", torch.float64) + 0.0
        digest.update(exact.contiguous().numpy().tobytes())
    return 1.0 + int.from_bytes(digest.digest(), "big")


def _pair(weight: Any, bias: Any = None) -> tuple[Any, Any]:
    """Weight and bias of what a user may call a classifier."""
    if isinstance(weight, nn.Module):
        layer = weight
        weight, bias = getattr(layer, "weight", None), getattr(layer, "bias", None)
        if not isinstance(weight, Tensor):
            raise TypeError(f"{type(layer).__name__} has no tensor `weight`: expected a layer")
    elif isinstance(weight, tuple):
        weight, bias = weight
    return weight, bias


class _Watched:
    """A layer or parameter, which is somebody else's and held weakly; or a tensor, which is held.

    A copy made by deepcopy watches what deepcopy made of the layer, if it met the layer at all,
    and the same layer otherwise. A pickle contains the layer.
    """

    def __init__(self, target: Any) -> None:
        if isinstance(target, Tensor) and not target.is_leaf:
            target = target.detach()  # a value; its graph would be kept in memory
        self.is_weak = isinstance(target, nn.Module | nn.Parameter | nn.Buffer)
        self._memo: dict[Any, Any] | None = None
        self._hold(target)

    def __call__(self) -> Any:
        self._settle()
        target = self._target()
        if target is None and self.is_weak:
            raise ValueError(
                "the classifier is gone: its layer was replaced or deleted, or this metric was"
                " pickled or loaded without it; expected a layer that lives as long as the metric"
            )
        return target

    def _hold(self, target: Any) -> None:
        self._reference: Any = target
        if self.is_weak:
            self._reference = _nothing if target is None else weakref.ref(target)

    def _target(self) -> Any:
        return self._reference() if self.is_weak else self._reference

    def __deepcopy__(self, memo: dict[Any, Any]) -> "_Watched":
        # Deepcopy may meet the layer later, and tells nobody when it is done: its memo is asked at
        # the first use of any of these copies, which then lets go of it.
        self._settle()
        twin = copy.copy(self)
        twin._memo = memo
        memo.setdefault(_COPIES, []).append(twin)
        return twin

    def _settle(self) -> None:
        if self._memo is None:
            return
        memo = self._memo
        for twin in memo[_COPIES]:
            target = twin._target()
            if id(target) in memo:
                twin._hold(memo[id(target)])
            twin._memo = None

    def __getstate__(self) -> tuple[bool, Any]:
        self._settle()
        return self.is_weak, self._target()

    def __setstate__(self, state: tuple[bool, Any]) -> None:
        self.is_weak, target = state
        self._memo = None
        self._hold(target)


def _nothing() -> None:
    """The reference to what is gone."""
