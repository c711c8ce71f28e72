"""What a call came to, in a form that can be compared: a result or an exception."""

from __future__ import annotations

from typing import Any

from ...errors import summary
from ..digest import digest
from ..subject import Subject

#: A digest, or what was raised.
Outcome = str


def outcome(subject: Subject, transform: Any, i: int) -> Outcome:
    """Call a transform on a sample, and return the digest of its result or what it raised."""
    return result(subject, transform, i)[0]


def result(subject: Subject, transform: Any, i: int) -> tuple[Outcome, Any]:
    """Return an outcome with the result itself, None if there is none."""
    try:
        made = subject.call(transform, i)
    except Exception as error:
        return f"raises {summary(error)}", None
    return digest(made), made


def differ(serial: Outcome, other: Outcome) -> str:
    """Return in words how an outcome differs from the serial one."""
    if other.startswith("raises "):
        return other
    return (
        "returns a result, where it raises alone"
        if serial.startswith("raises ")
        else ("returns another result")
    )
