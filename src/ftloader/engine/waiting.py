"""Who waits at a channel, and when they are called.

Everything here belongs to one channel and is protected by its lock, which a waiting thread lets go
of. Who waits leaves a *bell* that somebody rings: that is cheaper than a ``Condition`` and, on a
free-threaded build, than a lock (ADR 6), and a call reaches the one thread it is meant for. Bells
are rung after the channel's lock was let go of: who is called would run into it otherwise.

Readers of expensive items are called at once, one for each item. Cheap items gather first, because
a call costs more than they do: a reader naps before it waits, and an idle one is not called for
less than a chunk while another is at work. It looks by itself after ``PATIENCE``, then after twice
as long, and so on, for the other may have met an item that keeps it. Where naps gather nothing,
because the source waits for the reader, they are given up but for a few.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Sized
from typing import Final

from .bells import Bell, Bells, new_bell, wait_for

#: Seconds a reader of cheap items lets them gather.
NAP: Final = 1e-4
#: Seconds until an idle reader looks whether those at work leave cheap items lying.
PATIENCE: Final = 2e-3
#: Items that make a nap worth its while, and waits without one after naps that were not.
GATHERED: Final = 4
MOST_WITHOUT: Final = 256
#: More items than ever wait.
NEVER: Final = sys.maxsize


class Wakers(list[Callable[[], None]]):
    """What the event loop has left to be called once, as it never waits here itself."""

    def call(self) -> None:
        """Call each, once; with the lock held."""
        wakers = self[:]
        self.clear()
        for waker in wakers:
            waker()


class Nap:
    """Whether readers of cheap items are to nap, from what earlier naps gathered."""

    def __init__(self) -> None:
        self._without = 0  # waits without a nap, from here on
        self._next = 1  # and after the next nap in vain

    def pays(self) -> bool:
        """Tell whether to nap at this wait."""
        if self._without:
            self._without -= 1
            return False
        return True

    def learn(self, items: int) -> None:
        """Learn how many items a nap has gathered."""
        if items >= GATHERED:
            self._next = 1
        else:
            self._without = self._next
            self._next = min(2 * self._next, MOST_WITHOUT)


class Readers:
    """The readers of a channel.

    Args:
        lock: the channel's.
        bells: the channel's.
        count: how many there are.
    """

    def __init__(self, lock: threading.Lock, bells: Bells, count: int) -> None:
        self._lock = lock
        self._bells = bells
        self._count = count
        self._idle: deque[Bell] = deque()  # bells, the longest waiting first
        self._called = 0  # readers whose bell was rung and who are not back yet
        self._napping = 0
        #: How many items a reader would take.
        self.stride = 1
        #: A reader is to be called when so many items are ready. Read without the lock.
        self.call_at = NEVER

    def wait(self, seconds: float, nap: bool, ready: Sized, cheap: bool) -> bool:
        """Let go of the lock and wait until called, or so long; not if an item is ready.

        Args:
            seconds: longest wait.
            nap: whether items are to gather meanwhile.
            ready: the items that are.
            cheap: whether items are cheap.

        Returns:
            Whether there was a call, rather than time running out.
        """
        bell = new_bell(cheap=cheap)
        self._idle.append(bell)
        self._napping += nap
        self._update()
        rung = False
        try:
            # Looked at after leaving word, because the source adds items without the lock.
            if not ready:
                self._lock.release()
                try:
                    if self._bells:
                        self._bells.ring()
                    rung = wait_for(bell, seconds)
                finally:
                    self._lock.acquire()
        finally:
            self._napping -= nap
            if rung or bell not in self._idle:
                self._called -= 1
            else:
                self._idle.remove(bell)
                self._update()
        return rung

    def call(self, ready: int) -> None:
        """Call as many as so many items make chunks, and are not on their way already."""
        self._ring(max(1, ready // self.stride) - self._called)

    def call_all(self) -> None:
        """Call everybody."""
        self._ring(len(self._idle))

    def _ring(self, count: int) -> None:
        while count > 0 and self._idle:
            count -= 1
            self._called += 1
            self._bells.append(self._idle.popleft())
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
        bells: the channel's.
    """

    def __init__(self, lock: threading.Lock, bells: Bells) -> None:
        self._lock = lock
        self._bells = bells
        # Ticket -> its writer's bell, and the room it goes by.
        self._waiting: dict[int, tuple[Bell, int]] = {}
        #: They are called when so few items are left; -1 when nobody waits.
        self.call_at = -1

    def __len__(self) -> int:
        return len(self._waiting)

    def wait(self, ticket: int, room: int, seconds: float, cheap: bool) -> bool:
        """Let go of the lock and wait until called, or so long; tell whether it was a call.

        Args:
            ticket: what the writer has results of.
            room: places that it goes by.
            seconds: longest wait.
            cheap: whether its items are: then it is called at half empty, because a writer that
                fills the last free place each time would cross threads once per item.
        """
        self.call_at = max(self.call_at, (room - 1) // 2 if cheap else room - 1)
        bell = new_bell(cheap=cheap)
        self._waiting[ticket] = bell, room
        self._lock.release()
        try:
            self._bells.ring()
            return wait_for(bell, seconds)
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
                self._bells.append(bell)
                coming += 1
        self._settle()

    def call_all(self) -> None:
        """Call everybody."""
        for bell, _ in self._waiting.values():
            self._bells.append(bell)
        self._waiting.clear()
        self._settle()

    def _settle(self) -> None:
        if not self._waiting:
            self.call_at = -1
