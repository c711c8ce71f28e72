"""What the threads of the native engine do with operations: apply them to chunks of items.

Each worker is one long-lived thread. It takes a chunk of items, works on them, hands the results
over under the same ticket, and touches nothing shared in between. How many items make a chunk
follows from what one costs: an expensive item goes alone and never waits behind others; of cheap
ones so many go together that crossing threads costs little beside the work.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import CoroutineType
from typing import Any, Final

from ..stages import Pipe
from .channel import Channel
from .failure import NO_RESULT, Failure, contained, refuse_coroutine
from .rescue import Rescue
from .state import RunState, Stopped
from .stats import Counters

#: Work in one chunk, in seconds: about a hundred times what a hand-over costs.
CHUNK_SECONDS: Final = 1e-3
#: Most items in one chunk.
MAX_CHUNK: Final = 64
#: Seconds below which an item is as cheap as can be.
CHEAP: Final = CHUNK_SECONDS / MAX_CHUNK

_clock = time.perf_counter


class Pace:
    """How many items one worker takes at once, from what the last ones cost."""

    __slots__ = ("limit",)

    def __init__(self) -> None:
        self.limit = 1

    def learn(self, items: int, seconds: float) -> None:
        """Learn from a chunk: slow at once to an expensive one, twice as fast after a cheap one."""
        fitting = int(CHUNK_SECONDS * items / max(seconds, 1e-9))
        self.limit = max(1, min(fitting, 2 * self.limit, MAX_CHUNK))


@dataclass(frozen=True, slots=True)
class Ends:
    """What a worker is given: its stage's name, the run, where it reads, writes and counts."""

    name: str
    state: RunState
    source: Channel
    target: Channel
    counters: Counters


class Step:
    """One stage as one worker runs it.

    Args:
        stage: the stage.
        state: the run.
        counters: this worker's.
        slots: tokens that let so many workers into the operation at once; ``None`` where the
            workers are no more than that.
    """

    __slots__ = ("counters", "op", "rescue", "slots", "state")

    def __init__(
        self,
        stage: Pipe,
        state: RunState,
        counters: Counters,
        slots: queue.SimpleQueue[None] | None = None,
    ) -> None:
        self.op = stage.op
        self.state = state
        self.counters = counters
        self.slots = slots
        self.rescue = Rescue(stage, state, counters)

    def enter(self) -> None:
        """Wait for a slot.

        Raises:
            Stopped: the run was stopped.
        """
        while self.slots is not None:
            try:
                self.slots.get(timeout=self.state.poll)
                return
            except queue.Empty:
                self.state.check()


class FunctionWorker:
    """Applies the functions of one stage, or of several fused ones, to chunks of items.

    Args:
        steps: the stages, in order; each result goes on to the next step on this thread.
        source: where items are taken.
        target: where results go.
    """

    def __init__(self, steps: Sequence[Step], source: Channel, target: Channel) -> None:
        self._steps = tuple(steps)
        self._last = len(steps) - 1
        self._source = source
        self._target = target
        self._pace = Pace()
        self._spent = 0.0  # in operations, for one chunk

    def run(self) -> None:
        """Work until the input ends."""
        source, pace, counters = self._source, self._pace, self._steps[0].counters
        for step in self._steps:
            step.counters.here()
        begin = _clock()
        while (taken := source.take(pace.limit)) is not None:
            ticket, index, items = taken
            now = _clock()
            counters.starved += now - begin
            count, self._spent = len(items), 0.0
            del taken  # a worker that waits must not keep its last items alive
            self._apply(0, ticket, index, items, True)
            del items
            if pace.limit < MAX_CHUNK or self._spent > count * CHEAP:
                pace.learn(count, self._spent)
            begin = _clock()
        self._target.close()

    def _apply(self, number: int, ticket: int, index: int, items: Any, done: bool) -> None:
        step = self._steps[number]
        op, counters = step.op, step.counters
        if step.slots is not None:
            step.enter()
        begin = now = _clock()
        counters.working_on = begin, index
        results: Any = []
        item: Any
        result: Any
        try:
            for item in items:
                if type(item) is Failure:
                    results.append(item)
                    break  # nothing after a failure is ever delivered
                if now - begin > 2 * CHUNK_SECONDS:
                    # An item cost more than the ones before it: do not have the rest wait here.
                    self._pass_on(number, ticket, index, results, False, begin, now)
                    index, results = index + len(results), []
                    step.enter()
                    begin = _clock()
                    counters.working_on = begin, index
                try:
                    result = op(item)
                    if type(result) is CoroutineType:
                        refuse_coroutine(result)
                except BaseException as error:
                    result = step.rescue.call(index + len(results), item, error)
                results.append(result)
                now = _clock()
                if type(result) is Failure:
                    break
            item = result = items = None
            self._pass_on(number, ticket, index, results, done, begin, now)
        finally:
            # The traceback of a failed operation keeps this frame, and must not keep its items.
            item = result = items = results = None

    def _pass_on(
        self,
        number: int,
        ticket: int,
        index: int,
        results: Any,
        done: bool,
        begin: float,
        end: float,
    ) -> None:
        """Count work that has ended, let another worker in, and hand over what was made."""
        step, made = self._steps[number], len(results)
        counters = step.counters
        self._spent += end - begin
        counters.timed(begin, end, made)
        counters.working_on = None
        counters.items_in += made
        counters.items_out += made - step.rescue.lost(results)
        if step.slots is not None:
            step.slots.put(None)
        if number < self._last:
            self._apply(number + 1, ticket, index, results, done)
            return
        self._target.put(ticket, results, done, min(self._pace.limit, self._source.pace))
        counters.blocked += _clock() - end


def apply_generator(stage: Pipe, ends: Ends) -> None:
    """Apply a generator function to one item at a time; each result leaves as it is yielded."""
    source, target, counters = ends.source, ends.target, ends.counters
    rescue = Rescue(stage, ends.state, counters)
    counters.here()
    pace = Pace()
    waited = _clock()
    while (taken := source.take(1)) is not None:
        ticket, index, (item,) = taken
        begin = asked = _clock()
        counters.starved += begin - waited
        counters.working_on = begin, index
        busy = 0.0
        for output in _generate(stage, rescue, item, index):
            now = _clock()
            busy += now - asked
            pace.learn(1, now - asked)
            counters.items_out += type(output) not in NO_RESULT
            target.put(ticket, (output,), done=False, pace=min(pace.limit, source.pace))
            output = None  # a waiting worker must not keep its last item alive
            asked = _clock()
            counters.blocked += asked - now
        now = _clock()
        busy += now - asked
        counters.working_on = None
        counters.timed(now - busy, now, 1)
        target.put(ticket, (), done=True, pace=min(pace.limit, source.pace))
        counters.items_in += 1
        del taken, item
        waited = _clock()
        counters.blocked += waited - now
    target.close()


def _generate(stage: Pipe, rescue: Rescue, item: Any, index: int) -> Iterator[Any]:
    if type(item) is Failure:
        return iter((item,))
    return contained(lambda: stage.op(item), lambda error: rescue.verdict(index, item, error))


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
