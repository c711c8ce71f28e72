"""Finding the data sets that set a shared generator in a call, before threads ask them.

Drawing from a global generator in threads gives other numbers in each run, and good ones. Setting
it to a state is worse: what another thread was drawing, the training step included, goes on from
there. Nothing is called; most data sets are told by the names in their code alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any, Final

from ...safety import ThreadSafety
from ..verdict import Finding
from .detect import detect
from .rules import SEED_HINT

_ENTRIES: Final = ("__getitem__", "__getitems__")
_SEEDS: Final = frozenset({"manual_seed", "set_rng_state", "seed", "setstate", "set_state"})
_DEEPEST: Final = 4
_MOST: Final = 64


def seeding(dataset: Any) -> Finding | None:
    """Return where indexing a data set, or one inside it, sets a generator that is shared.

    Args:
        dataset: anything that is indexed.

    Returns:
        The first such place that the static scan sees; None if it sees none. Only methods whose
        class names a seeding function are read: a transform that seeds is for ``ftloader.audit``.
    """
    for each in _nested(dataset):
        if not _SEEDS.isdisjoint(_names(type(each))):
            for name in _ENTRIES:
                entry = getattr(each, name, None)
                if entry is not None and (found := _found(entry)) is not None:
                    return found
    return None


@dataclass
class _Entry:
    """One bound method, as the scan takes its subjects."""

    entry: Any
    declared: ThreadSafety | None = None
    convention: Any = None
    samples: Sequence[Any] = ()

    def fresh(self) -> Any:
        return self.entry


def _found(entry: Any) -> Finding | None:
    findings = detect(_Entry(entry)).findings
    return next((found for found in findings if found.hint == SEED_HINT), None)


def _nested(dataset: Any) -> Iterator[Any]:
    """Yield a data set and those that it holds in attributes and lists, nearest first."""
    waiting, seen = [(dataset, 0)], {id(dataset)}
    while waiting:
        each, depth = waiting.pop(0)
        if isinstance(getattr(type(each), "__getitem__", None), FunctionType):
            yield each
        if depth == _DEEPEST:
            continue
        held = each if isinstance(each, list | tuple) else getattr(each, "__dict__", {}).values()
        for child in list(held)[:_MOST]:
            if id(child) not in seen and not isinstance(child, type):
                seen.add(id(child))
                waiting.append((child, depth + 1))


def _names(kind: type) -> Iterator[str]:
    """Yield every name in the code of a class and its bases."""
    waiting = [
        value.__code__
        for each in kind.__mro__
        for value in vars(each).values()
        if isinstance(value, FunctionType)
    ]
    while waiting:
        code = waiting.pop()
        yield from code.co_names
        waiting.extend(each for each in code.co_consts if isinstance(each, CodeType))
