"""The primitives of ``threading`` and ``queue``, with every wait given to the scheduler.

They do what CPython's do, in the same order (waiters of a condition are woken first come, first
served). Each operation is one point; the first one of a line goes with the line's own point. On a
thread that belongs to no program (a set-up, a check at the end) they work as long as nothing waits.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any, Self

from ftloader.engine.bells import FileBell

from .scheduler import Abandoned, Actor, Unusable, here, number_of_lock


def point() -> None:
    """Let somebody else go on, unless the line's own point has just done so."""
    place = here()
    if place is None:
        return
    execution, actor = place
    if execution.abandoned:
        raise Abandoned
    if actor.at_line:
        actor.at_line = False
    else:
        execution.point(actor)


def wait(ready: Callable[[], bool], timeout: float | None) -> bool:
    """Wait until ``ready()``; return whether it came to that before the time-out."""
    place = here()
    if ready():
        return True
    if place is None:
        raise Unusable("a set-up or a check would wait for ever")
    execution, actor = place
    return execution.wait(actor, ready, None if timeout is not None and timeout < 0 else timeout)


class Lock:
    """A lock; anybody may release it."""

    def __init__(self) -> None:
        self._held = False
        self._number = number_of_lock()
        self._holder: Actor | None = None

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        point()
        if self._held and not blocking:
            return False
        if not wait(lambda: not self._held, timeout):
            return False
        self._held = True
        if self._number is not None and (place := here()) is not None:
            self._holder = place[1]
            self._holder.held |= {self._number}
        return True

    def release(self) -> None:
        point()
        if not self._held:
            raise RuntimeError("release unlocked lock")
        self._held = False
        if self._holder is not None:
            assert self._number is not None
            self._holder.held -= {self._number}
            self._holder = None

    def locked(self) -> bool:
        point()
        return self._held

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class RLock:
    """A lock that its holder may take again."""

    def __init__(self) -> None:
        self._owner: int | None = None
        self._depth = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        point()
        me = threading.get_ident()
        if self._owner != me:
            if self._owner is not None and not blocking:
                return False
            if not wait(lambda: self._owner is None, timeout):
                return False
        self._owner = me
        self._depth += 1
        return True

    def release(self) -> None:
        point()
        if self._owner != threading.get_ident():
            raise RuntimeError("cannot release un-acquired lock")
        self._depth -= 1
        if not self._depth:
            self._owner = None

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class Condition:
    """A condition over a lock (not over an :class:`RLock` held twice)."""

    def __init__(self, lock: Any = None) -> None:
        self._lock = RLock() if lock is None else lock
        self._waiters: deque[list[bool]] = deque()  # each a list of one: whether it was notified
        self.acquire = self._lock.acquire
        self.release = self._lock.release

    def wait(self, timeout: float | None = None) -> bool:
        self._must_hold()
        notified = [False]
        self._waiters.append(notified)
        self._lock.release()
        try:
            in_time = wait(lambda: notified[0], timeout)
        finally:
            if notified in self._waiters and not notified[0]:
                self._waiters = deque(other for other in self._waiters if other is not notified)
            self._lock.acquire()
        return in_time

    def wait_for(self, predicate: Callable[[], bool], timeout: float | None = None) -> bool:
        result = predicate()
        while not result and self.wait(timeout):
            result = predicate()
        return result or predicate()

    def notify(self, n: int = 1) -> None:
        point()
        self._must_hold()
        for _ in range(min(n, len(self._waiters))):
            self._waiters.popleft()[0] = True

    def notify_all(self) -> None:
        self.notify(len(self._waiters))

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def _must_hold(self) -> None:
        held = self._lock._owner is not None if isinstance(self._lock, RLock) else self._lock._held
        if not held:
            raise RuntimeError("cannot wait on or notify an un-acquired lock")


class Semaphore:
    """A counter that waits at zero."""

    def __init__(self, value: int = 1) -> None:
        self._value = value

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        point()
        if not self._value and not blocking:
            return False
        if not wait(lambda: self._value > 0, timeout):
            return False
        self._value -= 1
        return True

    def release(self, n: int = 1) -> None:
        point()
        self._value += n

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class Event:
    """A flag that can be waited for."""

    def __init__(self) -> None:
        self._flag = False

    def is_set(self) -> bool:
        point()
        return self._flag

    def set(self) -> None:
        point()
        self._flag = True

    def clear(self) -> None:
        point()
        self._flag = False

    def wait(self, timeout: float | None = None) -> bool:
        point()
        return wait(lambda: self._flag, timeout) or self._flag


class SimpleQueue:
    """An unbounded queue."""

    def __init__(self) -> None:
        self._items: deque[Any] = deque()

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        point()
        self._items.append(item)

    def put_nowait(self, item: Any) -> None:
        self.put(item)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        point()
        if not self._items and not block:
            raise queue.Empty
        if not wait(lambda: bool(self._items), timeout):
            raise queue.Empty
        return self._items.popleft()

    def get_nowait(self) -> Any:
        return self.get(block=False)

    def empty(self) -> bool:
        point()
        return not self._items

    def qsize(self) -> int:
        point()
        return len(self._items)

    def __class_getitem__(cls, _: Any) -> type[Self]:
        return cls


#: What stands for what.
CONTROLLED: dict[Any, Any] = {
    threading.Lock: Lock,
    threading.RLock: RLock,
    threading.Condition: Condition,
    threading.Semaphore: Semaphore,
    threading.BoundedSemaphore: Semaphore,
    threading.Event: Event,
    queue.SimpleQueue: SimpleQueue,
    FileBell: SimpleQueue,
}


def _stand_in(real: ModuleType) -> SimpleNamespace:
    """Return a module's names, with the controlled primitives in place of its own."""
    return SimpleNamespace(**{name: _controlled(value) for name, value in vars(real).items()})


def _controlled(value: Any) -> Any:
    """Return what stands for a value, or the value; ``SimpleQueue[None]`` counts as its origin."""
    value_or_origin = getattr(value, "__origin__", value)
    try:
        return CONTROLLED.get(value_or_origin, value)
    except TypeError:  # it has no hash
        return value


@contextmanager
def patched(*modules: ModuleType) -> Iterator[None]:
    """Give modules the controlled primitives, however they name the real ones."""
    before: list[tuple[ModuleType, str, Any]] = []
    try:
        for module in modules:
            for name, value in list(vars(module).items()):
                is_module = value is threading or value is queue
                new = _stand_in(value) if is_module else _controlled(value)
                if new is not value:
                    before.append((module, name, value))
                    setattr(module, name, new)
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)
