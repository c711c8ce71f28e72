"""(e) Single events: how long until the first batch, and how long a stop takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import batched
from statistics import median
from typing import Any

from ftloader import Pipeline, lab
from ftloader.lab.costs import Cell, Contender, Measured

from . import bare

WORKERS = 2
BATCH = 2
WORK_SECONDS = 0.005
SETTLE_SECONDS = 0.02
_ITEMS = 64


# --- until the first batch ------------------------------------------------------------------------

Reading = Callable[[Callable[[int], int]], Any]


def first_batch(name: str, title: str, opened: Reading) -> Contender:
    """Make a contender of something that opens a run of an operation and reads it as batches."""

    def measure(inputs: lab.Inputs, amount: int) -> Measured:
        begin = time.perf_counter()
        waits = [1000 * _until_first(opened) for _ in range(amount)]
        return Measured(median(waits), time.perf_counter() - begin)

    return Contender(name, title, measure)


def _until_first(opened: Reading) -> float:
    """Return the seconds until the first batch, less the time of the first operation itself."""
    own: dict[int, float] = {}

    def op(item: int) -> int:
        start = time.perf_counter()
        time.sleep(WORK_SECONDS)
        own[item] = time.perf_counter() - start
        return item

    begin = time.perf_counter()
    with opened(op) as batches:
        first = next(iter(batches))
        waited = time.perf_counter() - begin
    if tuple(first) != tuple(range(BATCH)):
        raise RuntimeError(f"the first batch is {first}")
    return waited - own[0]


def ours(op: Callable[[int], int]) -> Any:
    return Pipeline(range(_ITEMS)).pipe(op, concurrency=WORKERS).aggregate(BATCH).run()


@contextmanager
def spdl(op: Callable[[int], int]) -> Iterator[Iterable[Any]]:
    builder = bare.spdl_builder(range(_ITEMS), [op], WORKERS, "input").aggregate(BATCH)
    pipeline = builder.add_sink(3).build(num_threads=WORKERS)
    with pipeline.auto_stop():
        yield pipeline


@contextmanager
def pool(op: Callable[[int], int]) -> Iterator[Iterable[Any]]:
    executor = ThreadPoolExecutor(WORKERS)
    try:
        yield batched(executor.map(op, range(_ITEMS)), BATCH)
    finally:
        executor.shutdown(cancel_futures=True)


# --- until a stop has ended -----------------------------------------------------------------------


def stopping(name: str, title: str, started: Callable[[], Callable[[], Any]]) -> Contender:
    """Make a contender of something that brings a run to rest and returns what stops it."""

    def measure(inputs: lab.Inputs, amount: int) -> Measured:
        begin = time.perf_counter()
        took = []
        for _ in range(amount):
            stop = started()
            time.sleep(SETTLE_SECONDS)  # now everything is full and nobody works
            start = time.perf_counter()
            stop()
            took.append(1000 * (time.perf_counter() - start))
        return Measured(median(took), time.perf_counter() - begin)

    return Contender(name, title, measure)


def our_run() -> Callable[[], Any]:
    run = Pipeline(range(1_000_000)).pipe(bare.same, concurrency=WORKERS).run()
    for _ in range(10):
        next(run)
    return run.stop


def spdl_pipeline() -> Callable[[], Any]:
    builder = bare.spdl_builder(range(1_000_000), [bare.same], WORKERS, "input")
    pipeline = builder.add_sink(3).build(num_threads=WORKERS)
    pipeline.start()
    for _ in range(10):
        pipeline.get_item(timeout=30)
    return pipeline.stop


def idle_pool() -> Callable[[], Any]:
    executor = ThreadPoolExecutor(WORKERS)
    list(executor.map(bare.same, range(10)))
    return executor.shutdown


CELLS = (
    Cell(
        name="first_batch",
        title="Until the first batch",
        about=f"from describing the pipeline to its first batch of {BATCH}, made by {WORKERS} "
        f"workers side by side, less the time of the first operation itself (which sleeps "
        f"{1000 * WORK_SECONDS:g} ms); the median of 3",
        unit="ms",
        better="lower",
        baseline="pool",
        contenders=(
            first_batch("ftloader", "ftloader", ours),
            first_batch("spdl", "SPDL 0.8", spdl),
            first_batch("pool", "ThreadPoolExecutor.map", pool),
        ),
        first=3,
        fixed=True,
    ),
    Cell(
        name="stop",
        title="stop() with nothing in flight",
        about="a run whose reader took ten items and then none, so that every buffer is full and "
        "nobody works; the value is the time that stop() takes, the median of 3",
        unit="ms",
        better="lower",
        baseline="pool",
        contenders=(
            stopping("ftloader", "ftloader", our_run),
            stopping("spdl", "SPDL 0.8", spdl_pipeline),
            stopping("pool", "an idle ThreadPoolExecutor's shutdown", idle_pool),
        ),
        first=3,
        fixed=True,
    ),
)
