"""The event loop of a run: one loop in one thread, for operations that wait for I/O.

The loop never waits at a channel: it leaves a waker there and is called back once. Tasks end with
the run: each is cancelled once, and its clean-up awaited.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from typing import Any

from .channel import Channel
from .failure import SOURCE, source_failure
from .fineloop import fine_loop
from .outlet import Outlet, call_soon
from .state import POLL, RunState
from .stats import Counters

_clock = time.perf_counter


class EventLoop:
    """The loop of one run. ``run`` is its thread's worker; every task ends with the run."""

    def __init__(self, state: RunState) -> None:
        self._state = state
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running = threading.Event()
        self._stop = asyncio.Event()
        state.register(self)

    def run(self, *tasks: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run the tasks, and those added later, until the run stops."""
        asyncio.run(self._main(tasks), loop_factory=fine_loop)

    def add(self, task: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run one more task; may be called from another thread.

        Raises:
            Stopped: the run was stopped.
        """
        while not self._running.wait(POLL):
            self._state.check()
        self._call(lambda: self._start(task))

    def wake_all(self, timeout: float) -> None:
        """See that the run was stopped, and end."""
        self._call(self._stop.set)

    def _call(self, callback: Callable[[], object]) -> None:
        if self._loop is not None:
            call_soon(self._loop, callback)

    async def _main(self, tasks: tuple[Callable[[], Coroutine[Any, Any, None]], ...]) -> None:
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        for task in tasks:
            self._start(task)
        self._running.set()
        while not (self._state.stopped or self._state.exiting()):
            try:
                await asyncio.wait_for(self._stop.wait(), self._state.poll)
            except TimeoutError:
                self._state.collect()
        self._state.stop()  # what is cancelled from here on was cancelled by us
        # Each stage cancels its own operations, so that each is cancelled once: a second time
        # would cut its clean-up short.
        ending = list(self._tasks)
        for started in ending:
            started.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    def _start(self, task: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if self._state.stopped:
            return
        started = asyncio.get_running_loop().create_task(task())
        self._tasks.add(started)  # the loop itself keeps weak references only
        started.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None and not self._state.stopped:
            self._state.crash = task.exception()  # a bug of ours
            self._state.stop()


async def absorb_cancellation(state: RunState) -> None:
    """Forget that the running task was cancelled, if not by us: an operation did that to itself.

    A stop sets ``state.stopped`` before it cancels; look there afterwards.
    """
    task = asyncio.current_task()
    if task is None or not task.cancelling() or state.stopped:
        return
    while task.cancelling():
        task.uncancel()
    try:
        await asyncio.sleep(0)  # before 3.13 a cancellation that is due comes all the same
    except asyncio.CancelledError:
        pass


async def read_async_source(
    items: AsyncIterator[Any], state: RunState, target: Channel, counters: Counters
) -> None:
    """Advance an async source, one item at a time."""
    outlet = Outlet(target)
    counters.here()
    try:
        while not state.failing:
            begin = _clock()
            try:
                item = await anext(items)
            except StopAsyncIteration:
                break
            except BaseException as error:
                await absorb_cancellation(state)
                if state.stopped:
                    raise
                item = source_failure(error, counters.items_out)
                state.fail(item.error)
            made = _clock()
            counters.timed(begin, made, 1)
            counters.count(SOURCE, item)
            await outlet.send(item)
            counters.blocked += _clock() - made
            del item
    finally:
        await close_source(items)
    target.close()


async def close_source(items: AsyncIterator[Any]) -> None:
    """Close an async generator; what its clean-up raises is logged, as no reader is left to ask."""
    if isinstance(items, AsyncGenerator):
        try:
            await items.aclose()
        except Exception as error:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "the source failed while it was closed", "exception": error}
            )
