"""Stands in for packages that an interpreter cannot have, so that what imports them can be loaded.

For experiments with other people's code: mmcv imports OpenCV at its top, and most of its transforms
never call it. A stand-in has every name, and calling one of its functions is an error that says so.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class _Absent(ModuleType):
    """A module with constants that differ, empty classes, and functions that raise."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name.isupper():
            return zlib.crc32(name.encode())
        if name[0].isupper():
            return type(name, (), {})

        def missing(*args: object, **kwargs: object) -> Any:
            raise ImportError(f"{self.__name__}.{name} was called, and {self.__name__} is left out")

        return missing


class _Finder(MetaPathFinder, Loader):
    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if any(name == left_out or name.startswith(f"{left_out}.") for left_out in self._names):
            return ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Absent(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        module.__path__ = []


def leave_out(*names: str) -> None:
    """Answer imports of these modules, and of those below them, with stand-ins from now on."""
    sys.meta_path.insert(0, _Finder(names))
