"""One call that is stopped at a given point while another call runs from beginning to end."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ...safety import ThreadSafety
from .._places import of_frame
from .._shared import Shared
from .._watching import Point, Torn, Watch
from ..rngs import restore, states
from ..subject import Subject
from ._outcomes import Outcome, result

#: Seconds after which a call that should be over counts as hung.
_HUNG: Final = 15.0


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of two calls of which one was interrupted by the other.

    Attributes:
        outcomes: of the interrupted and of the other call.
        results: what they returned.
        torn: torn reads of either.
        waited: whether the other call had to wait for the interrupted one, as for its lock.
        hung: where a call stands that never came back, empty if both did.
    """

    outcomes: tuple[Outcome, Outcome]
    results: tuple[Any, Any]
    torn: tuple[Torn, ...]
    waited: bool
    hung: str = ""


class _Call(threading.Thread):
    """A call in a thread of its own, which nobody has to wait for."""

    def __init__(self, work: Callable[[], tuple[Outcome, Any]]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self.made: tuple[Outcome, Any] = ("never came back", None)

    def run(self) -> None:
        self.made = self._work()

    @property
    def stands(self) -> str:
        """Where it is now, as ``file:line``."""
        return of_frame(sys._current_frames().get(self.ident or 0)) or "code of a library"


def pair(subject: Subject, apart: bool) -> tuple[Any, Any]:
    """Return the fresh transforms of two threads: one for both, or two if so wanted."""
    one = subject.fresh()
    return one, subject.fresh() if apart else one


def are_apart(subject: Subject, point: Point) -> bool:
    """Whether two threads have an instance each at a point.

    So they have where it is declared, and where the point is no instance's own: what a class or a
    descriptor keeps is shared by all instances, and harm shows between two of them.
    """
    own = point.path.startswith(("self.", "self["))
    return subject.declared is ThreadSafety.PER_THREAD or not own


def in_turn(subject: Subject, first: int, second: int, apart: bool) -> tuple[Outcome, Outcome]:
    """Return the outcomes of two calls one after the other, as two threads would do them."""
    one, two = pair(subject, apart)
    return result(subject, one, first)[0], result(subject, two, second)[0]


def interrupted(subject: Subject, point: Point, i: int, j: int, limit: float) -> Trial | None:
    """Stop a call at a point, let another one run, and go on.

    Args:
        subject: what is audited.
        point: where; the first time that the call gets there.
        i: sample of the call that is stopped.
        j: sample of the other call.
        limit: seconds for the other call, after which it counts as waiting for the first.

    Returns:
        None if the call did not get to the point.
    """
    stopped, go_on = threading.Event(), threading.Event()
    one, two = pair(subject, are_apart(subject, point))

    def visit(at: Point, value: Any) -> None:
        if at == point and threading.current_thread() is call and not stopped.is_set():
            stopped.set()
            go_on.wait(_HUNG)

    def alone() -> tuple[Outcome, Any]:
        try:
            return result(subject, one, i)
        finally:
            finished.set()
            stopped.set()

    finished = threading.Event()
    call = _Call(alone)
    objects = [*Shared(one).objects, *(Shared(two).objects if two is not one else ())]
    with Watch(objects, visit) as watch:
        call.start()
        stopped.wait(_HUNG)
        # Each thread sees the global generators as if it were alone.
        before = states()
        other = _Call(lambda: result(subject, two, j))
        waited = False
        if stopped.is_set() and not finished.is_set():
            other.start()
            other.join(limit)
            waited = other.is_alive()
        restore(before)
        go_on.set()
        call.join(_HUNG)
        if other.ident is not None:
            other.join(_HUNG)
        stuck = [each.stands for each in (call, other) if each.is_alive()]
        if other.ident is None and not stuck:
            return None
        (outcome, made), (other_outcome, other_made) = call.made, other.made
        torn = tuple(watch.torn)
    hung = stuck[0] if stuck else ""
    return Trial((outcome, other_outcome), (made, other_made), torn, waited, hung)
