"""What an expression stands for, and what evaluating it writes to."""

from __future__ import annotations

import ast
import functools
import importlib.util
import sys
from types import FunctionType, MethodType, ModuleType
from typing import Any

from . import calls
from .frame import Frame
from .source import followed
from .values import (
    FRESH,
    UNKNOWN,
    Origin,
    Value,
    attribute_is_plain,
    classes,
    look_up,
    named,
    namespaces,
    of,
    private_to_thread,
    union,
)


def evaluate(frame: Frame, node: ast.expr | None) -> Value:
    """Read an expression, report what it writes to, and return what it stands for."""
    match node:
        case None | ast.Constant():
            return FRESH
        case ast.Name():
            return frame.resolve(node.id)
        case ast.Attribute():
            known = frame.env.get(ast.unparse(node))
            base = evaluate(frame, node.value)
            return known if known is not None else attribute(frame, node, base, node.attr)
        case ast.Subscript():
            key = evaluate(frame, node.slice)
            known = frame.env.get(ast.unparse(node))
            base = evaluate(frame, node.value)
            return known if known is not None else base.item(node.slice, key)
        case ast.Call():
            return _call(frame, node)
        case ast.IfExp():
            evaluate(frame, node.test)
            return evaluate(frame, node.body) | evaluate(frame, node.orelse)
        case ast.BoolOp():
            return union([evaluate(frame, value) for value in node.values])
        case ast.NamedExpr():
            value = evaluate(frame, node.value)
            frame.bind(node.target.id, value)
            return value
        case ast.Await() | ast.Starred() | ast.Yield() | ast.YieldFrom():
            value = evaluate(frame, node.value)
            if isinstance(node, ast.Yield):
                frame.returns |= Value(parts=value.own)
            return value
        case ast.Tuple() | ast.List() | ast.Set() | ast.Dict():
            return _display(frame, node)
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            return _comprehension(frame, node)
        case ast.Lambda():
            return FRESH  # read where it is called
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            evaluate(frame, child)
    return FRESH


def attribute(frame: Frame, node: ast.AST, base: Value, name: str) -> Value:
    """Return what an attribute stands for; properties and descriptors are followed."""
    if attribute_is_plain(name):
        return FRESH
    if name == "__class__":
        return classes(base)
    if name == "__dict__":
        return namespaces(base)
    return union([_attribute(frame, node, origin, name) for origin in base.own])


def bind_target(frame: Frame, target: ast.expr, value: Value) -> None:
    """Let the names of a loop, a comprehension or an unpacking stand for something."""
    if isinstance(target, ast.Name):
        frame.bind(target.id, value)
    elif isinstance(target, ast.Starred):
        bind_target(frame, target.value, Value(parts=value.own))
    elif isinstance(target, ast.Tuple | ast.List):
        for part in target.elts:
            # The pairs of zip, enumerate and items() are not told from what is in them.
            bind_target(frame, part, value | value.items)


def _attribute(frame: Frame, node: ast.AST, origin: Origin, name: str) -> Value:
    live = origin.live
    if live is UNKNOWN:
        code = origin.kind == "code"
        return of(Origin("code", f"{origin.path}.{name}") if code else origin.child(f".{name}"))
    if isinstance(live, super):
        return _inherited(frame, live, origin, name)
    where, found, holder = look_up(live, name)
    if isinstance(live, ModuleType):
        path = f"{live.__name__}.{name}"
        return of(named(path, found) if where == "own" else Origin("code", path))
    excused = name in getattr(type(live), "mutable_state", ())
    if holder is None and private_to_thread(live):
        return FRESH  # also if no thread has set it yet
    if where == "own":
        return of(origin.child(f".{name}", found, excused=excused))
    if holder is None:
        missing = origin.kind == "code" or not hasattr(live, "__dict__")
        return FRESH if missing else of(origin.child(f".{name}", excused=excused))
    return _of_class(frame, node, origin, (name, found, holder))


def _of_class(frame: Frame, node: ast.AST, origin: Origin, found: tuple[str, Any, type]) -> Value:
    """Return what an attribute that a class holds stands for on one of its objects."""
    name, value, holder = found
    on_class = isinstance(origin.live, type)
    bound = None if on_class else origin
    path = f"{origin.path}.{name}"
    match value:
        case FunctionType():
            return of(Origin("code", path, value, bound=bound))
        case staticmethod():
            return of(Origin("code", path, value.__func__))
        case classmethod():
            kind = origin.live if on_class else type(origin.live)
            owner = Origin("code", kind.__name__, kind)
            return of(Origin("code", path, value.__func__, bound=owner))
        case property() if value.fget is not None and not on_class:
            if isinstance(value.fget, FunctionType) and followed(value.fget):
                return frame.scan.follow(value.fget, [of(origin)], {})
            return of(origin.child(f".{name}"))
        case functools.cached_property() if not on_class:
            if not origin.excused and origin.kind != "input":
                frame.found("S08", node, f"computes and keeps {path}")
            if isinstance(value.func, FunctionType) and followed(value.func):
                frame.scan.follow(value.func, [of(origin)], {})
            return of(origin.child(f".{name}"))
    if hasattr(value, "__wrapped__") and callable(value) and not hasattr(type(value), "__set__"):
        wrapped = of(Origin("code", path, value, bound=bound))
        if not isinstance(look_up(value, "__get__")[1], FunctionType):
            return wrapped
    if isinstance(look_up(value, "__get__")[1], FunctionType) and followed(value):
        return _descriptor(frame, origin, found)
    if origin.kind == "code" and not on_class:
        return FRESH
    excused = name in getattr(holder, "mutable_state", ())
    if callable(value) and not followed(value):
        return of(Origin("code", path, value, bound=bound))
    return of(Origin("class", f"{holder.__name__}.{name}", value, origin.excused or excused))


