"""(g) What watching a run costs: spans for a trace, and somebody who reads the statistics."""

from __future__ import annotations

import threading
from typing import Any

from ftloader import Pipeline, lab
from ftloader.lab.costs import Cell, Contender, Measured

from . import bare
from .flow import WORKERS, plan_for
from .window import require, timed

LOOK_SECONDS = 0.01


def start(total: int, trace: bool = False) -> Any:
    return Pipeline(range(total)).pipe(bare.same, concurrency=WORKERS).run("threads", trace=trace)


def plain(inputs: lab.Inputs, amount: int, trace: bool = False) -> Measured:
    plan = plan_for(amount)
    seconds, got = timed(start(plan.total, trace), plan)
    require(got, range(plan.total))
    return Measured(1e6 * seconds / plan.count, seconds)


def traced(inputs: lab.Inputs, amount: int) -> Measured:
    return plain(inputs, amount, trace=True)


def watched(inputs: lab.Inputs, amount: int) -> Measured:
    plan = plan_for(amount)
    run = start(plan.total)
    over = threading.Event()

    def look() -> None:
        while not over.wait(LOOK_SECONDS):
            run.stats()

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        seconds, got = timed(run, plan)
    finally:
        over.set()
        watcher.join()
    require(got, range(plan.total))
    return Measured(1e6 * seconds / plan.count, seconds)


CELLS = (
    Cell(
        name="counting",
        title="What watching costs",
        about="items that need no work, where watching weighs most: with the spans of a trace "
        f"kept, and with the statistics read every {1000 * LOOK_SECONDS:g} ms; the counters "
        "themselves are always on and cannot be measured apart from the engine",
        unit="µs per item",
        better="lower",
        baseline="plain",
        contenders=(
            Contender("plain", "ftloader", plain),
            Contender("traced", "ftloader, trace=True", traced),
            Contender("watched", "ftloader, stats() read every 10 ms", watched),
        ),
    ),
)
