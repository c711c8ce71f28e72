"""Which worker runs which part of a plan, without a memory budget and with one."""

from __future__ import annotations

import queue
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from ..stages import Pipe
from .astage import AsyncStage
from .budget import Share
from .leased_streams import LeasingAsyncStage, regroup_leased
from .leasing import LeasingWorker
from .plan import Part, Stage, concurrency_of
from .regroup import Regrouper, regroup
from .state import RunState
from .stats import Counters
from .workers import Ends, FunctionWorker, Step, apply_generator

Work = Callable[[], None]


def async_stage(part: Part, stage: Pipe, ends: Ends, shares: Mapping[str, Share]) -> AsyncStage:
    """Return what runs an asynchronous stage on the event loop."""
    if shares:
        return LeasingAsyncStage(stage, ends, part.capacity, shares.get(stage.name))
    return AsyncStage(stage, ends, part.capacity)


def workers(
    part: Part,
    state: RunState,
    ends: Sequence[Ends],
    counters: Sequence[Sequence[Counters]],
    shares: Mapping[str, Share],
) -> list[Work]:
    """Return the work of each thread of a part.

    Args:
        part: one stage, or several fused ones.
        state: the run.
        ends: where each thread reads, writes and counts.
        counters: for each stage of the part, those of each thread.
        shares: the memory budget's, if the run has one.
    """
    stage = part.last
    if not isinstance(stage, Pipe):
        work = regroup_leased if shares else regroup
        return [partial(work, Regrouper(stage), end) for end in ends]
    if shares:
        share = shares.get(stage.name)
        return [LeasingWorker(stage, end, share).run for end in ends]
    if stage.kind == "generator":
        return [partial(apply_generator, stage, end) for end in ends]
    fused = len(part.stages) > 1
    slots = [slots_of(stage) if fused else None for stage in part.stages]
    return [
        FunctionWorker(
            [
                Step(stage, state, own[number], slot)
                for stage, own, slot in zip(part.stages, counters, slots, strict=True)
                if isinstance(stage, Pipe)
            ],
            end.source,
            end.target,
        ).run
        for number, end in enumerate(ends)
    ]


def slots_of(stage: Stage) -> queue.SimpleQueue[None]:
    """Return the tokens that let so many threads into an operation at once."""
    slots: queue.SimpleQueue[None] = queue.SimpleQueue()
    for _ in range(concurrency_of(stage)):
        slots.put(None)
    return slots
