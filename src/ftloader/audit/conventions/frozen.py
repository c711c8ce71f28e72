"""Copies that refuse to be written to: every array, dict, list and set, however deep.

They are subclasses of what they stand for, so ``isinstance`` holds. Copies of them (``copy``,
``deepcopy``, ``dict(...)``) are ordinary and may be written to. What cannot be frozen (tensors,
Pillow images, attributes of objects) is copied; whoever wants to know compares it afterwards.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, NoReturn

import numpy as np


class FrozenError(TypeError):
    """Something was about to write to a frozen input; says what and how."""


def _refusing(kind: str, name: str) -> Callable[..., NoReturn]:
    def refuse(self: object, *args: object, **kwargs: object) -> NoReturn:
        raise FrozenError(f"{kind}.{name} on an input that must not be written to")

    return refuse


class FrozenDict(dict[Any, Any]):
    """A dict that refuses every change; a copy of it is an ordinary dict."""

    def copy(self) -> dict[Any, Any]:
        """Return an ordinary dict."""
        return dict(self)

    def __copy__(self) -> dict[Any, Any]:
        return dict(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[Any, Any]:
        return copy.deepcopy(dict(self), memo)

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


class FrozenList(list[Any]):
    """A list that refuses every change; a copy of it is an ordinary list."""

    def copy(self) -> list[Any]:
        """Return an ordinary list."""
        return list(self)

    def __copy__(self) -> list[Any]:
        return list(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> list[Any]:
        return copy.deepcopy(list(self), memo)

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)


class FrozenSet(set[Any]):
    """A set that refuses every change; a copy of it is an ordinary set."""

    def copy(self) -> set[Any]:
        """Return an ordinary set."""
        return set(self)

    def __copy__(self) -> set[Any]:
        return set(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> set[Any]:
        return copy.deepcopy(set(self), memo)

    def __reduce__(self) -> tuple[Any, ...]:
        return set, (set(self),)


_MUTATORS = {
    FrozenDict: "__setitem__ __delitem__ __ior__ clear pop popitem setdefault update",
    FrozenList: "__setitem__ __delitem__ __iadd__ __imul__ append clear extend insert pop remove "
    "reverse sort",
    FrozenSet: "__iand__ __ior__ __isub__ __ixor__ add clear difference_update discard "
    "intersection_update pop remove symmetric_difference_update update",
}
for _kind, _names in _MUTATORS.items():
    for _name in _names.split():
        setattr(_kind, _name, _refusing(_kind.__base__.__name__, _name))  # type: ignore[union-attr]

_OPENCV_SAYS = "marked as output argument, but provided NumPy array marked as readonly"
_AS_IT_IS = (type, ModuleType, FunctionType, BuiltinFunctionType, str, bytes, int, float, complex)


def frozen(value: Any, memo: dict[int, Any] | None = None) -> Any:
    """Return a deep copy that refuses to be written to.

    Args:
        value: anything; not changed.
        memo: copies made so far by the id of their original, for parts that occur twice.
    """
    memo = {} if memo is None else memo
    if value is None or isinstance(value, _AS_IT_IS):
        return value
    if id(value) not in memo:
        memo[id(value)] = _copy(value, memo)
    return memo[id(value)]


def _copy(value: Any, memo: dict[int, Any]) -> Any:
    if isinstance(value, np.ndarray):
        array = copy.deepcopy(value)
        array.flags.writeable = False
        return array
    # Exact types: a subclass may hold more than its items.
    if type(value) is dict:
        return FrozenDict({key: frozen(item, memo) for key, item in value.items()})
    if type(value) is list:
        return FrozenList([frozen(item, memo) for item in value])
    if type(value) is set:
        return FrozenSet({frozen(item, memo) for item in value})
    if type(value) is tuple:
        return tuple(frozen(item, memo) for item in value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(frozen(item, memo) for item in value))
    if _is_foreign(value):
        return copy.deepcopy(value)
    return _copy_object(value, memo)


def _copy_object(value: Any, memo: dict[int, Any]) -> Any:
    names = attributes(value)
    if not names:
        return copy.deepcopy(value)
    made = copy.copy(value)
    for name in names:
        # Past a frozen dataclass's own guard: this is our copy.
        object.__setattr__(made, name, frozen(getattr(value, name), memo))
    return made


def attributes(value: Any) -> list[str]:
    """Return the names of what an object holds, in ``__dict__`` or slots."""
    names = list(getattr(value, "__dict__", ()))
    for kind in type(value).__mro__:
        slots = vars(kind).get("__slots__", ())
        names += [slots] if isinstance(slots, str) else list(slots)
    held = dict.fromkeys(name for name in names if name not in ("__dict__", "__weakref__"))
    return [name for name in held if hasattr(value, name)]


def _is_foreign(value: Any) -> bool:
    """Tell whether it keeps what it holds where Python cannot see it."""
    torch, image = sys.modules.get("torch"), sys.modules.get("PIL.Image")
    return (torch is not None and isinstance(value, torch.Tensor)) or (
        image is not None and isinstance(value, image.Image)
    )


def is_refusal(error: BaseException) -> bool:
    """Tell whether something refused to be written to: a frozen part, or a read-only array."""
    if isinstance(error, FrozenError):
        return True
    # Not "buffer source array is read-only": who asks for a writable buffer may only read.
    said = str(error)
    by_numpy = isinstance(error, ValueError) and said.endswith("is read-only")
    return (by_numpy and "buffer source" not in said) or _OPENCV_SAYS in said
