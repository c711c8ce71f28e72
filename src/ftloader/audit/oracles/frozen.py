"""Writes to the input.

Each sample is transformed twice: as a private copy that is compared with itself afterwards, part by
part; and frozen, so that a write is refused where it happens, which gives the line. Code that
catches the refusal, or writes from C, is still seen by the first.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from ...errors import summary
from .._places import innermost
from ..conventions.frozen import is_refusal
from ..digest import walk
from ..verdict import Effect, Evidence, Finding, found

if TYPE_CHECKING:
    from ..subject import Subject

_OWNED: Final = "give each call a copy of its own, or change a copy and return that"
_SHARED: Final = "change a copy and return that: the input may be shared or come up again"
_MOST_PATHS: Final = 4


def detect(subject: Subject) -> Evidence:
    """Compare inputs before and after, and have frozen ones refuse."""
    plain, cold = subject.fresh(), subject.fresh()
    total, picky = len(subject.samples), ""
    # By the line that wrote, where there is one.
    writes: dict[str, dict[str, None]] = {}
    with warnings.catch_warnings():
        # torch warns of arrays that it must not write to: that is the purpose here.
        warnings.simplefilter("ignore")
        for i in range(total):
            changed, error = _compared(subject, plain, i)
            refused = _raised(subject, cold, i, subject.convention.frozen(subject.samples[i]))
            if refused is not None and not is_refusal(refused):
                picky = picky if error is not None else summary(refused)
                refused = None
            if refused is None and error is not None and is_refusal(error):
                refused = error
            said = changed or ([str(refused)] if refused is not None else [])
            if said:
                place = _place(refused) if refused is not None else ""
                writes.setdefault(place, {}).update(dict.fromkeys(said))
    findings = _findings(writes, subject.convention.owns_input)
    text = f"{total} samples compared before and after, and frozen: "
    text += "written to" if findings else "not written to"
    if picky:
        text += f" (some frozen ones were not accepted, which left the comparison: {picky})"
    return found("frozen", text, findings, {"calls": 2 * total})


def _compared(subject: Subject, transform: Any, i: int) -> tuple[list[str], Exception | None]:
    """Return which parts of a private copy a call has changed, and what it raised."""
    sample = subject.private(i)
    # A dict that the call owns may get new values: that is how it returns them.
    owned = subject.convention.owns_input and isinstance(sample, dict)
    watched = dict(sample) if owned else sample
    before = walk(watched, "sample")
    error = _raised(subject, transform, i, sample)
    after = walk(watched, "sample")
    paths = [path for path in before | after if before.get(path) != after.get(path)]
    return paths, error


def _raised(subject: Subject, transform: Any, i: int, sample: Any) -> Exception | None:
    try:
        subject.call(transform, i, sample)
    except Exception as error:
        return error
    return None


def _findings(writes: Mapping[str, Iterable[str]], owned: bool) -> list[Finding]:
    findings = []
    for place, said in writes.items():
        paths = [path for path in said if path.startswith("sample")] or list(said)
        # A list's own entry stands for those of its items.
        outer = [path for path in paths if not any(_is_inside(path, each) for each in paths)]
        more = f" and {len(outer) - _MOST_PATHS} more" if len(outer) > _MOST_PATHS else ""
        what = f"writes to its input: {', '.join(outer[:_MOST_PATHS])}{more}"
        effect: Effect = "caution" if owned else "wrong data"
        findings.append(Finding("frozen", effect, what, place, _OWNED if owned else _SHARED))
    return findings


def _is_inside(path: str, other: str) -> bool:
    return path.startswith((f"{other}[", f"{other}."))


def _place(error: Exception) -> str:
    """Return the transform's own line that wrote, not one inside NumPy."""
    places, trace = [], error.__traceback__
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] != "numpy":
            places.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
        trace = trace.tb_next
    return innermost(reversed(places))
