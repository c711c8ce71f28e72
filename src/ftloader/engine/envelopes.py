"""Operations as SPDL is to see them: functions from envelope to envelope that never raise.

An envelope is one value or failure in a tuple of its own, because SPDL takes a bare ``None`` for
"drop this item". A generator is run to its end inside one call, and what it yielded comes back as
a list of envelopes. SPDL calls an operation from several threads, so a lock guards its counters;
and in input order it calls more at once than a stage allows, so each waits here for its turn.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from ..source import open_source
from ..stages import Pipe
from .aio import absorb_cancellation
from .failure import SOURCE, Failure, contained, refuse_coroutine, source_failure
from .rescue import Rescue
from .skips import Sieve
from .state import RunState
from .stats import Counters

Envelope = tuple[Any]

_clock = time.perf_counter


class Operation:
    """One stage's operation over envelopes.

    Args:
        stage: the stage.
        state: the run.
        counters: the stage's.
        sieve: takes out skipped items, as they come.
    """

    def __init__(self, stage: Pipe, state: RunState, counters: Counters, sieve: Sieve) -> None:
        self._stage = stage
        self._state = state
        self._counters = counters
        self._sieve = sieve
        self._rescue = Rescue(stage, state, counters)
        self._lock = threading.Lock()
        self._many = stage.kind in ("generator", "async generator")
        self._slots = threading.Semaphore(stage.workers)
        self._async_slots = asyncio.Semaphore(stage.workers)

    def call(self, envelope: Envelope) -> Any:
        """Run a function or generator function."""
        with self._slots:
            return self._run(envelope)

    async def acall(self, envelope: Envelope) -> Any:
        """Run a coroutine function or async generator function."""
        async with self._async_slots:
            return await self._arun(envelope)

    def _run(self, envelope: Envelope) -> Any:
        (item,) = envelope
        outputs: list[Any] = []
        begin = _clock()
        try:
            if type(item) is Failure:
                return self._pack([item])
            if self._many:
                outputs.extend(self._stage.op(item))
            else:
                result = self._stage.op(item)
                refuse_coroutine(result)
                outputs.append(result)
        except BaseException as error:
            resolve = self._rescue.verdict if self._many else self._rescue.call
            outputs.append(resolve(None, item, error))
        return self._tally(outputs, begin)

    async def _arun(self, envelope: Envelope) -> Any:
        (item,) = envelope
        outputs: list[Any] = []
        begin = _clock()
        try:
            if type(item) is Failure:
                return self._pack([item])
            async with asyncio.timeout(self._stage.policy.timeout):
                if self._many:
                    async for output in self._stage.op(item):
                        outputs.append(output)  # noqa: PERF401 (what came before an error stays)
                else:
                    outputs.append(await self._stage.op(item))
        except BaseException as error:
            await absorb_cancellation(self._state)
            if self._state.stopped and isinstance(error, asyncio.CancelledError):
                raise
            if self._many:
                outputs.append(self._rescue.verdict(None, item, error))
            else:
                outputs.append(await self._rescue.acall(None, item, error))
        return self._tally(outputs, begin)

    def _tally(self, outputs: list[Any], begin: float) -> Any:
        with self._lock:
            counters = self._counters
            counters.items_in += 1
            counters.timed(begin, _clock(), 1)
            kept = self._sieve.sift(outputs)
            counters.items_out += sum(type(output) is not Failure for output in kept)
        return self._pack(kept)

    def _pack(self, outputs: list[Any]) -> Any:
        """Return envelopes as SPDL is to hand them on; ``None`` has it drop the item."""
        if self._many:
            return [(output,) for output in outputs]
        return (outputs[0],) if outputs else None


def feed(source: Any, state: RunState, counters: Counters) -> Any:
    """Return the source as an iterable, or async iterable, of envelopes that never raises."""
    try:
        items = open_source(source)
    except BaseException as error:
        failure = source_failure(error, 0)
        counters.count(SOURCE, failure)
        return [(failure,)]
    return read(items, counters) if isinstance(items, Iterator) else aread(items, state, counters)


def read(items: Iterator[Any], counters: Counters) -> Iterator[Envelope]:
    """Yield the source's items in envelopes."""
    for item in contained(lambda: items, lambda error: source_failure(error, counters.items_out)):
        counters.count(SOURCE, item)
        yield (item,)


async def aread(
    items: AsyncIterator[Any], state: RunState, counters: Counters
) -> AsyncIterator[Envelope]:
    """Yield an async source's items in envelopes."""
    while True:
        try:
            item = await anext(items)
        except StopAsyncIteration:
            return
        except BaseException as error:
            await absorb_cancellation(state)
            if state.stopped and isinstance(error, asyncio.CancelledError):
                raise
            item = source_failure(error, counters.items_out)
        counters.count(SOURCE, item)
        yield (item,)
        if type(item) is Failure:
            return
