"""Counters: who waited for whom.

Each worker counts for itself, once per hand-over, and nobody else writes there; a reader adds the
workers up. So counting costs no lock and is always on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .failure import Failure


class Counters:
    """What one worker has done; written by that worker alone."""

    __slots__ = ("blocked", "busy", "failures", "items_in", "items_out", "starved")

    def __init__(self) -> None:
        self.items_in = 0
        self.items_out = 0
        self.failures = 0
        self.busy = 0.0
        self.starved = 0.0
        self.blocked = 0.0

    def count(self, stage: str, output: Any) -> bool:
        """Count an output of that stage; tell whether it is an item rather than a failure."""
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
    #: Items taken from the stage before.
    items_in: int
    #: Items handed to the stage behind.
    items_out: int
    #: Items the operation raised on.
    failures: int
    #: Time inside the operation.
    busy: float
    #: Time waiting for input.
    starved: float
    #: Time waiting for room in the output.
    blocked: float


@dataclass(frozen=True, slots=True)
class RunStats:
    """The counters of a run: its source and stages in order, and the reader's wait in seconds."""

    stages: tuple[StageStats, ...]
    #: Time the reader has spent waiting for the next item.
    reader_wait: float


def add_up(name: str, workers: Sequence[Counters]) -> StageStats:
    """Add the counters of a stage's workers."""
    return StageStats(
        name=name,
        items_in=sum(worker.items_in for worker in workers),
        items_out=sum(worker.items_out for worker in workers),
        failures=sum(worker.failures for worker in workers),
        busy=sum(worker.busy for worker in workers),
        starved=sum(worker.starved for worker in workers),
        blocked=sum(worker.blocked for worker in workers),
    )
