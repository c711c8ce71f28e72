"""What statements bind, store and delete, in the order in which they run.

Both sides of a branch are read, and a loop's body twice; what a name may stand for after them is
what it may stand for after any of them.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Sequence
from types import FunctionType

from . import calls
from .expressions import bind_target, evaluate, imported, imported_from
from .frame import Frame, is_lock
from .source import followed
from .values import (
    FRESH,
    UNKNOWN,
    Origin,
    Value,
    changes_in_place,
    look_up,
    of,
    private_to_thread,
    subscript,
)


def run(frame: Frame, body: Sequence[ast.stmt]) -> None:
    """Read statements one after the other."""
    for node in body:
        _statement(frame, node)


def _statement(frame: Frame, node: ast.stmt) -> None:
    match node:
        case ast.Assign():
            value = evaluate(frame, node.value)
            for target in node.targets:
                store(frame, target, value, node.value)
        case ast.AnnAssign():
            if node.value is not None:
                store(frame, node.target, evaluate(frame, node.value), node.value)
        case ast.AugAssign():
            _in_place(frame, node)
        case ast.Delete():
            for target in node.targets:
                if not isinstance(target, ast.Name):
                    _write(frame, target, "deletes")
        case ast.Return():
            frame.returns |= evaluate(frame, node.value)
        case ast.Global() | ast.Nonlocal():
            outside = isinstance(node, ast.Global) or frame.inner.isdisjoint(node.names)
            frame.outer |= set(node.names) if outside else set()
        case ast.Import() | ast.ImportFrom():
            _import(frame, node)
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            _nested(frame, node)
        case ast.For() | ast.AsyncFor():
            source = evaluate(frame, node.iter)
            for origin in source.own:
                calls.advances(frame, node.iter, origin)
            _loop(frame, node.body, node.target, source.items)
            run(frame, node.orelse)
        case ast.While():
            evaluate(frame, node.test)
            _loop(frame, node.body)
            run(frame, node.orelse)
        case ast.If():
            evaluate(frame, node.test)
            _either(frame, [node.body, node.orelse])
        case ast.With() | ast.AsyncWith():
            _with(frame, node)
        case ast.Try() | ast.TryStar():
            run(frame, node.body)
            _either(frame, [node.orelse, *(handler.body for handler in node.handlers)])
            run(frame, node.finalbody)
        case ast.Match():
            evaluate(frame, node.subject)
            _either(frame, [*(case.body for case in node.cases), []])
        case ast.Expr(value=ast.Call(func=ast.Attribute(ast.Name() as name, "update")) as made):
            evaluate(frame, made)
            if all(origin.kind == "input" for origin in frame.resolve(name.id).own):
                frame.env |= _held(frame, name, made)
        case _:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    evaluate(frame, child)


def store(frame: Frame, target: ast.expr, value: Value, source: ast.expr | None = None) -> None:
    """Read an assignment to a target."""
    if isinstance(target, ast.Name):
        if target.id in frame.outer:
            frame.found("S04", target, f"assigns the outer name {target.id}")
        else:
            held = _held(frame, target, source)
            frame.bind(target.id, value)
            frame.env |= held
    elif isinstance(target, ast.Tuple | ast.List):
        pairs = source.elts if isinstance(source, ast.Tuple | ast.List) else []
        for place, part in enumerate(target.elts):
            if isinstance(part, ast.Name | ast.Starred) and len(pairs) != len(target.elts):
                bind_target(frame, ast.Tuple([part]), Value(value.items.own))
                continue
            own = evaluate(frame, pairs[place]) if len(pairs) == len(target.elts) else value.items
            store(frame, part, own)
    elif isinstance(target, ast.Starred):
        store(frame, target.value, Value(parts=value.own))
    else:
        _write(frame, target, "assigns")
        base = evaluate(frame, target.value)  # type: ignore[attr-defined]
        # What others can see too may have changed again by the time it is read.
        if all(origin.kind == "input" for origin in base.own):
            frame.bind(ast.unparse(target), value)


def _held(frame: Frame, target: ast.Name, source: ast.expr | None) -> dict[str, Value]:
    """Return what a dictionary is given by key, which replaces what it was copied from."""
    held: dict[str, Value] = {}
    pairs: list[tuple[object, ast.expr]] = []
    match source:
        case ast.Dict():
            pairs += zip(source.keys, source.values, strict=True)
        case ast.Call(func=ast.Name(id="dict") | ast.Attribute(attr="update")):
            for each in source.args:
                held |= _held(frame, target, each)
            pairs += ((word.arg and ast.Constant(word.arg), word.value) for word in source.keywords)
    for key, value in pairs:
        if isinstance(key, ast.Constant):
            held[ast.unparse(ast.Subscript(target, key))] = evaluate(frame, value)
        elif key is None:
            held.clear()  # it may replace those before it
    return held


def _write(frame: Frame, target: ast.expr, verb: str) -> None:
    """Report a store into an attribute or an item."""
    if isinstance(target, ast.Tuple | ast.List):
        for part in target.elts:
            _write(frame, part, verb)
    elif isinstance(target, ast.Attribute):
        for origin in evaluate(frame, target.value).own:
            _write_attribute(frame, target, origin, verb)
    elif isinstance(target, ast.Subscript):
        evaluate(frame, target.slice)
        step = subscript(target.slice)
        for origin in evaluate(frame, target.value).own:
            if origin.live is os.environ:
                frame.found("S12", target, f"{verb} os.environ{step}")
            elif not origin.immutable:
                path = origin.path if step in origin.path else f"{origin.path}{step}"
                frame.write(origin, target, f"{verb} {_text(path)}")


def _write_attribute(frame: Frame, target: ast.Attribute, origin: Origin, verb: str) -> None:
    name, live = target.attr, origin.live
    excused = name in getattr(type(live), "mutable_state", ())
    path = f"{verb} {_text(origin.path)}.{name}"
    if live is UNKNOWN or isinstance(live, super):
        frame.write(origin, target, path)
        return
    held = look_up(live, name)[1]
    setter = held.fset if isinstance(held, property) else look_up(held, "__set__")[1]
    if not isinstance(setter, FunctionType):
        setter = look_up(live, "__setattr__")[1]
    if isinstance(setter, FunctionType) and followed(setter) and origin.kind != "input":
        own = [of(origin)] if isinstance(held, property) else [
            of(Origin("descriptor", name, held)), of(origin)]  # fmt: skip
        if setter is look_up(live, "__setattr__")[1]:
            if excused:
                return
            own = [of(origin), FRESH]
        frame.scan.follow(setter, [*own, FRESH], {}, setter=True)
        frame.write(origin, target, path, "S03")
    elif not excused and not private_to_thread(live):
        frame.write(origin, target, path)


def _text(path: str) -> str:
    return path.replace("{", "{{").replace("}", "}}")


def _in_place(frame: Frame, node: ast.AugAssign) -> None:
    evaluate(frame, node.value)
    target = node.target
    if not isinstance(target, ast.Name):
        _write(frame, target, "changes")
        # What a container of the call's own holds need not be its own.
        if not evaluate(frame, target.value).own:
            for origin in evaluate(frame, target).own:
                if changes_in_place(origin):
                    frame.write(origin, node, "changes {} in place", "S10")
        return
    if target.id in frame.outer:
        frame.found("S04", target, f"assigns the outer name {target.id}")
        return
    value = frame.resolve(target.id)
    for origin in value.own:
        known = origin.live is not UNKNOWN or origin.kind == "cached"
        if origin.immutable or not (known or target.id in frame.arrays):
            frame.bind(target.id, Value(value.own - {origin}, value.copies, value.parts))
        else:
            frame.write(origin, node, "changes {} in place", "S10")


def _loop(
    frame: Frame, body: Sequence[ast.stmt], target: ast.expr | None = None, items: Value = FRESH
) -> None:
    for _ in range(2):  # what the end of the body binds reaches its beginning
        before = dict(frame.env)
        if isinstance(target, ast.Name | ast.Tuple | ast.List):
            bind_target(frame, target, items)
        elif target is not None:
            store(frame, target, items)
        run(frame, body)
        _merge(frame, [before, dict(frame.env)])


def _either(frame: Frame, bodies: Sequence[Sequence[ast.stmt]]) -> None:
    before, after = dict(frame.env), []
    for body in bodies:
        frame.env.clear()
        frame.env.update(before)
        run(frame, body)
        if not (body and isinstance(body[-1], ast.Return | ast.Raise | ast.Continue)):
            after.append(dict(frame.env))
    _merge(frame, after or [before])


def _merge(frame: Frame, ends: Sequence[dict[str, Value]]) -> None:
    merged: dict[str, Value] = {}
    for end in ends:
        for key, value in end.items():
            # A path that only one side has set may still be what it was on the other.
            if key.isidentifier() or all(key in other for other in ends):
                merged[key] = merged.get(key, FRESH) | value
    frame.env.clear()
    frame.env.update(merged)


def _with(frame: Frame, node: ast.With | ast.AsyncWith) -> None:
    locks = 0
    for item in node.items:
        value = evaluate(frame, item.context_expr)
        locks += any(origin.kind == "self" and is_lock(origin.live) for origin in value.own)
        if item.optional_vars is not None:
            store(frame, item.optional_vars, FRESH)
    frame.guarded += locks
    run(frame, node.body)
    frame.guarded -= locks


def _nested(frame: Frame, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    """Read a nested function where it stands, as if it were called there."""
    before, outer = dict(frame.env), set(frame.outer)
    args = node.args
    for arg in [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg]:
        if arg is not None:
            frame.bind(arg.arg, FRESH)
    returns, inner = frame.returns, set(frame.inner)
    frame.inner |= set(before)
    run(frame, node.body)
    frame.env.clear()
    frame.env.update(before)
    frame.outer, frame.returns, frame.inner = outer, returns, inner
    frame.bind(node.name, FRESH)


def _import(frame: Frame, node: ast.Import | ast.ImportFrom) -> None:
    package = frame.function.__globals__.get("__package__") or ""
    for alias in node.names:
        if isinstance(node, ast.Import):
            top = alias.name if alias.asname else alias.name.partition(".")[0]
            frame.bind(alias.asname or top, of(imported(top)))
        elif alias.name != "*":
            origin = imported_from(node.module or "", node.level, alias.name, package)
            frame.bind(alias.asname or alias.name, of(origin))
