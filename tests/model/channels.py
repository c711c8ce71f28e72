"""Programs around one channel, as the model checker runs them, and what must hold in all of them.

The stage before is played by writers that own tickets, the source by a feeder, the stage behind by
readers; the event loop's side is played by threads that never wait inside the channel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ftloader import Pipeline
from ftloader.engine import bells, channel, state, waiting
from ftloader.engine.failure import Skipped
from ftloader.engine.skips import Sieve, SkipLog
from ftloader.errors import StageError
from ftloader.options import RunOptions
from ftloader.policy import FailureRecord
from ftloader.stages import Pipe

from .primitives import Semaphore
from .scheduler import Program

#: What is under test, each after those that it imports from.
MODULES = (state, bells, waiting, channel)
#: How often the interpreter's end is looked for; a wait that needs that look has been forgotten.
LOOK = 0.2
#: In place of an item that the stage before has skipped.
SKIP = "-"
SKIPPED = Skipped(
    StageError("stage", None, SKIP, ValueError()),
    FailureRecord("stage", None, SKIP, 1, "ValueError", ""),
)
(SKIPPING,) = Pipeline(()).pipe(int, name="stage", on_error="skip").stages


@dataclass(frozen=True)
class Setup:
    """One program.

    Args:
        tickets: the items of each ticket, ``SKIP`` for a skipped one; the writers take the tickets
            in turn.
        writers: how many; 0 for a feeder that hands over single items without tickets.
        readers: how many; a single one may be the run's own reader (``read``).
        capacity: of the channel.
        ordered: whether it restores order.
        pace: of the writers; above 1 their items are cheap.
        limit: how many items a reader takes at once.
        read: ``"take"``, ``"read"``, or ``"poll"`` as the event loop does.
        write: ``"put"``, or ``"let_in"`` as the event loop does.
        streams: whether each item is handed over by itself, and the end of the ticket after it.
        stopped: whether another thread stops the run, at any point.
    """

    tickets: Sequence[Sequence[Any]]
    writers: int = 1
    readers: int = 1
    capacity: int = 1
    ordered: bool = True
    pace: int = 1
    limit: int = 1
    read: str = "take"
    write: str = "put"
    streams: bool = False
    stopped: bool = False

    @property
    def skips(self) -> bool:
        """Whether the stage before skips items."""
        return any(SKIP in items for items in self.tickets)

    def __str__(self) -> str:
        said = [f"{len(self.tickets)} tickets", f"{self.writers} to {self.readers}"]
        said += [f"capacity {self.capacity}", "in order" if self.ordered else "as they come"]
        said += [self.write if self.writers else "feed", self.read]
        said += [f"pace {self.pace}"] if self.pace > 1 else []
        said += ["some skipped"] if self.skips else []
        said += ["streamed"] if self.streams else []
        said += ["stopped"] if self.stopped else []
        return ", ".join(said)


class Bench:
    """One instance of a setup: the channel, the bodies of its threads, and what they saw.

    Args:
        setup: the program.
        module: the channel's, which may be a mutant.
    """

    def __init__(self, setup: Setup, module: ModuleType = channel) -> None:
        self.setup = setup
        self.state = module.RunState()
        self.stopped = module.Stopped
        self.channel = module.Channel(
            self.state,
            setup.capacity,
            ordered=setup.ordered and setup.writers > 1,
            writers=max(1, setup.writers),
            readers=setup.readers,
            elastic=setup.pace > 1,
            sieve=self._sieve() if setup.skips else None,
        )
        self.empty = module.EMPTY
        room = self.channel.room(setup.pace)
        writers = max(1, setup.writers)
        single = setup.streams or not setup.writers or setup.write == "let_in"
        chunk = 1 if single else max(map(len, setup.tickets))
        # A writer enters below the bound, and brings one chunk; the next ticket's writer enters
        # below `room` whatever waits for it, which is `writers` chunks and `room` at most.
        self.held_below = 2 * room + writers + chunk
        self.ready_below = self.held_below if setup.ordered and writers > 1 else room + chunk
        self.taken: list[tuple[int, int, list[Any]]] = []
        self.bells: list[Semaphore] = []  # of those who never wait inside the channel
        self.state.register(self)

    def _sieve(self) -> Sieve:
        assert isinstance(SKIPPING, Pipe)
        return Sieve(SKIPPING, SkipLog(RunOptions()), self.state.fail, lambda: 0, lambda: 0)

    def program(self) -> Program:
        setup = self.setup
        threads: dict[str, Callable[[], object]] = {}
        for number in range(setup.writers):
            threads[f"writer{number}"] = self._unless_stopped(self._writer(number))
        if not setup.writers:
            threads["feeder"] = self._unless_stopped(self._feed)
        for number in range(setup.readers):
            threads[f"reader{number}"] = self._unless_stopped(getattr(self, f"_{setup.read}"))
        if setup.stopped:
            threads["stopper"] = self.state.stop
        return Program(threads, at_end=self.check, always=self.watch)

    def _unless_stopped(self, body: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                body()
            except self.stopped:
                assert self.setup.stopped, "nobody stopped this run"

        return run

    def _writer(self, number: int) -> Callable[[], None]:
        def write() -> None:
            for ticket in range(number, len(self.setup.tickets), self.setup.writers):
                items = [SKIPPED if item == SKIP else item for item in self.setup.tickets[ticket]]
                if self.setup.streams:
                    for item in items:
                        hand_over(ticket, [item], False)
                    items = []
                hand_over(ticket, items, True)
            self.channel.close()

        def hand_over(ticket: int, items: Sequence[Any], done: bool) -> None:
            if self.setup.write == "put":
                self.channel.put(ticket, items, done=done, pace=self.setup.pace)
                return
            left = list(items)
            while left:
                bell = self._bell()
                del left[: self.channel.let_in(left, bell.release)]
                if left:
                    bell.acquire()

        return write

    def _feed(self) -> None:
        room = self.channel.room(self.setup.pace)
        for items in self.setup.tickets:
            for item in items:
                self.channel.feed(item, self.setup.pace, room)
        self.channel.close()

    def _take(self) -> None:
        while (taken := self.channel.take(self.setup.limit)) is not None:
            self.taken.append(taken)

    def _read(self) -> None:
        while items := self.channel.read(self.setup.limit):
            index = sum(len(taken[2]) for taken in self.taken)
            self.taken.append((len(self.taken), index, items))

    def _poll(self) -> None:
        while True:
            bell = self._bell()
            taken = self.channel.poll(self.setup.limit, bell.release)
            if taken is None:
                return
            if taken == self.empty:
                bell.acquire()
            else:
                self.taken.append(taken)

    def _bell(self) -> Semaphore:
        """Return what wakes a loop: called by the channel, or by the end of the run."""
        bell = Semaphore(0)
        self.bells.append(bell)
        if self.state.stopped:
            raise self.stopped
        return bell

    def wake_all(self, timeout: float) -> None:
        """Do what the event loop does when the run is stopped."""
        for bell in list(self.bells):
            bell.release()

    # What must hold. The only place that knows the channel's inside.

    def watch(self) -> None:
        """Bounds, at every point."""
        ready = len(self.channel._ready)
        held = ready + self.channel._early
        assert held < self.held_below, f"{held} items are held"
        assert ready < self.ready_below, f"{ready} items are ready"

    def check(self) -> None:
        """What has been taken, when all have ended."""
        taken = sorted(self.taken)
        items = [item for _, _, chunk in taken for item in chunk]
        assert [ticket for ticket, _, _ in taken] == list(range(len(taken))), "tickets"
        starts = [sum(len(before[2]) for before in taken[:n]) for n in range(len(taken))]
        assert [index for _, index, _ in taken] == starts, "indices"
        if self.setup.read != "read":
            share = max((len(chunk) for _, _, chunk in taken), default=0)
            assert share <= self.setup.limit, "a chunk is too large"
        expected = [item for ticket in self.setup.tickets for item in ticket if item != SKIP]
        assert len(set(items)) == len(items), f"items came twice: {items}"
        assert set(items) <= set(expected)
        if self.setup.stopped:
            expected = expected[: len(items)]
        else:
            assert sorted(items) == sorted(expected), f"items are lost: {items}"
        if self.setup.ordered or self.setup.writers <= 1:
            assert items == expected, f"not in order: {items}"
        for ticket in self.setup.tickets:
            kept = [item for item in items if item in ticket]
            assert kept == [item for item in ticket if item != SKIP][: len(kept)], (
                "one ticket's results changed their order"
            )
