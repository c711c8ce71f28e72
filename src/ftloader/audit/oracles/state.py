"""Writes to what threads would share: the instance, its classes, closures, defaults and globals.

All of it is walked before the first call, after it, and after calls on every sample. What changes
must have been declared. A value that is written and put back within a call is not seen here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from .._kinds import CACHED
from .._places import top_package
from .._shared import Shared, changes
from .._writers import writer
from ..subject import Subject
from ..verdict import Evidence, Finding, found
from ._outcomes import outcome

NAME: Final = "state"
#: Findings, at most: a cache that grows is one fault, however much is in it.
_MOST: Final = 20
_TABLES: Final = (list, dict, set, bytearray)


def detect(subject: Subject) -> Evidence:
    """Compare all state before and after the first call, and after one call on each sample."""
    transform = subject.fresh()
    start = Shared(transform)
    outcome(subject, transform, 0)
    once = Shared(transform)
    for i in range(len(subject.samples)):
        outcome(subject, transform, i)
    end = Shared(transform)

    at_first, excused = changes(start, once)
    later, more_excused = changes(once, end)
    undeclared = list(dict.fromkeys([*at_first, *later]))
    findings = [
        _finding(path, start, end, lazy=path in at_first and path not in later)
        for path in undeclared[:_MOST]
    ]
    calls = len(subject.samples) + 1
    text = f"{len(start.leaves)} values before and after {calls} calls: "
    text += f"{len(undeclared)} written" if undeclared else "unchanged"
    if len(undeclared) > _MOST:
        text += f", of which {_MOST} are listed"
    declared = list(dict.fromkeys([*excused, *more_excused]))
    if declared:
        text += f" but for what is declared ({', '.join(declared)})"
    if start.cut or end.cut:
        text += "; there was more than could be looked at"
    numbers = {"calls": calls, "values": len(start.leaves), "tables": float(_has_tables(start))}
    return found(NAME, text, findings, numbers)


def _finding(path: str, start: Shared, end: Shared, *, lazy: bool) -> Finding:
    if path.endswith(CACHED.rstrip()):
        what = f"changes {path}"
        hint = "return a copy from the cache, or make what is cached read-only"
    elif path not in start.leaves and path in end.leaves:
        what = f"adds {path}, which a fresh instance does not have (lazy initialisation)"
        hint = "make it in __init__, or keep it in a local variable"
    elif lazy and start.leaves.get(path) == "NoneType None":
        what = f"writes {path} at the first call (lazy initialisation)"
        hint = "make it in __init__; a lock must cover the check and the writing"
    else:
        what = f"writes {path}"
        hint = "keep it in a local variable, or declare the attribute in mutable_state"
    return Finding(NAME, "latent", what, writer(path, end) or path, hint)


def _has_tables(shared: Shared) -> bool:
    """Whether the instance itself holds arrays or containers that have something in them."""
    held: Sequence[Any] = [value for path, value in shared.objects if path.startswith("self.")]
    arrays = any(isinstance(value, np.ndarray) or _is_tensor(value) for value in held)
    return arrays or any(isinstance(value, _TABLES) and len(value) > 0 for value in held)


def _is_tensor(value: Any) -> bool:
    return top_package(type(value).__module__) == "torch" and hasattr(value, "data_ptr")
