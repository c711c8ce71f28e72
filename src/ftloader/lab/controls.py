"""The controls: what the machine can give now, and whether the harness sees contention.

*Ceiling* (N+): arithmetic on locals, nothing shared, on raw threads behind a barrier. With the
GIL off two threads must come near twice the rate of one, else the machine is too busy or too
small to say anything about scaling. With the GIL on it must stay near 1, else the GIL is not on,
or the clock is wrong (a window shorter than a few switch intervals "scales" under any GIL).

*Contention* (N-): all threads read the elements of one list. With the GIL off two threads must
come out *below* the rate of one, because each read changes a shared reference count. A harness
in which this scales is not seeing contention.

*Native* (K), where an experiment asks for it: compression of bytes that each thread has to itself,
in C and outside the GIL, in cache. It must come near twice the rate whether the GIL is on or off.
It tells the GIL from the memory: where this scales and a native workload does not, cores were to
be had and the GIL was not in the way, so what is short is memory, its allocation or the engine.

Both rates of a ratio are taken in turn within one process, so a slow drift of the machine cancels.
"""

from __future__ import annotations

import sys
import threading
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

import numpy as np

from ..errors import ControlError
from .experiment import CEILING, CONTENTION, NATIVE, Control, require_controls

#: Steps in a unit of a control's work.
STEPS = 20_000
# A sample counts only if the threads really ran, and ran together.
_CPU_SHARE = 0.93
_OVERLAP = 0.85
_FREE_WINDOW = 0.04
# Where a control is judged: at two threads, which every machine that can say anything has.
JUDGED_AT = 2

#: What a sample must show to count: that its threads ran and overlapped; that they overlapped, for
#: work that waits for a lock; nothing, for more threads than cores.
Gate = Literal["ran", "overlapped", "nothing"]


def _arithmetic(shared: Any, steps: int) -> None:
    # No float literals in the loop: on 3.13t the constants of code compiled before the first
    # thread started are shared, counted objects, and two threads reading them ran at 0.3.
    x = float(steps)
    factor, offset = x / (x + 1), x / 3
    for _ in range(steps):
        x = x * factor + offset


def _read_list(shared: list[object], steps: int) -> None:
    for _ in range(steps):
        shared[0]


# Neither constant nor random: about 3 ms of compression, which fits a core's own cache.
_TEXT = np.random.default_rng(0).integers(0, 64, 1 << 16, dtype=np.uint8).tobytes()


def _compress(shared: Any, steps: int) -> None:
    private = bytearray(_TEXT)
    zlib.compress(private)


def _shared_list() -> list[object]:
    # Not immortal, and owned by the main thread as a loader's data would be.
    return [object()]


CEILING_CONTROL = Control(
    CEILING,
    make=lambda: None,
    work=_arithmetic,
    about="pure arithmetic on locals, nothing shared: what the machine can give at this moment",
)
CONTENTION_CONTROL = Control(
    CONTENTION,
    make=_shared_list,
    work=_read_list,
    about="all threads read one shared list: with the GIL off it must get slower, not faster",
)
NATIVE_CONTROL = Control(
    NATIVE,
    make=lambda: None,
    work=_compress,
    about="each thread compresses bytes of its own, in C and outside the GIL: it must scale with "
    "the GIL on and off alike",
)


@dataclass(frozen=True)
class Bounds:
    """Where the median ratio of a control must lie at two threads.

    Attributes:
        low: smallest ratio allowed.
        high: largest ratio allowed.
        expected: what a quiet machine gives, for the report.
    """

    low: float
    high: float
    expected: str


def bounds(control: str, gil: bool) -> Bounds:
    """Return the bounds of a control at two threads.

    Each lies between the outcome that must be and the one that must not: 1.5 between one core's
    worth and two, 1.0 between contended and not. Nothing may exceed 2 by more than noise.
    """
    if control == NATIVE or (control == CEILING and not gil):
        return Bounds(1.5, 2.3, "about 2.0")
    if gil:
        return Bounds(0.0, 1.5, "about 1.0")
    return Bounds(0.0, 1.0, "well below 1.0")


