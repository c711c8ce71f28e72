"""What an operation says of itself and threads, and what the pipeline makes of that.

A class carries its :class:`ThreadSafety` as the attribute ``thread_safety``; ``ftloader.audit``
tells whether it holds. Operations that say nothing are run as they are: most are plain functions.
"""

from __future__ import annotations

import copy
import functools
import threading
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any

from .errors import PipelineError


class ThreadSafety(StrEnum):
    """How many threads may use one instance, from the safest down.

    Attributes:
        STATELESS: the result depends on the arguments and the settings alone; share it.
        READ_ONLY: it holds tables that are never written once it has been made; share it.
        LOCKED: it holds state that all callers share, under a lock; share it, at its price.
        PER_THREAD: it holds scratch that does not change results; one instance per thread.
        ORDER_DEPENDENT: results depend on the sequence of the calls; one thread, in order.
        UNSAFE: anything else; one thread.
    """

    STATELESS = "stateless"
    READ_ONLY = "read-only state"
    LOCKED = "locked"
    PER_THREAD = "per-thread state"
    ORDER_DEPENDENT = "order-dependent"
    UNSAFE = "unsafe"

    @property
    def is_safe(self) -> bool:
        """Whether threads can have it, each its own instance if need be."""
        return self not in (ThreadSafety.ORDER_DEPENDENT, ThreadSafety.UNSAFE)


_RANK = {safety: rank for rank, safety in enumerate(ThreadSafety)}


def weakest(parts: Iterable[ThreadSafety]) -> ThreadSafety:
    """Return what a whole can promise whose parts promise this; stateless if it has none."""
    return max(parts, key=_RANK.__getitem__, default=ThreadSafety.STATELESS)


def declared(op: Any) -> ThreadSafety | None:
    """Return what an operation says of itself, None if nothing.

    A bound method says what its object says, a ``functools.partial`` what its function says; a
    class says nothing of the call that makes an instance.

    Raises:
        PipelineError: it says something that is no :class:`ThreadSafety`.
    """
    speaker = _speaker(op)
    said = None if isinstance(speaker, type) else getattr(speaker, "thread_safety", None)
    if said is None:
        return None
    try:
        return ThreadSafety(said)
    except ValueError:
        known = ", ".join(repr(str(safety)) for safety in ThreadSafety)
        raise PipelineError(
            f"{_name(op)}.thread_safety is {said!r}; it must be one of {known}"
        ) from None


def reason(op: Any) -> str:
    """Return why an operation is no good for threads, in its author's words if there are any."""
    said = getattr(_speaker(op), "thread_safety_reason", "")
    return f"{_name(op)} is declared {declared(op)}" + (f": {said}" if said else "")


def for_threads[F: Callable[..., Any]](
    op: F, stage: str, *, concurrent: bool, is_async: bool
) -> F | PerThread:
    """Return an operation as a stage may run it.

    Args:
        op: the operation.
        stage: the stage's name, for messages.
        concurrent: whether several calls may be under way at once.
        is_async: whether it runs on an event loop, where all calls share a thread.

    Raises:
        PipelineError: what it says of itself forbids that.
    """
    said = declared(op)
    if said is None or said in (
        ThreadSafety.STATELESS,
        ThreadSafety.READ_ONLY,
        ThreadSafety.LOCKED,
    ):
        return op
    if said is ThreadSafety.PER_THREAD and not (is_async and concurrent):
        return PerThread(op)
    if concurrent:
        raise PipelineError(f"stage {stage!r}: {reason(op)}; run it with concurrency=1")
    return op


class PerThread:
    """An operation of which each thread that calls it gets an instance of its own.

    Args:
        op: a callable object or a bound method; copied deeply the first time a thread calls it.

    Thread safety: share it freely; that is what it is for.
    """

    def __init__(self, op: Callable[..., Any]) -> None:
        self._op = op
        self._copying = threading.Lock()
        self._own = threading.local()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call this thread's own instance."""
        try:
            own = self._own.op
        except AttributeError:
            # deepcopy reads the original, so only one thread copies at a time.
            with self._copying:
                own = self._own.op = _copied(self._op)
        return own(*args, **kwargs)


def _copied(op: Callable[..., Any]) -> Callable[..., Any]:
    if isinstance(op, functools.partial):
        return functools.partial(_copied(op.func), *op.args, **op.keywords)
    if hasattr(op, "__self__") and hasattr(op, "__func__"):
        method: Callable[..., Any] = op.__func__.__get__(copy.deepcopy(op.__self__))
        return method
    return copy.deepcopy(op)


def _speaker(op: Any) -> Any:
    while isinstance(op, functools.partial):
        op = op.func
    return getattr(op, "__self__", op) if hasattr(op, "__func__") else op


def _name(op: Any) -> str:
    speaker = _speaker(op)
    return getattr(speaker, "__qualname__", type(speaker).__qualname__)
