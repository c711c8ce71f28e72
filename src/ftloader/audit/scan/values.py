"""What an expression may stand for: something shared, something of the input, or something new.

A :class:`Value` is a set of origins. No origin means an object that the call has made itself, which
it may write to. Live objects are only looked at, statically: no property of theirs is run.
"""

from __future__ import annotations

import ast
import enum
import io
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from types import MemberDescriptorType, ModuleType
from typing import Any, Final, Literal

import numpy as np

Kind = Literal[
    "self", "class", "descriptor", "global", "closure", "default", "cached", "input", "code"
]


def names(text: str) -> frozenset[str]:
    """Return words as a set."""
    return frozenset(text.split())


#: In place of a live object that is not known.
UNKNOWN: Final = object()
_MOST_ITEMS: Final = 32
_LONGEST_PATH: Final = 100
_IMMUTABLE: Final = (
    int,
    float,
    complex,
    str,
    bytes,
    type(None),
    range,
    frozenset,
    np.generic,
    enum.Enum,
)
#: Attributes that are numbers, names or tuples whatever they belong to.
_PLAIN: Final = names("shape size ndim dtype nbytes itemsize width height device __name__ __doc__")


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """Where an object comes from.

    Attributes:
        kind: who holds it; ``"code"`` for modules, classes and functions.
        path: how a reader would write it.
        live: the object, or ``UNKNOWN``.
        excused: whether its owner declares that it is written to.
        bound: of a method: the object it belongs to.
    """

    kind: Kind
    path: str
    live: Any = UNKNOWN
    excused: bool = False
    bound: Origin | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Origin) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[Any, ...]:
        return self.kind, self.path, id(self.live), self.excused, self.bound

    def child(self, step: str, live: Any = UNKNOWN, *, excused: bool = False) -> Origin:
        """Return the origin of an attribute or an item."""
        path = self.path if len(self.path) > _LONGEST_PATH else self.path + step
        return replace(self, path=path, live=live, excused=self.excused or excused, bound=None)

    @property
    def immutable(self) -> bool:
        """Whether it is known that nobody can write to it."""
        return isinstance(self.live, (*_IMMUTABLE, tuple))

    @property
    def iterator(self) -> bool:
        """Whether it is known to be something that is used up by iterating."""
        return (
            self.live is not UNKNOWN
            and self.kind not in ("input", "code")
            and isinstance(self.live, Iterator)
            and not isinstance(self.live, io.IOBase)
        )


@dataclass(frozen=True, slots=True)
class Value:
    """What an expression may stand for.

    Attributes:
        own: what the object itself may be; empty if it is new.
        copies: of a new object: what it may be a shallow copy of.
        parts: of a new container: what its items may be.
    """

    own: frozenset[Origin] = frozenset()
    copies: frozenset[Origin] = frozenset()
    parts: frozenset[Origin] = frozenset()

    def __or__(self, other: Value) -> Value:
        return Value(self.own | other.own, self.copies | other.copies, self.parts | other.parts)

    @property
    def items(self) -> Value:
        """What iterating over it yields."""
        found = {item for origin in self.own for item in _items(origin)}
        return Value(frozenset(found) | self.parts)

    def item(self, index: ast.expr, key: Value | None = None) -> Value:
        """What a subscript yields, of an index that may stand for ``key``."""
        sources = set(self.own)
        if _constant(index, str):
            sources |= self.copies
        found = {item for origin in sources for item in _item(origin, index, key)}
        return Value(frozenset(found) | self.parts)


FRESH: Final = Value()


def of(*origins: Origin) -> Value:
    """Return what is one of these."""
    return Value(frozenset(origins))


def union(values: Iterable[Value]) -> Value:
    """Return what is one of these."""
    whole = FRESH
    for value in values:
        whole |= value
    return whole


def named(name: str, live: Any, kind: Kind = "global") -> Origin:
    """Return the origin of what a name outside the function stands for."""
    if isinstance(live, ModuleType):
        return Origin("code", live.__name__, live)
    if callable(live) and (isinstance(live, type) or hasattr(live, "__name__")):
        return Origin("code", name, live)
    return Origin(kind, name, live)


def namespaces(value: Value) -> Value:
    """Return the dictionaries that hold the attributes of an object."""
    return of(
        *(
            each.child(".__dict__", getattr(each.live, "__dict__", UNKNOWN))
            for each in value.own
            if each.live is not UNKNOWN and not isinstance(each.live, type)
        )
    )


def classes(value: Value) -> Value:
    """Return the classes of which an object may be."""
    kinds = {type(each.live) for each in value.own if each.live is not UNKNOWN}
    return of(*(Origin("code", kind.__name__, kind) for kind in kinds))


