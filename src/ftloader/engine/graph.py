"""The threads and channels of one run, made from its plan.

Ownership: the graph owns the pool, every channel and the event loop of its run; nobody else submits
to that pool. Each worker owns its counters. No thread refers to the run object.
"""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from ..errors import RunError, StuckOperation
from ..options import RunOptions
from ..pipeline import Pipeline
from ..source import open_source
from ..stages import Pipe
from .aio import EventLoop, read_async_source
from .channel import Channel
from .crew import async_stage, workers
from .failure import SOURCE, source_failure
from .feed import read_source
from .plan import Part, concurrency_of, plan
from .shares import divide
from .skips import Sieve, SkipLog
from .state import RunState
from .stats import Counters, StageStats, add_up
from .watch import Watched, kind_of_stage, stuck_text
from .workers import Ends, guarded

#: How long dropping a run waits for its threads; they end by themselves if it takes longer.
DROP_SECONDS = 1.0


class Graph:
    """Builds, watches and ends one run.

    Args:
        pipeline: what to run.
        options: how.

    Raises:
        PipelineError: the pipeline cannot run with these options.
    """

    def __init__(self, pipeline: Pipeline[Any], options: RunOptions) -> None:
        self.state = RunState()
        self.log = SkipLog(options)
        self.shares = divide(pipeline, options, self.state)
        self.memory_budget = sum(share.size for share in self.shares.values()) or None
        self._options = options
        self._prefetch, self._parts = plan(pipeline, options)
        self._watched: dict[str, Watched] = {
            SOURCE: Watched("source", 1, [Counters(trace=options.trace)])
        }
        self._given_up = False
        # The reader of the source, a loop (the source may turn out to be async), an attendant.
        size = 3 + sum(part.threads for part in self._parts)
        self._pool = ThreadPoolExecutor(size, thread_name_prefix="ftloader")
        self._futures: list[Future[None]] = []
        self._loop = EventLoop(self.state)
        self._loop_started = False
        self._channels: list[Channel] = []
        try:
            self.sink = self._build(pipeline.source)
        except BaseException:  # Ctrl-C, or no more threads to be had
            self.drop()
            raise

    def _build(self, source: Any) -> Channel:
        readers = [part.ends for part in self._parts] + [1]
        first = Channel(
            self.state,
            2 if self._prefetch is None else self._prefetch,
            ordered=False,
            writers=1,
            readers=readers[0],
            elastic=self._prefetch is None,
        )
        self._channels.append(first)
        async_stages = []
        for part, behind in zip(self._parts, readers[1:], strict=True):
            before = self._channels[-1]
            counters = self._watch(part)
            target = self._channel(part, behind)
            ends = [Ends(part.last.name, self.state, before, target, own) for own in counters[-1]]
            if isinstance(part.last, Pipe) and part.is_async:
                async_stages.append(async_stage(part, part.last, ends[0], self.shares))
            else:
                for work in workers(part, self.state, ends, counters, self.shares):
                    self._submit(work)
            self._channels.append(target)
        if async_stages:
            self._start_loop(*(stage.run for stage in async_stages))
        self._submit(self._read, source, first, self._watched[SOURCE].workers[0])
        self._attend()
        return self._channels[-1]

    def _watch(self, part: Part) -> list[list[Counters]]:
        """Make the counters of a part: one list per stage, one entry per worker."""
        group: list[Watched] = []
        fused = len(part.stages) > 1
        for stage in part.stages:
            workers = [Counters(trace=self._options.trace) for _ in range(part.ends)]
            watched = Watched(
                kind_of_stage(stage),
                concurrency_of(stage),
                workers,
                shared=part.is_async or fused,
                group=group if fused else [],
            )
            group.append(watched)
            self._watched[stage.name] = watched
        return [watched.workers for watched in group]

    def _channel(self, part: Part, readers: int) -> Channel:
        stage = part.last
        sieve = None
        if isinstance(stage, Pipe) and stage.policy.on_error == "skip":
            source_items = self._watched[SOURCE].items_out
            stage_items = self._watched[stage.name].items_in
            sieve = Sieve(stage, self.log, self.state.fail, source_items, stage_items)
        return Channel(
            self.state,
            part.capacity,
            ordered=part.ordered,
            writers=part.ends,
            readers=readers,
            elastic=part.prefetch is None,
            sieve=sieve,
        )

    def _start_loop(self, *tasks: Any) -> None:
        self._loop_started = True
        self._submit(self._loop.run, *tasks)

    def _read(self, source: Any, target: Channel, counters: Counters) -> None:
        try:
            items = open_source(source)
        except BaseException as error:
            counters.failures += 1
            failure = source_failure(error, 0)
            self.state.fail(failure.error)
            target.put(0, (failure,))
            target.close()
            return
        if isinstance(items, Iterator):
            read_source(items, self.state, target, counters)
            return
        if not self._loop_started:
            try:
                self._start_loop()
                self._attend()  # the loop may have taken the idle thread
            except (RuntimeError, CancelledError):  # the pool has been shut down
                self.state.check()
                raise
        self._loop.add(partial(read_async_source, items, self.state, target, counters))

    def _attend(self) -> None:
        # After all others: an executor gives new work to an idle thread.
        self.state.attendants.append(self._pool.submit(threading.current_thread).result())

    def _submit(self, worker: Any, *args: Any) -> None:
        self._futures.append(self._pool.submit(guarded, self.state, worker, *args))

    def stop(self, timeout: float | None = None) -> None:
        """End every worker and wait for them, except from one of them; then let go of all items.

        Raises:
            StuckOperation: an operation has not returned in time.
        """
        self.state.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self.state.is_worker() or self._given_up:
            return
        if timeout is not None and concurrent.futures.wait(self._futures, timeout).not_done:
            raise StuckOperation(
                f"not stopped within {timeout:g} s: {stuck_text(self._watched, 0.0)}"
            )
        self._pool.shutdown(wait=True)
        for channel in self._channels:
            channel.clear()

    def drop(self) -> None:
        """End every worker; wait a moment, so that a loop left by ``break`` leaves no thread."""
        self.state.stop(timeout=0.01)
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self.state.is_worker():
            return
        if not concurrent.futures.wait(self._futures, DROP_SECONDS).not_done:
            self._pool.shutdown(wait=True)  # nothing runs any more, so this is a moment

    def look(self) -> None:
        """See whether an operation is stuck; the reader does so while it waits.

        Raises:
            StuckOperation: one takes longer than the run's ``stuck_after``.
        """
        limit = self._options.stuck_after
        if limit is not None and (text := stuck_text(self._watched, limit)):
            self._given_up = True  # nobody can end that thread, so nobody will wait for it
            raise StuckOperation(text)

    def with_others(self, error: RunError) -> RunError:
        """Return an error with the others that have come up meanwhile."""
        error.others = tuple(other for other in self.state.errors if other is not error)
        for other in error.others:
            error.add_note(f"meanwhile: {other}")
        return error

    def judge_the_end(self) -> None:
        """Hold what was skipped against the run's limit, now that all is known.

        Raises:
            TooManyFailures: too much was.
        """
        error = self.log.finish(self._watched[SOURCE].items_out())
        if error is not None:
            raise error

    def stage_stats(self, elapsed: float) -> tuple[StageStats, ...]:
        """Return the counters of the source and every stage."""
        held = {name: (share.used, share.peak) for name, share in self.shares.items()}
        return tuple(
            add_up(name, watched.workers, watched.kind, watched.concurrency, held.get(name, (0, 0)))
            if not watched.shared
            else watched.shared_stats(name, elapsed, held.get(name, (0, 0)))
            for name, watched in self._watched.items()
        )

    def spans(self) -> list[tuple[str, int, float, float, int]]:
        """Return what each worker did when: stage, worker, begin, end, items."""
        return [
            (name, number, *span)
            for name, watched in self._watched.items()
            for number, counters in enumerate(watched.workers)
            for span in counters.spans or ()
        ]
