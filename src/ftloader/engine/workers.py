"""What the threads of the native engine do: read the source, apply operations, regroup.

Each function here is one long-lived worker. It takes a chunk of items, works on them, hands the
results over under the same ticket, and touches nothing shared in between. How many items make a
chunk follows from what one costs: an expensive item goes alone and never waits behind others; of
cheap ones so many go together that crossing threads costs little beside the work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..stages import Pipe
from .channel import Channel
from .failure import SOURCE, Failure, contained, refuse_coroutine, source_failure, stage_failure
from .regroup import Regrouper
from .state import RunState, Stopped
from .stats import Counters

#: Work in one chunk, in seconds: about a hundred times what a hand-over costs.
CHUNK_SECONDS: Final = 1e-3
#: Most items in one chunk.
MAX_CHUNK: Final = 64

_clock = time.perf_counter


class Pace:
    """How many items one worker takes at once, from what the last ones cost."""

    __slots__ = ("_cost", "limit")

    def __init__(self) -> None:
        self.limit = 1
        self._cost = CHUNK_SECONDS

    def learn(self, items: int, seconds: float) -> None:
        """Learn from a chunk: slow at once to an expensive one, gain slowly on cheap ones."""
        cost = seconds / items
        self._cost = cost if cost > self._cost else 0.5 * (self._cost + cost)
        self.limit = min(MAX_CHUNK, max(1, int(CHUNK_SECONDS / max(self._cost, 1e-9))))


@dataclass(frozen=True, slots=True)
class Ends:
    """What a worker is given: its name, the run, where it reads, writes and counts."""

    name: str
    state: RunState
    source: Channel
    target: Channel
    counters: Counters


def read_source(items: Iterator[Any], state: RunState, target: Channel, counts: Counters) -> None:
    """Advance the source, on this thread only, and hand each item over before asking for more.

    No item is kept back while ``next`` may block: a source may be waiting for its reader.
    """
    pace = Pace()
    asked = _clock()
    while not state.failing:
        try:
            item = next(items)
        except StopIteration:
            break
        except BaseException as error:
            item = source_failure(error, counts.items_out)
            state.failing = True
        made = _clock()
        pace.learn(1, made - asked)
        target.feed(item, pace.limit)
        counts.count(SOURCE, item)
        del item  # a blocked source must not keep its last item alive
        counts.busy += made - asked
        asked = _clock()
        counts.blocked += asked - made
    target.close()


def apply_function(stage: Pipe, ends: Ends) -> None:
    """Apply a function to chunks of items."""
    op, name = stage.op, stage.name
    state, source, target, counts = ends.state, ends.source, ends.target, ends.counters
    pace = Pace()
    taken: Any
    items: Any
    results: Any
    waited = _clock()
    try:
        while (taken := source.take(pace.limit)) is not None:
            ticket, index, items = taken
            begin = now = _clock()
            counts.starved += begin - waited
            first, results = index, []
            for place, item in enumerate(items, index):
                if type(item) is Failure:
                    results.append(item)
                    break  # nothing after a failure is ever delivered
                if now - begin > 2 * CHUNK_SECONDS:
                    # An item cost more than the ones before it: do not have the rest wait here.
                    pace.learn(place - first, now - begin)
                    counts.busy += now - begin
                    target.put(ticket, results, done=False)
                    begin, first, results = _clock(), place, []
                    counts.blocked += begin - now
                try:
                    result = op(item)
                    refuse_coroutine(result)
                    results.append(result)
                    counts.items_out += 1
                except BaseException as error:
                    results.append(stage_failure(name, place, item, error))
                    counts.failures += 1
                    state.failing = True
                    break
                now = _clock()
            pace.learn(index + len(items) - first, now - begin)
            target.put(ticket, results, pace=min(pace.limit, source.pace))
            counts.busy += now - begin
            waited = _clock()
            counts.blocked += waited - now
            counts.items_in += len(items)
            # A worker that waits must not keep its last items alive.
            taken = items = results = item = result = None
        target.close()
    finally:
        # The traceback of a failed operation keeps this frame, and must not keep its items.
        taken = items = results = item = result = None


def apply_generator(stage: Pipe, ends: Ends) -> None:
    """Apply a generator function to one item at a time; each result leaves as it is yielded."""
    source, target, counts = ends.source, ends.target, ends.counters
    pace = Pace()
    waited = _clock()
    while (taken := source.take(1)) is not None:
        ticket, index, (item,) = taken
        begin = asked = _clock()
        blocked = counts.blocked
        for output in _generate(stage, item, index):
            pace.learn(1, _clock() - asked)
            _emit(ends, ticket, (output,), pace=min(pace.limit, source.pace))
            output = None  # a waiting worker must not keep its last item alive
            asked = _clock()
        target.put(ticket, (), done=True, pace=min(pace.limit, source.pace))
        counts.items_in += 1
        counts.starved += begin - waited
        waited = _clock()
        counts.busy += waited - begin - (counts.blocked - blocked)
        del taken, item
    target.close()


def regroup(grouper: Regrouper, ends: Ends) -> None:
    """Regroup the stream, and flush what is left when it has ended."""
    source, target, counts = ends.source, ends.target, ends.counters
    ticket = 0
    waited = _clock()
    while (taken := source.take(MAX_CHUNK)) is not None:
        ticket, _, items = taken
        begin = _clock()
        blocked = counts.blocked
        results: list[Any] = []
        for item in items:
            # A lazy item may block between two elements: hand each one on at once.
            limit = MAX_CHUNK if hasattr(item, "__len__") else 1
            for output in grouper.add(item):
                results.append(output)
                if len(results) >= limit:
                    _emit(ends, ticket, results, pace=source.pace)
                    results = []
                output = None
        # What comes cheaply in single items comes as cheaply in lists of them, but not more.
        pace = max(1, source.pace * len(results) // len(items))
        _emit(ends, ticket, results, done=True, pace=min(pace, source.pace))
        counts.items_in += len(items)
        counts.starved += begin - waited
        waited = _clock()
        counts.busy += waited - begin - (counts.blocked - blocked)
        item = None
        del taken, items, results
    _emit(ends, ticket, list(grouper.flush()), done=True)
    target.close()


def _generate(stage: Pipe, item: Any, index: int) -> Iterator[Any]:
    if type(item) is Failure:
        return iter((item,))
    return contained(
        lambda: stage.op(item), lambda error: stage_failure(stage.name, index, item, error)
    )


def _emit(
    ends: Ends, ticket: int, results: Sequence[Any], done: bool = False, pace: int = 1
) -> None:
    for output in results:
        if not ends.counters.count(ends.name, output):
            ends.state.failing = True
    begin = _clock()
    ends.target.put(ticket, results, done=done, pace=pace)
    ends.counters.blocked += _clock() - begin


def guarded(state: RunState, worker: Callable[..., None], *args: Any) -> None:
    """Run a worker to its end, and end the run if the worker itself fails."""
    state.enlist()
    try:
        worker(*args)
    except Stopped:
        pass
    except BaseException as error:
        if not state.stopped:  # a bug of ours: the reader must not wait for ever
            state.crash = error
            state.stop()
