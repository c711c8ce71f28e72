"""Threads that start at once and end, or are known to be stuck."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence

from ._places import of_frame


class Stuck(Exception):
    """A thread has not returned in time.

    Attributes:
        where: the line of the transform at which it stands, empty if unknown.
    """

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.where = where


def together[T](work: Sequence[Callable[[], T]], limit: float) -> list[T]:
    """Call each function in a thread of its own, from one start; return what they return.

    Args:
        work: functions that do not raise.
        limit: seconds that all may take.

    Raises:
        Stuck: not all have returned in time. Their threads live on, as daemons.
    """
    start = threading.Barrier(len(work))
    done: list[list[T]] = [[] for _ in work]

    def run(function: Callable[[], T], result: list[T]) -> None:
        start.wait(limit)
        result.append(function())

    threads = [
        threading.Thread(target=run, args=args, daemon=True, name="ftloader-hammer")
        for args in zip(work, done, strict=True)
    ]
    for thread in threads:
        thread.start()
    until = time.monotonic() + limit
    for thread in threads:
        thread.join(max(0, until - time.monotonic()))
    frames = sys._current_frames()
    places = [of_frame(frames.get(t.ident or 0)) for t in threads if t.is_alive()]
    if places or not all(done):
        raise Stuck(next(filter(None, places), ""))
    return [result[0] for result in done]
