"""Which bytes are alive: told by the objects themselves, when they are made and when they die."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any


@dataclass(frozen=True)
class Account:
    """Bytes of arrays.

    Attributes:
        now: alive now.
        peak: alive at most.
        made: in all.
    """

    now: int
    peak: int
    made: int


class Tally:
    """Counts the bytes of arrays from when they are made until they are freed.

    On a free-threaded build an array may be freed anywhere between two bytecodes of its maker, also
    inside of code that holds a lock. So nothing is locked here: what happens is put into a queue,
    whose ``put`` is made for that, and added up when somebody asks.

    Thread safety: arrays may be made and freed in any thread; one thread asks.
    """

    def __init__(self) -> None:
        self._events: SimpleQueue[int] = SimpleQueue()
        self._references: list[weakref.ref[Any]] = []
        self._now = self._peak = self._made = 0

    def watch(self, array: Any) -> None:
        """Count an array, which has just been made."""
        size, put = int(array.nbytes), self._events.put
        put(size)
        self._references.append(weakref.ref(array, lambda _: put(-size)))

    def ask(self) -> Account:
        """Add up what has happened so far."""
        while True:
            try:
                change = self._events.get_nowait()
            except Empty:
                return Account(self._now, self._peak, self._made)
            self._now += change
            self._peak = max(self._peak, self._now)
            self._made += max(0, change)
