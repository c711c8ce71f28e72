"""The channel alone: order, bounds, ends, and no wait that outlives its run."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftloader.engine.channel import EMPTY, Channel
from ftloader.engine.sequencer import Sequencer
from ftloader.engine.state import RunState, Stopped


def channel(capacity: int = 4, **changes: Any) -> Channel:
    options: dict[str, Any] = {"ordered": True, "writers": 1, "readers": 1, "elastic": False}
    return Channel(RunState(), capacity, **(options | changes))


def put_at_once(target: Channel, ticket: int, items: Any) -> bool:
    """Put, unless that would have to wait; tell which."""
    with target._lock:
        has_room = target._has_room(ticket, target.room(1))
    if has_room:
        target.put(ticket, items)
    return has_room


def drain(source: Channel) -> list[Any]:
    items: list[Any] = []
    while (taken := source.take(100)) is not None:
        items += taken[2]
    return items


@given(st.permutations(range(8)), st.lists(st.integers(0, 3), min_size=8, max_size=8))
def test_a_sequencer_restores_ticket_order_whatever_comes_first(
    arrival: list[int], sizes: list[int]
) -> None:
    sequencer = Sequencer()
    released = []
    for ticket in arrival:
        released += sequencer.add(ticket, [(ticket, n) for n in range(sizes[ticket])], done=True)
    assert released == [(ticket, n) for ticket in range(8) for n in range(sizes[ticket])]


def test_the_next_ticket_streams_before_it_is_done() -> None:
    sequencer = Sequencer()
    assert sequencer.add(1, ["later"], done=True) == []
    assert sequencer.add(0, ["a"], done=False) == ["a"]
    assert sequencer.add(0, ["b"], done=True) == ["b", "later"]


def test_a_full_channel_takes_no_more() -> None:
    full = channel(capacity=2)
    full.put(0, "ab")
    assert not put_at_once(full, 1, "c")


def test_a_writer_with_a_later_ticket_cannot_lock_out_the_next_one() -> None:
    target = channel(capacity=1, writers=2)
    assert put_at_once(target, 1, "b")  # each writer may park one
    assert put_at_once(target, 2, "c")
    assert not put_at_once(target, 3, "d")
    assert put_at_once(target, 0, "a")
    assert target.take(1) == (0, 0, ["a"])


def test_tickets_without_results_do_not_run_ahead_for_ever() -> None:
    target = channel(capacity=2, writers=2)
    accepted = [ticket for ticket in range(1, 100) if put_at_once(target, ticket, ())]
    assert accepted == [1, 2, 3]


def test_a_reader_takes_no_more_than_its_share() -> None:
    source = channel(capacity=10, readers=3)
    source.put(0, "abcdefg")
    assert source.take(100) == (0, 0, ["a", "b", "c"])
    assert source.take(100) == (1, 3, ["d", "e"])


def test_a_waker_is_called_once_when_there_is_something_to_read() -> None:
    calls = []
    source = channel()
    assert source.poll(1, lambda: calls.append("ready")) == EMPTY
    source.put(0, "a")
    source.put(1, "b")
    assert calls == ["ready"]


def test_a_closed_channel_ends_when_it_is_empty() -> None:
    source = channel(writers=2)
    source.put(0, "a")
    source.close()
    source.put(1, "b")
    source.close()
    assert drain(source) == ["a", "b"]
    assert source.take(1) is None


@pytest.mark.parametrize("timeout", [-1, 0.01])
@pytest.mark.parametrize("blocked_in", ["take", "put"])
def test_stopping_the_run_ends_every_wait(blocked_in: str, timeout: float) -> None:
    state = RunState()
    place = Channel(state, 1, ordered=False, writers=1, readers=1)
    if blocked_in == "put":
        place.put(0, "a")
    started = threading.Event()

    def work() -> None:
        started.set()
        place.take(1) if blocked_in == "take" else place.put(1, "b")

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        started.wait()
        state.stop(timeout)
        with pytest.raises(Stopped):
            future.result()


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("capacity", [1, 2, 7])
@pytest.mark.usefixtures("eager_switching")
def test_many_writers_and_readers_lose_and_repeat_nothing(ordered: bool, capacity: int) -> None:
    writers, tickets = 4, 400
    target = channel(capacity=capacity, ordered=ordered, writers=writers, readers=2)
    numbers = iter(range(tickets))
    lock = threading.Lock()
    most_held = 0

    def write() -> None:
        while True:
            with lock:
                ticket = next(numbers, None)
            if ticket is None:
                break
            items = [(ticket, n) for n in range(random.Random(ticket).randrange(3))]
            target.put(ticket, items[:1], done=False)
            target.put(ticket, items[1:], done=True)
        target.close()

    def read() -> list[tuple[int, Any]]:
        nonlocal most_held
        got = []
        while (taken := target.take(5)) is not None:
            ticket, _, items = taken
            got += [(ticket, item) for item in items]
            most_held = max(most_held, len(target._ready) + target._early)
        return got

    with ThreadPoolExecutor(writers + 2) as pool:
        for _ in range(writers):
            pool.submit(write)
        readers = [pool.submit(read) for _ in range(2)]
        taken = sorted(pair for reader in readers for pair in reader.result())
    items = [item for _, item in taken]
    expected = [
        (ticket, n) for ticket in range(tickets) for n in range(random.Random(ticket).randrange(3))
    ]
    assert (items if ordered else sorted(items)) == expected
    # Ready items, one parked for each writer, and the one that was let in last by each.
    assert most_held <= capacity + 2 * writers


def test_what_the_event_loop_has_no_room_for_is_called_for_once() -> None:
    calls = []
    target = channel(capacity=2, ordered=False)
    assert target.let_in("abc", lambda: calls.append("room")) == 2
    assert calls == []
    assert target.take(1) == (0, 0, ["a"])
    assert target.take(1) == (1, 1, ["b"])
    assert calls == ["room"]
    assert target.let_in("c", lambda: calls.append("room")) == 1
