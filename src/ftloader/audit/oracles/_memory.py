"""Which parts of values share memory: arrays and tensors by their bytes, containers by identity."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..conventions.views import array
from ..digest import Walk

_CONTAINERS: Final = (dict, list, set, bytearray, deque, Image.Image)
_MAX_WORK: Final = 100_000  # of solving whether two strided views meet
_FOREIGN: Final = ("builtins", "abc", "typing", "torch", "enum", "collections")


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One array, tensor or container inside a value.

    Attributes:
        kind: what the value is: ``output``, ``input`` or ``state``.
        call: which call it belongs to, -1 for the state.
        path: where in the value.
        value: the part itself.
        memory: its bytes as an array; None for containers.
    """

    kind: str
    call: int
    path: str
    value: Any
    memory: NDArray[Any] | None

    @property
    def open(self) -> bool:
        """Whether it can be written to."""
        return not isinstance(self.value, np.ndarray) or bool(self.value.flags.writeable)

    @property
    def is_small(self) -> bool:
        """Whether it looks like a setting rather than data: a container, or a few numbers."""
        if self.memory is None:
            return not isinstance(self.value, Image.Image)
        return self.memory.ndim < 2 and self.memory.size <= 64

    def is_same_as(self, other: Part) -> bool:
        """Whether both are the whole of one thing, not one a piece of the other."""
        if self.value is other.value:
            return True
        mine, others = self.memory, other.memory
        if mine is None or others is None:
            return False
        layout = (mine.shape, mine.strides, mine.dtype)
        same = layout == (others.shape, others.strides, others.dtype)
        return same and bounds(mine) == bounds(others)


def parts(kind: str, call: int, value: Any, name: str) -> list[Part]:
    """Return everything in a value that could be shared and written to."""
    walked = Walk()
    walked.add(name, value)
    held = [(path, part, array(part)) for path, part in walked.objects]
    return [
        Part(kind, call, path, part, memory)
        for path, part, memory in held
        if memory is not None or isinstance(part, _CONTAINERS)
    ]


def state(transform: Any) -> list[Part]:
    """Return the same for a transform: its attributes and those of its classes."""
    found = parts("state", -1, transform, "self")
    for kind in type(transform).__mro__:
        if kind.__module__.partition(".")[0] in _FOREIGN:
            continue
        for name, value in list(vars(kind).items()):
            if not name.startswith("__"):
                found += parts("state", -1, value, f"{kind.__name__}.{name}")
    return found


def shared(everything: Iterable[Part]) -> Iterator[tuple[Part, Part]]:
    """Yield pairs of an output's part and another value's part that share memory."""
    held = list(everything)
    same = defaultdict(list)
    for part in held:
        if part.memory is None:
            same[id(part.value)].append(part)
    for group in same.values():
        yield from (pair for i, part in enumerate(group) for pair in _pairs(part, group[:i]))
    spans = [(*bounds(part.memory), part) for part in held if part.memory is not None]
    current: list[tuple[int, Part]] = []
    for low, high, part in sorted(spans, key=lambda span: span[0]):
        if low == high:
            continue
        current = [(end, other) for end, other in current if end > low]
        for mine, other in _pairs(part, [other for _, other in current]):
            if _meet(mine.memory, other.memory):
                yield mine, other
        current.append((high, part))


def bounds(memory: NDArray[Any]) -> tuple[int, int]:
    """Return the first byte of an array and the one after its last, 0 and 0 if it has none."""
    if memory.size == 0:
        return 0, 0
    start: int = memory.__array_interface__["data"][0]
    reach = [(n - 1) * step for n, step in zip(memory.shape, memory.strides, strict=True)]
    low = start + sum(step for step in reach if step < 0)
    return low, start + sum(step for step in reach if step > 0) + memory.itemsize


def _pairs(part: Part, others: Iterable[Part]) -> Iterator[tuple[Part, Part]]:
    for other in others:
        if (part.kind, part.call) == (other.kind, other.call):
            continue
        if part.kind == "output":
            yield part, other
        elif other.kind == "output":
            yield other, part


def _meet(one: Any, other: Any) -> bool:
    try:
        return bool(np.shares_memory(one, other, max_work=_MAX_WORK))  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True  # their spans do overlap
