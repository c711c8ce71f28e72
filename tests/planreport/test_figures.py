"""The figures, recomputed batch by batch from what the ranks are given."""

from __future__ import annotations

import statistics as standard

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftloader.batching import (
    CostModel,
    EpochPlan,
    FixedSize,
    HostBytes,
    Load,
    MemoryBudget,
    PaddedPixels,
    PlannedBatch,
    plan_epoch,
)
from ftloader.errors import PlanError
from ftloader.planreport import Budget, Figures, figures
from ftloader.planreport.figures import COST_BINS, MOST_BINS
from ftloader.planreport.worlds import world_sizes

from .made import models, policies, rows, sizes_of


def batches_of(plan: EpochPlan, ranks: int) -> list[PlannedBatch]:
    return [batch for rank in range(ranks) for batch in plan.rank(rank, ranks)]


def load_of(batch: PlannedBatch, plan: EpochPlan) -> Load:
    """What a batch asks of memory, counted from its samples."""
    at = {int(sample): row for row, sample in enumerate(plan.samples)}
    boxes = [int(plan.sizes.boxes[at[int(sample)]]) for sample in batch.samples]
    return Load(len(batch), batch.height, batch.width, sum(boxes), max(boxes))


@given(rows, models, st.floats(0.3, 3), st.integers(0, 4), st.integers(1, 4), st.integers(0, 3))
@settings(max_examples=150, deadline=None)
def test_figures_are_those_of_the_batches_that_ranks_are_given(
    drawn: list[tuple[int, int, int]],
    model: CostModel,
    factor: float,
    which: int,
    ranks: int,
    more: int,
) -> None:
    sizes = sizes_of(drawn)
    budget = Budget(factor * float(model.cost(Load(2, 192, 192, 5, 3))), model, "", "")
    try:
        plan = plan_epoch(sizes, policies(budget)[which], seed=3, batches_per_step=ranks + more)
    except PlanError:  # over the budget at any size
        return
    if not len(plan):
        return
    found = figures(plan, budget, ranks, world_sizes(plan.batches_per_step))
    given_out = batches_of(plan, ranks)
    counted = [batch for batch in given_out if not batch.repeat]
    check_images(found, counted, plan)
    check_pixels(found, given_out, counted)
    check_costs(found, given_out, budget, plan)
    check_balance(found, given_out, ranks)
    check_samples(found, counted, plan)


def check_images(found: Figures, counted: list[PlannedBatch], plan: EpochPlan) -> None:
    images = [len(batch) for batch in counted]
    assert found.steps == len(plan)
    assert found.images_per_batch.mean == pytest.approx(standard.mean(images))
    assert (found.images_per_batch.min, found.images_per_batch.max) == (min(images), max(images))
    assert standard.median_low(images) == found.images_per_batch.p50
    assert {n: c for n, c in enumerate(found.images_by_count) if c} == {
        n: images.count(n) for n in set(images)
    }
    steps = [sum(len(b) for b in counted if b.step == step) for step in range(len(plan))]
    assert (found.images_per_step.min, found.images_per_step.max) == (min(steps), max(steps))
    assert found.images_per_step.mean == pytest.approx(standard.mean(steps))


def check_pixels(
    found: Figures, given_out: list[PlannedBatch], counted: list[PlannedBatch]
) -> None:
    real = sum(int(width) * int(height) for batch in counted for width, height in batch.sizes)
    padded = [len(batch) * batch.height * batch.width for batch in given_out]
    assert found.efficiency == pytest.approx(real / sum(padded))
    assert found.padded.max == max(padded)
    shapes = [(batch.height, batch.width) for batch in counted]
    assert {(s.height, s.width): s.batches for s in found.shapes} == {
        shape: shapes.count(shape) for shape in set(shapes)
    }
    assert [s.batches for s in found.shapes] == sorted(s.batches for s in found.shapes)[::-1]
    assert sum(s.images for s in found.shapes) == sum(map(len, counted))
    exact = {(len(batch), batch.height, batch.width) for batch in counted}
    assert found.shapes_with_images == len(exact)


def check_costs(
    found: Figures, given_out: list[PlannedBatch], budget: Budget, plan: EpochPlan
) -> None:
    costs = [float(budget.model.cost(load_of(batch, plan))) for batch in given_out]
    assert found.cost.max == max(costs)
    assert found.cost.mean == pytest.approx(standard.mean(costs))
    assert found.over_budget == sum(cost > budget.amount for cost in costs)
    if isinstance(plan.policy, MemoryBudget):
        assert found.over_budget == 0
    assert sum(found.cost_counts) == len(given_out)
    assert sum(found.cost_counts[:COST_BINS]) == len(given_out) - found.over_budget
    assert len(found.cost_edges) == len(found.cost_counts) + 1
    assert found.host_bytes == max(int(HostBytes().cost(load_of(b, plan))) for b in given_out)
    worst = found.costliest
    (there,) = [
        batch
        for batch in given_out
        if (batch.step, batch.rank) == (worst.step, worst.rank)
        and batch.samples.tolist() == list(worst.samples)
        and batch.sizes.tolist() == [list(size) for size in worst.sizes]
    ][:1]
    assert worst.cost == max(costs)
    assert (worst.images, worst.height, worst.width) == (len(there), there.height, there.width)
    assert worst.boxes == there.boxes


