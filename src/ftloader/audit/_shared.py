"""Everything that threads would share if they shared a transform, and what is in it now.

That is: the instance and what it refers to; the classes of all these objects, with the descriptors
in them; the closures and defaults of their methods; and the globals that their methods, and the
functions of the same package that those call, name. Libraries are not looked into.

Thread safety: none; nobody may use the transform while it is looked at.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from typing import Any, Final

from ._kinds import CACHED
from ._places import top_package
from .digest import Walk, differences

#: Packages whose classes and functions keep what they keep for reasons of their own.
_LIBRARIES: Final = frozenset({"numpy", "PIL", "torch", "cv2", "scipy", "pandas"})
#: Functions whose code is looked into, at most.
_MOST_FUNCTIONS: Final = 2000


class Shared:
    """What threads share, at one moment.

    Args:
        transform: any callable.

    Attributes:
        leaves: own content by path; see :class:`~ftloader.audit.digest.Walk`.
        objects: path and value of everything with parts or attributes.
        excused: paths of the attributes that the classes of their objects declare as written to.
        cut: whether there was too much to look at all of it.
        roots: what paths begin with: the transform, the classes and the modules looked into.
    """

    def __init__(self, transform: Any) -> None:
        self._walk = Walk(identity=True)
        self._classes: set[type] = set()
        self._functions = 0
        name = transform.__name__ if isinstance(transform, types.FunctionType) else "self"
        self.roots = {name}
        self._walk.add(name, transform)
        # What is found on the way is appended to what is gone through.
        for _, value in self._walk.objects:
            self._look_into(value)
        self.leaves = self._walk.leaves
        self.objects = self._walk.objects
        self.excused = tuple(
            f"{path}.{attribute}" for path, value in self.objects for attribute in _writes(value)
        )
        self.cut = self._walk.cut or self._functions > _MOST_FUNCTIONS

    def _look_into(self, value: Any) -> None:
        if isinstance(value, types.FunctionType):
            self._functions += 1
            if self._functions <= _MOST_FUNCTIONS and not is_library(value.__module__):
                self._globals(value)
            return
        if isinstance(value, types.MethodType):
            self._walk.add(value.__func__.__qualname__, value.__func__)
        for kin in type(value).__mro__:
            self._class(kin)

    def _class(self, kin: type) -> None:
        if kin in self._classes or is_library(kin.__module__):
            return
        self._classes.add(kin)
        self.roots.add(kin.__qualname__)
        for name, entry in list(vars(kin).items()):
            # Bookkeeping of Python's, some of it caches.
            if name.startswith("__") and not isinstance(entry, types.FunctionType):
                continue
            if name != "_abc_impl":
                self._walk.add(f"{kin.__qualname__}.{name}", entry)

    def _globals(self, function: types.FunctionType) -> None:
        package = top_package(function.__module__)
        self.roots.add(function.__module__)
        names = dict.fromkeys(_names(function.__code__))
        for name in names:
            if name not in function.__globals__:
                continue
            value = function.__globals__[name]
            if isinstance(value, types.ModuleType):
                if top_package(value.__name__) == package:
                    inside = [other for other in names if other in vars(value)]
                    for other in inside:
                        self._global(value.__name__, other, vars(value)[other], package)
            else:
                self._global(function.__module__, name, value, package)

    def _global(self, module: str, name: str, value: Any, package: str) -> None:
        if isinstance(value, types.ModuleType):
            return
        home = top_package(getattr(value, "__module__", None) or module)
        if isinstance(value, type):
            if home == package:
                self._class(value)
        elif home == package or not isinstance(value, types.FunctionType):
            self._walk.add(f"{module}.{name}", value)


def changes(before: Shared, after: Shared) -> tuple[list[str], list[str]]:
    """Return the paths written to in between, and those among them that were declared.

    Args:
        before: what was shared.
        after: the same transform later.

    Returns:
        Undeclared and declared paths, each the shortest that names the change.
    """
    paths = [
        path
        for path in differences(before.leaves, after.leaves)
        if CACHED not in path or (path in before.leaves and path in after.leaves)
        # What is new may only have come into sight, with an object that is held from now on.
        if path in before.leaves or any(is_below(path, root) for root in before.roots)
    ]
    excused = (*before.excused, *after.excused)
    declared = [path for path in paths if any(is_below(path, one) for one in excused)]
    return _summed([path for path in paths if path not in declared]), _summed(declared)


def is_below(path: str, whole: str) -> bool:
    """Whether a path is another one or a part of it."""
    rest = path[len(whole) :]
    return path.startswith(whole) and not (rest[:1].isalnum() or rest[:1] == "_")


def _summed(paths: list[str]) -> list[str]:
    """Merge the paths below one attribute or global, unless there is only one."""
    stems: dict[str, list[str]] = {}
    for path in paths:
        stems.setdefault(_stem(path), []).append(path)
    return [
        below[0] if len(below) == 1 and "'s " not in below[0] and "(" not in below[0][:-1] else stem
        for stem, below in stems.items()
    ]


def _stem(path: str) -> str:
    if CACHED in path:
        return path[: path.index(CACHED)] + CACHED.rstrip()
    if " (closure of " in path or " (default of " in path:
        return path[: path.index(")") + 1]
    ends = [path.find(sign) for sign in ("[", "'s ", " (") if sign in path]
    return path[: min(ends)] if ends else path.rstrip("'")


def _writes(value: Any) -> tuple[str, ...]:
    declared = getattr(type(value), "mutable_state", ())
    return declared if isinstance(declared, tuple) else ()


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def is_library(module: str | None) -> bool:
    """Whether a module belongs to the standard library or to one that is not looked into."""
    top = top_package(module)
    return top in _LIBRARIES or (top in sys.stdlib_module_names and top != "__main__")
