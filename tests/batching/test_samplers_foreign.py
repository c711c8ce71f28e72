"""Samplers of other libraries: what is asked of them, and what is said when it is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import numpy as np
import pytest

from ftloader import PlanError
from ftloader.batching import Sizes, plan_epoch
from ftloader.batching import foreign as foreign_module
from ftloader.batching.foreign import UserBatches, UserSampler
from ftloader.batching.samplers import Distributed, Infinite, Sampler


class Rotating:
    """A sampler that is told its epoch."""

    def __init__(self) -> None:
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return 5

    def __iter__(self) -> Iterator[int]:
        return ((place + self.epoch) % 5 for place in range(5))


class Pairs:
    """A batch sampler around a sampler, as torch's is."""

    def __init__(self, sampler: Any) -> None:
        self.sampler = sampler

    def __iter__(self) -> Iterator[list[int]]:
        positions = list(self.sampler)
        return (positions[first : first + 2] for first in range(0, len(positions), 2))


class Endless:
    """A sampler that never ends; with a length or without."""

    def __init__(self, told: int | None = None, step: Callable[[int], Any] = int) -> None:
        self.told, self.step = told, step

    def __len__(self) -> int:
        if self.told is None:
            raise TypeError("no length")
        return self.told

    def __iter__(self) -> Iterator[Any]:
        return map(self.step, count())


def test_a_sampler_of_a_user_is_a_sampler() -> None:
    sampler = UserSampler(Rotating())
    assert isinstance(sampler, Sampler)
    assert len(sampler) == 5
    assert sampler.order(0).tolist() == [0, 1, 2, 3, 4]
    assert sampler.order(3).tolist() == [3, 4, 0, 1, 2]
    assert sampler.order(3).dtype == np.int64
    assert Distributed(sampler, 1, 2).order(1).tolist() == [2, 4, 1]
    assert Infinite(sampler, 3).order(1).tolist() == [3, 4, 1]


def test_a_list_is_a_sampler_and_numpys_numbers_are_positions() -> None:
    assert UserSampler([np.int32(3), np.array(4), 5]).order(0).tolist() == [3, 4, 5]


def test_an_endless_sampler_is_cut_into_epochs() -> None:
    sampler = UserSampler(Endless(), length=4)
    assert len(sampler) == 4
    assert sampler.order(2).tolist() == [8, 9, 10, 11]
    assert sampler.order(0).tolist() == [0, 1, 2, 3]


def test_batches_of_a_user_are_planned_as_they_are() -> None:
    samples, policy = UserBatches(Pairs(Rotating())).given(1, stride=16, tail="drop")
    assert samples.tolist() == [1, 2, 3, 4, 0]
    assert (policy.stride, policy.tail) == (16, "drop")
    plan = plan_epoch(Sizes.of([32] * 5, [32] * 5), policy, samples=samples, epoch=1)
    assert [batch.samples.tolist() for batch in plan.rank(0)] == [[1, 2], [3, 4], [0]]


def test_a_sample_that_batches_repeat_counts_its_draws() -> None:
    samples, policy = UserBatches([[4, 7], [4], [7, 4]]).given(0)
    plan = plan_epoch(Sizes.of([32] * 5, [32] * 5), policy, samples=samples)
    assert plan.draws.tolist() == [0, 0, 1, 1, 2]


def test_endless_batches_are_cut_into_epochs() -> None:
    batches = UserBatches(Endless(step=lambda place: [place, place]), length=2)
    assert batches.given(3).samples.tolist() == [6, 6, 7, 7]


def test_an_item_that_is_no_position_is_named() -> None:
    with pytest.raises(PlanError) as caught:
        UserSampler([0, 1, -2]).order(0)
    assert str(caught.value) == (
        "list: item 2 must be a position in the data set, a whole number from 0 on, not -2"
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: UserSampler([0, 1.0]).order(0), "item 1 must be a position .* not 1.0$"),
        (lambda: UserSampler([True]).order(0), "item 0 must be a position .* not True$"),
        (lambda: UserSampler([[1, 2]]).order(0), "is it a batch sampler, for UserBatches?"),
        (lambda: UserSampler([0]).order(-1), "UserSampler: epoch must be a whole number from 0"),
        (lambda: UserSampler(3), "UserSampler: a sampler of yours must be iterable, not 3"),
        (lambda: UserSampler(Rotating), "must be iterable, not <class"),
        (lambda: UserSampler(iter([1])), "list_iterator can be iterated only once; give an object"),
        (lambda: UserSampler([1], length=0), "UserSampler: length must be a whole number from 1"),
        (lambda: UserSampler([1, 2], 2).order(1), "list ended after 2 items, before the end of ep"),
        (lambda: UserSampler(Endless(7)).order(0), "Endless goes on after 7 items, the length it"),
        (lambda: UserBatches([[0], [0, "a"]]).given(0), "list: batch 1, item 1 must be a position"),
        (lambda: UserBatches([[0], []]).given(0), "list: batch 1 is empty"),
        (lambda: UserBatches([0, 1]).given(0), "batch 0 must be a list of positions, not 0; is it"),
        (lambda: UserBatches(3), "UserBatches: a sampler of yours must be iterable, not 3"),
    ],
)
def test_what_cannot_be_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        make()


def test_a_pass_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_module, "ENDLESS", 1000)
    with pytest.raises(PlanError, match="Endless goes on after 1,000 items; say with length="):
        UserSampler(Endless()).order(0)


def test_a_sampler_without_a_length_has_none() -> None:
    with pytest.raises(TypeError, match="Endless does not tell its length"):
        len(UserSampler(Endless()))
