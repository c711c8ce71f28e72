"""What the end of a process says about a transform: evidence from a crash or a hang."""

from __future__ import annotations

import re
import signal
from typing import Final

from ._places import of_dump
from .children import Ending
from .verdict import Evidence, Finding, found

_HINTS: Final = {
    "crash": "run it alone under python -X faulthandler; C code or a shared generator is likely",
    "hang": "look for a lock that is never released, or a wait for something that cannot come",
}
_FAULT: Final = "Fatal Python error: "
#: What a dump at a time limit begins with, and the frames that make or call a transform.
_DUMPED: Final = "Timeout ("
_CALLING: Final = re.compile(r"subject\.py\", line \d+ in (call|fresh)")


def died(detector: str, ending: Ending, doing: str, limit: float) -> Evidence:
    """Return the evidence of a detector whose process did not come to its end.

    Args:
        detector: which one was running.
        ending: how the process ended.
        doing: what it was doing, after "while".
        limit: the seconds it had.
    """
    if ending.hung and _DUMPED in ending.words and not _CALLING.search(_dump(ending.words)):
        text = f"took more than {limit:.0f} s of its own, outside of any call, and was ended"
        return Evidence(detector, "not run", text)
    if ending.hung:
        what = f"does not return within {limit:.0f} s, while {doing}"
        finding = Finding(detector, "hang", what, of_dump(_dump(ending.words)), _HINTS["hang"])
        return found(detector, "the process hung and was ended", [finding])
    how = _how(ending.code)
    said = _said(ending.words)
    what = f"{how} while {doing}" + (f": {said}" if said else "")
    finding = Finding(detector, "crash", what, of_dump(_dump(ending.words)), _HINTS["crash"])
    return found(detector, how.replace("the interpreter", "the process"), [finding])


def _how(code: int) -> str:
    if code >= 0:
        return f"the interpreter was ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"the interpreter died of {name}"


def _said(words: str) -> str:
    """Return the line that says most about a crash."""
    before, fault, after = words.rpartition(_FAULT)
    lines = [line.strip() for line in (before if fault else words).splitlines() if line.strip()]
    kind = after.partition("\n")[0].strip()
    last = lines[-1][:120] if lines else ""
    return "; ".join(filter(None, (kind, last)))


def _dump(words: str) -> str:
    """Return what faulthandler wrote last."""
    starts = [words.rfind(mark) for mark in (_DUMPED, _FAULT)]
    return words[max(0, *starts) :] if max(starts) >= 0 else ""
