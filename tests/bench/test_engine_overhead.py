"""What an engine costs per item: operations that do nothing, beside a bare pool in the same run.

    ./noxw -s tests-3.13t -- tests/bench

Read ratios between rows of one run, never times of two runs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from threading import Thread
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from ftloader import Pipeline

ITEMS = 5_000
WORKERS = 2


def same(x: int) -> int:
    return x


async def asame(x: int) -> int:
    return x


def bare_pool(items: Iterable[int]) -> Iterator[int]:
    """One submit per item with a bounded window, results in input order."""
    window: deque[Future[int]] = deque()
    with ThreadPoolExecutor(WORKERS) as pool:
        for item in items:
            window.append(pool.submit(same, item))
            if len(window) > 8:
                yield window.popleft().result()
        yield from (future.result() for future in window)


def bare_queues(items: Iterable[int]) -> Iterator[int]:
    """Threads and ``SimpleQueue``, one item per hop, unbounded and unordered."""
    inputs: SimpleQueue[int | None] = SimpleQueue()
    outputs: SimpleQueue[int] = SimpleQueue()

    def work() -> None:
        while (item := inputs.get()) is not None:
            outputs.put(same(item))

    threads = [Thread(target=work) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    count = 0
    for item in items:
        inputs.put(item)
        count += 1
    for _ in threads:
        inputs.put(None)
    for _ in range(count):
        yield outputs.get()
    for thread in threads:
        thread.join()


def pipeline(op: Any, stages: int = 1, **options: Any) -> Pipeline[Any]:
    described: Pipeline[Any] = Pipeline(range(ITEMS))
    for _ in range(stages):
        described = described.pipe(op, concurrency=WORKERS, **options)
    return described


CASES: dict[str, Callable[[], Iterable[Any]]] = {
    "bare pool, one submit per item": lambda: bare_pool(range(ITEMS)),
    "bare threads and queues": lambda: bare_queues(range(ITEMS)),
    "threads, no stage": lambda: pipeline(same, 0),
    "threads, 1 stage": lambda: pipeline(same),
    "threads, 1 stage, completion order": lambda: pipeline(same, output_order="completion"),
    "threads, 3 stages": lambda: pipeline(same, 3),
    "threads, 1 async stage": lambda: pipeline(asame),
    "threads, aggregate": lambda: pipeline(same).aggregate(32),
    "serial, 1 stage": lambda: pipeline(same).run("serial"),
    "spdl, 1 stage": lambda: pipeline(same).run("spdl"),
}


@pytest.mark.parametrize("case", CASES)
def test_items_that_need_no_work(benchmark: BenchmarkFixture, case: str) -> None:
    def run() -> int:
        return sum(1 for _ in CASES[case]())

    benchmark.group = f"{ITEMS} items that need no work"
    benchmark.extra_info["items"] = ITEMS
    count = benchmark.pedantic(run, rounds=5, warmup_rounds=1)
    assert count == (-(-ITEMS // 32) if "aggregate" in case else ITEMS)
