"""A pool of the standard library, one task for each batch, and a window of tasks in order.

What torch's loader does with its workers, without torch: no more batches are asked for than it
would have made ahead, and the oldest is waited for.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

from .trial import Opened, contender
from .work import Work, forking

# What a worker process works on; it has it from its parent by being forked.
_job: Work | None = None


def threads(job: Work) -> Opened:
    """Hand batches over by reference."""
    return _opened(job, ThreadPoolExecutor(job.workers), job.batch)


def processes(job: Work) -> Opened:
    """Hand batches over through a pipe, pickled."""
    context = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(job.workers, context, _adopt, (job,))
    with forking():  # at the first task
        return _opened(job, pool, _batch)


def _opened(job: Work, pool: Executor, make: Callable[[range], Any]) -> Opened:
    groups = iter(job.groups())
    window: deque[Future[Any]] = deque()
    for _ in range(job.ahead):
        window.append(pool.submit(make, next(groups)))

    def batches() -> Iterator[Any]:
        while window:
            batch = window.popleft().result()
            for group in groups:
                window.append(pool.submit(make, group))
                break
            yield batch
            del batch

    def end() -> None:
        window.clear()
        pool.shutdown(cancel_futures=True)

    return Opened(batches(), end)


def _adopt(job: Work) -> None:
    global _job
    _job = job


def _batch(places: range) -> Any:
    assert _job is not None
    return _job.batch(places)


CONTENDERS = (
    contender("pool_threads", "ThreadPoolExecutor", threads),
    contender("pool_processes", "ProcessPoolExecutor", processes),
)
