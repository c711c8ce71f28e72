"""An event loop that sleeps as long as it was asked to, rather than whole milliseconds.

``epoll`` counts in milliseconds and Python rounds up, so an ``asyncio`` loop on Linux wakes up to a
millisecond late: of waits of 4 ms that alone costs a tenth. ``select`` counts in microseconds, and
the descriptor of an ``epoll`` can itself be waited for. So the wait is done there, for that one
descriptor, and the events are then fetched without waiting, however many descriptors there are.
"""

from __future__ import annotations

import asyncio
import select
import selectors
import sys
from typing import Final

#: ``select`` cannot wait for descriptors from here on.
FD_SETSIZE: Final = 1024

if sys.platform == "linux":

    class FineSelector(selectors.EpollSelector):
        """An ``EpollSelector`` whose waits end on time."""

        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            """Wait for events; as the base class, but for the time."""
            if timeout is not None and timeout > 0 and self.fileno() < FD_SETSIZE:
                select.select((self.fileno(),), (), (), timeout)
                timeout = 0
            return super().select(timeout)


def fine_loop() -> asyncio.AbstractEventLoop:
    """Return a new event loop; on Linux one that waits in microseconds."""
    if sys.platform == "linux":
        return asyncio.SelectorEventLoop(FineSelector())
    return asyncio.new_event_loop()
