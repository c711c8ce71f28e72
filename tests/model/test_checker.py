"""The checker itself: it finds what is wrong, proves what is right, counts what it should."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from . import toys
from .instrument import Grain, mutant, points_in
from .scheduler import Found, Program, Timing, Unusable, explore, replay, walk


@pytest.fixture(autouse=True, params=["line"])
def grain(request: pytest.FixtureRequest) -> Iterator[Grain]:
    with points_in(toys, grain=request.param):
        yield request.param


def counting(method: str, threads: int = 2) -> Callable[[], Program]:
    def make() -> Program:
        counter = toys.Counter()

        def check() -> None:
            assert counter.value == threads

        bodies = {f"adder {n}": getattr(counter, method) for n in range(threads)}
        return Program(bodies, at_end=check)

    return make


def test_a_lost_update_needs_one_preemption() -> None:
    explore(counting("add_in_two_steps"), preemptions=0)
    with pytest.raises(Found, match="at the end: AssertionError") as found:
        explore(counting("add_in_two_steps"), preemptions=1)
    assert found.value.schedule == [(2, "adder 1")]


def test_a_lock_keeps_an_update_whole() -> None:
    verdict = explore(counting("add_locked"), preemptions=4)
    assert verdict.schedules > 10
    assert "value" not in verdict.bare


def test_what_is_touched_without_the_lock_too_is_not_taken_for_guarded() -> None:
    def make() -> Program:
        counter = toys.Counter()

        def check() -> None:
            assert counter.value == 2

        return Program({"a": counter.add_locked, "b": counter.add_in_one_line}, at_end=check)

    with pytest.raises(Found, match="at the end"):
        explore(make, preemptions=1)


@pytest.mark.parametrize("grain", ["line", "access"], indirect=True)
def test_within_a_line_accesses_are_told_apart_where_that_is_asked_for(grain: Grain) -> None:
    if grain == "line":
        explore(counting("add_in_one_line"), preemptions=2)
    else:
        with pytest.raises(Found, match="at the end"):
            explore(counting("add_in_one_line"), preemptions=1)


@pytest.mark.parametrize(("threads", "steps"), [(2, 2), (3, 1)])
def test_unbounded_exploration_visits_every_interleaving_once(threads: int, steps: int) -> None:
    seen = []
    log: list[int] = []

    def make() -> Program:
        log.clear()

        def work(me: int) -> Callable[[], None]:
            cell = toys.Counter()

            def body() -> None:
                for _ in range(steps):
                    cell.add_in_one_line()
                    log.append(me)

            return body

        return Program(
            {str(me): work(me) for me in range(threads)}, at_end=lambda: seen.append(tuple(log))
        )

    explore(make, preemptions=threads * steps)
    interleavings = math.factorial(threads * steps) // math.factorial(steps) ** threads
    assert len(set(seen)) == interleavings


def test_two_locks_taken_in_opposite_order_are_a_deadlock() -> None:
    def make() -> Program:
        accounts = toys.Accounts()
        return Program({"there": accounts.move, "back": accounts.move_back})

    explore(make, preemptions=0)
    with pytest.raises(Found, match=r"deadlock: there waits in Accounts\.move"):
        explore(make, preemptions=1)


@pytest.mark.parametrize("method", ["receive", "receive_carelessly"])
def test_a_wait_that_only_its_time_out_would_end_is_a_lost_wake_up(method: str) -> None:
    def make() -> Program:
        box = toys.Mailbox()
        return Program({"sender": box.send, "receiver": getattr(box, method)})

    if method == "receive":
        explore(make, preemptions=4)
        return
    with pytest.raises(Found, match="lost wake-up: only a time-out could end the wait of receiver"):
        explore(make, preemptions=1)


def test_a_missing_notification_is_found_without_any_preemption() -> None:
    def make() -> Program:
        gate = toys.Gate()
        return Program({"guest": gate.walk_through, "host": lambda: gate.unlock(notify=False)})

    with pytest.raises(Found, match="deadlock"):
        explore(make, preemptions=0)


def test_a_time_out_fires_early_only_where_that_is_asked_for() -> None:
    def make() -> Program:
        gate = toys.Gate()
        return Program({"guest": gate.walk_through_without_a_second_look, "host": gate.unlock})

    explore(make, preemptions=3)
    with pytest.raises(Found, match="'guest' raised AssertionError") as found:
        explore(make, preemptions=1, timing=Timing(early_timeouts=True))
    assert found.value.schedule[-1][1] == "guest: time-out"


def test_a_nap_ends_when_nothing_else_can_run() -> None:
    def make() -> Program:
        box = toys.Mailbox()
        return Program({"receiver": box.receive})

    with pytest.raises(Found, match="lost wake-up"):
        explore(make, preemptions=0)
    explore(make, preemptions=2, timing=Timing(naps_below=2.0))


def test_counting_every_choice_visits_fewer_schedules() -> None:
    preemptions = explore(counting("add_locked", threads=3), preemptions=1)
    delays = explore(counting("add_locked", threads=3), preemptions=1, delays=True)
    assert delays.schedules < preemptions.schedules
    with pytest.raises(Found):
        explore(counting("add_in_two_steps", threads=3), preemptions=1, delays=True)


def test_queues_and_events_are_waited_for() -> None:
    def make() -> Program:
        relay = toys.Relay()

        def check() -> None:
            assert relay.got == [0, 1]

        return Program({"consumer": relay.consume, "producer": relay.produce}, at_end=check)

    explore(make, preemptions=3)


def test_an_invariant_is_checked_at_every_point() -> None:
    def make() -> Program:
        counter = toys.Counter()

        def below_two() -> None:
            assert counter.value < 2

        return Program(dict.fromkeys("abc", counter.add_locked), always=below_two)

    with pytest.raises(Found, match="an invariant does not hold: AssertionError"):
        explore(make, preemptions=0)


def test_a_program_that_does_not_end_is_found() -> None:
    with pytest.raises(Found, match="no end after"):
        explore(lambda: Program({"spinner": toys.Spinner().spin}), preemptions=0)


def test_random_schedules_find_a_bug_and_are_drawn_from_the_seed() -> None:
    tried = []
    for _ in range(2):
        with pytest.raises(Found) as found:
            walk(counting("add_in_two_steps", threads=3), runs=500, seed=1)
        tried.append((found.value.tried, found.value.schedule))
    assert tried[0] == tried[1]


def test_a_failing_schedule_can_be_replayed_and_shows_its_trace() -> None:
    with pytest.raises(Found) as found:
        explore(counting("add_in_two_steps"), preemptions=1)
    with pytest.raises(Found, match=r"adder 1 +Counter.add_in_two_steps, line 16 +self.value ="):
        replay(counting("add_in_two_steps"), found.value.schedule)
    replay(counting("add_in_two_steps"), [])


def test_a_schedule_that_cannot_be_followed_is_refused() -> None:
    with pytest.raises(Unusable, match="cannot go on"):
        replay(counting("add_locked"), [(1, "nobody")])


def test_a_program_that_is_not_deterministic_is_refused() -> None:
    rounds = iter(range(10**6))

    def make() -> Program:
        return counting("add_in_two_steps", threads=2 if next(rounds) % 2 else 3)()

    with pytest.raises((Unusable, Found)):
        explore(make, preemptions=2)


def test_a_mutant_of_a_source_that_has_changed_is_refused() -> None:
    with pytest.raises(LookupError, match="stands 0 times"):
        mutant(toys, ("no such line", ""))


def test_nothing_stays_patched() -> None:
    import threading

    controlled: Any = vars(toys)["threading"].Lock
    assert controlled is not threading.Lock
    assert threading.Lock.__module__ == "_thread"
