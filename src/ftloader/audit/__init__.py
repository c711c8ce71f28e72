"""Telling whether threads may share a transform: evidence, verdict, and a test for test suites.

``audit`` calls the transform in processes of its own, so whatever it does there, the caller lives.
"""

import importlib
from typing import TYPE_CHECKING, Any

from ..safety import ThreadSafety
from .verdict import Evidence, Finding, Verdict

if TYPE_CHECKING:
    from .run import audit
    from .testing import assert_thread_safe

__all__ = ["Evidence", "Finding", "ThreadSafety", "Verdict", "assert_thread_safe", "audit"]

#: Names that come with their module when they are first used: these need NumPy.
_LATE = {"assert_thread_safe": "testing", "audit": "run"}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_LATE[name]}", __name__), name)
