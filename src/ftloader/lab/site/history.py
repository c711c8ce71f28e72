"""The course of ratios over commits: sets of one machine in the order in which they were measured.

Only ratios that a claim, a hypothesis or the experiment's question speaks of have a course; each
point is the median over the blocks of its own run, with that run's interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..statistics import Estimate, estimate
from . import ratios
from .find import ResultSet


@dataclass(frozen=True)
class Line:
    """One ratio; a set that lacks it has ``None``."""

    name: str
    points: tuple[Estimate | None, ...]


@dataclass(frozen=True)
class Panel:
    """Ratios of one thing, such as one claim in every arm; ``ticks`` name the sets."""

    title: str
    ticks: tuple[str, ...]
    lines: tuple[Line, ...]


def panels(sets: Sequence[ResultSet]) -> list[Panel]:
    """Return the panels of an experiment's sets, machine by machine; none for a single set."""
    machines: dict[str, list[ResultSet]] = {}
    for one in sets:
        machines.setdefault(one.machine, []).append(one)
    found = []
    for name, mine in machines.items():
        if len(mine) > 1:
            found += _of(mine, f" ({name})" if len(machines) > 1 else "")
    return found


def _of(sets: Sequence[ResultSet], where: str) -> list[Panel]:
    every = [ratios.of(one) for one in sets]
    ticks = tuple(f"{one.commit[:7] or 'commit ?'}\n{one.date}" for one in sets)
    lines: dict[str, list[Line]] = {}
    keys = dict.fromkeys(key for found in every for key, one in found.items() if one.matters)
    for key in keys:
        points = tuple(
            estimate(found[key].values) if key in found else None
            for one, found in zip(sets, every, strict=True)
        )
        if sum(point is not None for point in points) > 1:
            # Where a claim was reworded, the newest words count.
            newest = next(found[key] for found in reversed(every) if key in found)
            lines.setdefault(newest.panel, []).append(Line(newest.line, points))
    return [Panel(f"{title}{where}", ticks, tuple(mine)) for title, mine in lines.items()]
