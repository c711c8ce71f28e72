"""Boxes that no longer fit their pixels.

The made pictures encode their coordinates, so an output tells by itself where each of its boxes
ought to be; no other run is needed. Where that cannot be read (colours changed, pictures mixed or
turned, samples of the user's), the boxes are not compared, and the text says why.
"""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from ..conventions.base import View
from ..conventions.coded import Fit, fit
from ..verdict import Evidence, Finding, found

if TYPE_CHECKING:
    from ..subject import Subject

_HINT: Final = "move image and boxes by the same numbers, drawn once and kept in local variables"

_SERIAL: Final[weakref.WeakKeyDictionary[Any, dict[int, Fit]]] = weakref.WeakKeyDictionary()
_LOCK: Final = threading.Lock()


def detect(subject: Subject) -> Evidence:
    """Compare every box of every output with its pixels."""
    fits = [_serial(subject, i) for i in range(len(subject.samples))]
    unknown = Counter(each.unknown for each in fits if each.unknown)
    reasons = "; ".join(f"{_samples(count)} not: {why}" for why, count in unknown.most_common())
    boxes = sum(each.checked for each in fits)
    findings: dict[str, Finding] = {}
    for i, each in enumerate(fits):
        if each.torn:
            what = f"boxes and pixels of sample {i} were moved differently: {each.torn}"
            findings.setdefault("torn", Finding("labels", "wrong data", what, hint=_HINT))
    numbers = {"boxes": boxes, "samples": len(fits) - unknown.total()}
    if not boxes and not findings:
        return Evidence("labels", "not run", f"nothing to compare: {reasons}", (), numbers)
    misfits = sum(bool(each.torn) for each in fits)
    text = f"{boxes} boxes of {_samples(len(fits) - unknown.total())} compared with their pixels: "
    text += f"those of {_samples(misfits)} do not fit" if misfits else "they fit"
    text += f" ({reasons})" if reasons else ""
    return found("labels", text, list(findings.values()), numbers)


def torn(subject: Subject, i: int, output: Any) -> str | None:
    """Return how boxes do not fit their pixels in an output of which the serial one's do.

    Args:
        subject: what is audited.
        i: position of the sample.
        output: what a call returned for it.

    Returns:
        One line, or None if they fit or cannot be compared.

    Thread safety: from one thread, while no other calls the transform (it may call it once).
    """
    seen = _fit(subject, i, output)
    if not seen.torn:
        return None
    serial = _serial(subject, i)
    return None if serial.torn or serial.unknown else seen.torn


def _serial(subject: Subject, i: int) -> Fit:
    """Return the fit of a sample that a fresh transform alone has worked on."""
    with _LOCK:
        known = _SERIAL.setdefault(subject, {})
    if i not in known:
        try:
            output = subject.call(subject.fresh(), i)
        except Exception as error:
            known[i] = Fit(unknown=f"it raised {type(error).__name__}")
        else:
            known[i] = Fit(unknown="it was dropped") if output is None else _fit(subject, i, output)
    return known[i]


def _fit(subject: Subject, i: int, output: Any) -> Fit:
    source, made = _view(subject, subject.samples[i]), _view(subject, output)
    if source is None:
        return Fit(unknown="the samples have no picture that is recognised")
    if made is None:
        return Fit(unknown="the outputs have no picture that is recognised")
    return fit(source, made)


def _samples(count: int) -> str:
    return "1 sample" if count == 1 else f"{count} samples"


def _view(subject: Subject, value: Any) -> View | None:
    try:
        return subject.convention.view(value)
    except Exception:  # whatever a transform returns, it is no fault of its boxes
        return None
