"""What do threads lose to what they share?  See README.md beside this file."""

from __future__ import annotations

import sys
from dataclasses import replace

from sharing_parts.expected import hypotheses
from sharing_parts.ladder import LADDER
from sharing_parts.pattern import contender

from ftloader.lab import cpus
from ftloader.lab.controls import CEILING_CONTROL, CONTENTION_CONTROL
from ftloader.lab.trials import Cell, Metric, TrialExperiment, main

THREADS = (2, 4, 8, 16, 32)
PAIRS = 5


def cell(threads: int) -> Cell:
    return Cell(
        name=f"threads_{threads}",
        title=f"{threads} threads",
        about=f"{threads} threads run the same loop at once; their rate over that of one raw "
        f"thread on the same objects, in {PAIRS} pairs taken in turns",
        # A window of 0 s: as long as the GIL asks for.
        settings={"threads": threads, "pairs": PAIRS, "window": 0.0},
        baseline="arithmetic",
        group="threads",
        x=threads,
        x_title="threads",
    )


EXPERIMENT = TrialExperiment(
    name="sharing",
    title="What threads lose to what they share",
    question="What do threads lose to what they share, and what does each rule of the hot path "
    "buy?",
    metrics=(
        Metric(
            "speedup",
            "rate over one thread",
            "",
            "higher",
            "the rate of all threads together over that of one raw thread, median of the pairs",
        ),
        Metric("rate", "rate", "million operations/s", "higher", "all threads together"),
        Metric(
            "ns",
            "one operation",
            "ns",
            "lower",
            "a turn of the loop on one raw thread, with the objects owned by whom they are owned "
            "by when several run",
        ),
        Metric("refused", "pairs refused", "", "", "pairs in which other processes took a core"),
    ),
    contenders=tuple(contender(pattern) for pattern in LADDER),
    cells=tuple(cell(threads) for threads in THREADS),
    hypotheses=hypotheses("threads_2", "threads_4"),
    limits=(
        "Loops that do nothing but touch one object show the cost of a touch; with milliseconds of "
        "work for an item a hundred such touches are one per cent.",
        "The turn of the loop itself is in every figure, so a rule buys more in nanoseconds than "
        "its ratio says.",
        "At one thread the ratio is 1 by definition, so there is no cell for it.",
        "Cells with more threads than cores measure the scheduler; no sample is refused there.",
        "What 3.14t does better (objects bound to locals, enums, thread-local data) shows only "
        "where an arm is 3.14t.",
    ),
    controls=(CEILING_CONTROL, CONTENTION_CONTROL),
)


def fitting(experiment: TrialExperiment, cores: int) -> TrialExperiment:
    """Return the experiment without cells far above the core count: one of those stays.

    Hypotheses about more threads than cores go with them: they are about threads that run.
    """
    above = [one.name for one in experiment.cells if one.x > cores]
    kept = tuple(one for one in experiment.cells if one.name not in above[1:])
    asked = tuple(one for one in experiment.hypotheses if one.cell not in above)
    return replace(experiment, cells=kept, hypotheses=asked)


if __name__ == "__main__":
    cores = cpus.of_run().size
    chosen = fitting(EXPERIMENT, cores)
    names = ", ".join(one.title for one in EXPERIMENT.cells if one not in chosen.cells)
    if names:
        print(f"left out, with {cores} cores: {names}", file=sys.stderr)
    sys.exit(main(chosen, __file__))
