"""Counters: who waited for whom, and how long an operation takes.

Each worker counts for itself, once per hand-over, and nobody else writes there; a reader adds the
workers up. So counting costs no lock and is always on. A worker's time is split without a gap into
busy, starved and blocked, so the three shares of a stage add up to all the time its workers had.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from .failure import Failure

#: Buckets of a histogram: eight for each doubling (9 % wide), from 2**-24 s (60 ns) on.
STEPS: Final = 8
LOWEST: Final = -24
BUCKETS: Final = 40 * STEPS

_frexp = math.frexp

Span = tuple[float, float, int]  # begin, end, items


class Counters:
    """What one worker has done; written by that worker alone."""

    __slots__ = (
        "blocked",
        "blocking_calls",
        "blocking_longest",
        "busy",
        "durations",
        "failures",
        "items_in",
        "items_out",
        "retries",
        "running",
        "skipped",
        "spans",
        "starved",
        "thread",
        "uncounted",
        "working_on",
    )

    def __init__(self, *, trace: bool = False) -> None:
        self.items_in = 0
        self.items_out = 0
        self.failures = 0
        self.skipped = 0
        self.retries = 0
        self.busy = 0.0
        self.starved = 0.0
        self.blocked = 0.0
        #: Items by how long their operation took; see :func:`bucket`.
        self.durations = [0] * BUCKETS
        #: Steps of asynchronous operations that held up the event loop, and the longest in seconds.
        self.blocking_calls = 0
        self.blocking_longest = 0.0
        #: When the operation in progress began and on which item, or ``None`` between operations.
        self.working_on: tuple[float, int] | None = None
        #: Items done since and not counted yet: a source counts cheap ones together.
        self.uncounted = 0
        #: The same for every operation in progress on the event loop: item and begin.
        self.running: dict[int, float] = {}
        #: The thread that does the work.
        self.thread: int | None = None
        #: What was worked on when, if the run is traced.
        self.spans: list[Span] | None = [] if trace else None

    def here(self) -> None:
        """Say that the calling thread is the one that does the work."""
        self.thread = threading.get_ident()

    def in_progress(self) -> list[tuple[float, int, int | None]]:
        """Return the operations in progress: begin, item, and the thread they keep busy, if any.

        May be called from another thread; what it returns may just have ended.
        """
        working_on = self.working_on
        on_thread = []
        if working_on is not None:
            begin, item = working_on
            on_thread = [(begin, item + self.uncounted, self.thread)]
        return on_thread + [(begin, item, None) for item, begin in self.running.copy().items()]

    def timed(self, begin: float, end: float, items: int) -> None:
        """Count work on some items; each is taken to have cost the same."""
        seconds = end - begin
        self.busy += seconds
        if items:
            self.durations[bucket(seconds / items)] += items
        if self.spans is not None:
            self.spans.append((begin, end, items))

    def count(self, stage: str, output: Any) -> bool:
        """Count an output of a stage without a policy; tell whether it is an item, no failure."""
        if type(output) is not Failure:
            self.items_out += 1
            return True
        if output.came_from(stage):  # one passing through was counted where it arose
            self.failures += 1
        return False


@dataclass(frozen=True, slots=True)
class StageStats:
    """The counters of one stage, added up over its workers; times in seconds.

    ``busy``, ``starved`` and ``blocked`` are summed over workers, so a stage with four of them
    gathers up to four seconds each second. A worker's share is counted when it hands over, so a
    run in progress is seen as of each worker's last hand-over.
    """

    name: str
    #: ``"source"``, the kind of the operation, ``"aggregate"`` or ``"disaggregate"``.
    kind: str
    #: How many operations may run at once.
    concurrency: int
    #: Items taken from the stage before.
    items_in: int
    #: Items handed to the stage behind.
    items_out: int
    #: Items the operation raised on, for good.
    failures: int
    #: Those of them that were skipped.
    skipped: int
    #: Calls repeated after an error.
    retries: int
    #: Time inside the operation.
    busy: float
    #: Time waiting for input.
    starved: float
    #: Time waiting for room in the output.
    blocked: float
    #: Median and 99th percentile of one operation's time, within 9 %; 0 before the first.
    p50: float
    p99: float
    #: Leased bytes now, and at most; 0 without a memory budget.
    bytes_held: int
    bytes_peak: int
    #: Steps of asynchronous operations that held up the event loop, and the longest of them.
    blocking_calls: int
    blocking_longest: float


@dataclass(frozen=True, slots=True)
class RunStats:
    """The counters of a run: its source and stages in order; times in seconds."""

    stages: tuple[StageStats, ...]
    #: Time the reader has spent waiting for the next item.
    reader_wait: float
    #: Time since the run began, until it ended.
    elapsed: float = 0.0
    #: Items the reader has received.
    delivered: int = 0
    #: The bytes that may be leased, or ``None``.
    memory_budget: int | None = None


def add_up(
    name: str,
    workers: Sequence[Counters],
    kind: str = "function",
    concurrency: int = 1,
    held: tuple[int, int] = (0, 0),
) -> StageStats:
    """Add the counters of a stage's workers.

    Args:
        name: the stage's name.
        workers: their counters.
        kind: what the stage is.
        concurrency: how many operations may run at once.
        held: leased bytes now, and at most.
    """
    durations = [sum(column) for column in zip(*(w.durations for w in workers), strict=True)]
    return StageStats(
        name=name,
        kind=kind,
        concurrency=concurrency,
        items_in=sum(worker.items_in for worker in workers),
        items_out=sum(worker.items_out for worker in workers),
        failures=sum(worker.failures for worker in workers),
        skipped=sum(worker.skipped for worker in workers),
        retries=sum(worker.retries for worker in workers),
        busy=sum(worker.busy for worker in workers),
        starved=sum(worker.starved for worker in workers),
        blocked=sum(worker.blocked for worker in workers),
        p50=quantile(durations, 0.50),
        p99=quantile(durations, 0.99),
        bytes_held=held[0],
        bytes_peak=held[1],
        blocking_calls=sum(worker.blocking_calls for worker in workers),
        blocking_longest=max((worker.blocking_longest for worker in workers), default=0.0),
    )


def bucket(seconds: float) -> int:
    """Return the histogram bucket of a duration."""
    mantissa, exponent = _frexp(seconds)  # mantissa in [0.5, 1)
    place = (exponent - LOWEST - 1) * STEPS + int(2 * STEPS * mantissa)
    return place if 0 <= place < BUCKETS else 0 if place < 0 else BUCKETS - 1


def quantile(durations: Sequence[int], share: float) -> float:
    """Return the duration that a share of all items stayed below, as its bucket's middle."""
    rest = share * sum(durations)
    if not rest:
        return 0.0
    for place, count in enumerate(durations):
        rest -= count
        if rest <= 0:
            exponent, step = divmod(place, STEPS)
            return math.ldexp(0.5 + (step + 0.5) / (2 * STEPS), exponent + LOWEST)
    raise AssertionError("a quantile lies within its histogram")
