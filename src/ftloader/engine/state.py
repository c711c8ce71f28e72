"""Whether a run goes on, and how everybody who waits learns that it does not."""

from __future__ import annotations

import threading
import time
from typing import Final, Protocol

from ..errors import RunError

#: Seconds between two looks at whether the interpreter is going down.
POLL: Final = 0.2
#: Errors of one run that are kept beside the first.
MAX_ERRORS: Final = 16


class Stopped(BaseException):
    """Unwinds a worker whose run was stopped; never reaches the user."""


class Late(Exception):
    """No item came within the reader's time; :meth:`Run.get` makes a ``TimeoutError`` of it."""


class WaitingPlace(Protocol):
    """Where workers of a run may wait."""

    def wake_all(self, timeout: float) -> None:
        """Wake them, so that they see that the run was stopped."""


class Collector(Protocol):
    """What takes memory back through the thread that made it."""

    def collect(self) -> None:
        """Take back what the calling thread made."""


class RunState:
    """Whether a run goes on: shared by its channels and workers, written by few, read by all."""

    def __init__(self) -> None:
        self.stopped = False
        #: Set at the first failure: the source need not be read any further.
        self.failing = False
        #: What has failed, in the order of time.
        self.errors: list[RunError] = []
        #: What a worker itself raised, which is a bug of the engine.
        self.crash: BaseException | None = None
        #: Idle threads of the run's pool. At exit the interpreter ends the idle threads of every
        #: executor and then joins the others, so a run that nobody stopped has to end when one of
        #: these is gone.
        self.attendants: list[threading.Thread] = []
        #: Seconds between two looks of whoever waits.
        self.poll = POLL
        #: The memory budget's shares, if the run has one.
        self.shares: list[Collector] = []
        self._waiting_places: list[WaitingPlace] = []
        self._workers: set[threading.Thread] = set()
        self._ended = threading.Event()

    def register(self, place: WaitingPlace) -> None:
        """Let :meth:`stop` wake everybody who waits at ``place``."""
        self._waiting_places.append(place)

    def fail(self, error: RunError) -> None:
        """Remember an error that ends the run; the source is not read any further."""
        self.failing = True
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(error)

    def pause(self, seconds: float) -> None:
        """Wait so long.

        Raises:
            Stopped: the run was stopped meanwhile.
        """
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.check()
            self._ended.wait(min(left, self.poll))
        self.check()

    def enlist(self) -> None:
        """Say that the calling thread is a worker of this run."""
        self._workers.add(threading.current_thread())

    def is_worker(self) -> bool:
        """Tell whether the calling thread is a worker of this run, which cannot wait for itself."""
        return threading.current_thread() in self._workers

    def stop(self, timeout: float = -1) -> None:
        """End the run: every wait, now or later, raises :class:`Stopped`.

        Args:
            timeout: how long to wait for a channel's lock, in seconds; for ever if negative. A
                finaliser must not wait for ever: the garbage collector may call it on a thread
                that holds that very lock. Who is not woken looks by itself within ``POLL`` seconds.
        """
        self.stopped = True
        self._ended.set()
        for place in self._waiting_places:
            place.wake_all(timeout)

    def check(self) -> None:
        """Raise :class:`Stopped` if the run was stopped or the interpreter is going down."""
        if not self.stopped and self.exiting():
            self.stopped = True  # so that a reader is told, instead of seeing an end
        if self.stopped:
            raise Stopped
        self.collect()

    def collect(self) -> None:
        """Take back what the calling thread has leased and others have released."""
        for share in self.shares:
            share.collect()

    def exiting(self) -> bool:
        """Tell whether the interpreter is going down."""
        return not all(attendant.is_alive() for attendant in self.attendants)
