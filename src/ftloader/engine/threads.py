"""The native engine: a fixed set of long-lived threads per run, joined by bounded channels.

Every thread belongs to the run's one ``ThreadPoolExecutor`` and runs one worker from start to end:
one reads the source, each synchronous stage has ``concurrency`` of them, each regrouping stage has
one, and one runs the event loop of all asynchronous stages if there are any. The reader takes from
the last channel. Nothing is created per item.
"""

from __future__ import annotations

import concurrent.futures
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any

from ..pipeline import Pipeline
from ..source import open_source
from ..stages import Aggregate, Disaggregate, Pipe, Prefetch
from .aio import AsyncStage, EventLoop, read_async_source
from .base import Run, stopped
from .channel import Channel
from .failure import SOURCE, Failure, source_failure
from .regroup import Regrouper
from .state import RunState, Stopped
from .stats import Counters, RunStats, add_up
from .workers import MAX_CHUNK, Ends, apply_function, apply_generator, guarded, read_source, regroup

#: How long dropping a run waits for its threads; they end by themselves if it takes longer.
DROP_SECONDS = 1.0

Step = Pipe | Aggregate | Disaggregate


class ThreadsRun(Run[Any]):
    """A run of the native engine; it works from the moment it is made.

    Args:
        pipeline: what to run.
    """

    def __init__(self, pipeline: Pipeline[Any]) -> None:
        self._wait = 0.0
        self._graph = Graph(pipeline)
        self._sink = self._graph.sink
        self._items: deque[Any] = deque()  # read, and not yet asked for
        # No thread refers to this object, so dropping it ends the run.
        self._drop = weakref.finalize(self, self._graph.drop)
        self._drop.atexit = False  # by then the pool has been joined

    def _next(self) -> Any:
        if not self._items:
            self._items.extend(self._read())
        try:
            item = self._items.popleft()
        except IndexError:  # another thread has stopped the run just now
            raise stopped() from None
        if type(item) is Failure:
            raise item.error
        return item

    def _read(self) -> list[Any]:
        begin = time.perf_counter()
        try:
            items = self._sink.read(MAX_CHUNK)
        except Stopped:
            if self._graph.state.crash is not None:
                raise RuntimeError("ftloader's engine failed; please report this") from (
                    self._graph.state.crash
                )
            raise stopped() from None
        finally:
            self._wait += time.perf_counter() - begin
        if not items:
            raise StopIteration
        return items

    def stop(self) -> None:
        """End the run and wait until its threads are gone."""
        self._graph.stop()
        self._items.clear()
        self._drop.detach()

    def stats(self) -> RunStats:
        """Return the counters of this run so far."""
        stages = tuple(add_up(name, workers) for name, workers in self._graph.counters)
        return RunStats(stages, self._wait)


class Graph:
    """The threads and channels of one run. Owns the pool; nobody else submits to it."""

    def __init__(self, pipeline: Pipeline[Any]) -> None:
        self.state = RunState()
        self.counters: list[tuple[str, list[Counters]]] = []
        steps, buffers = split(pipeline)
        # The reader of the source, a loop (the source may turn out to be async), an attendant.
        size = 3 + sum(writers(step) for step in steps if not is_async(step))
        self._pool = ThreadPoolExecutor(size, thread_name_prefix="ftloader")
        self._futures: list[Future[None]] = []
        self._loop = EventLoop(self.state)
        self._loop_started = False
        self._channels: list[Channel] = []
        try:
            self.sink = self._build(pipeline.source, steps, buffers)
        except BaseException:  # Ctrl-C, or no more threads to be had
            self.drop()
            raise

    def _build(self, source: Any, steps: list[Step], buffers: list[int | None]) -> Channel:
        channels = [self._channel(None, buffers[0], steps[:1])]
        async_stages = []
        for number, step in enumerate(steps):
            target = self._channel(step, buffers[number + 1], steps[number + 1 : number + 2])
            if isinstance(step, Pipe) and is_async(step):
                ends = self._ends(step.name, channels[-1], target)
                async_stages.append(AsyncStage(step, ends, buffer_of(step, None)))
            else:
                self._start_workers(step, channels[-1], target)
            channels.append(target)
        if async_stages:
            self._start_loop(*(stage.run for stage in async_stages))
        source_counters = Counters()
        self.counters.insert(0, (SOURCE, [source_counters]))
        self._submit(self._read, source, channels[0], source_counters)
        self._attend()
        return channels[-1]

    def stop(self) -> None:
        """End every worker and wait for them, except from one of them; then let go of all items."""
        self.state.stop()
        self._pool.shutdown(wait=not self.state.is_worker(), cancel_futures=True)
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

    def _channel(self, step: Step | None, buffer: int | None, behind: list[Step]) -> Channel:
        in_parallel = isinstance(step, Pipe) and not is_async(step) and step.concurrency > 1
        channel = Channel(
            self.state,
            buffer_of(step, buffer),
            ordered=in_parallel and isinstance(step, Pipe) and step.output_order == "input",
            writers=writers(step),
            readers=writers(behind[0]) if behind else 1,
            elastic=buffer is None,
        )
        self._channels.append(channel)
        return channel

    def _ends(self, name: str, source: Channel, target: Channel) -> Ends:
        counters = Counters()
        self._counters_of(name).append(counters)
        return Ends(name, self.state, source, target, counters)

    def _counters_of(self, name: str) -> list[Counters]:
        if not self.counters or self.counters[-1][0] != name:
            self.counters.append((name, []))
        return self.counters[-1][1]

    def _start_workers(self, step: Step, source: Channel, target: Channel) -> None:
        for _ in range(writers(step)):
            ends = self._ends(step.name, source, target)
            if not isinstance(step, Pipe):
                self._submit(regroup, Regrouper(step), ends)
            elif step.kind == "generator":
                self._submit(apply_generator, step, ends)
            else:
                self._submit(apply_function, step, ends)

    def _start_loop(self, *tasks: Any) -> None:
        self._loop_started = True
        self._submit(self._loop.run, *tasks)

    def _read(self, source: Any, target: Channel, counters: Counters) -> None:
        try:
            items = open_source(source)
        except BaseException as error:
            counters.failures += 1
            target.put(0, (source_failure(error, 0),))
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
        self._loop.add(lambda: read_async_source(items, self.state, target, counters))

    def _attend(self) -> None:
        # After all others: an executor gives new work to an idle thread.
        self.state.attendants.append(self._pool.submit(threading.current_thread).result())

    def _submit(self, worker: Any, *args: Any) -> None:
        self._futures.append(self._pool.submit(guarded, self.state, worker, *args))


def split(pipeline: Pipeline[Any]) -> tuple[list[Step], list[int | None]]:
    """Return the stages that work, and the prefetch behind the source and behind each of them."""
    steps: list[Step] = []
    buffers: list[int | None] = [None]
    for stage in pipeline.stages:
        if isinstance(stage, Prefetch):
            buffers[-1] = stage.size
        else:
            steps.append(stage)
            buffers.append(None)
    return steps, buffers


def is_async(step: Step) -> bool:
    """Tell whether a stage runs on the event loop."""
    return isinstance(step, Pipe) and step.is_async


def writers(step: Step | None) -> int:
    """Return how many workers of a stage read and write; the source and the loop count as one."""
    return step.concurrency if isinstance(step, Pipe) and not is_async(step) else 1


def buffer_of(step: Step | None, prefetch: int | None) -> int:
    """Return how many results may wait behind a stage: what was asked for, or one per worker."""
    if prefetch is not None:
        return prefetch
    return max(2, step.concurrency if isinstance(step, Pipe) else 1)
