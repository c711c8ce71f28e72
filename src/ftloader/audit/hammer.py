"""The detector ``hammer``: real threads on one instance, against the results of one thread.

It proves a race by showing it and can never prove that there is none; the text of its evidence
says how frequent a race would have been seen. Each round has a fresh instance, threads that start
at once, and samples that they share; outputs are kept until all have returned, so that a buffer
used again shows. Draws from global generators come from streams of their own meanwhile.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from ..runtime import gil_enabled
from ..safety import ThreadSafety
from ._rounds import Equal, Orders, Rounds
from ._serial import Serial, caller
from ._tally import Tally
from ._threads import Stuck
from .streams import Streams
from .subject import Subject
from .verdict import Evidence

#: With a GIL: the interpreter's own switch interval and a very short one, seconds.
_INTERVALS: Final = (5e-3, 1e-6)
_LEAST_ROUNDS: Final = 3
#: Wrong rounds after which more of them say nothing new.
_ENOUGH: Final = 20


def detect(subject: Subject, threads: Sequence[int] = (2, 4, 8), seconds: float = 10.0) -> Evidence:
    """Run rounds for some time and hold each result against those of one thread.

    Args:
        subject: what is audited. Declared per-thread, each thread has an instance of its own;
            declared locked, results must equal those of some order of the calls.
        threads: thread counts, used in turn.
        seconds: how long; at least three rounds of each thread count are run, unless that takes
            three times as long. It ends early once 20 rounds were wrong.
    """
    if subject.declared is ThreadSafety.ORDER_DEPENDENT:
        return Evidence("hammer", "not run", "declared order-dependent: it runs in one thread")
    with Streams() as streams:
        call = caller(subject, streams)
        serial = Serial(subject, call)
        if streams.add_late():
            # The first calls have imported torch; the reference must have its streams too.
            serial = Serial(subject, call)
        rounds: Rounds
        if subject.declared is ThreadSafety.LOCKED:
            rounds = Orders(subject, call, serial)
        else:
            rounds = Equal(subject, call, serial, threads)
        tally = Tally(rounds.noun)
        with _intervals():
            _run(rounds, tally, seconds)
    return tally.evidence(_suffix(streams))


def _run(rounds: Rounds, tally: Tally, seconds: float) -> None:
    begin = time.monotonic()
    least = _LEAST_ROUNDS * rounds.kinds
    number = 0
    while True:
        spent = time.monotonic() - begin
        if spent >= (seconds if number >= least else 3 * seconds) and number:
            return
        if number >= least and tally.wrong >= _ENOUGH:
            return
        if gil_enabled():
            sys.setswitchinterval(_INTERVALS[number // rounds.kinds % len(_INTERVALS)])
        try:
            rounds.run(number, tally)
        except Stuck as stuck:
            tally.add("hang", "threads do not return", f"round {number}", stuck.where)
            return
        number += 1


@contextmanager
def _intervals() -> Iterator[None]:
    before = sys.getswitchinterval()
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _suffix(streams: Streams) -> str:
    used = " and ".join(sorted(streams.used))
    said = (
        f"; draws from {used} got a stream per call"
        if used
        else "; no draw from a global generator"
    )
    said += f" ({streams.replaced} functions replaced)"
    return said + ("; GIL on, switching every 5 ms and 1 µs in turn" if gil_enabled() else "")