def check_balance(found: Figures, given_out: list[PlannedBatch], ranks: int) -> None:
    shares, most = [], 0
    for step in range(found.steps):
        work = [0] * ranks
        count = [0] * ranks
        for batch in given_out:
            if batch.step == step:
                work[batch.rank] += len(batch) * batch.height * batch.width
                count[batch.rank] += 1
        shares.append(standard.mean(work) / max(work))
        most = max(most, *count)
    assert found.step_balance == pytest.approx(tuple(shares))
    assert found.world.balance == pytest.approx(standard.mean(shares))
    assert found.world.micro_batches == most
    assert found.world.batches == found.batches == len(given_out)
    assert found.world.fillers == sum(batch.repeat for batch in given_out)
    assert {world.steps for world in found.worlds} == {found.steps}
    assert ranks in [world.ranks for world in found.worlds]


def check_samples(found: Figures, counted: list[PlannedBatch], plan: EpochPlan) -> None:
    served = [int(sample) for batch in counted for sample in batch.samples]
    told = found.served
    assert told.images == len(served)
    assert told.repeated == len(served) - len(set(served))
    missing = told.dropped + told.skipped + told.dropped_by_recipe
    assert len(set(served)) + missing == told.entries == len(plan.samples)


def test_samples_that_the_recipe_drops_are_counted_apart() -> None:
    sizes = sizes_of([(64, 64, 1), (0, 0, 0), (64, 32, 1), (0, 0, 0)])
    plan = plan_epoch(sizes, FixedSize(batch_size=2))
    found = figures(plan, Budget(1e6, PaddedPixels(), "", ""), 1)
    assert (found.served.dropped_by_recipe, found.served.images, found.steps) == (2, 2, 1)
    assert found.efficiency == (64 * 64 + 64 * 32) / (2 * 64 * 64)


def test_a_cost_at_the_budget_is_within_it_and_one_pixel_more_is_not() -> None:
    plan = plan_epoch(sizes_of([(64, 64, 0)]), FixedSize(batch_size=1))
    at = figures(plan, Budget(4096, PaddedPixels(), "", ""), 1)
    assert (at.over_budget, at.cost_counts[-1], len(at.cost_counts)) == (0, 1, COST_BINS)
    above = figures(plan, Budget(4095, PaddedPixels(), "", ""), 1)
    assert (above.over_budget, above.cost_counts[-1]) == (1, 1)
    assert len(above.cost_counts) == COST_BINS + 1


def test_a_histogram_tells_the_budget_itself_from_what_is_above() -> None:
    sizes = sizes_of([(64, 64, 0), (64, 128, 0), (64, 32, 0)])
    plan = plan_epoch(sizes, FixedSize(batch_size=1))
    found = figures(plan, Budget(64 * 64, PaddedPixels(), "", ""), 1)
    bins = zip(found.cost_edges[1:], found.cost_counts, strict=True)
    assert {edge: count for edge, count in bins if count} == {0.5: 1, 1.0: 1, 2.0: 1}


def test_a_budget_far_below_the_costs_does_not_grow_the_histogram_without_bound() -> None:
    plan = plan_epoch(sizes_of([(64, 64, 0)]), FixedSize(batch_size=1))
    found = figures(plan, Budget(1, PaddedPixels(), "", ""), 1)
    assert len(found.cost_counts) == MOST_BINS
    assert found.cost_counts[-1] == 1


def test_more_ranks_than_batches_in_a_step_are_refused() -> None:
    plan = plan_epoch(sizes_of([(64, 64, 0)] * 8), FixedSize(batch_size=1), batches_per_step=2)
    with pytest.raises(PlanError, match="cannot be shared by 3 ranks"):
        figures(plan, Budget(1e6, PaddedPixels(), "", ""), 3)


def test_numbers_of_ranks_to_look_at_are_powers_of_two_that_can_share_a_step() -> None:
    assert world_sizes(1) == [1]
    assert world_sizes(7) == [1, 2, 4]
    assert world_sizes(8) == [1, 2, 4, 8]


def test_equal_plans_have_equal_figures() -> None:
    sizes = sizes_of([(int(w), int(w) // 2 + 1, 1) for w in np.arange(20, 80)])
    budget = Budget(50_000, PaddedPixels(), "", "")
    policy = MemoryBudget(budget.amount)
    first, second = (
        figures(plan_epoch(sizes, policy, seed=5, batches_per_step=4), budget, 2) for _ in "ab"
    )
    assert first == second
