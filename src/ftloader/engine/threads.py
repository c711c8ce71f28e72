"""The native engine: a fixed set of long-lived threads per run, joined by bounded channels.

Every thread belongs to the run's one ``ThreadPoolExecutor`` and runs one worker from start to end:
one reads the source, each part of the plan has its own, and one runs the event loop of all
asynchronous stages if there are any. The reader takes from the last channel. Nothing is created
per item.
"""

from __future__ import annotations

import time
import weakref
from collections import deque
from typing import Any

from ..options import RunOptions
from ..pipeline import Pipeline
from ..policy import FailureRecord
from .base import Lifetime, Run, stopped
from .failure import Failure
from .graph import Graph
from .leasing import Leases, opened, release
from .state import Late, Stopped
from .stats import RunStats
from .workers import MAX_CHUNK


class ThreadsRun(Run[Any]):
    """A run of the native engine; it works from the moment it is made.

    Args:
        pipeline: what to run.
        options: how.
    """

    def __init__(self, pipeline: Pipeline[Any], options: RunOptions) -> None:
        self._wait = 0.0
        self._read = 0
        self._lifetime = Lifetime()
        self._graph = Graph(pipeline, options)
        self._items: deque[Any] = deque()  # read, and not yet asked for
        self._leases: deque[Leases] = deque()  # of the items that the reader may still hold
        self._leasing = self._graph.memory_budget is not None
        self._chunk = 1 if self._leasing else MAX_CHUNK
        # No thread refers to this object, so dropping it ends the run.
        self._drop = weakref.finalize(self, self._graph.drop)
        self._drop.atexit = False  # by then the pool has been joined

    def __next__(self) -> Any:
        # The common case in one call: a chunk has been read, and its next item is no failure.
        items = self._items
        try:
            if items and type(items[0]) is not Failure:
                return items.popleft()
        except IndexError:  # another thread has stopped the run just now
            pass
        return super().__next__()

    def _next(self) -> Any:
        if self._leases:
            self._let_go(keep=1)
        if not self._items:
            self._items.extend(self._read_on())
        try:
            item = self._items.popleft()
        except IndexError:  # another thread has stopped the run just now
            raise stopped() from None
        if type(item) is Failure:
            raise self._graph.with_others(item.error)
        if self._leasing:
            item, leases = opened(item)
            self._leases.append(leases)
        return item

    def _let_go(self, keep: int) -> None:
        # A loop still holds its last item while it asks for the next, so that one is kept counted.
        while len(self._leases) > keep:
            release(self._leases.popleft())

    def _read_on(self) -> list[Any]:
        begin = time.perf_counter()
        if self._leases and not self._graph.sink.has_items():
            self._let_go(keep=0)  # or nothing might ever come: what is missing is these bytes
        try:
            items = self._graph.sink.read(self._chunk, self._look)
        except Stopped:
            if self._graph.state.crash is not None:
                raise RuntimeError("ftloader's engine failed; please report this") from (
                    self._graph.state.crash
                )
            raise stopped() from None
        finally:
            self._wait += time.perf_counter() - begin
        if not items:
            self._graph.judge_the_end()
            raise StopIteration
        self._read += len(items)
        return items

    def _look(self) -> float:
        self._graph.look()
        left = self._until - time.monotonic()
        if left < 0:
            raise Late
        return left

    def stop(self, timeout: float | None = None) -> None:
        """End the run and wait until its threads are gone."""
        self._lifetime.end()
        self._items.clear()
        self._drop.detach()
        self._graph.stop(timeout)

    def stats(self) -> RunStats:
        """Return the counters of this run so far."""
        now = self._lifetime.elapsed
        return RunStats(
            stages=self._graph.stage_stats(now),
            reader_wait=self._wait,
            elapsed=now,
            delivered=self._read - len(self._items),
            memory_budget=self._graph.memory_budget,
        )

    @property
    def failures(self) -> tuple[FailureRecord, ...]:
        """What was skipped so far, in the order of the stream, stage by stage."""
        return self._graph.log.records

    def spans(self) -> list[tuple[str, int, float, float, int]]:
        """Return what each worker did when: stage, worker, begin, end, items."""
        return self._graph.spans()
