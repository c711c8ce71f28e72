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
  microseconds by every stage so far, hence small) a few chunks per writer may be ready.
* Nobody waits for ever: each wait ends when the run stops, and looks now and then
  whether the interpreter is going down.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

from .bells import Bells
from .sequencer import Sequencer
from .skips import Sieve
from .state import RunState, Stopped
from .waiting import NAP, PATIENCE, Nap, Readers, Wakers, Writers

Taken = tuple[int, int, list[Any]]  # ticket, index of the first item, items
EMPTY: Final = "empty"
#: Chunks of cheap items per writer that may be ready: fewer, and both sides wait for each other.
ELASTIC_CHUNKS: Final = 4


class Channel:
    """A bounded buffer between two stages.

    Args:
        state: the run this channel belongs to.
        capacity: items it holds ready, at least 1.
        ordered: whether items become ready by ticket rather than as they come.
        writers: how many will write; the channel closes when each has called :meth:`close`.
        readers: how many will read; a chunk never takes more than one reader's share.
        elastic: whether writers of cheap items may fill it beyond ``capacity``.
        sieve: what takes skipped items out, if the stage before skips any.

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
        sieve: Sieve | None = None,
    ) -> None:
        self._state = state
        self._capacity = capacity
        self._elastic = ELASTIC_CHUNKS * writers if elastic else 0
        # What a reader leaves here when it takes the next item: all that was asked to be ready.
        self._kept = capacity // 2 if elastic else capacity
        self._parking = writers  # results that may wait for an earlier ticket
        self._open = writers
        self._readers = readers
        self._sieve = sieve
        self._sequencer = Sequencer() if ordered else None
        self._lock = threading.Lock()
        self._bells = Bells()
        self._reading = Readers(self._lock, self._bells, readers)
        self._writing = Writers(self._lock, self._bells)
        self._nap = Nap()
        self._read_wakers = Wakers()
        self._write_wakers = Wakers()
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
        if not items and self._sequencer is None:
            return
        room = self.room(pace)
        with self._lock:
            while not self._has_room(ticket, room) and not self._state.stopped:
                if not self._writing.wait(ticket, room, self._state.poll, pace > 1):
                    self._state.check()
            if self._state.stopped:
                raise Stopped
            self.pace = pace
            self._enter(ticket, items, done)
        if self._bells:
            self._bells.ring()

    def let_in(self, items: Sequence[Any], waker: Callable[[], None]) -> int:
        """Hand over what there is room for and return how much; call ``waker`` for the rest."""
        with self._lock:
            count = 0
            # In turns: what is skipped takes no room, so nobody would call for the rest.
            while part := items[count : count + max(0, self._capacity - len(self._ready))]:
                self._enter(0, part, True)
                count += len(part)
            if count < len(items):
                self._write_wakers.append(waker)
        self._bells.ring()
        return count

    def feed(self, item: Any, pace: int, room: int) -> bool:
        """Hand over one item of the only writer, in arrival order; cheaper than :meth:`put`.

        It takes the lock only if there is no room or somebody waits. Writer and reader each leave
        word first and look second, so one of them sees the other. ``room`` is :meth:`room` of the
        pace. Returns whether that was all: otherwise it took the lock, and may have waited.

        Raises:
            Stopped: the run was stopped.
        """
        if self._state.stopped or len(self._ready) >= room:
            self.put(0, (item,), pace=pace)
            return False
        self.pace = pace
        self._ready.append(item)
        if len(self._ready) >= self._reading.call_at or self._read_wakers:
            with self._lock:
                self._announce()
            self._bells.ring()
            return False
        return True

    def take(self, limit: int) -> Taken | None:
        """Take up to ``limit`` ready items, waiting for the first; ``None`` at the end.

        Raises:
            Stopped: the run was stopped.
        """
        with self._lock:
            self._reading.stride = limit
            if not self._wait_for_items(limit):
                return None
            taken = self._leave(min(limit, -(-len(self._ready) // self._readers)))
        if self._bells:
            self._bells.ring()
        return taken

    def read(self, limit: int, look: Callable[[], float] = lambda: math.inf) -> list[Any]:
        """Take the next item, and some of those behind it if there are many; empty at the end.

        Before it waits it asks ``look`` how many seconds it may; what that raises ends the wait.

        Raises:
            Stopped: the run was stopped.
        """
        with self._lock:
            if not self._wait_for_items(limit, look):
                return []
            taken = self._leave(min(limit, max(1, len(self._ready) - self._kept)))
        if self._bells:
            self._bells.ring()
        return taken[2]

    def poll(self, limit: int, waker: Callable[[], None]) -> Taken | Literal["empty"] | None:
        """Take what is ready; if nothing is, call ``waker`` once when there may be."""
        with self._lock:
            if not self._ready:
                if not self._open:
                    return None
                self._read_wakers.append(waker)
                if not self._ready:  # see feed()
                    return EMPTY
                self._read_wakers.remove(waker)
            taken = self._leave(min(limit, len(self._ready)))
        if self._bells:
            self._bells.ring()
        return taken

    def close(self) -> None:
        """Say that one writer has written all it will (one that was stopped does not)."""
        with self._lock:
            self._open -= 1
            if not self._open:
                if self._sieve is not None:
                    self._ready.extend(self._sieve.finish())
                self._reading.call_all()
                self._read_wakers.call()
        self._bells.ring()

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
            self._reading.call_all()
            self._writing.call_all()
            self._read_wakers.call()
            self._write_wakers.call()
        finally:
            self._lock.release()
        self._bells.ring()

    def has_items(self) -> bool:
        """Tell whether a reader would not have to wait."""
        return bool(self._ready)

    def room(self, pace: int) -> int:
        """Return how many items may be ready before a writer of that pace has to wait."""
        return max(self._capacity, self._elastic * pace) if pace > 1 else self._capacity

    # All below are called with the lock held.

    def _has_room(self, ticket: int, room: int) -> bool:
        if self._sequencer is None or ticket == self._sequencer.next:
            return len(self._ready) < room
        # Tickets without results count as well: a filter must not run ahead for ever.
        room += self._parking
        ahead = ticket - self._sequencer.next
        return len(self._ready) + self._early < room and ahead < room

    def _wait_for_items(self, limit: int, look: Callable[[], float] | None = None) -> bool:
        state, ready = self._state, self._ready
        if not ready and not state.stopped:
            patience = PATIENCE if limit > 1 else state.poll
            nap = limit > 1 and self.pace > 1 and self._nap.pays()
            while not (ready or state.stopped):
                if not self._open:
                    return False
                seconds = NAP if nap else min(patience, state.poll)
                if look is not None:
                    seconds = min(seconds, look())
                if not self._reading.wait(seconds, nap, ready, self.pace > 1) and not nap:
                    state.check()
                if nap:
                    self._nap.learn(len(ready))
                nap, patience = False, 2 * patience
        if state.stopped:
            raise Stopped
        return True

    def _enter(self, ticket: int, items: Sequence[Any], done: bool) -> None:
        if self._sequencer is not None:
            before = self._sequencer.next
            brought = len(items)
            items = self._sequencer.add(ticket, items, done)
            self._early += brought - len(items)
            if self._writing and self._sequencer.next != before:
                self._writing.call(self._has_room, len(items))
        self._ready.extend(items if self._sieve is None else self._sieve.sift(items))
        ready = len(self._ready)
        if ready <= self._writing.call_at:  # who was called has brought nothing
            self._writing.call(self._has_room)
        if ready >= self._reading.call_at or self._read_wakers:
            self._announce()

    def _announce(self) -> None:
        if len(self._ready) >= self._reading.call_at:
            self._reading.call(len(self._ready))
        if self._read_wakers and self._ready:
            self._read_wakers.call()

    def _leave(self, count: int) -> Taken:
        ready = self._ready
        items = [ready.popleft() for _ in range(count)]
        taken = (self._tickets, self._taken, items)
        self._tickets += 1
        self._taken += count
        if len(ready) <= self._writing.call_at:
            self._writing.call(self._has_room)
        if self._write_wakers and 2 * len(ready) <= self._capacity:
            self._write_wakers.call()
        if len(ready) >= self._reading.call_at:
            self._announce()
        return taken
