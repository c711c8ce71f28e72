"""What each stage costs: a few items of the source, and every operation called on them in turn.

The source is opened once more and read for a moment; every trial then runs on what was read, so a
slow source costs its time once and its side effects happen once more, not once per trial. Stages
run one after the other, each alone and on one item at a time, on the native engine: retries,
time-outs and skipped errors are what they are in a run.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from ..errors import PipelineError, RunError
from ..pipeline import Pipeline
from ..source import OneShot
from ..stages import Aggregate, Pipe, Prefetch, Stage
from .items import fresh, size_of
from .model import Cost
from .timer import Timer

MAX_ITEMS: Final = 256
#: Items or results of one stage that are kept at most, in bytes.
MAX_BYTES: Final = 256 << 20
#: Seconds that reading the sampled items must take for the source to count as slow.
SLOW_SOURCE: Final = 0.1
#: Calls of an operation that are made however long they take.
MIN_CALLS: Final = 2

_clock = time.perf_counter


@dataclass(frozen=True, slots=True)
class Sample:
    """What sampling has found.

    Attributes:
        items: what the source gave, in order.
        complete: whether that is all it has.
        source_rate: items per second that the source gave; infinite where it cannot be told.
        steps: cost of every stage but prefetches, in order.
        inputs: what each of these steps was given.
        outputs: results of the pipeline per item of the source.
        nbytes: mean bytes of an item of the source.
    """

    items: list[Any]
    complete: bool
    source_rate: float
    steps: tuple[Cost, ...]
    inputs: tuple[list[Any], ...]
    outputs: float
    nbytes: float


def sample(pipeline: Pipeline[Any], tuned: set[str], seconds: float) -> Sample:
    """Read the source and call every operation on some of what it gives.

    Args:
        pipeline: what to sample.
        tuned: names of the stages whose concurrency is to be found.
        seconds: time it may take; it is looked at between items.

    Raises:
        PipelineError: the source is an iterator or empty, or nothing comes out of a stage.
        SourceError: the source raised.
        StageError: an operation raised, and its stage does not skip errors.
    """
    items, rate, complete = read_source(pipeline.source, 0.3 * seconds)
    stages = [stage for stage in pipeline.stages if not isinstance(stage, Prefetch)]
    steps: list[Cost] = []
    inputs: list[list[Any]] = []
    current, share = items, 1.0  # inputs of the next stage per item of the source
    for number, stage in enumerate(stages):
        allowed = 0.7 * seconds / len(stages)
        outputs, cost = sample_stage(stage, current, allowed, stage.name in tuned)
        taken = max(1, round(cost.calls))
        steps.append(dataclasses.replace(cost, calls=share, buffer=_prefetch(pipeline, number + 1)))
        inputs.append(current[:taken])
        if not outputs:
            raise PipelineError(
                f"stage {stage.name!r}: nothing came out of the {taken} items it was tried on, "
                "so its concurrency cannot be tuned; give numbers"
            )
        share *= len(outputs) / taken
        current = outputs
    nbytes = sum(map(size_of, items)) / len(items)
    return Sample(items, complete, rate, tuple(steps), tuple(inputs), share, nbytes)


def read_source(source: Any, seconds: float) -> tuple[list[Any], float, bool]:
    """Return the source's first items, the items per second it gave, and whether these are all.

    Raises:
        PipelineError: the source is an iterator, is empty, or its items are iterators.
        SourceError: the source raised.
    """
    if isinstance(source, OneShot):
        raise PipelineError(
            f"the source is an iterator ({source.__name__}), which cannot be tried and then run: "
            "pass the callable that makes it, or give every stage a number as its concurrency"
        )
    items: list[Any] = []
    held = 0
    end = _clock() + seconds
    trial = tried(Pipeline(source))
    with trial as read:
        for item in read:
            if isinstance(item, Iterator):
                raise PipelineError(
                    f"the source gives iterators ({type(item).__name__}), which can be read once "
                    "only and so cannot be tried; give every stage a number as its concurrency"
                )
            items.append(item)
            held += size_of(item)
            if len(items) >= MAX_ITEMS or held >= MAX_BYTES or _clock() >= end:
                return items, trial.source_rate(), False
    if not items:
        raise PipelineError(
            "the source is empty, so nothing can be tried; give every stage a number as its "
            "concurrency"
        )
    return items, trial.source_rate(), True


def sample_stage(
    stage: Stage, items: list[Any], seconds: float, tuned: bool
) -> tuple[list[Any], Cost]:
    """Call one stage on items in turn; return its results and its cost, ``calls`` made in all."""
    timer = Timer()
    end = _clock() + seconds
    given = 0

    def feed() -> Iterator[Any]:
        nonlocal given
        for item in items:
            if given >= MIN_CALLS and _clock() > end and not isinstance(stage, Aggregate):
                return
            yield fresh(item)
            given += 1

    outputs: list[Any] = []
    held = 0
    # With room for one item the source cannot run ahead of the time that it looks at.
    with tried(built(feed, (Prefetch("one", 1), alone(stage, timer)))) as results:
        for output in results:
            outputs.append(output)
            held += size_of(output)
            if held >= MAX_BYTES and len(outputs) >= MIN_CALLS:
                break
    if not isinstance(stage, Pipe):
        nbytes = held / max(1, len(outputs))
        return outputs, Cost(stage.name, "regroup", given, 0.0, 0.0, nbytes, 1)
    wall, cpu = timer.means()
    number = None if tuned else stage.workers
    calls = max(1, min(given, len(timer.calls)))
    nbytes = held / max(1, len(outputs))
    return outputs, Cost(stage.name, stage.kind, calls, wall, min(cpu, wall), nbytes, number)


class tried:
    """Run a pipeline, and say on an error that it was only being tried."""

    def __init__(self, pipeline: Pipeline[Any]) -> None:
        self._run = pipeline.run("threads")

    def __enter__(self) -> Iterator[Any]:
        return self._run

    def source_rate(self) -> float:
        """Return the items per second that the source gives; infinite where it costs little."""
        source = self._run.stats().stages[0]
        # A short time says little, and a source that takes so little is nobody's limit.
        return source.items_out / source.busy if source.busy >= SLOW_SOURCE else math.inf

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self._run.stop()
        if isinstance(error, RunError):
            error.add_note("raised while ftloader.tune tried the pipeline on its first items")


def alone(stage: Stage, timer: Timer) -> Stage:
    """Return a stage as it is sampled: timed, one item at a time, and no group withheld."""
    if isinstance(stage, Pipe):
        return dataclasses.replace(tolerant(stage), op=timer.wrap(stage), concurrency=1)
    if isinstance(stage, Aggregate) and stage.drop_last:
        return dataclasses.replace(stage, drop_last=False)
    return stage


def tolerant(stage: Pipe) -> Pipe:
    """Return a stage without its limit of skipped items: a trial sees the same ones repeatedly."""
    if stage.policy.max_failures is None:
        return stage
    return dataclasses.replace(stage, policy=dataclasses.replace(stage.policy, max_failures=None))


def built(source: Any, stages: Iterable[Stage]) -> Pipeline[Any]:
    """Return a pipeline of these stages."""
    return functools.reduce(lambda pipeline, stage: pipeline._with(stage), stages, Pipeline(source))


def _prefetch(pipeline: Pipeline[Any], steps: int) -> int | None:
    """Return the prefetch behind that many steps, if there is one."""
    seen = 0
    for stage in pipeline.stages:
        if isinstance(stage, Prefetch):
            if seen == steps:
                return stage.size
        else:
            seen += 1
    return None
