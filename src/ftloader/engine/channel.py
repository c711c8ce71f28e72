"""How items cross from one stage to the next: a bounded buffer with one place that restores order.

Takers get *tickets*: 0, 1, 2, … in the order in which chunks leave the buffer. A stage hands its
results to the next channel under the ticket it took them with, and the channel lets them in by
ticket (``ordered``) or as they come. Invariants, kept under the one lock of the channel (the source
alone adds items without it, see :meth:`Channel.feed`):

* Items become ready in ticket order; the results of one ticket keep their own order.
* A writer may wait for room, but the holder of the next ticket waits only until what is *ready*
  has been read. So the earliest item in flight can always move, and nothing deadlocks.
* At most ``capacity`` items are ready, plus the last chunk that was let in, and each writer may
  park one chunk of results that wait for an earlier ticket. Where all items come cheaply (made in
  microseconds by every stage so far, hence small) two chunks per writer may be ready.
* Nobody waits for ever: each wait ends when the run stops, and looks every ``POLL`` seconds
  whether the interpreter is going down.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

from .sequencer import Sequencer
from .state import POLL, RunState, Stopped

Taken = tuple[int, int, list[Any]]  # ticket, index of the first item, items
EMPTY: Final = "empty"


class Channel:
    """A bounded buffer between two stages.

    Args:
        state: the run this channel belongs to.
        capacity: items it holds ready, at least 1.
        ordered: whether items become ready by ticket rather than as they come.
        writers: how many will write; the channel closes when each has called :meth:`close`.
        readers: how many will read; a chunk never takes more than one reader's share.
        elastic: whether writers of cheap items may fill it beyond ``capacity``.

    Thread safety: every method may be called from any thread.
    """

    def __init__(
        self,
        state: RunState,
        capacity: int,
        *,
        ordered: bool,
        writers: int,
        readers: int,
        elastic: bool = True,
    ) -> None:
        self._state = state
        self._capacity = capacity
        self._elastic = 2 * writers if elastic else 0
        self._parking = writers  # results that may wait for an earlier ticket
        self._writers = writers
        self._readers = readers
        self._sequencer = Sequencer() if ordered else None
        self._lock = threading.Lock()
        self._readable = threading.Condition(self._lock)
        self._reading = 0  # readers waiting
        # Ticket of a waiting writer -> its bell, and the room it goes by.
        self._waiting: dict[int, tuple[threading.Lock, int]] = {}
        self._wake_at = 0  # writers are woken when so few items are left
        self._read_wakers: list[Callable[[], None]] = []
        self._write_wakers: list[Callable[[], None]] = []
        self._ready: deque[Any] = deque()
        self._early = 0  # items here that wait for an earlier ticket
        self._tickets = 0
        self._taken = 0
        #: How many items a writer brought at once last: 1 unless they come cheaply.
        self.pace = 1
        state.register(self)

    def put(self, ticket: int, items: Sequence[Any], done: bool = True, pace: int = 1) -> None:
        """Hand over results of a ticket, waiting for room; ``done`` ends the ticket.

        Args:
            ticket: the ticket the inputs were taken with.
            items: results, in order.
            done: whether these are the last of the ticket.
            pace: how many items the writer and all before it make at once: 1 unless they are
                cheap.

        Raises:
            Stopped: the run was stopped.
        """
        room = self._room(pace)
        with self._lock:
            while not self._has_room(ticket, room):
                # Woken at half empty: a writer that fills the last free place each time would
                # cross threads once per item.
                self._wake_at = max(self._wake_at, (room - 1) // 2)
                self._wait_for_room(ticket, room)
            if self._state.stopped:
                raise Stopped
            self.pace = pace
            self._enter(ticket, items, done)

    def offer(
        self, ticket: int, items: Sequence[Any], done: bool, waker: Callable[[], None]
    ) -> bool:
        """Hand over results if there is room; otherwise call ``waker`` once when there may be."""
        with self._lock:
            if not self._has_room(ticket, self._capacity):
                self._write_wakers.append(waker)
                return False
            self._enter(ticket, items, done)
            return True

    def feed(self, item: Any, pace: int) -> None:
        """Hand over one item of the only writer, in arrival order; cheaper than :meth:`put`.

        It takes the lock only if there is no room or somebody waits. Writer and reader each leave
        word first and look second, so one of them sees the other.

        Args:
            item: the item.
            pace: as for :meth:`put`.

        Raises:
            Stopped: the run was stopped.
        """
        if self._state.stopped or len(self._ready) >= self._room(pace):
            self.put(0, (item,), pace=pace)
            return
        self.pace = pace
        self._ready.append(item)
        if self._reading or self._read_wakers:
            with self._lock:
                self._announce()

    def take(self, limit: int) -> Taken | None:
        """Take up to ``limit`` ready items, waiting for the first; ``None`` at the end.

        Raises:
            Stopped: the run was stopped.
        """
        with self._lock:
            if not self._wait_for_items():
                return None
            return self._leave(self._share(limit))

    def read(self, limit: int) -> list[Any]:
        """Take the next item, and with it what is there beyond ``capacity``; empty at the end.

        Raises:
            Stopped: the run was stopped.
        """
        with self._lock:
            if not self._wait_for_items():
                return []
            return self._leave(min(limit, max(1, len(self._ready) - self._capacity)))[2]

    def poll(self, limit: int, waker: Callable[[], None]) -> Taken | Literal["empty"] | None:
        """Take what is ready; if nothing is, call ``waker`` once when there may be."""
        with self._lock:
            if not self._ready:
                if not self._writers:
                    return None
                self._read_wakers.append(waker)
                if not self._ready:  # see feed()
                    return EMPTY
                self._read_wakers.remove(waker)
            return self._leave(self._share(limit))

    def close(self) -> None:
        """Say that one writer has written all it will; a writer that was stopped says nothing."""
        with self._lock:
            self._writers -= 1
            if not self._writers:
                self._readable.notify_all()
                self._read_wakers = call(self._read_wakers)

    def clear(self) -> None:
        """Let go of everything in here; for a run that has ended."""
        with self._lock:
            self._ready.clear()
            self._sequencer = None

    def wake_all(self, timeout: float) -> None:
        """Wake everybody who waits here, so that they see that the run was stopped."""
        if not self._lock.acquire(timeout=timeout):
            return
        try:
            self._readable.notify_all()
            for bell, _ in self._waiting.values():
                bell.release()
            self._waiting.clear()
            self._read_wakers = call(self._read_wakers)
            self._write_wakers = call(self._write_wakers)
        finally:
            self._lock.release()

    # All below are called with the lock held.

    def _room(self, pace: int) -> int:
        return max(self._capacity, self._elastic * pace) if pace > 1 else self._capacity

    def _has_room(self, ticket: int, room: int) -> bool:
        if self._sequencer is None or ticket == self._sequencer.next:
            return len(self._ready) < room
        # Tickets without results count as well: a filter must not run ahead for ever.
        room += self._parking
        ahead = ticket - self._sequencer.next
        return len(self._ready) + self._early < room and ahead < room

    def _wait_for_room(self, ticket: int, room: int) -> None:
        self._state.check()
        bell = threading.Lock()
        bell.acquire()
        self._waiting[ticket] = bell, room
        self._lock.release()
        try:
            bell.acquire(timeout=POLL)
        finally:
            self._lock.acquire()
            self._waiting.pop(ticket, None)

    def _wait_for_items(self) -> bool:
        while not (self._ready or self._state.stopped):
            if not self._writers:
                return False
            self._reading += 1
            try:
                self._state.check()
                if not self._ready:  # see feed()
                    self._readable.wait(POLL)
            finally:
                self._reading -= 1
        if self._state.stopped:
            raise Stopped
        return True

    def _enter(self, ticket: int, items: Sequence[Any], done: bool) -> None:
        if self._sequencer is None:
            self._ready.extend(items)
        else:
            before = self._sequencer.next
            released = self._sequencer.add(ticket, items, done)
            self._early += len(items) - len(released)
            self._ready.extend(released)
            if self._waiting and self._sequencer.next != before:
                self._wake_writers()
        self._announce()

    def _announce(self) -> None:
        if self._ready:
            if self._reading:
                self._readable.notify(min(self._reading, len(self._ready)))
            self._read_wakers = call(self._read_wakers)

    def _share(self, limit: int) -> int:
        return min(limit, -(-len(self._ready) // self._readers))

    def _leave(self, count: int) -> Taken:
        ready = self._ready
        items = [ready.popleft() for _ in range(count)]
        taken = (self._tickets, self._taken, items)
        self._tickets += 1
        self._taken += count
        if self._waiting and len(ready) <= self._wake_at:
            self._wake_writers()
            if not self._waiting:
                self._wake_at = 0
        if self._write_wakers and 2 * len(ready) <= self._capacity:
            self._write_wakers = call(self._write_wakers)
        return taken

    def _wake_writers(self) -> None:
        """Wake those who can enter now, earliest first; others would only queue for the lock."""
        woken = 0
        for ticket in sorted(self._waiting):
            bell, room = self._waiting[ticket]
            if self._has_room(ticket, room - woken):
                del self._waiting[ticket]
                bell.release()
                woken += 1


def call(wakers: list[Callable[[], None]]) -> list[Callable[[], None]]:
    """Call each waker, once; return the empty list that takes their place."""
    for waker in wakers:
        waker()
    return []
