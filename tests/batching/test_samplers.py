"""Samplers: which positions an epoch visits, as a pure function of seed and epoch."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftloader import PlanError
from ftloader.batching.samplers import (
    Distributed,
    EpochSampler,
    Infinite,
    Sampler,
    Sequential,
    Shuffled,
)
from ftloader.batching.weighted import ClassAware, Weighted

steady = settings(deadline=None, derandomize=True)
seeds = st.integers(0, 2**64 - 1)
epochs = st.integers(0, 2**64 - 1)
lengths = st.integers(0, 60)

#: Every kind, with a name.
KINDS: dict[str, Callable[[int], Sampler]] = {
    "sequential": lambda seed: Sequential(50),
    "shuffled": lambda seed: Shuffled(50, seed),
    "weighted": lambda seed: Weighted(np.arange(50), seed=seed),
    "weighted, once": lambda seed: Weighted(np.arange(1, 51), 20, seed, replacement=False),
    "class aware": lambda seed: ClassAware([0, 1, 2, 2], [0, 0, 0, 1], 50, 0.5, seed),
    "infinite": lambda seed: Infinite(Shuffled(50, seed), 33),
    "distributed": lambda seed: Distributed(Shuffled(50, seed), 1, 3),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
def test_an_order_is_int64_as_long_as_told_and_in_range(kind: str) -> None:
    sampler = KINDS[kind](7)
    assert isinstance(sampler, Sampler)
    order = sampler.order(3)
    assert order.dtype == np.int64
    assert order.shape == (len(sampler),)
    assert 0 <= order.min() <= order.max() < 50


@every_kind
def test_equal_samplers_give_equal_orders_in_any_sequence_of_epochs(kind: str) -> None:
    one, other = KINDS[kind](7), KINDS[kind](7)
    forward = [one.order(epoch).tolist() for epoch in range(4)]
    backward = [other.order(epoch).tolist() for epoch in reversed(range(4))]
    assert forward == backward[::-1]


@every_kind
def test_epochs_and_seeds_differ(kind: str) -> None:
    orders = {tuple(KINDS[kind](seed).order(epoch)) for seed in range(3) for epoch in range(3)}
    assert len(orders) == (1 if kind == "sequential" else 9)


@every_kind
def test_global_random_state_is_left_alone(kind: str) -> None:
    before = np.random.get_state()
    KINDS[kind](7).order(0)
    assert str(np.random.get_state()) == str(before)


@every_kind
@pytest.mark.parametrize("epoch", [-1, 1.0, True, "0"])
def test_an_epoch_that_cannot_be_is_refused(kind: str, epoch: Any) -> None:
    with pytest.raises(PlanError, match="epoch must be a whole number from 0 on, not"):
        KINDS[kind](7).order(epoch)


@steady
@given(length=lengths, seed=seeds, epoch=epochs)
def test_a_shuffled_epoch_is_a_permutation(length: int, seed: int, epoch: int) -> None:
    assert sorted(Shuffled(length, seed).order(epoch).tolist()) == list(range(length))


@steady
@given(length=lengths, world=st.integers(1, 9), drop=st.booleans(), epoch=epochs)
def test_ranks_share_an_epoch(length: int, world: int, drop: bool, epoch: int) -> None:
    whole = Shuffled(length, 1).order(epoch).tolist()
    ranks = [Distributed(Shuffled(length, 1), rank, world, drop) for rank in range(world)]
    shares = [rank.order(epoch).tolist() for rank in ranks]
    assert {len(share) for share in shares} == {len(ranks[0])}
    served = [sample for turn in zip(*shares, strict=True) for sample in turn]
    if drop:
        assert served == whole[: length // world * world]
    else:
        assert served[:length] == whole
        assert len(served) - length < world
        # What is missing is taken from the beginning, over and over if need be.
        assert served[length:] == (whole * world)[: len(served) - length]


@steady
@given(length=st.integers(1, 20), part=st.integers(1, 50), first=st.integers(0, 30), seed=seeds)
def test_infinite_epochs_are_one_stream(length: int, part: int, first: int, seed: int) -> None:
    inner = Shuffled(length, seed)
    sampler = Infinite(inner, part)
    stream = np.concatenate(
        [inner.order(epoch) for epoch in range((first + 2) * part // length + 2)]
    )
    assert len(sampler) == part
    for epoch in (first + 1, first):
        assert sampler.order(epoch).tolist() == stream[epoch * part :][:part].tolist()


def test_a_late_epoch_of_an_infinite_sampler_costs_no_more_than_the_first() -> None:
    asked = []

    class Counting:
        def __len__(self) -> int:
            return 10

        def order(self, epoch: int) -> np.ndarray:
            asked.append(epoch)
            return np.arange(10)

    Infinite(Counting(), 25).order(10**12)
    assert asked == [25 * 10**11, 25 * 10**11 + 1, 25 * 10**11 + 2]


def test_orders_are_the_ones_of_every_release() -> None:
    assert Sequential(4).order(9).tolist() == [0, 1, 2, 3]
    assert Shuffled(8, 1).order(0).tolist() == [7, 5, 2, 0, 3, 4, 6, 1]
    assert Shuffled(8, 1).order(1).tolist() == [3, 4, 2, 7, 5, 6, 1, 0]
    assert Weighted([1, 0, 2, 5], 8, 1).order(0).tolist() == [3, 0, 2, 3, 0, 2, 3, 2]
    once = Weighted([1, 0, 2, 5], 3, 1, replacement=False)
    assert once.order(0).tolist() == [3, 2, 0]
    rare = ClassAware([0, 1, 2, 2], [0, 0, 0, 1], 4, 1.0, 1)
    assert rare.order(0).tolist() == [1, 3, 0, 2, 1, 2]


def test_a_sampler_is_not_iterable_by_itself() -> None:
    # It would be the same order in every epoch, and nobody would notice.
    with pytest.raises(TypeError):
        iter(Shuffled(5))  # type: ignore[call-overload]


@every_kind
def test_an_epoch_sampler_iterates_the_epoch_it_holds(kind: str) -> None:
    sampler = KINDS[kind](7)
    held = EpochSampler(sampler, 2)
    assert len(held) == len(sampler)
    assert list(held) == list(held) == sampler.order(2).tolist()
    held.set_epoch(5)
    assert held.epoch == 5
    assert list(held) == sampler.order(5).tolist()
    assert all(type(position) is int for position in held)


def test_an_iteration_keeps_the_epoch_it_began_with() -> None:
    held = EpochSampler(Shuffled(20, 3))
    iteration = iter(held)
    held.set_epoch(1)
    assert list(iteration) == Shuffled(20, 3).order(0).tolist()


@pytest.mark.usefixtures("eager_switching", "no_thread_left")
def test_threads_that_set_epochs_get_whole_epochs() -> None:
    held, found, start = EpochSampler(Shuffled(200, 3)), [], threading.Barrier(4)
    whole = {epoch: Shuffled(200, 3).order(epoch).tolist() for epoch in range(4)}

    def work(epoch: int) -> None:
        start.wait()
        for _ in range(50):
            held.set_epoch(epoch)
            found.append(list(held))

    threads = [threading.Thread(target=work, args=(epoch,)) for epoch in whole]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 200
    assert all(order in whole.values() for order in found)


class Liar:
    """A sampler that tells another length than its orders have."""

    def __len__(self) -> int:
        return 4

    def order(self, epoch: int) -> np.ndarray:
        return np.arange(3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sequential(-1), "Sequential: length must be a whole number from 0 on, not -1"),
        (lambda: Shuffled(2.5), "Shuffled: length must be a whole number from 0 on, not 2.5"),
        (lambda: Shuffled(3, -1), "Shuffled: seed must be a whole number from 0 on, not -1"),
        (lambda: Shuffled(3, 2**64), "Shuffled: seed must be between 0 and"),
        (lambda: Infinite(Sequential(3), 0), "Infinite: length must be a whole number from 1 on"),
        (lambda: Infinite(Sequential(0), 3), "Infinite: a sampler without samples makes no"),
        (lambda: Infinite(Liar(), 9).order(0), "must have 4 samples, the length it tells, not 3"),
        (lambda: Distributed(Sequential(3), 2, 2), "Distributed: there is no rank 2 in a world"),
        (lambda: Distributed(Sequential(3), 0, 0), "Distributed: world_size must be a whole"),
        (lambda: EpochSampler([1, 2]), r"EpochSampler: a sampler has order\(epoch\) and a length"),
        (lambda: EpochSampler(Shuffled), "and a length, Shuffled has not; put a sampler of"),
    ],
)
def test_what_cannot_be_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        make()
