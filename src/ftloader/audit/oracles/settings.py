"""Changes to settings of the whole process: every thread gets them, and at any moment.

Settings are compared before and after each call; then some calls are made from other values of
them, so that setting what is set already is seen as well. The environment is watched while it is
written. What is set and put back within one call is not seen.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from .._places import of_frame
from .._settings import SETTINGS, nudge, restore, values
from ..digest import digest
from ..subject import Subject
from ..verdict import Evidence, Finding, found
from ._lines import line_of_change
from ._outcomes import outcome

NAME: Final = "settings"
#: Samples that are called once more with other settings.
_NUDGED: Final = 4
#: Variables that were written, and where.
_Written = dict[str, str]


def detect(subject: Subject) -> Evidence:
    """Look at all settings before and after a call on each sample."""
    transform = subject.fresh()
    changed: dict[str, int] = {}
    indices = range(len(subject.samples))
    with _environment() as written:
        for i in indices:
            for name in _changed(subject, transform, i):
                changed.setdefault(name, i)
        for i in indices[:_NUDGED]:
            for name in _changed(subject, transform, i, nudged=True):
                changed.setdefault(name, i)
        findings = [
            Finding(
                NAME,
                "latent",
                f"writes os.environ[{name!r}]",
                where,
                "hand the value to what needs it; the environment belongs to all threads",
            )
            for name, where in written.items()
        ]
        findings += [_finding(subject, name, i) for name, i in changed.items()]
    calls = len(indices) + len(indices[:_NUDGED])
    text = f"{calls} calls, {len(values()) + 1} settings: "
    text += f"{len(findings)} changed" if findings else "unchanged"
    return found(NAME, text, findings, {"calls": calls, "settings": len(values()) + 1})


def _changed(subject: Subject, transform: Any, i: int, *, nudged: bool = False) -> list[str]:
    """Call once, return the settings that have changed meanwhile, and put them back."""
    original = values()
    try:
        if nudged:
            nudge(original)
        before = _digests(values())
        outcome(subject, transform, i)
        after = _digests(values())
        return [name for name, value in before.items() if after.get(name, value) != value]
    finally:
        restore(original, values())


def _digests(now: Mapping[str, Any]) -> dict[str, str]:
    return {name: digest(value) for name, value in now.items()}


def _finding(subject: Subject, name: str, i: int) -> Finding:
    original = values()
    nudge(original)

    def read() -> str:
        return digest(SETTINGS[name].get())

    try:
        where = line_of_change(subject, i, read)
    finally:
        restore(original, values())
    what = f"changes {name} (sample {i} first)"
    return Finding(NAME, "latent", what, where, SETTINGS[name].instead)


@contextmanager
def _environment() -> Iterator[_Written]:
    """Note who writes to ``os.environ``; what was written is put back at the end."""
    before, written = dict(os.environ), _Written()
    put, remove = os.putenv, os.unsetenv

    def noting(function: Callable[..., None]) -> Callable[..., None]:
        def note(name: Any, *value: Any) -> None:
            written.setdefault(os.fsdecode(name), of_frame(sys._getframe(1)))
            function(name, *value)

        return note

    # os.environ looks them up each time, and has no other way to the process's environment.
    os.putenv, os.unsetenv = noting(put), noting(remove)
    try:
        yield written
    finally:
        os.putenv, os.unsetenv = put, remove
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)
