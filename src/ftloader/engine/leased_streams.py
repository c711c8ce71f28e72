"""Regrouping and asynchronous stages in a run with a memory budget."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from ..errors import BudgetError
from ..stages import Disaggregate, Pipe
from .astage import AsyncStage
from .budget import Lease, Share
from .failure import Failure, Skipped
from .leasing import Leases, foretold, opened, release, sealed, settled
from .outlet import NOTHING, call_soon, future_setter
from .regroup import Regrouper
from .workers import Ends

_clock = time.perf_counter


class Held:
    """The leases of items that a regrouping stage holds, until they leave in a group."""

    def __init__(self) -> None:
        # With the item's identity, which is its own while it is alive.
        self._coming: list[tuple[int, Leases]] = []
        self._back: list[tuple[int, Leases]] = []

    def add(self, item: Any, leases: Leases) -> None:
        """Take the leases of an item that may complete a group."""
        self._coming.append((id(item), leases))

    def keep(self) -> None:
        """Say that no group came of what was added: it has to wait for more."""
        for _, leases in self._coming:
            for lease in leases:
                lease.share.hold_back(lease.weight)
        self._back += self._coming
        self._coming.clear()

    def claim(self, group: Any) -> Leases:
        """Return the leases of the items in a group, and keep them no longer."""
        parts = {id(part) for part in group} if isinstance(group, list | tuple) else {id(group)}
        return self._pull(parts)

    def claim_all(self) -> Leases:
        """Return all leases, and keep none."""
        return self._pull({part for part, _ in self._back + self._coming})

    def _pull(self, parts: set[int]) -> Leases:
        back = tuple(lease for part, leases in self._back if part in parts for lease in leases)
        coming = tuple(lease for part, leases in self._coming if part in parts for lease in leases)
        self._back = [entry for entry in self._back if entry[0] not in parts]
        self._coming = [entry for entry in self._coming if entry[0] not in parts]
        for lease in back:
            lease.share.hold_back(-lease.weight)
        return back + coming


def regroup_leased(grouper: Regrouper, ends: Ends) -> None:
    """Regroup the stream; a group carries the leases of its items, an element its item's."""
    source, target, counters = ends.source, ends.target, ends.counters
    counters.here()
    held = Held()
    ticket = 0

    def hand_on(output: Any, leases: Leases) -> None:
        if not counters.count(ends.name, output):
            ends.state.fail(output.error)
        begin = _clock()
        target.put(ticket, (sealed(output, leases),), done=False)
        counters.blocked += _clock() - begin

    waited = _clock()
    while (taken := source.take(1)) is not None:
        ticket, _, (envelope,) = taken
        begin = _clock()
        counters.starved += begin - waited
        blocked = counters.blocked
        item, leases = opened(envelope)
        del taken, envelope
        if isinstance(grouper.stage, Disaggregate):
            for output in grouper.add(item):
                for lease in leases:
                    lease.retain()
                hand_on(output, leases)
                output = None
            release(leases)
        else:
            held.add(item, leases)
            for output in grouper.add(item):
                hand_on(output, held.claim(output))
                output = None
            held.keep()
        counters.items_in += 1
        del item, leases
        waited = _clock()
        counters.timed(begin + counters.blocked - blocked, waited, 1)
    for output in grouper.flush():
        hand_on(output, held.claim(output))
    release(held.claim_all())
    target.close()


class LeasingAsyncStage(AsyncStage):
    """An asynchronous stage that leases before it works, or passes leases on.

    Args:
        stage: the stage.
        ends: where it reads, writes and counts.
        buffer: results that may wait beyond those of the operations in flight.
        share: what it leases from; ``None`` if it passes leases on.
    """

    def __init__(self, stage: Pipe, ends: Ends, buffer: int, share: Share | None) -> None:
        super().__init__(stage, ends, buffer)
        self._share = share
        self._covers: dict[int, Leases] = {}  # of the items at work, if it passes them on

    async def _work(self, index: int, envelope: Any) -> tuple[Any] | None:
        item, leases = opened(envelope)
        del envelope
        # Items are taken one by one, so an item's position is its ticket as well.
        lease = await self._lease(index, item)
        if isinstance(lease, Failure | Skipped):
            release(leases)
            return (lease,)
        if self._share is None:
            self._covers[index] = leases
        outcome = await super()._work(index, item)
        if outcome is None or self._share is None:
            return outcome
        result, own = settled(self._stage, self._ends, lease, outcome[0])
        release(leases)
        return (sealed(result, (own,) if own else ()),)

    def _emit(self, index: int, output: Any, done: bool, sent: Callable[[], None]) -> None:
        if self._share is None:
            leases = self._covers.get(index, ())
            if done:
                self._covers.pop(index, None)
            else:
                for lease in leases:
                    lease.retain()
            if output is NOTHING:
                release(leases)
            else:
                output = sealed(output, leases)
        super()._emit(index, output, done, sent)

    async def _lease(self, index: int, item: Any) -> Lease | Failure | Skipped | None:
        if self._share is None:
            return None
        if type(item) is Failure:
            (await self._reserve(self._share, index, 0)).release()
            return item
        try:
            weight = foretold(self._stage, item)
        except BaseException as error:
            (await self._reserve(self._share, index, 0)).release()
            return self._rescue.verdict(index, item, error)
        begin = _clock()
        try:
            return await self._reserve(self._share, index, weight)
        except BudgetError as error:
            self._ends.state.fail(error)
            return Failure(error)
        finally:
            self._ends.counters.blocked += _clock() - begin

    async def _reserve(self, share: Share, ticket: int, weight: int | None) -> Lease:
        while True:
            future = self._loop.create_future()
            waker = partial(call_soon, self._loop, future_setter(future))
            lease = share.try_reserve(ticket, weight, waker)
            if lease is not None:
                return lease
            await future
