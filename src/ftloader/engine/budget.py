"""Bytes in flight, bounded: every weighted stage has a share, and its results lease from it.

Invariants, kept under the one lock of a share:

* Leases are granted in ticket order, the order of the stream. So the earliest item in flight never
  waits for a later one, what holds leases is always on its way to the reader, and nothing
  deadlocks, whatever the sizes: shares are not lent from stage to stage.
* The bytes leased never exceed the share where weights are foretold. Where they are measured, a
  result is foretold to weigh as much as the heaviest before it (the first one runs alone), and
  only one that is heavier still can overdraw the share, by the difference.
* What can never fit is refused by name: a result larger than the share, and one that would have to
  wait for a list that cannot be completed without it.
* On a free-threaded build an object dropped by another thread lives on until its maker runs Python
  code again. So there a lease comes back through its maker: released bytes can be leased again
  once that thread has run, which is when the memory is free. What a reader that waits for more
  still holds is not counted, and lives on for up to ``MAKER_POLL`` seconds after it is dropped.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from ..errors import BudgetError
from ..runtime import free_threaded_build
from .bells import Bell, new_bell, wait_for
from .state import RunState


class Share:
    """The bytes that one stage's results may lease.

    Args:
        state: the run.
        stage: the stage's name.
        size: bytes.

    Thread safety: every method may be called from any thread.
    """

    def __init__(self, state: RunState, stage: str, size: int) -> None:
        self.stage = stage
        self.size = size
        #: Bytes leased now, and at most.
        self.used = 0
        self.peak = 0
        self._state = state
        self._lock = threading.Lock()
        self._turn = 0
        self._held_back = 0  # bytes in lists that are not complete
        self._heaviest: int | None = None
        self._waiting: list[Bell] = []
        self._wakers: list[Callable[[], None]] = []
        self._returned: dict[int, int] = {}  # maker's thread -> bytes it will give back
        self._made: dict[int, int] = {}  # maker's thread -> leases that are out
        self._freed_by_maker = free_threaded_build()
        state.register(self)
        state.shares.append(self)

    def reserve(self, ticket: int, weight: int | None, last: bool = True) -> Lease:
        """Lease bytes for a result of a ticket, waiting for its turn and for room.

        Args:
            ticket: the ticket the input was taken with; all earlier ones come first.
            weight: the result's bytes; ``None`` if they will be measured.
            last: whether this is all the ticket leases.

        Raises:
            BudgetError: it can never fit.
            Stopped: the run was stopped.
        """
        while True:
            with self._lock:
                lease = self._try(ticket, weight, last)
                if lease is not None:
                    self._wake()
                    return lease
                bell = new_bell(cheap=False)
                self._waiting.append(bell)
            self._wait(bell)

    def try_reserve(
        self, ticket: int, weight: int | None, waker: Callable[[], None]
    ) -> Lease | None:
        """Lease bytes if that is possible now; otherwise call ``waker`` once when it may be."""
        with self._lock:
            lease = self._try(ticket, weight, True)
            if lease is None:
                self._wakers.append(waker)
            else:
                self._wake()
            return lease

    def pass_turn(self, ticket: int) -> None:
        """Say that a ticket leases nothing (more), once its turn has come.

        Raises:
            Stopped: the run was stopped.
        """
        self.reserve(ticket, 0).release()

    def settle(self, lease: Lease, weight: int) -> None:
        """Correct a lease to what the result weighs.

        Raises:
            BudgetError: it can never fit.
        """
        if weight > self.size:
            raise self._too_large(weight)
        with self._lock:
            self._heaviest = max(self._heaviest or 0, weight)
            others = self.used - lease.weight
            if others + weight > self.size and others <= self._held_back:
                raise self._never(weight)
            self._add(weight - lease.weight)
            lease.weight = weight
            self._wake()

    def change_users(self, lease: Lease, change: int) -> None:
        """Add or take away users of a lease; without any its bytes come back."""
        with self._lock:
            lease.users += change
            if lease.users:
                return
            self._made[lease.maker] -= 1
            if self._freed_by_maker and lease.maker != threading.get_ident():
                self._returned[lease.maker] = self._returned.get(lease.maker, 0) + lease.weight
            else:
                self.used -= lease.weight
            self._wake()

    def collect(self) -> None:
        """Take back what the calling thread made and others have dropped."""
        if threading.get_ident() in self._returned:
            with self._lock:
                self._take_back()

    def see_off(self) -> None:
        """Wait until everything that the calling thread has made was released.

        An idle thread of a pool frees nothing either, so a worker stays until its memory is back.

        Raises:
            Stopped: the run was stopped.
        """
        me = threading.get_ident()
        while self._freed_by_maker:
            with self._lock:
                self._take_back()
                if not self._made.get(me):
                    return
                bell = new_bell(cheap=False)
                self._waiting.append(bell)
            self._wait(bell)

    def hold_back(self, weight: int) -> None:
        """Say that so many more leased bytes wait in a list that is not complete."""
        with self._lock:
            self._held_back += weight
            self._wake()

    def wake_all(self, timeout: float) -> None:
        """Wake everybody who waits here, so that they see that the run was stopped."""
        if self._lock.acquire(timeout=timeout):
            self._wake()
            self._lock.release()

    def _wait(self, bell: Bell) -> None:
        # Without the lock: a check may have to take that of another share.
        if self._state.stopped or not wait_for(bell, self._state.poll):
            self._state.check()

    # All below are called with the lock held.

    def _try(self, ticket: int, weight: int | None, last: bool) -> Lease | None:
        try:
            return self._grant(ticket, weight, last)
        except BudgetError:
            self._turn += last
            self._wake()
            raise

    def _grant(self, ticket: int, weight: int | None, last: bool) -> Lease | None:
        self._take_back()
        if self._turn != ticket:
            return None
        if weight == 0:
            return self._lease(0, last)
        if weight is not None and weight > self.size:
            raise self._too_large(weight)
        left = self.size - self.used
        alone = self.used <= self._held_back
        need = weight if weight is not None else self._heaviest
        if alone and (need is None or (weight is None and need > left > 0)):
            need = left  # it runs alone, with all that there is
        if need is None or need > left:
            if alone:
                raise self._never(need or self.size)
            return None
        return self._lease(need, last)

    def _lease(self, weight: int, last: bool) -> Lease:
        self._add(weight)
        self._turn += last
        lease = Lease(self, weight)
        self._made[lease.maker] = self._made.get(lease.maker, 0) + 1
        return lease

    def _take_back(self) -> None:
        back = self._returned.pop(threading.get_ident(), 0)
        if back:
            self.used -= back
            self._wake()

    def _add(self, weight: int) -> None:
        self.used += weight
        self.peak = max(self.peak, self.used)

    def _wake(self) -> None:
        for bell in self._waiting:
            bell.put(None)
        self._waiting.clear()
        wakers, self._wakers = self._wakers, []
        for waker in wakers:
            waker()

    def _too_large(self, weight: int) -> BudgetError:
        return BudgetError(
            f"stage {self.stage!r}: a result of {in_megabytes(weight)} can never fit its share of "
            f"the memory budget, {in_megabytes(self.size)}; raise memory_budget, or give the stage "
            "more of it"
        )

    def _never(self, weight: int) -> BudgetError:
        return BudgetError(
            f"stage {self.stage!r}: a list holds {in_megabytes(self._held_back)} of its results "
            f"and needs another of {in_megabytes(weight)}, but the stage's share of the memory "
            f"budget is {in_megabytes(self.size)}; raise memory_budget, or give it more of that"
        )


class Lease:
    """Bytes borrowed from a share by one thread, until the last user has released them."""

    __slots__ = ("maker", "share", "users", "weight")

    def __init__(self, share: Share, weight: int) -> None:
        self.share = share
        self.weight = weight
        self.maker = threading.get_ident()
        self.users = 1  # protected by the share's lock

    def retain(self) -> None:
        """Add a user."""
        self.share.change_users(self, 1)

    def release(self) -> None:
        """Take a user away, and with the last one give the bytes back."""
        self.share.change_users(self, -1)


def in_megabytes(size: int) -> str:
    """Return a number of bytes as people write it."""
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size:,} bytes"
