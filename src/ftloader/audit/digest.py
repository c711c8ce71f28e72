"""Digests of arbitrary values, and the paths at which two of them differ.

:func:`digest` tells whether two values are equal bit for bit: arrays by type, shape and bytes,
objects by their attributes, random generators by their state, suspended generators by where they
stand, functions by defaults and closures. NaN equals NaN. :func:`walk` says where they differ.

Bounds: nesting deeper than 100 levels, values after the first 100,000 of one walk, and bytes
between the samples of a buffer above 256 MiB are not seen; :attr:`Walk.cut` tells of the first two.

Thread safety: pure; nobody must write to the values meanwhile.
"""

from __future__ import annotations

import hashlib
import types
from collections.abc import Mapping
from typing import Any, Final

from ._kinds import Unordered, is_plain, read

_DEEPEST: Final = 100
_SHORT: Final = 80
_MOST: Final = 100_000


def digest(value: Any) -> str:
    """Return a short text that is equal for equal values and differs for different ones.

    It is the same in every process. Order counts in dicts and lists, not in sets; which parts are
    one and the same object does not count.

    Args:
        value: anything; cycles are fine.
    """
    return hashed(Walk(record=False).add("", value))


def walk(value: Any, name: str = "self") -> dict[str, str]:
    """Return what is at each path of a value, as readable as it gets.

    Args:
        value: anything.
        name: of the value, which all paths begin with.

    Returns:
        Own contents by paths such as ``self.resize.scale`` and ``self.cache[3]``; a container's or
        an object's own content is its type, its length and its keys.
    """
    walked = Walk(identity=True)
    walked.add(name, value)
    return walked.leaves


class Walk:
    """One pass over any number of values, of which each object is read once.

    Args:
        identity: whether it counts which object a weak reference points to, and which parts are
            one object. For comparing the same values before and after something.
        record: whether ``leaves`` and ``objects`` are wanted.

    Attributes:
        leaves: own content by path.
        objects: path by which each value that is not plain was first reached, and the value.
        cut: whether something was left out because there was too much of it.
    """

    def __init__(self, *, identity: bool = False, record: bool = True) -> None:
        self.leaves: dict[str, str] = {}
        self.objects: list[tuple[str, Any]] = []
        self.cut = False
        self._identity = identity
        self._record = record
        # The values are kept alive, or a later one could have the id of an earlier one.
        self._known: dict[int, tuple[str, str, Any]] = {}
        self._open: dict[int, int] = {}

    def add(self, path: str, value: Any) -> str:
        """Read a value with everything in it, and return what tells it from others."""
        if is_plain(value):
            # -0.0 is not 0.0, and True is not 1.
            return self._leaf(path, f"{type(value).__name__} {value!r}")
        mark = id(value)
        if mark in self._known:
            first, known, _ = self._known[mark]
            if self._identity and path != first:
                self._leaf(path, f"same as {first}")
            return known
        if mark in self._open:
            return self._leaf(path, f"the value {len(self._open) - self._open[mark]} levels above")
        if len(self._open) >= _DEEPEST or len(self._known) >= _MOST:
            self.cut = True
            return self._leaf(path, f"{type(value).__qualname__}, not looked into")
        self._open[mark] = len(self._open)
        made = self._parts(path, value)
        del self._open[mark]
        self._known[mark] = path, made, value
        return made

    def _parts(self, path: str, value: Any) -> str:
        if isinstance(value, Unordered):
            members = [Walk(record=False).add("", member) for member in value.members]
            return self._leaf(path, f"members {hashed(*sorted(members))}")
        text, parts, _ = read(value, identity=self._identity)
        if not isinstance(value, types.CellType):
            self._leaf(path, text)
            if self._record:
                self.objects.append((path, value))
        if not parts:
            return text if len(text) <= _SHORT else hashed(text)
        return hashed(text, *[f"{name} {self.add(path + name, part)}" for name, part in parts])

    def _leaf(self, path: str, text: str) -> str:
        made = text if len(text) <= _SHORT else hashed(text)
        if self._record:
            while path in self.leaves:
                path += "'"
            self.leaves[path] = made
        return made


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return the paths at which two walks differ, those that only one of them has included."""
    paths = dict.fromkeys((*before, *after))
    return [path for path in paths if before.get(path) != after.get(path)]


def hashed(*texts: str) -> str:
    """Return a hash of texts in their order."""
    whole = "\n".join(texts)
    return hashlib.blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
