"""The clock of a window: from arrival to arrival at the reader, in a run that goes on after it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ftloader.errors import DigestError


@dataclass(frozen=True)
class Plan:
    """Items read before the clock starts, while it runs, and after it has stopped.

    The last ones keep the workers busy until the clock stops, so no contender's end is timed.
    """

    warm: int
    count: int
    tail: int

    @property
    def total(self) -> int:
        return self.warm + self.count + self.tail


def timed(items: Iterable[Any], plan: Plan) -> tuple[float, list[Any]]:
    """Read everything; return the seconds that ``count`` items took, and all of them."""
    reader = iter(items)
    got = list(islice(reader, plan.warm))
    begin = time.perf_counter()
    body = list(islice(reader, plan.count))
    seconds = time.perf_counter() - begin
    got += body
    got += reader
    return seconds, got


def require(got: Sequence[Any], expected: Sequence[Any], order: str = "input") -> None:
    """Refuse a window in which an item was lost, doubled, changed or out of order."""
    found = list(got) if order == "input" else sorted(got)
    if found != list(expected):
        raise DigestError(
            f"a window returned {len(found)} items that are not the {len(expected)} expected in "
            f"{order} order; the run is refused"
        )
