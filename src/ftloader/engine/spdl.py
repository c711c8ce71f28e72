"""SPDL as a second engine: the same descriptions, executed by ``spdl.pipeline``.

SPDL drops items that fail or are ``None``, hangs on ``StopIteration`` and loses what a generator
yields in input order. So this adapter never lets it see any of that: every value travels in an
envelope, an operation's errors come back as values, and generators are run to their end inside
one call. What differs from the native engine:

* the results of one generator call arrive together, when the call has ended;
* an error does not say the index of its item, and skipped items are counted as they come;
* ``stop`` takes about 0.1 s, the period at which SPDL looks;
* a run that is still open when the interpreter exits may print a traceback of SPDL's own threads.
"""

from __future__ import annotations

import time
import weakref
from typing import Any

from ..errors import EngineUnavailable, PipelineError
from ..options import RunOptions
from ..pipeline import Pipeline
from ..policy import FailureRecord
from ..stages import Aggregate, Disaggregate, Pipe, Prefetch
from .base import Lifetime, Run, stopped
from .envelopes import Envelope, Operation, feed
from .failure import SOURCE, Failure
from .regroup import Regrouper
from .skips import Sieve, SkipLog
from .state import POLL, Late, RunState
from .stats import Counters, RunStats
from .watch import Watched, kind_of_stage

try:
    from spdl.pipeline import PipelineBuilder
    from spdl.pipeline.defs import Aggregator as SpdlAggregator
except ImportError as error:
    raise EngineUnavailable(
        f"the 'spdl' engine needs SPDL 0.8 ({error}); install it with: pip install 'ftloader[spdl]'"
    ) from error


class SpdlRun(Run[Any]):
    """A run on SPDL's engine.

    Args:
        pipeline: what to run.
        options: how.

    Raises:
        PipelineError: an option has no meaning here.
    """

    def __init__(self, pipeline: Pipeline[Any], options: RunOptions) -> None:
        refuse(options)
        self._wait = 0.0
        self._delivered = 0
        self._lifetime = Lifetime()
        self._state = RunState()
        self._log = SkipLog(options)
        self._sieves: list[Sieve] = []
        self._watched = {SOURCE: Watched.alone("source")}
        threads, buffer = 0, 3
        builder: PipelineBuilder[Any, Any] = PipelineBuilder()
        builder.add_source(feed(pipeline.source, self._state, self._watched[SOURCE].workers[0]))
        for stage in pipeline.stages:
            if isinstance(stage, Prefetch):
                buffer = stage.size
                continue
            buffer = 3
            concurrency = stage.workers if isinstance(stage, Pipe) else 1
            watched = Watched(kind_of_stage(stage), concurrency, [Counters()], True)
            self._watched[stage.name] = watched
            if isinstance(stage, Pipe):
                self._add_pipe(builder, stage, watched)
                threads += 0 if stage.is_async else concurrency
            else:
                builder.aggregate(Regroup(stage, watched.workers[0])).disaggregate()
        self._pipeline = builder.add_sink(buffer).build(num_threads=max(1, threads))
        self._pipeline.start()
        # SPDL's threads do not refer to this object, so dropping it ends the run.
        self._close = weakref.finalize(self, end, self._pipeline, self._state)

    def _add_pipe(self, builder: PipelineBuilder[Any, Any], stage: Pipe, watched: Watched) -> None:
        source_items = self._watched[SOURCE].items_out
        sieve = Sieve(stage, self._log, self._state.fail, source_items, watched.items_in)
        self._sieves.append(sieve)
        operation = Operation(stage, self._state, watched.workers[0], sieve)
        builder.pipe(
            operation.acall if stage.is_async else operation.call,
            concurrency=stage.workers,
            output_order=stage.output_order,
            name=stage.name,
        )
        if stage.kind in ("generator", "async generator"):
            builder.disaggregate()

    def _next(self) -> Any:
        begin = time.perf_counter()
        try:
            item = self._read()
        finally:
            self._wait += time.perf_counter() - begin
        if type(item) is Failure:
            raise item.error
        self._delivered += 1
        return item

    def _read(self) -> Any:
        while not self._state.stopped:
            try:
                left = self._until - time.monotonic()
                return self._pipeline.get_item(timeout=max(0, min(POLL, left)))[0]
            except TimeoutError:
                if left <= POLL:
                    raise Late from None
                # Else look again, so that Ctrl-C and a stop from elsewhere are seen.
            except EOFError:
                if not self._state.stopped:
                    self._judge_the_end()
                    raise StopIteration from None
        raise stopped()

    def _judge_the_end(self) -> None:
        for sieve in self._sieves:
            for failure in sieve.finish():
                raise failure.error
        error = self._log.finish(self._watched[SOURCE].items_out())
        if error is not None:
            raise error

    def stop(self, timeout: float | None = None) -> None:
        """End the run and wait until SPDL's threads are gone."""
        self._lifetime.end()
        self._close()

    def stats(self) -> RunStats:
        """Return the counters so far; SPDL keeps its waits to itself, so the rest is starved."""
        now = self._lifetime.elapsed
        stages = tuple(watched.shared_stats(name, now) for name, watched in self._watched.items())
        return RunStats(stages, self._wait, now, self._delivered)

    @property
    def failures(self) -> tuple[FailureRecord, ...]:
        """What was skipped so far, as it came."""
        return self._log.records


def refuse(options: RunOptions) -> None:
    """Raise ``PipelineError`` for an option that SPDL has nothing for."""
    for name in ("memory_budget", "stuck_after"):
        if getattr(options, name) is not None:
            raise PipelineError(f"the spdl engine has no {name}; use engine='threads'")


def end(pipeline: Any, state: RunState) -> None:
    """Stop SPDL's pipeline; what is cancelled from here on was cancelled by us."""
    state.stopped = True
    pipeline.stop()


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
