"""One trial: the whole pipeline with given numbers, for a short window.

A window starts a run on the sampled items, over and over from the first, waits until the pipeline
is full, and then measures how long a number of results takes. Two windows of the same length in
results have done the same work on the same items. The first items enter spread over the time of
the slowest call: if they entered together, calls of equal length would end together for ever, and
how many such bursts fall into a window would be chance.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..pipeline import Pipeline
from ..stages import Pipe, Prefetch, Stage
from .items import fresh
from .model import Setting
from .sample import built, tolerant

#: Length of a window, in seconds, where items come fast enough.
WINDOW: Final = 0.2
#: Pauses below this cannot be kept, and bursts so close together do no harm.
SHORTEST_PAUSE: Final = 1e-4
#: Results in a window, if they come slowly.
RESULTS: Final = 12

_clock = time.perf_counter


@dataclass(frozen=True, slots=True)
class Window:
    """What a trial has measured.

    Attributes:
        rate: results per second.
        results: results counted.
        busy: for each step, the share of its workers' time inside the operation; ``None`` where
            the run cannot tell.
    """

    rate: float
    results: int
    busy: tuple[float | None, ...]


class Trials:
    """Makes trials of one pipeline; used by one thread.

    Args:
        stages: the pipeline's stages, prefetches too.
        items: what the source is to give, over and over.
        seconds: time of one call of each step, prefetches not counted.
        ceiling: results per second that the real source allows; what a trial delivers beyond
            them is not counted.
    """

    def __init__(
        self,
        stages: tuple[Stage, ...],
        items: list[Any],
        seconds: Sequence[float],
        ceiling: float = math.inf,
    ) -> None:
        self._stages = stages
        self._items = items
        self._seconds = seconds
        self._ceiling = ceiling

    def measure(self, setting: Setting, results: int | None, limit: float) -> Window:
        """Measure one setting.

        Args:
            setting: concurrency of each step.
            results: results to count; ``None`` counts for as long as a window lasts.
            limit: seconds after which a window ends in any case, once a result has come.

        Raises:
            RunError: an operation failed.
        """
        stages = with_numbers(self._stages, setting)
        capacity = sum(setting)
        slowest = max(self._seconds, default=0.0)
        begin = _clock()
        spread = functools.partial(self._endless, slowest, setting[self._seconds.index(slowest)])
        with built(spread, stages).run("threads") as run:
            warm = max(results // 4 if results else 0, min(capacity, 4 * (results or capacity)))
            full = begin + 2 * slowest
            _, start = _read(run, warm, full, max(full, begin + 0.5 * limit))
            before = {stage.name: stage.busy for stage in run.stats().stages}
            seconds = limit if results else min(limit, WINDOW)
            count, stop = _read(run, results or sys.maxsize, start, start + seconds)
            stats = {stage.name: stage.busy for stage in run.stats().stages}
            elapsed = _clock() - start
        steps = [stage for stage in stages if not isinstance(stage, Prefetch)]
        busy = tuple(
            (stats[step.name] - before[step.name]) / (n * elapsed) if step.name in stats else None
            for step, n in zip(steps, setting, strict=True)
        )
        return Window(min(count / (stop - start), self._ceiling), count, busy)

    def _endless(self, seconds: float, workers: int) -> Iterator[Any]:
        pause = seconds / workers
        for number, item in enumerate(itertools.cycle(self._items)):
            if number < workers and pause > SHORTEST_PAUSE:
                time.sleep(pause)
            yield fresh(item)


def _read(run: Iterator[Any], results: int, earliest: float, latest: float) -> tuple[int, float]:
    """Read that many results and until ``earliest``, but not beyond ``latest``.

    Returns:
        How many it were, at least one, and when the last of them came.
    """
    count = 0
    while True:
        next(run)
        count += 1
        now = _clock()
        if now >= latest or (count >= results and now >= earliest):
            return count, now


def with_numbers(stages: tuple[Stage, ...], setting: Setting) -> list[Stage]:
    """Return stages with these numbers, as they are tried."""
    numbers = iter(setting)
    numbered: list[Stage] = []
    for stage in stages:
        if isinstance(stage, Prefetch):
            numbered.append(stage)
            continue
        number = next(numbers)
        if isinstance(stage, Pipe):
            stage = dataclasses.replace(tolerant(stage), concurrency=number)
        numbered.append(stage)
    return numbered


def filled_in(pipeline: Pipeline[Any], numbers: Callable[[str], int]) -> Pipeline[Any]:
    """Return a pipeline with a number for every stage that has a concurrency, by its name."""
    stages = [
        dataclasses.replace(stage, concurrency=numbers(stage.name))
        if isinstance(stage, Pipe)
        else stage
        for stage in pipeline.stages
    ]
    return built(pipeline.source, stages)
