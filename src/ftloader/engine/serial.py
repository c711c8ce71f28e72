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
from ..pipeline import Pipeline
from ..source import open_source
from ..stages import Aggregate, Disaggregate, Pipe, Prefetch
from .base import Run, stopped
from .failure import SOURCE, Failure, contained, refuse_coroutine, source_failure, stage_failure
from .regroup import Regrouper
from .state import POLL
from .stats import Counters, RunStats, add_up

Outputs = Generator[Any, None, None]


class SerialRun(Run[Any]):
    """A run of the reference engine.

    An operation that raises ``KeyboardInterrupt`` cannot be told from Ctrl-C here, so it reaches
    the reader unwrapped; every other exception is wrapped as in all engines.

    Args:
        pipeline: what to run.

    Raises:
        PipelineError: the pipeline has coroutines and this thread already runs an event loop.
    """

    def __init__(self, pipeline: Pipeline[Any]) -> None:
        refuse_nested_loop(pipeline)
        self._wait = 0.0
        self._stopped = False
        self._working = False
        self._chain = Chain(pipeline)
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
        return item

    def stop(self) -> None:
        """End the run: close every stage, the source last, then the event loop."""
        self._stopped = True
        if not self._working:  # else the reader does, once it is out of there
            self._close()

    def stats(self) -> RunStats:
        """Return the counters of this run so far; nothing ever starves or blocks here."""
        stages = tuple(add_up(name, [counters]) for name, counters in self._chain.counters)
        return RunStats(stages, self._wait)


class Chain:
    """The stages of one run, each a generator over the one before."""

    def __init__(self, pipeline: Pipeline[Any]) -> None:
        self.counters = [(SOURCE, Counters())]
        self._runner: asyncio.Runner | None = None
        self.items = self._source(pipeline.source)
        self._stages = [self.items]
        for stage in pipeline.stages:
            if not isinstance(stage, Prefetch):  # a read-ahead changes no result
                self.items = self._stage(stage, self.items)
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
        counters = self.counters[0][1]

        def items() -> Iterable[Any]:
            opened = open_source(source)
            if isinstance(opened, Iterator):
                return opened
            refuse_running_loop("the source")
            return self._pull(opened)

        for item in contained(
            items, lambda error: source_failure(error, counters.items_out), (KeyboardInterrupt,)
        ):
            counters.count(SOURCE, item)
            yield item

    def _stage(self, stage: Pipe | Aggregate | Disaggregate, items: Outputs) -> Outputs:
        counters = Counters()
        self.counters.append((stage.name, counters))
        if isinstance(stage, Pipe):
            return self._pipe(stage, items, counters)
        return self._regroup(stage.name, Regrouper(stage), items, counters)

    def _pipe(self, stage: Pipe, items: Outputs, counters: Counters) -> Outputs:
        apply = self._applier(stage)
        for index, item in enumerate(items):
            if type(item) is Failure:
                yield item
                return
            counters.items_in += 1
            begin = time.perf_counter()
            for output in self._outputs(stage, apply, index, item):
                counters.busy += time.perf_counter() - begin
                counters.count(stage.name, output)
                yield output
                begin = time.perf_counter()
            counters.busy += time.perf_counter() - begin

    @staticmethod
    def _outputs(
        stage: Pipe, apply: Callable[[Any], Iterable[Any]], index: int, item: Any
    ) -> Outputs:
        yield from contained(
            lambda: apply(item),
            lambda error: stage_failure(stage.name, index, item, error),
            (KeyboardInterrupt,),
        )

    def _regroup(
        self, name: str, grouper: Regrouper, items: Outputs, counters: Counters
    ) -> Outputs:
        for item in items:
            counters.items_in += 1
            for output in grouper.add(item):
                counters.count(name, output)
                yield output
        for output in grouper.flush():
            counters.count(name, output)
            yield output

    def _applier(self, stage: Pipe) -> Callable[[Any], Iterable[Any]]:
        op = stage.op
        if stage.kind == "generator":
            return op
        if stage.kind == "coroutine":
            return lambda item: (self._await(op(item)),)
        if stage.kind == "async generator":
            return lambda item: self._pull(op(item))

        def call(item: Any) -> Iterable[Any]:
            result = op(item)
            refuse_coroutine(result)
            return (result,)

        return call

    def _pull(self, items: AsyncIterator[Any]) -> Iterator[Any]:
        end = object()

        async def step() -> Any:
            return await anext(items, end)

        try:
            while (item := self._await(step())) is not end:
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


def keep_awake(loop: asyncio.AbstractEventLoop) -> None:
    """Wake the loop every ``POLL`` seconds: a Ctrl-C just before it falls asleep is lost else."""
    loop.call_later(POLL, keep_awake, loop)


def refuse_nested_loop(pipeline: Pipeline[Any]) -> None:
    """Raise if a stage would have to be awaited on a thread that already runs an event loop."""
    for stage in pipeline.stages:
        if isinstance(stage, Pipe) and stage.is_async:
            refuse_running_loop(f"stage {stage.name!r}")


def refuse_running_loop(what: str) -> None:
    """Raise if this thread already runs an event loop, so that nothing can be awaited in it."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise PipelineError(
        f"{what}: the serial engine cannot await it inside a running event loop; "
        "use engine='threads'"
    )
