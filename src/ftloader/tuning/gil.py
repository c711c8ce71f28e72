"""Does an operation hold the GIL: what do two threads get done, against one?

The operation is called on the same items by one thread and by two, in turn, in short windows.
Beside it runs a control that is known to release the GIL; if not even that gains from a second
thread, the machine had no second core to give and nothing is concluded.
"""

from __future__ import annotations

import statistics
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..runtime import gil_enabled
from ..stages import Pipe
from .items import fresh

#: Below this gain from a second thread a stage counts as bound.
BOUND: Final = 1.25
#: The control must gain this much, or the machine is too busy to tell.
CONTROL: Final = 1.5
#: Cores in use by two threads from which on it is not a lock that holds them up.
TWO_CORES: Final = 1.5
WINDOW: Final = 0.06
BLOCKS: Final = 3

_BLOCK = bytes(1 << 16)


@dataclass(frozen=True, slots=True)
class Scaling:
    """What a second thread brought.

    Attributes:
        ratio: throughput of two threads over that of one, median over blocks.
        cores: cores that two threads kept busy.
        control: the same ratio for work that releases the GIL.
    """

    ratio: float
    cores: float
    control: float

    @property
    def gil_bound(self) -> bool | None:
        """Whether the operation is held up by the GIL; ``None``: the machine was too busy."""
        if not gil_enabled():
            return False
        if self.control < CONTROL and self.ratio < CONTROL:
            return None
        return self.ratio < BOUND and self.cores < TWO_CORES


def scaling(stage: Pipe, items: Sequence[Any], cost: float, seconds: float) -> Scaling | None:
    """Measure what a second thread brings to an operation.

    Args:
        stage: a function or generator stage.
        items: what it is called on.
        cost: seconds of one call, which a window is to exceed.
        seconds: time it may take.

    Returns:
        ``None`` if there is not the time, or the operation failed, as it may in two threads.
    """

    def call(item: Any) -> None:
        result = stage.op(fresh(item))
        if stage.kind == "generator":
            for _ in result:
                pass

    window = max(WINDOW, 4 * cost)
    if 2 * BLOCKS * (window + WINDOW) > seconds:
        return None
    ratios, controls, cores = [], [], []
    try:
        for _ in range(BLOCKS):
            one, _ = throughput(call, items, 1, window)
            two, used = throughput(call, items, 2, window)
            ratios.append(two / one)
            cores.append(used)
            single, _ = throughput(zlib.crc32, (_BLOCK,), 1, WINDOW)
            double, _ = throughput(zlib.crc32, (_BLOCK,), 2, WINDOW)
            controls.append(double / single)
    except CallFailed:
        return None
    return Scaling(*map(statistics.median, (ratios, cores, controls)))


class CallFailed(Exception):
    """An operation raised in one of the probe's threads; the exception is chained."""


def throughput(
    call: Callable[[Any], object], items: Sequence[Any], threads: int, seconds: float
) -> tuple[float, float]:
    """Return calls per second of some threads together, and the cores they kept busy.

    Raises:
        CallFailed: an operation raised.
    """
    go, stop = threading.Event(), threading.Event()
    workers = [_Worker(call, items, number, go, stop) for number in range(threads)]
    running = [threading.Thread(target=worker.run, name="ftloader-tune") for worker in workers]
    try:
        for thread in running:
            thread.start()
        go.set()
        stop.wait(seconds)  # until then, or until one fails
    finally:  # also on Ctrl-C
        stop.set()
        go.set()
        for thread in running:
            if thread.ident is not None:
                thread.join()
    for worker in workers:
        if worker.error is not None:
            raise CallFailed from worker.error
    return sum(worker.rate for worker in workers), sum(worker.share for worker in workers)


class _Worker:
    """One thread of the probe; ``rate``, ``share`` and ``error`` are read once it has ended."""

    def __init__(
        self,
        call: Callable[[Any], object],
        items: Sequence[Any],
        number: int,
        go: threading.Event,
        stop: threading.Event,
    ) -> None:
        # Each thread begins elsewhere, so that two do not work on one item at a time.
        place = number * len(items) // 2
        self._items = [*items[place:], *items[:place]]
        self._call, self._go, self._stop = call, go, stop
        self.error: BaseException | None = None
        self.rate = self.share = 0.0

    def run(self) -> None:
        call, items, stopped = self._call, self._items, self._stop.is_set
        self._go.wait()
        begin, cpu = time.perf_counter(), time.thread_time()
        calls = 0
        try:
            while not calls or not stopped():
                call(items[calls % len(items)])
                calls += 1
        except BaseException as error:
            self.error = error
            self._stop.set()
            return
        elapsed = time.perf_counter() - begin
        self.rate, self.share = calls / elapsed, (time.thread_time() - cpu) / elapsed
