"""What values consist of that have a place where they stand: generators, iterators, files, locks.

Nothing is advanced, moved or taken in order to read it. Each reader returns a text, parts, and
whether these say all, or None for values of other kinds.
"""

from __future__ import annotations

import random
import threading
import types
import warnings
import weakref
from typing import Any, Final

import numpy as np

_Seen = tuple[str, list[tuple[str, Any]], bool]

_LOCK: Final = type(threading.Lock())
_RLOCK: Final = type(threading.RLock())
_PREFIX: Final = {
    types.GeneratorType: "gi",
    types.CoroutineType: "cr",
    types.AsyncGeneratorType: "ag",
}
_PROXIES: Final = (weakref.ProxyType, weakref.CallableProxyType)


def kind(value: Any) -> str:
    """Return the full name of a value's type."""
    made = type(value)
    return made.__qualname__ if made.__module__ == "builtins" else full_name(made)


def full_name(named: Any) -> str:
    """Return ``module.qualified_name`` of a class, a function or a module."""
    name = getattr(named, "__qualname__", None) or getattr(named, "__name__", "?")
    module = getattr(named, "__module__", None)
    return f"{module}.{name}" if module else str(name)


def read(value: Any, *, identity: bool) -> _Seen | None:
    """Return what a value consists of if it is of one of these kinds.

    Args:
        value: anything.
        identity: whether it counts which object a weak reference points to.
    """
    if isinstance(value, weakref.ref):
        target = value()
        if target is None:
            return "dead weak reference", [], False
        return f"weak reference to {kind(target)} {id(target) if identity else ''}", [], False
    if type(value) in _PROXIES:
        return "weak proxy", [], True
    return _random(value) or _lock(value) or _suspended(value) or _iterator(value) or _file(value)


def _random(value: Any) -> _Seen | None:
    state: Any
    match value:
        case np.random.Generator():
            state = value.bit_generator.state
        case np.random.BitGenerator() | np.random.SeedSequence():
            state = value.state
        case np.random.RandomState():
            state = value.get_state(legacy=False)
        case random.SystemRandom():
            state = None
        case random.Random():
            state = value.getstate()
        case _:
            return None
    return kind(value), [("'s state", state)], isinstance(value, np.random.BitGenerator)


def _lock(value: Any) -> _Seen | None:
    if isinstance(value, threading.local):
        return "thread-local", [], True
    if isinstance(value, _LOCK):
        return f"lock, {'taken' if value.locked() else 'free'}", [], True
    if isinstance(value, _RLOCK):
        # locked() came to it in 3.14 only.
        return f"lock, {'free' if repr(value).startswith('<unlocked') else 'taken'}", [], True
    return None


def _suspended(value: Any) -> _Seen | None:
    prefix = _PREFIX.get(type(value))
    if prefix is None:
        return None
    frame = getattr(value, f"{prefix}_frame")
    if frame is None:
        return f"{kind(value)}, exhausted", [], True
    parts = [(f" (its {name})", part) for name, part in dict(frame.f_locals).items()]
    inner = getattr(value, "gi_yieldfrom" if prefix == "gi" else f"{prefix}_await")
    if inner is not None:
        parts.append((" (what it delegates to)", inner))
    return f"{kind(value)} at {frame.f_lasti}", parts, True


def _iterator(value: Any) -> _Seen | None:
    """Read where a built-in iterator stands, by what it would be pickled as."""
    if type(value).__module__ not in ("builtins", "itertools") or not hasattr(value, "__next__"):
        return None
    text = f"{value!r}" if kind(value) == "itertools.count" else kind(value)
    with warnings.catch_warnings():
        # Deprecated for those of itertools in 3.12, and gone in 3.14.
        warnings.simplefilter("ignore")
        return text, pickled(value), True


def _file(value: Any) -> _Seen | None:
    if not (hasattr(value, "tell") and hasattr(value, "seekable")):
        return None
    try:
        return f"{kind(value)} at {value.tell()}", [], False
    except Exception:
        return f"{kind(value)}, closed or without a position", [], False


def pickled(value: Any) -> list[tuple[str, Any]]:
    """Return what else a C object says of itself: what it would be pickled as, without its type."""
    try:
        made = value.__reduce_ex__(4)
    except Exception:
        return []
    return [("'s state", made[1:])] if isinstance(made, tuple) else []
