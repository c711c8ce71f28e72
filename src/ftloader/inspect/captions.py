"""What a recipe drew for a sample, in words: one line per step.

Knows the transforms that are made of transforms; the parameters of all others are read off their
fields, so a new transform needs nothing here. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import numpy as np

from ftloader.detection.transforms import Transform
from ftloader.detection.transforms.compose import Compose, RandomApply, RandomChoice


def caption(transform: Transform[Any], params: Any) -> list[str]:
    """Return a line per step: its name, and what was drawn for it.

    Args:
        transform: the recipe.
        params: what it drew.
    """
    return [f"{number} {line}" for number, line in enumerate(_lines(transform, params), 1)]


def described(value: Any) -> str:
    """Return a parameter as short text.

    Floats have four digits, runs of whole numbers are shortened to ``3..17``, large arrays to
    their shape; the rest is what Python prints.
    """
    if isinstance(value, float | np.floating):
        return f"{float(value):.4g}"
    if isinstance(value, Enum):
        return value.name
    if is_dataclass(value) and not isinstance(value, type):
        return f"({_fields(value)})"
    if isinstance(value, np.ndarray):
        if value.ndim > 1 and value.size > 16:
            return f"array {' x '.join(map(str, value.shape))}"
        value = value.tolist()
    if isinstance(value, tuple | list):
        return f"({', '.join(_items(value))})"
    return str(value)


def _items(values: Sequence[Any]) -> Iterator[str]:
    """Yield what is in a sequence, five or more numbers that count up by one as one."""
    start = 0
    while start < len(values):
        end = start + 1
        while end < len(values) and _whole(values[start], values[end]) == end - start:
            end += 1
        if end - start >= 5:
            yield f"{values[start]}..{values[end - 1]}"
        else:
            yield from map(described, values[start:end])
        start = end


def _whole(first: Any, later: Any) -> int | None:
    """Return by how much a whole number is above another, None for anything else."""
    pair = (first, later)
    if all(isinstance(n, int | np.integer) and not isinstance(n, bool) for n in pair):
        return int(later) - int(first)
    return None


def _lines(transform: Transform[Any], params: Any) -> Iterator[str]:
    if isinstance(transform, Compose):
        for step, own in zip(transform.transforms, params, strict=True):
            yield from _lines(step, own)
    elif isinstance(transform, RandomApply):
        if params.applied is None:
            yield f"{_name(transform.transform)}: left out"
        else:
            yield from _lines(transform.transform, params.applied)
    elif isinstance(transform, RandomChoice):
        chosen = transform.transforms[params.chosen]
        which = f"choice {params.chosen + 1} of {len(transform.transforms)}: "
        for line in _lines(chosen, params.params):
            yield which + line
            which = ""
    else:
        text = _fields(params) if is_dataclass(params) else described(params)
        yield f"{_name(transform)}: {text}" if text else _name(transform)


def _fields(value: Any) -> str:
    pairs = ((field.name, getattr(value, field.name)) for field in fields(value) if field.repr)
    return ", ".join(f"{name}={described(content)}" for name, content in pairs)


def _name(transform: Transform[Any]) -> str:
    if isinstance(transform, Compose):
        return " + ".join(map(_name, transform.transforms))
    return type(transform).__name__
