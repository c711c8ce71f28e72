"""How results leave the event loop: in order, many at once, and without ever waiting at a channel.

Owned by the loop's thread. What comes in one turn of the loop is handed over together, after the
last of it; whoever wants to wait for that gets a future.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from .channel import Channel

#: In place of a result where an operation gave none: it takes its turn and is not handed over.
NOTHING: Final = object()

Entry = tuple[Any, Callable[[], None]]  # a result, and what to call when it has left


class Outlet:
    """Hands results to a channel from the loop, in order, without waiting there."""

    def __init__(self, target: Channel) -> None:
        self._target = target
        self._loop = asyncio.get_running_loop()
        self._queue: deque[Entry] = deque()
        self._due = False  # a flush is scheduled, or the channel will call for one

    async def send(self, output: Any) -> None:
        """Hand over one result; return when the channel has taken it."""
        future = self._loop.create_future()
        self.enqueue([(output, future_setter(future))])
        await future

    async def drain(self) -> None:
        """Return when all results have left."""
        if self._queue:
            await self.send(NOTHING)

    def enqueue(self, entries: Iterable[Entry]) -> None:
        """Hand over results, after all enqueued before."""
        self._queue.extend(entries)
        if not self._due:
            self._due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._due = False
        queue = self._queue
        while queue:
            outputs = [output for output, _ in queue if output is not NOTHING]
            left = self._target.let_in(outputs, self._wake) if outputs else 0
            # What was let in has left, and so has each nothing up to the first that was not.
            while queue and (queue[0][0] is NOTHING or left):
                output, sent = queue.popleft()
                left -= output is not NOTHING
                sent()
            if queue and queue[0][0] is not NOTHING:
                self._due = True  # the channel calls when there is room
                return

    def _wake(self) -> None:
        call_soon(self._loop, self._flush)


def future_setter(future: asyncio.Future[None]) -> Callable[[], None]:
    """Return a function that marks a future as done, if nobody has cancelled it."""

    def set_it() -> None:
        if not future.done():
            future.set_result(None)

    return set_it


def call_soon(loop: asyncio.AbstractEventLoop, callback: Callable[[], object]) -> None:
    """Have a loop call back, from any thread; a loop that has closed has nobody waiting there."""
    try:
        loop.call_soon_threadsafe(callback)
    except RuntimeError:
        pass
