"""Looking at the workers of a run from outside: their counters, and what they are busy with."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ..stages import Pipe, Stage
from .stats import Counters, StageStats, add_up

#: Frames of an operation's stack that a message shows.
FRAMES = 8


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """One stage of a run and the counters of its workers.

    Attributes:
        kind: what the stage is.
        concurrency: how many of its operations may run at once.
        workers: the counters, one for each worker.
        shared: whether its workers do other things as well, so that only what they were busy with
            is known: the event loop's, and those of fused stages.
        group: the stages that are fused, this one among them.
    """

    kind: str
    concurrency: int
    workers: list[Counters]
    shared: bool = False
    group: list[Watched] = field(default_factory=list)

    @classmethod
    def alone(cls, kind: str) -> Watched:
        """Return a stage that the reader's own thread works on."""
        return cls(kind, 1, [Counters()], True)

    def items_in(self) -> int:
        """Return how many items the stage has taken."""
        return sum(counters.items_in for counters in self.workers)

    def items_out(self) -> int:
        """Return how many items the stage has handed on."""
        return sum(counters.items_out for counters in self.workers)

    def shared_stats(self, name: str, elapsed: float, held: tuple[int, int] = (0, 0)) -> StageStats:
        """Return the counters, with the rest of the time as starved, or split where stages share.

        Fused stages wait for each other: what came before one, and waiting for input, starved it;
        what came behind, and waiting for room, blocked it.
        """
        stats = add_up(name, self.workers, self.kind, self.concurrency, held)
        if not self.group:
            rest = self.concurrency * elapsed - stats.busy - stats.blocked
            return replace(stats, starved=max(0.0, rest))
        place = self.group.index(self)
        before = self.group[0].total("starved")
        before += sum(stage.total("busy") for stage in self.group[:place])
        behind = self.group[-1].total("blocked")
        behind += sum(stage.total("busy") for stage in self.group[place + 1 :])
        rest = max(0.0, self.concurrency * elapsed - stats.busy)
        blocked = rest * behind / (before + behind) if behind else 0.0
        return replace(stats, starved=rest - blocked, blocked=blocked)

    def total(self, counter: str) -> float:
        """Return one counter, added up over the workers."""
        return float(sum(getattr(counters, counter) for counters in self.workers))


def kind_of_stage(stage: Stage) -> str:
    """Return what a stage is, in one word or two."""
    return stage.kind if isinstance(stage, Pipe) else type(stage).__name__.lower()


def stuck_text(stages: Mapping[str, Watched], limit: float) -> str:
    """Return which operation takes longest, if longer than ``limit`` seconds, and its stack."""
    longest, text = limit, ""
    now = time.perf_counter()
    for name, watched in stages.items():
        for counters in watched.workers:
            for began, index, thread in counters.in_progress():
                if now - began > longest:
                    longest = now - began
                    where = f"stage {name!r}" if watched.kind != "source" else "the source"
                    stack = stack_of(thread) if thread else "  it is being awaited"
                    text = f"{where} has been at item {index} for {longest:.1f} s:\n{stack}"
    return text


def stack_of(thread: int) -> str:
    """Return the innermost frames of a thread, as text."""
    frame = sys._current_frames().get(thread)
    return "".join(traceback.format_stack(frame, FRAMES)) if frame is not None else ""
