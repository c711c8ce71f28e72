"""Measuring one workload in this process: verification, warm-up by convergence, timed windows.

A window is a whole number of passes over the inputs, so every window at every thread count does
the same work. The clock is the consumer's: it starts when the last item of one pass arrives and
stops when the last item of a later pass arrives, in one long run whose threads existed before.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from .. import runtime
from ..errors import DigestError
from ..pipeline import EngineName
from . import provenance
from .digest import Sampler, full_digest
from .experiment import Inputs, Workload

# Successive warm-up windows must agree this well.
_SETTLED = 0.05
# A window is refused above these shares of the CPU set's time, plus the tick of /proc/stat.
_STEAL_SHARE, _OTHERS_SHARE, _BUSY_SHARE = 0.05, 0.10, 0.90
_TICK = 0.03


@dataclass(frozen=True)
class Settings:
    """How long to measure.

    Attributes:
        window: shortest window in seconds; raised to 20 switch intervals where those are longer.
        windows: accepted windows wanted.
        most: windows measured at most, where some are refused.
        warmup: most warm-up windows.
        pairs: accepted pairs wanted of each control.
    """

    window: float
    windows: int
    most: int
    warmup: int
    pairs: int


QUICK = Settings(window=0.15, windows=3, most=5, warmup=5, pairs=3)
FULL = Settings(window=0.6, windows=5, most=9, warmup=8, pairs=5)


@dataclass(frozen=True)
class Window:
    """One timed window.

    Attributes:
        seconds: from arrival to arrival, at the consumer.
        items: outputs that arrived.
        cpu_seconds: CPU time of this process, all threads.
        steal: share of the CPU set's time that the hypervisor took.
        others: share of the CPU set's time that other processes used.
        accepted: whether the machine was quiet enough for it to count.
    """

    seconds: float
    items: int
    cpu_seconds: float
    steal: float
    others: float
    accepted: bool


def verify(workload: Workload, inputs: Inputs, threads: int, engine: EngineName) -> dict[str, Any]:
    """Run a workload once over its inputs and digest everything it returns, in order.

    Raises:
        DigestError: the number of outputs is not the number of inputs.
    """
    items = workload.prepare(inputs)
    with workload.build(lambda: items, threads).run(engine) as run:
        digest, count, sample = full_digest(run)
    if count != len(items):
        raise DigestError(
            f"workload {workload.name!r}: {count} outputs for {len(items)} inputs on engine "
            f"{engine!r} with {threads} threads; one output per input is needed to count"
        )
    return {"digest": digest, "sample": sample}


def measure(workload: Workload, inputs: Inputs, threads: int, settings: Settings) -> dict[str, Any]:
    """Measure a workload on the threads engine; see ``results`` for the fields returned.

    Raises:
        DigestError: an output in a timed window differed from the verified pass.
    """
    checks = verify(workload, inputs, threads, "threads")
    items = workload.prepare(inputs)
    base = provenance.resident().get("now")
    traced = provenance.reset_peak()
    endless = workload.build(lambda: itertools.cycle(items), threads)
    shortest = max(settings.window, 20 * sys.getswitchinterval())
    with endless.run("threads") as run:
        passes = _Passes(run, len(items), checks["sample"], workload.name)
        count, warmups, settled = _warm_up(passes, shortest, settings.warmup)
        windows: list[Window] = []
        while len(windows) < settings.most:
            windows.append(passes.window(count))
            if sum(window.accepted for window in windows) == settings.windows:
                break
    good = [window for window in windows if window.accepted]
    # Half of the windows wanted is the least that a median may rest on.
    enough = 2 * len(good) >= settings.windows
    return {
        **checks,
        "throughput": median(w.items / w.seconds for w in good) if enough else None,
        "cpu_seconds_per_item": median(w.cpu_seconds / w.items for w in good) if enough else None,
        "windows": [_rounded(window) for window in windows],
        "warmup_windows": warmups,
        "settled": settled,
        "refused": len(windows) - len(good),
        "peak_bytes": provenance.resident().get("peak") if traced else None,
        "base_bytes": base if traced else None,
    }


class _Passes:
    """Reads an endless run one pass at a time and checks each pass's sample."""

    def __init__(self, run: Iterator[Any], items: int, expected: int, name: str) -> None:
        self._run, self._items, self._expected, self._name = run, items, expected, name
        self._sampler = Sampler()

    def window(self, passes: int) -> Window:
        """Time a number of passes."""
        before, cpu, begin = provenance.cpu_times(), time.process_time(), time.perf_counter()
        for _ in range(passes):
            self._one_pass()
        seconds = time.perf_counter() - begin
        used = time.process_time() - cpu
        steal, others, accepted = disturbance(before, provenance.cpu_times(), seconds, used)
        return Window(seconds, passes * self._items, used, steal, others, accepted)

    def _one_pass(self) -> None:
        add = self._sampler.add
        for value in itertools.islice(self._run, self._items):
            add(value)
        if self._sampler.take() != self._expected:
            raise DigestError(
                f"workload {self._name!r}: outputs of a timed pass differ from the verified pass; "
                "an operation is not deterministic or not safe in threads"
            )


def _warm_up(passes: _Passes, shortest: float, most: int) -> tuple[int, int, bool]:
    """Run windows until two agree; return passes per window, windows run, whether it settled."""
    count, previous = 1, None
    for number in range(1, most + 1):
        window = passes.window(count)
        rate = window.items / window.seconds
        if window.seconds < shortest:
            count = max(count + 1, round(count * 1.1 * shortest / window.seconds))
        elif previous is not None and abs(rate / previous - 1) <= _SETTLED:
            return count, number, True
        previous = rate
    return count, most, False


def disturbance(
    before: dict[str, float], after: dict[str, float], seconds: float, used: float
) -> tuple[float, float, bool]:
    """Say whether a window counts, from the CPU set's times around it.

    Args:
        before: ``provenance.cpu_times()`` when it began.
        after: the same when it ended.
        seconds: how long it took.
        used: CPU seconds of this process, all threads, during it.

    Returns:
        The shares of the CPU set's time that the hypervisor and other processes took, and whether
        the machine was quiet enough.
    """
    if not before or not after:  # not Linux: cannot know, so nothing is refused
        return 0.0, 0.0, True
    capacity = seconds * runtime.usable_cores()
    steal = after["steal"] - before["steal"]
    busy = after["busy"] - before["busy"]
    others = max(0.0, busy - used)
    stolen = steal > _STEAL_SHARE * capacity + _TICK / 3
    crowded = others > _OTHERS_SHARE * capacity + _TICK and busy > _BUSY_SHARE * capacity
    return steal / capacity, others / capacity, not (stolen or crowded)


def _rounded(window: Window) -> dict[str, Any]:
    return {
        name: round(value, 6) if isinstance(value, float) else value
        for name, value in asdict(window).items()
    }
