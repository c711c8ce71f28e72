"""The byte budget under many schedules: no deadlock for any mix of sizes, and never overdrawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType

import pytest

from ftloader.engine import bells, budget, state, waiting
from ftloader.errors import BudgetError

from .instrument import points_in
from .primitives import Semaphore
from .scheduler import Program, Timing, explore, here, walk

#: What is under test, each after those that it imports from.
MODULES = (state, bells, waiting, budget)
EARLY = Timing(early_timeouts=True)


@dataclass(frozen=True)
class Setup:
    """Makers that lease in ticket order, and a reader that lets go of results, in order too.

    Args:
        size: bytes of the share.
        weights: what each ticket's result weighs; 0 for a ticket without one.
        makers: they take the tickets in turn.
        measured: whether a weight is known only when the result is there.
        loop: whether the makers never wait inside the share, as the event loop does.
        group: how many results the reader collects before it lets go of them.
        said: whether the reader says that it holds them back; it need not where all of them fit.
        stopped: whether another thread stops the run, at any point.
    """

    size: int
    weights: tuple[int, ...]
    makers: int = 2
    measured: bool = False
    loop: bool = False
    group: int = 1
    said: bool = True
    stopped: bool = False

    def __str__(self) -> str:
        said = f"{self.makers} make {self.weights} in {self.size}"
        said += ", measured" if self.measured else ""
        said += ", on the loop" if self.loop else ""
        said += f", in groups of {self.group}" if self.group > 1 else ""
        said += " that nobody is told of" if not self.said else ""
        return said + (", stopped" if self.stopped else "")

    @property
    def fits(self) -> bool:
        """Whether every group can be complete."""
        real = [weight for weight in self.weights if weight]
        groups = [real[n : n + self.group] for n in range(0, len(real), self.group)]
        return all(sum(group) <= self.size for group in groups)


class Bench:
    """One instance of a setup.

    Args:
        setup: the program.
        freed_by_maker: whether bytes come back through the thread that made them.
        module: the share's, which may be a mutant.
    """

    def __init__(self, setup: Setup, freed_by_maker: bool, module: ModuleType = budget) -> None:
        self.setup = setup
        self.state = state.RunState()
        self.share = module.Share(self.state, "stage", setup.size)
        self.share._freed_by_maker = self.freed_by_maker = freed_by_maker
        self.leases: dict[int, budget.Lease] = {}
        self.made = [Semaphore(0) for _ in setup.weights]
        self.refused = False
        self.used = 0  # when last looked at
        # A result that is measured and heavier than those before may overdraw the share.
        self.most = sum(setup.weights) if setup.measured else setup.size
        self.state.register(self)

    def program(self) -> Program:
        threads: dict[str, Callable[[], object]] = {
            f"maker{number}": self._guarded(self._maker(number))
            for number in range(self.setup.makers)
        }
        threads["reader"] = self._guarded(self._read)
        if self.setup.stopped:
            threads["stopper"] = self.state.stop
        return Program(threads, at_end=self.check, always=self.watch)

    def wake_all(self, timeout: float) -> None:
        """Do what a channel does when the run is stopped."""
        for made in self.made:
            made.release()

    def _guarded(self, body: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                body()
            except BudgetError:
                assert not self.setup.fits, "what fits was refused"
                self.refused = True
                self.state.stop()
            except state.Stopped:
                assert self.setup.stopped or self.refused

        return run

    def _maker(self, number: int) -> Callable[[], None]:
        def make() -> None:
            for ticket in range(number, len(self.setup.weights), self.setup.makers):
                weight = self.setup.weights[ticket]
                if not weight and not self.setup.loop:
                    self.share.pass_turn(ticket)
                elif not weight:
                    self._reserve(ticket, 0).release()
                else:
                    lease = self._reserve(ticket, None if self.setup.measured else weight)
                    if self.setup.measured:
                        self.share.settle(lease, weight)
                    self.leases[ticket] = lease
                self.made[ticket].release()
            if self.setup.loop:
                self.share.collect()
            else:
                self.share.see_off()

        return make

    def _reserve(self, ticket: int, weight: int | None) -> budget.Lease:
        if not self.setup.loop:
            granted: budget.Lease = self.share.reserve(ticket, weight)
            return granted
        lease: budget.Lease | None
        bell = Semaphore(0)
        while True:
            lease = self.share.try_reserve(ticket, weight, bell.release)
            if lease is not None:
                return lease
            self._unless_stopped()
            bell.acquire()

    def _unless_stopped(self) -> None:
        if self.state.stopped:
            raise state.Stopped

    def _read(self) -> None:
        collected: list[budget.Lease] = []
        for made, ticket in zip(self.made, range(len(self.setup.weights)), strict=True):
            made.acquire()
            self._unless_stopped()
            if ticket not in self.leases:
                continue
            collected.append(self.leases.pop(ticket))
            if len(collected) < self.setup.group:
                self._hold_back(collected[-1].weight)
                continue
            self._hold_back(-sum(lease.weight for lease in collected[:-1]))
            for lease in collected:
                lease.release()
            collected = []
        if collected:
            self._hold_back(-sum(lease.weight for lease in collected))
            for lease in collected:
                lease.release()

    def _hold_back(self, weight: int) -> None:
        if self.setup.said:
            self.share.hold_back(weight)

    def watch(self) -> None:
        share = self.share
        before, self.used = self.used, share.used
        assert self.used >= 0
        assert self.used <= self.most, "the share is overdrawn"
        if not share._returned and self.used >= before:
            return
        due = sum(share._returned.values())
        assert self.used >= due, "more bytes are to come back than are leased"
        if self.used < before and self.freed_by_maker and (place := here()) is not None:
            assert place[1].name != "reader", "bytes came back before their maker ran"

    def check(self) -> None:
        if self.refused or self.setup.stopped:
            return
        assert self.setup.fits, "what cannot fit was not refused"
        # The loop goes on collecting until the run ends; threads stay until all is back.
        due = sum(self.share._returned.values()) if self.setup.loop else 0
        assert self.share.used == due, "bytes have not come back"
        assert not self.leases


SETUPS = [
    Setup(3, (3, 2, 1)),
    Setup(2, (2, 0, 1)),
    Setup(3, (1, 3, 2), measured=True),
    Setup(4, (2, 2, 1), group=2),
    Setup(3, (2, 1), group=2, makers=3),
    Setup(3, (2, 2), group=2),
    Setup(3, (1, 1, 2), group=3),
    Setup(2, (2, 2), stopped=True),
    Setup(2, (1, 1), group=2, said=False),
    Setup(2, (2, 0, 1), loop=True, makers=1),
    Setup(3, (2, 2), loop=True, group=2),
    Setup(2, (2, 1), loop=True, measured=True, stopped=True),
]


@pytest.fixture(params=[False, True], ids=["freed at once", "freed by the maker"])
def freed_by_maker(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def instrumented() -> Iterator[None]:
    with points_in(*MODULES):
        yield


@pytest.mark.usefixtures("instrumented")
@pytest.mark.parametrize("setup", SETUPS, ids=str)
def test_a_share_is_never_overdrawn_and_never_blocks_for_ever(
    setup: Setup, freed_by_maker: bool, deeper: int | None
) -> None:
    explore(
        lambda: Bench(setup, freed_by_maker).program(), 1 if deeper is None else deeper, delays=True
    )


@pytest.mark.usefixtures("instrumented")
@pytest.mark.parametrize("setup", SETUPS, ids=str)
def test_a_share_holds_under_random_schedules_and_early_time_outs(
    setup: Setup, freed_by_maker: bool, walks: int
) -> None:
    walk(lambda: Bench(setup, freed_by_maker).program(), walks, seed=1, timing=EARLY)
