"""Executors as loaders: what Python has on board, for experiments to compare with.

Each is a generator of results that has ended its threads when it is exhausted or closed. None has
what makes an engine worth having: a stop in the middle, statistics, bounds in bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

Op = Callable[[Any], Any]


def windowed(pool: Executor, items: Iterable[Any], op: Op, window: int) -> Generator[Any]:
    """Submit each item, with at most ``window`` and one more submitted; results in input order."""
    waiting: deque[Future[Any]] = deque()
    for item in items:
        waiting.append(pool.submit(op, item))
        if len(waiting) > window:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def pool_window(items: Iterable[Any], op: Op, workers: int, window: int) -> Generator[Any]:
    """Do the same with a pool of threads of its own."""
    with ThreadPoolExecutor(workers) as pool:
        yield from windowed(pool, items, op, window)


def pool_map(items: Iterable[Any], op: Op, workers: int) -> Generator[Any]:
    """``ThreadPoolExecutor.map``: everything is submitted at once."""
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(op, items)
