"""Event loop or threads, for objects that come late?  See README.md beside this file."""

from __future__ import annotations

import sys

from object_store_parts.cells import CELLS
from object_store_parts.contenders import CONTENDERS
from object_store_parts.expected import hypotheses

from ftloader.lab.controls import CEILING_CONTROL, CONTENTION_CONTROL
from ftloader.lab.trials import Metric, TrialExperiment, main

EXPERIMENT = TrialExperiment(
    name="object_store",
    title="Objects that come late: event loop or threads",
    question="Should a loader wait for an object store on an event loop or on threads?",
    metrics=(
        Metric("rate", "rate", "samples/s", "higher", "as they arrive at the reader"),
        Metric(
            "share",
            "share of ideal",
            "",
            "higher",
            "the longest of three times, over the time taken: what the requests in flight need if "
            "one begins as one ends (in the long run Little's law), what the line needs for all "
            "bytes, what the cores need to decode",
        ),
        Metric("cpu_ms", "CPU time", "ms/sample", "lower", "of the process, start and end too"),
        Metric("threads", "threads", "", "lower", "alive when half of the samples have come"),
        Metric(
            "peak_mb",
            "peak memory",
            "MB",
            "lower",
            "resident memory at its highest, above what it was before the run",
        ),
        Metric("p50_ms", "median next()", "ms", "lower", "how long the reader waits for a sample"),
        Metric("p99_ms", "99th percentile of next()", "ms", "lower", "the same, one in a hundred"),
        Metric("gap_ms", "longest next()", "ms", "lower", "the longest time without a sample"),
    ),
    contenders=CONTENDERS,
    cells=CELLS,
    hypotheses=hypotheses(),
    limits=(
        "Nothing is sent: a real client spends CPU time on TLS, HTTP and copying, most of it while "
        "holding the GIL, and that is what often decides.",
        "Latencies do not depend on load; a real store slows down, or throttles, when asked for "
        "much at once.",
        "asyncio waits in whole milliseconds, rounded up; with a median of 20 ms that costs plain "
        "asyncio two or three per cent.",
        "Completion order gives every run another order of samples; input order does not.",
    ),
    controls=(CEILING_CONTROL, CONTENTION_CONTROL),
)

if __name__ == "__main__":
    sys.exit(main(EXPERIMENT, __file__))
