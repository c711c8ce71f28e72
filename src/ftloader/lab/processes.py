"""A pool of processes in place of threads: the same inputs, outputs and windows, other workers.

What people use where threads do not scale: ``concurrent.futures.ProcessPoolExecutor``. Every
process loads the experiment and prepares the items by itself, as the workers of a data loader have
the data set; what is sent is positions, and what comes back is the outputs, pickled. Processes are
started by a fork server, which no thread of ours has touched. Results are read in the order of the
inputs, :data:`AHEAD` tasks in flight for each process; a task is as many items as take
:data:`TASK_SECONDS` of work, one at least, so that handing over is not what is measured.

Every task says in which GIL mode it ran; one that is not the arm's ends the run.
"""

from __future__ import annotations

import itertools
import math
import multiprocessing
import multiprocessing.connection
import os
import pickle
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

from .. import runtime
from ..errors import DigestError, MeasurementError
from . import experiment, tree
from .arms import Arm, assert_arm
from .digest import full_digest
from .measure import Passes, Settings, observe
from .pools import windowed

#: Tasks in flight for each process, as many as torch's DataLoader fetches ahead.
AHEAD = 2
#: A task holds this much work, seconds, unless one item is more.
TASK_SECONDS = 0.002
_MOST_PER_TASK = 16
_WHERE = "in a process of the pool"


@dataclass(frozen=True)
class Asked:
    """What the processes of a pool do.

    Attributes:
        experiment: where the experiment is described.
        inputs: path of the pickled inputs.
        workload: name of the workload; it has a ``call``.
        arm: what every process must be.
    """

    experiment: str
    inputs: str
    workload: str
    arm: Arm


# In a process of a pool: the operation and its items, or why it has none.
_ready: tuple[Callable[[Any], Any], Sequence[Any]] | BaseException


def _start(asked: Asked) -> None:
    """Make a new process of a pool ready; what goes wrong is told by its first task."""
    global _ready
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        assert_arm(asked.arm, _WHERE)
        workload = experiment.load(asked.experiment).only([asked.workload]).workloads[0]
        with open(asked.inputs, "rb") as file:
            inputs: experiment.Inputs = pickle.load(file)
        if workload.call is None:
            raise MeasurementError(f"workload {asked.workload!r} has nothing for processes to call")
        _ready = workload.call, workload.prepare(inputs)
    except BaseException as error:
        _ready = error


def _end_with_parent() -> None:
    """End this process when the one that reads its results has died: nobody else would."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _make(task: tuple[int, int]) -> tuple[list[Any], float, bool]:
    """In a process of a pool: make the results of ``count`` items from ``first`` on.

    Returns:
        The results, CPU seconds that they took, and whether the GIL was on.
    """
    if isinstance(_ready, BaseException):
        raise _ready
    call, items = _ready
    first, count = task
    begin = time.thread_time()
    made = [call(items[place % len(items)]) for place in range(first, first + count)]
    return made, time.thread_time() - begin, runtime.gil_enabled()


def _count() -> int:
    """In a process of a pool: return how many items there are."""
    if isinstance(_ready, BaseException):
        raise _ready
    return len(_ready[1])


def measure(asked: Asked, workers: int, settings: Settings) -> dict[str, Any]:
    """Measure a workload on a pool of processes; see ``results`` for the fields returned.

    Args:
        asked: what the processes do.
        workers: number of processes.
        settings: how long to measure.

    Raises:
        ArmError: a process is not the arm asked for.
        DigestError: an output in a timed window differed from the verified pass.
        MeasurementError: a process of the pool died.
    """
    base = tree.pss()
    start = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(workers, start, _start, (asked,)) as pool:
        try:
            return {**_measured(pool, asked, workers, settings), "base_bytes": base}
        except BrokenProcessPool as error:
            raise MeasurementError(
                f"workload {asked.workload!r}: a process of the pool died: {error}"
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _measured(
    pool: ProcessPoolExecutor, asked: Asked, workers: int, settings: Settings
) -> dict[str, Any]:
    items = pool.submit(_count).result()
    verified = _Results(pool, asked.arm, 1, workers, items)
    digest, count, sample = full_digest(verified)
    if count != items:
        raise DigestError(
            f"workload {asked.workload!r}: {count} outputs for {items} inputs in processes"
        )
    chunk = per_task(verified.cpu_seconds / items)
    endless = _Results(pool, asked.arm, chunk, workers)
    passes = Passes(endless, items, sample, asked.workload, tree.cpu_seconds)
    timed = observe(passes, settings)
    return {
        "digest": digest,
        "sample": sample,
        **timed,
        "per_task": chunk,
        # All processes are at work still; memory has no high-water mark for a tree.
        "peak_bytes": tree.pss(),
    }


def per_task(seconds: float) -> int:
    """Return how many items a task has, from the CPU seconds that one takes."""
    if seconds <= 0:
        return _MOST_PER_TASK
    return min(_MOST_PER_TASK, max(1, math.ceil(TASK_SECONDS / seconds)))


class _Results(Iterator[Any]):
    """The results of a pool, in the order of the inputs.

    Args:
        pool: the pool.
        arm: what its processes must be.
        chunk: items of a task.
        workers: number of processes.
        most: how many results there are; without it they never end.
    """

    def __init__(
        self,
        pool: ProcessPoolExecutor,
        arm: Arm,
        chunk: int,
        workers: int,
        most: int | None = None,
    ) -> None:
        starts = itertools.count(0, chunk) if most is None else range(0, most, chunk)
        tasks = ((first, chunk) for first in starts)
        self.cpu_seconds = 0.0
        self._arm = arm
        self._results = self._each(windowed(pool, tasks, _make, AHEAD * workers))

    def __next__(self) -> Any:
        return next(self._results)

    def _each(self, tasks: Iterator[tuple[list[Any], float, bool]]) -> Iterator[Any]:
        for made, seconds, gil in tasks:
            if gil != self._arm.gil:
                assert_arm(self._arm, _WHERE, {**self._arm.to_json(), "gil": gil})
            self.cpu_seconds += seconds
            yield from made
