"""How items cross from one stage to the next: a bounded buffer with one place that restores order.

Takers get *tickets*: 0, 1, 2, … in the order in which chunks leave the buffer. A stage hands its
results to the next channel under the ticket it took them with, and the channel lets them in by
ticket (``ordered``) or as they come. Invariants, all kept under the one lock of the channel:

* Items become ready in ticket order; the results of one ticket keep their own order.
* A writer may wait for room, but the holder of the next ticket waits only until what is *ready*
  has been read. So the earliest item in flight can always move, and nothing deadlocks.
* A channel holds at most ``capacity`` items, plus what its writers bring in their last chunk.
  Writers of cheap items (made in microseconds, hence small) may fill it two chunks deep each.
* Nobody waits for ever: each wait ends when the run stops, and looks every ``POLL`` seconds
  whether the interpreter is going down.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, Protocol

#: Seconds between two looks at whether the interpreter is going down.
POLL: Final = 0.2

Taken = tuple[int, int, list[Any]]  # ticket, index of the first item, items
EMPTY: Final = "empty"


class Stopped(BaseException):
    """Unwinds a worker whose run was stopped; never reaches the user."""


class WaitingPlace(Protocol):
    """Where workers of a run may wait."""

    def wake_all(self, wait: bool) -> None:
        """Wake them, so that they see that the run was stopped."""


class RunState:
    """Whether a run goes on: shared by its channels and workers, written by few, read by all."""

    def __init__(self) -> None:
        self.stopped = False
        #: Set at the first failure: the source need not be read any further.
        self.failing = False
        #: What a worker itself raised, which is a bug of the engine.
        self.crash: BaseException | None = None
        #: An idle thread of the run's pool. At exit the interpreter ends the idle threads of
        #: every executor and then joins the others, so a run that nobody stopped has to end when
        #: this one is gone.
        self.attendant: threading.Thread | None = None
        self._waiting_places: list[WaitingPlace] = []
        self._workers: set[int] = set()

    def register(self, place: WaitingPlace) -> None:
        """Let :meth:`stop` wake everybody who waits at ``place``."""
        self._waiting_places.append(place)

    def enlist(self) -> None:
        """Say that the calling thread is a worker of this run."""
        self._workers.add(threading.get_ident())

    def is_worker(self) -> bool:
        """Tell whether the calling thread is a worker of this run, which cannot wait for itself."""
        return threading.get_ident() in self._workers

    def stop(self, wait: bool = True) -> None:
        """End the run: every wait, now or later, raises :class:`Stopped`.

        Args:
            wait: whether to wait for a channel's lock. A finaliser must not: the garbage
                collector may call it on a thread that holds that very lock. Who is not woken
                looks by itself within ``POLL`` seconds.
        """
        self.stopped = True
        for place in self._waiting_places:
            place.wake_all(wait)

    def check(self) -> None:
        """Raise :class:`Stopped` if the run was stopped or the interpreter is going down."""
        if self.stopped or self.exiting():
            raise Stopped

    def exiting(self) -> bool:
        """Tell whether the interpreter is going down."""
        return self.attendant is not None and not self.attendant.is_alive()


class Sequencer:
    """Puts results back into ticket order. Not synchronised: its owner holds a lock."""

    def __init__(self) -> None:
        self.next = 0
        self._waiting: dict[int, list[Any]] = {}
        self._done: set[int] = set()

    def add(self, ticket: int, items: Sequence[Any], done: bool) -> list[Any]:
        """Take results of one ticket and return all that are now in order."""
        self._waiting.setdefault(ticket, []).extend(items)
        if done:
            self._done.add(ticket)
        released: list[Any] = []
        while self.next in self._waiting:
            released += self._waiting.pop(self.next)
            if self.next not in self._done:
                break
            self._done.remove(self.next)
            self.next += 1
        return released


class Channel:
    """A bounded buffer between two stages.

    Args:
        state: the run this channel belongs to.
        capacity: items it holds, at least 1.
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
        self._writers = writers
        self._readers = readers
        self._sequencer = Sequencer() if ordered else None
        self._lock = threading.Lock()
        self._readable = threading.Condition(self._lock)
        self._writable = threading.Condition(self._lock)
        self._reading = 0  # readers waiting
        self._writing = 0  # writers waiting
        self._wake_at = 0  # writers are woken when so few items are left
        self._wakers: list[Callable[[], None]] = []
        self._ready: deque[Any] = deque()
        self._early = 0  # items here that wait for an earlier ticket
        self._tickets = 0
        self._taken = 0
        state.register(self)

    def put(self, ticket: int, items: Sequence[Any], done: bool = True, pace: int = 1) -> None:
        """Hand over results of a ticket, waiting for room; ``done`` ends the ticket.

        Args:
            ticket: the ticket the inputs were taken with.
            items: results, in order.
            done: whether these are the last of the ticket.
            pace: how many items the writer works on at once: 1 unless they are cheap.

        Raises:
            Stopped: the run was stopped.
        """
        room = self._room(pace)
        with self._lock:
            while not self._has_room(ticket, room):
                # Woken at half empty: a writer that fills the last free place each time would
                # cross threads once per item.
                self._wake_at = max(self._wake_at, (room - 1) // 2)
                self._writing += 1
                try:
                    self._state.check()
                    self._writable.wait(POLL)
                finally:
                    self._writing -= 1
            self._state.check()
            self._enter(ticket, items, done)

    def offer(
        self, ticket: int, items: Sequence[Any], done: bool, waker: Callable[[], None]
    ) -> bool:
        """Hand over results if there is room; otherwise call ``waker`` once when there may be."""
        with self._lock:
            if not self._has_room(ticket, self._capacity):
                self._wakers.append(waker)
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
        self._ready.append(item)
        if self._reading or self._wakers:
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
            return self._leave(min(limit, -(-len(self._ready) // self._readers)))

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
                self._wakers.append(waker)
                if not self._ready:  # see feed()
                    return EMPTY
                self._wakers.remove(waker)
            return self._leave(min(limit, -(-len(self._ready) // self._readers)))

    def close(self) -> None:
        """Say that one writer will write no more."""
        with self._lock:
            self._writers -= 1
            if not self._writers:
                self._readable.notify_all()
                self._call_wakers()

    def wake_all(self, wait: bool) -> None:
        """Wake everybody who waits here, so that they see that the run was stopped."""
        if not self._lock.acquire(blocking=wait):
            return
        try:
            self._readable.notify_all()
            self._writable.notify_all()
            self._call_wakers()
        finally:
            self._lock.release()

    def _room(self, pace: int) -> int:
        return max(self._capacity, self._elastic * pace) if pace > 1 else self._capacity

    def _has_room(self, ticket: int, room: int) -> bool:
        is_next = self._sequencer is None or ticket == self._sequencer.next
        return len(self._ready) + (0 if is_next else self._early) < room

    def _wait_for_items(self) -> bool:
        """Wait until there is something to read; false at the end. Called with the lock held."""
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
        self._state.check()
        return True

    def _enter(self, ticket: int, items: Sequence[Any], done: bool) -> None:
        if self._sequencer is None:
            self._ready.extend(items)
        else:
            before = self._sequencer.next
            released = self._sequencer.add(ticket, items, done)
            self._early += len(items) - len(released)
            self._ready.extend(released)
            # A writer that waited as one of many may now hold the next ticket.
            if self._sequencer.next != before and self._writing:
                self._writable.notify_all()
        self._announce()

    def _announce(self) -> None:
        if self._ready:
            if self._reading:
                self._readable.notify(min(self._reading, len(self._ready)))
            if self._wakers:
                self._call_wakers()

    def _leave(self, count: int) -> Taken:
        ready = self._ready
        items = [ready.popleft() for _ in range(count)]
        taken = (self._tickets, self._taken, items)
        self._tickets += 1
        self._taken += count
        if self._writing and len(ready) <= self._wake_at:
            self._wake_at = 0  # whoever still has to wait sets it again
            self._writable.notify_all()
        if self._wakers:
            self._call_wakers()
        return taken

    def _call_wakers(self) -> None:
        wakers, self._wakers = self._wakers, []
        for waker in wakers:
            waker()
