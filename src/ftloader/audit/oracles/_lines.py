"""The line of a transform at which something of the process changes during a call."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .._places import of_frame
from ..rngs import seed_all
from ..subject import SEED, Subject


def line_of_change(subject: Subject, i: int, read: Callable[[], object]) -> str:
    """Call a fresh transform on a sample, and return ``file:line`` where a value changes first.

    Args:
        subject: what is audited.
        i: the sample.
        read: returns the value, after every function that ends, Python's or C's; the global
            generators are seeded before the first time.

    Returns:
        Empty if it does not change, or not while code of the transform runs.
    """
    place: list[str] = []

    def look(frame: Any, event: str, arg: object) -> None:
        if not place and event in ("c_return", "return") and read() != before:
            place.append(of_frame(frame))

    transform, sample = subject.fresh(), subject.private(i)
    seed_all(SEED + i)
    before = read()
    profile = sys.getprofile()
    sys.setprofile(look)
    try:
        # What it did before it raised is what was asked for.
        with suppress(Exception):
            subject.call(transform, i, sample, seeded=False)
    finally:
        sys.setprofile(profile)
    return place[0] if place else ""
