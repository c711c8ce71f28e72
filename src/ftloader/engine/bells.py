"""What a thread that waits leaves with the others, to be called by: a bell, rung at most once.

Two kinds, with the methods of a queue. A ``SimpleQueue`` is the cheaper one. A :class:`FileBell`
calls at once on a free-threaded build, too (ADR 14): whoever puts into a queue wakes the other
thread while still holding the queue's own lock; if the other then runs on the same core, it yields
until the lock is free, and on a busy Linux machine a thread that yields is off its core for
milliseconds. The kernel holds nothing of the process's while it wakes who waits for a file.
"""

from __future__ import annotations

import math
import os
import queue
import select
from typing import Final, Protocol

from .. import runtime

#: Whether the platform has what a :class:`FileBell` is made of.
HAS_FILES: Final = hasattr(os, "eventfd") and hasattr(select, "epoll")
_FLAGS: Final = os.EFD_CLOEXEC | os.EFD_NONBLOCK if HAS_FILES else 0


class Bell(Protocol):
    """What can be rung by one thread and waited for by another."""

    def put(self, item: None) -> None:
        """Ring it."""

    def get(self, *, timeout: float) -> None:
        """Wait until it rings.

        Raises:
            queue.Empty: it did not within so many seconds.
        """


class FileBell:
    """A bell that is a descriptor of the kernel's, closed when nobody holds the bell any longer.

    Raises:
        OSError: the process has no descriptor left.
    """

    __slots__ = ("_file",)

    def __init__(self) -> None:
        # An epoll object closes what it is given with its last reference, without a word. All in
        # one call, in C: an interrupt between two would lose the descriptor.
        self._file = next(map(select.epoll.fromfd, map(os.eventfd, (0,), (_FLAGS,))))

    def put(self, item: None) -> None:
        """Ring it."""
        os.eventfd_write(self._file.fileno(), 1)

    def get(self, *, timeout: float) -> None:
        """Wait until it rings, or so many seconds, in steps of a millisecond."""
        waiting = select.poll()
        waiting.register(self._file, select.POLLIN)
        if not waiting.poll(math.ceil(1e3 * timeout)):
            raise queue.Empty


class Bells(list[Bell]):
    """Bells that are to be rung as soon as the channel's lock has been let go of."""

    def ring(self) -> None:
        """Ring them; called without the lock, and any thread may ring for another."""
        while self:
            try:
                self.pop().put(None)
            except IndexError:  # another thread was faster
                return


def new_bell(*, cheap: bool) -> Bell:
    """Return a bell for one wait.

    Args:
        cheap: whether it is for items that cost microseconds: they gather, and a call that comes
            late finds more of them.
    """
    if HAS_FILES and not cheap and not runtime.gil_enabled():
        try:
            return FileBell()
        except OSError:  # no descriptor left: the other kind needs none
            pass
    return queue.SimpleQueue()


def wait_for(bell: Bell, seconds: float) -> bool:
    """Wait until a bell rings, or so long; tell whether it rang."""
    try:
        bell.get(timeout=seconds)
    except queue.Empty:
        return False
    return True
