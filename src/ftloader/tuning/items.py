"""Items as tuning handles them: given out again and again, and weighed."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any, Final

#: Elements of a container that are weighed.
LOOKED_AT: Final = 32


def fresh(item: Any) -> Any:
    """Return an item as an operation may change it: a container gets a shallow copy each time."""
    return item.copy() if type(item) in (dict, list, set, bytearray) else item


def size_of(item: Any, depth: int = 3) -> int:
    """Return the bytes of an item: its ``nbytes``, or those of what a container holds.

    Of a long container only some elements are looked at, evenly spaced, and the rest is estimated.
    """
    nbytes = getattr(item, "nbytes", None)
    if isinstance(nbytes, int):
        return nbytes
    parts: list[Any] = []
    if isinstance(item, list | tuple | set | frozenset):
        parts = list(item)
    elif isinstance(item, dict):
        parts = list(item.values())
    elif dataclasses.is_dataclass(item) and not isinstance(item, type):
        parts = [getattr(item, field.name, None) for field in dataclasses.fields(item)]
    if not parts or not depth:
        return sys.getsizeof(item)
    some = parts[:: -(-len(parts) // LOOKED_AT)]
    inside = sum(size_of(part, depth - 1) for part in some)
    return sys.getsizeof(item) + inside * len(parts) // len(some)
