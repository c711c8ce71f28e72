"""The reference engine: one item at a time, on the reader's own thread.

Every stage is a generator over the one before, so the next item is worked on when it is asked
for, and not before. Concurrency and output order have no meaning here: this engine says what the
result of a pipeline is, and the others are tested against it. A debugger steps through it.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Iterator,
)
from contextlib import ExitStack
from typing import Any

from ..errors import PipelineError
from ..options import RunOptions
from ..pipeline import Pipeline
from ..policy import FailureRecord
from ..source import open_source
from ..stages import Aggregate, Disaggregate, Pipe, Prefetch
from .base import Lifetime, Run, stopped
from .failure import NO_RESULT, SOURCE, Failure, contained, refuse_coroutine, source_failure
from .ownloop import keep_awake, limited, refuse_nested_loop, refuse_running_loop
from .regroup import Regrouper
from .rescue import Rescue
from .skips import Sieve, SkipLog
from .state import RunState
from .stats import RunStats
from .watch import Watched, kind_of_stage

Outputs = Generator[Any, None, None]


class SerialRun(Run[Any]):
    """A run of the reference engine.

    An operation that raises ``KeyboardInterrupt`` cannot be told from Ctrl-C here, so it reaches
    the reader unwrapped; every other exception is wrapped as in all engines.

    It holds one item at a time, so a memory budget changes nothing.

    Args:
        pipeline: what to run.
        options: how.

    Raises:
        PipelineError: the pipeline has coroutines and this thread already runs an event loop, or
            an option has no meaning here.
    """

    def __init__(self, pipeline: Pipeline[Any], options: RunOptions) -> None:
        refuse_nested_loop(pipeline)
        if options.stuck_after is not None:
            raise PipelineError(
                "the serial engine has no stuck_after: your own thread does the work"
            )
        self._wait = 0.0
        self._delivered = 0
        self._lifetime = Lifetime()
        self._stopped = False
        self._working = False
        self._chain = Chain(pipeline, options)
        # The chain does not refer to this object, so dropping it closes the chain at once.
        self._close = weakref.finalize(self, self._chain.close)

    def _next(self) -> Any:
        if self._stopped:
            raise stopped()
        begin = time.perf_counter()
        self._working = True
        try:
            item = next(self._chain.items)
        finally:
            self._working = False
            self._wait += time.perf_counter() - begin
            if self._stopped:
                self._close()
        if self._stopped:
            raise stopped()
        if type(item) is Failure:
            raise item.error
        self._delivered += 1
        return item

    def stop(self, timeout: float | None = None) -> None:
        """End the run: close every stage, the source last, then the event loop."""
        self._stopped = True
        self._lifetime.end()
        if not self._working:  # else the reader does, once it is out of there
            self._close()

    def stats(self) -> RunStats:
        """Return the counters of this run so far; what is not busy here is starved."""
        now = self._lifetime.elapsed
        stages = tuple(
            watched.shared_stats(name, now) for name, watched in self._chain.watched.items()
        )
        return RunStats(stages, self._wait, now, self._delivered)

    @property
    def failures(self) -> tuple[FailureRecord, ...]:
        """What was skipped so far."""
        return self._chain.log.records


class Chain:
    """The stages of one run, each a generator over the one before."""

    def __init__(self, pipeline: Pipeline[Any], options: RunOptions) -> None:
        self.log = SkipLog(options)
        self.watched = {SOURCE: Watched.alone("source")}
        self._state = RunState()
        self._runner: asyncio.Runner | None = None
        self.items = self._source(pipeline.source)
        self._stages = [self.items]
        for stage in pipeline.stages:
            if not isinstance(stage, Prefetch):  # a read-ahead changes no result
                self.items = self._stage(stage, self.items)
                self._stages.append(self.items)
        self.items = self._judged(self.items)
        self._stages.append(self.items)

    def close(self) -> None:
        """Close the generators, the last stage first, then the event loop.

        Each by itself: the traceback of a failure may hold on to the ones before the failed one.
        """
        try:
            with ExitStack() as stack:
                for stage in self._stages:
                    stack.callback(stage.close)
        finally:
            if self._runner is not None:
                self._runner.close()
                self._runner = None

    def _source(self, source: Any) -> Outputs:
        counters = self.watched[SOURCE].workers[0]

        def items() -> Iterable[Any]:
            opened = open_source(source)
            if isinstance(opened, Iterator):
                return opened
            refuse_running_loop("the source")
            return self._pull(opened)

        begin = time.perf_counter()
        for item in contained(
            items, lambda error: source_failure(error, counters.items_out), (KeyboardInterrupt,)
        ):
            counters.timed(begin, time.perf_counter(), 1)
            counters.count(SOURCE, item)
            yield item
            begin = time.perf_counter()

    def _stage(self, stage: Pipe | Aggregate | Disaggregate, items: Outputs) -> Outputs:
        self.watched[stage.name] = Watched.alone(kind_of_stage(stage))
        if isinstance(stage, Pipe):
            return self._pipe(stage, items)
        return self._regroup(stage.name, Regrouper(stage), items)

    def _pipe(self, stage: Pipe, items: Outputs) -> Outputs:
        watched = self.watched[stage.name]
        counters = watched.workers[0]
        apply = self._applier(stage)
        rescue = self._rescuer(stage, Rescue(stage, self._state, counters, (KeyboardInterrupt,)))
        source_items, stage_items = self.watched[SOURCE].items_out, watched.items_in
        sieve = Sieve(stage, self.log, self._state.fail, source_items, stage_items)
        for index, item in enumerate(items):
            if type(item) is Failure:
                yield item
                return
            counters.items_in += 1
            begin = time.perf_counter()
            busy = 0.0
            for output in self._outputs(apply, rescue, index, item):
                busy += time.perf_counter() - begin
                counters.items_out += type(output) not in NO_RESULT
                yield from sieve.sift((output,))
                begin = time.perf_counter()
            end = time.perf_counter()
            counters.timed(begin - busy, end, 1)
        yield from sieve.finish()

    @staticmethod
    def _outputs(
        apply: Callable[[Any], Iterable[Any]],
        rescue: Callable[[int, Any, BaseException], Any],
        index: int,
        item: Any,
    ) -> Outputs:
        yield from contained(
            lambda: apply(item), lambda error: rescue(index, item, error), (KeyboardInterrupt,)
        )

    def _rescuer(
        self, stage: Pipe, rescue: Rescue
    ) -> Callable[[int | None, Any, BaseException], Any]:
        if stage.kind == "function":
            return rescue.call
        if stage.kind == "coroutine":
            return lambda index, item, error: self._await(rescue.acall(index, item, error))
        return rescue.verdict

    def _regroup(self, name: str, grouper: Regrouper, items: Outputs) -> Outputs:
        counters = self.watched[name].workers[0]
        for item in items:
            counters.items_in += 1
            begin = time.perf_counter()
            for output in grouper.add(item):
                counters.timed(begin, time.perf_counter(), 1)
                counters.count(name, output)
                yield output
                begin = time.perf_counter()
        for output in grouper.flush():
            counters.count(name, output)
            yield output

    def _judged(self, items: Outputs) -> Outputs:
        yield from items
        error = self.log.finish(self.watched[SOURCE].items_out())
        if error is not None:
            yield Failure(error)

    def _applier(self, stage: Pipe) -> Callable[[Any], Iterable[Any]]:
        op = stage.op
        if stage.kind == "generator":
            return op
        limit = stage.policy.timeout
        if stage.kind == "coroutine":
            return lambda item: (self._await(limited(op(item), limit)),)
        if stage.kind == "async generator":
            return lambda item: self._pull(op(item), limit)

        def call(item: Any) -> Iterable[Any]:
            result = op(item)
            refuse_coroutine(result)
            return (result,)

        return call

    def _pull(self, items: AsyncIterator[Any], limit: float | None = None) -> Iterator[Any]:
        end = object()

        async def step() -> Any:
            return await anext(items, end)

        try:
            while (item := self._await(limited(step(), limit))) is not end:
                yield item
        finally:
            if isinstance(items, AsyncGenerator):
                self._await(items.aclose())

    def _await(self, awaitable: Awaitable[Any]) -> Any:
        if self._runner is None:
            self._runner = asyncio.Runner()
            keep_awake(self._runner.get_loop())
        # Not the runner's own run(), which turns Ctrl-C into a cancellation of the operation.
        return self._runner.get_loop().run_until_complete(awaitable)
