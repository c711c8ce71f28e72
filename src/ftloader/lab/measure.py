"""Measuring one workload in this process: verification, warm-up by convergence, timed windows.

A window is a whole number of passes over the inputs, so every window at every thread count does
the same work. The clock is the consumer's: it starts when the last item of one pass arrives and
stops when the last item of a later pass arrives, in one long run whose threads existed before.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Iterator
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
# A window gets at most so many times the passes of the one before it.
_GROWTH = 8
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
        cpu_seconds: CPU time of this process, all threads, and of a pool's processes.
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
    with endless.run("threads") as run:
        passes = Passes(run, len(items), checks["sample"], workload.name, time.process_time)
        timed = observe(passes, settings)
    return {
        **checks,
        **timed,
        "peak_bytes": provenance.resident().get("peak") if traced else None,
        "base_bytes": base if traced else None,
    }


def observe(passes: Passes, settings: Settings) -> dict[str, Any]:
    """Warm up and time windows; return what a result file holds of them.

    Raises:
        DigestError: an output differed from the verified pass.
    """
    shortest = max(settings.window, 20 * sys.getswitchinterval())
    count, warmups, settled = _warm_up(passes, shortest, settings.warmup)
    windows: list[Window] = []
    spare = settings.warmup
    while len(windows) < settings.most:
        window = passes.window(count)
        # Work that began slowly on a busy machine may now be too fast for its windows.
        if window.seconds < 20 * sys.getswitchinterval() and spare:
            count, warmups, spare = _longer(count, window, shortest), warmups + 1, spare - 1
            continue
        windows.append(window)
        if sum(window.accepted for window in windows) == settings.windows:
            break
    good = [window for window in windows if window.accepted]
    # Half of the windows wanted is the least that a median may rest on.
    enough = 2 * len(good) >= settings.windows
    return {
        "throughput": median(w.items / w.seconds for w in good) if enough else None,
        "cpu_seconds_per_item": median(w.cpu_seconds / w.items for w in good) if enough else None,
        "windows": [_rounded(window) for window in windows],
        "warmup_windows": warmups,
        "settled": settled,
        "refused": len(windows) - len(good),
    }


class Passes:
    """Reads an endless run one pass at a time and checks each pass's sample.

    Args:
        run: the outputs, pass after pass, in the order of the inputs.
        items: how many a pass has.
        expected: the sample of a verified pass.
        name: the workload's, for messages.
        cpu: returns the CPU seconds so far of everybody who makes and reads the outputs.
    """

    def __init__(
        self,
        run: Iterator[Any],
        items: int,
        expected: int,
        name: str,
        cpu: Callable[[], float],
    ) -> None:
        self._run, self._items, self._expected, self._name = run, items, expected, name
        self._sampler, self._cpu = Sampler(), cpu
        self._mark: tuple[float, float, dict[str, float]] | None = None

    def window(self, passes: int) -> Window:
        """Time a number of passes."""
        begin, cpu, before = self._mark or self._look()
        for _ in range(passes):
            self._one_pass()
        # Windows join: in a gap between them workers would get ahead for nothing.
        self._mark = end, cpu_end, after = self._look()
        seconds, used = end - begin, cpu_end - cpu
        steal, others, accepted = disturbance(before, after, seconds, used)
        return Window(seconds, passes * self._items, used, steal, others, accepted)

    def _look(self) -> tuple[float, float, dict[str, float]]:
        return time.perf_counter(), self._cpu(), provenance.cpu_times()

    def _one_pass(self) -> None:
        add = self._sampler.add
        for value in itertools.islice(self._run, self._items):
            add(value)
        if self._sampler.take() != self._expected:
            raise DigestError(
                f"workload {self._name!r}: outputs of a timed pass differ from the verified pass; "
                "an operation is not deterministic or not safe in threads"
            )


def _warm_up(passes: Passes, shortest: float, most: int) -> tuple[int, int, bool]:
    """Run windows until two agree; return passes per window, windows run, whether it settled."""
    count, previous = 1, None
    for number in range(1, most + 1):
        window = passes.window(count)
        rate = window.items / window.seconds
        if window.seconds < shortest:
            count = _longer(count, window, shortest)
        elif previous is not None and abs(rate / previous - 1) <= _SETTLED:
            return count, number, True
        previous = rate
    return count, most, False


def _longer(count: int, window: Window, shortest: float) -> int:
    """Return how many passes the next window gets, to be long enough."""
    # Capped: a first window may read what lay ready in buffers, and seem to take no time at all.
    return min(max(count + 1, round(count * 1.1 * shortest / window.seconds)), _GROWTH * count)


def disturbance(
    before: dict[str, float], after: dict[str, float], seconds: float, used: float
) -> tuple[float, float, bool]:
    """Say whether a window counts, from the CPU set's times around it.

    Args:
        before: ``provenance.cpu_times()`` when it began.
        after: the same when it ended.
        seconds: how long it took.
        used: CPU seconds of what is measured during it.

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
