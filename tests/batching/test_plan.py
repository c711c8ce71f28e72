"""What every plan promises, over random sizes, budgets, policies and world sizes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftloader import PlanError
from ftloader.batching import (
    AspectGroups,
    EpochPlan,
    FixedSize,
    GivenBatches,
    MemoryBudget,
    PaddedPixels,
    Sizes,
    plan_epoch,
)
from tests.batching.drawn import cost_by_hand, policies, some_sizes

STEPS = st.integers(1, 9)


def plain(count: int, width: int = 64, height: int = 64) -> Sizes:
    return Sizes.of([width] * count, [height] * count)


def served(plan: EpochPlan, world_size: int) -> list[list[tuple[int, list[int], bool]]]:
    """For each rank: the step of each batch, its samples, and whether it only fills a place."""
    return [
        [(batch.step, batch.samples.tolist(), batch.repeat) for batch in rank]
        for rank in plan.ranks(world_size)
    ]


@given(st.data(), some_sizes(), STEPS)
def test_every_sample_is_served_exactly_once(data: st.DataObject, sizes: Sizes, k: int) -> None:
    plan = plan_epoch(sizes, data.draw(policies(sizes)), batches_per_step=k, seed=3)
    for world_size in range(1, k + 1):
        batches = [batch for rank in served(plan, world_size) for batch in rank]
        found = [sample for _, samples, repeat in batches if not repeat for sample in samples]
        assert sorted(found) == np.flatnonzero(sizes.kept).tolist()
    assert not len(plan.dropped)


@given(st.data(), some_sizes(), STEPS)
def test_with_drop_every_sample_is_served_or_listed_as_dropped(
    data: st.DataObject, sizes: Sizes, k: int
) -> None:
    plan = plan_epoch(sizes, data.draw(policies(sizes, tail="drop")), batches_per_step=k)
    assert not plan.repeats.any()
    found = [s for rank in served(plan, k) for _, batch, _ in rank for s in batch]
    assert sorted(found + plan.dropped.tolist()) == np.flatnonzero(sizes.kept).tolist()


@given(st.data(), some_sizes(), STEPS)
def test_samples_repeat_only_where_there_are_fewer_than_places(
    data: st.DataObject, sizes: Sizes, k: int
) -> None:
    plan = plan_epoch(sizes, data.draw(policies(sizes)), batches_per_step=k)
    if plan.repeats.any():
        assert sizes.kept.sum() + plan.repeats.sum() == len(plan.batches)
        assert (plan.batches.images == 1).all()


@given(st.data(), some_sizes(), STEPS)
def test_every_rank_takes_every_step(data: st.DataObject, sizes: Sizes, k: int) -> None:
    plan = plan_epoch(sizes, data.draw(policies(sizes)), batches_per_step=k)
    for world_size in range(1, k + 1):
        most = -(-k // world_size)
        for rank in served(plan, world_size):
            per_step = Counter(step for step, _, _ in rank)
            assert sorted(per_step) == list(range(len(plan)))
            assert all(1 <= count <= most for count in per_step.values())


@given(st.data(), some_sizes(), STEPS)
def test_the_samples_of_a_step_do_not_depend_on_the_world_size(
    data: st.DataObject, sizes: Sizes, k: int
) -> None:
    plan = plan_epoch(sizes, data.draw(policies(sizes)), batches_per_step=k, seed=5, epoch=2)
    for world_size in range(1, k + 1):
        steps: dict[int, list[int]] = {step: [] for step in range(len(plan))}
        for rank in served(plan, world_size):
            for step, samples, repeat in rank:
                steps[step] += [] if repeat else samples
        for step, samples in steps.items():
            assert sorted(samples) == sorted(plan.step_samples(step).tolist())


@given(st.data(), some_sizes(), STEPS)
def test_no_batch_of_any_rank_is_over_the_budget(data: st.DataObject, sizes: Sizes, k: int) -> None:
    policy = data.draw(policies(sizes).filter(lambda one: isinstance(one, MemoryBudget)))
    plan = plan_epoch(sizes, policy, batches_per_step=k)
    for world_size in range(1, k + 1):
        for rank in plan.ranks(world_size):
            for batch in rank:
                cost = cost_by_hand(policy.cost, batch.samples.tolist(), sizes, policy.stride)
                assert cost <= policy.budget
                assert cost == pytest.approx(batch.cost)
                assert len(batch) <= policy.max_images


@given(st.data(), some_sizes(), STEPS)
def test_a_batch_is_padded_to_the_stride_and_no_further(
    data: st.DataObject, sizes: Sizes, k: int
) -> None:
    policy = data.draw(policies(sizes))
    for batch in plan_epoch(sizes, policy, batches_per_step=k).rank(0, k):
        widths, heights = sizes.widths[batch.samples], sizes.heights[batch.samples]
        assert batch.sizes.tolist() == list(map(list, zip(widths, heights, strict=True)))
        for padded, real in ((batch.width, widths.max()), (batch.height, heights.max())):
            assert padded % policy.stride == 0
            assert 0 <= padded - real < policy.stride


@given(st.data(), some_sizes(), STEPS)
def test_weighted_means_add_up_to_the_mean_over_the_step(
    data: st.DataObject, sizes: Sizes, k: int
) -> None:
    plan = plan_epoch(sizes, data.draw(policies(sizes)), batches_per_step=k)
    values = np.random.default_rng(1).normal(size=len(sizes))
    for world_size in range(1, k + 1):
        sums = np.zeros((world_size, len(plan)))
        for rank in plan.ranks(world_size):
            for batch in rank:
                sums[rank.rank, batch.step] += batch.weight * values[batch.samples].mean()
        for step in range(len(plan)):
            wanted = values[plan.step_samples(step)].mean()
            assert sums[:, step].mean() == pytest.approx(wanted)


@given(st.data(), some_sizes(least=1), STEPS)
def test_box_weights_add_up_to_the_mean_over_the_objects_of_the_step(
    data: st.DataObject, sizes: Sizes, k: int
) -> None:
    plan = plan_epoch(sizes, data.draw(policies(sizes)), batches_per_step=k)
    totals = np.zeros((k, len(plan)))
    for rank in plan.ranks(k):
        for batch in rank:
            # The mean over objects of a batch in which each counts 1 is 1, and 0 where none is.
            totals[rank.rank, batch.step] += batch.box_weight * (batch.boxes > 0)
            assert batch.step_boxes == sizes.boxes[plan.step_samples(batch.step)].sum()
    for step in range(len(plan)):
        some = sizes.boxes[plan.step_samples(step)].sum() > 0
        assert totals[:, step].mean() == pytest.approx(float(some))


@given(st.data(), some_sizes(), STEPS)
def test_equal_arguments_give_equal_plans(data: st.DataObject, sizes: Sizes, k: int) -> None:
    policy = data.draw(policies(sizes))
    plans = [plan_epoch(sizes, policy, seed=7, epoch=1, batches_per_step=k) for _ in range(2)]
    assert plans[0].digest() == plans[1].digest()
    assert plan_epoch(sizes, policy, seed=8, batches_per_step=k).digest() != plans[0].digest()


@given(st.data(), some_sizes(), STEPS, st.integers(0, 30))
def test_a_rank_can_begin_at_any_step(
    data: st.DataObject, sizes: Sizes, k: int, first: int
) -> None:
    mine = plan_epoch(sizes, data.draw(policies(sizes)), batches_per_step=k).rank(0, k)
    whole = [(b.step, b.micro, b.samples.tolist()) for b in mine if b.step >= first]
    assert [(b.step, b.micro, b.samples.tolist()) for b in mine.from_step(first)] == whole


def test_samples_and_draws_name_what_the_sampler_gave() -> None:
    plan = plan_epoch(plain(5), FixedSize(5), samples=[9, 4, 9, 9, 4])
    (batch,) = plan.rank(0)
    assert batch.samples.tolist() == [9, 4, 9, 9, 4]
    assert batch.draws.tolist() == [0, 0, 1, 2, 1]


def test_steps_come_in_another_order_in_another_epoch() -> None:
    sizes = Sizes.of(np.arange(32, 32 * 60, 32), np.full(59, 32))
    first, second = (plan_epoch(sizes, MemoryBudget(65536), epoch=e) for e in (0, 1))
    assert [b.samples.tolist() for b in first.rank(0)] != [
        b.samples.tolist() for b in second.rank(0)
    ]


def shapes(count: int) -> Sizes:
    rng = np.random.default_rng(5)
    return Sizes.of(*rng.integers(100, 700, (2, count)))


def test_ranks_of_a_step_have_batches_of_like_cost() -> None:
    plan = plan_epoch(shapes(800), MemoryBudget(1_500_000), batches_per_step=4)
    costs = np.array([[batch.cost for batch in rank] for rank in plan.ranks(4)])
    assert costs.mean() / costs.max(0).mean() > 0.98


def test_the_costliest_batch_of_a_step_is_not_always_the_same_rank_s() -> None:
    plan = plan_epoch(shapes(800), MemoryBudget(1_500_000), batches_per_step=4)
    costs = np.array([[batch.cost for batch in rank] for rank in plan.ranks(4)])
    assert set(costs.argmax(0).tolist()) == {0, 1, 2, 3}


def test_fewer_ranks_take_the_batches_of_a_step_in_turn() -> None:
    plan = plan_epoch(plain(64), FixedSize(4), batches_per_step=8)
    for batch in plan.rank(1, 2):
        assert (batch.micros, batch.step_images) == (4, 32)
        assert batch.weight == pytest.approx(2 * 4 / 32)


def test_too_few_samples_for_every_rank_are_repeated_with_weight_0() -> None:
    plan = plan_epoch(plain(3), FixedSize(1), batches_per_step=8)
    batches = [batch for rank in plan.ranks(8) for batch in rank]
    assert len(batches) == 8
    assert sorted(b.samples.tolist() for b in batches if not b.repeat) == [[0], [1], [2]]
    assert [b.weight for b in batches if b.repeat] == [0.0] * 5


def test_a_step_of_too_few_samples_takes_some_of_an_earlier_one_before_it_repeats_any() -> None:
    plan = plan_epoch(plain(25), FixedSize(3), batches_per_step=8)
    assert len(plan) == 2
    assert not plan.repeats.any()
    assert sorted(plan.batches.images.tolist()) == [1] * 8 + [2] * 7 + [3]
    plan = plan_epoch(plain(15), FixedSize(1), batches_per_step=8)
    assert plan.repeats.sum() == 1


def test_no_samples_make_no_steps() -> None:
    plan = plan_epoch(Sizes.of([], []), MemoryBudget(1), batches_per_step=2)
    assert len(plan) == 0
    assert [list(rank) for rank in plan.ranks(2)] == [[], []]


def test_a_sample_over_the_budget_is_named() -> None:
    sizes = Sizes.of([64, 640, 900], [64, 640, 900])
    with pytest.raises(
        PlanError, match=r"^sample 7 \(900 x 900, 0 boxes\) costs 861,184 pixels by"
    ):
        plan_epoch(sizes, MemoryBudget(400_000), samples=[5, 6, 7])


def test_samples_over_the_budget_can_be_left_out_and_are_listed() -> None:
    sizes = Sizes.of([64, 640, 900], [64, 640, 900])
    plan = plan_epoch(sizes, MemoryBudget(500_000, oversize="skip"), samples=[5, 6, 7])
    assert [(o.sample, o.size, o.planned) for o in plan.oversized] == [(7, (900, 900), None)]
    assert sorted(s for b in plan.rank(0) for s in b.samples.tolist()) == [5, 6]


def test_samples_over_the_budget_can_be_planned_as_large_as_fits() -> None:
    sizes = Sizes.of([64, 1200], [64, 900])
    plan = plan_epoch(sizes, MemoryBudget(500_000, oversize="downscale"))
    (over,) = plan.oversized
    assert over.planned is not None
    width, height = over.planned
    assert width / height == pytest.approx(1200 / 900, rel=0.01)
    assert cost_by_hand(PaddedPixels(), [0], Sizes.of([width], [height]), 32) <= 500_000
    assert cost_by_hand(PaddedPixels(), [0], Sizes.of([width + 2], [height + 2]), 32) > 500_000
    found = {
        int(s): tuple(z)
        for b in plan.rank(0)
        for s, z in zip(b.samples, b.sizes.tolist(), strict=True)
    }
    assert found == {0: (64, 64), 1: (width, height)}


def test_what_fits_at_no_size_is_refused_by_name() -> None:
    with pytest.raises(
        PlanError, match=r"^sample 0 .* over the budget of 1,000 pixels at any size"
    ):
        plan_epoch(plain(1), MemoryBudget(1000, oversize="downscale"))


def test_detectron2_groups_drop_what_is_left_and_list_it() -> None:
    sizes = Sizes.of([2, 1, 2, 1, 2], [1, 2, 1, 2, 1])
    plan = plan_epoch(sizes, AspectGroups(2, "detectron2"))
    assert [b.samples.tolist() for b in plan.rank(0)] == [[0, 2], [1, 3]]
    assert plan.dropped.tolist() == [4]


def test_aspect_groups_go_by_the_sizes_before_augmentation() -> None:
    before = Sizes.of([1, 2, 1, 2], [2, 1, 2, 1])
    plan = plan_epoch(plain(4), AspectGroups(2, "mmdet"), original=before)
    assert [b.samples.tolist() for b in plan.rank(0)] == [[0, 2], [1, 3]]


REFUSED = {
    "no such rank": (
        lambda: plan_epoch(plain(4), FixedSize(1)).rank(1, 1),
        "no rank 1 in a world of 1",
    ),
    "more ranks than batches": (
        lambda: plan_epoch(plain(4), FixedSize(1), batches_per_step=2).rank(0, 3),
        "a step of 2 batches cannot be shared by 3 ranks",
    ),
    "no batch in a step": (
        lambda: plan_epoch(plain(4), FixedSize(1), batches_per_step=0),
        "batches_per_step must be a whole number from 1 on, not 0",
    ),
    "no seed": (lambda: plan_epoch(plain(4), FixedSize(1), seed=-1), "seed must be between 0"),
    "samples of another length": (
        lambda: plan_epoch(plain(4), FixedSize(1), samples=[1]),
        "samples must be 4 whole numbers",
    ),
    "samples that are no positions": (
        lambda: plan_epoch(plain(2), FixedSize(1), samples=[0, -3]),
        "samples must not be negative, but one is -3",
    ),
    "original of another length": (
        lambda: plan_epoch(plain(4), AspectGroups(2), original=plain(3)),
        "4 sizes, but 3 original sizes",
    ),
    "a batch without a place": (
        lambda: plan_epoch(plain(2), GivenBatches(((0, 2),))),
        r"batch 0 has no place in 2 samples: \(0, 2\)",
    ),
    "an empty batch": (lambda: GivenBatches(((0,), ())), "batch 1 is empty"),
    "a budget of nothing": (lambda: MemoryBudget(0), "budget must be above 0, not 0"),
    "a budget without end": (lambda: MemoryBudget(float("inf")), "budget must be above 0, not inf"),
    "a budget that is no number": (lambda: MemoryBudget(float("nan")), "above 0, not nan"),
    "a model that is none": (lambda: MemoryBudget(1, cost=3), "cost must have unit and cost"),
    "an unknown tail": (lambda: FixedSize(1, tail="pad"), "tail must be one of 'fill', 'drop'"),
    "half an image": (lambda: FixedSize(1.5), "batch_size must be a whole number from 1 on"),
    "an unknown style": (lambda: AspectGroups(2, "yolo"), "style must be one of 'detectron2'"),
    "an unknown way with large ones": (
        lambda: MemoryBudget(1, oversize="crop"),
        "oversize must be",
    ),
}


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.replace(" ", "-"))
def test_what_cannot_be_planned_is_refused_in_one_line(case: str) -> None:
    call, text = REFUSED[case]
    with pytest.raises(PlanError, match=text) as caught:
        call()
    assert "\n" not in str(caught.value)
