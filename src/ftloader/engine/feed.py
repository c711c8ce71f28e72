"""What the source's thread does: advance the source, on this thread only, and hand its items over.

A source may be waiting for its reader, so no item is kept back while ``next`` may block: each is
handed over before the next is asked for. Only the iterators of Python's own containers and ranges,
which cannot block, are read in chunks.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from .channel import Channel
from .failure import source_failure
from .state import RunState
from .stats import Counters
from .workers import CHEAP, MAX_CHUNK, Pace

#: Iterators that never block and never raise anything of the user's.
PLAIN: Final = frozenset(
    map(type, (iter([]), iter(()), iter(range(0)), iter(range(1 << 64)), iter(""), iter(b"")))
)

_clock = time.perf_counter


def read_source(items: Iterator[Any], state: RunState, target: Channel, counts: Counters) -> None:
    """Read a source to its end, or until the run fails."""
    counts.here()
    if type(items) in PLAIN:
        read_plain(items, state, target, counts)
    else:
        read_any(items, state, target, counts)
    target.close()


def read_plain(items: Iterator[Any], state: RunState, target: Channel, counts: Counters) -> None:
    """Hand over the items of a built-in container in chunks, the first ones in small ones."""
    size, most = 1, min(MAX_CHUNK, target.room(MAX_CHUNK))
    while not state.failing:
        begin = _clock()
        try:
            chunk = list(islice(items, size))
        except RuntimeError as error:  # the container was changed meanwhile
            failure = source_failure(error, counts.items_out)
            state.fail(failure.error)
            counts.failures += 1
            target.put(0, (failure,))
            return
        made = _clock()
        if not chunk:
            return
        counts.timed(begin, made, len(chunk))
        counts.items_out += len(chunk)
        target.put(0, chunk, pace=MAX_CHUNK)
        del chunk  # what is read must not live here any longer
        counts.blocked += _clock() - made
        size = min(2 * size, most)


def read_any(items: Iterator[Any], state: RunState, target: Channel, counts: Counters) -> None:
    """Hand over each item before the next is asked for; cheap ones are counted together."""
    pace, room = Pace(), target.room(1)
    count = 0
    since = asked = _clock()
    counts.working_on = since, 0
    while not state.failing:
        try:
            item = next(items)
        except StopIteration:
            break
        except BaseException as error:
            failure = source_failure(error, counts.items_out + count)
            state.fail(failure.error)
            counts.failures += 1
            target.feed(failure, 1, room)
            break
        made = _clock()
        count += 1
        counts.uncounted = count
        if made - asked > CHEAP or pace.limit < MAX_CHUNK:
            pace.learn(1, made - asked)
            room = target.room(pace.limit)
        at_once = target.feed(item, pace.limit, room)
        del item  # a blocked source must not keep its last item alive
        asked = made
        if not at_once or count >= pace.limit:
            counts.timed(since, made, count)
            counts.items_out += count
            count = counts.uncounted = 0
            since = asked = _clock()
            counts.blocked += since - made
            counts.working_on = since, counts.items_out
    counts.working_on = None
    counts.items_out += count
