"""Which line writes to an attribute or a global: a look at the source, after a write was seen.

The source is searched for what may change a name, the plainest first: an assignment, a call of a
method on it, ``next`` of it, any other mention outside of constructors. It is a hint for the
reader; that something was written is known from elsewhere.
"""

from __future__ import annotations

import ast
import functools
import re
import types
from collections.abc import Iterator
from typing import Any

from ._places import shown
from ._shared import Shared, is_library

_CONSTRUCTORS = frozenset({"__init__", "__new__", "__post_init__", "__setstate__", "__deepcopy__"})


def writer(path: str, shared: Shared) -> str:
    """Return ``file:line`` of what probably writes to a path, empty if the source has none.

    Args:
        path: of an attribute, class attribute or global.
        shared: what the path belongs to.
    """
    name = re.split(r"[\[' (]", path, maxsplit=1)[0].rpartition(".")[2]
    best: tuple[int, str] | None = None
    for function in _functions(path, shared):
        code = function.__code__
        for rank, line in _mentions(code.co_filename, code.co_firstlineno, name):
            if best is None or rank < best[0]:
                best = rank, shown(code.co_filename, line)
    return best[1] if best is not None else ""


def _functions(path: str, shared: Shared) -> list[types.FunctionType]:
    """Return the functions to search: methods of the object's own classes, then all seen."""
    objects = dict(shared.objects)
    found: list[Any] = []
    while path := path.rpartition(".")[0]:
        if path in objects:
            kin = type(objects[path]).__mro__
            found += [entry for made in kin for entry in vars(made).values()]
    found += [value for _, value in shared.objects]
    theirs = [
        value
        for value in found
        if isinstance(value, types.FunctionType)
        and value.__name__ not in _CONSTRUCTORS
        and not is_library(value.__module__)
    ]
    return list(dict.fromkeys(theirs))


@functools.lru_cache(maxsize=256)
def _parsed(file: str) -> dict[int, list[ast.AST]]:
    """Return the functions of a file by the line that they begin in, decorators counted."""
    try:
        with open(file, encoding="utf-8") as source:
            tree = ast.parse(source.read())
    except (OSError, SyntaxError, ValueError):
        return {}
    functions: dict[int, list[ast.AST]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = [node.lineno, *(decorator.lineno for decorator in node.decorator_list)]
            functions.setdefault(min(lines), []).append(node)
    return functions


def _mentions(file: str, start: int, name: str) -> Iterator[tuple[int, int]]:
    """Yield how plainly, and in which line, the function of a line may write to a name."""
    for node in (node for top in _parsed(file).get(start, ()) for node in ast.walk(top)):
        ranks: list[int] = []
        match node:
            case ast.Assign(targets=targets):
                ranks = [0 for target in targets if _reaches(target, name)]
            case ast.AugAssign(target=target) | ast.AnnAssign(target=target):
                ranks = [0] if _reaches(target, name) else []
            case ast.Call(func=ast.Attribute(value=owner)) if _reaches(owner, name):
                ranks = [1]
            case ast.Call(func=ast.Name(id="next"), args=[owner, *_]) if _reaches(owner, name):
                ranks = [1]
            case ast.Attribute(attr=attribute) if attribute == name:
                ranks = [2]
        for rank in ranks:
            yield rank, getattr(node, "lineno", start)


def _reaches(target: ast.AST, name: str) -> bool:
    """Whether an expression is a name, or an attribute of that name, or a part of it."""
    while isinstance(target, ast.Subscript):
        target = target.value
    if isinstance(target, ast.Tuple | ast.List):
        return any(_reaches(element, name) for element in target.elts)
    return (isinstance(target, ast.Attribute) and target.attr == name) or (
        isinstance(target, ast.Name) and target.id == name
    )
