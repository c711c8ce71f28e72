"""Stages that regroup items: lists out of items, items out of lists.

Both work on a stream in order, so each runs on one thread at a time; a fresh regrouper belongs to
one run.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..errors import RunError
from ..stages import Aggregate, Aggregator, Disaggregate
from .failure import Failure, contained, describe, stage_failure
from .workers import MAX_CHUNK, Ends

_clock = time.perf_counter


class Lists:
    """Collect items into lists of one size."""

    def __init__(self, size: int, drop_last: bool) -> None:
        self._size = size
        self._drop_last = drop_last
        self._items: list[Any] = []

    def add(self, item: Any) -> Iterable[list[Any]]:
        """Take one item; return the list it filled, if it did."""
        self._items.append(item)
        if len(self._items) < self._size:
            return ()
        full, self._items = self._items, []
        return (full,)

    def flush(self) -> Iterable[list[Any]]:
        """Return the short last list, unless it is empty or to be dropped."""
        rest, self._items = self._items, []
        return () if self._drop_last or not rest else (rest,)


class Elements:
    """Take items apart."""

    def add(self, item: Any) -> Iterable[Any]:
        """Return the elements of one item."""
        yield from item

    def flush(self) -> Iterable[Any]:
        """Return nothing: no element is ever held back."""
        return ()


class Regrouper:
    """One regrouping stage of one run, with its errors turned into failures in the stream."""

    def __init__(self, stage: Aggregate | Disaggregate) -> None:
        self.stage = stage
        self._name = stage.name
        self._count = 0
        self._rule: Aggregator
        if isinstance(stage, Disaggregate):
            self._rule = Elements()
        elif stage.policy is not None:
            self._rule = stage.policy()
        else:
            self._rule = Lists(stage.size or 1, stage.drop_last)

    def add(self, item: Any) -> Iterable[Any]:
        """Return what one item completed; a failure flushes what was collected before it."""
        index, self._count = self._count, self._count + 1
        if type(item) is Failure:
            return (*self._flush_before(item.error), item)
        if isinstance(self._rule, Lists):  # cannot fail
            return self._rule.add(item)
        return contained(
            lambda: self._rule.add(item),
            lambda error: stage_failure(self._name, index, item, error),
        )

    def flush(self) -> Iterator[Any]:
        """Return what is left when the input has ended."""
        return contained(
            self._rule.flush,
            lambda error: stage_failure(self._name, None, "the end of the input", error),
        )

    def _flush_before(self, error: RunError) -> Iterator[Any]:
        for item in self.flush():
            if type(item) is Failure:  # the first error is the one to report
                error.add_note(f"then {describe(item.error)}")
                return
            yield item


def regroup(grouper: Regrouper, ends: Ends) -> None:
    """Regroup the stream on the calling thread, and flush what is left when it has ended."""
    source, target, counters = ends.source, ends.target, ends.counters
    counters.here()
    ticket = 0
    waited = _clock()
    while (taken := source.take(MAX_CHUNK)) is not None:
        ticket, index, items = taken
        begin = _clock()
        counters.starved += begin - waited
        counters.working_on = begin, index
        blocked = counters.blocked
        results: list[Any] = []
        for item in items:
            # A lazy item may block between two elements: hand each one on at once.
            limit = MAX_CHUNK if hasattr(item, "__len__") else 1
            for output in grouper.add(item):
                results.append(output)
                if len(results) >= limit:
                    emit(ends, ticket, results, pace=source.pace)
                    results = []
                output = None
        # What comes cheaply in single items comes as cheaply in lists of them, but not more.
        pace = max(1, source.pace * len(results) // len(items))
        if results:
            emit(ends, ticket, results, done=True, pace=min(pace, source.pace))
        counters.working_on = None
        counters.items_in += len(items)
        waited = _clock()
        counters.timed(begin + counters.blocked - blocked, waited, len(items))
        item = None
        del taken, items, results
    emit(ends, ticket, list(grouper.flush()), done=True)
    target.close()


def emit(
    ends: Ends, ticket: int, results: Sequence[Any], done: bool = False, pace: int = 1
) -> None:
    """Count results, and hand them on."""
    for output in results:
        if not ends.counters.count(ends.name, output):
            ends.state.fail(output.error)
    begin = _clock()
    ends.target.put(ticket, results, done=done, pace=pace)
    ends.counters.blocked += _clock() - begin
