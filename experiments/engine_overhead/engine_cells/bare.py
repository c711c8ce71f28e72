"""The baselines: the least that Python's own parts can do the work with, and SPDL.

Each takes items and returns an iterator over the results; it has ended its threads when it is
exhausted, which every window sees to. None has what makes an engine worth having: errors that
reach the reader, a stop in the middle, statistics.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from itertools import islice
from queue import SimpleQueue
from typing import Any

from spdl.pipeline import PipelineBuilder

from ftloader.lab.pools import pool_map as pool_map
from ftloader.lab.pools import pool_window as pool_window

Op = Callable[[Any], Any]
_END = object()


def same(item: Any) -> Any:
    return item


def serial(items: Iterable[Any], ops: Iterable[Op]) -> Iterator[Any]:
    """Call each operation on each item in a loop."""
    calls = tuple(ops)
    for item in items:
        for op in calls:
            item = op(item)
        yield item


def queues(
    items: Iterable[Any], ops: Iterable[Op], workers: int, chunk: int, ordered: bool, bound: int
) -> Iterator[Any]:
    """Worker threads per stage joined by ``SimpleQueue``, ``chunk`` items in each hand-over.

    A semaphore bounds the chunks in flight; the reader puts them in order if asked to.
    """
    room = threading.Semaphore(bound)
    calls = list(ops)
    lanes: list[SimpleQueue[Any]] = [SimpleQueue() for _ in range(len(calls) + 1)]

    def feed() -> None:
        source = iter(items)
        place = 0
        while part := list(islice(source, chunk)):
            room.acquire()
            lanes[0].put((place, part))
            place += 1
        lanes[0].put(None)

    def work(op: Op, inputs: SimpleQueue[Any], outputs: SimpleQueue[Any], left: list[None]) -> None:
        while (found := inputs.get()) is not None:
            place, part = found
            outputs.put((place, [op(item) for item in part]))
        inputs.put(None)  # for the next worker of this stage
        left.pop()
        if not left:
            outputs.put(None)

    threads = [threading.Thread(target=feed)]
    for op, inputs, outputs in zip(calls, lanes, lanes[1:], strict=False):
        left = [None] * workers
        threads += [
            threading.Thread(target=work, args=(op, inputs, outputs, left)) for _ in range(workers)
        ]
    for thread in threads:
        thread.start()
    early: dict[int, list[Any]] = {}
    turn = 0
    while (found := lanes[-1].get()) is not None:
        if not ordered:
            room.release()
            yield from found[1]
            continue
        early[found[0]] = found[1]
        while turn in early:
            room.release()
            yield from early.pop(turn)
            turn += 1
    for thread in threads:
        thread.join()


def torchdata_style(items: Iterable[Any], op: Op, workers: int) -> Iterator[Any]:
    """One item per hand-over, the way of ``torchdata.nodes.ParallelMapper`` with threads.

    Written from its description: a thread reads the source behind a semaphore, workers between
    two ``queue.Queue``, a thread that sorts, and a third queue to the reader.
    """
    room = threading.BoundedSemaphore(2 * workers)
    inputs: queue.Queue[Any] = queue.Queue()
    outputs: queue.Queue[Any] = queue.Queue()
    in_order: queue.Queue[Any] = queue.Queue()

    def feed() -> None:
        for place, item in enumerate(items):
            room.acquire()
            inputs.put((place, item))
        for _ in range(workers):
            inputs.put(_END)

    def work() -> None:
        while (found := inputs.get()) is not _END:
            outputs.put((found[0], op(found[1])))
        outputs.put(_END)

    def sort() -> None:
        early: dict[int, Any] = {}
        turn, ended = 0, 0
        while ended < workers:
            found = outputs.get()
            if found is _END:
                ended += 1
                continue
            early[found[0]] = found[1]
            while turn in early:
                in_order.put(early.pop(turn))
                turn += 1
        in_order.put(_END)

    threads = [threading.Thread(target=target) for target in (feed, *[work] * workers, sort)]
    for thread in threads:
        thread.start()
    while (item := in_order.get()) is not _END:
        room.release()
        yield item
    for thread in threads:
        thread.join()


def stacked(
    make: Callable[[Iterable[Any], Op], Iterator[Any]], items: Iterable[Any], ops: Iterable[Op]
) -> Iterator[Any]:
    """Put one single-stage baseline behind another, once per operation."""
    for op in ops:
        items = make(items, op)
    return iter(items)


def asyncio_limit(
    items: Iterable[Any], op: Callable[[Any], Awaitable[Any]], limit: int, marks: tuple[int, int]
) -> tuple[float, list[Any]]:
    """One task per item behind ``asyncio.Semaphore``, in the calling thread.

    Returns:
        The seconds between the completion of the first and of the second mark, and the results.
    """
    results: list[Any] = []
    stamps: list[float] = []

    async def one(item: Any, room: asyncio.Semaphore) -> None:
        try:
            results.append(await op(item))
            if len(results) in marks:
                stamps.append(time.perf_counter())
        finally:
            room.release()

    async def run() -> None:
        room = asyncio.Semaphore(limit)
        async with asyncio.TaskGroup() as group:
            for item in items:
                await room.acquire()
                group.create_task(one(item, room))

    asyncio.run(run())
    return stamps[1] - stamps[0], results


def spdl_builder(
    items: Iterable[Any], ops: Iterable[Callable[[Any], Any]], concurrency: int, order: str
) -> PipelineBuilder[Any, Any]:
    """SPDL's own builder, without the adapter by which ftloader shields its users from it."""
    builder: PipelineBuilder[Any, Any] = PipelineBuilder().add_source(items)
    for op in ops:
        builder.pipe(op, concurrency=concurrency, output_order=order)
    return builder


def spdl_run(builder: PipelineBuilder[Any, Any], threads: int, buffer: int = 3) -> Iterator[Any]:
    """Run an SPDL pipeline to its end."""
    pipeline = builder.add_sink(buffer).build(num_threads=threads)
    with pipeline.auto_stop():
        yield from pipeline
