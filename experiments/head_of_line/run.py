"""What do rare slow samples cost everybody else?  See README.md beside this file."""

from __future__ import annotations

import sys
from dataclasses import replace

from head_of_line_parts.contenders import CONTENDERS
from head_of_line_parts.work import GROUP

from ftloader.lab import cpus
from ftloader.lab.controls import CEILING_CONTROL, CONTENTION_CONTROL
from ftloader.lab.trials import Cell, Hypothesis, Metric, TrialExperiment, main

WORKERS = (1, 2, 4, 8, 16)
#: How much slower one sample in a hundred is, and hundreds of samples for each worker.
GROUPS = {1: 36, 10: 34, 100: 18}


def cell(factor: int, workers: int) -> Cell:
    samples = GROUP * GROUPS[factor] * workers
    slow = f"one in {GROUP} costs {factor} times as much" if factor > 1 else "all cost the same"
    return Cell(
        name=f"slow_{factor}_workers_{workers}",
        title=f"{slow}, {workers} {'workers' if workers > 1 else 'worker'}",
        about=f"{samples:,} samples of about half a millisecond; {slow}",
        settings={"factor": factor, "workers": workers, "groups": GROUPS[factor] * workers},
        baseline="input",
        group=f"slow_{factor}",
        x=workers,
        x_title="workers",
    )


def expected(cell: str) -> tuple[Hypothesis, ...]:
    """Return what simple arithmetic says of two workers and a sample that costs a hundred.

    While one worker is at it the other can finish what the window allows, then waits. With a window
    of W a hundred samples take 100 + (100 - W) / 2 instead of 99.5, in units of an easy sample.
    """
    return (
        Hypothesis(
            "a window of 2 per worker stalls (0.67 by arithmetic)",
            cell,
            "pool_2",
            "share",
            0.75,
            "lower",
        ),
        Hypothesis(
            "input order with few results ready stalls as a small window does",
            cell,
            "input",
            "share",
            0.8,
            "lower",
        ),
        Hypothesis(
            "128 results ready per worker ride out one slow sample",
            cell,
            "input_128",
            "share",
            0.9,
            "higher",
        ),
        Hypothesis("completion order hardly notices", cell, "completion", "share", 0.9, "higher"),
        Hypothesis(
            "tf.data (arXiv 2101.12127): not keeping order brings 1.2 to 2.5 times the rate",
            cell,
            "completion",
            "rate",
            1.2,
            "higher",
            against="input",
        ),
        Hypothesis(
            "the longest gap without the order is at most half of that with it",
            cell,
            "completion",
            "gap_ms",
            0.5,
            "lower",
            against="input",
        ),
    )


EXPERIMENT = TrialExperiment(
    name="head_of_line",
    title="What rare slow samples cost everybody else",
    question="What do rare slow samples cost everybody else, and what helps against it?",
    metrics=(
        Metric(
            "share",
            "share of ideal",
            "",
            "higher",
            "CPU time of the samples' own work over the time that the workers (or cores, if there "
            "are fewer) had: 1 if none ever waited",
        ),
        Metric("rate", "rate", "samples/s", "higher", "as they arrive at the reader"),
        Metric("p50_ms", "median next()", "ms", "lower", "how long the reader waits for a sample"),
        Metric("p99_ms", "99th percentile of next()", "ms", "lower", "the same, one in a hundred"),
        Metric("gap_ms", "longest next()", "ms", "lower", "the longest time without a sample"),
        Metric(
            "held",
            "results held",
            "samples",
            "lower",
            "results that were made and not yet read, at most: what the order costs in memory",
        ),
    ),
    contenders=CONTENDERS,
    cells=tuple(cell(factor, workers) for factor in GROUPS for workers in WORKERS),
    hypotheses=(
        *expected("slow_100_workers_2"),
        Hypothesis(
            "ten times as slow is still bearable with few results ready (0.94 by arithmetic)",
            "slow_10_workers_2",
            "input",
            "share",
            0.85,
            "higher",
        ),
    ),
    limits=(
        "The work holds no lock and touches no memory; samples that need memory bandwidth slow "
        "each other down as well.",
        "The reader does nothing with a sample. One that trains hides gaps shorter than what it "
        "has ready.",
        "Slow samples come evenly, one in each hundred; real ones come in clusters.",
        "Reader and feeder need the cores that the workers use, so the ideal cannot be reached.",
    ),
    controls=(CEILING_CONTROL, CONTENTION_CONTROL),
)


def fitting(experiment: TrialExperiment, cores: int) -> TrialExperiment:
    """Return the experiment without cells that have more workers than cores."""
    kept = tuple(one for one in experiment.cells if one.x <= cores)
    names = {one.name for one in kept}
    asked = tuple(one for one in experiment.hypotheses if one.cell in names)
    return replace(experiment, cells=kept, hypotheses=asked)


if __name__ == "__main__":
    cores = cpus.of_run().size
    chosen = fitting(EXPERIMENT, cores)
    above = ", ".join(str(workers) for workers in WORKERS if workers > cores)
    if above:
        print(f"left out, with {cores} cores: {above} workers", file=sys.stderr)
    sys.exit(main(chosen, __file__))
