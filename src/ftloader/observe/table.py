"""The statistics of a run as a text table that fits 80 columns.

The three shares of a stage (busy, starved, blocked) are printed as whole per cents that add up to
exactly 100: what rounding down leaves over goes to the largest remainders.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Final, TextIO

from ..engine.stats import RunStats, StageStats

#: Where a number cannot be told.
NONE: Final = "–"
_DIM, _BOLD, _PLAIN = "\x1b[2m", "\x1b[1m", "\x1b[0m"
_NARROWEST_NAME: Final = 8


def table(
    stats: RunStats, *, width: int = 80, colour: bool = False, highlight: str | None = None
) -> str:
    """Return the statistics of a run as text: a row per stage, then what else is worth saying.

    Args:
        stats: what to print.
        width: columns to fit into; long stage names are shortened for that.
        colour: whether to use a terminal's colours; see :func:`wants_colour`.
        highlight: the stage to print in bold, if ``colour`` is on.

    Determinism: the text depends on the arguments alone.
    """
    with_bytes = stats.memory_budget is not None or any(s.bytes_peak for s in stats.stages)
    header = ["stage", "×", "items/s", "busy", "starved", "blocked", "p50", "p99"]
    rows = [header + (["held/peak"] if with_bytes else [])]
    rows += [_row(stage, stats.elapsed, with_bytes) for stage in stats.stages]
    lines = _align(rows, width)
    if colour:
        lines[0] = f"{_DIM}{lines[0]}{_PLAIN}"
        for number, stage in enumerate(stats.stages, 1):
            if stage.name == highlight:
                lines[number] = f"{_BOLD}{lines[number]}{_PLAIN}"
    return "\n".join([*lines, reader_line(stats), *notes(stats)])


def wants_colour(stream: TextIO) -> bool:
    """Tell whether a stream is a terminal whose user has not refused colour (``NO_COLOR``)."""
    return stream.isatty() and not os.environ.get("NO_COLOR")


def reader_line(stats: RunStats) -> str:
    """Return one line on the reader: what it received, and the share of time it waited."""
    text = f"reader: {stats.delivered:,} items"
    if stats.elapsed <= 0:
        return text
    waited, worked = shares(reader_times(stats)) or (0, 0)
    return (
        f"{text} in {seconds(stats.elapsed)} ({rate(stats.delivered, stats.elapsed)}/s); "
        f"waited {waited} %, at work {worked} %"
    )


def notes(stats: RunStats) -> list[str]:
    """Return a line for everything that happened and should not have, and for the budget."""
    lines = []
    for stage in stats.stages:
        counts = [
            (stage.failures, "failed"),
            (stage.skipped, "skipped"),
            (stage.retries, "retries"),
        ]
        if any(count for count, _ in counts):
            happened = ", ".join(f"{count:,} {what}" for count, what in counts if count)
            lines.append(f"{stage.name}: {happened}")
        if stage.blocking_calls:
            lines.append(
                f"{stage.name}: held up the event loop {times(stage.blocking_calls)}, "
                f"at most for {seconds(stage.blocking_longest)}"
            )
    if stats.memory_budget is not None:
        lines.append(f"memory budget: {size(stats.memory_budget)}")
    return lines


def reader_times(stats: RunStats) -> tuple[float, float]:
    """Return the seconds the reader has waited, and those it has not."""
    waited = min(stats.reader_wait, stats.elapsed)
    return waited, stats.elapsed - waited


def shares(parts: Sequence[float]) -> list[int] | None:
    """Return parts as whole per cents that add up to 100; ``None`` if there is nothing to share.

    Each is rounded down, and the per cents left over go to the largest remainders, the earlier
    one first; so each is less than one per cent off.
    """
    total = sum(parts)
    if total <= 0:
        return None
    exact = [100 * part / total for part in parts]
    whole = [math.floor(value) for value in exact]
    by_remainder = sorted(range(len(parts)), key=lambda i: whole[i] - exact[i])
    for place in by_remainder[: 100 - sum(whole)]:
        whole[place] += 1
    return whole


def times(count: int) -> str:
    """Return a number of times as text."""
    return "once" if count == 1 else f"{count:,} times"


def rate(items: int, elapsed: float) -> str:
    """Return items per second as text."""
    if elapsed <= 0:
        return NONE
    value = items / elapsed
    if value >= 1e6:
        return f"{value / 1e6:.2f}M"
    return f"{value:,.0f}" if value >= 99.95 else f"{value:.1f}"


def seconds(value: float) -> str:
    """Return a duration as text, with two or three digits."""
    if value <= 0:
        return NONE
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        # Compared as it will be printed, so that 0.9996 s is not "1000 ms".
        if value >= 0.9995 * scale:
            return _digits(value / scale, unit)
    return _digits(value / 1e-9, "ns")


def size(value: int) -> str:
    """Return a number of bytes as text."""
    unit, scale = _unit(value)
    return _digits(value / scale, unit)


def _row(stage: StageStats, elapsed: float, with_bytes: bool) -> list[str]:
    split = shares((stage.busy, stage.starved, stage.blocked))
    cells = [
        stage.name,
        str(stage.concurrency),
        rate(stage.items_out, elapsed),
        *((f"{share} %" for share in split) if split else (NONE, NONE, NONE)),
        seconds(stage.p50),
        seconds(stage.p99),
    ]
    if with_bytes:
        unit, scale = _unit(stage.bytes_peak)
        held = f"{stage.bytes_held / scale:.0f}/{stage.bytes_peak / scale:.0f} {unit}"
        cells.append(held if stage.bytes_peak else NONE)
    return cells


def _align(rows: list[list[str]], width: int) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    rest = sum(widths[1:]) + 2 * (len(widths) - 1)
    widths[0] = min(widths[0], max(width - rest, _NARROWEST_NAME))
    lines = []
    for name, *cells in rows:
        if len(name) > widths[0]:
            name = name[: widths[0] - 1] + "…"
        padded = [cell.rjust(space) for cell, space in zip(cells, widths[1:], strict=True)]
        lines.append("  ".join([name.ljust(widths[0]), *padded]).rstrip())
    return lines


def _digits(value: float, unit: str) -> str:
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"


def _unit(value: int) -> tuple[str, int]:
    for unit, scale in (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if value >= scale:
            return unit, scale
    return "B", 1
