"""What a call does: to the object it is made on, to its arguments, and what it returns."""

from __future__ import annotations

import ast
import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from types import FunctionType, MethodDescriptorType, MethodType, ModuleType
from typing import Any

import numpy as np

from . import known
from .frame import Frame
from .rules import SEED_HINT
from .source import followed, unwrapped
from .values import FRESH, UNKNOWN, Origin, Value, classes, look_up, namespaces, of, union

_CACHED = type(functools.lru_cache(len))


@dataclass(frozen=True, slots=True)
class Call:
    """A call whose arguments have been read.

    Attributes:
        node: where it stands.
        args: by position, without those of ``*``.
        kwargs: by name, without those of ``**``.
        rest: what ``*`` and ``**`` may pass.
    """

    node: ast.Call
    args: Sequence[Value]
    kwargs: dict[str, Value]
    rest: Value

    @property
    def first(self) -> Value:
        """The first argument."""
        return self.args[0] if self.args else self.rest

    @property
    def count(self) -> int:
        """How many arguments there are at least."""
        return len(self.args) + len(self.kwargs) + bool(self.rest.own)

    @property
    def keeps(self) -> bool:
        """Whether it says ``copy=False``."""
        said = [word.value for word in self.node.keywords if word.arg == "copy"]
        return any(isinstance(each, ast.Constant) and each.value is False for each in said)


def call(frame: Frame, made: Call, callee: Value) -> Value:
    """Report what a call writes to, and return what it may return."""
    _arguments(frame, made)
    return union(_function(frame, made, origin) for origin in callee.own)


def _arguments(frame: Frame, made: Call) -> None:
    for origin in made.kwargs.get("out", FRESH).own:
        if not origin.immutable:
            frame.write(origin, made.node, "writes to {} by out=", "S10")
    if frame.function.__name__ != "__deepcopy__":
        for value in (*made.args, *made.kwargs.values()):
            for origin in value.own:
                advances(frame, made.node, origin)
    for origin in made.kwargs.get("generator", FRESH).own:
        if known.generator_of(origin):
            _draws(frame, made.node, origin, "draw")


def advances(frame: Frame, node: ast.AST, origin: Origin) -> None:
    """Report the use of an iterator that others use too."""
    if origin.iterator and not origin.excused:
        frame.found("S09", node, f"advances {origin.path}")


def method(frame: Frame, made: Call, receiver: Value, name: str) -> Value | None:
    """Report what calling a method does to its object.

    Returns:
        What it may return if it is known by its name alone, else None.
    """
    for origin in receiver.own:
        _mutates(frame, made, origin, name)
        if name == "at" and isinstance(origin.live, np.ufunc):
            _writes(frame, made, made.first, f"{origin.path}.at()")
    if any(isinstance(origin.live, ModuleType) for origin in receiver.own):
        return None  # a function that has the name of a method
    if name == "shuffle":
        _writes(frame, made, made.first, "shuffle()")
    if name in known.VIEWS or (name == "astype" and made.keeps):
        return Value(receiver.own)
    if name == "copy" and not any(_method_of(origin, name) for origin in receiver.own):
        return Value(copies=receiver.own)
    if name in known.ITEMS and made.node.args:
        return receiver.item(made.node.args[0], made.first)
    if name == "values":
        return Value(parts=receiver.items.own | _values(receiver))
    if name == "items":
        return Value(parts=receiver.items.own | _values(receiver))
    return None


def _values(receiver: Value) -> frozenset[Origin]:
    key = ast.Name("key")
    return receiver.item(key).own if receiver.own else receiver.parts


def _method_of(origin: Origin, name: str) -> bool:
    return isinstance(look_up(origin.live, name)[1], FunctionType) if _is_live(origin) else False


def _is_live(origin: Origin) -> bool:
    return origin.live is not UNKNOWN


def _mutates(frame: Frame, made: Call, origin: Origin, name: str) -> None:
    if known.generator_of(origin):
        draw = known.method_draws(name)
        if draw is not None:
            _draws(frame, made.node, origin, draw)
        return
    if name in known.TENSOR_DRAWS and "generator" not in made.kwargs:
        _draws(frame, made.node, Origin("global", "torch's generator"), "draw")
    live = origin.live
    if live is os.environ and name in known.MUTATORS:
        frame.found("S12", made.node, f"calls os.environ.{name}()")
    if origin.kind == "code" or origin.immutable:
        return
    changes = known.changes(live, name)
    if _method_of(origin, name) and not changes:
        return
    container = (
        live is UNKNOWN
        or isinstance(live, dict | list | set | bytearray | np.ndarray)
        or type(live).__module__ in ("collections", "weakref", "array", "heapq", "os")
    )
    in_place = name.endswith("_") and not name.startswith("_") and not name.endswith("__")
    if (
        (name in known.MUTATORS and container)
        or changes
        or (in_place and (live is UNKNOWN or _tensor(live)))
    ):
        frame.write(origin, made.node, f"calls {{}}.{name}()", "S02")


def _tensor(live: Any) -> bool:
    return any(kind.__name__ == "Tensor" for kind in type(live).__mro__)


def _draws(frame: Frame, node: ast.AST, origin: Origin, draw: known.Draw) -> None:
    if origin.excused:
        return
    if draw == "seed":
        frame.found("S07", node, f"seeds {origin.path}", "latent", SEED_HINT)
    else:
        frame.found("S07", node, f"draws from {origin.path}", "order")


