"""A call interrupted by another one at every write to an attribute: the worst case, on purpose.

Every call is watched once, to learn where it writes to attributes and where it reads what it has
written. Then it is stopped at each of these points, while another thread runs a whole call on
another sample, and goes on. Both results must be those of one of the two serial orders, and no call
may read an attribute that another one has overwritten since. Writes into containers and arrays are
no points to stop at; the ``state`` detector sees them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

from ...safety import ThreadSafety
from .._places import shown
from .._shared import Shared
from .._watching import Point, Watch
from ..digest import digest
from ..rngs import seed_all, states
from ..subject import SEED, Subject
from ..verdict import Evidence, Finding, found
from ._outcomes import Outcome, differ, outcome
from ._parking import Trial, are_apart, in_turn, interrupted
from .labels import torn

NAME: Final = "park"
#: Points that are tried, other samples at each, and seconds for all together, at most.
_POINTS: Final = 32
_OTHERS: Final = 4
_SECONDS: Final = 10.0
#: A call that takes longer than this many times its time alone is waiting for something.
_PATIENCE: Final = 20
_SHORTEST: Final = 0.3
_HINT: Final = "keep it in a local variable, or hold one lock from the writing to the last reading"


class _Survey:
    """Where each call writes, what, and how long it takes alone.

    Attributes:
        hits: by point, the samples whose calls get there, and the digest of what they write.
        seconds: by sample.
        refused: objects that cannot be watched.
        odd: samples whose result is another one when they are watched.
        draws: whether a call touches the global random generators.
        repeatable: whether fresh instances give the same results again.
    """

    def __init__(self, subject: Subject) -> None:
        self.hits: dict[Point, dict[int, str]] = {}
        self.seconds: list[float] = []
        self.refused = 0
        self.odd: list[int] = []
        self.draws = False
        self.repeatable = True
        for i in range(len(subject.samples)):
            self._look(subject, i)

    def _look(self, subject: Subject, i: int) -> None:
        transform = subject.fresh()
        seed_all(SEED + i)
        seeded, start = digest(states()), time.perf_counter()
        alone = outcome(subject, transform, i)
        self.seconds.append(time.perf_counter() - start)
        self.draws |= digest(states()) != seeded
        transform = subject.fresh()

        def visit(point: Point, value: Any) -> None:
            samples = self.hits.setdefault(point, {})
            if i not in samples:
                samples[i] = "" if point.moment == "before reading" else digest(value)

        with Watch(Shared(transform).objects, visit) as watch:
            watched = outcome(subject, transform, i)
        self.refused = max(self.refused, watch.refused)
        self.repeatable &= alone == outcome(subject, subject.fresh(), i)
        if watched != alone:
            self.odd.append(i)

    def trials(self, point: Point) -> Iterator[tuple[int, int]]:
        """Yield samples for the call to be stopped and for the other, the best first."""
        samples = self.hits[point]
        i = min(samples, key=self.seconds.__getitem__)

        def worth(j: int) -> tuple[bool, bool, float]:
            # Best is who gets there too, and writes something else.
            return j not in samples, samples.get(j, "") == samples[i], self.seconds[j]

        others = sorted((j for j in range(len(self.seconds)) if j != i), key=worth)
        yield from ((i, j) for j in others[:_OTHERS])


def detect(subject: Subject) -> Evidence:
    """Interrupt calls at each of their writes."""
    if subject.declared is ThreadSafety.ORDER_DEPENDENT:
        return Evidence(NAME, "not run", "declared order-dependent: one thread calls it")
    if len(subject.samples) < 2:
        return Evidence(NAME, "not run", "one sample only; give at least two that differ")
    survey = _Survey(subject)
    if survey.odd and survey.repeatable:
        text = f"sample {survey.odd[0]}: another result when its attributes are watched"
        return Evidence(NAME, "not run", text)
    unseen = f"; {survey.refused} objects cannot be watched" if survey.refused else ""
    if not survey.hits:
        text = f"no attribute written in {len(subject.samples)} calls: no point to interrupt"
        return found(NAME, text + unseen, [], {"points": 0})
    return _Interruptions(subject, survey).evidence(unseen)


class _Interruptions:
    """All trials of one audit, and what they add up to."""

    def __init__(self, subject: Subject, survey: _Survey) -> None:
        self._subject = subject
        self._survey = survey
        self._findings: dict[str, Finding] = {}
        self._serial: dict[tuple[int, int, bool], set[tuple[Outcome, Outcome]]] = {}
        self._tried = self._trials = self._waited = self._unstable = 0
        self._end = time.perf_counter() + _SECONDS

    def evidence(self, unseen: str) -> Evidence:
        """Try every point until the time is up."""
        for point in list(self._survey.hits)[:_POINTS]:
            if time.perf_counter() > self._end:
                break
            self._tried += 1
            if point.path not in self._findings and not self._interrupt(point):
                break
        total = len(self._survey.hits)
        count = f"{self._tried} of {total}" if self._tried < total else str(total)
        text = f"calls interrupted at {count} points by {self._trials} others: "
        text += "harm seen" if self._findings else "no harm seen"
        if self._waited:
            text += f"; at {self._waited} the other waited for a lock"
        if self._unstable:
            text += f"; {self._unstable} results cannot be had again, not compared"
        numbers = {"points": self._tried, "trials": self._trials, "waited": self._waited}
        return found(NAME, text + unseen, list(self._findings.values()), numbers)

    def _interrupt(self, point: Point) -> bool:
        """Try one point; False if a call has hung, so that no more can be tried."""
        for i, j in self._survey.trials(point):
            limit = max(_SHORTEST, _PATIENCE * self._survey.seconds[j])
            trial = interrupted(self._subject, point, i, j, limit)
            if trial is None:
                continue
            self._trials += 1
            self._waited += trial.waited
            finding = self._judged(point, i, j, trial)
            if finding is not None:
                self._findings[point.path] = finding
            if trial.hung:
                return False
            # Where it had to wait once, it has to every time.
            if finding is not None or trial.waited:
                break
        return True

    def _judged(self, point: Point, i: int, j: int, trial: Trial) -> Finding | None:
        where = shown(point.file, point.line)
        at = f"{point.moment} {point.path}"
        if trial.hung:
            what = f"never comes back when another call runs {at}"
            return Finding(NAME, "hang", what, trial.hung, _HINT)
        for tear in trial.torn[:1]:
            what = (
                f"reads {tear.read.path}, which another call has overwritten since it was written "
                f"in {shown(tear.own.file, tear.own.line)}"
            )
            read = shown(tear.read.file, tear.read.line)
            return Finding(NAME, "wrong data", what, read, _HINT)
        # Calls that ran at the same time in the end may have drawn each other's numbers.
        if not self._survey.repeatable or (trial.waited and self._survey.draws):
            self._unstable += 1
            return None
        apart = are_apart(self._subject, point)
        if trial.outcomes in self._orders(i, j, apart):
            return None
        again = self._serial.pop((i, j, apart))
        if self._orders(i, j, apart) != again:
            self._unstable += 1
            return None
        what = f"another call {at}: {self._harm(i, j, apart, trial)}"
        return Finding(NAME, "wrong data", what, where, _HINT)

    def _orders(self, i: int, j: int, apart: bool) -> set[tuple[Outcome, Outcome]]:
        """Return what the two calls come to in either order."""
        key = (i, j, apart)
        if key not in self._serial:
            second, first = in_turn(self._subject, j, i, apart)
            self._serial[key] = {in_turn(self._subject, i, j, apart), (first, second)}
        return self._serial[key]

    def _harm(self, i: int, j: int, apart: bool, trial: Trial) -> str:
        serial = in_turn(self._subject, i, j, apart)
        for who, number, now, then, made in (
            ("the interrupted one", i, trial.outcomes[0], serial[0], trial.results[0]),
            ("the other one", j, trial.outcomes[1], serial[1], trial.results[1]),
        ):
            if now != then:
                boxes = torn(self._subject, number, made) if made is not None else None
                return f"{who} {differ(then, now)}" + (f" ({boxes})" if boxes else "")
        return "their results fit no order of the two calls"
