"""What workers do in a run with a memory budget: the same, one item at a time, with leases.

A result travels in a :class:`Leased` envelope together with the leases that cover it. A stage with
a share of the budget leases its own bytes before it works, and lets go of those of its input once
its result has been handed on. Every other stage passes the leases of its input on to its results: a
list carries those of all its items.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Final

from ..errors import BudgetError
from ..stages import Pipe
from .budget import Lease, Share
from .failure import NO_RESULT, Failure, Skipped, contained, refuse_coroutine
from .rescue import Rescue
from .weigh import nbytes
from .workers import Ends

_clock = time.perf_counter

Leases = tuple[Lease, ...]
END: Final = object()


class Leased:
    """An item and the leases that cover it."""

    __slots__ = ("item", "leases")

    def __init__(self, item: Any, leases: Leases) -> None:
        self.item = item
        self.leases = leases


def opened(envelope: Any) -> tuple[Any, Leases]:
    """Return the item in an envelope and its leases."""
    return (envelope.item, envelope.leases) if type(envelope) is Leased else (envelope, ())


def sealed(item: Any, leases: Leases) -> Any:
    """Put an item into an envelope, if any leases cover it."""
    if type(item) in NO_RESULT or not leases:
        release(leases)
        return item
    return Leased(item, leases)


def release(leases: Iterable[Lease]) -> None:
    """Let go of leases."""
    for lease in leases:
        lease.release()


class LeasingWorker:
    """Applies a function or generator function to items.

    Args:
        stage: the stage.
        ends: where it reads, writes and counts.
        share: what it leases from; ``None`` if it passes leases on.
    """

    def __init__(self, stage: Pipe, ends: Ends, share: Share | None) -> None:
        self._stage = stage
        self._ends = ends
        self._share = share
        self._rescue = Rescue(stage, ends.state, ends.counters)

    def run(self) -> None:
        """Work until the input ends."""
        source, target, counters = self._ends.source, self._ends.target, self._ends.counters
        counters.here()
        work = self._iterate if self._stage.kind == "generator" else self._call
        waited = _clock()
        while (taken := source.take(1)) is not None:
            ticket, index, (envelope,) = taken
            counters.starved += _clock() - waited
            item, leases = opened(envelope)
            del taken, envelope  # a worker that waits must not keep its last items alive
            if type(item) is Failure:
                if self._share is not None:
                    self._share.pass_turn(ticket)
                target.put(ticket, (item,))
            else:
                work(ticket, index, item, leases)
            counters.items_in += 1
            del item, leases
            waited = _clock()
        target.close()
        if self._share is not None:
            self._share.see_off()

    def _call(self, ticket: int, index: int, item: Any, leases: Leases) -> None:
        counters = self._ends.counters
        lease = self._lease(ticket, self._foretell(index, item), True)
        begin = _clock()
        if isinstance(lease, Failure | Skipped):
            result, own = lease, None
        else:
            counters.working_on = begin, index
            result, own = settled(self._stage, self._ends, lease, self._apply(index, item))
            counters.working_on = None
        end = _clock()
        counters.timed(begin, end, 1)
        counters.items_out += type(result) not in NO_RESULT
        if self._share is None:
            self._ends.target.put(ticket, (sealed(result, leases),))
        else:
            self._ends.target.put(ticket, (sealed(result, (own,) if own else ()),))
            del item
            release(leases)
        counters.blocked += _clock() - end

    def _apply(self, index: int, item: Any) -> Any:
        try:
            result = self._stage.op(item)
            refuse_coroutine(result)
        except BaseException as error:
            return self._rescue.call(index, item, error)
        return result

    def _iterate(self, ticket: int, index: int, item: Any, leases: Leases) -> None:
        stage, ends, counters = self._stage, self._ends, self._ends.counters
        outputs = contained(
            lambda: stage.op(item), lambda error: self._rescue.verdict(index, item, error)
        )
        own: Lease | None
        weight = self._foretell(index, item)  # of each result
        busy = 0.0
        while True:
            lease = self._lease(ticket, weight, False)
            begin = _clock()
            if isinstance(lease, Failure | Skipped):
                ends.target.put(ticket, (lease,), done=False)
                break
            output = next(outputs, END)
            if output is END:
                release((lease,) if lease else ())
                break
            output, own = settled(stage, ends, lease, output)
            end = _clock()
            busy += end - begin
            counters.items_out += type(output) not in NO_RESULT
            if self._share is None:
                for passed in leases:
                    passed.retain()
            cover = leases if self._share is None else (own,) if own else ()
            ends.target.put(ticket, (sealed(output, cover),), done=False)
            output = None  # a waiting worker must not keep its last item alive
            counters.blocked += _clock() - end
        if self._share is not None:
            self._share.pass_turn(ticket)
        counters.timed(_clock() - busy, _clock(), 1)
        ends.target.put(ticket, (), done=True)
        item = None
        del outputs
        release(leases)

    def _foretell(self, index: int, item: Any) -> int | Failure | Skipped | None:
        if self._share is None:
            return None
        try:
            return foretold(self._stage, item)
        except BaseException as error:
            return self._rescue.verdict(index, item, error)

    def _lease(
        self, ticket: int, weight: int | Failure | Skipped | None, last: bool
    ) -> Lease | Failure | Skipped | None:
        if self._share is None:
            return None
        if isinstance(weight, Failure | Skipped):
            if last:
                self._share.pass_turn(ticket)
            return weight
        begin = _clock()
        try:
            return self._share.reserve(ticket, weight, last)
        except BudgetError as error:
            self._ends.state.fail(error)
            return Failure(error)
        finally:
            self._ends.counters.blocked += _clock() - begin


def foretold(stage: Pipe, item: Any) -> int | None:
    """Return what a result will weigh, or ``None`` if it is to be measured."""
    return int(stage.weight(item)) if callable(stage.weight) else None


def settled(stage: Pipe, ends: Ends, lease: Lease | None, result: Any) -> tuple[Any, Lease | None]:
    """Return a result, and the lease that covers it once it has been weighed."""
    if lease is None:
        return result, None
    if type(result) in NO_RESULT:
        lease.release()
        return result, None
    if not callable(stage.weight):
        try:
            lease.share.settle(lease, nbytes(result))
        except BudgetError as error:
            lease.release()
            ends.state.fail(error)
            return Failure(error), None
    return result, lease
