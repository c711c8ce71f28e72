"""Objects whose attributes are watched while they are written and read.

An object's class is replaced by a subclass of the same layout and name whose ``__setattr__`` and
``__getattribute__`` report to a :class:`Watch`, and put back afterwards. What goes around these is
not seen: ``vars(obj)[name] = value``, ``object.__setattr__``, what is inside lists and arrays.

Thread safety: watched objects may be used from any threads; a watch is begun and ended by one.
"""

from __future__ import annotations

import abc
import copy
import functools
import sys
import threading
import types
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Self

from ._shared import is_library
from .digest import digest

Moment = Literal["before writing", "after writing", "before reading"]


@dataclass(frozen=True, slots=True)
class Point:
    """A place in a call at which another call could do harm.

    Attributes:
        moment: in relation to the access.
        path: of the attribute.
        file: of the code that accesses it.
        line: in the file.
    """

    moment: Moment
    path: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Torn:
    """An attribute that a thread wrote, and read again after another thread had written to it.

    Attributes:
        read: where it was read.
        own: where the reader had written it.
        other: where the other thread did.
    """

    read: Point
    own: Point
    other: Point


@dataclass(frozen=True, slots=True)
class _Write:
    thread: int
    value: Any
    point: Point


class Watch:
    """Reports every write to some objects, and every read of what the reader has written itself.

    Args:
        objects: path and object; those that are no instances of Python classes outside of
            libraries are passed over.
        visit: called with every point and the value written (None before a read), in the thread
            that is there.

    Attributes:
        refused: how many objects cannot be watched although they should be.
        torn: torn reads so far.
    """

    def __init__(
        self, objects: Iterable[tuple[str, Any]], visit: Callable[[Point, Any], None]
    ) -> None:
        self.refused = 0
        self.torn: list[Torn] = []
        self._visit = visit
        self._paths = {id(value): (path, value) for path, value in objects if _is_watchable(value)}
        self._classes: dict[int, type] = {}
        self._last: dict[tuple[int, str], _Write] = {}
        self._own: dict[tuple[int, int, str], _Write] = {}

    def __enter__(self) -> Self:
        made: dict[type, type | None] = {}
        for mark, (_, value) in self._paths.items():
            kind = type(value)
            if kind not in made:
                made[kind] = _watched(kind, self)
            try:
                object.__setattr__(value, "__class__", made[kind] or kind)
            except (TypeError, AttributeError):
                made[kind] = None
            self._classes[mark] = kind
            self.refused += made[kind] is None
        return self

    def __exit__(self, *exc: object) -> None:
        for mark, kind in self._classes.items():
            value = self._paths[mark][1]
            if type(value) is not kind:
                object.__setattr__(value, "__class__", kind)

    def write(self, value: Any, name: str, new: Any, store: Callable[[], None]) -> None:
        """Report a write before and after it is done by ``store``."""
        place = self._place(value, name)
        if place is None:
            return store()
        path, file, line = place
        self._visit(Point("before writing", path, file, line), new)
        store()
        after = Point("after writing", path, file, line)
        done = _Write(threading.get_ident(), new, after)
        self._last[id(value), name] = self._own[done.thread, id(value), name] = done
        self._visit(after, new)
        return None

    def read(self, value: Any, name: str) -> None:
        """Report a read that is about to be done, if its thread has written there itself."""
        thread = threading.get_ident()
        own = self._own.get((thread, id(value), name))
        if own is None or (place := self._place(value, name)) is None:
            return
        point = Point("before reading", *place)
        self._visit(point, None)
        last = self._last[id(value), name]
        if last.thread != thread and not _equal(last.value, own.value):
            self.torn.append(Torn(point, own.point, last.point))

    def written(self, value: Any) -> list[str]:
        """Return the attributes of an object that this thread has written to."""
        thread = threading.get_ident()
        return [name for who, mark, name in list(self._own) if (who, mark) == (thread, id(value))]

    def _place(self, value: Any, name: str) -> tuple[str, str, int] | None:
        """Return the path and the line of an access; None for what is not to be reported."""
        known = self._paths.get(id(value))
        # Copies made by a call have the class too, but belong to it; a property stores elsewhere.
        if known is None or isinstance(getattr(type(value), name, None), property):
            return None
        # Past this method, read or write, and the function of the class.
        frame = sys._getframe(3)
        while frame.f_code.co_filename == copy.__file__ and frame.f_back is not None:
            frame = frame.f_back
        return f"{known[0]}.{name}", frame.f_code.co_filename, frame.f_lineno


def _is_watchable(value: Any) -> bool:
    kind = type(value)
    if is_library(kind.__module__) or isinstance(value, type | types.ModuleType):
        return False
    # Made by a class statement.
    return kind.__module__ != "builtins" and bool(kind.__flags__ & (1 << 9))


def _watched(kind: Any, watch: Watch) -> type | None:
    """Make the subclass; None if there can be none."""

    def __setattr__(self: Any, name: str, value: Any) -> None:
        watch.write(self, name, value, lambda: kind.__setattr__(self, name, value))

    def __getattribute__(self: Any, name: str) -> Any:
        if name[:2] != "__":
            watch.read(self, name)
        return kind.__getattribute__(self, name)

    def __reduce_ex__(self: Any, protocol: Any) -> Any:
        # What copies an object reads all of its attributes, past __getattribute__.
        for name in watch.written(self):
            watch.read(self, name)
        return kind.__reduce_ex__(self, protocol)

    namespace = {
        "__slots__": (),
        "__module__": kind.__module__,
        "__qualname__": kind.__qualname__,
        "__doc__": kind.__doc__,
        "__setattr__": __setattr__,
        "__getattribute__": __getattribute__,
        "__reduce_ex__": __reduce_ex__,
    }
    meta: Any = type(kind)
    try:
        # Other metaclasses may keep registers, where this class must not turn up.
        make = meta if meta in (type, abc.ABCMeta) else functools.partial(type.__new__, meta)
        made: type = make(kind.__name__, (kind,), namespace)
        return made
    except Exception:
        # Such as an __init_subclass__ that wants arguments.
        return None


def _equal(one: Any, two: Any) -> bool:
    if isinstance(one, weakref.ref) and isinstance(two, weakref.ref):
        return one() is two()
    return one is two or digest(one) == digest(two)
