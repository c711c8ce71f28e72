"""How long each call of an operation takes, and for how much of that it computes."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

from ..stages import Pipe

_clock = time.perf_counter
_cpu = time.thread_time


class Timer:
    """Wall and CPU time of each call of one operation, which runs on one thread at a time.

    Time in which the thread could have run and others had the core is taken off, so that a busy
    machine does not make an operation that computes look like one that waits.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[float, float]] = []

    def means(self) -> tuple[float, float]:
        """Return the mean wall and CPU time of a call, in seconds."""
        # The first call imports, opens and allocates what the others find ready.
        calls = self.calls[1:] if len(self.calls) > 2 else self.calls
        if not calls:
            return 0.0, 0.0
        wall, cpu = (math.fsum(column) / len(calls) for column in zip(*calls, strict=True))
        return max(wall, cpu), cpu

    def wrap(self, stage: Pipe) -> Callable[[Any], Any]:
        """Return the stage's operation, timed; it is called in the same way."""
        op = stage.op
        if stage.kind == "generator":
            return functools.partial(self._generator, op)
        if stage.kind == "coroutine":
            return functools.partial(self._coroutine, op)
        if stage.kind == "async generator":
            return functools.partial(self._async_generator, op)
        return functools.partial(self._function, op)

    def _function(self, op: Callable[[Any], Any], item: Any) -> Any:
        watch = Watch()
        try:
            return op(item)
        finally:
            watch.stop()
            self.calls.append((watch.wall, watch.cpu))

    async def _coroutine(self, op: Callable[[Any], Any], item: Any) -> Any:
        watch = Watch()
        try:
            return await op(item)
        finally:
            watch.stop()
            self.calls.append((watch.wall, watch.cpu))

    def _generator(self, op: Callable[[Any], Iterable[Any]], item: Any) -> Iterator[Any]:
        watch = Watch()
        for output in op(item):
            watch.stop()
            yield output
            watch.start()
        watch.stop()
        self.calls.append((watch.wall, watch.cpu))

    async def _async_generator(
        self, op: Callable[[Any], AsyncIterator[Any]], item: Any
    ) -> AsyncIterator[Any]:
        watch = Watch()
        async for output in op(item):
            watch.stop()
            yield output
            watch.start()
        watch.stop()
        self.calls.append((watch.wall, watch.cpu))


class Watch:
    """A stopwatch for the calling thread; it runs when made."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0
        self.start()

    def start(self) -> None:
        """Go on."""
        self._delay = preempted()
        self._begin, self._cpu = _clock(), _cpu()

    def stop(self) -> None:
        """Add what has passed."""
        wall, cpu = _clock() - self._begin, _cpu() - self._cpu
        self.wall += max(cpu, wall - (preempted() - self._delay))
        self.cpu += cpu


def preempted() -> float:
    """Return the seconds that this thread was ready to run and did not; 0 where nobody counts."""
    try:
        with open("/proc/thread-self/schedstat", "rb") as file:
            return int(file.read().split()[1]) * 1e-9
    except (OSError, IndexError, ValueError):
        return 0.0
