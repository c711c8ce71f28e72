"""What an exception leaves behind: a lock that stays taken, state that changes later results.

A transform is given inputs that make it raise, then a good one from another thread, each with a
time limit. Threads that never return stay behind; the process must end without waiting for them.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ...errors import summary
from ...rng import sample_rng
from ...safety import ThreadSafety
from .._places import of_frame
from ..digest import digest
from ..verdict import Evidence, Finding, found
from ._spoiled import spoiled

if TYPE_CHECKING:
    from ..subject import Subject

#: Seconds that one call may take.
LIMIT: Final = 5.0

_LOCK_HINT: Final = "release it in a finally block, or take it by a with statement"
_STATE_HINT: Final = "change state only where nothing can raise any more"


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How a call ended: what it returned or raised, as a digest, or where it still stands."""

    result: str = ""
    raised: str = ""
    stands: str | None = None


def detect(subject: Subject, limit: float = LIMIT) -> Evidence:
    """Make it raise, then call it normally.

    Args:
        subject: what is audited.
        limit: seconds that one call may take.
    """
    begun = time.monotonic()
    good = _good(subject, subject.fresh(), 0, limit)
    if good.stands is not None:
        text = f"a call takes more than {limit:g} s, so that it cannot be told from one that hangs"
        return Evidence("errors", "not run", text)
    limit = max(limit, 10 * (time.monotonic() - begun))
    compares = _compares(subject, good, limit)
    tried, raised, findings = 0, 0, dict[str, Finding]()
    for what, bad in spoiled(subject.samples[0], subject.convention.copy):
        tried += 1
        transform = subject.fresh()
        first = _bad(subject, transform, bad, limit)
        raised += bool(first.raised)
        if first.stands is None and not first.raised:
            continue
        later = first if first.stands is not None else _good(subject, transform, 0, limit)
        if later.stands is not None:
            findings["hang"] = _hang(what, first, later, limit)
            break  # each costs the whole limit, and leaves a thread behind
        if compares and later != good:
            findings.setdefault("state", _changed(what, first))
    text = f"{raised} of {tried} bad inputs raised"
    if raised and not findings:
        text += "; the next call returned" + (" what it returns at first" if compares else "")
    elif not raised and not findings:
        text += ", so what an exception leaves behind is not known"
    return found("errors", text, list(findings.values()), {"tried": tried, "raised": raised})


def _compares(subject: Subject, good: _Outcome, limit: float) -> bool:
    """Tell whether a later result can be compared: not where any call before changes it."""
    if subject.declared in (ThreadSafety.LOCKED, ThreadSafety.ORDER_DEPENDENT):
        return False
    transform = subject.fresh()
    _good(subject, transform, len(subject.samples) - 1, limit)
    # Twice, for what alternates.
    return all(_good(subject, transform, 0, limit) == good for _ in range(2))


def _good(subject: Subject, transform: Any, i: int, limit: float) -> _Outcome:
    return _limited(lambda: subject.call(transform, i), limit)


def _bad(subject: Subject, transform: Any, sample: Any, limit: float) -> _Outcome:
    # Past the subject, which would take None for "a copy of your own".
    return _limited(lambda: subject.convention.call(transform, sample, sample_rng(0, 0, 0)), limit)


def _limited(call: Callable[[], Any], limit: float) -> _Outcome:
    """Call something in a thread of its own, and do not wait for ever."""
    ended: list[_Outcome] = []

    def run() -> None:
        try:
            ended.append(_Outcome(result=digest(call())))
        except Exception as error:
            ended.append(_Outcome(raised=summary(error)))

    # A daemon, so that the interpreter can end without it.
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(limit)
    if ended:
        return ended[0]
    return _Outcome(stands=of_frame(sys._current_frames().get(thread.ident or 0)))


def _hang(what: str, first: _Outcome, later: _Outcome, limit: float) -> Finding:
    if first is later:
        said = f"does not return within {limit:g} s for {what}"
        return Finding("errors", "hang", said, later.stands or "", "raise instead")
    said = f"hangs after it has raised {first.raised} for {what}"
    return Finding("errors", "hang", said, later.stands or "", _LOCK_HINT)


def _changed(what: str, first: _Outcome) -> Finding:
    said = f"returns something else after it has raised {first.raised} for {what}"
    return Finding("errors", "wrong data", said, "", _STATE_HINT)
