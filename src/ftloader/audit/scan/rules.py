"""The rules of the static scan: their identifiers, what they match, and how to mend it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Rule:
    """One pattern that the scan reports.

    Attributes:
        name: identifier, ``S01`` to ``S12``.
        matches: what it matches.
        hint: how to mend it, one line.
    """

    name: str
    matches: str
    hint: str


_LOCAL: Final = "keep it in a local variable and pass it on as an argument"
_STREAM: Final = "draw from the sample's own generator, passed in as an argument"

_ALL = (
    Rule("S01", "assignment to an attribute of the instance, or to an item of one", _LOCAL),
    Rule(
        "S02",
        "a call that changes an attribute of the instance (append, pop, update, ...)",
        "work on a local copy; if it is a cache that is meant, guard it with a lock and declare it",
    ),
    Rule(
        "S03",
        "a property setter or __setattr__ that a call goes through and that changes fields",
        "pass the value as an argument instead of setting it on the object",
    ),
    Rule(
        "S04",
        "assignment to a global or nonlocal name, or a change to what a closure holds",
        "return the value, or compute it before the workers start",
    ),
    Rule(
        "S05",
        "a change to an object that a module holds",
        "keep it out of the module: make it once and read it, or pass it in",
    ),
    Rule(
        "S06",
        "a change to a class attribute or to the default of an argument",
        "make it in __init__ or in the call; what a class holds is shared by all instances",
    ),
    Rule("S07", "a draw from a generator that all threads share", _STREAM),
    Rule(
        "S08",
        "a cached method or property, or a change to a cached result",
        "compute it in __init__, or cache a function whose results are never written to",
    ),
    Rule(
        "S09",
        "an iterator that all threads would advance",
        "keep a sequence and compute the position from the sample's index",
    ),
    Rule(
        "S10",
        "a store, an in-place operation or out= on the input or on a buffer of the instance",
        "write to a copy or a new array",
    ),
    Rule(
        "S11",
        "a descriptor that stores something on itself: shared even by one instance per thread",
        "return functools.partial(function, instance) from __get__ and store nothing",
    ),
    Rule(
        "S12",
        "a change to a setting of the whole process",
        "set it once, before the workers start",
    ),
)
RULES: Final[Mapping[str, Rule]] = MappingProxyType({rule.name: rule for rule in _ALL})

#: A seed is no draw; its cure is another one.
SEED_HINT: Final = f"seed nothing in a call; {_STREAM}"
