"""From a function to its syntax tree, and from a file to the name that a reader knows it by.

Sources are read through ``linecache`` and parsed once per scan. Nothing is imported or run.
"""

from __future__ import annotations

import ast
import linecache
import os
import sys
from types import CodeType, FunctionType
from typing import Any, Final

from .._places import top_package

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

#: Packages whose code is not followed: they are tables of functions here, or known to be good.
_NOT_FOLLOWED: Final = frozenset(
    {"numpy", "torch", "scipy", "cv2", "PIL", "pandas", "pydantic", "pycocotools", "matplotlib"}
    | {"typing_extensions", "skimage", "sklearn", "shapely", "numba", "tqdm", "rich", "yaml"}
)


class Sources:
    """The syntax trees of the files that a scan meets."""

    def __init__(self) -> None:
        self._files: dict[str, dict[tuple[int, str], list[Function]]] = {}

    def node(self, code: CodeType) -> Function | None:
        """Return the definition that a code object was compiled from, None without source."""
        if code.co_filename not in self._files:
            self._files[code.co_filename] = _functions(code.co_filename)
        nodes = self._files[code.co_filename].get((code.co_firstlineno, code.co_name), [])
        count = code.co_argcount + code.co_kwonlyargcount
        for node in nodes:
            args = node.args
            if len(args.posonlyargs) + len(args.args) + len(args.kwonlyargs) == count:
                return node
        return None


def _functions(file: str) -> dict[tuple[int, str], list[Function]]:
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError):
        return {}
    found: dict[tuple[int, str], list[Function]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda):
            found.setdefault((node.lineno, "<lambda>"), []).append(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            found.setdefault((first, node.name), []).append(node)
    return found


def followed(thing: Any) -> bool:
    """Tell whether the code of a class, a function or an object's class is to be read."""
    if not isinstance(thing, type | FunctionType):
        thing = type(thing)
    top = top_package(getattr(thing, "__module__", None))
    # A script, or a module of tests, may carry the name of one of the standard library.
    if top.startswith("_cython"):
        return False
    return bool(top) and top not in _NOT_FOLLOWED and top not in sys.stdlib_module_names - {"test"}


def unwrapped(function: FunctionType) -> FunctionType:
    """Return what a decorator of the standard library, such as ``contextmanager``, was put on."""
    inner = function
    while inner.__globals__.get("__name__", "").partition(".")[0] in sys.stdlib_module_names - {
        "test",
        "__main__",
    }:
        wrapped = getattr(inner, "__wrapped__", None)
        if not isinstance(wrapped, FunctionType):
            break
        inner = wrapped
    return inner


def shown(file: str) -> str:
    """Return a file's path as seen from the current or the package folder, else whole."""
    for mark in ("/site-packages/", "/dist-packages/"):
        if mark in file.replace(os.sep, "/"):
            return file.replace(os.sep, "/").rpartition(mark)[2]
    try:
        relative = os.path.relpath(file)
    except ValueError:  # another drive
        return file
    return file if relative.startswith(os.pardir) else relative
