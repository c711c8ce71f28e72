"""(b) Every item crosses alone: the next one exists only once the reader has had the last one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from queue import SimpleQueue
from typing import Any

from ftloader import Pipeline, lab
from ftloader.lab.costs import Cell, Contender, Measured

from . import bare
from .window import require

_WARM = 64


def closed_loop(open_items: Callable[[Callable[[], Iterator[int]]], Iterable[Any]]) -> Any:
    """Make a measurement of something that turns a source into an iterable of results."""

    def measure(inputs: lab.Inputs, amount: int) -> Measured:
        turn = threading.Lock()  # a semaphore of one, the cheapest there is
        total = _WARM + amount

        def source() -> Iterator[int]:
            for number in range(total):
                turn.acquire()
                yield number

        got = []
        begin = 0.0
        for item in open_items(source):
            got.append(item)
            if item == _WARM - 1:
                begin = time.perf_counter()
            if item == total - 1:
                end = time.perf_counter()
            turn.release()
        require(got, range(total))
        return Measured(1e6 * (end - begin) / amount, end - begin)

    return measure


def bare_loop(source: Callable[[], Iterator[int]]) -> Iterator[Any]:
    """A feeding thread, a queue, a worker thread, a queue: nothing else."""
    inputs: SimpleQueue[Any] = SimpleQueue()
    outputs: SimpleQueue[Any] = SimpleQueue()

    def feed() -> None:
        for item in source():
            inputs.put(item)
        inputs.put(None)

    def work() -> None:
        while (item := inputs.get()) is not None:
            outputs.put(bare.same(item))
        outputs.put(None)

    threads = [threading.Thread(target=target) for target in (feed, work)]
    for thread in threads:
        thread.start()
    while (item := outputs.get()) is not None:
        yield item
    for thread in threads:
        thread.join()


CELLS = (
    Cell(
        name="crossing",
        title="Every item crosses alone",
        about="a closed loop of one item: source, one worker, reader, and a lock by which the "
        "reader lets the source go on; the value is one whole turn, in which the bare loop wakes "
        "a thread three times, so a hop is a third of it",
        unit="µs per turn",
        better="lower",
        baseline="bare",
        contenders=(
            Contender(
                "ftloader",
                "ftloader",
                closed_loop(lambda source: Pipeline(source).pipe(bare.same).run("threads")),
            ),
            Contender("bare", "two threads + SimpleQueue", closed_loop(bare_loop)),
        ),
    ),
)