def _writes(frame: Frame, made: Call, value: Value, by: str) -> None:
    for origin in value.own:
        if not origin.immutable:
            frame.write(origin, made.node, f"changes {{}} by {by}", "S10")


def _function(frame: Frame, made: Call, origin: Origin) -> Value:
    live = origin.live
    while isinstance(live, functools.partial):
        origin = Origin(origin.kind, origin.path, live.func, origin.excused)
        live = live.func
    inner = getattr(live, "__func__", None)
    if isinstance(live, MethodType) and isinstance(inner, FunctionType) and followed(inner):
        itself = Origin("self", origin.path.rpartition(".")[0], live.__self__, origin.excused)
        origin, live = Origin("code", origin.path, inner, bound=itself), inner
    if isinstance(live, _CACHED):
        return _cached(frame, made, origin)
    _by_name(frame, made, origin)
    if isinstance(live, FunctionType):
        return _followed(frame, made, origin) if followed(live) else _library(frame, made, origin)
    if isinstance(live, type) and followed(live):
        # An object of the call's own, holding what it was given.
        held = union([*made.args, *made.kwargs.values()])
        return Value(parts=held.own | held.parts)
    if _is_live(origin) and not isinstance(live, type | ModuleType):
        for name in ("__call__", "forward"):
            found = look_up(live, name)[1]
            if isinstance(found, FunctionType) and followed(found):
                bound = Origin("code", f"{origin.path}()", found, bound=origin)
                return _followed(frame, made, bound)
    return _library(frame, made, origin)


def _by_name(frame: Frame, made: Call, origin: Origin) -> None:
    """Report what a method of a library's does to its object, however it was come by."""
    live, name = origin.live, origin.path.rpartition(".")[2]
    if isinstance(live, FunctionType) and followed(live):
        return
    if origin.bound is not None:
        _mutates(frame, made, origin.bound, name)
    elif isinstance(live, MethodDescriptorType):
        for target in made.first.own:
            _mutates(frame, made, target, name)


def _handed_on(frame: Frame, made: Call) -> None:
    """Read the functions among the arguments: a library that is given one calls it."""
    bare = Call(made.node, (), {}, FRESH)
    for value in (*made.args, *made.kwargs.values()):
        for origin in value.own:
            live = origin.live
            if isinstance(live, FunctionType) and followed(live):
                _followed(frame, bare, origin)
            elif origin.bound is not None:
                _by_name(frame, bare, origin)


def _followed(frame: Frame, made: Call, origin: Origin) -> Value:
    args = [of(origin.bound), *made.args] if origin.bound is not None else list(made.args)
    guarded = bool(frame.guarded)
    return frame.scan.follow(unwrapped(origin.live), args, made.kwargs, made.rest, guarded=guarded)


def _cached(frame: Frame, made: Call, origin: Origin) -> Value:
    inner = origin.live.__wrapped__
    if origin.bound is not None and origin.bound.kind != "code":
        frame.found("S08", made.node, f"calls {origin.path}(), which caches its results")
    if isinstance(inner, FunctionType) and followed(inner):
        _followed(frame, made, Origin("code", origin.path, inner, bound=origin.bound))
    return of(Origin("cached", f"the cached result of {origin.path}()"))


def _library(frame: Frame, made: Call, origin: Origin) -> Value:
    _handed_on(frame, made)
    draw = known.global_draw(origin, made.count)
    if draw == "entropy":
        frame.found("S07", made.node, f"calls {origin.path}() without a seed", "order")
    elif draw is not None and "generator" not in made.kwargs:
        if draw == "seed":
            frame.found("S07", made.node, f"calls {origin.path}()", "latent", SEED_HINT)
        else:
            frame.found("S07", made.node, f"draws from a global generator by {origin.path}()",
                "order")  # fmt: skip
    name = known.matches(origin, known.SETTINGS)
    if name:
        frame.found("S12", made.node, f"calls {name}()")
    if known.matches(origin, known.FILLS) or origin.path == "object.__setattr__":
        for target in made.first.own:
            frame.write(target, made.node, f"changes {{}} by {origin.path}()")
    _writes(frame, made, known.written_at(origin, made.args), f"{origin.path}()")
    if made.keeps and known.matches(origin, known.MAY_COPY):
        if not origin.path.endswith("array"):
            _writes(frame, made, made.first, f"{origin.path}(copy=False)")
        return Value(made.first.own)
    if origin.path == "next":
        for target in made.first.own:
            if target.live is UNKNOWN and target.kind not in ("input", "code"):
                frame.found("S09", made.node, f"advances {target.path}")
    match origin.path:
        case "vars":
            return namespaces(made.first)
        case "type" if made.count == 1:
            return classes(made.first)
        case "globals":
            return of(Origin("global", "globals()", frame.function.__globals__))
    if known.matches(origin, known.SAME):
        place = 1 if origin.path.endswith("cast") and len(made.args) > 1 else 0
        return Value(made.args[place].own) if made.args else FRESH
    if known.matches(origin, known.SHALLOW):
        return Value(copies=made.first.own | made.first.copies, parts=made.first.parts)
    if known.matches(origin, known.GATHERS):
        return Value(parts=union(value.items for value in made.args).own)
    return FRESH
