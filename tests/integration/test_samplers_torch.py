"""Our samplers inside torch's DataLoader, and torch's samplers in our plans."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    DistributedSampler,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

from ftloader import PlanError
from ftloader.batching import FixedSize, MemoryBudget, Sizes, plan_epoch
from ftloader.batching.aspect import AspectBatches
from ftloader.batching.foreign import UserBatches, UserSampler
from ftloader.batching.samplers import Distributed, EpochSampler, Sequential, Shuffled
from ftloader.batching.weighted import Weighted

POSITIONS = list(range(23))


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("sampler", [Shuffled(23, 5), Weighted(np.arange(23), 40, 5)])
def test_a_data_loader_follows_our_samplers(sampler: Shuffled | Weighted) -> None:
    held = EpochSampler(sampler)
    loader = DataLoader(POSITIONS, batch_size=4, sampler=held)
    assert len(loader) == -(-len(sampler) // 4)
    for epoch in (0, 1, 0):
        held.set_epoch(epoch)
        assert torch.cat(list(loader)).tolist() == sampler.order(epoch).tolist()


@pytest.mark.parametrize("style", ["detectron2", "mmdet", "torchvision"])
def test_a_data_loader_follows_our_batch_sampler(style: str) -> None:
    widths, heights = np.random.default_rng(0).integers(20, 60, (2, 23))
    batches = AspectBatches(Shuffled(23, 5), widths, heights, 4, style)  # type: ignore[arg-type]
    loader = DataLoader(POSITIONS, batch_sampler=batches)
    for epoch in range(3):
        batches.set_epoch(epoch)
        found = [batch.tolist() for batch in loader]
        assert found == batches.batches(epoch)
        assert len(loader) == len(found) > 0


@pytest.mark.parametrize("drop", [False, True])
@pytest.mark.parametrize("world", [1, 2, 3, 8, 30])
@pytest.mark.parametrize("length", [1, 2, 7, 23, 24])
def test_ranks_get_what_torch_gives_them(length: int, world: int, drop: bool) -> None:
    for rank in range(world):
        theirs = DistributedSampler(range(length), world, rank, shuffle=False, drop_last=drop)
        ours = Distributed(Sequential(length), rank, world, drop)
        assert ours.order(0).tolist() == list(theirs)
        assert len(ours) == len(theirs)


def test_torchs_samplers_give_the_order_of_a_plan() -> None:
    sizes = Sizes.of(np.arange(20, 43), [32] * 23)
    for make in (
        lambda: RandomSampler(POSITIONS, generator=seeded(3)),
        lambda: SubsetRandomSampler(range(5, 20), generator=seeded(3)),
        lambda: WeightedRandomSampler([1.0] * 23, 50, generator=seeded(3)),
        lambda: SequentialSampler(POSITIONS),
    ):
        expected = list(make())
        sampler = UserSampler(make())
        assert len(sampler) == len(expected)
        order = sampler.order(0)
        assert order.tolist() == expected
        plan = plan_epoch(sizes.take(order), FixedSize(4), samples=order)
        assert np.concatenate([b.samples for b in plan.rank(0)]).tolist() == expected


def test_set_epoch_reaches_torchs_distributed_sampler() -> None:
    theirs = DistributedSampler(POSITIONS, 2, 1, seed=9)
    sampler = UserSampler(theirs)
    orders = [sampler.order(epoch).tolist() for epoch in (0, 1, 0)]
    assert orders[0] == orders[2] != orders[1]


def test_the_order_of_a_random_sampler_goes_on_with_its_generator() -> None:
    sampler = UserSampler(RandomSampler(POSITIONS, generator=seeded(3)))
    assert sampler.order(0).tolist() != sampler.order(0).tolist()


def test_torchs_batches_are_planned_as_they_are() -> None:
    def batches() -> BatchSampler:
        return BatchSampler(DistributedSampler(POSITIONS, 1, 0, seed=9), 5, drop_last=False)

    expected = batches()
    expected.sampler.set_epoch(2)  # type: ignore[attr-defined]
    samples, policy = UserBatches(batches()).given(2)
    plan = plan_epoch(Sizes.of([32] * 23, [32] * 23), policy, samples=samples, epoch=2)
    assert [batch.samples.tolist() for batch in plan.rank(0)] == list(expected)


def test_a_budget_keeps_to_torchs_order_only_within_a_window() -> None:
    order = UserSampler(RandomSampler(POSITIONS, generator=seeded(3))).order(0)
    plan = plan_epoch(Sizes.of([32] * 23, [32] * 23), MemoryBudget(4096.0), samples=order)
    assert sorted(np.concatenate([b.samples for b in plan.rank(0)]).tolist()) == POSITIONS


def test_a_batch_sampler_given_as_a_sampler_is_told_apart() -> None:
    sampler = BatchSampler(SequentialSampler(POSITIONS), 5, drop_last=False)
    with pytest.raises(PlanError, match=r"BatchSampler: item 0 must .* for UserBatches"):
        UserSampler(sampler).order(0)
