"""SPDL as a second engine: the same descriptions, executed by ``spdl.pipeline``.

SPDL drops items that fail or are ``None``, hangs on ``StopIteration`` and loses what a generator
yields in input order. So this adapter never lets it see any of that: every value travels in an
envelope, an operation's errors come back as values, and generators are run to their end inside
one call. What differs from the native engine:

* the results of one generator call arrive together, when the call has ended;
* an error does not say the index of its item;
* ``stop`` takes about 0.1 s, the period at which SPDL looks;
* a run that is still open when the interpreter exits may print a traceback of SPDL's own threads.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from ..errors import EngineUnavailable
from ..pipeline import Pipeline
from ..source import open_source
from ..stages import Aggregate, Disaggregate, Pipe, Prefetch
from .aio import absorb_cancellation
from .base import Run, stopped
from .failure import SOURCE, Failure, contained, refuse_coroutine, source_failure, stage_failure
from .regroup import Regrouper
from .state import POLL, RunState
from .stats import Counters, RunStats, add_up

try:
    from spdl.pipeline import PipelineBuilder
    from spdl.pipeline.defs import Aggregator as SpdlAggregator
except ImportError as error:
    raise EngineUnavailable(
        f"the 'spdl' engine needs SPDL 0.8 ({error}); install it with: pip install 'ftloader[spdl]'"
    ) from error

#: An envelope: one value or failure. SPDL takes a bare ``None`` for "drop this item".
Envelope = tuple[Any]


class SpdlRun(Run[Any]):
    """A run on SPDL's engine.

    Args:
        pipeline: what to run.
    """

    def __init__(self, pipeline: Pipeline[Any]) -> None:
        self._wait = 0.0
        self._state = RunState()
        self._counters = [(SOURCE, Counters())]
        threads, buffer = 1, 3
        builder: PipelineBuilder[Any, Any] = PipelineBuilder()
        builder.add_source(feed(pipeline.source, self._state, self._counters[0][1]))
        for stage in pipeline.stages:
            if isinstance(stage, Prefetch):
                buffer = stage.size
                continue
            buffer = 3
            counters = Counters()
            self._counters.append((stage.name, counters))
            if isinstance(stage, Pipe):
                add_pipe(builder, stage, self._state, counters)
                threads += 0 if stage.is_async else stage.concurrency
            else:
                builder.aggregate(Regroup(stage, counters)).disaggregate()
        self._pipeline = builder.add_sink(buffer).build(num_threads=threads)
        self._pipeline.start()
        # SPDL's threads do not refer to this object, so dropping it ends the run.
        self._close = weakref.finalize(self, end, self._pipeline, self._state)

    def _next(self) -> Any:
        begin = time.perf_counter()
        try:
            item = self._read()
        finally:
            self._wait += time.perf_counter() - begin
        if type(item) is Failure:
            raise item.error
        return item

    def _read(self) -> Any:
        while not self._state.stopped:
            try:
                return self._pipeline.get_item(timeout=POLL)[0]
            except TimeoutError:
                continue  # look again, so that Ctrl-C and a stop from elsewhere are seen
            except EOFError:
                if not self._state.stopped:
                    raise StopIteration from None
        raise stopped()

    def stop(self) -> None:
        """End the run and wait until SPDL's threads are gone."""
        self._close()

    def stats(self) -> RunStats:
        """Return items and failures per stage; SPDL keeps its times to itself."""
        stages = tuple(add_up(name, [counters]) for name, counters in self._counters)
        return RunStats(stages, self._wait)


def end(pipeline: Any, state: RunState) -> None:
    """Stop SPDL's pipeline; what is cancelled from here on was cancelled by us."""
    state.stopped = True
    pipeline.stop()


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


def add_pipe(
    builder: PipelineBuilder[Any, Any], stage: Pipe, state: RunState, counters: Counters
) -> None:
    """Add a stage whose operation takes and returns envelopes."""
    builder.pipe(
        wrap_async(stage, state, counters) if stage.is_async else wrap_sync(stage, counters),
        concurrency=stage.concurrency,
        output_order=stage.output_order,
        name=stage.name,
    )
    if stage.kind in ("generator", "async generator"):
        builder.disaggregate()


def wrap_sync(stage: Pipe, counters: Counters) -> Callable[[Envelope], Any]:
    """Return the operation as a function from envelope to envelope, or to a list of them."""
    op, many = stage.op, stage.kind == "generator"

    def call(envelope: Envelope) -> Any:
        (item,) = envelope
        outputs: list[Envelope] = []
        try:
            if type(item) is Failure:
                outputs.append(envelope)
            elif many:
                outputs.extend((output,) for output in op(item))
            else:
                result = op(item)
                refuse_coroutine(result)
                outputs.append((result,))
        except BaseException as error:
            outputs.append((stage_failure(stage.name, None, item, error),))
        return tally(stage, counters, outputs, many)

    return call


def wrap_async(
    stage: Pipe, state: RunState, counters: Counters
) -> Callable[[Envelope], Awaitable[Any]]:
    """Return the operation as a coroutine function over envelopes."""
    op, many = stage.op, stage.kind == "async generator"

    async def call(envelope: Envelope) -> Any:
        (item,) = envelope
        outputs: list[Envelope] = []
        try:
            if type(item) is Failure:
                outputs.append(envelope)
            elif many:
                outputs.extend([(output,) async for output in op(item)])
            else:
                outputs.append((await op(item),))
        except BaseException as error:
            await absorb_cancellation(state)
            if state.stopped and isinstance(error, asyncio.CancelledError):
                raise
            outputs.append((stage_failure(stage.name, None, item, error),))
        return tally(stage, counters, outputs, many)

    return call


def tally(stage: Pipe, counters: Counters, outputs: list[Envelope], many: bool) -> Any:
    """Count the outputs of one call and return them as SPDL is to hand them on."""
    counters.items_in += 1
    for (output,) in outputs:
        counters.count(stage.name, output)
    return outputs if many else outputs[0]


class Regroup(SpdlAggregator):
    """One of our regrouping stages, as an aggregator that emits lists of envelopes."""

    def __init__(self, stage: Aggregate | Disaggregate, counters: Counters) -> None:
        self._grouper = Regrouper(stage)
        self._name = stage.name
        self._counters = counters

    def accumulate(self, item: Envelope) -> list[Envelope] | None:
        """Take one envelope; return what it completed, or ``None``."""
        self._counters.items_in += 1
        return self._pack(self._grouper.add(item[0]))

    def flush(self) -> list[Envelope] | None:
        """Return what is left at the end, or ``None``."""
        return self._pack(self._grouper.flush())

    def _pack(self, outputs: Any) -> list[Envelope] | None:
        packed = []
        for output in outputs:
            self._counters.count(self._name, output)
            packed.append((output,))
        return packed or None