def _descriptor(frame: Frame, origin: Origin, found: tuple[str, Any, type]) -> Value:
    """Follow a descriptor's ``__get__``, and stand for the functions that it wraps."""
    name, value, holder = found
    getter = look_up(value, "__get__")[1]
    itself = Origin("descriptor", f"{holder.__name__}.{name}", value)
    result = frame.scan.follow(getter, [of(itself), of(origin)], {})
    wrapped = (
        [
            Origin("code", f"{origin.path}.{name}", each, bound=origin)
            for each in vars(value).values()
            if isinstance(each, FunctionType)
        ]
        if hasattr(value, "__dict__")
        else []
    )
    return of(*wrapped) if wrapped else Value(result.own - {itself})


def _inherited(frame: Frame, live: Any, origin: Origin, name: str) -> Value:
    """Return what ``super().name`` stands for."""
    bound = origin.bound
    mro = live.__self_class__.__mro__ if live.__self_class__ else ()
    after = mro[mro.index(live.__thisclass__) + 1 :] if live.__thisclass__ in mro else ()
    for kind in after:
        if name in vars(kind) and bound is not None:
            return _of_class(frame, frame.node, bound, (name, vars(kind)[name], kind))
    return FRESH


def _call(frame: Frame, node: ast.Call) -> Value:
    args = [evaluate(frame, arg) for arg in node.args if not isinstance(arg, ast.Starred)]
    kwargs = {word.arg: evaluate(frame, word.value) for word in node.keywords if word.arg}
    several = [evaluate(frame, arg.value) for arg in node.args if isinstance(arg, ast.Starred)]
    several += [evaluate(frame, word.value) for word in node.keywords if word.arg is None]
    rest = union([Value(value.items.own | value.parts | _copied(value)) for value in several])
    made = calls.Call(node, args, kwargs, rest)
    function = node.func
    if isinstance(function, ast.Name) and function.id == "super" and not node.args:
        return _super(frame)
    if isinstance(function, ast.Name) and function.id == "getattr" and len(node.args) > 1:
        name = node.args[1]
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            return attribute(frame, node, args[0], name.value) | union(args[2:])
    if isinstance(function, ast.Attribute):
        receiver = evaluate(frame, function.value)
        known = calls.method(frame, made, receiver, function.attr)
        result = calls.call(frame, made, attribute(frame, node, receiver, function.attr))
        return result if known is None else known | result
    return calls.call(frame, made, evaluate(frame, function))


def _copied(value: Value) -> frozenset[Origin]:
    return frozenset(item for origin in value.copies for item in of(origin).items.own)


def _super(frame: Frame) -> Value:
    owner = frame.resolve("__class__").own
    args = frame.node.args
    first = next(iter([*args.posonlyargs, *args.args]), None)
    if first is None:
        return FRESH
    found = []
    for origin in frame.resolve(first.arg).own:
        for kind in owner:
            live = origin.live
            if isinstance(kind.live, type) and isinstance(live, kind.live):
                found.append(Origin("code", "super()", super(kind.live, live), bound=origin))
    return of(*found)


def _display(frame: Frame, node: ast.Tuple | ast.List | ast.Set | ast.Dict) -> Value:
    if isinstance(node, ast.Dict):
        whole = FRESH
        for key, value in zip(node.keys, node.values, strict=True):
            evaluate(frame, key)
            seen = evaluate(frame, value)
            whole |= Value(parts=seen.own) if key is not None else Value(
                copies=seen.own | seen.copies, parts=seen.parts)  # fmt: skip
        return whole
    parts: frozenset[Origin] = frozenset()
    for element in node.elts:
        seen = evaluate(frame, element)
        parts |= seen.items.own if isinstance(element, ast.Starred) else seen.own
    return Value(parts=parts)


def _comprehension(
    frame: Frame, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
) -> Value:
    before = dict(frame.env)
    for each in node.generators:
        source = evaluate(frame, each.iter)
        for origin in source.own:
            calls.advances(frame, each.iter, origin)
        bind_target(frame, each.target, source.items)
        for condition in each.ifs:
            evaluate(frame, condition)
    if isinstance(node, ast.DictComp):
        evaluate(frame, node.key)
        made = evaluate(frame, node.value)
    else:
        made = evaluate(frame, node.elt)
    frame.env.clear()
    frame.env.update(before)
    return Value(parts=made.own)


def imported(name: str) -> Origin:
    """Return what an import inside a function stands for; nothing is imported for it."""
    live = sys.modules.get(name)
    return Origin("code", name) if live is None else Origin("code", live.__name__, live)


def imported_from(module: str, level: int, name: str, package: str) -> Origin:
    """Return what ``from module import name`` inside a function stands for."""
    whole = importlib.util.resolve_name("." * level + module, package) if level else module
    holder = sys.modules.get(whole)
    if holder is not None and name in vars(holder):
        found = vars(holder)[name]
        if isinstance(found, MethodType) or not isinstance(found, ModuleType):
            return named(f"{whole}.{name}", found)
        return imported(found.__name__)
    return imported(f"{whole}.{name}")