def look_up(live: Any, name: str) -> tuple[Literal["own", "class", "nowhere"], Any, type | None]:
    """Find an attribute without running code of its object.

    Returns:
        Where it was found, what it is, and the class that holds it.
    """
    if isinstance(live, ModuleType):
        return ("own", vars(live)[name], None) if name in vars(live) else ("nowhere", None, None)
    classes = live.__mro__ if isinstance(live, type) else type(live).__mro__
    holder = next((kind for kind in classes if name in vars(kind)), None)
    found = vars(holder)[name] if holder else None
    own = getattr(live, "__dict__", None)
    if not isinstance(live, type) and not isinstance(found, property):
        if isinstance(own, dict) and name in own:
            return "own", own[name], None
        if isinstance(found, MemberDescriptorType):
            try:
                return "own", found.__get__(live), None
            except AttributeError:
                return "nowhere", None, None
    if holder is not None:
        return "class", found, holder
    for table in ("_modules", "_parameters", "_buffers"):  # where torch.nn.Module keeps them
        if isinstance(own, dict) and isinstance(own.get(table), dict) and name in own[table]:
            return "own", own[table][name], None
    return "nowhere", None, None


def subscript(index: ast.expr) -> str:
    """Return how a reader would write a subscript."""
    if isinstance(index, ast.Tuple) and index.elts:
        return f"[{', '.join(map(ast.unparse, index.elts))}]"
    return f"[{ast.unparse(index)}]"


def attribute_is_plain(name: str) -> bool:
    """Tell whether an attribute of this name is never written to through its value."""
    return name in _PLAIN


def private_to_thread(live: Any) -> bool:
    """Tell whether every thread sees another content of an object."""
    return isinstance(live, threading.local)


def changes_in_place(origin: Origin) -> bool:
    """Tell whether an object is known to be changed by ``+=`` or ``|=``, not replaced."""
    kind = type(origin.live)
    return not origin.immutable and (hasattr(kind, "__iadd__") or hasattr(kind, "__ior__"))


def _items(origin: Origin) -> Iterator[Origin]:
    live = origin.live
    if isinstance(live, list | tuple):
        kinds = set()
        for place, item in enumerate(live):
            # Of many alike, one is enough.
            if place < _MOST_ITEMS or type(item) not in kinds:
                kinds.add(type(item))
                yield origin.child(f"[{place}]", item)
    elif origin.kind != "code" and _iterable(live):
        yield origin.child("[...]", live if isinstance(live, np.ndarray) else UNKNOWN)


def _iterable(live: Any) -> bool:
    """Tell whether iterating may yield something that can be written to."""
    if live is UNKNOWN:
        return True
    plain = isinstance(live, (*_IMMUTABLE, dict, set))
    return not plain and hasattr(type(live), "__iter__")


def _item(origin: Origin, index: ast.expr, key: Value | None) -> Iterator[Origin]:
    live = origin.live
    if origin.kind == "code" or isinstance(live, _IMMUTABLE):
        return
    step = subscript(index)
    if isinstance(live, dict):
        if isinstance(index, ast.Constant):
            yield origin.child(step, live.get(index.value, UNKNOWN))
        else:
            known = [each.live for each in key.own if each.kind == "code"] if key else []
            for name, value in [(one, live[one]) for one in known if one in live] or [
                *live.items()
            ][:_MOST_ITEMS]:
                yield origin.child(f"[{getattr(name, '__name__', repr(name))}]", value)
    elif isinstance(live, list | tuple):
        if isinstance(index, ast.Slice):
            yield from _items(origin)
        elif isinstance(index, ast.Constant) and isinstance(index.value, int):
            if -len(live) <= index.value < len(live):
                yield origin.child(step, live[index.value])
        else:
            yield from _items(origin)
    elif _view(index):
        yield origin.child(step, live if isinstance(live, np.ndarray) else UNKNOWN)
    elif _constant(index, str) or (_constant(index, int) and live is UNKNOWN):
        yield origin.child(step)
    # Anything else may be an array indexed by an array, which copies.


def _view(index: ast.expr) -> bool:
    if isinstance(index, ast.Tuple):
        parts = index.elts
        return any(map(_view, parts)) and not any(isinstance(part, ast.List) for part in parts)
    return isinstance(index, ast.Slice) or (
        isinstance(index, ast.Constant) and index.value is Ellipsis
    )


def _constant(index: ast.expr, kind: type) -> bool:
    return isinstance(index, ast.Constant) and isinstance(index.value, kind)
