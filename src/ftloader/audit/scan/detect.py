"""Where a scan starts, and what it makes of what it has found."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from types import FunctionType, MethodType
from typing import Any, Final, Protocol

from ...safety import ThreadSafety
from .._places import top_package
from ..verdict import Evidence, Finding, found
from .frame import KEYWORDS
from .scanner import Scanner, inputs
from .source import followed
from .values import FRESH, UNKNOWN, Origin, Value, look_up, of

_CALLED: Final = ("__call__", "forward")
_DEEPEST: Final = 6
_MOST: Final = 400
_CONTAINERS: Final = (list, tuple, set, dict)


class Subject(Protocol):
    """What the scan needs of a subject."""

    declared: ThreadSafety | None
    convention: Any
    samples: Sequence[Any]

    def fresh(self) -> Any:
        """Return the transform as it was before any call."""


def detect(subject: Subject) -> Evidence:
    """Read the source of a transform and of everything it calls; call nothing.

    Returns:
        A finding per place that matches a rule; not run where there is no source.
    """
    transform = subject.fresh()
    scanner = Scanner(
        owns_input=bool(getattr(subject.convention, "owns_input", False)),
        locked=subject.declared is ThreadSafety.LOCKED,
        homes=frozenset(_homes(transform)),
    )
    sample = subject.samples[0] if len(subject.samples) else UNKNOWN
    _start(scanner, Origin("self", "self", transform), sample)
    for origin in _nested(transform):
        entry = _entry(origin)[0]
        if entry is None or entry.__code__ not in scanner.functions:
            _start(scanner, origin, UNKNOWN)
    count = len(scanner.functions)
    if not count:
        kind = getattr(transform, "__qualname__", type(transform).__qualname__)
        return Evidence("scan", "not run", f"there is no Python source for {kind}")
    findings = sorted(_merged(scanner.findings), key=_place)
    files = len({code.co_filename for code in scanner.functions})
    text = f"{_plural(count, 'function')} in {_plural(files, 'file')} read: "
    text += _summary(findings)
    if scanner.unread:
        text += f"; {_plural(len(scanner.unread), 'function')} without source"
    if scanner.cut:
        text += "; it was too much to follow every call"
    numbers = {"functions": count, "files": files, "unread": len(scanner.unread)}
    return found("scan", text, findings, numbers)


def _start(scanner: Scanner, origin: Origin, sample: Any) -> None:
    function, bound = _entry(origin)
    if function is not None and followed(function):
        scanner.follow(function, inputs(function, bound, sample), {}, _spare(function))


def _homes(transform: Any) -> Iterator[str]:
    """Yield the packages of a transform, of what it holds, and of their base classes."""
    for live in (transform, *(origin.live for origin in _nested(transform))):
        yield top_package(getattr(live, "__module__", None))
        for kind in type(live).__mro__:
            yield top_package(kind.__module__)


def _entry(origin: Origin) -> tuple[FunctionType | None, list[Value]]:
    """Return the function that a call of an object runs, and its ``self`` if it has one."""
    live = origin.live
    while isinstance(live, functools.partial):
        live = live.func
    if isinstance(live, MethodType):
        return live.__func__, [of(Origin("self", "self", live.__self__))]  # type: ignore[return-value]
    if isinstance(live, functools._lru_cache_wrapper):
        live = live.__wrapped__
    if isinstance(live, FunctionType):
        return live, []
    if isinstance(live, type):
        return None, []
    for name in _CALLED:
        held = look_up(live, name)[1]
        if isinstance(held, FunctionType) and followed(held):
            return held, [of(dataclasses.replace(origin, live=live))]
    return None, []


def _spare(function: FunctionType) -> Value:
    """Return what ``*args`` and ``**kwargs`` of a transform hold: inputs."""
    code = function.__code__
    if not code.co_flags & 0x0C:  # neither of the two
        return FRESH
    return of(Origin("input", KEYWORDS))


def _nested(transform: Any) -> Iterator[Origin]:
    """Yield the transforms that an object holds, however deep, without running its code."""
    seen = {id(transform)}
    waiting = [(Origin("self", "self", transform), 0)]
    while waiting and len(seen) < _MOST:
        origin, depth = waiting.pop(0)
        for child in _held(origin):
            if id(child.live) in seen or depth >= _DEEPEST:
                continue
            seen.add(id(child.live))
            if isinstance(child.live, _CONTAINERS):
                waiting.append((child, depth + 1))
            elif followed(child.live) and not isinstance(child.live, type):
                waiting.append((child, depth + 1))
                if _entry(child)[0] is not None:
                    yield child


def _held(origin: Origin) -> Iterator[Origin]:
    live = origin.live
    if isinstance(live, dict):
        for key, value in list(live.items())[:_MOST]:
            yield origin.child(f"[{key!r}]", value)
        return
    if isinstance(live, list | tuple | set):
        for place, value in enumerate(list(live)[:_MOST]):
            yield origin.child(f"[{place}]", value)
        return
    own = getattr(live, "__dict__", None)
    declared = getattr(type(live), "mutable_state", ())
    for name, value in list(own.items()) if isinstance(own, dict) else ():
        yield origin.child(f".{name}", value, excused=name in declared)
    for kind in type(live).__mro__:
        names = vars(kind).get("__slots__", ())
        for name in (names,) if isinstance(names, str) else tuple(names):
            where, value, _ = look_up(live, name)
            if where == "own":
                yield origin.child(f".{name}", value, excused=name in declared)


def _merged(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Yield one finding per rule and line; what is shared by all comes first."""
    seen: set[tuple[str, str]] = set()
    for finding in findings:
        if (finding.rule, finding.where) not in seen:
            seen.add((finding.rule, finding.where))
            yield finding


def _place(finding: Finding) -> tuple[str, int, str]:
    file, _, line = finding.where.rpartition(":")
    return file, int(line), finding.rule


def _summary(findings: Sequence[Finding]) -> str:
    if not findings:
        return "no rule matches"
    rules = sorted({finding.rule for finding in findings})
    return f"{_plural(len(findings), 'place')}, {', '.join(rules)}"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
