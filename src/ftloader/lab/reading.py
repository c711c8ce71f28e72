"""Reading a run to its end, with the moment at which every item came.

What a consumer sees of a loader: how many items per second, how long ``next()`` keeps it waiting,
and for how long at most nothing comes at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_clock = time.perf_counter


@dataclass(frozen=True)
class Reading:
    """What was read, and when.

    Attributes:
        items: in the order in which they came.
        moments: of the monotonic clock, seconds: when the reading began, and when each item came.
    """

    items: Sequence[Any]
    moments: Sequence[float]

    def seconds(self, first: int, last: int) -> float:
        """Return the seconds from the arrival of ``first`` items to that of ``last``."""
        return self.moments[last] - self.moments[first]

    def waits(self, first: int, last: int) -> list[float]:
        """Return the seconds between arrivals, for the items from ``first`` up to ``last``."""
        return [float(wait) for wait in np.diff(self.moments[first : last + 1])]


def read(items: Iterable[Any], total: int, midway: Callable[[], object] | None = None) -> Reading:
    """Read everything.

    Args:
        items: what to read, in the calling thread.
        total: how many items there should be.
        midway: called once, when half of them have come.

    Returns:
        The items and their moments, however many there were.
    """
    got: list[Any] = []
    moments = [_clock()]
    half = total // 2
    for item in items:
        moments.append(_clock())
        got.append(item)
        if len(got) == half and midway is not None:
            midway()
    return Reading(got, moments)


def spread(waits: Sequence[float]) -> dict[str, float]:
    """Return the median, the 99th percentile and the largest wait: p50_ms, p99_ms, gap_ms."""
    p50, p99 = np.percentile(waits, (50, 99))
    return {"p50_ms": 1e3 * float(p50), "p99_ms": 1e3 * float(p99), "gap_ms": 1e3 * max(waits)}
