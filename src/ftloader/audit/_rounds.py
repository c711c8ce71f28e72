"""The rounds of the hammer: what threads do in one, and what its results must equal.

:class:`Equal` is for what must give the results of one thread; :class:`Orders` for what is
declared locked, which must give those of some order of the calls.
"""

from __future__ import annotations

import copy
import functools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from ..safety import ThreadSafety
from ._serial import Call, Raised, Serial, mark
from ._tally import Tally
from ._threads import together
from .subject import Subject
from .verdict import Effect

#: Outputs whose boxes are held against their pixels; it takes time.
_MOST_TORN: Final = 20
#: Threads for what is declared locked, and the seconds that finding one plan's orders may take.
_LOCKED_THREADS: Final = 3
_ORDERS: Final = 0.5
_PLANS: Final = 4
#: A round counts as hanging after this many seconds, and so many times what one thread takes.
_LIMIT: Final = (10.0, 20.0)


class Rounds(Protocol):
    """A way to run rounds.

    Attributes:
        noun: what a round consists of, for the text.
        kinds: number of thread counts that it uses in turn.
    """

    noun: str
    kinds: int

    def run(self, number: int, tally: Tally) -> None:
        """Run one round and count it.

        Raises:
            Stuck: it does not come to its end.
        """


class Equal:
    """Rounds whose results must equal those of one thread, call by call."""

    def __init__(
        self, subject: Subject, call: Call, serial: Serial, threads: Sequence[int]
    ) -> None:
        self._subject, self._call, self._serial = subject, call, serial
        self._threads = threads
        self._own = subject.declared is ThreadSafety.PER_THREAD
        self._torn_left = _MOST_TORN
        *others, last = map(str, threads)
        counts = f"{', '.join(others)} and {last}" if others else last
        self.noun = f"of {counts} threads"
        if self._own:
            self.noun += " with an instance each"
        self.kinds = len(threads)

    def run(self, number: int, tally: Tally) -> None:
        """Run an epoch, at least twice, over samples that the threads share."""
        count = self._threads[number % self.kinds]
        epoch, passes = self._serial.round(number // self.kinds)
        passes = max(passes, math.ceil(2 * count / len(epoch)))
        # Each pass begins elsewhere, so that a thread does not meet the same samples again.
        order = [
            epoch[(k + turn) % len(epoch)] for turn in range(passes) for k in range(len(epoch))
        ]
        inputs = _inputs(self._subject, epoch)
        instances = (
            _copies(self._subject.fresh, count) if self._own else ([self._subject.fresh()] * count)
        )
        plan = [order[thread::count] for thread in range(count)]
        work = [
            functools.partial(_calls, self._call, instance, indices, inputs)
            for instance, indices in zip(instances, plan, strict=True)
        ]
        outcomes = together(work, _limit(self._serial, order))
        wrong = sum(
            not self._is_right(i, outcome, count, tally)
            for indices, results in zip(plan, outcomes, strict=True)
            for i, outcome in zip(indices, results, strict=True)
        )
        tally.add_round(count, len(order), wrong)

    def _is_right(self, i: int, outcome: Any, count: int, tally: Tally) -> bool:
        if mark(outcome) == self._serial.marks[i]:
            return True
        first = f"sample {i}, {count} threads"
        effect: Effect = "order" if i in self._serial.unstable else "wrong data"
        if isinstance(outcome, Raised):
            kind = f"raises {outcome.text.partition(':')[0]} in threads"
            if i not in self._serial.raising:
                effect, kind = "wrong data", f"{kind} only"
            tally.add(effect, kind, f"{outcome.text}; {first}", outcome.where)
            return False
        torn = self._torn(i, outcome)
        if torn:
            tally.add("wrong data", "boxes do not fit their pixels", f"{torn}; {first}")
        elif effect == "order":
            kind = "results depend on the order of calls, as in one thread"
            tally.add(effect, kind, first)
        else:
            tally.add(effect, "results differ from those of one thread", first)
        return False

    def _torn(self, i: int, output: Any) -> str:
        if self._torn_left == 0:
            return ""
        self._torn_left -= 1
        from .oracles.labels import torn

        return torn(self._subject, i, output) or ""


class Orders:
    """Rounds whose results must equal those of some order of the calls."""

    def __init__(self, subject: Subject, call: Call, serial: Serial) -> None:
        self._subject, self._call, self._serial = subject, call, serial
        self._quick = serial.quickest(8)
        begin = time.perf_counter()
        serial.orders(self._plan(0, 1))
        # Two calls of each of three threads have 90 orders of 6 calls, not 6 of 3.
        twice = 30 * (time.perf_counter() - begin)
        calls = 2 if twice < _ORDERS else 1
        self._plans = [self._plan(number, calls) for number in range(_PLANS)]
        self._known: dict[int, frozenset[tuple[str, ...]]] = {}
        each = f"{calls} calls each" if calls > 1 else "a call each"
        self.noun = f"of {_LOCKED_THREADS} threads with {each}, against every order of them"
        self.kinds = 1

    def run(self, number: int, tally: Tally) -> None:
        """Have each thread call a fresh instance once or twice."""
        chosen = number % _PLANS
        plan = self._plans[chosen]
        if chosen not in self._known:
            self._known[chosen] = self._serial.orders(plan)
        known = self._known[chosen]
        order = [i for indices in plan for i in indices]
        inputs = _inputs(self._subject, sorted(set(order)))
        transform = self._subject.fresh()
        work = [
            functools.partial(_calls, self._call, transform, indices, inputs) for indices in plan
        ]
        outcomes = together(work, _limit(self._serial, order))
        results = [outcome for part in outcomes for outcome in part]
        marks = tuple(map(mark, results))
        if marks not in known:
            usual = {one for serial in known for one in serial}
            for i, outcome, own in zip(order, results, marks, strict=True):
                if isinstance(outcome, Raised) and own not in usual:
                    kind = f"raises {outcome.text.partition(':')[0]} in threads only"
                    told = f"{outcome.text}; sample {i}"
                    tally.add("wrong data", kind, told, outcome.where)
            kind = "results are those of no order of the calls: the lock does not cover all of it"
            tally.add("wrong data", kind, f"samples {order} in {_LOCKED_THREADS} threads")
        tally.add_round(_LOCKED_THREADS, len(order), 0 if marks in known else len(order))

    def _plan(self, number: int, calls: int) -> list[list[int]]:
        quick = self._quick
        return [
            [quick[(number + thread * calls + k) % len(quick)] for k in range(calls)]
            for thread in range(_LOCKED_THREADS)
        ]


def _copies(fresh: Callable[[], Any], count: int) -> list[Any]:
    """Return an instance for each thread as a pipeline makes them: deep copies of one."""
    original = fresh()
    try:
        return [copy.deepcopy(original) for _ in range(count)]
    except Exception:  # a pipeline could not have it at all, which is no race
        return [fresh() for _ in range(count)]


def _calls(
    call: Call, transform: Any, indices: Sequence[int], inputs: Mapping[int, Any]
) -> list[Any]:
    return [call(transform, i, inputs.get(i)) for i in indices]


def _inputs(subject: Subject, epoch: Sequence[int]) -> Mapping[int, Any]:
    """Return the samples that the calls of a round share; none where each call owns its own."""
    if subject.convention.owns_input:
        return {}
    return {i: subject.private(i) for i in epoch}


def _limit(serial: Serial, order: Sequence[int]) -> float:
    least, times = _LIMIT
    return least + times * sum(serial.seconds[i] for i in order)
