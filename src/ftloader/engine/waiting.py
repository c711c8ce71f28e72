"""Who waits at a channel, and when they are called.

Everything here belongs to one channel and is protected by its lock, which a waiting thread lets go
of. Who waits leaves a *bell*, a lock that is held until somebody rings it: that is cheaper than a
``Condition``, and a call reaches the one thread it is meant for.

Readers of expensive items are called at once, one for each item. Cheap items gather first, because
a call costs more than they do: a reader naps before it waits, and an idle one is not called for
less than a chunk while another is at work. It looks by itself after ``PATIENCE``, then after twice
as long, and so on, for the other may have met an item that keeps it.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Sized
from typing import Final

from .state import POLL

#: Seconds a reader of cheap items lets them gather.
NAP: Final = 1e-4
#: Seconds until an idle reader looks whether those at work leave cheap items lying.
PATIENCE: Final = 2e-3
#: More items than ever wait.
NEVER: Final = sys.maxsize


class Readers:
    """The readers of a channel.

    Args:
        lock: the channel's.
        count: how many there are.
    """

    def __init__(self, lock: threading.Lock, count: int) -> None:
        self._lock = lock
        self._count = count
        self._idle: deque[threading.Lock] = deque()  # bells, the longest waiting first
        self._called = 0  # readers whose bell was rung and who are not back yet
        self._napping = 0
        #: How many items a reader would take.
        self.stride = 1
        #: A reader is to be called when so many items are ready. Read without the lock.
        self.call_at = NEVER

    def wait(self, seconds: float, nap: bool, ready: Sized) -> None:
        """Let go of the lock and wait until called, or so long; not if an item is ready."""
        bell = threading.Lock()
        bell.acquire()
        self._idle.append(bell)
        self._napping += nap
        self._update()
        try:
            # Looked at after leaving word, because the source adds items without the lock.
            if not ready:
                self._lock.release()
                try:
                    bell.acquire(timeout=seconds)
                finally:
                    self._lock.acquire()
        finally:
            self._napping -= nap
            if bell in self._idle:
                self._idle.remove(bell)
            else:
                self._called -= 1
            self._update()

    def call(self, ready: int) -> None:
        """Call as many as so many items make chunks, and are not on their way already."""
        self._ring(max(1, ready // self.stride) - self._called)

    def call_all(self) -> None:
        """Call everybody."""
        self._ring(len(self._idle))

    def _ring(self, count: int) -> None:
        for _ in range(min(count, len(self._idle))):
            self._called += 1
            self._idle.popleft().release()
        self._update()

    def _update(self) -> None:
        if not self._idle:
            self.call_at = NEVER
        elif len(self._idle) < self._count:
            self.call_at = self.stride
        else:
            self.call_at = max(1, self.stride // 2) if self._napping else 1


class Writers:
    """The writers that wait for room in a channel.

    Args:
        lock: the channel's.
    """

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        # Ticket -> its writer's bell, and the room it goes by.
        self._waiting: dict[int, tuple[threading.Lock, int]] = {}
        #: They are called when so few items are left; -1 when nobody waits.
        self.call_at = -1

    def __len__(self) -> int:
        return len(self._waiting)

    def wait(self, ticket: int, room: int) -> None:
        """Let go of the lock and wait until called, or for ``POLL`` seconds."""
        # At half empty: a writer that fills the last free place each time would cross threads once
        # per item.
        self.call_at = max(self.call_at, (room - 1) // 2)
        bell = threading.Lock()
        bell.acquire()
        self._waiting[ticket] = bell, room
        self._lock.release()
        try:
            bell.acquire(timeout=POLL)
        finally:
            self._lock.acquire()
            self._waiting.pop(ticket, None)
            self._settle()

    def call(self, has_room: Callable[[int, int], bool], coming: int = 0) -> None:
        """Call those who can enter now, earliest first; others would only queue for the lock.

        Args:
            has_room: tells whether a ticket has room, going by so many places.
            coming: items that are about to enter.
        """
        for ticket in sorted(self._waiting):
            bell, room = self._waiting[ticket]
            if has_room(ticket, room - coming):
                del self._waiting[ticket]
                bell.release()
                coming += 1
        self._settle()

    def call_all(self) -> None:
        """Call everybody."""
        for bell, _ in self._waiting.values():
            bell.release()
        self._waiting.clear()
        self._settle()

    def _settle(self) -> None:
        if not self._waiting:
            self.call_at = -1
