"""A run in one line, and the counters of a part of it."""

from __future__ import annotations

from dataclasses import replace

from ..engine.stats import RunStats, StageStats
from .bottleneck import Bottleneck, bottleneck
from .table import rate, reader_times

_COUNTS = ("items_in", "items_out", "failures", "skipped", "retries", "busy", "starved", "blocked")


def since(stats: RunStats, earlier: RunStats) -> RunStats:
    """Return what was counted between two readings of one run.

    Quantiles, bytes and what held up the event loop are those of the later reading.

    Args:
        stats: the later reading.
        earlier: the earlier one.
    """
    return replace(
        stats,
        stages=tuple(map(_difference, stats.stages, earlier.stages)),
        reader_wait=stats.reader_wait - earlier.reader_wait,
        elapsed=stats.elapsed - earlier.elapsed,
        delivered=stats.delivered - earlier.delivered,
    )


def one_line(stats: RunStats, earlier: RunStats | None = None) -> str:
    """Return a run's state in one line.

    Args:
        stats: its counters.
        earlier: an earlier reading; rate, wait and bottleneck are then those of the time since.
    """
    part = stats if earlier is None else since(stats, earlier)
    text = f"{stats.elapsed:.1f} s: {stats.delivered:,} items"
    if part.elapsed <= 0:
        return text
    waited, worked = reader_times(part)
    return (
        f"{text}, {rate(part.delivered, part.elapsed)}/s; {short(bottleneck(part))}; "
        f"the reader waited {100 * waited / (waited + worked):.0f} %"
    )


def short(verdict: Bottleneck) -> str:
    """Return a bottleneck in a few words."""
    if verdict.stage is None:
        return "no bottleneck"
    return f"bottleneck {verdict.stage} ({100 * verdict.load:.0f} % busy)"


def _difference(stage: StageStats, earlier: StageStats) -> StageStats:
    return replace(
        stage, **{name: getattr(stage, name) - getattr(earlier, name) for name in _COUNTS}
    )
