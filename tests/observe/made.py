"""Statistics as an engine would give them, made by hand; times are shares of a run of ten seconds.

``station("decode", 4, busy=0.5)`` is a stage whose four workers were busy half of the time.
"""

from __future__ import annotations

from typing import Any

from ftloader.engine.stats import RunStats, StageStats

SECONDS = 10.0


def station(
    name: str,
    concurrency: int = 1,
    *,
    kind: str = "function",
    busy: float = 0.0,
    starved: float = 0.0,
    blocked: float = 0.0,
    **more: Any,
) -> StageStats:
    time = SECONDS * concurrency
    values: dict[str, Any] = {
        "items_in": 1000,
        "items_out": 1000,
        "failures": 0,
        "skipped": 0,
        "retries": 0,
        "p50": 0.0,
        "p99": 0.0,
        "bytes_held": 0,
        "bytes_peak": 0,
        "blocking_calls": 0,
        "blocking_longest": 0.0,
    }
    return StageStats(
        name=name,
        kind=kind,
        concurrency=concurrency,
        busy=busy * time,
        starved=starved * time,
        blocked=blocked * time,
        **{**values, **more},
    )


def source(busy: float = 0.02, blocked: float = 0.97) -> StageStats:
    return station("source", kind="source", busy=busy, blocked=blocked)


def run_of(*stages: StageStats, waited: float = 0.95, memory_budget: int | None = None) -> RunStats:
    return RunStats(stages, waited * SECONDS, SECONDS, 1000, memory_budget)
