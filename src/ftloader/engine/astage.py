"""An asynchronous stage: a coroutine function or async generator function over a stage's items.

It has ``concurrency`` *slots*, long-lived tasks that each take an item, run the operation on it and
take the next; so at most that many operations run at once. A finished operation frees its slot at
once, but its item keeps a place in the stage's *window* until the result has been handed over, so
results that wait for an earlier one are bounded too. Owned by the loop's thread: everything here
but the two channels is touched there only.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from contextlib import aclosing
from types import CoroutineType
from typing import Any, Final

from ..stages import Pipe
from .aio import absorb_cancellation
from .failure import NO_RESULT, Failure
from .outlet import NOTHING, Entry, Outlet, call_soon, future_setter
from .rescue import Rescue
from .sequencer import Sequencer
from .stats import Counters
from .workers import Ends

#: Seconds one step of an operation may hold the event loop; longer ones are counted as blocking.
STEP_SECONDS: Final = 0.05

_clock = time.perf_counter


class AsyncStage:
    """Runs one asynchronous stage.

    Args:
        stage: the stage.
        ends: where it reads, writes and counts.
        buffer: results that may wait beyond those of the operations in flight.
    """

    def __init__(self, stage: Pipe, ends: Ends, buffer: int) -> None:
        self._stage = stage
        self._ends = ends
        self._rescue = Rescue(stage, ends.state, ends.counters)
        self._sequencer = Sequencer() if stage.output_order == "input" else None
        self._window = stage.workers + buffer
        self._in_window = 0
        self._slots = 0
        self._hungry: deque[asyncio.Future[None]] = deque()  # slots that wait for an item
        self._asked = False  # the source will call when there may be an item
        self._ended = False

    async def run(self) -> None:
        """Work until the input ends."""
        self._outlet = Outlet(self._ends.target)
        self._loop = asyncio.get_running_loop()
        self._ends.counters.here()
        async with asyncio.TaskGroup() as self._tasks:
            self._open_slot()
        await self._outlet.drain()
        self._ends.target.close()

    def _open_slot(self) -> None:
        self._slots += 1
        self._tasks.create_task(self._slot())

    async def _slot(self) -> None:
        while True:
            taken = self._take()
            if taken is None:
                if self._ended:
                    return
                await self._wait()
                continue
            index, item = taken
            self._feed_another()
            last = await self._work(index, item)
            del item, taken  # while the result waits, its input need not
            if last is None:
                return
            self._emit(index, last[0], True, self._leave_window)
            del last

    async def _wait(self) -> None:
        full = self._in_window >= self._window
        future = self._loop.create_future()
        self._hungry.append(future)
        begin = _clock()
        await future
        if full:  # all other waiting is for items; the statistics take it for that
            self._ends.counters.blocked += _clock() - begin

    def _take(self) -> tuple[int, Any] | None:
        if self._in_window >= self._window or self._asked or self._ended:
            return None
        taken = self._ends.source.poll(1, self._wake)
        if taken is None:
            self._ended = True
            self._feed_all()
            return None
        if isinstance(taken, str):
            self._asked = True
            return None
        self._in_window += 1
        return taken[1], taken[2][0]

    def _wake(self) -> None:  # on any thread
        call_soon(self._loop, self._answer)

    def _answer(self) -> None:
        self._asked = False
        self._feed_another()

    def _feed_another(self) -> None:
        """Have one more slot look for an item, as there may be more."""
        while self._hungry:
            future = self._hungry.popleft()
            if not future.done():
                future.set_result(None)
                return
        ending = self._asked or self._ended or self._ends.state.stopped
        if self._slots < self._stage.workers and not ending:
            self._open_slot()

    def _feed_all(self) -> None:
        for future in self._hungry:
            if not future.done():
                future.set_result(None)
        self._hungry.clear()

    def _leave_window(self) -> None:
        self._in_window -= 1
        if self._hungry and not self._asked:
            self._feed_another()

    async def _work(self, index: int, item: Any) -> tuple[Any] | None:
        """Return the last result of one item, or ``None`` if the run was stopped."""
        counters, state = self._ends.counters, self._ends.state
        begin = _clock()
        counters.running[index] = begin
        last: Any
        try:
            if type(item) is Failure:
                last = item
            elif self._stage.kind == "coroutine":
                last = await self._call(item)
            else:
                last = await self._iterate(index, item)
        except BaseException as error:
            await absorb_cancellation(state)
            if state.stopped:
                return None  # nobody reads any more, and nobody would cancel a second time
            if self._stage.kind == "coroutine":
                last = await self._rescue.acall(index, item, error)
            else:
                last = self._rescue.verdict(index, item, error)
        else:
            await absorb_cancellation(state)
            if state.stopped:
                return None
        finally:
            counters.running.pop(index, None)
        counters.items_in += 1
        counters.timed(begin, _clock(), 1)
        return (last,)

    async def _call(self, item: Any) -> Any:
        steps = Steps(self._stage.op(item), self._ends.counters)
        if self._stage.policy.timeout is None:
            return await steps
        async with asyncio.timeout(self._stage.policy.timeout):
            return await steps

    async def _iterate(self, index: int, item: Any) -> Any:
        counters = self._ends.counters
        async with (
            asyncio.timeout(self._stage.policy.timeout),
            aclosing(self._stage.op(item)) as outputs,
        ):
            while True:
                try:
                    output = await Steps(anext(outputs), counters)
                except StopAsyncIteration:
                    return NOTHING
                future = self._loop.create_future()
                begin = _clock()
                self._emit(index, output, False, future_setter(future))
                del output  # it is the reader's now
                await future
                counters.blocked += _clock() - begin

    def _emit(self, index: int, output: Any, done: bool, sent: Callable[[], None]) -> None:
        if output is not NOTHING and type(output) not in NO_RESULT:
            self._ends.counters.items_out += 1
        entries: list[Entry] = [(output, sent)]
        if self._sequencer is not None:
            entries = self._sequencer.add(index, entries, done)
        if entries:
            self._outlet.enqueue(entries)


class Steps:
    """Awaits a coroutine, and counts the steps of it that hold the event loop for long.

    Args:
        awaitable: a coroutine, or what ``anext`` returns for an async generator.
        counters: where blocking steps are counted.
    """

    __slots__ = ("_awaitable", "_counters")

    def __init__(self, awaitable: Awaitable[Any], counters: Counters) -> None:
        self._awaitable = awaitable
        self._counters = counters

    def __await__(self) -> Generator[Any, Any, Any]:
        awaitable = self._awaitable
        inner: Any = awaitable if type(awaitable) is CoroutineType else awaitable.__await__()
        call, argument = inner.send, None
        while True:
            begin = _clock()
            try:
                future = call(argument)
            except StopIteration as end:
                return end.value
            finally:
                took = _clock() - begin
                if took > STEP_SECONDS:
                    self._counters.blocking_calls += 1
                    longest = max(took, self._counters.blocking_longest)
                    self._counters.blocking_longest = longest
            try:
                argument = yield future
                call = inner.send
            except GeneratorExit:
                inner.close()
                raise
            except BaseException as error:
                call, argument = inner.throw, error
