"""What does a loader hold in memory, and when does it let go?  See README.md beside this file."""

from __future__ import annotations

import sys

from memory_parts import delayed, flight, trees
from memory_parts.cells import CELLS
from memory_parts.expected import HYPOTHESES

from ftloader.lab.controls import CEILING_CONTROL, CONTENTION_CONTROL
from ftloader.lab.trials import Metric, TrialExperiment, main

EXPERIMENT = TrialExperiment(
    name="memory",
    title="What a loader holds in memory",
    question="What does a loader hold in memory, and when does it let go?",
    metrics=(
        Metric("alive_mb", "alive at most", "MB", "lower", "bytes of results made and not freed"),
        Metric("of_budget", "alive at most, of the budget", "", "lower", "the same as a share"),
        Metric("leased_mb", "leased at most", "MB", "lower", "what the run itself accounts for"),
        Metric(
            "resident_mb",
            "peak resident",
            "MB",
            "lower",
            "of the process, above what it was before",
        ),
        Metric(
            "alive",
            "dropped, still alive",
            "",
            "lower",
            "share of the bytes that the reader has dropped and that are not free a third of a "
            "second later, all workers blocked",
        ),
        Metric(
            "alive_at_once", "the same, at once", "", "lower", "right after the last was dropped"
        ),
        Metric("dropped_mb", "dropped", "MB", "", "bytes that the reader took and dropped"),
        Metric(
            "kept_mb",
            "resident, all dropped",
            "MB",
            "lower",
            "resident memory above what it was before, with all objects dropped; pools included",
        ),
        Metric(
            "pss_mb",
            "peak memory of all processes",
            "MB",
            "lower",
            "proportional set size of the process and its children, looked at every 20 ms",
        ),
        Metric(
            "cpu_ms", "CPU time", "ms/sample", "lower", "of all processes, their start included"
        ),
        Metric(
            "start_s", "start", "s", "lower", "until all workers are there, with what they need"
        ),
        Metric("rate", "rate", "samples/s", "higher", "once all workers are there"),
    ),
    contenders=(*flight.CONTENDERS, *delayed.CONTENDERS, *trees.CONTENDERS),
    cells=CELLS,
    hypotheses=HYPOTHESES,
    limits=(
        "Alive is what Python has not freed; what the allocator keeps afterwards shows in resident "
        "memory only.",
        "Peaks of memory of processes are looked for every 20 ms and may be missed in between.",
        "The index is of Python objects, which forked children copy page by page as they count "
        "references; an index of arrays would stay shared.",
        "Spawned processes are left out where there are many: each needs a second to start, and a "
        "copy of the index.",
        "The process pool sends images through pipes; loaders that use shared memory need less "
        "copying and more of that.",
    ),
    controls=(CEILING_CONTROL, CONTENTION_CONTROL),
)

if __name__ == "__main__":
    sys.exit(main(EXPERIMENT, __file__))
