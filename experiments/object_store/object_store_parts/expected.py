"""What was expected before any judged run, and whose claim it is."""

from __future__ import annotations

from ftloader.lab.trials import Hypothesis


def hypotheses() -> tuple[Hypothesis, ...]:
    def share(text: str, cell: str, name: str, limit: float, higher: bool = True) -> Hypothesis:
        return Hypothesis(text, cell, name, "share", limit, "higher" if higher else "lower")

    return (
        share("the event loop keeps 64 requests in flight", "fetch_64", "loop_completion", 0.9),
        share("threads keep 64 requests in flight", "fetch_64", "threads_completion", 0.9),
        share("the event loop keeps 256 in flight", "fetch_256", "loop_completion", 0.8),
        share(
            "stragglers hold up input order, whoever waits", "fetch_64", "loop", 0.7, higher=False
        ),
        share("with answers enough ready they do not", "fetch_64", "loop_ahead", 0.8),
        share("decoding hides all of the store", "decode_64", "loop_completion", 0.9),
        share("retries cost their own time only", "errors_64", "loop_completion", 0.9),
        share("a narrow line is kept full", "line_64", "loop_completion", 0.9),
        Hypothesis(
            "ConcurrentDataloader (arXiv 2211.04908): up to 12 times as fast as few requests",
            "fetch_64",
            "loop_completion",
            "rate",
            12.0,
            "higher",
            against_cell="fetch_4",
        ),
        Hypothesis(
            "256 waits on the event loop cost less CPU time than on threads",
            "fetch_256",
            "loop_completion",
            "cpu_ms",
            0.8,
            "lower",
            against="threads_completion",
        ),
        Hypothesis(
            "and a twentieth of the threads",
            "fetch_256",
            "loop_completion",
            "threads",
            0.05,
            "lower",
            against="threads_completion",
        ),
        Hypothesis(
            "ftloader's event loop costs no more CPU time than a task per sample",
            "fetch_64",
            "loop_completion",
            "cpu_ms",
            1.1,
            "lower",
            against="asyncio",
        ),
        Hypothesis(
            "waiting gains nothing from the GIL's absence",
            "fetch_64",
            "loop_completion",
            "rate",
            1.03,
            "lower",
            across_gil=True,
        ),
    )
