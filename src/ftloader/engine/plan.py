"""Which threads a pipeline gets: each stage its own, or neighbours the same where asked for.

With ``fuse=True`` neighbouring functions of the same concurrency and output order are *fused*: an
item goes through them on one thread and crosses one channel instead of several. The fused stages
keep the threads that each of them would have had, and each still lets only ``concurrency`` of them
in at once, so as much runs in parallel as before, and not more. Stages with ``concurrency=1`` are
not fused: their operation is called from one thread only, and may rely on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..options import RunOptions
from ..pipeline import Pipeline
from ..stages import Aggregate, Disaggregate, Pipe, Prefetch

Stage = Pipe | Aggregate | Disaggregate


@dataclass(frozen=True, slots=True)
class Part:
    """What one set of threads runs.

    Attributes:
        stages: one stage, or several fused functions.
        prefetch: results that may wait behind, if the description says so.
    """

    stages: tuple[Stage, ...]
    prefetch: int | None = None

    @property
    def is_async(self) -> bool:
        """Whether it runs on the event loop."""
        return isinstance(self.last, Pipe) and self.last.is_async

    @property
    def last(self) -> Stage:
        """The stage whose results leave."""
        return self.stages[-1]

    @property
    def threads(self) -> int:
        """How many threads of its own it has; none on the event loop."""
        if self.is_async:
            return 0
        return sum(concurrency_of(stage) for stage in self.stages)

    @property
    def ends(self) -> int:
        """How many read and write its channels; the event loop counts as one."""
        return max(1, self.threads)

    @property
    def ordered(self) -> bool:
        """Whether the channel behind has to put results back into order."""
        last = self.last
        return isinstance(last, Pipe) and last.output_order == "input" and self.threads > 1

    @property
    def capacity(self) -> int:
        """How many results may wait behind: what was asked for, or one per worker."""
        if self.prefetch is not None:
            return self.prefetch
        return max(2, concurrency_of(self.last))


def concurrency_of(stage: Stage) -> int:
    """Return how many operations of a stage may run at once."""
    return stage.workers if isinstance(stage, Pipe) else 1


def plan(pipeline: Pipeline[Any], options: RunOptions) -> tuple[int | None, list[Part]]:
    """Return the prefetch behind the source, and the parts behind it in order."""
    first: int | None = None
    parts: list[Part] = []
    may_fuse = options.fuse and options.memory_budget is None  # leases are taken stage by stage
    for stage in pipeline.stages:
        if isinstance(stage, Prefetch):
            if parts:
                parts[-1] = Part(parts[-1].stages, stage.size)
            else:
                first = stage.size
        elif parts and may_fuse and fits(parts[-1], stage):
            parts[-1] = Part((*parts[-1].stages, stage))
        else:
            parts.append(Part((stage,)))
    return first, parts


def fits(part: Part, stage: Stage) -> bool:
    """Tell whether a stage can be fused with the part before it."""
    last = part.last
    return (
        isinstance(last, Pipe)
        and isinstance(stage, Pipe)
        and last.kind == stage.kind == "function"
        and last.workers == stage.workers > 1
        and last.output_order == stage.output_order
        and part.prefetch is None
        # A skipped item shifts the positions behind it, which only a channel can count.
        and last.policy.on_error == "raise"
    )
