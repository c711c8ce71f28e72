"""What a transform gives in one thread: the results that those of many threads must equal."""

from __future__ import annotations

import math
import re
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..errors import summary
from ._places import of_error
from .digest import digest
from .streams import Streams
from .subject import SEED, Subject

#: Seconds of work in most rounds, of one thread, and in one with every sample to have it often.
_ROUND: Final = 0.02
_WHOLE: Final = 0.1
#: Samples in a round, at least.
_FEWEST: Final = 4
#: How often a round goes through its samples, at least and at most.
_PASSES: Final = (2, 16)
_RAISES: Final = "raises "
_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]+")


@dataclass(frozen=True, slots=True)
class Raised:
    """What a call raised, as its outcome.

    Attributes:
        text: type and message, without addresses.
        where: the line.
    """

    text: str
    where: str


#: Calls a transform on a sample: ``(transform, position, sample or None)``.
Call = Callable[[Any, int, Any], Any]


def caller(subject: Subject, streams: Streams) -> Call:
    """Return a function whose draws from global generators depend on the sample alone.

    It returns what the transform returns, or :class:`Raised`; safe to call from any thread.
    """

    def call(transform: Any, i: int, sample: Any) -> Any:
        streams.begin(SEED + i)
        try:
            return subject.call(transform, i, sample, seeded=False)
        except BaseException as error:
            return Raised(_ADDRESS.sub("0x", summary(error)), of_error(error))

    return call


def mark(outcome: Any) -> str:
    """Return what tells outcomes apart."""
    return _RAISES + outcome.text if isinstance(outcome, Raised) else digest(outcome)


class Serial:
    """The results of fresh instances in one thread.

    Args:
        subject: what is audited.
        call: what :func:`caller` returned.

    Attributes:
        marks: of each sample's outcome.
        raising: samples on which it raises in one thread, in some order at least.
        unstable: samples whose outcome depends on the order of calls in one thread already.
        seconds: what each sample took.
    """

    def __init__(self, subject: Subject, call: Call) -> None:
        self._subject, self._call = subject, call
        every = range(len(subject.samples))
        self.seconds = [0.0 for _ in every]
        # The first pass is not measured: imports and first-call work are in it.
        self.marks = self._pass(every)
        others = [self._pass(list(reversed(every))), self._pass([*every[1:], *every[:1]])]
        self.unstable = frozenset(
            i for i in every if any(other[i] != self.marks[i] for other in others)
        )
        self.raising = frozenset(
            i for i in every for marks in (self.marks, *others) if marks[i].startswith(_RAISES)
        )
        typical = statistics.median(self.seconds)
        self._slow = [i for i in every if self.seconds[i] > 4 * typical]
        # Rounds with every sample: one in three, or one in twelve where they take long.
        self._seldom = 3 if _PASSES[0] * sum(self.seconds) <= _WHOLE else 12
        self._quick = [i for i in every if i not in self._slow]

    def round(self, number: int) -> tuple[list[int], int]:
        """Return the samples of a round, and how often it goes through them.

        Rounds of three kinds take turns: short ones, of which there can be many, for what goes
        wrong in the first calls of an instance; longer ones; and those with every sample, of
        which there are few where that takes long.
        """
        every = sorted(self._quick + self._slow)
        if number % self._seldom == 2:
            return every, _PASSES[0]
        turn = number // 3
        if number % 3 != 1:
            return self._short(turn), _PASSES[0]
        one = [self._slow[turn % len(self._slow)]] if self._slow else []
        epoch = [*self._short(turn), *one]
        once = sum(self.seconds[i] for i in epoch)
        return epoch, max(_PASSES[0], min(_PASSES[1], math.ceil(_ROUND / max(once, 1e-6))))

    def _short(self, turn: int) -> list[int]:
        """Return quick samples for a short round, others in each turn if they do not all fit."""
        begin = turn * _FEWEST % len(self._quick)
        rotated = self._quick[begin:] + self._quick[:begin]
        spent = 0.0
        for count, i in enumerate(rotated):
            spent += _PASSES[0] * self.seconds[i]
            if spent > _ROUND and count >= _FEWEST:
                return sorted(rotated[:count])
        return self._quick

    def quickest(self, count: int) -> list[int]:
        """Return the samples that take least time."""
        return sorted(range(len(self.seconds)), key=self.seconds.__getitem__)[:count]

    def orders(self, plan: Sequence[Sequence[int]]) -> frozenset[tuple[str, ...]]:
        """Return the results that calls can have in some order.

        Args:
            plan: the samples that each thread calls it on, in that thread's order.

        Returns:
            For each interleaving of whole calls, the marks of the first thread's results, then of
            the second's, and so on.
        """
        results = set()
        for order in _interleavings([len(samples) for samples in plan]):
            transform = self._subject.fresh()
            done: list[list[str]] = [[] for _ in plan]
            for thread in order:
                i = plan[thread][len(done[thread])]
                done[thread].append(mark(self._call(transform, i, None)))
            results.add(tuple(one for thread in done for one in thread))
        return frozenset(results)

    def _pass(self, order: Sequence[int]) -> list[str]:
        transform = self._subject.fresh()
        marks = ["" for _ in order]
        for i in order:
            begin = time.perf_counter()
            outcome = self._call(transform, i, None)
            self.seconds[i] = time.perf_counter() - begin
            marks[i] = mark(outcome)
        return marks


def _interleavings(counts: list[int]) -> Iterator[tuple[int, ...]]:
    """Yield every order of ``counts[t]`` calls of each thread t."""
    if not any(counts):
        yield ()
    for thread, count in enumerate(counts):
        if count:
            rest = [c - (t == thread) for t, c in enumerate(counts)]
            for order in _interleavings(rest):
                yield (thread, *order)
