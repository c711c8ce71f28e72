"""How many bytes a result keeps alive."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any


def nbytes(value: Any) -> int:
    """Return the bytes of the arrays, tensors and byte strings in a value.

    A view counts as the array it is a view of, which it keeps alive; what is met twice counts
    once. Containers, dataclasses and objects with an ``nbytes`` of their own are looked into;
    everything else, such as numbers and short texts, counts as nothing.

    Args:
        value: anything.

    Returns:
        Bytes, without the overhead of Python's objects.
    """
    seen: set[int] = set()
    return _nbytes(value, seen)


def _nbytes(value: Any, seen: set[int]) -> int:
    if isinstance(value, bool | int | float | str | None):
        return 0
    value = _base(value)
    if id(value) in seen:
        return 0
    seen.add(id(value))
    if isinstance(value, bytes | bytearray):
        return len(value)
    size = getattr(value, "nbytes", None)
    if isinstance(size, int):
        return size
    if isinstance(value, Mapping):
        return sum(_nbytes(part, seen) for part in value.values())
    if isinstance(value, list | tuple | set | frozenset):
        return sum(_nbytes(part, seen) for part in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return sum(_nbytes(getattr(value, field.name), seen) for field in fields)
    return 0


def _base(value: Any) -> Any:
    """Return what a view is a view of."""
    if isinstance(value, memoryview):
        return value.obj
    while hasattr(base := getattr(value, "base", None), "nbytes"):
        value = base
    return value
