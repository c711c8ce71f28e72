"""One trial: a loader is made, read, left alone, and ended; what each costs is measured.

The reader does what a training loop does: it takes a batch, lets go of the one before, looks at a
few of its numbers (a sampled digest, some ten microseconds), and asks for the next.
"""

from __future__ import annotations

import gc
import hashlib
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ftloader import lab
from ftloader.errors import DigestError
from ftloader.lab import tree
from ftloader.lab.digest import Sampler, full_digest
from ftloader.lab.trials import Contender, Outcome

from . import work

Settings = Mapping[str, int | float | str]

MIB = 1 << 20
#: Fewer waits than this have no 99th percentile.
LEAST_WAITS = 100
#: How long a loader may take to end; and to fill up while nobody reads, in looks of so long each.
END_SECONDS, LOOKS, LOOK_SECONDS = 5.0, 40, 0.025
#: So many looks in a row without growth, and it is full.
_STILL, _GROWTH = 4, 1.01


@dataclass
class Opened:
    """A loader at work.

    Attributes:
        batches: what it gives; nobody else refers to it.
        end: ends it as its users would.
    """

    batches: Iterator[Any]
    end: Callable[[], None]


Open = Callable[[work.Work], Opened]


@dataclass(frozen=True)
class Plan:
    """How many batches are read for what; all in rounds of one for each worker.

    Workers that make whole batches side by side finish them side by side: a window of whole rounds
    begins and ends at the same moment of their cycle.
    """

    warm: int
    count: int
    left: int

    @classmethod
    def of(cls, settings: Settings) -> Plan:
        """Return the plan of a cell: ``warm`` and ``rounds`` of its settings."""
        workers = int(settings["workers"])
        warm, rounds = int(settings["warm"]), int(settings["rounds"])
        # More than any of them makes ahead, so that it is ended in the middle of its epoch.
        return cls(warm * workers, rounds * workers, 3 * work.AHEAD * workers + 4)

    @property
    def total(self) -> int:
        """Batches in the epoch."""
        return self.warm + self.count + self.left


@dataclass
class Reading:
    """What the reader saw.

    Attributes:
        waits: seconds of each ``next()``.
        seconds: from the arrival of one batch to the end of what is done with a later one.
        cpu: seconds of the whole process tree meanwhile.
        digest: of what was read.
    """

    waits: list[float] = field(default_factory=list)
    seconds: float = 0.0
    cpu: float = 0.0
    digest: int = 0


def contender(
    name: str, title: str, opening: Open, needs: tuple[str, ...] = (), ours: bool = False
) -> Contender:
    """Return a contender that opens a loader like this."""

    def run(inputs: lab.Inputs, settings: Settings) -> Outcome:
        return measure(opening, inputs, settings)

    return Contender(name, title, run, needs, ours=ours)


def closing(batches: Iterator[Any]) -> Callable[[], None]:
    """Return what ends a generator, as dropping it would."""
    end: Callable[[], None] = batches.close  # type: ignore[attr-defined]
    return end


def measure(opening: Open, inputs: lab.Inputs, settings: Settings) -> Outcome:
    """Measure a loader on the job of a cell.

    Raises:
        DigestError: it gave too few batches.
        MeasurementError: the process tree cannot be read.
    """
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    plan, step = Plan.of(settings), float(settings["step_ms"]) / 1e3
    job = work.make(inputs, settings, plan.total)
    gc.collect()
    alone, before = _memory(), _alive()

    begin = time.perf_counter()
    opened = opening(job)
    batch = _next(opened.batches)
    values = {"first_batch": 1e3 * (time.perf_counter() - begin)}
    full = [_digest(batch)]
    for _ in range(plan.warm - 2):
        batch = _next(opened.batches)
        arrived = time.perf_counter()
        full.append(_digest(batch))
        _rest(step, arrived)
    del batch
    read = _read(opened.batches, plan.count, step)
    values |= _speed(read, plan.count * job.size, step)
    if alone is not None and (held := _filled()) is not None:
        values["memory"] = (held - alone) / MIB
    took, left = _ended(opened, before)
    if not left:
        values["end"] = 1e3 * took
    text = " ".join([*full, f"{read.digest:08x}"])
    return Outcome(
        values,
        hashlib.blake2b(text.encode(), digest_size=8).hexdigest(),
        {"wait_p50": [1e3 * wait for wait in read.waits]},
        (left,) if left else (),
    )


def _next(batches: Iterator[Any]) -> Any:
    try:
        return next(batches)
    except StopIteration:
        raise DigestError("the loader ended before its epoch did; the run is refused") from None


def _digest(batch: Any) -> str:
    return full_digest(work.numbers(batch))[0]


def _rest(step: float, arrived: float) -> None:
    """Wait for what is left of a training step; a GPU's leaves the interpreter alone as well."""
    if step:
        time.sleep(max(0.0, arrived + step - time.perf_counter()))


def _read(batches: Iterator[Any], count: int, step: float) -> Reading:
    """Read so many batches after one that only starts the clock."""
    sampler, read, clock = Sampler(), Reading(), time.perf_counter
    batch = _next(batches)
    begin = arrived = clock()
    cpu = tree.cpu_seconds()
    for _ in range(count):
        sampler.add(work.numbers(batch))
        _rest(step, arrived)
        asked = clock()
        batch = _next(batches)
        arrived = clock()
        read.waits.append(arrived - asked)
    read.seconds, read.cpu = arrived - begin, tree.cpu_seconds() - cpu
    sampler.add(work.numbers(batch))
    read.digest = sampler.take()
    return read


def _speed(read: Reading, images: int, step: float) -> dict[str, float]:
    values = {
        "images_per_s": images / read.seconds,
        "cpu": 1e3 * read.cpu / images,
        "wait_p50": 1e3 * float(np.percentile(read.waits, 50)),
    }
    if len(read.waits) >= LEAST_WAITS:
        values["wait_p99"] = 1e3 * float(np.percentile(read.waits, 99))
    if step:
        values["stall"] = sum(read.waits) / read.seconds
    return values


def _memory() -> int | None:
    """Return the memory of the process tree: its PSS, and what waits in shared memory."""
    mapped, waiting = tree.pss(), tree.unmapped()
    return None if mapped is None or waiting is None else mapped + waiting


def _filled() -> int | None:
    """Return the most memory seen while the reader holds one batch and the loader fills up."""
    most, still = 0, 0
    for _ in range(LOOKS):
        now = _memory()
        if now is None:
            return None
        still = still + 1 if now <= most * _GROWTH else 0
        most = max(most, now)
        if still == _STILL:
            break
        time.sleep(LOOK_SECONDS)
    return most


def _alive() -> tuple[set[threading.Thread], set[int]]:
    return set(threading.enumerate()), set(tree.pids())


def _ended(opened: Opened, before: tuple[set[threading.Thread], set[int]]) -> tuple[float, str]:
    """End a loader; return how long its last thread or process lived, and what still does."""
    begin = time.perf_counter()
    opened.batches = iter(())
    opened.end()
    while True:
        threads, processes = (now - then for now, then in zip(_alive(), before, strict=True))
        took = time.perf_counter() - begin
        if not threads and not processes:
            return took, ""
        if took > END_SECONDS:
            left = f"{len(threads)} thread(s) and {len(processes)} process(es) of the loader"
            return took, f"{left} lived on {END_SECONDS:g} s after it was ended."
        time.sleep(0.001)
