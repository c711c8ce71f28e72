"""The event loop of a run: one loop in one thread, for operations that wait for I/O.

An asynchronous stage takes an item only when it has a free slot, so at most ``concurrency`` of its
operations run at once. A finished operation frees its slot but keeps a place in the stage's window
until its result has been handed over, so results that wait for an earlier one are bounded too.
The loop never waits at a channel: it leaves a waker there and is called back once.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from typing import Any

from ..stages import Pipe
from .channel import Channel, Taken
from .failure import SOURCE, Failure, source_failure, stage_failure
from .outlet import NOTHING, Outlet, call_soon
from .sequencer import Sequencer
from .state import POLL, RunState
from .stats import Counters
from .workers import Ends

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
        asyncio.run(self._main(tasks))

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
                await asyncio.wait_for(self._stop.wait(), POLL)
            except TimeoutError:
                pass
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


class AsyncStage:
    """Runs a coroutine function or async generator function over a stage's items.

    Owned by the loop's thread: everything here but the two channels is touched there only.
    """

    def __init__(self, stage: Pipe, ends: Ends, buffer: int) -> None:
        self._stage = stage
        self._ends = ends
        self._slots = asyncio.Semaphore(stage.concurrency)
        self._window = asyncio.Semaphore(stage.concurrency + buffer)
        self._sequencer = Sequencer() if stage.output_order == "input" else None
        self._readable = asyncio.Event()

    async def run(self) -> None:
        """Work until the input ends."""
        self._outlet = Outlet(self._ends.target)
        self._loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._window.acquire()
                await self._slots.acquire()
                taken = await self._take()
                if taken is None:
                    break
                tasks.create_task(self._work(*taken))
        self._ends.target.close()

    async def _take(self) -> Taken | None:
        begin = _clock()
        while True:
            self._readable.clear()
            taken = self._ends.source.poll(1, self._wake)
            if not isinstance(taken, str):
                self._ends.counters.starved += _clock() - begin
                return taken
            await self._readable.wait()

    def _wake(self) -> None:
        call_soon(self._loop, self._readable.set)

    async def _work(self, ticket: int, index: int, items: list[Any]) -> None:
        item = items[0]
        begin = _clock()
        last: Any
        try:
            if type(item) is Failure:
                last = item
            elif self._stage.kind == "coroutine":
                last = await self._stage.op(item)
            else:
                last = NOTHING
                async with aclosing(self._stage.op(item)) as outputs:
                    async for output in outputs:
                        await self._emit(ticket, output, done=False)
                        output = None  # it is the reader's now
        except BaseException as error:
            last = stage_failure(self._stage.name, index, item, error)
        finally:
            self._slots.release()
        await absorb_cancellation(self._ends.state)
        if self._ends.state.stopped:
            return  # nobody reads any more, and nobody would cancel a second time
        del item, items  # while the result waits, its input need not
        counters = self._ends.counters
        counters.items_in += 1
        counters.busy += _clock() - begin
        await self._emit(ticket, last, done=True)
        self._window.release()

    async def _emit(self, ticket: int, output: Any, done: bool) -> None:
        if output is not NOTHING and not self._ends.counters.count(self._ends.name, output):
            self._ends.state.failing = True
        sequencer = self._sequencer
        if (sequencer is None or ticket == sequencer.next) and self._outlet.try_send(output):
            if sequencer is not None and done:
                self._outlet.enqueue(sequencer.add(ticket, (), True))
            return
        future = self._outlet.entry()
        entries = [(output, future)]
        if sequencer is not None:
            entries = sequencer.add(ticket, entries, done)
        begin = _clock()
        self._outlet.enqueue(entries)
        await future
        self._ends.counters.blocked += _clock() - begin


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
                state.failing = True
                item = source_failure(error, counters.items_out)
            made = _clock()
            await outlet.send(item)
            counters.count(SOURCE, item)
            counters.busy += made - begin
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
