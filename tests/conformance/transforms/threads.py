"""Many threads that start at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


def all_at_once[T](function: Callable[[], T], threads: int) -> list[T]:
    """Call a function from several threads at once and return every result.

    Raises:
        Whatever the first call to fail raised.
    """
    barrier = threading.Barrier(threads)

    def start() -> T:
        barrier.wait(60)
        return function()

    with ThreadPoolExecutor(threads) as pool:
        return [future.result() for future in [pool.submit(start) for _ in range(threads)]]