def measure(
    control: Control,
    threads: int,
    pairs: int,
    gil: bool,
    *,
    gate: Gate = "ran",
    window: float | None = None,
    equal_windows: bool = False,
) -> dict[str, Any]:
    """Measure a control: rate of ``threads`` threads over the rate of one, in pairs.

    Args:
        control: what to measure.
        threads: number of raw threads, at least 2.
        pairs: accepted pairs wanted; up to ten times as many are tried.
        gil: whether the GIL is on; with it off, samples whose threads did not run freely and
            together are refused.
        gate: how strictly they are, with the GIL off; work outside the GIL always.
        window: shortest time of a sample, seconds; by default as long as the GIL asks for.
        equal_windows: whether samples of many threads are as long as those of one, rather than
            each thread's work as much; for work that many threads do much more slowly.

    Returns:
        ``ratio``, ``one`` and ``many`` (units/s; ``None`` where all samples were refused), and
        ``refused``, the number of refused pairs.
    """
    shared = control.make()
    waits = gil and control.name != NATIVE
    # Shorter than 20 switch intervals, work "scales" under the GIL; without one, short windows
    # find a quiet moment more easily.
    if window is None:
        window = 20 * sys.getswitchinterval() if gil else _FREE_WINDOW
    alone = _calibrate(control, shared, window, 1)
    each = _calibrate(control, shared, window, threads) if equal_windows else alone
    units = {1: alone, threads: each}
    ones: list[float] = []
    manys: list[float] = []
    refused = 0
    for attempt in range(10 * pairs):
        counts = (1, threads) if attempt % 2 == 0 else (threads, 1)
        rates = {
            count: _rate(control, shared, units[count], count, "nothing" if waits else gate)
            for count in counts
        }
        one, many = rates[1], rates[threads]
        if one is None or many is None:
            refused += 1
        else:
            ones.append(one)
            manys.append(many)
        if len(ones) == pairs:
            break
    ratios = [many / one for one, many in zip(ones, manys, strict=True)]
    return {
        "ratio": median(ratios) if ratios else None,
        "one": median(ones) if ones else None,
        "many": median(manys) if manys else None,
        "refused": refused,
    }


def _calibrate(control: Control, shared: Any, window: float, threads: int) -> int:
    units = 1
    while True:
        spans = _run(control, shared, units, threads)
        took = max(span[1] for span in spans) - min(span[0] for span in spans)
        if took >= window:
            return units
        units = max(units * 2, int(units * 1.1 * window / max(took, 1e-9)) + 1)


def _rate(control: Control, shared: Any, units: int, threads: int, gate: Gate) -> float | None:
    """Return units per second from common start to last finish, or ``None`` if refused."""
    spans = _run(control, shared, units, threads)
    first, last = min(span[0] for span in spans), max(span[1] for span in spans)
    whole = last - first
    if gate != "nothing":
        together = (min(span[1] for span in spans) - max(span[0] for span in spans)) / whole
        free = min(cpu / (end - begin) for begin, end, cpu in spans)
        if together < _OVERLAP or (gate == "ran" and free < _CPU_SHARE):
            return None
    return threads * units / whole


def _run(
    control: Control, shared: Any, units: int, threads: int
) -> list[tuple[float, float, float]]:
    """Run the control on raw threads; return begin, end and CPU seconds of each."""
    barrier = threading.Barrier(threads)
    spans: list[tuple[float, float, float]] = []

    def body() -> None:
        work, clock = control.work, time.perf_counter
        barrier.wait()
        cpu, begin = time.thread_time(), clock()
        for _ in range(units):
            work(shared, STEPS)
        spans.append((begin, clock(), time.thread_time() - cpu))

    # One thread too is a raw thread: reading a list that another thread owns is slower by itself.
    workers = [threading.Thread(target=body, name=f"control-{index}") for index in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return spans


def judge(control: str, gil: bool, ratios: Sequence[float], arm: str) -> float:
    """Check a control's block median at two threads and return it.

    Raises:
        ControlError: nothing was measured, or the median is out of bounds.
    """
    if not ratios:
        raise ControlError(
            f"arm {arm}: the {control} control has no accepted sample at {JUDGED_AT} threads; the "
            "machine was too busy (or has one core), so nothing can be said about scaling"
        )
    middle = median(ratios)
    limits = bounds(control, gil)
    strict_high = control == CONTENTION and not gil
    if middle < limits.low or middle > limits.high or (strict_high and middle >= limits.high):
        raise ControlError(
            f"arm {arm}: the {control} control ran at {middle:.2f} times one thread on "
            f"{JUDGED_AT} threads, expected {limits.expected} (allowed {limits.low:g} to "
            f"{limits.high:g}); no number of this run can be believed"
        )
    return middle


def judge_run(arms: Iterable[tuple[str, bool]], processes: Sequence[Mapping[str, Any]]) -> None:
    """Check the controls of every arm over all blocks of a run; the native one where it is.

    Raises:
        ControlError: a control is missing, was not measured or is out of bounds.
    """
    for arm, gil in arms:
        found = [
            record["controls"]
            for record in processes
            if record["arm"] == arm and record["threads"] == JUDGED_AT
        ]
        present = set[str]().union(*found)
        require_controls(present, f"arm {arm} of this run")
        for name in (CEILING, CONTENTION, *({NATIVE} & present)):
            ratios = [
                one[name]["ratio"]
                for one in found
                if name in one and one[name]["ratio"] is not None
            ]
            judge(name, gil, ratios, arm)
