"""How results leave the event loop: in order, and without ever waiting at a channel."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from .channel import Channel

#: In place of a result where an operation gave none: it takes its turn and is not handed over.
NOTHING: Final = object()


class Outlet:
    """Hands results to a channel from the loop, in order, without waiting there."""

    def __init__(self, target: Channel) -> None:
        self._target = target
        self._loop = asyncio.get_running_loop()
        self._queue: deque[tuple[Any, asyncio.Future[None]]] = deque()
        self._asleep = False

    def try_send(self, output: Any) -> bool:
        """Hand over one result now, if none is before it and the channel has room.

        After a refusal the result has to be enqueued: the channel will call back for it.
        """
        if self._queue:
            return False
        if output is not NOTHING:
            self._asleep = not self._target.offer(0, (output,), True, self._wake)
        return not self._asleep

    async def send(self, output: Any) -> None:
        """Hand over one result; return when the channel has taken it."""
        if self.try_send(output):
            return
        future = self.entry()
        self.enqueue([(output, future)])
        await future

    def entry(self) -> asyncio.Future[None]:
        """Return a future that is done when the channel has taken the result put with it."""
        return self._loop.create_future()

    def enqueue(self, entries: list[tuple[Any, asyncio.Future[None]]]) -> None:
        """Hand over results with their futures, after all enqueued before."""
        self._queue.extend(entries)
        if not self._asleep:
            self._flush()

    def _flush(self) -> None:
        self._asleep = False
        while self._queue:
            output, future = self._queue[0]
            outputs = () if output is NOTHING else (output,)
            if outputs and not self._target.offer(0, outputs, True, self._wake):
                self._asleep = True
                return
            self._queue.popleft()
            if not future.done():
                future.set_result(None)

    def _wake(self) -> None:
        call_soon(self._loop, self._flush)


def call_soon(loop: asyncio.AbstractEventLoop, callback: Callable[[], object]) -> None:
    """Have a loop call back, from any thread; a loop that has closed has nobody waiting there."""
    try:
        loop.call_soon_threadsafe(callback)
    except RuntimeError:
        pass
